//! Takes what is observed for what was applied: records change, nothing on a host does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::{
    Address, HostObservation, ObjectId, ObservedObject, ObservedState, Record, State, Value,
};
use tcloud_state::{Body, EndStatus, OpenIntent, RecordChange, Scope, Selection, Why};

use crate::found::Found;
use crate::hold::{self, Held, HoldError, ended};
use crate::run::{Control, Parts, RunInfo, Stop};
use crate::{observe, recover};

/// What has to be written and removed so that drift counts as applied. Records whose host did not
/// answer stay as they are; so do attributes that were never applied or could not be read.
pub fn refresh(known: &State, observed: &ObservedState) -> Vec<RecordChange> {
    let mut changes = Vec::new();
    let hosts = observed.hosts.iter().filter(|host| host.facts.is_some());
    let hosts: BTreeMap<&Address, (&HostObservation, Found<'_>)> =
        hosts.map(|host| (&host.host, (host, Found::new(&host.objects)))).collect();
    for (object, record) in &known.records {
        let Some((host, found)) = hosts.get(&object.host) else { continue };
        let found = found.known_as(&record.kind, &record.identity).filter(|found| {
            found.stamp.as_ref().is_some_and(|own| own.deployment == record.stamp.deployment)
        });
        match found {
            Some(found) => changes.extend(refreshed(record, found).map(|record| RecordChange {
                object: object.clone(),
                record: Some(Arc::new(record)),
            })),
            None if host.problems.is_empty() => {
                changes.push(RecordChange { object: object.clone(), record: None });
            }
            None => {}
        }
    }
    changes
}

/// What is remembered on hosts that could not read everything, and is not among what they show: it may
/// be there or gone, and nothing about it can be planned.
pub fn unseen(known: &State, observed: &ObservedState) -> Vec<ObjectId> {
    let partly_read =
        observed.hosts.iter().filter(|host| host.facts.is_some() && !host.problems.is_empty());
    let hosts: BTreeMap<&Address, Found<'_>> =
        partly_read.map(|host| (&host.host, Found::new(&host.objects))).collect();
    if hosts.is_empty() {
        return Vec::new();
    }
    let is_unseen = |object: &ObjectId, record: &Record| {
        let found = hosts.get(&object.host);
        found.is_some_and(|found| found.known_as(&record.kind, &record.identity).is_none())
    };
    let unseen = known.records.iter().filter(|(object, record)| is_unseen(object, record));
    unseen.map(|(object, _)| object.clone()).collect()
}

/// The record with the observed values of what was applied; `None` when nothing differs.
fn refreshed(record: &Record, found: &ObservedObject) -> Option<Record> {
    let observed = found.persistent();
    let mut attributes = (*record.attributes).clone();
    for (name, applied) in record.attributes.iter() {
        match (applied, observed.get(name)) {
            (Value::Secret(_), _) | (_, None) => {}
            (_, Some(Value::None)) => {
                attributes.remove(name);
            }
            (_, Some(now)) => {
                attributes.insert(name.clone(), now.clone());
            }
        }
    }
    let stamp = found.stamp.clone().unwrap_or_else(|| record.stamp.clone());
    let new = Record { attributes: Arc::new(attributes), stamp, ..record.clone() };
    (new != *record).then_some(new)
}

/// Which records have to change, by what is remembered and what runs.
pub type Decide<'a> = &'a (dyn Fn(&State, &ObservedState) -> Vec<RecordChange> + Sync);

/// What is to be changed of what is remembered.
#[derive(Clone, Copy)]
pub struct Edit<'a> {
    /// Why, for the journal.
    pub why: Why,
    /// The records that were told to change, and agreed to.
    pub agreed: &'a [RecordChange],
    /// What was agreed to be dropped of what earlier runs left open. Nobody looks at it, so that this also
    /// works where its host is gone.
    pub open: &'a [(Scope, OpenIntent)],
    /// Which records it is under the leases.
    pub decide: Decide<'a>,
}

