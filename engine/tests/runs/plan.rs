//! A planner of a few lines: what is wanted, as names with sizes and what they need, against what
//! is observed and remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Fields, FieldsDigest, Identity, Impact, ObjectId, ObservedObject,
    ObservedState, Operation, OperationKind, Record, Stamp, State, Value,
};
use tcloud_planner::plan::{Action, Change, Expectation, Plan, Reason, Step, StepId};

use crate::world::{deployment, host};

/// What is wanted: `a 1 on 1`, `b 2 on 2 after a`; a size, a host, and what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) object: ObjectId,
    pub(crate) attributes: Arc<Fields>,
    pub(crate) needs: Vec<Address>,
}

/// Reads lines of the form `NAME SIZE [on HOST] [after NAME…]`; a name is `tenant/volume`.
pub(crate) fn wanted(text: &str) -> BTreeMap<Address, Wanted> {
    let mut all = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let address = address(words.next().expect(line));
        let size = words.next().and_then(|size| size.parse().ok()).expect(line);
        let rest: Vec<&str> = words.collect();
        let after = rest.iter().position(|word| *word == "after").unwrap_or(rest.len());
        let on = rest[..after].iter().find_map(|word| word.parse().ok()).unwrap_or(1);
        let needs: Vec<Address> =
            rest.iter().skip(after + 1).map(|name| self::address(name)).collect();
        let mut attributes = Fields::new();
        attributes.insert("size", Value::Bytes(size));
        let object = ObjectId { address: address.clone(), host: host(on), incarnation: 0 };
        all.insert(address, Wanted { object, attributes: Arc::new(attributes), needs });
    }
    all
}

pub(crate) fn address(name: &str) -> Address {
    let (tenant, volume) = name.split_once('/').unwrap_or(("t", name));
    format!("tenant.{tenant}.volume.{volume}").parse().expect(name)
}

/// The name on the hypervisor of a volume of tenant `t`.
pub(crate) fn name(volume: &str) -> String {
    let (tenant, volume) = volume.split_once('/').unwrap_or(("t", volume));
    format!("{tenant}.volume-{volume}")
}

fn stamp(wanted: &Wanted) -> Stamp {
    Stamp {
        deployment: deployment().id,
        address: wanted.object.address.clone(),
        incarnation: 0,
        digest: FieldsDigest::Of(Arc::clone(&wanted.attributes)),
        protect: false,
        create_first: false,
        dependencies: wanted.needs.clone().into(),
        triggers: None,
        previous: None,
        generation: 0,
    }
}

pub(crate) fn record(wanted: &Wanted) -> Record {
    Record {
        kind: wanted.object.address.kind().clone(),
        identity: Identity::derive(&deployment(), &wanted.object, false),
        attributes: Arc::clone(&wanted.attributes),
        stamp: stamp(wanted),
    }
}

/// The plan from nothing.
pub(crate) fn from_nothing(text: &str) -> Plan {
    plan(&wanted(text), &ObservedState::default(), &State::default())
}

/// The plan that makes the world what is wanted.
pub(crate) fn plan(
    wanted: &BTreeMap<Address, Wanted>,
    observed: &ObservedState,
    state: &State,
) -> Plan {
    let mut found = BTreeMap::new();
    for host in &observed.hosts {
        for object in &host.objects {
            if let Some(stamp) = &object.stamp {
                found.insert(stamp.address.clone(), (host.host.clone(), object));
            }
        }
    }
    let mut steps = Steps { plan: empty(), by_address: BTreeMap::new() };
    for wanted in in_order(wanted) {
        steps.make(wanted, found.get(&wanted.object.address).map(|(_, object)| *object), state);
    }
    for (address, (host, object)) in found.iter().rev() {
        if !wanted.contains_key(address) {
            steps.delete(address, host, object, &found);
        }
    }
    for object in state.records.keys() {
        if !wanted.contains_key(&object.address) && !found.contains_key(&object.address) {
            let change = (object.clone(), None);
            steps.add(
                object.clone(),
                Action::Forget,
                None,
                Expectation::Absent,
                change,
                Vec::new(),
            );
        }
    }
    steps.plan
}

