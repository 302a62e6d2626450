//! What a plan does to each guest that runs: the worst of it, for how long it is down, and which of
//! its addresses change.

use std::collections::BTreeMap;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use tcloud_model::{Address, Impact, Name, OperationKind, Position, Value};

use crate::plan::{Action, AttributeChange, Change, Plan, Step, StepId};

/// What one guest notices. See [`crate::Plan::guests`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestImpact {
    /// The guest.
    pub guest: Address,
    /// The worst that happens to it in this run.
    pub impact: Impact,
    /// The change that does the worst to it: index into [`crate::Plan::changes`].
    pub change: u32,
    /// How long nobody reaches it.
    pub interruption: Interruption,
    /// What changes about how it is found; everything else of it stays.
    pub addresses: Vec<AddressChange>,
    /// What it takes besides this run, or what decides whether it is as harmless as it says.
    pub condition: Option<Condition>,
    /// Where the text says so, worst first.
    pub causes: Vec<Position>,
}

/// How long a guest is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interruption {
    /// Not at all.
    None,
    /// It is down, and nobody has measured for how long.
    Unknown,
    /// As long as the same steps took before.
    Measured {
        /// Seconds, when every step is as quick as it ever was.
        min: u64,
        /// Seconds, when every step is as slow as it ever was.
        max: u64,
        /// How often the step that was measured least often was measured.
        runs: u32,
    },
    /// For good: it is removed.
    Gone,
}

/// Something about how a guest is found that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressChange {
    /// What.
    pub what: AddressKind,
    /// The NIC, for its IP address and MAC.
    pub nic: Option<Name>,
    /// What it is now, if known.
    pub before: Option<Value>,
    /// What it will be, if known.
    pub after: Option<Value>,
}

/// How a guest is found and recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressKind {
    /// The IP address of a NIC.
    Ip,
    /// The MAC of a NIC.
    Mac,
    /// The SSH host keys, which stand on the disk that is made anew.
    HostKey,
}

/// What a change depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It takes effect when the guest is next stopped and started.
    NextStart,
    /// A running guest has to let go of a device; else the step fails and the guest runs on.
    LetsGo,
    /// The guest has to extend its file system to have the space.
    GrowsFileSystem,
    /// The guest has to bring up what it was given.
    BringsUp,
}

/// How long steps took before, by what they do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    seconds: BTreeMap<(Name, Work), Vec<u64>>,
}

