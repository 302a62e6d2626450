//! What tcloud last did: only what a hypervisor cannot remember.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Address, Fields, Identity, Name, ObjectId, Stamp};

/// Every object that we manage, as last applied. Can be rebuilt from the hypervisors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// By address, host and incarnation. Two incarnations of one address exist while a replacement
    /// is unfinished.
    pub records: BTreeMap<ObjectId, Record>,
}

/// One managed object, as last applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its kind.
    pub kind: Name,
    /// How the hypervisor knows it. A moved object keeps the identity of its old address.
    pub identity: Identity,
    /// What was last applied.
    pub attributes: Arc<Fields>,
    /// The stamp that it carries.
    pub stamp: Stamp,
}

impl State {
    /// The objects of an address, newest incarnation last per host.
    pub fn of<'a>(
        &'a self,
        address: &'a Address,
    ) -> impl Iterator<Item = (&'a ObjectId, &'a Record)> {
        let first = ObjectId {
            address: address.clone(),
            host: Address::root("", "", None),
            incarnation: 0,
        };
        self.records.range(first..).take_while(move |(object, _)| object.address == *address)
    }
}
