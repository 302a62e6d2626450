//! Two texts compared, with no host asked: what following the second one would do where the first
//! one was applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcloud_model::{
    Address, Assigned, AttrPath, Catalog, Check, Deployment, DesiredGraph, Diagnostic, Evaluator,
    Fields, HostFacts, HostObservation, Name, ObservedObject, ObservedState, Operation,
    OperationKind, Output, Sources, Span, State, Timestamp,
};
use uuid::Uuid;

use crate::input::{Goal, Input, Wishes};
use crate::make::{self, name_of_existing};
use crate::plan::{Plan, Usage};

/// One of two configurations that are compared.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// What it asks for.
    pub evaluator: &'a dyn Evaluator,
    /// The text, to say where causes are.
    pub sources: &'a Sources,
}

/// Why two texts cannot be compared: one of them cannot be planned, even on hosts as it wants them.
#[derive(Debug)]
pub enum Unplannable {
    /// The first.
    Before(Vec<Diagnostic>),
    /// The second, where the first was applied.
    After(Vec<Diagnostic>),
}

/// What following `after` would do where `before` was applied: in an imagined world, on hosts that
/// answer and have what the texts expect of them. Hosts and addresses that tcloud chooses are those
/// that it would have chosen for `before` on empty hosts.
///
/// # Errors
/// When one of the two cannot be planned.
pub fn compare(
    deployment: &Deployment,
    catalog: &Catalog,
    now: Timestamp,
    before: Text<'_>,
    after: Text<'_>,
) -> Result<Plan, Unplannable> {
    let mut world =
        Imagined { deployment, catalog, now, state: State::default(), objects: BTreeMap::new() };
    let first = world.plan(before).map_err(Unplannable::Before)?;
    world.apply(first);
    let mut plan = world.plan(after).map_err(Unplannable::After)?;
    plan.foreign = 0;
    plan.usage.retain(|line| is_told(line, after.evaluator.desired()));
    plan.unchecked.push(
        "what runs: two texts are compared, and no host is asked; `tcloud plan` tells the rest"
            .to_owned(),
    );
    Ok(plan)
}

/// A world without hosts: what a text that was applied would have made.
struct Imagined<'a> {
    deployment: &'a Deployment,
    catalog: &'a Catalog,
    now: Timestamp,
    state: State,
    objects: BTreeMap<Place, ObservedObject>,
}

/// Host, kind and name.
type Place = (Address, Name, Name);

impl Imagined<'_> {
    /// The plan for a text, after what it expects to find was put there.
    fn plan(&mut self, text: Text<'_>) -> Result<Plan, Vec<Diagnostic>> {
        let desired = text.evaluator.desired();
        for (place, object) in existing(desired) {
            self.objects.entry(place).or_insert(object);
        }
        if !desired.adopted.is_empty() {
            let unclaimed = self.unclaimed(text)?;
            self.objects.extend(unclaimed);
        }
        self.try_plan(text)
    }

    fn try_plan(&self, text: Text<'_>) -> Result<Plan, Vec<Diagnostic>> {
        let wishes = Wishes {
            goal: Goal::Apply,
            target: Vec::new(),
            exclude: Vec::new(),
            replace: Vec::new(),
            allow_data_loss: Default::default(),
            allow_destroy: Default::default(),
            allow_exposure: Default::default(),
        };
        make::plan(&Input {
            deployment: self.deployment,
            evaluator: text.evaluator,
            sources: text.sources,
            catalog: self.catalog,
            state: &self.state,
            observed: &self.observed(text.evaluator.desired()),
            now: self.now,
            wishes: &wishes,
        })
    }

    /// The hosts of a text, as an engine would ask them.
    fn observed(&self, desired: &DesiredGraph) -> ObservedState {
        let hosts = desired.resources.keys().filter(|address| address.kind() == "host");
        let first = |host: &Address| (host.clone(), Name::new(""), Name::new(""));
        let answer = |host: &Address| HostObservation {
            host: host.clone(),
            facts: Some(facts()),
            objects: self
                .objects
                .range(first(host)..)
                .take_while(|((place, ..), _)| place == host)
                .map(|(_, object)| object.clone())
                .collect(),
            problems: Vec::new(),
        };
        ObservedState { hosts: hosts.map(answer).collect() }
    }

    /// What a text adopts and is not ours yet: as it would be if tcloud had made it, with nobody's
    /// stamp on it.
    fn unclaimed(&self, text: Text<'_>) -> Result<Vec<(Place, ObservedObject)>, Vec<Diagnostic>> {
        let unadopted = Unadopted::of(text.evaluator);
        let plan = self.try_plan(Text { evaluator: &unadopted, ..text })?;
        let mut unclaimed = Vec::new();
        for operation in plan.steps.into_iter().filter_map(|step| step.operation) {
            let adopted = text.evaluator.desired().adopted.iter();
            let mut adopted = adopted.filter(|own| own.address == operation.object.address);
            let Some(adoption) = adopted.next() else { continue };
            let called = &adoption.from;
            if let Some(mut object) = made(operation) {
                object.stamp = None;
                match called.parse() {
                    Ok(uuid) => object.uuid = Some(uuid),
                    // Whoever made it did not derive its UUID from an address of ours.
                    Err(_) => {
                        object.name = Name::new(called);
                        object.uuid = object.uuid.map(|own| Uuid::from_u128(!own.as_u128()));
                    }
                }
                unclaimed.push((place(&adoption.host, &object), object));
            }
        }
        Ok(unclaimed)
    }

    /// Carries out a plan of what was not there before: it creates and adopts.
    fn apply(&mut self, plan: Plan) {
        for step in plan.steps {
            for (id, record) in step.records {
                if let Some(record) = record {
                    self.state.records.insert(id, Arc::unwrap_or_clone(record));
                }
            }
            let Some(operation) = step.operation else { continue };
            let host = operation.object.host.clone();
            if let OperationKind::Stamp { stamp, .. } = operation.action {
                let Operation { kind, identity, .. } = operation;
                if let Some(object) = self.objects.get_mut(&(host, kind, identity.name)) {
                    object.stamp = Some(stamp);
                }
            } else if let Some(object) = made(operation) {
                self.objects.insert(place(&host, &object), object);
            }
        }
    }
}

