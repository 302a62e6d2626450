//! Looks at a finished plan again, apart from how it was made: no plan that breaks these rules is
//! shown or applied.

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{
    Address, ByAddress, DesiredGraph, Identity, ObjectId, ObservedObject, Operation, OperationKind,
    Stamp, kinds, parallel,
};

use crate::input::{Goal, Input};
use crate::plan::{Action, Change, DecisionKind, Expectation, Plan, Step};
use crate::restart::Restart;

/// The rules that a plan breaks, in words; empty for every plan that is right.
pub fn check(plan: &Plan, input: &Input<'_>) -> Vec<String> {
    let threads = parallel::threads_for(plan.steps.len());
    let operations = || {
        let mut checker = Operations::new(plan, input);
        plan.steps.iter().for_each(|step| checker.step(step));
        // With this one, both sides take about as long.
        let mut order = Order { plan, broken: checker.broken };
        order.changes();
        order.broken
    };
    let order = || {
        let mut checker = Order { plan, broken: Vec::new() };
        checker.steps();
        checker.needs();
        checker.broken
    };
    let (mut broken, others) = parallel::both(threads, order, operations);
    broken.extend(others);
    broken
}

/// Looks at the order of the steps, and that none is missing.
struct Order<'c> {
    plan: &'c Plan,
    broken: Vec<String>,
}

impl Order<'_> {
    fn fail(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    /// Steps stand in an order in which they could be done one by one.
    fn steps(&mut self) {
        for (at, step) in (0_u32..).zip(&self.plan.steps) {
            if step.id.0 != at {
                self.fail(format!("step {at} calls itself {}", step.id.0));
            }
            if step.after.iter().any(|earlier| earlier.0 >= at) {
                self.fail(format!("step {at} waits for a later one"));
            }
            if !step.after.is_sorted() {
                self.fail(format!("step {at} has unsorted predecessors"));
            }
            if step.change as usize >= self.plan.changes.len() {
                self.fail(format!("step {at} belongs to no change"));
            }
        }
        for (decision, number) in self.plan.decisions.iter().zip(1..) {
            if decision.id != format!("D{number}") {
                self.fail(format!("decision {number} calls itself {}", decision.id));
            }
        }
    }

    /// Every change is done by a step, its own or its guest's.
    fn changes(&mut self) {
        let mut done = vec![false; self.plan.changes.len()];
        let mut carried: IndexSet<&ObjectId> = IndexSet::new();
        for step in &self.plan.steps {
            if let Some(done) = done.get_mut(step.change as usize) {
                *done = true;
            }
            let kind = step.operation.as_ref().map(|operation| &operation.action);
            if let Some(OperationKind::Migrate { volumes, .. }) = kind {
                carried.extend(volumes.iter().map(|(object, _)| object));
            }
        }
        for (change, done) in self.plan.changes.iter().zip(done) {
            let taken_along = change.action == Action::Migrate
                && change.previous_host.as_ref().is_some_and(|host| {
                    carried.contains(&ObjectId { host: host.clone(), ..change.object.clone() })
                });
            if !done && !taken_along {
                self.fail(format!("no step carries out {}", change.object));
            }
        }
    }

    /// What an object depends on is made before it.
    fn needs(&mut self) {
        let mut makers: ByAddress<(&Address, &Address), u32> =
            ByAddress::with_capacity_and_hasher(self.plan.steps.len(), Default::default());
        for step in &self.plan.steps {
            let Some(operation) = &step.operation else { continue };
            if matches!(operation.action, OperationKind::Create { .. }) {
                let object = &operation.object;
                makers.insert((&object.address, &object.host), step.id.0);
            }
        }
        let mut failures = Vec::new();
        for step in &self.plan.steps {
            let Some(operation) = &step.operation else { continue };
            let Some(stamp) = stamp_of(operation).filter(|_| uses(operation)) else { continue };
            for needed in &*stamp.dependencies {
                let host = &operation.object.host;
                let Some(maker) = makers.get(&(needed, host)).filter(|m| **m != step.id.0) else {
                    continue;
                };
                if !self.follows(step, *maker) {
                    failures.push(format!("{} does not wait for {needed}", operation.object));
                }
            }
        }
        self.broken.extend(failures);
    }

    /// Whether a step comes after another, by what it waits for.
    fn follows(&self, step: &Step, maker: u32) -> bool {
        if step.after.iter().any(|id| id.0 == maker) {
            return true;
        }
        let mut seen: IndexSet<u32> = IndexSet::new();
        let mut next: Vec<u32> = step.after.iter().map(|id| id.0).collect();
        while let Some(at) = next.pop() {
            if at == maker || seen.len() > ENOUGH {
                return true;
            }
            if at > maker && seen.insert(at) {
                let further = self.plan.steps.get(at as usize);
                next.extend(further.into_iter().flat_map(|s| s.after.iter().map(|id| id.0)));
            }
        }
        false
    }
}

