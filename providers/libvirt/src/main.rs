//! The plugin `tcloud-provider-libvirt`: the C library and its threads stay out of `tcloud`.

use std::process::ExitCode;
use std::sync::Arc;

use tcloud_plugin::Service;
use tcloud_provider_libvirt::LibvirtProvider;

fn main() -> ExitCode {
    tcloud_plugin::run(Service::new(Arc::new(LibvirtProvider::new())))
}
