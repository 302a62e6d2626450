//! Simulated hypervisors: they do what operations ask, under the contract that every provider
//! keeps, and refuse what a real host would refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Catalog, Fields, HostFacts, HostObservation, Identity, Impact, Name,
    ObservedObject, Operation, OperationKind, PathStep, Stamp, Value,
};
use tcloud_provider::ProviderError;
use uuid::Uuid;

/// Class and name: what is unique on a host.
pub(crate) type Key = (Name, Name);

/// How much of an operation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Half,
}

/// All hosts with everything on them.
#[derive(Clone)]
pub(crate) struct Hypervisors {
    deployment: Uuid,
    catalog: Arc<Catalog>,
    pub(crate) hosts: BTreeMap<Address, BTreeMap<Key, ObservedObject>>,
    /// What guests are attached to.
    uses: BTreeMap<(Address, Key), BTreeSet<Key>>,
    /// Every identity that ever existed.
    pub(crate) made: BTreeSet<(Address, Uuid)>,
}

type Answer = Result<Option<ObservedObject>, ProviderError>;

impl Hypervisors {
    pub(crate) fn new(deployment: Uuid, hosts: &[Address], catalog: Arc<Catalog>) -> Hypervisors {
        let hosts = hosts.iter().map(|host| (host.clone(), BTreeMap::new())).collect();
        Hypervisors { deployment, catalog, hosts, uses: BTreeMap::new(), made: BTreeSet::new() }
    }

    /// Everything on a host.
    pub(crate) fn observe(&self, host: &Address) -> HostObservation {
        let objects = self.hosts.get(host).into_iter().flat_map(BTreeMap::values).cloned();
        let facts = HostFacts {
            vcpus: 64,
            memory: 1 << 38,
            version: "simulated".to_owned(),
            pools: Vec::new(),
            migrates: true,
            lacks: Vec::new(),
        };
        HostObservation {
            host: host.clone(),
            facts: Some(facts),
            objects: objects.collect(),
            problems: Vec::new(),
        }
    }

    /// The object of this identity.
    pub(crate) fn look(&self, operation: &Operation) -> Option<&ObservedObject> {
        let Operation { object, kind, identity, .. } = operation;
        self.hosts.get(&object.host)?.values().find(|own| own.is(kind, identity))
    }

