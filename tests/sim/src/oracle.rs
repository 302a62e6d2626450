//! Watches the hosts and what is committed, and knows the invariants. It shares no code with the
//! engine: it keeps its own account of leases, intents and records, from what the store accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::{Address, ObjectId, ObservedObject, Operation, OperationKind, Record};
use tcloud_planner::Plan;
use tcloud_planner::plan::Step;
use tcloud_state::store::Logged;
use tcloud_state::{
    Append, Body, Entry, Intent, IntentId, Lease, Outcome, RecordChange, Remembered, Scope,
    StepResult,
};
use uuid::Uuid;

use crate::hypervisor::{Hypervisors, Key};
use crate::trace::CANARY;

/// What one process was told about one object.
type Told = (Uuid, Address, Uuid);

/// The watcher.
#[derive(Default)]
pub(crate) struct Oracle {
    /// What was broken, with the invariant's number first.
    pub(crate) violations: Vec<String>,
    /// The last lease of each scope: its generation and run.
    leases: BTreeMap<Scope, (u64, Uuid)>,
    serials: BTreeMap<Scope, u64>,
    /// Every intent that was ever committed, and whether it is open.
    intents: BTreeMap<IntentId, (Intent, bool)>,
    /// Steps whose success is durable.
    done: BTreeSet<IntentId>,
    /// What is remembered.
    pub(crate) records: BTreeMap<ObjectId, Arc<Record>>,
    /// How many entries each commit had.
    pub(crate) commits: Vec<usize>,
    plans: BTreeMap<Uuid, Arc<Plan>>,
    /// What the user of a run agreed to lose.
    consents: BTreeMap<Uuid, BTreeSet<Address>>,
    /// Which run heard something about which object.
    heard: BTreeSet<Told>,
    /// Intents that another run has looked at: what takes effect afterwards comes too late.
    seen: BTreeSet<IntentId>,
    /// Objects that a run does not know the state of, until it looks.
    unknown: BTreeSet<Told>,
    /// Objects that exist, or are not remembered, through no fault of the engine: a call took
    /// effect after somebody had looked, a provider lied, a backup was restored.
    excused: BTreeSet<ObjectId>,
    /// Everything that was ever excused: its record may know less than its stamp.
    tainted: BTreeSet<ObjectId>,
    /// Adoptions that arrived after somebody had looked.
    adopted_late: Vec<Operation>,
    /// Whether the store's clock jumped, so that two runs may believe that they hold a lease.
    pub(crate) leases_overlap: bool,
}

impl Oracle {
    pub(crate) fn breaks(&mut self, invariant: &str, what: impl AsRef<str>) {
        self.violations.push(format!("{invariant}: {}", what.as_ref()));
    }

    /// A run is about to carry out a plan.
    pub(crate) fn planned(&mut self, run: Uuid, plan: &Arc<Plan>, consents: BTreeSet<Address>) {
        self.plans.insert(run, Arc::clone(plan));
        self.consents.insert(run, consents);
    }

    /// The last lease of a scope: its generation and run.
    pub(crate) fn lease(&self, scope: &Scope) -> Option<(u64, Uuid)> {
        self.leases.get(scope).copied()
    }

    /// The store granted leases.
    pub(crate) fn granted(&mut self, run: Uuid, leases: &[Lease]) {
        for Lease { scope, generation, .. } in leases {
            let before = self.leases.insert(scope.clone(), (*generation, run));
            if before.is_some_and(|(before, _)| before >= *generation) {
                self.breaks("I3", format!("a lease of {scope} has an old generation"));
            }
        }
    }

    /// The store committed entries of a run.
    pub(crate) fn committed(&mut self, run: Uuid, batch: &[Append], hosts: &Hypervisors) {
        self.commits.push(batch.iter().map(|append| append.entries.len()).sum());
        for Append { scope, generation, entries, .. } in batch {
            for sealed in entries {
                self.keeps_secret("the journal", &sealed.json);
                self.check_writer(run, scope, *generation, sealed.head.serial);
                self.entry(run, &sealed.entry);
            }
        }
        self.nothing_is_lost(hosts);
    }