/// What a step does, as far as its duration depends on it.
type Work = (&'static str, bool);

impl History {
    /// How many durations of one sort count, the newest of them.
    pub const MOST: usize = 20;

    /// Adds how many seconds a step took; older ones than the newest [`History::MOST`] are left out,
    /// so the newest have to come first.
    pub fn add(&mut self, kind: &Name, action: &OperationKind, seconds: u64) {
        let all = self.seconds.entry((kind.clone(), work(action))).or_default();
        if all.len() < History::MOST {
            all.push(seconds);
        }
    }

    fn of(&self, kind: &Name, action: &OperationKind) -> Option<&[u64]> {
        self.seconds.get(&(kind.clone(), work(action))).map(Vec::as_slice)
    }
}

fn work(action: &OperationKind) -> Work {
    let stops = matches!(action, OperationKind::Update { power_cycle: true, .. });
    (action.word(), stops)
}

/// What happens to each guest, the worst first and then by address. How long it takes is unknown
/// until [`estimate`] is asked.
pub(crate) fn guests(changes: &[Change]) -> Vec<GuestImpact> {
    let mut of_guest: BTreeMap<&Address, Vec<u32>> = BTreeMap::new();
    for (index, change) in (0..).zip(changes) {
        let own = (change.kind == "vm" && change.guests.is_empty() && ends(change))
            .then_some(&change.object.address);
        for guest in change.guests.iter().chain(own) {
            of_guest.entry(guest).or_default().push(index);
        }
    }
    let mut all: Vec<GuestImpact> =
        of_guest.into_iter().map(|(guest, own)| told(guest, &own, changes)).collect();
    all.sort_by_key(|own| {
        std::cmp::Reverse((own.condition != Some(Condition::NextStart), own.impact))
    });
    all
}

/// Whether there is no such guest afterwards.
fn ends(change: &Change) -> bool {
    change.action == Action::Delete
}

fn told(guest: &Address, own: &[u32], all: &[Change]) -> GuestImpact {
    let changes = || own.iter().filter_map(|at| Some((*at, all.get(*at as usize)?)));
    let severity = |(_, change): &(u32, &Change)| (change.now(), change.impact);
    // The first of the worst: `max_by_key` would give the last.
    let worst = changes().rev().max_by_key(severity);
    let (at, impact) =
        worst.map_or((0, Impact::None), |(at, change)| (at, change.now().unwrap_or(change.impact)));
    let goes = changes().any(|(_, change)| change.object.address == *guest && ends(change));
    let stops = changes().any(|(_, change)| change.interrupts());
    let mut causes: IndexSet<Position> = IndexSet::new();
    let mut ordered: Vec<&Change> = changes().map(|(_, change)| change).collect();
    ordered.sort_by_key(|change| std::cmp::Reverse((change.now(), change.impact)));
    causes.extend(ordered.iter().flat_map(|change| &change.causes).cloned());
    GuestImpact {
        guest: guest.clone(),
        impact,
        change: at,
        interruption: match (goes, stops) {
            (true, _) => Interruption::Gone,
            (false, true) => Interruption::Unknown,
            (false, false) => Interruption::None,
        },
        addresses: ordered.iter().flat_map(|change| addresses(guest, change)).collect(),
        condition: worst.and_then(|(_, change)| condition(change)),
        causes: causes.into_iter().collect(),
    }
}

fn addresses(guest: &Address, change: &Change) -> Vec<AddressChange> {
    let plain = |what| AddressChange { what, nic: None, before: None, after: None };
    if change.object.address != *guest {
        let keys = change.kind == "disk" && change.impact == Impact::RecreateLose;
        let keys = keys && change.action != Action::Delete;
        return keys.then(|| plain(AddressKind::HostKey)).into_iter().collect();
    }
    let nic = |own: &AttributeChange| {
        let names = own.path.names();
        let [block, label, attribute] = names.as_slice() else { return None };
        let what = match (block.as_str(), attribute.as_str()) {
            ("nic", "address") => AddressKind::Ip,
            ("nic", "mac") => AddressKind::Mac,
            _ => return None,
        };
        let (before, after) = (own.before.clone(), own.after.clone());
        Some(AddressChange { what, nic: Some(label.clone()), before, after })
    };
    let mut all: Vec<AddressChange> = change.attributes.iter().filter_map(nic).collect();
    // Who loses a card is no longer found there, maybe at the one that takes its place.
    let cards = || change.attributes.iter().filter(|own| is_device(own, "nic"));
    if cards().any(takes_away) {
        all.extend(cards().flat_map(card));
        all.sort_by_key(|own| own.after.is_some());
    }
    all
}

/// The addresses of a NIC that comes or goes.
fn card(own: &AttributeChange) -> Vec<AddressChange> {
    let side = |value: &Option<Value>, name: &str| match value {
        Some(Value::Map(fields)) => fields.get(name).filter(|own| **own != Value::None).cloned(),
        _ => None,
    };
    let told = [("address", AddressKind::Ip), ("mac", AddressKind::Mac)].map(|(name, what)| {
        let nic = own.path.names().pop();
        let (before, after) = (side(&own.before, name), side(&own.after, name));
        AddressChange { what, nic, before, after }
    });
    told.into_iter().filter(|own| own.before != own.after).collect()
}

fn condition(change: &Change) -> Option<Condition> {
    let Some(now) = change.now() else { return Some(Condition::NextStart) };
    let at = |impact| change.attributes.iter().filter(move |own| own.impact == impact);
    match now {
        Impact::LiveGuest => {
            let grows = |own: &AttributeChange| own.path.first().is_some_and(|own| *own == "size");
            Some(match at(Impact::LiveGuest).any(grows) {
                true => Condition::GrowsFileSystem,
                false => Condition::BringsUp,
            })
        }
        Impact::Live => at(Impact::Live).any(takes_away).then_some(Condition::LetsGo),
        _ => None,
    }
}

/// Whether a running guest loses a NIC or a disk.
fn takes_away(own: &AttributeChange) -> bool {
    (is_device(own, "nic") || is_device(own, "disk")) && own.before.is_some() && own.after.is_none()
}

/// Whether a whole NIC or disk differs, and not something about it.
fn is_device(own: &AttributeChange, kind: &str) -> bool {
    matches!(own.path.names().as_slice(), [block, _] if *block == *kind)
}

/// Says how long guests are down, as far as the same steps were done before. What one guest waits
/// for counts: the longest way through the steps of the changes that stop it.
pub fn estimate(plan: &mut Plan, history: &History) {
    let mut of_guest: IndexMap<&Address, Vec<u32>> = plan
        .guests
        .iter()
        .filter(|own| own.interruption == Interruption::Unknown)
        .map(|own| (&own.guest, Vec::new()))
        .collect();
    if of_guest.is_empty() {
        return;
    }
    for (index, change) in (0..).zip(&plan.changes).filter(|(_, change)| change.interrupts()) {
        for guest in &change.guests {
            if let Some(changes) = of_guest.get_mut(guest) {
                changes.push(index);
            }
        }
    }
    let mut of_change: BTreeMap<u32, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        of_change.entry(step.change).or_default().push(step);
    }
    let measured: Vec<Option<Interruption>> = plan
        .guests
        .iter()
        .map(|own| {
            let changes = of_guest.get(&own.guest)?;
            let mut steps: Vec<&Step> = changes
                .iter()
                .filter_map(|change| of_change.get(change))
                .flatten()
                .copied()
                .collect();
            steps.sort_by_key(|step| step.id);
            longest(&steps, history)
        })
        .collect();
    for (own, measured) in plan.guests.iter_mut().zip(measured) {
        own.interruption = measured.unwrap_or(own.interruption);
    }
}

