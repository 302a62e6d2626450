//! The record brought up to date with what runs; nothing changes on any host.

use std::sync::Arc;

use tcloud_model::{Diagnostic, Fields, Name, Record, Role, Value};

use crate::diff::{Context, Sides, Unread, diff};
use crate::facts::{Facts, Known};
use crate::input::Input;
use crate::plan::{
    Action, AttributeChange, Change, Drift, Expectation, Plan, Reason, Step, StepId,
};
use crate::same::Existing;

static EMPTY: Fields = Fields::EMPTY;

/// A plan whose steps only write records.
pub(crate) fn refresh(input: &Input<'_>) -> Result<Plan, Vec<Diagnostic>> {
    let desired = input.evaluator.desired();
    let facts = Facts::gather(input, desired)?;
    let mut plan = Plan {
        configuration: desired.digest,
        foreign: facts.foreign.len(),
        ..Plan::empty(input.deployment.clone())
    };
    for known in &facts.known {
        if !known.answered {
            let (host, object) = (&known.object.host, &known.object);
            let observed = input.observed.host(host);
            plan.unchecked.push(match observed.is_some_and(|host| host.facts.is_some()) {
                true => format!("{host} could not be read completely, and shows no {object}"),
                false => format!("{host} did not answer: {object}"),
            });
            continue;
        }
        match (known.live, known.record) {
            (None, _) => gone(&mut plan, known),
            (Some(_), Some(record)) => compare(input, &mut plan, known, record),
            (Some(_), None) => {
                let attributes = present(known.found.as_deref().unwrap_or(&EMPTY));
                write(input, &mut plan, known, Vec::new(), Arc::new(attributes));
            }
        }
    }
    Ok(plan)
}

fn gone(plan: &mut Plan, known: &Known<'_>) {
    plan.drift.push(Drift {
        object: known.object.clone(),
        kind: known.kind().clone(),
        attributes: Vec::new(),
        vanished: true,
    });
    let change = change(known, Action::Delete, Reason::Vanished, Vec::new());
    let records = vec![(known.object.clone(), None)];
    push(plan, change, Expectation::Absent, records);
}

fn compare(input: &Input<'_>, plan: &mut Plan, known: &Known<'_>, record: &Record) {
    let Some(schema) = input.catalog.get(known.kind()) else { return };
    let applied = &record.attributes;
    let existing = Existing::new();
    let context = Context {
        existing: &existing,
        ignore: &[],
        unread: Unread::Unset,
        restart_now: false,
        adopted: &|| known.is_made_by_others(input.deployment, schema.role == Role::PerHost),
        released: &|_| false,
    };
    let sides = Sides {
        wanted: Some(applied),
        applied: Some(applied),
        found: known.found.as_deref(),
        pending: known.live.map(|live| &*live.pending).filter(|pending| !pending.is_empty()),
    };
    let drift = diff(schema, sides, &context).drift;
    if drift.is_empty() {
        plan.unchanged += 1;
        return;
    }
    plan.drift.push(Drift {
        object: known.object.clone(),
        kind: known.kind().clone(),
        attributes: drift.clone(),
        vanished: false,
    });
    let found = known.found.as_deref().unwrap_or(&EMPTY);
    write(input, plan, known, drift, Arc::new(refreshed(applied, found)));
}

fn write(
    input: &Input<'_>,
    plan: &mut Plan,
    known: &Known<'_>,
    drift: Vec<AttributeChange>,
    attributes: Arc<Fields>,
) {
    let Some((live, stamp)) = known.live.zip(known.stamp()) else { return };
    let per_host = input.catalog.get(known.kind()).is_some_and(|s| s.role == Role::PerHost);
    let record = Record {
        kind: known.kind().clone(),
        identity: known.identity(input.deployment, per_host),
        attributes,
        stamp: stamp.clone(),
    };
    let change = change(known, Action::Update, Reason::Drift, drift);
    let expects = Expectation::Present(live.digest());
    push(plan, change, expects, vec![(known.object.clone(), Some(Arc::new(record)))]);
}

type Records = Vec<(tcloud_model::ObjectId, Option<Arc<Record>>)>;

fn push(plan: &mut Plan, change: Change, expects: Expectation, records: Records) {
    let next = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (id, index) = (StepId(next(plan.steps.len())), next(plan.changes.len()));
    plan.changes.push(change);
    plan.steps.push(Step {
        id,
        change: index,
        operation: None,
        expects,
        records,
        after: Vec::new(),
    });
}

fn change(
    known: &Known<'_>,
    action: Action,
    reason: Reason,
    attributes: Vec<AttributeChange>,
) -> Change {
    Change {
        object: known.object.clone(),
        kind: known.kind().clone(),
        action,
        impact: tcloud_model::Impact::None,
        waits: false,
        opens: None,
        until: None,
        reason,
        attributes,
        causes: Vec::new(),
        previous_address: None,
        previous_host: None,
        guests: Vec::new(),
        written: None,
    }
}

/// What was applied, with what can be read put in its place.
fn refreshed(applied: &Fields, found: &Fields) -> Fields {
    let value = |name: &Name, own: &Value| match (own, found.get(name)) {
        (_, Some(Value::None)) => None,
        (Value::Map(own), Some(Value::Map(found))) => Some(Value::map(refreshed(own, found))),
        (own, found) => Some(found.unwrap_or(own).clone()),
    };
    let fields = applied.iter();
    fields.filter_map(|(name, own)| Some((name.clone(), value(name, own)?))).collect()
}

fn present(found: &Fields) -> Fields {
    let set = found.iter().filter(|(_, value)| **value != Value::None);
    set.map(|(name, value)| (name.clone(), value.clone())).collect()
}
