//! Plain sentences about a plan, shared by all formats. Whatever they quote cannot disturb a
//! terminal: invisible and control characters are written as escapes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use indexmap::IndexMap;
use tcloud_model::kinds::{STOPPED, TRANSIENT};
use tcloud_model::value::{human_size, is_unsafe_to_print};
use tcloud_model::{Address, Impact, Name, ObjectId, Value};
use tcloud_planner::Plan;
use tcloud_planner::plan::{
    Action, AddressChange, AddressKind, AttributeChange, Change, Condition, DecisionKind,
    Interruption, Reason, Reserve, Usage,
};

use crate::lang::Lang;

/// The plan in one sentence, the worst first: `1 VM loses data, 3 changes live`.
pub fn headline(plan: &Plan) -> String {
    let groups = effects(plan);
    let mut parts: Vec<String> = groups.iter().map(|(effect, who)| effect.told(who)).collect();
    let opened = opened(plan);
    if opened > 0 {
        let verb = if opened == 1 { "opens" } else { "open" };
        parts.insert(
            worse_than_opening(&groups),
            format!("{} {verb} to others", count(opened, "network")),
        );
    }
    let mut text = match (parts.is_empty(), plan.unchecked.is_empty()) {
        (false, _) => parts.join(", "),
        (true, true) => "nothing to do".to_owned(),
        (true, false) => "nothing to do, as far as could be checked".to_owned(),
    };
    match left_alone(plan) {
        0 => {}
        1 => text.push_str("; 1 object was changed by hand and is left alone"),
        n => {
            let _ = write!(text, "; {n} objects were changed by hand and are left alone");
        }
    }
    text
}

/// What happens to whom, the worst first.
pub(crate) fn effects(plan: &Plan) -> IndexMap<Effect, BTreeSet<&Address>> {
    let mut groups: IndexMap<Effect, BTreeSet<&Address>> = IndexMap::new();
    for change in &plan.changes {
        let effect = Effect::of(change);
        let subject = if effect.is_about_guests() { guest(change) } else { &change.object.address };
        groups.entry(effect).or_default().insert(subject);
    }
    groups.sort_unstable_keys();
    groups
}

/// How many networks somebody has to agree to open.
pub(crate) fn opened(plan: &Plan) -> usize {
    plan.decisions.iter().filter(|decision| decision.kind == DecisionKind::Exposure).count()
}

/// How many effects are told before what opens.
pub(crate) fn worse_than_opening(groups: &IndexMap<Effect, BTreeSet<&Address>>) -> usize {
    groups.keys().filter(|effect| **effect <= Effect::LosesData).count()
}

/// A host in a few words: the names of its path, `meiningen.kvm1`. Sites may have hosts of one name.
pub fn host_name(host: &Address) -> String {
    let names: Vec<String> = host.ancestry().into_iter().map(Address::last_name).collect();
    names.join(".")
}

/// Whose quota or capacity a line of the table is about; of a pool, the pool.
pub(crate) fn owner(usage: &Usage) -> String {
    if usage.owner.kind() == "host" { host_name(&usage.owner) } else { usage.owner.last_name() }
}

/// How many drifted objects the plan does not touch.
pub(crate) fn left_alone(plan: &Plan) -> usize {
    let touched: BTreeSet<&ObjectId> = plan.changes.iter().map(|change| &change.object).collect();
    plan.drift.iter().filter(|drift| !touched.contains(&drift.object)).count()
}

/// What a change means to the reader, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Effect {
    Blocked,
    LosesData,
    MadeAnew,
    SwitchedOff,
    Stopped,
    Migrated,
    Waits,
    Live,
    Recorded,
    Created,
    Deleted,
    Adopted,
    Moved,
    Forgotten,
}

impl Effect {
    pub(crate) fn of(change: &Change) -> Effect {
        match (change.impact, change.deed()) {
            (Impact::Blocked, _) => Effect::Blocked,
            (Impact::RecreateLose, _) => Effect::LosesData,
            (_, Action::Create) => Effect::Created,
            (_, Action::Delete) if is_gone(change) => Effect::Forgotten,
            (_, Action::Delete) => Effect::Deleted,
            (_, Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst) => Effect::MadeAnew,
            (_, Action::Adopt) => Effect::Adopted,
            (_, Action::Move) => Effect::Moved,
            (_, Action::Migrate) => Effect::Migrated,
            (_, Action::Forget) => Effect::Forgotten,
            (Impact::RecreateKeep, Action::Update) => Effect::MadeAnew,
            (Impact::PowerCycle, Action::Update) if change.switches_off() => Effect::SwitchedOff,
            (Impact::PowerCycle, Action::Update) => match change.now() {
                None => Effect::Waits,
                Some(Impact::PowerCycle) => Effect::Stopped,
                Some(_) => Effect::Live,
            },
            (Impact::Live | Impact::LiveGuest, Action::Update) => Effect::Live,
            (Impact::None, Action::Update) => Effect::Recorded,
        }
    }

