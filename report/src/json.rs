//! The native plan for programs: one JSON object, described by `schema/plan-view.schema.json`. The
//! order of keys and the bytes are the same for the same plan.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use tcloud_model::value::SecretPart;
use tcloud_model::{
    Address, AttrPath, Deployment, Digest, Fields, Impact, Moment, Name, Output, Position, Value,
};
use tcloud_planner::Plan;
use tcloud_planner::plan::{
    Action, AttributeChange, Change, Decision, DecisionKind, Drift, Exposure, GuestImpact, Pending,
    Reason, Reserve, Usage,
};

use crate::format::About;
use crate::lang::Lang;
use crate::{indented, text};

mod reach;

/// The name and version of the format. A larger number means that a reader has to be changed; new
/// keys may come without one.
pub const FORMAT: &str = "tcloud-plan-view/1";

/// Writes a plan for which every host answered as indented JSON with a newline at its end.
///
/// # Errors
/// The writer's.
pub fn write_plan(plan: &Plan, to: &mut dyn io::Write) -> io::Result<()> {
    write(plan, About::Plan, false, to)
}

/// Writes a plan, or what was changed by hand, as indented JSON with a newline at its end; `silent` when
/// a host did not answer.
///
/// # Errors
/// The writer's.
pub fn write(plan: &Plan, about: About, silent: bool, to: &mut dyn io::Write) -> io::Result<()> {
    indented::write(&PlanView::of(plan, about, silent), to)
}

/// What the command ends with when it is asked by `--exit-code`: 0 nothing to do, 1 a host did not
/// answer, 2 changes, 4 decisions are open.
pub fn exit_code(plan: &Plan, about: About, silent: bool) -> u8 {
    match about {
        _ if silent => 1,
        About::Drift if plan.drift.is_empty() => 0,
        About::Drift => 2,
        About::Plan if plan.needs_decision() => 4,
        About::Plan if plan.is_empty() => 0,
        About::Plan => 2,
    }
}

#[derive(Serialize)]
struct PlanView<'a> {
    format: &'static str,
    deployment: &'a Deployment,
    configuration: Option<Digest>,
    headline: String,
    exit_code: u8,
    summary: SummaryView,
    decisions: Each<'a, Decision>,
    guests: Each<'a, GuestImpact>,
    exposure: Each<'a, Exposure>,
    changes: Changes<'a>,
    drift: Each<'a, Drift>,
    pending: Each<'a, Pending>,
    usage: Each<'a, Usage>,
    reserves: Each<'a, Reserve>,
    outputs: Each<'a, Output>,
    unchecked: Vec<String>,
}

#[derive(Serialize)]
struct SummaryView {
    changes: usize,
    steps: usize,
    actions: BTreeMap<Action, usize>,
    impacts: BTreeMap<Impact, usize>,
    unchanged: usize,
    left_out: usize,
    foreign: usize,
}

impl<'a> PlanView<'a> {
    fn of(plan: &'a Plan, about: About, silent: bool) -> PlanView<'a> {
        let Plan {
            deployment,
            configuration,
            changes,
            drift,
            decisions,
            guests,
            exposure,
            steps,
            usage,
            reserves,
            pending,
            outputs,
            unchanged,
            left_out,
            foreign,
            unchecked,
        } = plan;
        let summary = plan.summary();
        PlanView {
            format: FORMAT,
            deployment,
            configuration: *configuration,
            headline: about.headline(Lang::English, plan),
            exit_code: exit_code(plan, about, silent),
            summary: SummaryView {
                changes: changes.len(),
                steps: steps.len(),
                actions: summary.actions,
                impacts: summary.impacts,
                unchanged: *unchanged,
                left_out: *left_out,
                foreign: *foreign,
            },
            decisions: Each(decisions),
            guests: Each(guests),
            exposure: Each(exposure),
            changes: Changes { changes, made: plan.made() },
            drift: Each(drift),
            pending: Each(pending),
            usage: Each(usage),
            reserves: Each(reserves),
            outputs: Each(outputs),
            unchecked: unchecked.iter().map(|words| text::clean(words)).collect(),
        }
    }
}

/// A list whose elements are viewed one at a time while it is written, so that a large plan is
/// never in memory twice.
struct Each<'a, T>(&'a [T]);

