//! One change as an element of `resource_changes`.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tcloud_model::{Address, Catalog, Fields, Impact, ObjectId, PathStep, Position};
use tcloud_planner::Plan;
use tcloud_planner::plan::{Action, AttributeChange, Change, Drift, GuestImpact, Reason};

use super::address::Resource;
use super::modules::PROVIDER;
use super::value::{plain, sensitive};
use crate::format::Report;
use crate::json::reason_word;
use crate::text;

/// A change with the resource before and after it; `None` where it is not there.
pub(super) struct Sides<'a> {
    pub(super) change: &'a Change,
    pub(super) resource: Resource,
    /// What it notices, for a guest that runs.
    guest: Option<&'a GuestImpact>,
    pub(super) before: Option<Fields>,
    pub(super) after: Option<Fields>,
}

/// Every change with its sides.
pub(super) fn sides<'a>(plan: &'a Plan, catalog: &Catalog) -> Vec<Sides<'a>> {
    let mut records: Vec<Option<&Fields>> = vec![None; plan.changes.len()];
    for step in &plan.steps {
        let number = step.change as usize;
        let Some(change) = plan.changes.get(number) else { continue };
        let own = step.records.iter().find(|(object, _)| *object == change.object);
        if let Some((_, Some(record))) = own {
            records[number] = Some(&record.attributes);
        }
    }
    let guests: BTreeMap<&Address, &GuestImpact> =
        plan.guests.iter().map(|own| (&own.guest, own)).collect();
    let all = plan.changes.iter().zip(records).map(|(change, record)| {
        let guest = guests.get(&change.object.address).copied();
        Sides { guest, ..Sides::of(change, record, catalog) }
    });
    all.collect()
}

impl<'a> Sides<'a> {
    /// The plan has what is recorded afterwards, and what differs. Of what goes it has only that.
    fn of(change: &'a Change, record: Option<&Fields>, catalog: &Catalog) -> Sides<'a> {
        let recorded = record.cloned().unwrap_or_default();
        let (mut before, mut after) = (recorded.clone(), recorded);
        for attribute in &change.attributes {
            let path = attribute.path.names();
            before.put(&path, attribute.before.clone());
            after.put(&path, attribute.after.clone());
        }
        Sides {
            change,
            resource: Resource::of(&change.object, catalog),
            guest: None,
            before: (change.action != Action::Create).then_some(before),
            after: (!matches!(change.action, Action::Delete | Action::Forget)).then_some(after),
        }
    }
}

/// The element.
pub(super) fn element(sides: &Sides<'_>, report: &Report<'_>, catalog: &Catalog) -> Json {
    let change = sides.change;
    let mut inner = both(actions(change.deed()), sides.before.as_ref(), sides.after.as_ref());
    let replaced = matches!(change.action, Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst);
    if replaced {
        let costly = change.attributes.iter().filter(|own| own.impact.is_replacement());
        inner["replace_paths"] = costly.map(path).collect();
    }
    if change.action == Action::Adopt {
        inner["importing"] = json!({ "id": change.object.to_string() });
    }
    let mut element = named(&sides.resource);
    element["change"] = inner;
    if let Some(reason) = action_reason(change, replaced) {
        element["action_reason"] = json!(reason);
    }
    if change.reason == Reason::Leftover {
        element["deposed"] = json!(format!("{:08x}", change.object.incarnation));
    }
    if let Some(previous) = &change.previous_address {
        let object = ObjectId { address: previous.clone(), ..change.object.clone() };
        element["previous_address"] = json!(Resource::of(&object, catalog).address());
    }
    element["tcloud"] = own(sides, report);
    element
}

/// What was changed by hand, as an element of `resource_drift`.
pub(super) fn drift(drift: &Drift, catalog: &Catalog) -> Json {
    let (mut before, mut after) = (Fields::new(), Fields::new());
    for attribute in &drift.attributes {
        before.put(&attribute.path.names(), attribute.before.clone());
        after.put(&attribute.path.names(), attribute.after.clone());
    }
    let (actions, after): (&[&str], _) =
        if drift.vanished { (&["delete"], None) } else { (&["update"], Some(&after)) };
    let mut element = named(&Resource::of(&drift.object, catalog));
    element["change"] = both(actions, Some(&before), after);
    element
}

fn named(resource: &Resource) -> Json {
    let mut element = json!({
        "address": resource.address(),
        "mode": "managed",
        "type": resource.kind,
        "name": resource.name,
        "provider_name": PROVIDER,
    });
    if let Some(module) = resource.module() {
        element["module_address"] = json!(module);
    }
    if let Some(index) = &resource.index {
        element["index"] = index.clone();
    }
    element
}

/// Both sides are always there: readers take them without asking.
fn both(actions: &[&str], before: Option<&Fields>, after: Option<&Fields>) -> Json {
    let secret = |side: Option<&Fields>| side.map_or(Json::Bool(false), sensitive);
    json!({
        "actions": actions,
        "before": before.map(plain),
        "after": after.map(plain),
        "after_unknown": if after.is_some() { json!({}) } else { json!(false) },
        "before_sensitive": secret(before),
        "after_sensitive": secret(after),
    })
}

fn actions(action: Action) -> &'static [&'static str] {
    match action {
        Action::Create => &["create"],
        Action::Update | Action::Migrate => &["update"],
        Action::Delete => &["delete"],
        Action::ReplaceDeleteFirst => &["delete", "create"],
        Action::ReplaceCreateFirst => &["create", "delete"],
        Action::Adopt | Action::Move => &["no-op"],
        Action::Forget => &["forget"],
    }
}

