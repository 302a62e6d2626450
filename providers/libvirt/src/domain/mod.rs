//! Guests: libvirt's domains. What a guest is in our words, what it is in libvirt's, and the calls
//! that lead from one to the other without stopping it.
//!
//! The modules stand in reading order:
//!
//! * `label` – how disks and NICs of a guest keep their names ([`label`]).
//! * `words` – what libvirt has no word for, kept in the domain's metadata.
//! * `directory` – what references lead to on the host ([`Directory`]).
//! * `amount` – sizes and rates in libvirt's units.
//! * `machine`, `size`, `boot`, `disk`, `nic`, `fixture` – the parts of a definition.
//! * `extension` – what only libvirt has.
//! * `define` – a definition from attributes, or changed in place ([`define`]).
//! * `read` – attributes from definitions ([`read`]); `kept` – what attributes cannot say.
//! * `room` – how much more can be plugged into a running guest.
//! * `paths` – attributes by their paths; `change` – what a running guest can be given at once.
//! * `capability`, `trial` – what a host can run guests with.
//! * `resolve`, `media` – what references lead to, and the medium with the first settings.
//! * `addresses` – the addresses that networks keep for its NICs.
//! * `power`, `seen`, `wait` – starting, stopping, waiting, and where an address is seen.
//! * `mark` – stamps and words in its metadata.
//! * `guest` – a guest as it is read, alone or among all of its host; `held` – what must not change
//!   on it now.
//! * `apply`, `migrate` – operations.

mod addresses;
mod amount;
mod apply;
mod boot;
mod capability;
mod change;
mod define;
mod directory;
mod disk;
mod extension;
mod fixture;
mod guest;
mod held;
mod kept;
pub mod label;
mod machine;
mod mark;
mod media;
mod migrate;
mod nic;
mod paths;
mod power;
mod read;
mod resolve;
mod room;
mod seen;
mod size;
mod trial;
mod wait;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use capability::{Capability, lacks};
pub use change::{Change, Planned, Step, steps};
pub use define::{Context, DefineError, define};
pub use directory::{Backing, Directory, Format, Source};
pub(crate) use extension::extension;
pub(crate) use guest::{Census, Counted};
pub use machine::Accel;
pub(crate) use media::POOL as SEEDS;
pub use nic::{mac_of, mac_text};
pub use read::{Definitions, Reading, definition, read};