    /// I10: the secret does not stand there.
    pub(crate) fn keeps_secret(&mut self, place: &str, text: &str) {
        if text.contains(CANARY) {
            self.breaks("I10", format!("the secret stands in {place}"));
        }
    }

    /// The store holds these entries, oldest first, and nothing else.
    pub(crate) fn restore(&mut self, entries: &[Logged]) {
        self.leases.clear();
        self.serials.clear();
        self.intents.clear();
        self.records.clear();
        let found = self.violations.len();
        for Logged { scope, serial, generation, entry } in entries {
            self.leases.insert(scope.clone(), (*generation, entry.run));
            self.serials.insert(scope.clone(), *serial);
            self.entry(entry.run, entry);
        }
        // What is read again was judged when it was written.
        self.violations.truncate(found);
    }

    /// I3: only the run with the newest lease of a scope writes to it, entry after entry.
    fn check_writer(&mut self, run: Uuid, scope: &Scope, generation: u64, serial: u64) {
        if self.leases.get(scope) != Some(&(generation, run)) {
            self.breaks("I3", format!("a run without the lease wrote to {scope}"));
        }
        let last = self.serials.entry(scope.clone()).or_default();
        let follows = serial == *last + 1;
        *last = serial;
        if !follows {
            self.breaks("I3", format!("entry {serial} of {scope} follows another one"));
        }
    }

    fn entry(&mut self, run: Uuid, entry: &Entry) {
        match &entry.body {
            Body::Intent(intent) => {
                let id = IntentId { run, step: intent.step };
                self.intents.insert(id, (intent.clone(), true));
            }
            Body::Outcome(outcome) => self.outcome(run, outcome),
            Body::Records { changes, .. } => self.remember(changes),
            Body::Begin(_) | Body::Takeover(_) | Body::End(_) => {}
        }
    }

    fn outcome(&mut self, run: Uuid, outcome: &Outcome) {
        let Outcome { intent: id, result, remembered } = outcome;
        if matches!(result, StepResult::Unknown { .. }) {
            return;
        }
        let Some((intent, open)) = self.intents.get_mut(id) else {
            self.breaks("I1", format!("step {} ended and was never intended", id.step));
            return;
        };
        let was_open = std::mem::replace(open, false);
        let intent = intent.clone();
        if !was_open {
            self.breaks("I2", format!("step {} ended twice", id.step));
        }
        if *result == StepResult::Done {
            self.done.insert(*id);
            let (object, uuid) = (&intent.operation.object, intent.operation.identity.uuid);
            if !self.heard.contains(&(run, object.host.clone(), uuid)) {
                self.breaks("I2", format!("{object} is recorded as done before it was"));
            }
        }
        match remembered {
            Remembered::Planned => self.remember(&intent.records),
            Remembered::Instead(changes) => self.remember(changes),
        }
    }

    fn remember(&mut self, changes: &[RecordChange]) {
        for change in changes.iter().filter(|change| change.record.is_none()) {
            self.records.remove(&change.object);
        }
        for RecordChange { object, record } in changes {
            if let Some(record) = record {
                self.records.insert(object.clone(), Arc::clone(record));
            }
        }
    }

    /// A run asks a host for something.
    pub(crate) fn called(&mut self, run: Uuid, operation: &Operation) {
        let object = &operation.object;
        let word = operation.action.word();
        let intended = self.intent_of(run, operation).is_some();
        if !intended {
            self.breaks("I1", format!("{word} {object} was asked for without an intent"));
        }
        let scope = Scope::of(&object.address);
        let holder = self.leases.get(&scope).map(|(_, run)| *run);
        if holder != Some(run) && !self.leases_overlap {
            self.breaks("I3", format!("{word} {object} was asked for without the lease"));
        }
        if self.unknown.contains(&told(run, operation)) {
            self.breaks("I1", format!("{word} {object} was repeated without a look"));
        }
        self.follows_plan(run, operation);
    }