    /// Whether a disk stands for its VM.
    fn is_about_guests(self) -> bool {
        matches!(
            self,
            Effect::LosesData
                | Effect::MadeAnew
                | Effect::SwitchedOff
                | Effect::Stopped
                | Effect::Migrated
        )
    }

    fn told(self, who: &BTreeSet<&Address>) -> String {
        let n = who.len();
        let (things, one) = (things(who), n == 1);
        match self {
            Effect::Blocked => format!("{} cannot be done", count(n, "change")),
            Effect::LosesData => format!("{things} {} data", if one { "loses" } else { "lose" }),
            Effect::MadeAnew => format!("{things} made anew"),
            Effect::SwitchedOff => format!("{things} stopped"),
            Effect::Stopped => format!("{things} stopped and started"),
            Effect::Migrated => format!("{things} moved to another host"),
            Effect::Waits => {
                let verb = if one { "waits" } else { "wait" };
                format!("{} {verb} for the guest to be stopped", count(n, "change"))
            }
            Effect::Live => format!("{} live", count(n, "change")),
            Effect::Recorded => format!("{} of records only", count(n, "change")),
            Effect::Created => format!("{n} created"),
            Effect::Deleted => format!("{n} deleted"),
            Effect::Adopted => format!("{n} adopted"),
            Effect::Moved => format!("{n} renamed"),
            Effect::Forgotten => format!("{n} forgotten"),
        }
    }
}

/// The VM that a disk belongs to; anything else stands for itself.
fn guest(change: &Change) -> &Address {
    let address = &change.object.address;
    match address.parent() {
        Some(vm) if change.kind == "disk" && vm.kind() == "vm" => vm,
        _ => address,
    }
}

/// `2 VMs and 1 volume`.
fn things(who: &BTreeSet<&Address>) -> String {
    let mut kinds: IndexMap<&Name, usize> = IndexMap::new();
    for address in who {
        *kinds.entry(address.kind()).or_default() += 1;
    }
    kinds.sort_unstable_by(|a, _, b, _| (*a != "vm", a).cmp(&(*b != "vm", b)));
    let parts: Vec<String> = kinds.iter().map(|(kind, n)| count(*n, noun(kind))).collect();
    parts.join(" and ")
}

/// What a kind is called in a sentence.
pub fn noun(kind: &str) -> &str {
    if kind == "vm" { "VM" } else { kind }
}

/// `1 change`, `3 changes`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Why a change happens, as the end of a sentence that begins with "because".
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::New => "the text declares it and it does not exist".to_owned(),
        Reason::Vanished => "somebody removed it".to_owned(),
        Reason::Text => "the text changed".to_owned(),
        Reason::Drift => "somebody changed it by hand".to_owned(),
        Reason::Removed => "the text no longer declares it".to_owned(),
        Reason::Destroy => "everything is taken down".to_owned(),
        Reason::Requested => "`--replace` names it".to_owned(),
        Reason::ReplaceWhen => "a value of `replace_when` changed".to_owned(),
        Reason::Follows(address) => format!("it cannot be without {address}, which is removed"),
        Reason::Leftover => "it was replaced, and removing it failed".to_owned(),
        Reason::Unfinished => "making it was not finished".to_owned(),
        Reason::Statement => "a statement in the text says so".to_owned(),
        Reason::Placement => "it has to leave its host".to_owned(),
    }
}

/// For how long a guest is down: `down 6-9 min, measured on 5 earlier runs`.
pub fn interruption(interruption: Interruption) -> String {
    match interruption {
        Interruption::None => "runs on".to_owned(),
        Interruption::Unknown => "down: unknown for how long".to_owned(),
        Interruption::Gone => "down for good".to_owned(),
        Interruption::Measured { min, max, runs } => {
            let times = if runs == 1 {
                "once before".to_owned()
            } else {
                format!("on {runs} earlier runs")
            };
            format!("down {}, measured {times}", seconds(min, max))
        }
    }
}

/// What a guest's part depends on: `if the guest lets go of the device`.
pub fn condition(condition: Condition) -> &'static str {
    Lang::English.condition(condition)
}

