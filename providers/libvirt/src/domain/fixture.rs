//! What every guest has: a console whose output is kept, a channel for its agent, random numbers, a
//! balloon that tells how much memory is in use, and no screen.

use super::directory::Source;
use super::{disk, label};
use crate::xml::Element;

/// The channel that the guest's agent listens on.
pub(super) const AGENT: &str = "org.qemu.guest_agent.0";

/// Adds everything to a new definition.
pub(super) fn write(domain: &mut Element, console_log: &str) {
    let timer = |name: &str, what: &str, how: &str| {
        Element::new("timer").attr("name", name).attr(what, how)
    };
    domain.push(
        Element::new("clock")
            .attr("offset", "utc")
            .child(timer("rtc", "tickpolicy", "catchup"))
            .child(timer("pit", "tickpolicy", "delay"))
            .child(timer("hpet", "present", "no")),
    );
    for (what, action) in
        [("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "restart")]
    {
        domain.push(Element::new(what).text(action));
    }
    let features = domain.ensure("features");
    features.push(Element::new("acpi"));
    features.push(Element::new("apic"));
    let devices = domain.ensure("devices");
    devices.push(Element::new("controller").attr("type", "scsi").attr("model", "virtio-scsi"));
    let log = Element::new("log").attr("file", console_log).attr("append", "on");
    let target = Element::new("target").attr("port", 0);
    devices.push(Element::new("serial").attr("type", "pty").child(log).child(target));
    let target = Element::new("target").attr("type", "serial").attr("port", 0);
    devices.push(Element::new("console").attr("type", "pty").child(target));
    let target = Element::new("target").attr("type", "virtio").attr("name", AGENT);
    devices.push(Element::new("channel").attr("type", "unix").child(target));
    let source = Element::new("backend").attr("model", "random").text("/dev/urandom");
    devices.push(Element::new("rng").attr("model", "virtio").child(source));
    let period = Element::new("stats").attr("period", 10);
    devices.push(Element::new("memballoon").attr("model", "virtio").child(period));
}

/// Puts the medium in that the guest reads its first settings from. It sits on the SCSI bus:
/// kernels for clouds know no SATA.
pub(super) fn write_seed(domain: &mut Element, seed: &Source) {
    let devices = domain.ensure("devices");
    let dev = disk::free_target("scsi", &disk::targets(devices));
    let mut medium = Element::new("disk").attr("device", "cdrom");
    medium.push(Element::new("driver").attr("name", "qemu").attr("type", seed.format.word()));
    disk::set_source(&mut medium, seed);
    medium.push(Element::new("target").attr("dev", dev).attr("bus", "scsi"));
    medium.push(Element::new("readonly"));
    medium.push(Element::new("alias").attr("name", label::SEED));
    devices.push(medium);
}