    /// I7: a step of the plan, after those that it waits for.
    fn follows_plan(&mut self, run: Uuid, operation: &Operation) {
        let (word, object) = (operation.action.word(), &operation.object);
        let Some(plan) = self.plans.get(&run).cloned() else {
            self.breaks("I7", format!("{word} {object} was asked for without a plan"));
            return;
        };
        let is_this = |step: &&Step| {
            step.operation.as_ref().is_some_and(|own| {
                own.object == *object
                    && own.identity == operation.identity
                    && own.action.word() == word
            })
        };
        let Some(step) = plan.steps.iter().find(is_this) else {
            self.breaks("I7", format!("{word} {object} is not in the plan"));
            return;
        };
        for earlier in &step.after {
            let asks = plan.steps.get(earlier.0 as usize).is_some_and(|s| s.operation.is_some());
            if asks && !self.done.contains(&IntentId { run, step: earlier.0 }) {
                self.breaks("I7", format!("{word} {object} did not wait for step {}", earlier.0));
            }
        }
    }

    fn intent_of(&self, run: Uuid, operation: &Operation) -> Option<(&IntentId, &Intent, bool)> {
        let first = IntentId { run, step: 0 };
        let own = self.intents.range(first..).take_while(|(id, _)| id.run == run);
        let mut own = own.map(|(id, (intent, open))| (id, intent, *open));
        own.find(|(_, intent, _)| {
            let planned = &intent.operation;
            planned.object == operation.object
                && planned.identity == operation.identity
                && planned.action.word() == operation.action.word()
        })
    }

    /// A run was answered; with `known` false, that nobody knows.
    pub(crate) fn answered(&mut self, run: Uuid, operation: &Operation, known: bool) {
        let told = told(run, operation);
        match known {
            true => self.heard.insert(told),
            false => self.unknown.insert(told),
        };
    }

    /// A run looked at an object.
    pub(crate) fn looked(&mut self, run: Uuid, operation: &Operation) {
        let told = told(run, operation);
        self.unknown.remove(&told);
        // A migration is looked at piece by piece, on both hosts.
        let asked: Vec<Told> = self
            .intents
            .values()
            .filter(|(intent, open)| {
                *open && intent.records.iter().any(|own| own.object == operation.object)
            })
            .map(|(intent, _)| self::told(run, &intent.operation))
            .collect();
        self.unknown.retain(|own| !asked.contains(own));
        let of_others = self.intents.iter().filter(|(id, (intent, open))| {
            *open && id.run != run && self::told(run, &intent.operation) == told
        });
        self.seen.extend(of_others.map(|(id, _)| *id));
        self.heard.extend(asked);
        self.heard.insert(told);
    }

    /// I9: what holds data is destroyed only with consent that names it.
    pub(crate) fn before_effect(&mut self, run: Uuid, operation: &Operation, hosts: &Hypervisors) {
        let deletes = matches!(operation.action, OperationKind::Delete);
        let Some(object) = hosts.look(operation).filter(|_| deletes) else { return };
        let holds = object.written.is_some_and(|written| written > 0);
        let address = &operation.object.address;
        let agreed = self.consents.get(&run).is_some_and(|agreed| agreed.contains(address));
        if holds && !agreed {
            self.breaks("I9", format!("the data of {address} was destroyed without consent"));
        }
    }

    /// I8 and I4 after something took effect.
    pub(crate) fn after_effect(
        &mut self,
        run: Uuid,
        operation: &Operation,
        foreign: &BTreeMap<(Address, Key), ObservedObject>,
        hosts: &Hypervisors,
    ) {
        let now = hosts.foreign();
        let adopts = matches!(operation.action, OperationKind::Stamp { adopt: true, .. });
        for (place, object) in foreign {
            let its_own = adopts && object.is(&operation.kind, &operation.identity);
            if !its_own && now.get(place) != Some(object) {
                self.breaks("I8", format!("{} is not ours and was touched", object.name));
            }
        }
        let intent = self.intent_of(run, operation);
        let expected = intent.is_some_and(|(id, _, open)| open && !self.seen.contains(id));
        if !expected {
            self.excuse(operation);
            self.adopted_late.extend(adopts.then(|| operation.clone()));
        }
        self.nothing_is_lost(hosts);
    }

