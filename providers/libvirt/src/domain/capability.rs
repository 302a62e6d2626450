//! What a host can run guests with. What runs them is found out once, when the first guest is made.

use std::path::Path;

use tcloud_model::{Lack, Name, Value};
use virt::connect::Connect;

use super::{Accel, trial};
use crate::failure::Failure;
use crate::site::Site;
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
                return Failure::refused(
                    "the host cannot run guests by its processor (accel = \"kvm\"): is \
                     virtualisation switched on in its firmware, and the module kvm loaded?",
                );
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
    let Ok(capabilities) = domain_capabilities(connect, accel) else { return Vec::new() };
    let lack = |attribute, value, because: &str, help: &str| Lack {
        kind: Name::new("vm"),
        attribute: Name::new(attribute),
        value: Some(value),
        because: because.to_owned(),
        help: help.to_owned(),
    };
    let mut all = Vec::new();
    if !has_uefi(&capabilities) {
        let help = "install its package there (`ovmf`, `edk2-ovmf`), or write firmware = \"bios\"";
        all.push(lack("firmware", Value::text("uefi"), "the host has no UEFI firmware", help));
    }
    if !has_tpm(&capabilities) {
        let help = "install its packages there (`swtpm` and `swtpm-tools`)";
        all.push(lack("tpm", Value::Bool(true), "the host cannot imitate a TPM", help));
    }
    all
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