impl<T: Viewed> Serialize for Each<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Viewed::view))
    }
}

/// The changes, each with the attributes of what is made.
struct Changes<'a> {
    changes: &'a [Change],
    made: Vec<Option<&'a Fields>>,
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let viewed = self
            .changes
            .iter()
            .zip(&self.made)
            .map(|(change, made)| ChangeView { new: made.map(FieldsView), ..change.view() });
        serializer.collect_seq(viewed)
    }
}

/// Attributes by their names, each as a value is viewed.
struct FieldsView<'a>(&'a Fields);

impl Serialize for FieldsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, ValueView::of(value))))
    }
}

/// What has a form in this format.
trait Viewed {
    type View<'v>: Serialize
    where
        Self: 'v;

    fn view(&self) -> Self::View<'_>;
}

#[derive(Serialize)]
struct ChangeView<'a> {
    address: &'a Address,
    kind: &'a Name,
    tenant: Option<&'a Address>,
    host: &'a Address,
    incarnation: u32,
    action: Action,
    impact: Impact,
    waits: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens: Option<&'a Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<&'a Moment>,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    follows: Option<&'a Address>,
    because: String,
    text: String,
    attributes: Each<'a, AttributeChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<FieldsView<'a>>,
    causes: &'a [Position],
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_address: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_host: Option<&'a Address>,
    guests: &'a [Address],
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<u64>,
}

impl Viewed for Change {
    type View<'v> = ChangeView<'v>;

    fn view(&self) -> ChangeView<'_> {
        let Change {
            object,
            kind,
            action,
            impact,
            waits,
            opens,
            until,
            reason,
            attributes,
            causes,
            previous_address,
            previous_host,
            guests,
            written,
        } = self;
        ChangeView {
            address: &object.address,
            kind,
            tenant: object.address.tenant(),
            host: &object.host,
            incarnation: object.incarnation,
            action: *action,
            impact: *impact,
            waits: *waits,
            opens: opens.as_ref(),
            until: until.as_ref(),
            reason: reason_word(reason),
            follows: match reason {
                Reason::Follows(address) => Some(address),
                _ => None,
            },
            because: text::reason(reason),
            text: text::change(self),
            attributes: Each(attributes),
            new: None,
            causes,
            previous_address: previous_address.as_ref(),
            previous_host: previous_host.as_ref(),
            guests,
            written: *written,
        }
    }
}

/// The word for a reason.
pub(crate) fn reason_word(reason: &Reason) -> &'static str {
    match reason {
        Reason::New => "new",
        Reason::Vanished => "vanished",
        Reason::Text => "text",
        Reason::Drift => "drift",
        Reason::Removed => "removed",
        Reason::Destroy => "destroy",
        Reason::Requested => "requested",
        Reason::ReplaceWhen => "replace-when",
        Reason::Follows(_) => "follows",
        Reason::Leftover => "leftover",
        Reason::Unfinished => "unfinished",
        Reason::Statement => "statement",
        Reason::Placement => "placement",
    }
}

#[derive(Serialize)]
struct AttributeView<'a> {
    path: &'a AttrPath,
    before: Option<ValueView<'a>>,
    after: Option<ValueView<'a>>,
    impact: Impact,
    drift: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_room: bool,
    text: String,
    causes: &'a [Position],
}

impl Viewed for AttributeChange {
    type View<'v> = AttributeView<'v>;

