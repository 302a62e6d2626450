//! One thing that is asked of a provider. The planner writes it, the engine passes it on, and the
//! journal keeps it: nothing is decided after planning.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Address, AttrPath, Fields, Identity, Name, ObjectId, Stamp};

/// One change to one object on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The object, with the host that is asked.
    pub object: ObjectId,
    /// Its kind.
    pub kind: Name,
    /// How the hypervisor knows it, or will.
    pub identity: Identity,
    /// What to do.
    #[serde(flatten)]
    pub action: OperationKind,
    /// How the hypervisor knows what the attributes refer to, sorted by address.
    #[serde(default)]
    pub references: Vec<(Address, Identity)>,
}

/// What to do with an object. Every one of them is idempotent under the same identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum OperationKind {
    /// Make it; when it is there already with our stamp, make it so.
    Create {
        /// The attributes, complete.
        attributes: Arc<Fields>,
        /// The stamp to put on.
        stamp: Stamp,
    },
    /// Change it in place.
    Update {
        /// All attributes as they shall be, not only those that change.
        attributes: Arc<Fields>,
        /// The attributes that differ.
        changed: Vec<AttrPath>,
        /// Whether the guest is stopped and started, so that what cannot change live takes effect.
        /// Without it such attributes are written to the persistent definition only. Never stop a
        /// guest unless this is set.
        power_cycle: bool,
        /// The stamp to put on.
        stamp: Stamp,
    },
    /// Remove it. Absent already is success; without our stamp is an error.
    Delete,
    /// Put our stamp on, and nothing else: an adoption, or a new address.
    Stamp {
        /// The stamp.
        stamp: Stamp,
        /// Whether the object may be without a stamp: it is adopted.
        adopt: bool,
    },
    /// Take our stamp off, and nothing else.
    Unstamp,
    /// Move a guest with its local volumes to another host.
    Migrate {
        /// Where to.
        to: HostTarget,
        /// The volumes that go with it, as they are on the old host.
        volumes: Vec<(ObjectId, Identity)>,
        /// The attributes on the new host.
        attributes: Arc<Fields>,
        /// The stamp on the new host.
        stamp: Stamp,
    },
}

/// A host as the target of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTarget {
    /// Its address in the text.
    pub host: Address,
    /// How it is reached, from the text; empty for the provider's default.
    pub uri: String,
}

impl OperationKind {
    /// The attributes that the object has afterwards; none where nothing is written to it but a stamp.
    pub fn attributes(&self) -> Option<&Arc<Fields>> {
        match self {
            OperationKind::Create { attributes, .. }
            | OperationKind::Update { attributes, .. }
            | OperationKind::Migrate { attributes, .. } => Some(attributes),
            OperationKind::Delete | OperationKind::Stamp { .. } | OperationKind::Unstamp => None,
        }
    }

    /// The same, to be changed.
    pub fn attributes_mut(&mut self) -> Option<&mut Arc<Fields>> {
        match self {
            OperationKind::Create { attributes, .. }
            | OperationKind::Update { attributes, .. }
            | OperationKind::Migrate { attributes, .. } => Some(attributes),
            OperationKind::Delete | OperationKind::Stamp { .. } | OperationKind::Unstamp => None,
        }
    }

    /// The word for it in messages and events.
    pub fn word(&self) -> &'static str {
        match self {
            OperationKind::Create { .. } => "create",
            OperationKind::Update { .. } => "update",
            OperationKind::Delete => "delete",
            OperationKind::Stamp { adopt: true, .. } => "adopt",
            OperationKind::Stamp { adopt: false, .. } => "move",
            OperationKind::Unstamp => "forget",
            OperationKind::Migrate { .. } => "migrate",
        }
    }
}
