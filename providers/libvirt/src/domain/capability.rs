//! What a host can run guests with. Asked once, when the first guest is made.

use std::path::Path;

use virt::connect::Connect;

use super::{Accel, trial};
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
