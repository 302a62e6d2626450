//! Whether the world is still what the plan expects. Only the objects that the plan touches count:
//! two plans about different objects can both be applied, in either order.

use std::collections::{BTreeMap, BTreeSet};

use tcloud_model::{
    Address, Moment, ObjectId, ObservedObject, ObservedState, OperationKind, Timestamp,
};
use tcloud_planner::plan::{Change, Expectation, Plan, Step};

use crate::contract::first_difference;
use crate::event::SkipReason;
use crate::found::Found;

/// An object that changed since the plan was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleObject {
    /// The object.
    pub object: ObjectId,
    /// What changed, in words.
    pub changed: String,
}

/// What the comparison found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// What changed since the plan was made, in the order of the plan.
    pub(crate) stale: Vec<StaleObject>,
    /// Hosts that did not answer, and why: nothing can be said about their objects.
    pub(crate) silent: BTreeMap<Address, String>,
}

/// The host that a step is about, also when it asks nobody there.
pub(crate) fn host_of(step: &Step) -> Option<&Address> {
    object_of(step).map(|object| &object.host)
}

fn object_of(step: &Step) -> Option<&ObjectId> {
    let asked = step.operation.as_ref().map(|operation| &operation.object);
    asked.or_else(|| step.records.first().map(|(object, _)| object))
}

/// The hosts that the plan has to find as it expects them.
pub(crate) fn hosts_of(plan: &Plan) -> Vec<Address> {
    let hosts: BTreeSet<&Address> = plan.steps.iter().filter_map(host_of).collect();
    hosts.into_iter().cloned().collect()
}

/// Compares what every step expects with what is observed now.
pub(crate) fn check(plan: &Plan, observed: &ObservedState, now: Timestamp) -> Checked {
    let mut checked = Checked::default();
    let mut found = BTreeMap::new();
    for host in &observed.hosts {
        if host.facts.is_none() {
            checked.silent.insert(host.host.clone(), host.problems.join("; "));
        } else {
            found.insert(&host.host, (Found::new(&host.objects), host.problems.is_empty()));
        }
    }
    for step in &plan.steps {
        let Some(object) = object_of(step) else { continue };
        if let Some(until) = closed(plan, step, now) {
            let changed = SkipReason::Closed(until.clone()).to_string();
            checked.stale.push(StaleObject { object: object.clone(), changed });
            continue;
        }
        let Some((found, is_whole)) = found.get(&object.host) else { continue };
        if let Some(changed) = changed(plan, step, found, *is_whole) {
            checked.stale.push(StaleObject { object: object.clone(), changed });
        }
    }
    checked
}

/// When the window closed in which the step stops its guest, if it has.
pub(crate) fn closed<'p>(plan: &'p Plan, step: &Step, now: Timestamp) -> Option<&'p Moment> {
    plan.closes(step).filter(|until| until.time() <= now)
}

/// How what a step is about differs from what the plan saw. A host that is not read as a `whole` cannot
/// tell that something is gone.
fn changed(plan: &Plan, step: &Step, found: &Found<'_>, whole: bool) -> Option<String> {
    let asked = step.operation.as_ref().map(|operation| (&operation.kind, &operation.identity));
    // A step that only writes a record writes what was seen: it must still be there, and a record
    // that goes must be one of nothing.
    let written = step.records.iter().find_map(|(_, record)| record.as_ref());
    let written = written.map(|record| (&record.kind, &record.identity));
    let Some((kind, identity)) = asked.or(written) else {
        let (object, _) = step.records.first()?;
        let is_back = found.carries_stamp(plan.deployment.id, object);
        return (step.expects == Expectation::Absent && is_back)
            .then(|| "it exists again".to_owned());
    };
    match step.expects {
        Expectation::Earlier => None,
        Expectation::Absent => {
            let object = found.in_the_way(kind, identity).filter(|own| !own.is_unfinished())?;
            let name = object.name.escape_debug();
            Some(format!("a {kind} \"{name}\" exists now, which did not when the plan was made"))
        }
        Expectation::Present(digest) => match found.known_as(kind, identity) {
            None if whole => Some("it is gone".to_owned()),
            None => Some("it could not be read".to_owned()),
            Some(object) if object.digest() == digest => None,
            Some(object) => {
                let change = plan.changes.get(step.change as usize);
                Some(difference(step, change, object))
            }
        },
    }
}

/// What differs from what the plan saw, as far as the plan tells what it saw: the values before its
/// changes, and those that it does not change.
fn difference(step: &Step, change: Option<&Change>, object: &ObservedObject) -> String {
    let attributes = &object.attributes;
    for changed in change.map_or(&[][..], |change| &change.attributes) {
        let [tcloud_model::PathStep::Field(name)] = &changed.path.0[..] else { continue };
        if let (Some(before), Some(now)) = (&changed.before, attributes.get(name))
            && before != now
        {
            return format!("{name} is {now} now, and was {before} when the plan was made");
        }
    }
    if let Some(operation) = &step.operation
        && let OperationKind::Update { attributes: planned, changed, .. } = &operation.action
    {
        let mut kept = (**planned).clone();
        changed.iter().filter_map(|path| path.first()).for_each(|name| {
            kept.remove(name);
        });
        if let Some(difference) = first_difference(&operation.references, &kept, attributes) {
            let (path, now, before) = (difference.path, difference.answered, difference.planned);
            return format!("{path} is {now} now, and was {before} when the plan was made");
        }
    }
    "it was changed after the plan was made".to_owned()
}
