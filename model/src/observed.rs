//! What the hypervisors really run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Address, AttrPath, Digest, Fields, Identity, Name, Stamp, Value};

/// The answer of every host that was asked, sorted by the host's address.
#[derive(Clone, Debug, Default)]
pub struct ObservedState {
    /// One entry per host.
    pub hosts: Vec<HostObservation>,
}

impl ObservedState {
    /// The observation of a host.
    pub fn host(&self, host: &Address) -> Option<&HostObservation> {
        self.hosts.binary_search_by(|own| own.host.cmp(host)).ok().map(|at| &self.hosts[at])
    }
}

/// What one host answered.
#[derive(Clone, Debug)]
pub struct HostObservation {
    /// The host's address in the text.
    pub host: Address,
    /// What it has; `None` when it could not be asked at all.
    pub facts: Option<HostFacts>,
    /// Everything on it, ours and foreign, sorted by kind and name.
    pub objects: Vec<ObservedObject>,
    /// What could not be read, in words. When the host could not be reached, why.
    pub problems: Vec<String>,
}

/// What a host has and can.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Logical CPUs.
    pub vcpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Name and version of the hypervisor.
    pub version: String,
    /// The storage pools that it has, by the name on the host.
    pub pools: Vec<PoolFacts>,
    /// Whether guests, with their volumes, can be moved to it and away from it.
    #[serde(default)]
    pub migrates: bool,
    /// What it has nothing for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<Lack>,
}

/// What a host can do for no object of a kind, however much room there is: its version is too old, or
/// a package is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lack {
    /// The kind.
    pub kind: Name,
    /// The attribute that asks for it.
    pub attribute: Name,
    /// The one value that asks for it; without one, anything but `false` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Why not, as a sentence without its full stop: "a VLAN tag on a bridge needs libvirt 11.0.0, and
    /// this host runs 9.0.0".
    pub because: String,
    /// What to write instead.
    pub help: String,
}

impl Lack {
    /// Whether an object with these attributes asks for it.
    pub fn is_asked_by(&self, attributes: &Fields) -> bool {
        match (attributes.get(&self.attribute), &self.value) {
            (None | Some(Value::None), _) | (Some(Value::Bool(false)), None) => false,
            (Some(found), Some(value)) => found == value,
            (Some(_), None) => true,
        }
    }
}

/// A storage pool of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolFacts {
    /// Its name on the host.
    pub name: Name,
    /// Its size in bytes.
    pub capacity: u64,
    /// Bytes that are still free.
    pub free: u64,
}

/// An object on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObservedObject {
    /// Its kind: `vm`, `volume`, `disk`, `network`, `image`, `pool`. A foreign storage volume is a
    /// `volume`.
    pub kind: Name,
    /// Its name on the hypervisor.
    pub name: Name,
    /// Its UUID, where it has one.
    pub uuid: Option<Uuid>,
    /// Our stamp, if it carries one – of any deployment.
    pub stamp: Option<Stamp>,
    /// What is in force now, in the words of its kind's schema: attributes that the schema knows
    /// and the provider can read. [`Value::None`](crate::Value::None) says that one was read and is not set; a missing
    /// one could not be read, and what was last applied is believed to hold. References are
    /// addresses where the target is stamped, and texts with the hypervisor's name where it is not.
    pub attributes: Arc<Fields>,
    /// Attributes whose persistent definition differs from what is in force: they take effect when
    /// the guest is next stopped and started. Only what differs, in the shape of `attributes`;
    /// [`Value::None`](crate::Value::None) for what goes away then. Empty for most objects.
    #[serde(default)]
    pub pending: Arc<Fields>,
    /// For what holds data: bytes really written, if known.
    #[serde(default)]
    pub written: Option<u64>,
    /// For guests: whether it runs.
    #[serde(default)]
    pub running: Option<bool>,
    /// What it has that the words of its kind cannot say, each thing in a few words of its own:
    /// `floppy drive fda`. It stays as it is, whatever a plan does; adoption tells of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What must not change now, since data would be lost or a change would not be what it seems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// For guests that run: how much more can be plugged in, if the provider can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Room>,
}

/// How much more can be plugged into a guest that runs. What finds no room waits for its next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// Free slots for devices.
    pub devices: u32,
    /// Free slots for modules of memory.
    pub modules: u32,
}

/// Something on a host that has to end before an object may change: a snapshot, a saved memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The attribute that must not change; without one, nothing may but that a guest is started.
    pub path: Option<AttrPath>,
    /// Whether the object, and what is attached to it there, must not be removed either.
    pub stays: bool,
    /// What holds it, as the end of a sentence: "its disk root is on a snapshot".
    pub because: String,
    /// What to do, with the command.
    pub help: String,
}

impl Hold {
    /// Whether a change of the attribute at a path, or of something around or below it, is held up.
    pub fn covers(&self, path: &AttrPath) -> bool {
        let Some(own) = &self.path else { return true };
        own.0.iter().zip(&path.0).all(|(own, other)| own == other)
    }
}

impl ObservedObject {
    /// Whether people would call it that: its name, or its UUID as a text.
    pub fn is_called(&self, name_or_uuid: &str) -> bool {
        self.name == *name_or_uuid || self.uuid.is_some_and(|uuid| name_or_uuid.parse() == Ok(uuid))
    }

    /// Whether it was begun and is not complete: see [`UNFINISHED`](crate::kinds::UNFINISHED).
    pub fn is_unfinished(&self) -> bool {
        self.attributes.flag(crate::kinds::UNFINISHED) == Some(true)
    }

    /// What is in force after the next stop and start.
    pub fn persistent(&self) -> Arc<Fields> {
        if self.pending.is_empty() {
            return Arc::clone(&self.attributes);
        }
        Arc::new(self.attributes.overlaid(&self.pending))
    }

    /// Whether the hypervisor knows it as this object: by its UUID, or by its name where it has no
    /// UUID. Says nothing about whose it is; see the stamp.
    pub fn is(&self, kind: &str, identity: &Identity) -> bool {
        self.kind == *kind
            && match self.uuid {
                Some(uuid) => uuid == identity.uuid,
                None => self.name == identity.name,
            }
    }

    /// What a plan expects to find when it is applied: changes with the stamp, the attributes, what
    /// is pending, with what holds it, and with the first byte of data that is written; not with every
    /// byte after it.
    pub fn digest(&self) -> Digest {
        let may_hold_data = self.written != Some(0);
        let seen = (&self.stamp, &*self.attributes, &*self.pending, may_hold_data);
        match self.holds.as_slice() {
            [] => Digest::of_json(&seen),
            holds => Digest::of_json(&(seen, holds)),
        }
    }
}
