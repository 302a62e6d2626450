//! Hypervisors in memory that do what steps ask, and refuse what a real one would refuse; with the
//! records that apply would keep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Catalog, Deployment, Diagnostic, Fields, HostFacts, HostObservation, Impact,
    Lack, Name, ObservedObject, ObservedState, Operation, OperationKind, PathStep, State,
    Timestamp, Value,
};
use tcloud_planner::plan::{Action, Expectation, Step, StepId};
use tcloud_planner::{Goal, Input, Plan, Wishes, crowded, doubts, plan};

use crate::text::{Text, address};

/// Where most tests happen.
pub(crate) const SITE: &str = "site.m
site.m.host.h1 provider=sim capacity.vcpus=64 capacity.memory=256GiB
site.m.pool.fast type=dir path=/srv capacity=1000GiB
tenant.t
";

/// Two hosts.
pub(crate) const TWO_HOSTS: &str = "site.m
site.m.host.h1 provider=sim capacity.vcpus=64 capacity.memory=256GiB
site.m.host.h2 provider=sim capacity.vcpus=64 capacity.memory=256GiB
site.m.pool.fast type=dir path=/srv capacity=1000GiB
tenant.t
";

type Place = (Address, Name, Name);

/// Everything outside of the text.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) site: &'static str,
    pub(crate) deployment: Deployment,
    pub(crate) state: State,
    pub(crate) objects: BTreeMap<Place, ObservedObject>,
    /// What a guest is attached to, by place: kind and name.
    uses: BTreeMap<Place, BTreeSet<(Name, Name)>>,
    pub(crate) silent: BTreeSet<Address>,
    /// What hosts that answer could not read.
    pub(crate) problems: Vec<String>,
    /// Hosts that cannot move guests.
    pub(crate) fixed: BTreeSet<Address>,
    /// What no host can do.
    pub(crate) lacks: Vec<Lack>,
    /// What time it is.
    pub(crate) now: Timestamp,
}

pub(crate) fn wishes() -> Wishes {
    Wishes {
        goal: Goal::Apply,
        target: Vec::new(),
        exclude: Vec::new(),
        replace: Vec::new(),
        allow_data_loss: BTreeSet::new(),
        allow_destroy: BTreeSet::new(),
        allow_exposure: BTreeSet::new(),
    }
}

