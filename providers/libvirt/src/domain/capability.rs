//! What a host can run guests with. Asked once, when the first guest is made.

use std::thread::sleep;
use std::time::{Duration, Instant};

use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys::VIR_DOMAIN_START_AUTODESTROY;

use super::{Accel, machine};
use crate::failure::Failure;
use crate::xml::Element;

/// What a host can run guests with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capability {
    /// What runs guests.
    pub(crate) accel: Accel,
    /// Whether there is UEFI firmware.
    pub(crate) uefi: bool,
    /// Whether a TPM can be imitated.
    pub(crate) tpm: bool,
}

/// How long a guest of nothing may take to find that it has nothing to start. On a processor it
/// takes a quarter of a second.
const TRIAL: Duration = Duration::from_secs(3);

impl Capability {
    /// Asks a host. With `accel` it is known what runs guests; else it is tried.
    pub(crate) fn ask(connect: &Connect, accel: Option<Accel>) -> Result<Capability, Failure> {
        let kvm = match accel {
            Some(Accel::Tcg) => None,
            _ => domain_capabilities(connect, Accel::Kvm).ok(),
        };
        let accel = match (accel, &kvm) {
            (Some(Accel::Kvm), None) => {
                return Failure::refused(
                    "the host cannot run guests by its processor (accel = \"kvm\"): is \
                     virtualisation switched on in its firmware, and the module kvm loaded?",
                );
            }
            (Some(accel), _) => accel,
            (None, Some(_)) if starts(connect) => Accel::Kvm,
            (None, _) => Accel::Tcg,
        };
        let capabilities = match kvm {
            Some(kvm) if accel == Accel::Kvm => kvm,
            _ => domain_capabilities(connect, accel)?,
        };
        let lists = |path: &str, name: &str, word: &str| {
            let list = capabilities.find(path).into_iter().flat_map(|own| own.elements("enum"));
            let mut list = list.filter(|own| own.get("name") == Some(name));
            list.any(|own| own.elements("value").any(|value| value.content() == word))
        };
        Ok(Capability {
            accel,
            uefi: lists("os", "firmware", "efi"),
            tpm: lists("devices/tpm", "backendModel", "emulator"),
        })
    }
}

fn domain_capabilities(connect: &Connect, accel: Accel) -> Result<Element, Failure> {
    let xml = connect.get_domain_capabilities(
        None,
        Some("x86_64"),
        Some("q35"),
        Some(accel.word()),
        0,
    )?;
    Ok(Element::parse(&xml)?)
}

/// Whether the processor really runs guests: a machine inside a machine may have `/dev/kvm` and get
/// nowhere with it. A guest without anything to start comes to rest at once.
fn starts(connect: &Connect) -> bool {
    let Ok(xml) = trial().write() else { return false };
    let Ok(domain) = Domain::create_xml(connect, &xml, VIR_DOMAIN_START_AUTODESTROY) else {
        return false;
    };
    let until = Instant::now() + TRIAL;
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
fn trial() -> Element {
    let name = format!("tcloud-trial-{}", uuid::Uuid::new_v4().simple());
    let none = |kind: &str| Element::new(kind).attr("model", "none");
    let devices = Element::new("devices")
        .child(Element::new("controller").attr("type", "usb").attr("model", "none"))
        .child(none("memballoon"));
    let kind = Element::new("type").attr("arch", "x86_64").attr("machine", "q35").text("hvm");
    let mut trial = Element::new("domain")
        .attr("type", "kvm")
        .child(Element::new("name").text(name))
        .child(Element::new("memory").attr("unit", "MiB").text(64))
        .child(Element::new("vcpu").text(1))
        .child(Element::new("os").child(kind))
        .child(Element::new("features").child(Element::new("acpi")))
        .child(devices);
    machine::write_cpu(&mut trial, machine::CPU_MODE);
    trial
}