/// What changes about how a guest is found: `IP office 10.2.0.7 -> 10.3.0.7`.
pub fn address_change(own: &AddressChange) -> String {
    let AddressChange { what, nic, before, after } = own;
    let what = match what {
        AddressKind::Ip => "IP",
        AddressKind::Mac => "MAC",
        AddressKind::HostKey => return "SSH host keys change".to_owned(),
    };
    let nic = nic.as_ref().map(|nic| format!(" {}", clean(nic))).unwrap_or_default();
    let told = |own: &Option<Value>| own.as_ref().map_or_else(|| "none".to_owned(), value);
    format!("{what}{nic} {} -> {}", told(before), told(after))
}

/// `40 s`, `6-9 min`; minutes are rounded to what contains the seconds.
pub fn seconds(min: u64, max: u64) -> String {
    let (min, max, unit) = match max {
        0..120 => (min, max, "s"),
        120..7200 => (min / 60, max.div_ceil(60), "min"),
        _ => (min / 3600, max.div_ceil(3600), "h"),
    };
    if min == max { format!("{max} {unit}") } else { format!("{min}-{max} {unit}") }
}

/// Whether the object is gone already, so that only its record goes.
pub fn is_gone(change: &Change) -> bool {
    change.action == Action::Delete && change.reason == Reason::Vanished
}

/// How many attributes a line about a change names.
const ATTRIBUTES_SHOWN: usize = 4;

fn migrated(change: &Change) -> String {
    let mut text = match &change.previous_host {
        Some(previous) => format!("moved from {previous} to {}", change.object.host),
        None => format!("moved to {}", change.object.host),
    };
    if change.waits {
        let later = change.attributes.iter().filter(|own| own.impact >= Impact::PowerCycle);
        let _ = write!(text, "; later {}", attributes(later));
    }
    text
}

/// Attributes that say what a new object is.
const TELLING: [&str; 5] = ["vcpus", "memory", "size", "cidr", "source"];

/// A change in one line, without its address: `memory 8 GiB -> 12 GiB, vcpus 4 -> 6`.
pub fn change(change: &Change) -> String {
    let mut text = match change.deed() {
        Action::Create => created(change),
        Action::Update if change.waits && change.now().is_some() => {
            let all = change.attributes.iter();
            let (later, now): (Vec<_>, Vec<_>) =
                all.partition(|own| own.impact >= Impact::PowerCycle);
            format!("now {}; later {}", attributes(now), attributes(later))
        }
        Action::Update => attributes(&change.attributes),
        Action::Delete if is_gone(change) => format!("forgotten: {}", reason(&change.reason)),
        Action::Delete => "deleted".to_owned(),
        Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst => {
            let costly = change.attributes.iter().filter(|a| a.impact.is_replacement());
            let costly = attributes(costly);
            if costly.is_empty() { "made anew".to_owned() } else { format!("made anew: {costly}") }
        }
        Action::Adopt => "becomes ours as it is".to_owned(),
        Action::Move => match &change.previous_address {
            Some(previous) => format!("renamed, was {previous}"),
            None => "renamed".to_owned(),
        },
        Action::Migrate => migrated(change),
        Action::Forget => "no longer managed, stays as it is".to_owned(),
    };
    if change.impact == Impact::RecreateLose {
        text.push_str(&match change.written {
            Some(written) => format!("; {} of data lost", human_size(written)),
            None => "; its data is lost, how much is not known".to_owned(),
        });
    }
    if change.waits && change.now().is_some() {
        text.push_str(", when the guest is stopped and started");
    } else if change.waits {
        text.push_str("; waits for the guest to be stopped and started");
    } else if change.impact == Impact::LiveGuest {
        text.push_str("; the guest has to act");
    }
    if let Some(window) = window(change) {
        text.push_str("; ");
        text.push_str(&window);
    }
    match (change.action, &change.previous_address) {
        (Action::Move, _) if change.deed() == Action::Move => {}
        (_, Some(previous)) => {
            let _ = write!(text, "; renamed, was {previous}");
        }
        (Action::Adopt, None) if change.deed() != Action::Adopt => text.push_str("; becomes ours"),
        _ => {}
    }
    text
}

/// What the guest's window has to do with a change.
pub fn window(change: &Change) -> Option<String> {
    let opens = change.opens.as_ref().map(|opens| format!("its window opens {opens}"));
    opens.or_else(|| Some(format!("in its window, until {}", change.until.as_ref()?)))
}

