//! The embedded hypervisor: a data centre on a laptop, with capacities that run out, changes that
//! wait for a power cycle, names that clash, and whatever trouble a script asks for.
//!
//! Each host is one SQLite file that outlives the process. The modules stand in reading order:
//!
//! * `provider` – the provider `sim`, which opens hosts ([`SimProvider`]).
//! * `queue` – calls to a host, in order, on a blocking thread.
//! * `perform` – one batch of calls: latency, faults, the call itself, the log.
//! * `host` – a host during a batch; who owns what, and what references mean here.
//! * `apply` – what the operations do; `migrate` – the one that needs two hosts.
//! * `change` – what takes effect at once, what waits, and what cannot be done.
//! * `guest`, `storage`, `link` – memory, room and attachments.
//! * `attributes` – whether a request is well-formed.
//! * `observe` – the sweep over everything.
//! * `object`, `class`, `reference` – how the file keeps objects; `database` – the file.
//! * `script` – what a host is told to be: sizes, the seed; `latency`, `fault` – and to do.
//! * `control` – what a person does behind tcloud's back ([`Control`]); `hand` – what the person
//!   means; `fill` – hand-made objects; `direct` – the script's lines; `by_hand` – the person whom
//!   the conformance suite needs.

mod apply;
mod attributes;
mod by_hand;
mod change;
mod class;
mod control;
mod database;
mod direct;
mod failure;
mod fault;
mod fill;
mod guest;
mod hand;
mod host;
mod latency;
mod link;
mod migrate;
mod object;
mod observe;
mod perform;
mod provider;
mod queue;
mod reference;
mod script;
mod storage;

pub use by_hand::{People, Person};
pub use control::{Contents, Control, ControlError, Listing, Logged};
pub use fault::{Fault, How};
pub use fill::Filling;
pub use latency::Latency;
pub use provider::SimProvider;
