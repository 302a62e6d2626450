//! The objects of a host, found by what identifies them: a host may run many thousands.

use std::collections::HashMap;

use tcloud_model::{Identity, Name, ObservedObject};
use uuid::Uuid;

/// The objects of a host.
pub(crate) struct Found<'a> {
    by_uuid: HashMap<(&'a str, Uuid), &'a ObservedObject>,
    by_name: HashMap<(&'a str, &'a str), &'a ObservedObject>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(objects: &'a [ObservedObject]) -> Found<'a> {
        let mut found = Found { by_uuid: HashMap::new(), by_name: HashMap::new() };
        for object in objects {
            let kind = object.kind.as_str();
            found.by_name.insert((kind, object.name.as_str()), object);
            if let Some(uuid) = object.uuid {
                found.by_uuid.insert((kind, uuid), object);
            }
        }
        found
    }

    /// The object of this identity.
    pub(crate) fn known_as(&self, kind: &Name, identity: &Identity) -> Option<&'a ObservedObject> {
        let object = self.in_the_way(kind, identity)?;
        object.is(kind, identity).then_some(object)
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