fn created(change: &Change) -> String {
    let telling: Vec<String> = TELLING
        .iter()
        .filter_map(|name| {
            let path_is = |a: &&AttributeChange| {
                a.path.0.len() == 1 && a.path.first().is_some_and(|first| first == name)
            };
            let after = change.attributes.iter().find(path_is)?.after.as_ref()?;
            Some(format!("{name} {}", value(after)))
        })
        .collect();
    if telling.is_empty() { "new".to_owned() } else { format!("new: {}", telling.join(", ")) }
}

/// The attributes that differ, in one line.
fn attributes<'a>(changes: impl IntoIterator<Item = &'a AttributeChange>) -> String {
    let mut parts: Vec<String> = changes.into_iter().map(attribute).collect();
    if parts.len() > ATTRIBUTES_SHOWN + 1 {
        let hidden = parts.len() - ATTRIBUTES_SHOWN;
        parts.truncate(ATTRIBUTES_SHOWN);
        parts.push(format!("and {hidden} more"));
    }
    parts.join(", ")
}

/// Whether what an attribute refers to is made anew under the same address.
pub fn is_remade(change: &AttributeChange) -> bool {
    matches!(&change.before, Some(Value::Ref(_))) && change.before == change.after
}

/// Why a change that would be made at once waits, where a running guest has no room for it.
pub fn no_room(change: &AttributeChange) -> &'static str {
    if change.no_room { " (no slot is free)" } else { "" }
}

/// One attribute that differs: `memory 8 GiB -> 12 GiB`.
pub fn attribute(change: &AttributeChange) -> String {
    format!("{}{}", difference(change), no_room(change))
}

fn difference(change: &AttributeChange) -> String {
    let path = clean(&change.path.to_string());
    match (&change.before, &change.after) {
        (Some(_), None) if path == STOPPED => format!("{path}, is started again"),
        (Some(_), None) if path == TRANSIENT => format!("{path}, is defined again"),
        (None, Some(_)) if path == STOPPED || path == TRANSIENT => path,
        (Some(before), Some(_)) if is_remade(change) => {
            format!("{path} {} made anew", value(before))
        }
        (Some(before), Some(after)) => {
            let (mut old, mut new) = (value(before), value(after));
            if old == new {
                (old, new) = (shortened(before.to_string()), shortened(after.to_string()));
            }
            format!("{path} {old} -> {new}")
        }
        (None, Some(after)) => format!("{path} set to {}", value(after)),
        (Some(before), None) => format!("{path} removed, was {}", value(before)),
        (None, None) => path,
    }
}

/// A value for a reader: sizes with one decimal, references by their last name, everything else as
/// in the language, shortened.
pub fn value(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => human_size(*bytes),
        Value::Ref(address) => address.last_name(),
        other => shortened(other.to_string()),
    }
}

/// The longest value in a line, in characters.
const LONGEST: usize = 60;

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// One line of the table of quotas and capacities: `memory 180 GiB -> 184 GiB of 192 GiB, 96 %`.
pub fn usage(usage: &Usage) -> String {
    let amount = |n: u64| if usage.bytes { human_size(n) } else { n.to_string() };
    let mut text = format!("{} {}", usage.resource, amount(usage.before));
    if usage.after != usage.before {
        let _ = write!(text, " -> {}", amount(usage.after));
    }
    if let Some(limit) = usage.limit {
        let _ = write!(text, " of {}", amount(limit));
    }
    if let Some(percent) = percent(usage) {
        let _ = write!(text, ", {percent} %");
    }
    text
}

/// What is left when a host fails, in one line: `memory 35 GiB -> 31 GiB left if kvm2 fails`.
pub fn reserve(own: &Reserve) -> String {
    let amount = |n: i64| match own.bytes {
        true => human_size(n.unsigned_abs()),
        false => n.unsigned_abs().to_string(),
    };
    let word = |n: i64| if n < 0 { "short" } else { "left" };
    let after = format!("{} {}", amount(own.after), word(own.after));
    let change = match (own.before == own.after, word(own.before)) {
        (true, _) => after,
        (false, same) if same == word(own.after) => format!("{} -> {after}", amount(own.before)),
        (false, other) => format!("{} {other} -> {after}", amount(own.before)),
    };
    format!("{} {change} if {} fails", own.resource, own.host.last_name())
}

/// How much of the limit is used afterwards, rounded up, so that 100 means full and more means
/// beyond it; `None` without a limit.
pub fn percent(usage: &Usage) -> Option<u64> {
    let limit = usage.limit.filter(|limit| *limit > 0)?;
    let percent = (u128::from(usage.after) * 100).div_ceil(u128::from(limit));
    Some(u64::try_from(percent).unwrap_or(u64::MAX))
}

