//! Providers in processes of their own: JSON-RPC 2.0 in `Content-Length` frames over standard input
//! and output, standard error is the log. A plugin may be written in any language; whatever it
//! does, it costs its own operations only.
//!
//! The modules stand in reading order:
//!
//! * `frame` – where messages begin and end, strictly and bounded.
//! * `message` – the messages and their types; [`message::VERSION`] is the version of the protocol.
//! * `serve` – the plugin's side: any [`tcloud_provider::Provider`] as a plugin ([`run`]).

pub mod frame;
pub mod message;
mod serve;

pub use serve::{ByHand, ServeError, Service, run, serve};
