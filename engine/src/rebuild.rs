//! The records that follow from the stamps on what runs: what a lost state is rebuilt from. Equal to
//! what was remembered, apart from who did it and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::{
    Address, Catalog, Deployment, Fields, Identity, ObjectId, ObservedObject, ObservedState,
    Record, Role, Stamp, State, Value,
};
use tcloud_state::RecordChange;

/// What has to be written and removed so that what is remembered is what runs. Records of hosts
/// that did not answer completely are only added to.
pub fn rebuild(
    known: &State,
    observed: &ObservedState,
    deployment: &Deployment,
    catalog: &Catalog,
) -> Vec<RecordChange> {
    let mut found = BTreeMap::new();
    for host in &observed.hosts {
        for object in &host.objects {
            if let Some((id, record)) = record_of(object, &host.host, deployment, catalog) {
                found.insert(id, record);
            }
        }
    }
    let answered: BTreeSet<&Address> = observed
        .hosts
        .iter()
        .filter(|host| host.facts.is_some() && host.problems.is_empty())
        .map(|host| &host.host)
        .collect();
    let gone =
        known.records.keys().filter(|id| answered.contains(&id.host) && !found.contains_key(*id));
    let mut changes: Vec<RecordChange> =
        gone.map(|id| RecordChange { object: id.clone(), record: None }).collect();
    changes.extend(found.into_iter().filter_map(|(object, record)| {
        let new = known.records.get(&object) != Some(&record);
        new.then(|| RecordChange { object, record: Some(Arc::new(record)) })
    }));
    changes
}

/// The record that an object of ours stands for.
fn record_of(
    object: &ObservedObject,
    host: &Address,
    deployment: &Deployment,
    catalog: &Catalog,
) -> Option<(ObjectId, Record)> {
    let is_ours = |stamp: &Stamp| stamp.deployment == deployment.id && !object.is_unfinished();
    let stamp = object.stamp.clone().filter(is_ours)?;
    let (address, incarnation) = (stamp.address.clone(), stamp.incarnation);
    let id = ObjectId { address, host: host.clone(), incarnation };
    let uuid = object.uuid.unwrap_or_else(|| {
        let per_host = catalog.get(&object.kind).is_some_and(|kind| kind.role == Role::PerHost);
        Identity::derive(deployment, &id, per_host).uuid
    });
    let identity = Identity { uuid, name: object.name.clone() };
    let attributes = Arc::new(set(&object.persistent()));
    Some((id, Record { kind: object.kind.clone(), identity, attributes, stamp }))
}

/// The attributes that are set: a hypervisor also reports what is not.
fn set(fields: &Fields) -> Fields {
    let value = |value: &Value| match value {
        Value::None => None,
        Value::Map(fields) => Some(Value::map(set(fields))),
        other => Some(other.clone()),
    };
    fields.iter().filter_map(|(name, own)| Some((name.clone(), value(own)?))).collect()
}
