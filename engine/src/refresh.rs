//! Takes what is observed for what was applied: records change, nothing on a host does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::{Address, HostObservation, ObservedObject, ObservedState, Record, State, Value};
use tcloud_state::{Body, End, EndStatus, RecordChange, Scope, Why};

use crate::found::Found;
use crate::hold::{self, HoldError};
use crate::run::{Control, Parts, RunInfo};

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

/// Writes changed records under leases on their scopes.
pub(crate) async fn change_records(
    parts: &Parts,
    why: Why,
    changes: Vec<RecordChange>,
    run: &RunInfo,
    control: &Control,
) -> Result<(), HoldError> {
    if changes.is_empty() {
        return Ok(());
    }
    let scope = |change: &RecordChange| Scope::of(&change.object.address);
    let scopes: BTreeSet<Scope> = changes.iter().map(scope).collect();
    let mut held = hold::hold(parts, scopes, run, control).await?;
    let done = changes.len() as u64;
    let mut entries = Vec::new();
    for of_scope in by_scope(changes) {
        let Some(first) = of_scope.first() else { continue };
        let body = Body::Records { why, changes: of_scope.clone() };
        entries.push((scope(first), held.entry(body)));
    }
    if let Err(error) = held.append(entries).await {
        held.give_up().await;
        return Err(error.into());
    }
    let status = EndStatus::Succeeded;
    held.end(End { status, done, failed: 0, skipped: 0, unknown: 0 }).await?;
    Ok(())
}

/// The changes of each scope, in pieces that fit into an entry.
fn by_scope(changes: Vec<RecordChange>) -> Vec<Vec<RecordChange>> {
    const PIECE: usize = 500;
    let mut scopes = BTreeMap::<Scope, Vec<RecordChange>>::new();
    for change in changes {
        scopes.entry(Scope::of(&change.object.address)).or_default().push(change);
    }
    scopes
        .into_values()
        .flat_map(|changes| changes.chunks(PIECE).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect()
}
