//! Finds out what became of an operation by looking at its object, under the identity that was
//! known before. Used when a call failed, and by recovery; it changes nothing.

use std::sync::Arc;
use std::time::Duration;

use tcloud_model::{
    Fields, Identity, Name, ObjectId, ObservedObject, Operation, OperationKind, Record, Stamp,
    Value,
};
use tcloud_provider::ProviderError;
use tcloud_state::RecordChange;

use crate::contract;
use crate::hosts::Hosts;

/// What became of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Settled {
    /// Everything is as planned.
    Done,
    /// It is not, or only in part.
    NotDone {
        /// What was found, in words.
        found: String,
        /// What is to be remembered instead of what was planned.
        records: Vec<RecordChange>,
    },
}

/// Looks at what an operation was about.
pub(crate) async fn settle(
    hosts: &Hosts,
    within: Duration,
    operation: &Operation,
    planned: &[RecordChange],
) -> Result<Settled, ProviderError> {
    if let OperationKind::Migrate { .. } = operation.action {
        return settle_migration(hosts, within, operation, planned).await;
    }
    let found = look(hosts, within, operation).await?;
    Ok(judge(operation, found.as_ref()))
}

/// The object of an operation, as it is now.
pub(crate) async fn look(
    hosts: &Hosts,
    within: Duration,
    operation: &Operation,
) -> Result<Option<ObservedObject>, ProviderError> {
    let answer = async { hosts.reach(&operation.object.host).await?.look(operation).await };
    match tokio::time::timeout(within, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            let seconds = within.as_secs();
            Err(ProviderError::unknown(format!("no answer within {seconds} s")))
        }
    }
}

/// What an object says about the operation that it was the object of.
pub(crate) fn judge(operation: &Operation, found: Option<&ObservedObject>) -> Settled {
    let difference = match contract::check(operation, found) {
        Ok(()) => return Settled::Done,
        Err(mismatch) => mismatch.message,
    };
    let records = match (&operation.action, found) {
        // Whatever carries our stamp is ours and has to be remembered, finished or not.
        (
            OperationKind::Create { stamp, .. } | OperationKind::Stamp { stamp, .. },
            Some(object),
        ) if carries(object, stamp) && object.is(&operation.kind, &operation.identity) => {
            vec![as_found(operation, object)]
        }
        // An update that did not get as far as the stamp leaves the old record true enough: what it
        // did change shows as drift.
        (OperationKind::Update { stamp, .. }, Some(object))
            if object.stamp.as_ref() == Some(stamp) =>
        {
            vec![as_found(operation, object)]
        }
        _ => Vec::new(),
    };
    Settled::NotDone { found: difference, records }
}

/// Whether the object carries the stamp, perhaps of other content.
pub(crate) fn carries(object: &ObservedObject, stamp: &Stamp) -> bool {
    object.stamp.as_ref().is_some_and(|own| {
        own.deployment == stamp.deployment
            && own.address == stamp.address
            && own.incarnation == stamp.incarnation
    })
}

/// The record of an object that is otherwise than planned: what was planned and found. What could
/// not be read, or is secret, may not have been applied, and is applied again by the next plan.
pub(crate) fn as_found(operation: &Operation, object: &ObservedObject) -> RecordChange {
    let attributes = match operation.action.attributes() {
        Some(planned) => Arc::new(found_of(planned, &object.persistent())),
        None => object.persistent(),
    };
    let record = object.stamp.clone().map(|stamp| {
        let (kind, identity) = (operation.kind.clone(), operation.identity.clone());
        Arc::new(Record { kind, identity, attributes, stamp })
    });
    RecordChange { object: operation.object.clone(), record }
}

/// The planned attributes with the values that were found.
fn found_of(planned: &Fields, found: &Fields) -> Fields {
    let value = |name: &Name, planned: &Value| match (planned, found.get(name)?) {
        (Value::Secret(_), _) | (_, Value::None) => None,
        (Value::Map(planned), Value::Map(found)) => Some(Value::map(found_of(planned, found))),
        (_, found) => Some(found.clone()),
    };
    planned
        .iter()
        .filter_map(|(name, planned)| Some((name.clone(), value(name, planned)?)))
        .collect()
}

/// A migration is about several objects on two hosts: each record that it would write or remove is
/// looked at by itself.
async fn settle_migration(
    hosts: &Hosts,
    within: Duration,
    operation: &Operation,
    planned: &[RecordChange],
) -> Result<Settled, ProviderError> {
    let mut records = Vec::new();
    let mut missing = Vec::new();
    for change in planned {
        let Some((kind, identity)) = known_as(operation, change) else { continue };
        let object = change.object.clone();
        let at = |action| Operation {
            object: object.clone(),
            kind: kind.clone(),
            identity: identity.clone(),
            action,
            references: operation.references.clone(),
        };
        match &change.record {
            Some(record) => {
                let (attributes, stamp) = (Arc::clone(&record.attributes), record.stamp.clone());
                let wanted = at(OperationKind::Create { attributes, stamp });
                match judge(&wanted, look(hosts, within, &wanted).await?.as_ref()) {
                    Settled::Done => records.push(change.clone()),
                    Settled::NotDone { found, records: instead } => {
                        missing.push(format!("{object}: {found}"));
                        records.extend(instead);
                    }
                }
            }
            None => {
                let gone = at(OperationKind::Delete);
                match look(hosts, within, &gone).await? {
                    None => records.push(change.clone()),
                    Some(_) => missing.push(format!("{object}: it is still there")),
                }
            }
        }
    }
    match missing.is_empty() {
        true => Ok(Settled::Done),
        false => Ok(Settled::NotDone { found: missing.join("; "), records }),
    }
}

/// How the hypervisor knows the object of a record that a migration changes.
fn known_as(operation: &Operation, change: &RecordChange) -> Option<(Name, Identity)> {
    if let Some(record) = &change.record {
        return Some((record.kind.clone(), record.identity.clone()));
    }
    let of_guest = change.object.address == operation.object.address;
    if of_guest {
        return Some((operation.kind.clone(), operation.identity.clone()));
    }
    let OperationKind::Migrate { volumes, .. } = &operation.action else { return None };
    let same = |object: &ObjectId| *object == change.object;
    let (object, identity) = volumes.iter().find(|(object, _)| same(object))?;
    Some((object.address.kind().clone(), identity.clone()))
}
