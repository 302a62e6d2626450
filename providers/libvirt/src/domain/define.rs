//! A guest's definition from its attributes: a new one, or an existing one in which only what differs
//! is changed, so that everything that we have no word for stays.

use std::sync::Arc;

use tcloud_model::{Fields, Identity, Name};

use super::capability::{NO_TPM, NO_UEFI};
use super::directory::{Directory, Source};
use super::{Accel, boot, disk, extension, fixture, machine, nic, read, size, words};
use crate::failure::quoted;
use crate::xml::{Element, Node};

/// What a definition needs to know besides the attributes.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// How libvirt knows the guest, or will.
    pub identity: &'a Identity,
    /// What runs guests on this host; only read for a new guest.
    pub accel: Accel,
    /// Whether the host has UEFI firmware.
    pub has_uefi: bool,
    /// Whether the host can imitate a TPM.
    pub has_tpm: bool,
    /// The file on the host that keeps what the guest writes to its console.
    pub console_log: String,
    /// What references lead to.
    pub directory: &'a Directory,
    /// The medium that a new guest reads its first settings from.
    pub seed: Option<&'a Source>,
}

/// Why there is no such definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefineError {
    /// vCPUs or memory are missing.
    #[error("a guest needs vcpus and memory")]
    NoSize,
    /// More than the ceiling.
    #[error("{0} is more than max_{0}")]
    MoreThanMost(&'static str),
    /// Somebody arranged memory in several NUMA cells.
    #[error(
        "its memory is arranged in several NUMA cells, which tcloud has no words for: change \
         vcpus and memory in libvirt, and then in the text"
    )]
    Cells,
    /// Sockets, cores and threads do not give so many vCPUs.
    #[error(
        "its vCPUs are arranged in sockets, cores and threads that do not make {0}: choose another \
         number, or change the topology in libvirt (virsh edit)"
    )]
    Topology(u64),
    /// Memory modules that somebody arranged are as large.
    #[error(
        "its memory modules have {0} bytes and it needs more memory than them: take modules out in \
         libvirt first (virsh detach-device --config)"
    )]
    Modules(u64),
    /// A disk's volume is not on the host.
    #[error("disk {disk}: there is no volume {volume} on the host")]
    NoVolume {
        /// The disk.
        disk: Name,
        /// What it refers to.
        volume: String,
    },
    /// Somebody put something else under a disk.
    #[error(
        "disk {disk} is on {}, which is no volume of ours: with another one, what is written there \
         would be missing. Copy it back (virsh blockcopy GUEST TARGET --dest PATH --pivot), or \
         detach it (virsh detach-disk GUEST TARGET --config)",
        quoted(path)
    )]
    Elsewhere {
        /// The disk.
        disk: Name,
        /// What it is on.
        path: String,
    },
    /// A NIC's network is not on the host.
    #[error("nic {nic}: there is no network {network} on the host")]
    NoNetwork {
        /// The NIC.
        nic: Name,
        /// What it refers to.
        network: String,
    },
    /// Secure boot without UEFI.
    #[error("secure_boot needs firmware \"uefi\"")]
    SecureBios,
    /// Secure boot on a board without it.
    #[error("secure_boot needs machine \"q35\"")]
    SecurePc,
    /// A board of the wrong sort, or without its version.
    #[error(
        "libvirt.machine_type is a board with its version, such as pc-q35-7.2, and one of the family \
         that machine names"
    )]
    NoVersion,
    /// XML that cannot be laid over a guest.
    #[error("libvirt.raw_xml: {0}")]
    Raw(String),
    /// A screen without a card.
    #[error("libvirt.graphics needs libvirt.video: the card that the screen hangs on")]
    NoCard,
    /// The host has no UEFI firmware.
    #[error("{}", NO_UEFI)]
    NoUefi,
    /// The host cannot imitate a TPM.
    #[error("{}", NO_TPM)]
    NoTpm,
}

