//! What the files of a project say beside its texts.
//!
//! * [`config`] – `tcloud.toml`, the settings.
//! * [`lock`] – `tcloud.lock`, the programs that are trusted.

pub mod config;
pub mod lock;

pub use config::Config;
pub use lock::Lock;