    fn view(&self) -> AttributeView<'_> {
        let AttributeChange { path, before, after, impact, drift, no_room, causes } = self;
        AttributeView {
            path,
            before: before.as_ref().map(ValueView::of),
            after: after.as_ref().map(ValueView::of),
            impact: *impact,
            drift: *drift,
            no_room: *no_room,
            text: text::attribute(self),
            causes,
        }
    }
}

/// A value for programs and as it is written in the language.
#[derive(Serialize)]
struct ValueView<'a> {
    value: Cow<'a, Value>,
    text: String,
}

impl ValueView<'_> {
    fn of(value: &Value) -> ValueView<'_> {
        ValueView { value: without_secret_texts(value), text: value.to_string() }
    }
}

/// The texts that a secret is joined with may give it away: only its sources are shown.
fn without_secret_texts(value: &Value) -> Cow<'_, Value> {
    if !holds_secret(value) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(match value {
        Value::Secret(parts) => {
            let hidden = parts.iter().map(|part| match part {
                SecretPart::Text(_) => SecretPart::Text("…".into()),
                SecretPart::Source(source) => SecretPart::Source(source.clone()),
            });
            Value::Secret(hidden.collect())
        }
        Value::List(items) => {
            Value::list(items.iter().map(|item| without_secret_texts(item).into_owned()).collect())
        }
        Value::Map(fields) => {
            let hidden = |(name, value): (&Name, &Value)| {
                (name.clone(), without_secret_texts(value).into_owned())
            };
            Value::Map(Arc::new(fields.iter().map(hidden).collect::<Fields>()))
        }
        other => other.clone(),
    })
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(items) => items.iter().any(holds_secret),
        Value::Map(fields) => fields.iter().any(|(_, value)| holds_secret(value)),
        _ => false,
    }
}

#[derive(Serialize)]
struct DriftView<'a> {
    address: &'a Address,
    kind: &'a Name,
    host: &'a Address,
    vanished: bool,
    attributes: Each<'a, AttributeChange>,
}

impl Viewed for Drift {
    type View<'v> = DriftView<'v>;

    fn view(&self) -> DriftView<'_> {
        let Drift { object, kind, attributes, vanished } = self;
        DriftView {
            address: &object.address,
            kind,
            host: &object.host,
            vanished: *vanished,
            attributes: Each(attributes),
        }
    }
}

#[derive(Serialize)]
struct PendingView<'a> {
    address: &'a Address,
    host: &'a Address,
    attributes: Each<'a, AttributeChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens: Option<&'a Moment>,
}

impl Viewed for Pending {
    type View<'v> = PendingView<'v>;

    fn view(&self) -> PendingView<'_> {
        let Pending { object, attributes, opens } = self;
        PendingView {
            address: &object.address,
            host: &object.host,
            attributes: Each(attributes),
            opens: opens.as_ref(),
        }
    }
}

#[derive(Serialize)]
struct DecisionView<'a> {
    id: &'a str,
    kind: DecisionKind,
    address: &'a Address,
    message: &'a str,
    help: &'a str,
    owners: &'a [Address],
    approvers: &'a [String],
    agreed: bool,
}

impl Viewed for Decision {
    type View<'v> = DecisionView<'v>;

    fn view(&self) -> DecisionView<'_> {
        let Decision { id, kind, address, message, help, owners, approvers, agreed } = self;
        DecisionView { id, kind: *kind, address, message, help, owners, approvers, agreed: *agreed }
    }
}

#[derive(Serialize)]
struct UsageView<'a> {
    owner: &'a Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a Address>,
    resource: &'a Name,
    unit: &'static str,
    before: u64,
    after: u64,
    limit: Option<u64>,
    percent: Option<u64>,
    text: String,
}

impl Viewed for Usage {
    type View<'v> = UsageView<'v>;