impl<'a> Edit<'a> {
    /// One of records alone.
    pub fn new(why: Why, agreed: &'a [RecordChange], decide: Decide<'a>) -> Edit<'a> {
        Edit { why, agreed, open: &[], decide }
    }
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// What was written and removed.
    pub records: Vec<RecordChange>,
    /// How much of what was open was dropped.
    pub dropped: usize,
    /// What ran then, by which it was decided.
    pub observed: ObservedState,
}

/// Why records were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The leases could not be had, or the store failed.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// More would be removed than was agreed to. Nothing was changed.
    #[error("somebody else changed what is remembered meanwhile, and nothing was written")]
    Stale,
}

/// Changes records, and drops what is open, under leases on their scopes. What was `agreed` to was worked
/// out before the leases were held, so it is decided once more.
pub(crate) async fn edit(
    parts: &Parts,
    edit: Edit<'_>,
    run: &RunInfo,
    control: &Control,
) -> Result<Changed, ChangeError> {
    let Edit { why, agreed, open, decide } = edit;
    if agreed.is_empty() && open.is_empty() {
        return Ok(Changed::default());
    }
    let open_scopes = open.iter().flat_map(|(_, open)| recover::scopes_of(open));
    let scopes: BTreeSet<Scope> = agreed.iter().map(scope).chain(open_scopes).collect();
    let held = hold::hold(parts, scopes, run, control).await?;
    let work = async |held: &mut Held| {
        let changed = decide_again(parts, agreed, decide, held).await?;
        let dropped = recover::drop_open(parts, held, open).await.map_err(HoldError::from)?;
        Ok::<_, ChangeError>((changed, dropped))
    };
    let (mut held, (mut changed, mut entries)) =
        held.unless_stopped(Stop::No, control, work).await?;
    changed.dropped = entries.len();
    for of_scope in by_scope(&changed.records) {
        let Some(first) = of_scope.first() else { continue };
        let body = Body::Records { why, changes: of_scope.clone() };
        entries.push((scope(first), held.entry(body)));
    }
    if let Err(error) = held.append(entries).await {
        held.give_up().await;
        return Err(HoldError::from(error).into());
    }
    let done = (changed.records.len() + changed.dropped) as u64;
    held.end(ended(EndStatus::Succeeded, done)).await.map_err(HoldError::from)?;
    Ok(changed)
}

/// What is to be changed now that nobody else changes anything.
async fn decide_again(
    parts: &Parts,
    agreed: &[RecordChange],
    decide: Decide<'_>,
    held: &Held,
) -> Result<Changed, ChangeError> {
    let scopes = Selection::Only(held.writer.scopes().cloned().collect());
    let loaded = parts.store.load(&scopes).await.map_err(HoldError::from)?;
    let observed = observe::observe(&parts.hosts, parts.hosts.addresses(), &parts.limits).await;
    let mut records = decide(&loaded.state, &observed);
    records.retain(|change| held.writer.holds(&scope(change)));
    let removed = |change: &&RecordChange| change.record.is_none();
    let agreed: BTreeSet<&ObjectId> =
        agreed.iter().filter(removed).map(|change| &change.object).collect();
    match records.iter().filter(removed).all(|change| agreed.contains(&change.object)) {
        true => Ok(Changed { records, dropped: 0, observed }),
        false => Err(ChangeError::Stale),
    }
}

fn scope(change: &RecordChange) -> Scope {
    Scope::of(&change.object.address)
}

/// The changes of each scope, in pieces that fit into an entry.
fn by_scope(changes: &[RecordChange]) -> Vec<Vec<RecordChange>> {
    const PIECE: usize = 500;
    let mut scopes = BTreeMap::<Scope, Vec<RecordChange>>::new();
    for change in changes {
        scopes.entry(scope(change)).or_default().push(change.clone());
    }
    scopes
        .into_values()
        .flat_map(|changes| changes.chunks(PIECE).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect()
}
