//! The board: machine type, firmware, TPM, CPU model, and room for devices that come later.

use tcloud_model::{Fields, Value};

use super::define::{Context, DefineError};
use crate::xml::{Element, Node};

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The processor itself.
    Kvm,
    /// A program that imitates one.
    Tcg,
}

impl Accel {
    /// libvirt's word for it: a domain's `type`.
    pub fn word(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "qemu",
        }
    }
}

/// PCIe slots that stay free for disks and NICs that are added while the guest runs; libvirt's own
/// definitions have room for one.
const SPARE_PORTS: usize = 8;

/// Devices of our own that sit in a slot: SCSI and USB controllers, serial bus, balloon, random
/// numbers.
const OWN_PORTS: usize = 5;

/// Writes the machine type. A guest on another board finds its devices in other places, so that the
/// old places are forgotten.
pub(super) fn write_machine(domain: &mut Element, machine: &str, slots: usize) {
    let is_new = domain.find("os/type").is_none();
    let os = domain.ensure("os");
    let kind = os.ensure("type");
    kind.set("arch", "x86_64");
    kind.set("machine", machine);
    if kind.content().is_empty() {
        kind.children.push(Node::Text("hvm".into()));
    }
    let devices = domain.ensure("devices");
    if !is_new {
        devices.retain(|device| {
            let kind = device.get("type").unwrap_or_default();
            let on_board = ["pci", "usb", "sata", "ide"].contains(&kind);
            device.name != "controller" || !on_board
        });
        for node in &mut devices.children {
            let Node::Element(device) = node else { continue };
            device.retain(|own| own.name != "address" || own.get("type") != Some("pci"));
        }
    }
    if machine == "q35" {
        let root = Element::new("controller").attr("type", "pci").attr("index", 0);
        devices.push(root.attr("model", "pcie-root"));
        for _ in 0..slots + OWN_PORTS + SPARE_PORTS {
            let port = Element::new("controller").attr("type", "pci");
            devices.push(port.attr("model", "pcie-root-port"));
        }
    }
}

/// Our words for boards, and how their versions begin.
pub(super) const FAMILIES: [(&str, &str); 2] = [("q35", "pc-q35-"), ("pc", "pc-i440fx-")];

/// The machine type without its version: `pc-q35-7.2` is `q35`.
pub(super) fn read_machine(domain: &Element) -> Option<Value> {
    let machine = domain.find("os/type")?.get("machine")?;
    let fits =
        |(alias, versions): &&(&str, &str)| machine == *alias || machine.starts_with(versions);
    FAMILIES.iter().find(fits).map(|(alias, _)| Value::text(alias))
}

/// Writes how the guest starts: libvirt chooses the firmware's files out of what the host has.
pub(super) fn write_firmware(
    domain: &mut Element,
    wanted: &Fields,
    context: &Context<'_>,
) -> Result<(), DefineError> {
    let uefi = wanted.text("firmware") == Some("uefi");
    let secure = wanted.flag("secure_boot").unwrap_or(false);
    if secure && !uefi {
        return Err(DefineError::SecureBios);
    }
    if secure && wanted.text("machine") == Some("pc") {
        return Err(DefineError::SecurePc);
    }
    if uefi && !context.has_uefi {
        return Err(DefineError::NoUefi);
    }
    let os = domain.ensure("os");
    for name in ["firmware", "loader", "nvram"] {
        os.remove(name);
    }
    if uefi {
        os.set("firmware", "efi");
        let word = if secure { "yes" } else { "no" };
        let feature = |name| Element::new("feature").attr("enabled", word).attr("name", name);
        let firmware = Element::new("firmware");
        os.push(firmware.child(feature("secure-boot")).child(feature("enrolled-keys")));
    } else {
        os.unset("firmware");
    }
    let features = domain.ensure("features");
    features.remove("smm");
    if secure {
        features.push(Element::new("smm").attr("state", "on"));
    }
    Ok(())
}

/// `bios` or `uefi`, and whether only signed systems start.
pub(super) fn read_firmware(domain: &Element) -> (&'static str, bool) {
    let Some(os) = domain.find("os") else { return ("bios", false) };
    let loader = os.find("loader");
    let flash = loader.is_some_and(|loader| loader.get("type") == Some("pflash"));
    let uefi = flash || os.get("firmware") == Some("efi");
    let asked = os.find("firmware").into_iter().flat_map(|own| own.elements("feature"));
    let mut asked = asked.filter(|own| own.get("enabled") == Some("yes"));
    let secure = asked.any(|own| own.get("name") == Some("secure-boot"))
        || loader.is_some_and(|loader| loader.get("secure") == Some("yes"));
    (if uefi { "uefi" } else { "bios" }, uefi && secure)
}

/// Writes whether there is a TPM.
pub(super) fn write_tpm(
    domain: &mut Element,
    wanted: bool,
    context: &Context<'_>,
) -> Result<(), DefineError> {
    let devices = domain.ensure("devices");
    devices.remove("tpm");
    if !wanted {
        return Ok(());
    }
    if !context.has_tpm {
        return Err(DefineError::NoTpm);
    }
    let backend = Element::new("backend").attr("type", "emulator").attr("version", "2.0");
    devices.push(Element::new("tpm").attr("model", "tpm-crb").child(backend));
    Ok(())
}

/// How a guest that says nothing sees its CPU.
pub(super) const CPU_MODE: &str = "host-model";

/// Writes which CPU the guest sees. Without KVM there is no CPU of the host to show: the guest sees
/// everything that the program can imitate.
pub(super) fn write_cpu(domain: &mut Element, mode: &str) {
    let imitated = domain.get("type") == Some("qemu");
    let cpu = domain.ensure("cpu");
    // Models and features belong to the old mode; topology and cells do not.
    for name in ["model", "vendor", "feature", "maxphysaddr", "cache"] {
        cpu.remove(name);
    }
    for name in ["match", "check", "migratable"] {
        cpu.unset(name);
    }
    cpu.set("mode", if imitated { "maximum" } else { mode });
}

/// Which CPU the guest sees. `asked` is what was last asked of us: a running guest's definition
/// names the model that was found, and an imitated one is always `maximum`.
pub(super) fn read_cpu(domain: &Element, asked: Option<&str>) -> Option<Value> {
    let mode = domain.find("cpu").and_then(|cpu| cpu.get("mode"));
    let imitated = domain.get("type") == Some("qemu");
    let running = domain.get("id").is_some();
    let holds = match (asked, mode) {
        (Some(_), Some("maximum")) if imitated => true,
        (Some("host-model"), Some("custom")) if running => true,
        (asked, mode) => asked == mode,
    };
    match (asked, mode) {
        (Some(asked), _) if holds => Some(Value::text(asked)),
        (_, Some(mode @ ("host-model" | "host-passthrough" | "maximum"))) => {
            Some(Value::text(mode))
        }
        _ => None,
    }
}