    /// Everything that carries our stamp, with its host.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&Address, &ObservedObject, &Stamp)> {
        let all = self.hosts.iter().flat_map(|(host, own)| own.values().map(move |o| (host, o)));
        all.filter_map(|(host, object)| {
            let stamp =
                object.stamp.as_ref().filter(|stamp| stamp.deployment == self.deployment)?;
            Some((host, object, stamp))
        })
    }

    /// Everything that does not.
    pub(crate) fn foreign(&self) -> BTreeMap<(Address, Key), ObservedObject> {
        let all = self.hosts.iter().flat_map(|(host, own)| own.iter().map(move |o| (host, o)));
        let foreign = all.filter(|(_, (_, object))| {
            object.stamp.as_ref().is_none_or(|stamp| stamp.deployment != self.deployment)
        });
        foreign.map(|(host, (key, object))| ((host.clone(), key.clone()), object.clone())).collect()
    }

    /// Carries out an operation.
    pub(crate) fn perform(&mut self, operation: &Operation, extent: Extent) -> Answer {
        let host = operation.object.host.clone();
        let key = (class(&operation.kind), operation.identity.name.clone());
        self.refuse_strangers(operation, &host, &key)?;
        match &operation.action {
            OperationKind::Create { attributes, stamp } => {
                self.check_references(operation, &host)?;
                self.create(operation, &host, key, (attributes, stamp), extent)
            }
            OperationKind::Update { attributes, changed, power_cycle, stamp } => {
                self.check_references(operation, &host)?;
                let half = changed.len() / 2;
                let changed = if extent == Extent::Half { &changed[..half] } else { changed };
                let schema = Arc::clone(&self.catalog);
                let object = self.present(&host, &key)?;
                change(object, &schema, attributes, changed, *power_cycle);
                if extent == Extent::Whole {
                    object.stamp = Some(stamp.clone());
                }
                let answer = object.clone();
                self.attach(operation, &host, key);
                Ok(Some(answer))
            }
            OperationKind::Delete if extent == Extent::Half => Ok(None),
            OperationKind::Delete => self.delete(&host, &key),
            OperationKind::Stamp { stamp, .. } => self.stamp(&host, &key, stamp),
            OperationKind::Unstamp => {
                let own = self.hosts.get_mut(&host).and_then(|own| own.get_mut(&key));
                Ok(own.map(|object| {
                    object.stamp = None;
                    object.clone()
                }))
            }
            OperationKind::Migrate { .. } => self.migrate(operation, &host, key, extent),
        }
    }

    /// What is not ours is refused, except to an adoption.
    fn refuse_strangers(
        &self,
        operation: &Operation,
        host: &Address,
        key: &Key,
    ) -> Result<(), ProviderError> {
        let Some(object) = self.hosts.get(host).and_then(|own| own.get(key)) else { return Ok(()) };
        let ours = object.stamp.as_ref().is_some_and(|stamp| stamp.deployment == self.deployment);
        let adopts = matches!(operation.action, OperationKind::Stamp { adopt: true, .. });
        let unstamped = matches!(operation.action, OperationKind::Unstamp);
        match (ours, object.stamp.is_none()) {
            (true, _) if object.uuid == Some(operation.identity.uuid) => Ok(()),
            (true, _) => Err(refused(format!("{} is another object", key.1))),
            (false, true) if adopts || unstamped => Ok(()),
            (false, _) => Err(refused(format!("{} is not ours", key.1))),
        }
    }

    fn check_references(&self, operation: &Operation, host: &Address) -> Result<(), ProviderError> {
        let own = self.hosts.get(host);
        for key in attached(operation) {
            if !own.is_some_and(|own| own.contains_key(&key)) {
                return Err(refused(format!("there is no {} {}", key.0, key.1)));
            }
        }
        Ok(())
    }

    fn create(
        &mut self,
        operation: &Operation,
        host: &Address,
        key: Key,
        (attributes, stamp): (&Arc<Fields>, &Stamp),
        extent: Extent,
    ) -> Answer {
        let Operation { kind, identity, .. } = operation;
        let guest = kind == "vm";
        let runs = attributes.flag("running").unwrap_or(true) && extent == Extent::Whole;
        let mut attributes = (**attributes).clone();
        if extent == Extent::Half && guest {
            attributes.insert("title", Value::None);
            attributes.insert("running", Value::Bool(false));
        }
        let own = self.hosts.entry(host.clone()).or_default();
        let written = own.get(&key).and_then(|before| before.written);
        let holds = matches!(kind.as_str(), "volume" | "disk");
        let object = ObservedObject {
            kind: kind.clone(),
            name: identity.name.clone(),
            uuid: Some(identity.uuid),
            stamp: Some(stamp.clone()),
            attributes: Arc::new(attributes),
            pending: Arc::default(),
            written: written.or(holds.then_some(0)),
            running: guest.then_some(runs),
            kept: Vec::new(),
            holds: Vec::new(),
            room: None,
        };
        own.insert(key.clone(), object.clone());
        self.made.insert((host.clone(), identity.uuid));
        self.attach(operation, host, key);
        Ok(Some(object))
    }

    /// A guest that is attached to a volume writes to it.
    fn attach(&mut self, operation: &Operation, host: &Address, key: Key) {
        if operation.kind != "vm" {
            return;
        }
        let uses: BTreeSet<Key> = attached(operation).collect();
        for used in &uses {
            let object = self.hosts.get_mut(host).and_then(|own| own.get_mut(used));
            if let Some(written) = object.and_then(|object| object.written.as_mut()) {
                *written = (*written).max(1 << 20);
            }
        }
        self.uses.insert((host.clone(), key), uses);
    }

    fn present(&mut self, host: &Address, key: &Key) -> Result<&mut ObservedObject, ProviderError> {
        let object = self.hosts.get_mut(host).and_then(|own| own.get_mut(key));
        object.ok_or_else(|| refused(format!("there is no {} {}", key.0, key.1)))
    }

    fn delete(&mut self, host: &Address, key: &Key) -> Answer {
        let mut users = self.uses.iter().filter(|((at, _), _)| at == host);
        if let Some(((_, user), _)) = users.find(|(_, uses)| uses.contains(key)) {
            return Err(refused(format!("{} is in use by {}", key.1, user.1)));
        }
        self.remove(host, key);
        Ok(None)
    }

    /// Takes an object away, whoever uses it.
    pub(crate) fn remove(&mut self, host: &Address, key: &Key) -> Option<ObservedObject> {
        self.uses.remove(&(host.clone(), key.clone()));
        self.hosts.get_mut(host)?.remove(key)
    }

    /// Whether a guest is attached to it.
    pub(crate) fn is_used(&self, host: &Address, key: &Key) -> bool {
        self.uses.iter().any(|((at, _), uses)| at == host && uses.contains(key))
    }

    fn stamp(&mut self, host: &Address, key: &Key, stamp: &Stamp) -> Answer {
        let object = self.present(host, key)?;
        let before = object.stamp.replace(stamp.clone()).map(|before| before.address);
        let uuid = object.uuid;
        self.made.extend(uuid.map(|uuid| (host.clone(), uuid)));
        if let Some(before) = before.filter(|before| *before != stamp.address) {
            // A host knows by name what its guests use, and shows the address of its stamp.
            let own = self.hosts.get_mut(host).into_iter().flat_map(BTreeMap::values_mut);
            own.for_each(|object| {
                object.attributes = Arc::new(renamed(&object.attributes, &before, &stamp.address));
            });
        }
        self.present(host, key).cloned().map(Some)
    }

    fn migrate(&mut self, operation: &Operation, host: &Address, key: Key, e: Extent) -> Answer {
        let OperationKind::Migrate { to, volumes, attributes, stamp } = &operation.action else {
            return Err(refused("this is no migration"));
        };
        for (volume, Identity { name, .. }) in volumes {
            let volume = (class(volume.address.kind()), name.clone());
            self.carry(host, &to.host, &volume);
        }
        if e == Extent::Half {
            return Ok(None);
        }
        self.carry(host, &to.host, &key);
        let object = self.present(&to.host, &key)?;
        object.stamp = Some(stamp.clone());
        object.attributes = Arc::clone(attributes);
        let answer = object.clone();
        self.attach(operation, &to.host, key);
        Ok(Some(answer))
    }

    fn carry(&mut self, from: &Address, to: &Address, key: &Key) {
        let Some(object) = self.remove(from, key) else { return };
        self.made.extend(object.uuid.map(|uuid| (to.clone(), uuid)));
        self.hosts.entry(to.clone()).or_default().insert(key.clone(), object);
    }
}