    fn view(&self) -> UsageView<'_> {
        let Usage { owner, host, resource, before, after, limit, bytes } = self;
        UsageView {
            owner,
            host: host.as_ref(),
            resource,
            unit: if *bytes { "bytes" } else { "count" },
            before: *before,
            after: *after,
            limit: *limit,
            percent: text::percent(self),
            text: text::usage(self),
        }
    }
}

#[derive(Serialize)]
struct ReserveView<'a> {
    site: &'a Address,
    resource: &'a Name,
    host: &'a Address,
    unit: &'static str,
    before: i64,
    after: i64,
    text: String,
}

impl Viewed for Reserve {
    type View<'v> = ReserveView<'v>;

    fn view(&self) -> ReserveView<'_> {
        let Reserve { site, resource, host, before, after, bytes } = self;
        ReserveView {
            site,
            resource,
            host,
            unit: if *bytes { "bytes" } else { "count" },
            before: *before,
            after: *after,
            text: text::reserve(self),
        }
    }
}

#[derive(Serialize)]
struct OutputView<'a> {
    name: &'a Name,
    doc: &'a str,
    #[serde(flatten)]
    value: ValueView<'a>,
}

impl Viewed for Output {
    type View<'v> = OutputView<'v>;

    fn view(&self) -> OutputView<'_> {
        let Output { name, doc, value } = self;
        OutputView { name, doc, value: ValueView::of(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn json(plan: &Plan) -> String {
        let mut bytes = Vec::new();
        write_plan(plan, &mut bytes).expect("memory takes everything");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    /// The example is documentation as well: run with `UPDATE_EXAMPLE=1` to write it anew.
    #[test]
    fn the_example_is_what_is_written() {
        let written = json(&example::plan());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/plan-view.example.json");
        if std::env::var_os("UPDATE_EXAMPLE").is_some() {
            std::fs::write(path, &written).expect(path);
        }
        let expected = std::fs::read_to_string(path).expect(path);
        assert!(written == expected, "not as in {path}:\n{written}");
    }

    #[test]
    fn the_same_plan_has_the_same_bytes_and_its_schema() {
        let written = json(&example::plan());
        assert_eq!(json(&example::plan()), written);
        for text in [written, json(&example::empty())] {
            let value = serde_json::from_str(&text).expect(&text);
            assert_eq!(crate::schema::problems(&value), Vec::<String>::new());
        }
    }

    #[test]
    fn what_waits_for_a_free_slot_says_so() {
        let mut plan = example::plan();
        assert!(!json(&plan).contains("no_room"));
        plan.pending[0].attributes[0].no_room = true;
        let value: serde_json::Value = serde_json::from_str(&json(&plan)).expect("JSON");
        assert_eq!(value["pending"][0]["attributes"][0]["no_room"], true);
        assert_eq!(crate::schema::problems(&value), Vec::<String>::new());
    }

    #[test]
    fn a_secret_shows_its_sources_and_nothing_that_it_is_joined_with() {
        let written = json(&example::plan());
        assert!(written.contains("env:DB"));
        assert!(!written.contains("postgres"), "{written}");
    }

    #[test]
    fn nothing_that_disturbs_a_terminal_is_written() {
        let written = json(&example::plan());
        let unsafe_to_print = tcloud_model::value::is_unsafe_to_print;
        assert!(!written.chars().any(|c| c != '\n' && unsafe_to_print(c)));
        assert!(!written.contains("\\u001b"), "{written}");
    }

    #[test]
    fn the_exit_code_says_what_is_to_be_done() {
        let mut plan = example::plan();
        let code = |plan: &Plan| exit_code(plan, About::Plan, false);
        assert_eq!(code(&plan), 4);
        assert_eq!(exit_code(&plan, About::Drift, false), 2);
        assert_eq!(exit_code(&plan, About::Plan, true), 1);
        plan.decisions.iter_mut().for_each(|decision| decision.agreed = true);
        assert_eq!(code(&plan), 2);
        assert_eq!(code(&example::empty()), 0);
    }
}
