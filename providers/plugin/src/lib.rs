//! Providers in processes of their own: JSON-RPC 2.0 in `Content-Length` frames over standard input
//! and output, standard error is the log. A plugin may be written in any language; whatever it
//! does, it costs its own operations only.
//!
//! The modules stand in reading order:
//!
//! * `frame` – where messages begin and end, strictly and bounded.
//! * `message` – the messages and their types; [`message::VERSION`] is the version of the protocol.
//! * `serve` – the plugin's side: any [`tcloud_provider::Provider`] as a plugin ([`run`]).
//! * `program` – a plugin's program, known by its digest; `process` – what runs it.
//! * `link` – a live plugin; `check` – whether what it shows can be.
//! * `provider` – tcloud's side: a plugin as a provider ([`PluginProvider`]).
//! * `by_hand` – a plugin as the outsider of the conformance suite.

mod by_hand;
mod check;
pub mod frame;
mod link;
pub mod message;
mod process;
mod program;
mod provider;
mod serve;

pub use by_hand::Person;
pub use process::Filter;
pub use program::{Program, ProgramError};
pub use provider::{Launch, PluginProvider};
pub use serve::{ByHand, ServeError, Service, run, serve};