/// What is needed comes before what needs it.
fn in_order(wanted: &BTreeMap<Address, Wanted>) -> Vec<&Wanted> {
    let mut order: Vec<&Wanted> = Vec::new();
    let mut placed = std::collections::BTreeSet::new();
    while order.len() < wanted.len() {
        let ready: Vec<&Wanted> = wanted
            .values()
            .filter(|w| !placed.contains(&w.object.address))
            .filter(|w| w.needs.iter().all(|need| placed.contains(need)))
            .collect();
        assert!(!ready.is_empty(), "what is wanted needs itself");
        placed.extend(ready.iter().map(|w| w.object.address.clone()));
        order.extend(ready);
    }
    order
}

struct Steps {
    plan: Plan,
    by_address: BTreeMap<Address, StepId>,
}

impl Steps {
    fn make(&mut self, wanted: &Wanted, found: Option<&ObservedObject>, state: &State) {
        let mut record = record(wanted);
        if let Some(stamp) = found.and_then(|object| object.stamp.clone()) {
            record.stamp.generation = stamp.generation;
        }
        let known = state.records.get(&wanted.object) == Some(&record);
        let size = |fields: &Fields| fields.get("size").cloned();
        let same = found.is_some_and(|object| {
            size(&object.attributes) == size(&wanted.attributes)
                && object.stamp.as_ref() == Some(&record.stamp)
        });
        if same && known {
            return;
        }
        let (attributes, stamp) = (Arc::clone(&record.attributes), record.stamp.clone());
        let (action, kind, expects) = match found {
            Some(object) => {
                let changed = vec![AttrPath::attribute("size")];
                let kind = OperationKind::Update { attributes, changed, power_cycle: false, stamp };
                (Action::Update, kind, Expectation::Present(object.digest()))
            }
            None => {
                (Action::Create, OperationKind::Create { attributes, stamp }, Expectation::Absent)
            }
        };
        let operation = (!same).then(|| Operation {
            object: wanted.object.clone(),
            kind: record.kind.clone(),
            identity: record.identity.clone(),
            action: kind,
            references: Vec::new(),
        });
        let after = wanted.needs.iter().filter_map(|need| self.by_address.get(need).copied());
        let after = after.collect();
        let change = (wanted.object.clone(), Some(Arc::new(record)));
        self.add(wanted.object.clone(), action, operation, expects, change, after);
    }

    /// What needs an object is deleted before it.
    fn delete(
        &mut self,
        address: &Address,
        host: &Address,
        object: &ObservedObject,
        found: &BTreeMap<Address, (Address, &ObservedObject)>,
    ) {
        if self.by_address.contains_key(address) {
            return;
        }
        let mut after = Vec::new();
        for (other, (host, dependent)) in found {
            let stamp = dependent.stamp.as_ref().expect("it is ours");
            if stamp.dependencies.contains(address) && other != address {
                self.delete(other, host, dependent, found);
                after.push(self.by_address[other]);
            }
        }
        after.sort();
        let id = ObjectId { address: address.clone(), host: host.clone(), incarnation: 0 };
        let operation = Operation {
            object: id.clone(),
            kind: object.kind.clone(),
            identity: Identity {
                uuid: object.uuid.expect("it has one"),
                name: object.name.clone(),
            },
            action: OperationKind::Delete,
            references: Vec::new(),
        };
        let expects = Expectation::Present(object.digest());
        self.add(id.clone(), Action::Delete, Some(operation), expects, (id, None), after);
    }

    fn add(
        &mut self,
        object: ObjectId,
        action: Action,
        operation: Option<Operation>,
        expects: Expectation,
        change: (ObjectId, Option<Arc<Record>>),
        after: Vec<StepId>,
    ) {
        let id = StepId(self.plan.steps.len() as u32);
        self.by_address.insert(object.address.clone(), id);
        self.plan.changes.push(Change {
            kind: object.address.kind().clone(),
            object,
            action,
            impact: Impact::None,
            waits: false,
            opens: None,
            until: None,
            reason: Reason::New,
            attributes: Vec::new(),
            causes: Vec::new(),
            previous_address: None,
            previous_host: None,
            guests: Vec::new(),
            written: None,
        });
        self.plan.steps.push(Step {
            id,
            change: id.0,
            operation,
            expects,
            records: vec![change],
            after,
        });
    }
}

pub(crate) fn empty() -> Plan {
    Plan::empty(deployment())
}
