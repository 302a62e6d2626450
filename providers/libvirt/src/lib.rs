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
//! * `site` – whose calls these are, and what every call has to hold.
//! * `stamp` – where stamps are: metadata, or secrets beside the object.
//! * `pool` – storage pools.
//! * [`firewall`] – rules, as nwfilters.
//! * [`seed`], [`domain`] – guests: their first settings, their definitions, and what changes them.
//! * `observe` – the sweep over everything.

// What networks, volumes and guests need of the first modules comes with them.
#![allow(dead_code)]

mod connection;
pub mod domain;
mod failure;
pub mod firewall;
mod observe;
mod pool;
mod provider;
pub mod seed;
mod site;
mod stamp;
pub mod xml;

pub use provider::LibvirtProvider;