fn action_reason(change: &Change, replaced: bool) -> Option<&'static str> {
    match change.reason {
        Reason::Removed => Some("delete_because_no_resource_config"),
        Reason::Requested => Some("replace_by_request"),
        Reason::ReplaceWhen => Some("replace_by_triggers"),
        _ if replaced => Some("replace_because_cannot_update"),
        _ => None,
    }
}

fn path(attribute: &AttributeChange) -> Json {
    let steps = attribute.path.0.iter().map(|step| match step {
        PathStep::Field(name) => json!(text::clean(name)),
        PathStep::Index(index) => json!(index),
    });
    steps.collect()
}

/// What Terraform has no word for.
fn own(sides: &Sides<'_>, report: &Report<'_>) -> Json {
    let change = sides.change;
    let place = |at: &Position, attribute: Option<String>| {
        let mut place = json!({
            "file": report.origin.path(at),
            "line": at.line,
            "column": at.column,
        });
        if let Some(attribute) = attribute {
            place["attribute"] = json!(attribute);
        }
        place
    };
    let attributes = change.attributes.iter().flat_map(|own| {
        let name = text::clean(&own.path.to_string());
        own.causes.iter().map(move |at| place(at, Some(name.clone())))
    });
    let mut source: Vec<Json> = attributes.collect();
    if source.is_empty() {
        source.extend(change.causes.iter().map(|at| place(at, None)));
    }
    let mut own = json!({
        "address": change.object.address,
        "kind": change.kind,
        "tenant": change.object.address.tenant(),
        "host": change.object.host,
        "action": change.action,
        "disruption": change.impact,
        "waits": change.waits,
        "reason": reason_word(&change.reason),
        "guests": change.guests,
        "text": text::change(change),
        "source": source,
    });
    let line = change.causes.first().and_then(|at| Some((at, report.origin.author(at)?)));
    if let Some((at, author)) = line {
        own["caused_by"] = json!([{
            "file": report.origin.path(at),
            "line": at.line,
            "commit": author.commit,
            "author": text::clean(&author.name),
        }]);
    }
    if let Some(guest) = sides.guest {
        own["interruption"] = json!(guest.interruption);
        own["address_changes"] = json!(guest.addresses);
    }
    if change.impact == Impact::RecreateLose {
        own["data_loss"] = json!({ "bytes_written": change.written });
    }
    own
}
