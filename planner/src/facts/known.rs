//! One object of ours, as far as anybody knows it.

use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Catalog, Deployment, Fields, Identity, Impact, Name, ObjectId,
    ObservedObject, Record, Stamp,
};

/// One object of ours, from its record, its stamp, or both.
#[derive(Clone, Debug)]
pub(crate) struct Known<'a> {
    /// Under the address that it has now.
    pub object: ObjectId,
    /// The address that it is recorded or stamped with, when a move changed it.
    pub previous: Option<Address>,
    /// What was last applied; absent after a loss of state.
    pub record: Option<&'a Record>,
    /// What is there; absent when it is gone, or its host did not answer.
    pub live: Option<&'a ObservedObject>,
    /// Whether its host answered, and can tell that it is gone.
    pub answered: bool,
    /// Whether it is being adopted and carries no stamp yet.
    pub adopted: bool,
    /// Keys of records that describe it, when they are not `object`.
    pub old_ids: Vec<ObjectId>,
    /// What it was last known to depend on, sorted, under their present addresses.
    pub dependencies: Arc<[Address]>,
    /// Attributes last applied, with references under their present addresses.
    pub applied: Option<Arc<Fields>>,
    /// Attributes in force, with references under their present addresses.
    pub found: Option<Arc<Fields>>,
    /// What takes effect at the next stop and start, laid over `found`; absent when nothing waits.
    pub pending: Option<Arc<Fields>>,
}

impl<'a> Known<'a> {
    /// One that nothing is known of yet but that its host answered.
    pub(crate) fn new(object: ObjectId) -> Known<'a> {
        Known {
            object,
            previous: None,
            record: None,
            live: None,
            answered: true,
            adopted: false,
            old_ids: Vec::new(),
            dependencies: Arc::default(),
            applied: None,
            found: None,
            pending: None,
        }
    }

    /// Adds what is there.
    pub(crate) fn see(&mut self, live: &'a ObservedObject) {
        self.live = Some(live);
        self.found = Some(Arc::clone(&live.attributes));
        self.pending = (!live.pending.is_empty()).then(|| Arc::clone(&live.pending));
    }

    /// The stamp on the object, or the one that was last put on.
    pub(crate) fn stamp(&self) -> Option<&Stamp> {
        let live = self.live.filter(|_| !self.adopted).and_then(|live| live.stamp.as_ref());
        live.or_else(|| self.record.map(|record| &record.stamp))
    }

    /// How the hypervisor knows it.
    pub(crate) fn identity(&self, deployment: &Deployment, per_host: bool) -> Identity {
        match (self.record, self.live) {
            (_, Some(live)) => {
                let derived = || Identity::uuid(deployment, &self.object, per_host);
                let recorded = self.record.map(|record| record.identity.uuid);
                let uuid = live.uuid.or(recorded).unwrap_or_else(derived);
                Identity { uuid, name: live.name.clone() }
            }
            (Some(record), None) => record.identity.clone(),
            (None, None) => Identity::derive(deployment, &self.object, per_host),
        }
    }

    /// Whether it was not made under its address: what was adopted, and what was moved there, keeps
    /// the identity that it had.
    pub(crate) fn is_made_by_others(&self, deployment: &Deployment, per_host: bool) -> bool {
        let derived = || Identity::uuid(deployment, &self.object, per_host);
        self.live.and_then(|live| live.uuid).is_some_and(|uuid| uuid != derived())
    }

    /// Attributes that it has: what is live, else what was last applied.
    pub(crate) fn attributes(&self) -> Option<&Arc<Fields>> {
        self.found.as_ref().or(self.applied.as_ref())
    }

    /// Whether a guest runs in it.
    pub(crate) fn runs(&self) -> bool {
        self.live.is_some_and(|live| {
            live.running.or_else(|| live.attributes.flag("running")).unwrap_or(false)
        })
    }

    /// Whether it can be without one of its disks or NICs now. A guest that runs has to let go of it.
    pub(crate) fn unplugs(&self, catalog: &Catalog, path: &AttrPath) -> bool {
        let [block, label] = &path.names()[..] else { return false };
        let own = self.attributes().and_then(|fields| fields.map(block)?.get(label));
        let schema = catalog.get(self.kind()).and_then(|schema| schema.block(block));
        !self.runs()
            || schema.is_some_and(|own_block| own_block.impact(own, None) < Impact::PowerCycle)
    }

    /// Whether there is something on a host, as far as anybody knows.
    pub(crate) fn exists(&self) -> bool {
        self.live.is_some() || !self.answered
    }

    /// Whether it is known to depend on exactly these, which are sorted.
    pub(crate) fn depends_on(&self, wanted: &[Address]) -> bool {
        *self.dependencies == *wanted
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &Name {
        self.object.address.kind()
    }
}
