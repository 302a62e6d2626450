//! What a host can run guests with. What runs them is found out once, when the first guest is made.

use std::fmt;
use std::path::Path;

use tcloud_model::{Lack, Name, Value};
use virt::connect::Connect;

use super::{Accel, trial};
use crate::failure::Failure;
use crate::site::Site;
use crate::xml::Element;

/// What a host may have nothing for: told by the plan, and by the apply when a host has changed since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absence {
    because: &'static str,
    help: &'static str,
}

pub(super) const NO_UEFI: Absence = Absence {
    because: "the host has no UEFI firmware",
    help: "install its package there (`ovmf`, `edk2-ovmf`), or write firmware = \"bios\"",
};

pub(super) const NO_TPM: Absence = Absence {
    because: "the host cannot imitate a TPM",
    help: "install its packages there (`swtpm` and `swtpm-tools`)",
};

const NO_KVM: Absence = Absence {
    because: "the host cannot run guests by its processor, as its accel = \"kvm\" says",
    help: "switch virtualisation on in its firmware and load the module kvm, or leave `accel` out",
};

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.because, self.help)
    }
}

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

impl Capability {
    /// Asks a host. With `accel` it is known what runs guests; else it is tried, and what came of it is
    /// kept in the host's `directory`.
    pub(crate) fn ask(
        connect: &Connect,
        accel: Option<Accel>,
        directory: &Path,
    ) -> Result<Capability, Failure> {
        let kvm = match accel {
            Some(Accel::Tcg) => None,
            _ => domain_capabilities(connect, Accel::Kvm).ok(),
        };
        let accel = match (accel, &kvm) {
            (Some(Accel::Kvm), None) => {
                return Failure::refused(NO_KVM.to_string());
            }
            (Some(accel), _) => accel,
            (None, Some(_)) if trial::passes(connect, directory)? => Accel::Kvm,
            (None, _) => Accel::Tcg,
        };
        let capabilities = match kvm {
            Some(kvm) if accel == Accel::Kvm => kvm,
            _ => domain_capabilities(connect, accel)?,
        };
        Ok(Capability { accel, uefi: has_uefi(&capabilities), tpm: has_tpm(&capabilities) })
    }
}

/// What a host has for no guest, whatever runs it. What nobody can tell is not missing.
pub(crate) fn lacks(connect: &Connect, site: &Site) -> Vec<Lack> {
    let accel = site.accel.unwrap_or(Accel::Tcg);
    let lack = |attribute, value, absence: Absence| Lack {
        kind: Name::new("vm"),
        attribute: Name::new(attribute),
        value: Some(value),
        because: absence.because.to_owned(),
        help: absence.help.to_owned(),
    };
    let Ok(capabilities) = domain_capabilities(connect, accel) else {
        let can_imitate = || domain_capabilities(connect, Accel::Tcg).is_ok();
        if accel != Accel::Kvm || !can_imitate() {
            return Vec::new();
        }
        // Nor can a guest be defined there that is not to run.
        return [true, false].map(|runs| lack("running", Value::Bool(runs), NO_KVM)).into();
    };
    let uefi = lack("firmware", Value::text("uefi"), NO_UEFI);
    let tpm = lack("tpm", Value::Bool(true), NO_TPM);
    let all = [(has_uefi(&capabilities), uefi), (has_tpm(&capabilities), tpm)];
    all.into_iter().filter(|(has, _)| !has).map(|(_, lack)| lack).collect()
}

fn has_uefi(capabilities: &Element) -> bool {
    lists(capabilities, "os", "firmware", "efi")
}

fn has_tpm(capabilities: &Element) -> bool {
    lists(capabilities, "devices/tpm", "backendModel", "emulator")
}

fn lists(capabilities: &Element, path: &str, name: &str, word: &str) -> bool {
    let list = capabilities.find(path).into_iter().flat_map(|own| own.elements("enum"));
    let mut list = list.filter(|own| own.get("name") == Some(name));
    list.any(|own| own.elements("value").any(|value| value.content() == word))
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
