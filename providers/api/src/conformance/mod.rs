//! The suite that every provider passes, in process and as a plugin.

mod client;

pub use client::{Applied, Client, fields, with};