    /// What becomes of the objects of this operation is nobody's fault.
    pub(crate) fn excuse(&mut self, operation: &Operation) {
        let intents = self.intents.values().filter(|(own, _)| own.operation == *operation);
        let records = intents.flat_map(|(own, _)| own.records.iter());
        let mut excused: Vec<ObjectId> = records.map(|change| change.object.clone()).collect();
        excused.push(operation.object.clone());
        self.tainted.extend(excused.iter().cloned());
        self.excused.extend(excused);
    }

    /// Whether it is nobody's fault that this object is not remembered, or not as it is.
    pub(crate) fn excuses(&self, id: &ObjectId) -> bool {
        self.tainted.contains(id)
    }

    /// Whether it is nobody's fault that there is this second object of an address.
    pub(crate) fn was_adopted_late(&self, host: &Address, live: &ObservedObject) -> bool {
        let mut late = self.adopted_late.iter();
        late.any(|own| own.object.host == *host && live.is(&own.kind, &own.identity))
    }

    /// Whether anything was ever excused.
    pub(crate) fn excused_anything(&self) -> bool {
        !self.tainted.is_empty()
    }

    /// Everything that is there now is excused.
    pub(crate) fn excuse_all(&mut self, hosts: &Hypervisors) {
        let all = hosts.ours().map(|(host, _, stamp)| ObjectId {
            address: stamp.address.clone(),
            host: host.clone(),
            incarnation: stamp.incarnation,
        });
        self.excused.extend(all);
        self.tainted.extend(self.excused.iter().cloned());
    }

    /// I4: whatever of ours lives is remembered or intended.
    pub(crate) fn nothing_is_lost(&mut self, hosts: &Hypervisors) {
        let (mut lost, mut forgotten) = (Vec::new(), Vec::new());
        for (host, live, stamp) in hosts.ours() {
            let (address, incarnation) = (stamp.address.clone(), stamp.incarnation);
            let id = ObjectId { address, host: host.clone(), incarnation };
            // What a late adoption put its stamp on may be a second object of its address: it stays
            // excused when the first one, which is remembered, is taken down.
            let late = self.was_adopted_late(host, live);
            if late || self.records.contains_key(&id) || self.is_intended(&id) {
                continue;
            }
            // A provider that lied about a move left the old address on it; it is remembered under the
            // new one, by who it is. Without a lie, a record under another address is a fault of ours.
            let names = |(own, record): (&ObjectId, &Arc<Record>)| {
                let excused = self.tainted.contains(own) || self.tainted.contains(&id);
                excused && own.host == *host && live.is(&record.kind, &record.identity)
            };
            if !self.records.iter().any(names) {
                forgotten.push(id.clone());
            }
            lost.push(id);
        }
        let excused = std::mem::take(&mut self.excused);
        let lasts = |id: &ObjectId| lost.contains(id) || self.is_intended(id);
        self.excused = excused.into_iter().filter(lasts).collect();
        for id in forgotten.iter().filter(|id| !self.excused.contains(*id)) {
            self.violations.push(format!("I4: {id} lives and nobody remembers it"));
        }
        // What was told once is enough; what only its identity remembers is told when that ends as well.
        self.excused.extend(forgotten);
    }

    fn is_intended(&self, id: &ObjectId) -> bool {
        let mut open = self.intents.values().filter(|(_, open)| *open);
        open.any(|(intent, _)| {
            intent.operation.object == *id || intent.records.iter().any(|own| own.object == *id)
        })
    }

    /// I2: a run told that a step is done.
    pub(crate) fn told_done(&mut self, run: Uuid, step: u32) {
        let asks = self.plans.get(&run).and_then(|plan| plan.steps.get(step as usize));
        let asks = asks.is_some_and(|step| step.operation.is_some());
        if asks && !self.done.contains(&IntentId { run, step }) {
            self.breaks("I2", format!("step {step} was reported before it was durable"));
        }
    }
}

fn told(run: Uuid, operation: &Operation) -> Told {
    (run, operation.object.host.clone(), operation.identity.uuid)
}
