//! The records that follow from the stamps on what runs: what a lost state is rebuilt from. Equal to
//! what was remembered, apart from who did it and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::{
    Address, Catalog, Deployment, Fields, Identity, Name, ObjectId, ObservedObject, ObservedState,
    Record, Role, Stamp, State, Value,
};
use tcloud_state::RecordChange;
use uuid::Uuid;

/// What follows from what runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rebuilt {
    /// What has to be written and removed so that what is remembered is what runs. Records of hosts
    /// that did not answer completely are only added to.
    pub changes: Vec<RecordChange>,
    /// What several objects say that they are, as a guest and its clone do, while nothing tells which
    /// of them it is. What is remembered of it stays.
    pub doubtful: Vec<Doubtful>,
}

/// What several objects say that they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubtful {
    /// What they say that they are.
    pub object: ObjectId,
    /// What their host calls them.
    pub names: Vec<Name>,
}

/// Works out the records that follow from the stamps on what runs.
pub fn rebuild(
    known: &State,
    observed: &ObservedState,
    deployment: &Deployment,
    catalog: &Catalog,
) -> Rebuilt {
    let mut found = BTreeMap::<ObjectId, Vec<Stamped<'_>>>::new();
    for host in &observed.hosts {
        for live in &host.objects {
            if let Some((object, stamp)) = ours(live, &host.host, deployment) {
                found.entry(object).or_default().push(Stamped { live, stamp });
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
    let gone = gone.map(|id| RecordChange { object: id.clone(), record: None });
    let mut rebuilt = Rebuilt { changes: gone.collect(), doubtful: Vec::new() };
    for (object, stamped) in found {
        let remembered = known.records.get(&object);
        let derived = derived(&object, &stamped, deployment, catalog);
        let Some(own) = the_one(&stamped, remembered, &derived) else {
            let names = stamped.iter().map(|own| own.live.name.clone()).collect();
            rebuilt.doubtful.push(Doubtful { object, names });
            continue;
        };
        let record = own.record(derived.uuid);
        if remembered != Some(&record) {
            rebuilt.changes.push(RecordChange { object, record: Some(Arc::new(record)) });
        }
    }
    rebuilt
}

/// An object with a stamp of ours.
#[derive(Clone, Copy)]
struct Stamped<'a> {
    live: &'a ObservedObject,
    stamp: &'a Stamp,
}

impl Stamped<'_> {
    /// The record that it stands for; `uuid` where its host knows none.
    fn record(&self, uuid: Uuid) -> Record {
        let uuid = self.live.uuid.unwrap_or(uuid);
        Record {
            kind: self.live.kind.clone(),
            identity: Identity { uuid, name: self.live.name.clone() },
            attributes: Arc::new(set(&self.live.persistent())),
            stamp: self.stamp.clone(),
        }
    }
}

/// What an object is, if it is ours.
fn ours<'a>(
    live: &'a ObservedObject,
    host: &Address,
    deployment: &Deployment,
) -> Option<(ObjectId, &'a Stamp)> {
    let is_ours = |stamp: &&Stamp| stamp.deployment == deployment.id && !live.is_unfinished();
    let stamp = live.stamp.as_ref().filter(is_ours)?;
    let (address, incarnation) = (stamp.address.clone(), stamp.incarnation);
    Some((ObjectId { address, host: host.clone(), incarnation }, stamp))
}

/// The identity that an object is created with.
fn derived(
    object: &ObjectId,
    stamped: &[Stamped<'_>],
    deployment: &Deployment,
    catalog: &Catalog,
) -> Identity {
    let kind = stamped.first().and_then(|own| catalog.get(&own.live.kind));
    Identity::derive(deployment, object, kind.is_some_and(|kind| kind.role == Role::PerHost))
}

/// Which of several objects with one stamp is meant, as the planner sees it: the one that is
/// remembered, else the one that was made under that stamp. A copy has another UUID.
fn the_one<'a>(
    stamped: &[Stamped<'a>],
    remembered: Option<&Record>,
    derived: &Identity,
) -> Option<Stamped<'a>> {
    if let [only] = stamped {
        return Some(*only);
    }
    let remembered = remembered.map(|record| &record.identity);
    remembered.into_iter().chain([derived]).find_map(|identity| {
        stamped.iter().find(|own| own.live.is(&own.live.kind, identity)).copied()
    })
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
