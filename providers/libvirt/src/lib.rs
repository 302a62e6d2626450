//! libvirt hosts as a provider.
//!
//! The calls of libvirt block, so everything that is asked of a host is written as one piece of
//! plain code that runs on a thread with a connection (`connection::Host::call`), and only the
//! passing on is asynchronous. The modules stand in reading order:
//!
//! * [`xml`] – XML as a tree that can be changed.
//! * `failure` – why a host could not do what was asked.
//! * `connection` – URIs, threads with connections, keepalive, deadlines, and a message per trouble.
//! * `provider` – the provider `libvirt` ([`LibvirtProvider`]): turns, deadlines, which kind's code.
//! * `site` – whose calls these are, and what every call has to hold; `guard` – who may change what
//!   several operations share.
//! * `stamp` – where stamps are: metadata, or secrets beside the object; `shown` – what is seen, in
//!   the words of the text.
//! * `kept` – what definitions hold beyond attributes, in words.
//! * `pool` – storage pools; `side_pool` – those that no text declares; `users` – which guests use what is in them.
//! * `volume` – volumes and disks; `image` – what they are first filled from.
//! * `network` – networks, and the addresses that guests get in them.
//! * [`firewall`] – rules, as nwfilters.
//! * [`seed`], [`domain`] – guests: their first settings, their definitions, and what changes them.
//! * `observe` – the sweep over everything.

mod connection;
pub mod domain;
mod failure;
pub mod firewall;
mod guard;
mod image;
mod kept;
mod network;
mod observe;
mod pool;
mod provider;
pub mod seed;
mod shown;
mod side_pool;
mod site;
mod stamp;
mod users;
mod volume;
pub mod xml;

pub use provider::LibvirtProvider;
