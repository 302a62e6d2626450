//! What a person has to agree to, by naming it.

use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::value::human_size;
use tcloud_model::{Address, Impact, Value};

use crate::draft::Draft;
use crate::facts::{Facts, Known};
use crate::input::{Goal, Input};
use crate::layout::Layout;
use crate::plan::{Border, Decision, DecisionKind, Exposure, Place, Reason, Way};

/// The decisions that the drafts need, in their order.
pub(crate) fn decisions(
    input: &Input<'_>,
    facts: &Facts<'_>,
    layout: &Layout<'_>,
    drafts: &[Draft],
) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = Vec::new();
    let mut named: IndexSet<&Address> = IndexSet::new();
    for draft in drafts.iter().filter(|draft| draft.deletes()) {
        let Some(known) = draft.old.and_then(|old| facts.known.get(old)) else { continue };
        let Some(kind) = stake(layout, draft, known) else { continue };
        if !named.insert(&draft.object.address) {
            continue;
        }
        let address = draft.object.address.clone();
        let owners: Vec<Address> = address.tenant().cloned().into_iter().collect();
        let approvers = approvers(input, &owners);
        let mut decision = Decision {
            id: format!("D{}", decisions.len() + 1),
            kind,
            message: message(draft, kind),
            help: help(input, layout, draft, kind),
            agreed: false,
            owners,
            approvers,
            address,
        };
        decision.agreed = input.wishes.allows(&decision) && decision.approvers.is_empty();
        decisions.push(decision);
    }
    decisions
}

/// Adds the decisions about who newly reaches whom: one for each network that is there already and
/// opens to the world or across a border between tenants. What is made has no data and no habits yet;
/// who writes its rules writes all of it, and the plan tells of them as facts.
pub(crate) fn decide_exposure(
    input: &Input<'_>,
    exposure: &mut [Exposure],
    decisions: &mut Vec<Decision>,
) {
    let mut about: IndexMap<Address, Vec<usize>> = IndexMap::new();
    for (index, own) in exposure.iter().enumerate() {
        let opens = own.way == Way::Opens && !own.created && own.border != Border::None;
        let (Place::Network(address) | Place::Guest(address)) = &own.to.place else { continue };
        if opens {
            about.entry(address.clone()).or_default().push(index);
        }
    }
    for (address, lines) in about {
        let id = format!("D{}", decisions.len() + 1);
        let mut owners: Vec<Address> = Vec::new();
        for line in &lines {
            let own = &mut exposure[*line];
            own.decision = Some(id.clone());
            owners.extend(own.from.tenants.iter().chain(&own.to.tenants).cloned());
        }
        owners.sort();
        owners.dedup();
        let first = lines.first().map(|line| exposure[*line].sentence()).unwrap_or_default();
        let message = match lines.len() {
            0 | 1 => first,
            more => format!("{first}, and {} more openings there", more - 1),
        };
        let approvers = approvers(input, &owners);
        let allowed = input.wishes.allow_exposure.contains(&address);
        decisions.push(Decision {
            id,
            kind: DecisionKind::Exposure,
            help: "undo the change that opens it".to_owned(),
            message,
            owners,
            agreed: allowed && approvers.is_empty(),
            approvers,
            address,
        });
    }
}

/// Whose signatures the owners ask for.
fn approvers(input: &Input<'_>, owners: &[Address]) -> Vec<String> {
    let resources = &input.evaluator.desired().resources;
    let declared = owners.iter().filter_map(|owner| resources.get(owner));
    let named = declared.filter_map(|tenant| match tenant.attributes.get("approvers") {
        Some(Value::List(names)) => Some(names),
        _ => None,
    });
    let names: BTreeSet<&str> =
        named.flat_map(|names| names.iter().filter_map(Value::as_text)).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn stake(layout: &Layout<'_>, draft: &Draft, known: &Known<'_>) -> Option<DecisionKind> {
    known.live.filter(|live| !live.is_unfinished())?;
    if draft.impact == Impact::RecreateLose {
        return Some(DecisionKind::DataLoss);
    }
    // A host that no longer needs a network loses its copy; the network stays.
    if draft.reason == Reason::Placement {
        return None;
    }
    let protected = match layout.wanted.get(&draft.object.address) {
        Some(wanted) => wanted.protect,
        None => {
            let stamped = known.stamp().is_some_and(|stamp| stamp.protect);
            stamped || known.record.is_some_and(|record| record.stamp.protect)
        }
    };
    protected.then_some(DecisionKind::Protected)
}

fn message(draft: &Draft, kind: DecisionKind) -> String {
    let address = &draft.object.address;
    let verb = if draft.replaces() { "made anew" } else { "deleted" };
    let what = format!("{} `{}` would be {verb}", address.kind(), address.last_name());
    match (kind, draft.written) {
        (DecisionKind::DataLoss, Some(bytes)) => {
            format!("{what}, and {} of data with it", human_size(bytes))
        }
        (DecisionKind::DataLoss, None) => format!("{what}, and its data with it"),
        _ => format!("{what}, and it is protected"),
    }
}

/// What else can be done than to agree. How to agree, every view says itself.
fn help(input: &Input<'_>, layout: &Layout<'_>, draft: &Draft, kind: DecisionKind) -> String {
    let address = &draft.object.address;
    let declared = layout.wanted.contains_key(address);
    if draft.replaces() {
        return "undo the change that makes it anew".to_owned();
    }
    if declared && input.wishes.goal == Goal::Destroy {
        return format!("to keep it, pass `--exclude {address}`");
    }
    if draft.reason == Reason::Leftover {
        return "it is left from a replacement; agree when it is not needed".to_owned();
    }
    let unprotect = match kind {
        DecisionKind::Protected => ", or declare it with `protect = false` first",
        _ => "",
    };
    // A disk keeps its data when its guest is renamed with it.
    let owner =
        address.parent().filter(|own| own.kind() == "vm" && !layout.wanted.contains_key(*own));
    let renamed = owner.unwrap_or(address);
    format!(
        "if it was renamed, write `moved {renamed} -> …`; to keep it without tcloud, \
         `forget {address}`{unprotect}"
    )
}