/// How long these steps take, which stand in an order in which they can be done.
fn longest(steps: &[&Step], history: &History) -> Option<Interruption> {
    let mut ends: IndexMap<StepId, (u64, u64)> = IndexMap::new();
    let mut runs = usize::MAX;
    for step in steps {
        let before = step.after.iter().filter_map(|id| ends.get(id));
        let begin = before.fold((0, 0), |far, end| (far.0.max(end.0), far.1.max(end.1)));
        let Some(operation) = &step.operation else {
            ends.insert(step.id, begin);
            continue;
        };
        let took = history.of(&operation.kind, &operation.action)?;
        runs = runs.min(took.len());
        let (least, most) = (took.iter().min()?, took.iter().max()?);
        let end = (begin.0.saturating_add(*least), begin.1.saturating_add(*most));
        ends.insert(step.id, end);
    }
    let end = ends.values().fold((0, 0), |far, end| (far.0.max(end.0), far.1.max(end.1)));
    let runs = u32::try_from(runs).ok().filter(|_| runs != usize::MAX)?;
    Some(Interruption::Measured { min: end.0, max: end.1, runs })
}

#[cfg(test)]
mod tests {
    use tcloud_model::{Deployment, Fields, Identity, ObjectId, Operation, Stamp};

    use super::*;
    use crate::plan::{Expectation, Reason};
    use crate::sketch::address;

    fn change(text: &str, impact: Impact) -> Change {
        let host = address("site.m.host.h");
        let object = ObjectId { address: address(text), host, incarnation: 0 };
        Change {
            kind: object.address.kind().clone(),
            object,
            action: Action::ReplaceDeleteFirst,
            impact,
            waits: false,
            opens: None,
            until: None,
            reason: Reason::Text,
            attributes: Vec::new(),
            causes: Vec::new(),
            previous_address: None,
            previous_host: None,
            guests: vec![address("tenant.t.vm.db")],
            written: None,
        }
    }

    fn step(id: u32, change: u32, action: OperationKind, after: &[u32], of: &Change) -> Step {
        let deployment = Deployment::new("t");
        Step {
            id: StepId(id),
            change,
            operation: Some(Operation {
                kind: of.kind.clone(),
                identity: Identity::derive(&deployment, &of.object, false),
                object: of.object.clone(),
                action,
                references: Vec::new(),
            }),
            expects: Expectation::Earlier,
            records: Vec::new(),
            after: after.iter().map(|id| StepId(*id)).collect(),
        }
    }

