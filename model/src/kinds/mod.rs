//! The core kinds, as data. One file for each family; [`core`] lists them in the order of the
//! book's reference. Costs hold for QEMU under libvirt; their sources are libvirt's own checks
//! (`qemuDomainChangeNet`, `qemuDomainDiskChangeSupported`, `virNetworkUpdate`), and tests hold
//! every provider to them.

mod needed;
mod network;
mod site;
mod storage;
mod tenant;
mod vm;

use crate::schema::{Attribute, Block, Role, Schema};
use crate::{Impact, Name, Type, Value};

pub use needed::{Needed, needed};
pub use storage::{PoolSource, holds_files};
pub use vm::{ATTACHMENT, MEMORY_STEP, needs_slot};

/// All core kinds.
pub fn core() -> Vec<Schema> {
    vec![
        site::site(),
        site::zone(),
        site::host(),
        storage::pool(),
        storage::image(),
        vm::flavor(),
        tenant::tenant(),
        network::network(),
        storage::volume(),
        vm::vm(),
        vm::disk(),
        vm::nic(),
    ]
}

/// The kinds whose objects hold data that cannot be made again.
pub const HOLDS_DATA: [&str; 2] = ["volume", "disk"];

/// What a host tells of a network or a pool that does not run although it should: somebody has
/// stopped it. Nobody can ask for it.
pub const STOPPED: &str = "stopped";

fn stopped() -> Attribute {
    Attribute::new(
        STOPPED,
        Type::Bool,
        "Whether it does not run, though it is to: somebody has stopped it.",
    )
    .computed()
    .cost(Impact::Live)
}

/// What a host tells of a guest that it forgets when it stops: somebody has taken its definition
/// away while it ran. Nobody can ask for it.
pub const TRANSIENT: &str = "transient";

fn transient() -> Attribute {
    Attribute::new(TRANSIENT, Type::Bool, "Whether the host forgets it when it stops.")
        .computed()
        .cost(Impact::Live)
}

/// What a host tells of a volume or an image that was begun there and is not complete: it is of no
/// use, and nothing is lost with it. Nobody can ask for it.
pub const UNFINISHED: &str = "unfinished";

fn unfinished() -> Attribute {
    Attribute::new(
        UNFINISHED,
        Type::Bool,
        "Whether only a part of it is there, which is of no use.",
    )
    .computed()
    .cost(Impact::None)
}

/// The least memory or storage that can be meant; a smaller size has lost its unit.
const MIB: Value = Value::Bytes(1 << 20);

fn schema(kind: &str, role: Role, doc: &str, example: &str) -> Schema {
    Schema {
        kind: Name::new(kind),
        doc: doc.to_owned(),
        example: example.to_owned(),
        role,
        within: Vec::new(),
        top_level: false,
        attributes: Vec::new(),
        blocks: Vec::new(),
        removal: Impact::None,
    }
}

impl Schema {
    fn at_top_level(mut self) -> Schema {
        self.top_level = true;
        self
    }

    fn inside(mut self, kinds: &[&str]) -> Schema {
        self.within = kinds.iter().map(|kind| Name::new(kind)).collect();
        self
    }

    fn removal(mut self, impact: Impact) -> Schema {
        self.removal = impact;
        self
    }

    fn attributes(mut self, attributes: Vec<Attribute>) -> Schema {
        self.attributes.extend(attributes);
        self
    }

    fn blocks(mut self, blocks: Vec<Block>) -> Schema {
        self.blocks.extend(blocks);
        self
    }

    /// Adds what every managed kind has, last in the reference.
    fn with_lifecycle(self, protected: bool) -> Schema {
        self.attributes(vec![
            Attribute::new(
                "name",
                Type::Text,
                "What an `existing` object is called on its hosts, when that is not its name here. \
                 What is ours is named by tcloud.",
            )
            .steering(),
            Attribute::new(
                "after",
                Type::list(Type::Ref(Vec::new())),
                "Objects that have to be finished first.\n\n\
                 Order only: it never makes a value unknown. References in attributes order by \
                 themselves.",
            )
            .steering(),
            Attribute::new(
                "protect",
                Type::Bool,
                "Whether deleting it needs consent that names it.\n\n\
                 The protection is remembered with the object, so that removing the block from \
                 the text does not remove the protection.",
            )
            .default(Value::Bool(protected))
            .steering(),
            Attribute::new(
                "create_first",
                Type::Bool,
                "Whether a replacement is created before the old object is deleted.",
            )
            .default(Value::Bool(false))
            .steering(),
            Attribute::new(
                "ignore",
                Type::list(Type::Text),
                "Attributes whose differences are left alone, by their paths without quotes: \
                 `ignore = [memory, nic.office.max_rate]`.",
            )
            .steering(),
            Attribute::new(
                "replace_when",
                Type::list(Type::Unknown),
                "Values whose change replaces the object.",
            )
            .steering(),
        ])
    }
}