/// The definition of a guest with these attributes, complete. With an existing one, attributes that
/// are as wanted already are left exactly as they are written there.
///
/// # Errors
/// When the attributes contradict each other, or the host lacks what they need.
pub fn define(
    existing: Option<&Element>,
    wanted: &Fields,
    context: &Context<'_>,
) -> Result<Element, DefineError> {
    let (mut domain, now) = match existing {
        Some(existing) => (existing.clone(), read::definition(existing, context.directory)),
        None => (fresh(wanted, context)?, Fields::new()),
    };
    let differs = |name: &str| now.get(name) != wanted.get(name);
    for name in ["description", "title"] {
        if !differs(name) {
            continue;
        }
        domain.remove(name);
        if let Some(text) = wanted.text(name).filter(|text| !text.is_empty()) {
            let is_uuid = |node: &Node| matches!(node, Node::Element(own) if own.name == "uuid");
            let after = domain.children.iter().position(is_uuid);
            let at = after.map_or(0, |at| at + 1);
            domain.children.insert(at, Node::Element(Element::new(name).text(text)));
        }
    }
    if existing.is_some() && differs("machine") {
        let devices = |name: &str| wanted.map(name).map_or(0, |all| all.len());
        let machine = wanted.text("machine").unwrap_or("q35");
        machine::write_machine(&mut domain, machine, devices("disk") + devices("nic"));
    }
    if ["firmware", "secure_boot"].iter().any(|name| differs(name)) {
        machine::write_firmware(&mut domain, wanted, context)?;
    }
    if differs("tpm") {
        machine::write_tpm(&mut domain, wanted.flag("tpm").unwrap_or(false), context)?;
    }
    if differs("cpu_mode") {
        machine::write_cpu(&mut domain, wanted.text("cpu_mode").unwrap_or(machine::CPU_MODE));
    }
    size::write(&mut domain, &now, wanted)?;
    if differs("boot") {
        boot::write(&mut domain, wanted.map("boot").map(|boot| &**boot));
    }
    let block = wanted.map(extension::BLOCK).map(|own| &**own);
    extension::check(block, wanted.text("machine"))?;
    extension::write(&mut domain, block);
    let nothing = Arc::new(Fields::new());
    let (disks, wanted_disks) = (now.map("disk"), wanted.map("disk"));
    let or_nothing = |own: Option<&'_ Arc<Fields>>| Arc::clone(own.unwrap_or(&nothing));
    disk::write(&mut domain, &or_nothing(disks), &or_nothing(wanted_disks), context.directory)?;
    let (nics, wanted_nics) = (now.map("nic"), wanted.map("nic"));
    nic::write(&mut domain, &or_nothing(nics), &or_nothing(wanted_nics), context)?;
    words::write(&mut domain, &Fields::new());
    let said = read::definition(&domain, context.directory);
    words::write(&mut domain, &words::missing(wanted, &said));
    Ok(domain)
}

/// A definition with everything that does not depend on attributes.
fn fresh(wanted: &Fields, context: &Context<'_>) -> Result<Element, DefineError> {
    let mut domain = Element::new("domain").attr("type", context.accel.word());
    domain.push(Element::new("name").text(&context.identity.name));
    domain.push(Element::new("uuid").text(context.identity.uuid));
    let devices = |name: &str| wanted.map(name).map_or(0, |all| all.len());
    let machine = wanted.text("machine").unwrap_or("q35");
    machine::write_machine(&mut domain, machine, devices("disk") + devices("nic"));
    fixture::write(&mut domain, &context.console_log);
    machine::write_cpu(&mut domain, wanted.text("cpu_mode").unwrap_or(machine::CPU_MODE));
    machine::write_firmware(&mut domain, wanted, context)?;
    if let Some(seed) = context.seed {
        fixture::write_seed(&mut domain, seed);
    }
    Ok(domain)
}
