//! Whether the processor of a host really runs guests: a machine inside a machine may have `/dev/kvm`
//! and get nowhere with it. That takes seconds to find, so that it is remembered for a while.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys::VIR_DOMAIN_START_AUTODESTROY;

use super::machine;
use crate::failure::Failure;
use crate::xml::Element;

/// How long a guest of nothing may take to find that it has nothing to start. On a processor it
/// takes a quarter of a second.
const WITHIN: Duration = Duration::from_secs(3);

/// How long a failure is believed. It may have been a bad moment, or somebody has repaired it.
const BELIEVED: Duration = Duration::from_secs(60 * 60);

/// Whether it does. A failure leaves a file in `directory`, named after what was tried; that a trial
/// succeeds is found again as quickly as it would be read.
pub(super) fn passes(connect: &Connect, directory: &Path) -> Result<bool, Failure> {
    let mark = directory.join(format!("no-kvm-{}", fingerprint(connect)?));
    let failed = mark.metadata().and_then(|own| own.modified());
    if failed.is_ok_and(|at| is_believed(at, SystemTime::now())) {
        return Ok(false);
    }
    let passes = try_it(connect);
    // Where nothing can be kept, it is tried again, and nothing else.
    let _ = match passes {
        true => std::fs::remove_file(mark),
        false => std::fs::create_dir_all(directory).and_then(|()| std::fs::write(mark, "")),
    };
    Ok(passes)
}

/// Whether a failure is still believed; not one from the future, which is from before somebody set the
/// clock.
fn is_believed(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age < BELIEVED)
}

/// What the outcome depends on, as far as libvirt knows: the machine, its processor, and the versions.
fn fingerprint(connect: &Connect) -> Result<String, Failure> {
    let capabilities = Element::parse(&connect.get_capabilities()?)?;
    let host = capabilities.find("host").map(Element::to_string).unwrap_or_default();
    let versions = (connect.get_hyp_version()?, connect.get_lib_version()?);
    let digest = Sha256::digest(format!("{versions:?} {host}"));
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn try_it(connect: &Connect) -> bool {
    let Ok(xml) = guest().write() else { return false };
    let Ok(domain) = Domain::create_xml(connect, &xml, VIR_DOMAIN_START_AUTODESTROY) else {
        return false;
    };
    let until = Instant::now() + WITHIN;
    let mut rests = false;
    while !rests && Instant::now() < until {
        sleep(Duration::from_millis(100));
        let command =
            r#"{"execute":"human-monitor-command","arguments":{"command-line":"info registers"}}"#;
        rests =
            domain.qemu_monitor_command(command, 0).is_ok_and(|answer| answer.contains("HLT=1"));
    }
    // It goes with the connection at the latest.
    let _ = domain.destroy();
    rests
}

/// A guest of nothing, with the CPU that guests get: where a machine inside a machine shows features
/// that it does not let others use, QEMU's own default would run and no guest of ours.
fn guest() -> Element {
    let name = format!("tcloud-trial-{}", uuid::Uuid::new_v4().simple());
    let none = |kind: &str| Element::new(kind).attr("model", "none");
    let devices = Element::new("devices")
        .child(Element::new("controller").attr("type", "usb").attr("model", "none"))
        .child(none("memballoon"));
    let kind = Element::new("type").attr("arch", "x86_64").attr("machine", "q35").text("hvm");
    let mut guest = Element::new("domain")
        .attr("type", "kvm")
        .child(Element::new("name").text(name))
        .child(Element::new("memory").attr("unit", "MiB").text(64))
        .child(Element::new("vcpu").text(1))
        .child(Element::new("os").child(kind))
        .child(Element::new("features").child(Element::new("acpi")))
        .child(devices);
    machine::write_cpu(&mut guest, machine::CPU_MODE);
    guest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_believed_for_a_while() {
        let now = SystemTime::now();
        assert!(is_believed(now, now) && is_believed(now - BELIEVED / 2, now));
        assert!(!is_believed(now - BELIEVED, now) && !is_believed(now + BELIEVED, now));
    }
}
