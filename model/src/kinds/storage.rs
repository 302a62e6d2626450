//! Pools, images and volumes: where data lives.

use super::{MIB, schema, stopped, unfinished};
use crate::schema::{Attribute, Cost, Role, Schema};
use crate::{Impact, Type, Value};

/// What the `source` of a pool says, by the pool's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolSource<'a> {
    /// `nfs`: a server and the absolute path of its directory.
    Export {
        /// Its name or address.
        server: &'a str,
        /// Where it is there.
        directory: &'a str,
    },
    /// `lvm`: a volume group.
    Group(&'a str),
    /// `rbd`: monitors, with commas between them, and Ceph's pool.
    Ceph {
        /// Their names or addresses.
        monitors: &'a str,
        /// Its name there.
        pool: &'a str,
    },
}

impl<'a> PoolSource<'a> {
    /// Reads it; `None` where the text is none of a pool of this type.
    pub fn parse(kind: &str, text: &'a str) -> Option<PoolSource<'a>> {
        let is_host = |host: &str| !host.is_empty() && !host.starts_with('-');
        match kind {
            "nfs" => {
                // An address of IPv6 has colons of its own.
                let at = text.find(":/")?;
                let (server, directory) = (&text[..at], &text[at + 1..]);
                is_host(server).then_some(PoolSource::Export { server, directory })
            }
            "lvm" => {
                let fits = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
                let right = !text.is_empty() && !text.starts_with(['-', '.']);
                (right && text.chars().all(fits)).then_some(PoolSource::Group(text))
            }
            "rbd" => {
                let (monitors, pool) = text.rsplit_once(':')?;
                let right = !pool.is_empty() && monitors.split(',').all(is_host);
                right.then_some(PoolSource::Ceph { monitors, pool })
            }
            _ => None,
        }
    }
}

/// Whether pools of this type hold files. What is cut from a volume group or from Ceph is a device, and
/// QCOW2 is a format of files.
pub fn holds_files(kind: &str) -> bool {
    !matches!(kind, "lvm" | "rbd")
}

pub(super) fn pool() -> Schema {
    schema("pool", Role::PerHost,
        "Storage of a site that volumes are cut from.\n\n\
         A pool exists on each of its hosts. Removing a pool from the text never deletes what is \
         in it, and is refused while it holds volumes of ours.",
        "site meiningen {\n  host kvm1 { provider = \"sim\" }\n  pool fast {\n    type = \"dir\"\n    \
         path = \"/srv/tcloud/fast\"\n    class = \"nvme\"\n    capacity = 4TiB\n  }\n}\n")
        .inside(&["site"])
        .attributes(vec![
            Attribute::new("type", Type::one_of(&["dir", "nfs", "lvm", "rbd"]),
                "What it is made of.").required().cost(Impact::Blocked),
            Attribute::new("path", Type::Text,
                "The directory, or the mount point, on the host.").cost(Impact::Blocked),
            Attribute::new("source", Type::Text,
                "Where the storage comes from: the NFS export, the volume group, the Ceph pool.")
                .cost(Impact::Blocked),
            Attribute::new("class", Type::Text,
                "The class that volumes ask for: `nvme`, `hdd`.").steering(),
            Attribute::new("capacity", Type::Bytes,
                "What may be used of it on each host. Without it, the hypervisor is asked.")
                .at_least(MIB)
                .cost(Impact::None),
            Attribute::new("hosts", Type::list(Type::reference(&["host"])),
                "The hosts that have it. Without it, all hosts of the site.").steering(),
            stopped(),
        ])
        .with_lifecycle(false)
        .removal(Impact::RecreateKeep)
}

pub(super) fn image() -> Schema {
    schema(
        "image",
        Role::PerHost,
        "A disk image that guests start from.\n\n\
         It is fetched once for each host that needs it and verified before use.",
        "image debian-12 {\n  source = \"https://cloud.debian.org/images/cloud/bookworm/latest/\
         debian-12-genericcloud-amd64.qcow2\"\n  digest = \"sha256:\
         e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n}\n",
    )
    .at_top_level()
    .inside(&["site", "tenant"])
    .attributes(vec![
        Attribute::new("source", Type::Text, "Where to fetch it: `https://…` or `file:…`.")
            .required()
            .cost(Impact::RecreateKeep),
        Attribute::new(
            "digest",
            Type::Text,
            "What it must be: `sha256:…` or `sha512:…` of the file.",
        )
        .required()
        .cost(Impact::RecreateKeep),
        Attribute::new("format", Type::one_of(&["qcow2", "raw"]), "Its format, never guessed.")
            .default(Value::text("qcow2"))
            .cost(Impact::RecreateKeep),
        Attribute::new("os", Type::Text, "The operating system, for people and defaults."),
        Attribute::new("min_disk", Type::Bytes, "The smallest disk that it fits on."),
        Attribute::new("min_memory", Type::Bytes, "The least memory that it starts with."),
        unfinished(),
    ])
    .with_lifecycle(false)
    .removal(Impact::RecreateKeep)
}

pub(super) fn volume() -> Schema {
    schema(
        "volume",
        Role::Single,
        "A disk that outlives the VM that uses it.\n\n\
         It holds data: deleting it, or replacing it, needs consent that names it.",
        "tenant rhoenblick {\n  volume archive { size = 500GiB, class = \"nvme\" }\n}\n",
    )
    .inside(&["tenant"])
    .attributes(volume_attributes())
    .with_lifecycle(true)
    .removal(Impact::RecreateLose)
}

/// What volumes and inline disks have in common.
pub(super) fn volume_attributes() -> Vec<Attribute> {
    vec![
        Attribute::new(
            "size",
            Type::Bytes,
            "How large it is.\n\nIt can grow while the guest runs; the guest then has to extend \
             its file system. It cannot shrink: a smaller size makes it anew, without its data. \
             Needed unless it is made from an image that has `min_disk`.",
        )
        // Small volumes are real: firmware variables, seeds.
        .at_least(Value::Bytes(1 << 10))
        .costs(Cost::Direction { grow: Impact::LiveGuest, shrink: Impact::RecreateLose }),
        Attribute::new("pool", Type::reference(&["pool"]), "The pool that it lies in.")
            .cost(Impact::RecreateLose),
        Attribute::new(
            "class",
            Type::Text,
            "The class of pool that it may lie in, when `pool` does not say which.",
        )
        .cost(Impact::RecreateLose),
        Attribute::new(
            "image",
            Type::reference(&["image"]),
            "The image that it is first filled from. Only read when it is made.",
        )
        .cost(Impact::RecreateLose),
        Attribute::new("format", Type::one_of(&["qcow2", "raw"]), "How it is stored.")
            .default(Value::text("qcow2"))
            .cost(Impact::RecreateLose),
        Attribute::new("encrypted", Type::Bool, "Whether it is encrypted at rest (LUKS).")
            .default(Value::Bool(false))
            .cost(Impact::RecreateLose),
        unfinished(),
    ]
}
