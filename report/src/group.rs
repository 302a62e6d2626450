//! Equal changes as one, the worst first: "the same change of 37 VMs".

use indexmap::IndexMap;
use tcloud_model::{Address, Impact, Moment, Name, Timestamp, Value};
use tcloud_planner::Plan;
use tcloud_planner::plan::{Action, AttributeChange, Change, Reason};

use crate::text::{self, Effect, clean};

/// Changes that are the same but for what they happen to.
pub(crate) struct Group<'a> {
    /// At least one, in the order of the plan.
    pub(crate) changes: Vec<&'a Change>,
    /// The attributes that differ, the same for all.
    pub(crate) lines: Vec<Line>,
}

/// One attribute that differs.
pub(crate) struct Line {
    pub(crate) path: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) impact: Impact,
    /// Whether the difference was made by hand.
    pub(crate) drift: bool,
    /// Whether it waits since a running guest has no free slot for it.
    pub(crate) no_room: bool,
}

/// What makes changes equal.
#[derive(PartialEq, Eq, Hash)]
struct Sameness<'a> {
    effect: Effect,
    tenant: Option<&'a Address>,
    kind: &'a Name,
    action: Action,
    impact: Impact,
    waits: bool,
    window: [Option<Timestamp>; 2],
    follows: Option<&'a Address>,
    /// Paths and values as they are, and not as they are shown: close is not equal.
    values: Vec<String>,
}

impl<'a> Group<'a> {
    /// All changes of a plan.
    pub(crate) fn all(plan: &'a Plan) -> Vec<Group<'a>> {
        let mut groups: IndexMap<Sameness<'a>, Vec<&'a Change>> = IndexMap::new();
        for change in &plan.changes {
            groups.entry(Sameness::of(change)).or_default().push(change);
        }
        groups.sort_by(|a, _, b, _| a.effect.cmp(&b.effect));
        let groups = groups.into_values().map(|changes| {
            let lines = changes[0].attributes.iter().map(Line::of).collect();
            Group { changes, lines }
        });
        groups.collect()
    }

    /// One of the changes, for what they have in common.
    pub(crate) fn example(&self) -> &'a Change {
        self.changes[0]
    }

    /// What they happen to: each address once, though it may be on several hosts.
    pub(crate) fn addresses(&self) -> Vec<&'a Address> {
        let mut addresses: Vec<&Address> =
            self.changes.iter().map(|change| &change.object.address).collect();
        addresses.dedup();
        addresses
    }

    /// Whether a running guest notices, or something is lost.
    pub(crate) fn is_quiet(&self) -> bool {
        self.example().now() <= Some(Impact::LiveGuest)
    }
}

impl<'a> Sameness<'a> {
    fn of(change: &'a Change) -> Sameness<'a> {
        Sameness {
            effect: Effect::of(change),
            tenant: change.object.address.tenant(),
            kind: &change.kind,
            action: change.action,
            impact: change.impact,
            waits: change.waits,
            window: [&change.opens, &change.until].map(|own| own.as_ref().map(Moment::time)),
            follows: match &change.reason {
                Reason::Follows(address) => Some(address),
                _ => None,
            },
            values: change.attributes.iter().map(exactly).collect(),
        }
    }
}

impl Line {
    pub(crate) fn of(attribute: &AttributeChange) -> Line {
        let AttributeChange { path, before, after, impact, drift, no_room, causes: _ } = attribute;
        let mut before_text = before.as_ref().map(text::value);
        let mut after_text = after.as_ref().map(text::value);
        // What looks the same is told in full.
        if before_text == after_text {
            before_text = before.as_ref().map(in_full);
            after_text = after.as_ref().map(in_full);
        }
        Line {
            path: clean(&path.to_string()),
            before: before_text.map(|text| clean(&text)),
            after: after_text.map(|text| clean(&text)),
            impact: *impact,
            drift: *drift,
            no_room: *no_room,
        }
    }
}

fn exactly(attribute: &AttributeChange) -> String {
    let AttributeChange { path, before, after, impact, drift, no_room, causes: _ } = attribute;
    let side = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    format!("{path}\0{}\0{}\0{impact}\0{drift}\0{no_room}", side(before), side(after))
}

/// The most characters of a value that are shown.
const LONGEST: usize = 400;

fn in_full(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
