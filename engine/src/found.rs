//! The objects of a host, found by what identifies them: a host may run many thousands.

use std::collections::{HashMap, HashSet};

use tcloud_model::{Address, Identity, Name, ObjectId, ObservedObject};
use uuid::Uuid;

/// The objects of a host.
pub(crate) struct Found<'a> {
    by_uuid: HashMap<(&'a str, Uuid), &'a ObservedObject>,
    by_name: HashMap<(&'a str, &'a str), &'a ObservedObject>,
    stamped: HashSet<(Uuid, &'a Address, u32)>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(objects: &'a [ObservedObject]) -> Found<'a> {
        let mut found =
            Found { by_uuid: HashMap::new(), by_name: HashMap::new(), stamped: HashSet::new() };
        for object in objects {
            let kind = object.kind.as_str();
            found.by_name.insert((kind, object.name.as_str()), object);
            if let Some(uuid) = object.uuid {
                found.by_uuid.insert((kind, uuid), object);
            }
            if let Some(stamp) = object.stamp.as_ref().filter(|_| !object.is_unfinished()) {
                found.stamped.insert((stamp.deployment, &stamp.address, stamp.incarnation));
            }
        }
        found
    }

    /// The object of this identity.
    pub(crate) fn known_as(&self, kind: &Name, identity: &Identity) -> Option<&'a ObservedObject> {
        let object = self.in_the_way(kind, identity)?;
        object.is(kind, identity).then_some(object)
    }

    /// Whether something carries the stamp of this object.
    pub(crate) fn carries_stamp(&self, deployment: Uuid, object: &ObjectId) -> bool {
        self.stamped.contains(&(deployment, &object.address, object.incarnation))
    }

    /// Whatever has the identifier, or only the name.
    pub(crate) fn in_the_way(
        &self,
        kind: &Name,
        identity: &Identity,
    ) -> Option<&'a ObservedObject> {
        let by_uuid = self.by_uuid.get(&(kind.as_str(), identity.uuid));
        by_uuid.or_else(|| self.by_name.get(&(kind.as_str(), identity.name.as_str()))).copied()
    }
}