impl World {
    pub(crate) fn new(site: &'static str) -> World {
        World {
            site,
            deployment: Deployment::new("test"),
            state: State::default(),
            objects: BTreeMap::new(),
            uses: BTreeMap::new(),
            silent: BTreeSet::new(),
            problems: Vec::new(),
            fixed: BTreeSet::new(),
            lacks: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// A world in which a text was applied.
    pub(crate) fn with(text: &str) -> World {
        let mut world = World::new(SITE);
        world.up(text);
        world
    }

    pub(crate) fn observed(&self, text: &Text) -> ObservedState {
        use tcloud_model::Evaluator as _;
        let declared = text.desired().resources.keys().filter(|a| a.kind() == "host");
        let hosts: BTreeSet<Address> =
            declared.cloned().chain(self.objects.keys().map(|place| place.0.clone())).collect();
        let hosts = hosts.into_iter().map(|host| {
            let answers = !self.silent.contains(&host);
            let facts = HostFacts {
                vcpus: 64,
                memory: 1 << 38,
                version: "test".to_owned(),
                pools: Vec::new(),
                migrates: !self.fixed.contains(&host),
                lacks: self.lacks.clone(),
            };
            let own = self.objects.iter().filter(|(place, _)| place.0 == host);
            HostObservation {
                facts: answers.then_some(facts),
                objects: own.filter(|_| answers).map(|(_, object)| object.clone()).collect(),
                problems: self.problems.clone(),
                host,
            }
        });
        ObservedState { hosts: hosts.collect() }
    }

    pub(crate) fn try_plan(&self, text: &str, wishes: &Wishes) -> Result<Plan, Vec<Diagnostic>> {
        self.with_input(text, wishes, |input| {
            let plan = plan(input)?;
            if wishes.goal == Goal::Apply {
                self.is_not_doubted(&plan, input);
            }
            Ok(plan)
        })
    }

    /// What keeps a plan from being believed at this time.
    pub(crate) fn doubts(&self, text: &str, plan: &Plan) -> Vec<String> {
        self.with_input(text, &wishes(), |input| doubts(plan, input))
    }

    /// What of a plan has no room at this time.
    pub(crate) fn crowded(&self, text: &str, plan: &Plan) -> Vec<String> {
        let crowded = self.with_input(text, &wishes(), |input| crowded(plan, input));
        crowded.expect("it can be followed").into_iter().map(|(_, what)| what).collect()
    }

    fn with_input<T>(&self, text: &str, wishes: &Wishes, work: impl FnOnce(&Input<'_>) -> T) -> T {
        let text = Text::new(&format!("{}{text}", self.site));
        work(&Input {
            deployment: &self.deployment,
            evaluator: &text,
            sources: &text.sources,
            catalog: &Catalog::core(),
            state: &self.state,
            observed: &self.observed(&text),
            now: self.now,
            wishes,
        })
    }

    /// What a plan asks is told from its steps too, and none of it can be left out.
    fn is_not_doubted(&self, plan: &Plan, input: &Input<'_>) {
        assert_eq!(doubts(plan, input), [""; 0]);
        assert!(crowded(plan, input).is_ok_and(|crowded| crowded.is_empty()));
        for at in 0..plan.decisions.len() {
            let mut other = plan.clone();
            let gone = other.decisions.remove(at);
            let doubts = doubts(&other, input);
            let about = format!("decision `{}` about {}", gone.kind.word(), gone.address);
            assert!(doubts.iter().any(|doubt| doubt.contains(&about)), "{about}: {doubts:?}");
        }
    }

    pub(crate) fn plan_with(&self, text: &str, wishes: &Wishes) -> Plan {
        self.try_plan(text, wishes).unwrap_or_else(|problems| {
            let all: Vec<String> =
                problems.iter().map(|p| format!("{}: {}", p.code, p.message)).collect();
            panic!("no plan:\n{}", all.join("\n"))
        })
    }

    pub(crate) fn plan(&self, text: &str) -> Plan {
        self.plan_with(text, &wishes())
    }

    /// The codes and messages of a text that cannot be planned.
    pub(crate) fn refuses(&self, text: &str) -> Vec<String> {
        let problems = self.try_plan(text, &wishes()).expect_err("it should not be planned");
        for problem in &problems {
            assert!(problem.help.is_some(), "{} has no help", problem.message);
        }
        problems.iter().map(|p| format!("{} {}", p.code, p.message)).collect()
    }

    /// Plans and applies; then nothing is left to do, with the record and without it.
    pub(crate) fn up(&mut self, text: &str) -> Plan {
        self.up_with(text, &wishes())
    }

    pub(crate) fn up_with(&mut self, text: &str, wishes: &Wishes) -> Plan {
        let plan = self.plan_with(text, wishes);
        assert!(!plan.needs_decision(), "open decisions: {:?}", plan.decisions);
        self.apply(&plan);
        if wishes.goal == Goal::Apply && wishes.target.is_empty() && wishes.exclude.is_empty() {
            assert_eq!(lines(&self.plan(text)), Vec::<String>::new(), "after the apply");
            let lost = World { state: State::default(), ..self.clone() };
            assert_eq!(lines(&lost.plan(text)), Vec::<String>::new(), "without the record");
        }
        plan
    }

    pub(crate) fn apply(&mut self, plan: &Plan) {
        self.apply_some(plan, plan.steps.len());
    }

    /// Carries out the first steps, as a run does that dies.
    pub(crate) fn apply_some(&mut self, plan: &Plan, count: usize) {
        // As apply does, before it begins: is everything as the plan saw it?
        for step in &plan.steps {
            let Some(operation) = &step.operation else { continue };
            let live = self.objects.get(&place(operation));
            match step.expects {
                Expectation::Absent => assert!(live.is_none(), "{} is there", operation.object),
                Expectation::Present(digest) => {
                    let live = live.unwrap_or_else(|| panic!("{} is gone", operation.object));
                    assert_eq!(live.digest(), digest, "{} changed", operation.object);
                }
                Expectation::Earlier => {}
            }
        }
        for step in plan.steps.iter().take(count) {
            self.step(step);
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        self.ask(step);
        for (id, record) in &step.records {
            match record {
                Some(record) => self.state.records.insert(id.clone(), (**record).clone()),
                None => self.state.records.remove(id),
            };
        }
    }

    fn ask(&mut self, step: &Step) {
        let Some(operation) = &step.operation else { return };
        let place = place(operation);
        for (reference, identity) in &operation.references {
            let host = match &operation.action {
                OperationKind::Migrate { to, .. } => &to.host,
                _ => &operation.object.host,
            };
            let at = (host.clone(), class(reference.kind()), identity.name.clone());
            let coming = matches!(operation.action, OperationKind::Migrate { .. });
            let attached =
                matches!(reference.kind().as_str(), "network" | "volume" | "disk" | "image");
            assert!(
                coming || !attached || self.objects.contains_key(&at),
                "{} refers to {at:?}, which is not there",
                operation.object
            );
        }
        self.perform(operation, place);
    }

    fn perform(&mut self, operation: &Operation, place: Place) {
        match &operation.action {
            OperationKind::Create { attributes, stamp } => {
                let kind = &operation.kind;
                let guest = kind == "vm";
                let object = ObservedObject {
                    kind: kind.clone(),
                    name: operation.identity.name.clone(),
                    uuid: Some(operation.identity.uuid),
                    stamp: Some(stamp.clone()),
                    attributes: Arc::clone(attributes),
                    pending: Arc::default(),
                    written: matches!(kind.as_str(), "volume" | "disk").then_some(0),
                    running: guest.then(|| attributes.flag("running").unwrap_or(true)),
                    kept: Vec::new(),
                    holds: Vec::new(),
                    room: None,
                };
                self.objects.insert(place.clone(), object);
                self.attach(operation, place);
            }
            OperationKind::Update { attributes, changed, power_cycle, stamp } => {
                let object = self.objects.get_mut(&place).expect("it is there");
                object.stamp = Some(stamp.clone());
                update(object, attributes, changed, *power_cycle);
                self.attach(operation, place);
            }
            OperationKind::Delete => {
                let used = (class(&operation.kind), operation.identity.name.clone());
                for (user, uses) in self.uses.iter().filter(|(user, _)| user.0 == place.0) {
                    assert!(!uses.contains(&used), "{used:?} is in use by {user:?}");
                }
                self.objects.remove(&place).expect("it is there");
                self.uses.remove(&place);
            }
            OperationKind::Stamp { stamp, .. } => {
                let object = self.objects.get_mut(&place).expect("it is there");
                let old = object.stamp.replace(stamp.clone()).map(|stamp| stamp.address);
                if let Some(old) = old.filter(|old| *old != stamp.address) {
                    self.rename(&old, &stamp.address);
                }
            }
            OperationKind::Unstamp => {
                self.objects.get_mut(&place).expect("it is there").stamp = None;
            }
            OperationKind::Migrate { to, volumes, attributes, stamp } => {
                for (volume, identity) in volumes {
                    let from =
                        (volume.host.clone(), class(volume.address.kind()), identity.name.clone());
                    let object = self.objects.remove(&from).expect("the volume is there");
                    self.objects.insert((to.host.clone(), from.1, from.2), object);
                }
                let mut object = self.objects.remove(&place).expect("it is there");
                object.stamp = Some(stamp.clone());
                object.attributes = Arc::clone(attributes);
                self.uses.remove(&place);
                let there = (to.host.clone(), place.1, place.2);
                self.objects.insert(there.clone(), object);
                self.attach(operation, there);
            }
        }
    }

    /// Hypervisors know what they refer to by name; its address is what its stamp says.
    fn rename(&mut self, old: &Address, new: &Address) {
        for object in self.objects.values_mut() {
            let text = serde_json::to_string(&*object.attributes).expect("JSON");
            let renamed = text.replace(&format!("\"{old}\""), &format!("\"{new}\""));
            object.attributes = Arc::new(serde_json::from_str(&renamed).expect("JSON"));
        }
    }

    fn attach(&mut self, operation: &Operation, place: Place) {
        if operation.kind != "vm" {
            return;
        }
        let attached = |kind: &str| matches!(kind, "network" | "volume" | "disk");
        let uses = operation.references.iter().filter(|(to, _)| attached(to.kind()));
        let uses = uses.map(|(to, identity)| (class(to.kind()), identity.name.clone())).collect();
        self.uses.insert(place.clone(), uses);
        self.is_not_shared(&place);
    }

    /// Two guests have neither a volume, while they run, nor an address in one network. Where there are
    /// thousands, nobody looks.
    fn is_not_shared(&self, place: &Place) {
        if self.objects.len() > 100 {
            return;
        }
        let own = &self.objects[place];
        let of = |object: &ObservedObject| object.stamp.as_ref().map(|stamp| stamp.address.clone());
        let others = self.objects.iter().filter(|(other, object)| {
            other.0 == place.0 && *other != place && object.kind == "vm" && of(object) != of(own)
        });
        for (other, object) in others {
            let shared = self.uses[place].intersection(&self.uses[other]);
            let mut volumes = shared.filter(|(kind, _)| kind == "volume");
            let run = own.running == Some(true) && object.running == Some(true);
            assert!(!run || volumes.next().is_none(), "{place:?} shares a volume with {other:?}");
            let (own, other) = (numbers(own), numbers(object));
            let shared = own.iter().find(|number| other.contains(number));
            assert!(shared.is_none(), "{place:?} shares {shared:?} with {}", object.name);
        }
    }

    /// The object of an address, wherever it is.
    pub(crate) fn live(&mut self, text: &str) -> &mut ObservedObject {
        let wanted = address(text);
        let mut of = self.objects.values_mut();
        of.find(|object| object.stamp.as_ref().is_some_and(|stamp| stamp.address == wanted))
            .unwrap_or_else(|| panic!("{text} is not there"))
    }

    /// Removes an object behind everybody's back.
    pub(crate) fn lose(&mut self, text: &str) {
        let wanted = address(text);
        self.objects.retain(|_, object| object.stamp.as_ref().is_none_or(|s| s.address != wanted));
    }

    /// Changes an attribute by hand.
    pub(crate) fn tamper(&mut self, text: &str, attribute: &str, value: Value) {
        let object = self.live(text);
        let mut fields = (*object.attributes).clone();
        fields.insert(attribute, value);
        object.attributes = Arc::new(fields);
    }
}

/// The addresses and MACs of a guest, each with its network.
fn numbers(guest: &ObservedObject) -> Vec<(Value, Value)> {
    let nics = guest.attributes.map("nic").into_iter().flat_map(|nics| nics.iter());
    let fields = nics.filter_map(|(_, nic)| match nic {
        Value::Map(nic) => Some((nic.get("network")?.clone(), nic.clone())),
        _ => None,
    });
    let numbers = fields.flat_map(|(network, nic)| {
        let all = ["address", "mac"].into_iter().filter_map(move |name| nic.get(name).cloned());
        all.map(move |number| (network.clone(), number)).collect::<Vec<_>>()
    });
    numbers.collect()
}

/// Disks and volumes are the same to a hypervisor.
fn class(kind: &str) -> Name {
    Name::new(if kind == "disk" { "volume" } else { kind })
}

fn place(operation: &Operation) -> Place {
    (operation.object.host.clone(), class(&operation.kind), operation.identity.name.clone())
}

fn update(object: &mut ObservedObject, wanted: &Fields, changed: &[AttrPath], power_cycle: bool) {
    let mut live = (*object.attributes).clone();
    let mut pending = (*object.pending).clone();
    let schema = Catalog::core().get(&object.kind).cloned().expect("a known kind");
    for path in changed {
        let Some(PathStep::Field(name)) = path.0.first() else { continue };
        let after = wanted.get(name);
        let waits = object.running == Some(true)
            && !power_cycle
            && schema.attribute(name).is_some_and(|attribute| {
                attribute.cost.of(live.get(name), after, &live) == Impact::PowerCycle
            });
        let into = if waits { &mut pending } else { &mut live };
        match after {
            Some(value) => into.insert(name.clone(), value.clone()),
            None if waits => into.insert(name.clone(), Value::None),
            None => into.remove(name),
        };
        if !waits || pending.get(name) == live.get(name) {
            pending.remove(name);
        }
    }
    if power_cycle {
        live = live.overlaid(&pending);
        pending = Fields::new();
    }
    if object.running.is_some() {
        object.running = live.flag("running").or(Some(true));
    }
    object.attributes = Arc::new(live);
    object.pending = Arc::new(pending);
}

/// The name of an address for short: `a`, `web[1]`, `web.root`.
pub(crate) fn short(address: &Address) -> String {
    match address.parent().filter(|parent| parent.kind() == "vm") {
        Some(vm) => format!("{}.{}", vm.last_name(), address.last_name()),
        None => address.last_name(),
    }
}

/// The changes of a plan, one a line: action, name, impact, reason.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    let line = |change: &tcloud_planner::plan::Change| {
        let action = match change.action {
            Action::ReplaceDeleteFirst => "replace-",
            Action::ReplaceCreateFirst => "replace+",
            other => other.word(),
        };
        let attributes: Vec<String> =
            change.attributes.iter().map(|attribute| attribute.path.to_string()).collect();
        let waits = if change.waits { " waits" } else { "" };
        let mut line =
            format!("{action} {}: {}{waits}", short(&change.object.address), change.impact);
        if !attributes.is_empty() {
            line.push_str(&format!(" {}", attributes.join(",")));
        }
        line
    };
    plan.changes.iter().map(line).collect()
}

/// What the steps do, by name: `create a`, `delete a` (with `old` where there is a newer one).
pub(crate) fn step_names(plan: &Plan) -> Vec<String> {
    let name = |step: &Step| {
        let change = &plan.changes[step.change as usize];
        let word = match &step.operation {
            Some(operation) => operation.action.word(),
            None => "record",
        };
        let object = step.operation.as_ref().map_or(&change.object, |operation| &operation.object);
        format!("{word} {}", short(&object.address))
    };
    plan.steps.iter().map(name).collect()
}

/// Asserts that each step of `chain` (`"delete b < delete a < create a"`) waits for the one before.
pub(crate) fn assert_order(plan: &Plan, chain: &str) {
    let names = step_names(plan);
    let find = |name: &str| {
        let at = names.iter().position(|own| own == name);
        StepId(at.unwrap_or_else(|| panic!("no step {name:?} among {names:?}")) as u32)
    };
    let words: Vec<&str> = chain.split('<').map(str::trim).collect();
    for pair in words.windows(2) {
        let (first, then) = (find(pair[0]), find(pair[1]));
        assert!(waits(plan, then, first), "{} does not wait for {} in {names:?}", pair[1], pair[0]);
    }
}

/// Whether two steps may run at the same time.
pub(crate) fn waits(plan: &Plan, then: StepId, first: StepId) -> bool {
    let step = &plan.steps[then.0 as usize];
    step.after.iter().any(|earlier| *earlier == first || waits(plan, *earlier, first))
}