    /// A guest stops, its disk is made anew, and it starts.
    fn plan() -> Plan {
        let mut vm = change("tenant.t.vm.db", Impact::PowerCycle);
        vm.action = Action::Update;
        let disk = change("tenant.t.vm.db.disk.root", Impact::RecreateLose);
        let stamp = Stamp {
            deployment: Deployment::new("t").id,
            address: disk.object.address.clone(),
            incarnation: 0,
            previous: None,
            generation: 0,
            triggers: None,
            dependencies: std::sync::Arc::default(),
            protect: false,
            create_first: false,
            digest: tcloud_model::FieldsDigest::Known(tcloud_model::Digest([0; 16])),
        };
        let update = || OperationKind::Update {
            attributes: std::sync::Arc::new(Fields::new()),
            changed: Vec::new(),
            power_cycle: true,
            stamp: stamp.clone(),
        };
        let create = OperationKind::Create {
            attributes: std::sync::Arc::new(Fields::new()),
            stamp: stamp.clone(),
        };
        let steps = vec![
            step(0, 0, update(), &[], &vm),
            step(1, 1, OperationKind::Delete, &[0], &disk),
            step(2, 1, create, &[1], &disk),
            step(3, 0, update(), &[2], &vm),
        ];
        let changes = vec![vm, disk];
        let guests = guests(&changes);
        Plan { changes, steps, guests, ..Plan::empty(Deployment::new("t")) }
    }

    #[test]
    fn the_worst_is_told_with_what_changes_about_the_guest() {
        let plan = plan();
        let [own] = &plan.guests[..] else { panic!("{:?}", plan.guests) };
        assert_eq!((own.impact, own.change), (Impact::RecreateLose, 1));
        assert_eq!(own.interruption, Interruption::Unknown);
        assert_eq!(own.addresses.len(), 1);
        assert_eq!(own.addresses[0].what, AddressKind::HostKey);
    }

    #[test]
    fn what_took_long_before_takes_long_and_what_was_never_done_is_unknown() {
        let mut plan = plan();
        let mut history = History::default();
        let steps = plan.steps.clone();
        let add = |at: usize, seconds: &[u64], history: &mut History| {
            let operation = steps[at].operation.as_ref().expect("an operation");
            seconds.iter().for_each(|own| history.add(&operation.kind, &operation.action, *own));
        };
        add(0, &[30, 60], &mut history);
        add(1, &[1, 2, 3], &mut history);
        estimate(&mut plan, &history);
        assert_eq!(plan.guests[0].interruption, Interruption::Unknown, "no disk was ever made");
        add(2, &[100, 200, 300], &mut history);
        estimate(&mut plan, &history);
        let measured = Interruption::Measured { min: 161, max: 423, runs: 2 };
        assert_eq!(plan.guests[0].interruption, measured);
    }

    #[test]
    fn what_waits_stops_nobody_now() {
        let mut waiting = change("tenant.t.vm.db", Impact::PowerCycle);
        (waiting.action, waiting.waits) = (Action::Update, true);
        let own = &guests(&[waiting])[0];
        assert_eq!(own.interruption, Interruption::None);
        assert_eq!(own.condition, Some(Condition::NextStart));
    }

    #[test]
    fn what_is_unplugged_now_does_not_hide_behind_what_waits() {
        let card =
            |mac: &str| Value::map([(Name::new("mac"), Value::text(mac))].into_iter().collect());
        let own = |path: &str, impact, before, after| AttributeChange {
            path: tcloud_model::AttrPath::parse(path),
            before,
            after,
            impact,
            drift: false,
            no_room: false,
            causes: Vec::new(),
        };
        let mut waiting = change("tenant.t.vm.db", Impact::PowerCycle);
        (waiting.action, waiting.waits) = (Action::Update, true);
        waiting.attributes = vec![
            own("vcpus", Impact::PowerCycle, Some(Value::Int(2)), Some(Value::Int(3))),
            own("nic.office", Impact::Live, Some(card("52:54:00:00:00:01")), None),
            own("nic.lan", Impact::Live, None, Some(card("52:54:00:00:00:02"))),
        ];
        let guest = &guests(&[waiting])[0];
        assert_eq!((guest.impact, guest.interruption), (Impact::Live, Interruption::None));
        assert_eq!(guest.condition, Some(Condition::LetsGo));
        let told: Vec<_> =
            guest.addresses.iter().map(|own| (own.what, own.nic.as_deref())).collect();
        assert_eq!(told, [(AddressKind::Mac, Some("office")), (AddressKind::Mac, Some("lan"))]);
    }

    #[test]
    fn a_guest_that_is_removed_is_gone() {
        let mut removed = change("tenant.t.vm.db", Impact::RecreateKeep);
        removed.action = Action::Delete;
        assert_eq!(guests(&[removed])[0].interruption, Interruption::Gone);
    }
}