fn refused(message: impl Into<String>) -> ProviderError {
    ProviderError::permanent(message)
}

/// Disks and volumes are the same to a hypervisor.
fn class(kind: &str) -> Name {
    Name::new(if kind == "disk" { "volume" } else { kind })
}

/// What an operation's guest is attached to.
fn attached(operation: &Operation) -> impl Iterator<Item = Key> {
    let of_guest = operation.kind == "vm";
    let kinds = ["network", "volume", "disk"];
    operation
        .references
        .iter()
        .filter(move |(to, _)| of_guest && kinds.contains(&to.kind().as_str()))
        .map(|(to, identity)| (class(to.kind()), identity.name.clone()))
}

/// A change of attributes: what a running guest cannot take waits for its next start.
fn change(
    object: &mut ObservedObject,
    catalog: &Catalog,
    wanted: &Fields,
    changed: &[AttrPath],
    power_cycle: bool,
) {
    let mut live = (*object.attributes).clone();
    let mut pending = (*object.pending).clone();
    let Some(schema) = catalog.get(&object.kind) else { return };
    for path in changed {
        let Some(PathStep::Field(name)) = path.0.first() else { continue };
        let after = wanted.get(name);
        let cost = schema.attribute(name).map(|own| own.cost.of(live.get(name), after, &live));
        let waits = object.running == Some(true) && cost == Some(Impact::PowerCycle);
        let into = if waits && !power_cycle { &mut pending } else { &mut live };
        match after {
            Some(value) => {
                into.insert(name.clone(), value.clone());
            }
            None if waits && !power_cycle => {
                into.insert(name.clone(), Value::None);
            }
            None => {
                into.remove(name);
            }
        }
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

fn renamed(fields: &Fields, before: &Address, after: &Address) -> Fields {
    fn value(own: &Value, before: &Address, after: &Address) -> Value {
        match own {
            Value::Ref(address) if address == before => Value::Ref(after.clone()),
            Value::List(items) => {
                Value::list(items.iter().map(|item| value(item, before, after)).collect())
            }
            Value::Map(fields) => Value::map(renamed(fields, before, after)),
            other => other.clone(),
        }
    }
    fields.iter().map(|(name, own)| (name.clone(), value(own, before, after))).collect()
}