/// A text from outside, with what could disturb a terminal written as escapes.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe_to_print(c) {
            let _ = write!(cleaned, "\\u{{{:x}}}", u32::from(c));
        } else {
            cleaned.push(c);
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use tcloud_model::AttrPath;

    use super::*;
    use crate::example::{change as example, empty, plan};

    fn differs(path: &str, before: Option<Value>, after: Option<Value>) -> AttributeChange {
        AttributeChange {
            path: AttrPath::parse(path),
            before,
            after,
            impact: Impact::Live,
            drift: false,
            no_room: false,
            causes: Vec::new(),
        }
    }

    #[test]
    fn the_headline_says_the_worst_first() {
        assert_eq!(
            headline(&plan()),
            "1 VM loses data, 1 network opens to others, 1 change waits for the guest to be stopped, 1 change live, \
             1 created, 1 renamed; 1 object was changed by hand and is left alone"
        );
        assert_eq!(headline(&empty()), "nothing to do");
    }

    #[test]
    fn what_waits_for_a_slot_says_so() {
        let mut change =
            differs("memory", Some(Value::Bytes(1 << 30)), Some(Value::Bytes(2 << 30)));
        assert_eq!(attribute(&change), "memory 1 GiB -> 2 GiB");
        change.no_room = true;
        assert_eq!(attribute(&change), "memory 1 GiB -> 2 GiB (no slot is free)");
    }

    #[test]
    fn every_effect_has_words() {
        let every = |action| {
            Impact::ALL.map(|impact| {
                let mut plan = empty();
                for name in ["a", "b"] {
                    let mut change = example(&format!("tenant.t.vm.{name}"), action, impact);
                    change.waits = name == "b";
                    plan.changes.push(change);
                }
                headline(&plan)
            })
        };
        assert_eq!(
            every(Action::Update),
            [
                "2 changes of records only",
                "2 changes live",
                "2 changes live",
                "1 VM stopped and started, 1 change waits for the guest to be stopped",
                "2 VMs made anew",
                "2 VMs lose data",
                "2 changes cannot be done",
            ]
        );
        let live = |action| every(action)[1].clone();
        assert_eq!(live(Action::Migrate), "2 VMs moved to another host");
        assert_eq!(live(Action::Forget), "2 forgotten");
        assert_eq!(live(Action::Adopt), "2 changes live");
        assert_eq!(every(Action::Adopt)[0], "2 adopted");
        assert_eq!(every(Action::Move)[3], every(Action::Update)[3]);
        assert_eq!(live(Action::Delete), "2 deleted");
    }

    #[test]
    fn values_are_told_apart_even_when_they_are_close() {
        let bytes = |n| Some(Value::Bytes(n));
        let told = |path, before, after| attribute(&differs(path, before, after));
        assert_eq!(told("memory", bytes(8 << 30), bytes(12 << 30)), "memory 8 GiB -> 12 GiB");
        assert_eq!(told("size", bytes(1 << 30), bytes((1 << 30) + 1)), "size 1GiB -> 1073741825B");
        assert_eq!(told("mtu", None, Some(Value::Int(9000))), "mtu set to 9000");
        assert_eq!(told("mtu", Some(Value::Int(9000)), None), "mtu removed, was 9000");
    }

    #[test]
    fn nothing_from_outside_reaches_a_line_unescaped() {
        let evil = Value::text("\u{1b}[2J\u{202e}x");
        let path = "labels.\u{1b}[0m";
        for text in [
            attribute(&differs(path, None, Some(evil.clone()))),
            value(&Value::list(vec![evil])),
            clean("\u{1b}]0;x\u{7}"),
        ] {
            assert!(!text.chars().any(is_unsafe_to_print), "{text:?}");
        }
    }

    #[test]
    fn a_full_host_is_at_a_hundred_percent_and_not_before() {
        let line = |after, limit| Usage {
            owner: Address::root("host", "h", None),
            host: None,
            resource: Name::new("memory"),
            before: 0,
            after,
            limit,
            bytes: true,
        };
        assert_eq!(percent(&line(999, Some(1000))), Some(100));
        assert_eq!(percent(&line(990, Some(1000))), Some(99));
        assert_eq!(percent(&line(1001, Some(1000))), Some(101));
        assert_eq!(percent(&line(1, Some(0))), None);
        assert_eq!(usage(&line(1 << 30, None)), "memory 0 B -> 1 GiB");
    }
}