fn place(host: &Address, object: &ObservedObject) -> Place {
    (host.clone(), object.kind.clone(), object.name.clone())
}

/// What an operation makes.
fn made(operation: Operation) -> Option<ObservedObject> {
    let Operation { kind, identity, action, .. } = operation;
    let OperationKind::Create { attributes, stamp } = action else { return None };
    let running = (kind == "vm").then(|| attributes.flag("running").unwrap_or(true));
    Some(ObservedObject {
        kind,
        name: identity.name,
        uuid: Some(identity.uuid),
        stamp: Some(stamp),
        attributes,
        pending: Arc::default(),
        written: None,
        running,
        kept: Vec::new(),
        holds: Vec::new(),
        room: None,
    })
}

/// What a text refers to and others have made, on every host.
fn existing(desired: &DesiredGraph) -> impl Iterator<Item = (Place, ObservedObject)> {
    let declared = desired.resources.iter().filter(|(_, resource)| resource.lifecycle.existing);
    let object = |(address, resource): (&Address, _)| ObservedObject {
        kind: address.kind().clone(),
        name: name_of_existing(address, resource),
        uuid: None,
        stamp: None,
        attributes: Arc::default(),
        pending: Arc::default(),
        written: None,
        running: None,
        kept: Vec::new(),
        holds: Vec::new(),
        room: None,
    };
    declared.map(object).flat_map(|object| {
        let hosts = desired.resources.keys().filter(|address| address.kind() == "host");
        hosts.map(move |host| (place(host, &object), object.clone()))
    })
}

/// A host with room for everything: how much it has in truth is not asked.
fn facts() -> HostFacts {
    HostFacts {
        vcpus: 1 << 24,
        memory: 1 << 50,
        version: String::new(),
        pools: Vec::new(),
        migrates: true,
        lacks: Vec::new(),
    }
}

/// Whether the table of capacities may tell of it: a host whose text says how much it has.
fn is_told(line: &Usage, desired: &DesiredGraph) -> bool {
    line.owner.kind() != "host"
        || desired.resources.get(&line.owner).is_some_and(|host| {
            let capacity = host.attributes.map("capacity");
            capacity.is_some_and(|capacity| capacity.get(&line.resource).is_some())
        })
}

/// A text in which nothing is adopted, and everything is made.
struct Unadopted<'a> {
    text: &'a dyn Evaluator,
    desired: DesiredGraph,
}

impl<'a> Unadopted<'a> {
    fn of(text: &'a dyn Evaluator) -> Unadopted<'a> {
        let DesiredGraph { resources, moved, adopted: _, forgotten, digest } = text.desired();
        let desired = DesiredGraph {
            resources: resources.clone(),
            moved: moved.clone(),
            adopted: Vec::new(),
            forgotten: forgotten.clone(),
            digest: *digest,
        };
        Unadopted { text, desired }
    }
}

impl Evaluator for Unadopted<'_> {
    fn desired(&self) -> &DesiredGraph {
        &self.desired
    }

    fn configure(
        &self,
        address: &Address,
        assigned: &dyn Assigned,
    ) -> Result<Arc<Fields>, Vec<Diagnostic>> {
        self.text.configure(address, assigned)
    }

    fn causes(&self, address: &Address, path: Option<&AttrPath>) -> Vec<Span> {
        self.text.causes(address, path)
    }

    fn outputs(&self, assigned: &dyn Assigned) -> Result<Vec<Output>, Vec<Diagnostic>> {
        self.text.outputs(assigned)
    }

    fn checks(&self, assigned: &dyn Assigned) -> Vec<Check> {
        self.text.checks(assigned)
    }
}
