//! The embedded hypervisor as a plugin, for tests and as an example of one in Rust.

use std::process::ExitCode;
use std::sync::Arc;

use tcloud_plugin::Service;
use tcloud_provider_sim::{People, SimProvider};

fn main() -> ExitCode {
    tcloud_plugin::run(Service::new(Arc::new(SimProvider::new())).by_hand(Arc::new(People)))
}
