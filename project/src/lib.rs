//! What the files of a project say beside its texts.
//!
//! * [`config`] – `tcloud.toml`, the settings.
//! * [`lock`] – `tcloud.lock`, the programs that are trusted.
//! * [`whole_file`] – how such files are written.

pub mod config;
pub mod lock;
pub mod whole_file;

pub use config::Config;
pub use lock::Lock;