type Place<'a> = (&'a Address, &'a str, &'a str);

/// Looks at every step by itself.
struct Operations<'c> {
    plan: &'c Plan,
    input: &'c Input<'c>,
    desired: &'c DesiredGraph,
    /// Live objects by host, kind and name.
    live: IndexMap<Place<'c>, &'c ObservedObject>,
    /// What an earlier step makes ours.
    adopted: IndexSet<Place<'c>>,
    /// Objects that have a record afterwards, where something goes.
    written: IndexSet<&'c ObjectId>,
    /// What a decision names as losing its data.
    decided: IndexSet<&'c Address>,
    /// Guests whose change says that it stops them now.
    interrupted: IndexSet<&'c Address>,
    /// Whether a disk, a volume or a network is made anew.
    devices_change: bool,
    broken: Vec<String>,
}

impl<'c> Operations<'c> {
    fn new(plan: &'c Plan, input: &'c Input<'c>) -> Operations<'c> {
        let operations = || plan.steps.iter().filter_map(|step| step.operation.as_ref());
        let something_lives = input.observed.hosts.iter().any(|host| !host.objects.is_empty());
        let touched: IndexSet<Place<'c>> =
            operations().filter(|_| something_lives).map(place).collect();
        let mut live = IndexMap::new();
        for host in input.observed.hosts.iter().filter(|_| !touched.is_empty()) {
            for object in &host.objects {
                let key = (&host.host, object.kind.as_str(), object.name.as_str());
                if touched.contains(&key) {
                    live.insert(key, object);
                }
            }
        }
        let loses = plan.decisions.iter().filter(|d| d.kind == DecisionKind::DataLoss);
        let stops = |change: &&Change| change.interrupts();
        let replaces =
            |own: Action| matches!(own, Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst);
        let remade = |change: &Change| match change.kind.as_str() {
            "network" => replaces(change.action),
            kind => holds_data(kind) && change.action != Action::Update,
        };
        Operations {
            plan,
            input,
            desired: input.evaluator.desired(),
            live,
            adopted: operations().filter(|own| adopts(own)).map(place).collect(),
            written: if operations().any(goes) { written(plan) } else { IndexSet::new() },
            decided: loses.map(|decision| &decision.address).collect(),
            interrupted: plan.changes.iter().filter(stops).map(|c| &c.object.address).collect(),
            devices_change: plan.changes.iter().any(remade),
            broken: Vec::new(),
        }
    }

    fn fail(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    fn step(&mut self, step: &Step) {
        let Some(operation) = &step.operation else { return };
        if self.input.wishes.goal == Goal::Refresh {
            self.fail(format!("a refresh asks for {}", operation.object));
        }
        let live = self.live.get(&place(operation)).copied();
        let stamp = live.and_then(|live| live.stamp.as_ref());
        let ours = stamp.is_some_and(|stamp| stamp.deployment == self.input.deployment.id);
        let object = &operation.object;
        let adopts = adopts(operation);
        let creates = matches!(operation.action, OperationKind::Create { .. });
        match step.expects {
            Expectation::Absent if live.is_some_and(|live| !live.is_unfinished()) => {
                self.fail(format!("{object} is expected to be absent, and is there"));
            }
            Expectation::Absent if !creates => {
                self.fail(format!("{object} is changed, and is not there"));
            }
            Expectation::Present(_) if creates => {
                self.fail(format!("{object} is made, and is there already"));
            }
            Expectation::Present(_) if adopts && stamp.is_some() => {
                self.fail(format!("{object} is adopted, and has an owner"));
            }
            _ => {}
        }
        if live.is_some() && !ours && !adopts && !self.adopted.contains(&place(operation)) {
            self.fail(format!("{object} is not ours"));
        }
        self.records(step, operation);
        self.loss(operation, live);
        self.interruption(step, operation);
    }

    /// What is remembered is what was asked for.
    fn records(&mut self, step: &Step, operation: &Operation) {
        let stamped = stamp_of(operation);
        let object = &operation.object;
        for (id, record) in &step.records {
            let Some(record) = record else { continue };
            if id.address != record.stamp.address || id.incarnation != record.stamp.incarnation {
                self.fail(format!("the record of {id} carries the stamp of another object"));
            }
            let same = id.address == object.address && record.identity == operation.identity;
            if same && stamped.is_some_and(|stamp| *stamp != record.stamp) {
                self.fail(format!("the record of {id} has another stamp than the object"));
            }
        }
        let removed = step.records.iter().any(|(id, record)| id == object && record.is_none());
        let goes = goes(operation);
        let kept = step.records.iter().any(|(id, record)| id == object && record.is_some());
        if goes && (!removed || kept) && !self.written.contains(object) {
            self.fail(format!("{object} goes, and its record stays"));
        }
        if stamped.is_some_and(|stamp| stamp.deployment != self.input.deployment.id) {
            self.fail(format!("{object} gets the stamp of another deployment"));
        }
    }

    /// What holds data goes only with a decision.
    fn loss(&mut self, operation: &Operation, live: Option<&ObservedObject>) {
        let deletes = matches!(operation.action, OperationKind::Delete);
        let empty = live.is_some_and(|live| live.written == Some(0));
        let address = &operation.object.address;
        if deletes && holds_data(&operation.kind) && !empty && !self.decided.contains(address) {
            self.fail(format!("the data of {} would go without a decision", operation.object));
        }
    }

    /// A guest is stopped only where the text or a decision asks for it, and the plan says so.
    fn interruption(&mut self, step: &Step, operation: &Operation) {
        let OperationKind::Update { power_cycle: true, attributes, .. } = &operation.action else {
            return;
        };
        let address = &operation.object.address;
        let resource = self.desired.resources.get(address);
        let restart = resource.map(|own| Restart::of(&own.attributes, self.input.now));
        let stops = attributes.flag("running") == Some(false);
        let asked = match restart {
            _ if stops || self.devices_change => true,
            Some(Restart::Now(None)) => true,
            // A window counts as long as it is open, and the plan says for how long.
            Some(Restart::Now(Some(until))) => {
                self.plan.closes(step).is_some_and(|own| own.time() <= until.time())
            }
            Some(Restart::Waits(_)) | None => false,
        };
        if !asked || !self.interrupted.contains(address) {
            self.fail(format!("{} would be stopped unasked", operation.object));
        }
    }
}

/// How many steps are walked through before an order is believed.
const ENOUGH: usize = 10_000;

fn written(plan: &Plan) -> IndexSet<&ObjectId> {
    let records = plan.steps.iter().flat_map(|step| &step.records);
    records.filter(|(_, record)| record.is_some()).map(|(id, _)| id).collect()
}

fn holds_data(kind: &str) -> bool {
    kinds::HOLDS_DATA.contains(&kind)
}

fn place(operation: &Operation) -> Place<'_> {
    let Identity { uuid: _, name } = &operation.identity;
    (&operation.object.host, operation.kind.as_str(), name.as_str())
}

fn stamp_of(operation: &Operation) -> Option<&Stamp> {
    match &operation.action {
        OperationKind::Create { stamp, .. }
        | OperationKind::Update { stamp, .. }
        | OperationKind::Stamp { stamp, .. }
        | OperationKind::Migrate { stamp, .. } => Some(stamp),
        OperationKind::Delete | OperationKind::Unstamp => None,
    }
}

fn adopts(operation: &Operation) -> bool {
    matches!(operation.action, OperationKind::Stamp { adopt: true, .. })
}

/// Whether the object is ours no longer.
fn goes(operation: &Operation) -> bool {
    matches!(operation.action, OperationKind::Delete | OperationKind::Unstamp)
}

/// Whether the operation puts what is depended on to use; a guest that lets go of a disk does not.
fn uses(operation: &Operation) -> bool {
    matches!(operation.action, OperationKind::Create { .. })
}
