//! The sweep over everything on a host. Half a million objects are read at once, so names, texts
//! and addresses that occur many times are shared.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tcloud_model::{
    Address, Fields, HostFacts, HostObservation, Key, Name, ObservedObject, Stamp, Value,
};
use uuid::Uuid;

use crate::class::Class;
use crate::failure::Failure;
use crate::host::Host;
use crate::object::{ALL, Object};
use crate::reference::held;
use crate::storage;

/// What the version of the simulated hypervisor is called.
pub(crate) const VERSION: &str = concat!("sim ", env!("CARGO_PKG_VERSION"));

impl Host<'_> {
    /// Everything on the host.
    pub(crate) fn observe(&self) -> Result<HostObservation, Failure> {
        let mut shared = Shared::default();
        let targets = self.targets(&mut shared)?;
        let mut objects = Vec::new();
        let mut statement = self.file.prepare_cached(ALL)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let object = Object::read(row)?;
            if !self.has_left(&object)? {
                objects.push(self.observed(object, &targets, &mut shared));
            }
        }
        objects.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(HostObservation {
            host: self.site.host.clone(),
            facts: Some(self.facts()?),
            objects,
            problems: Vec::new(),
        })
    }

    /// What the host has.
    pub(crate) fn facts(&self) -> Result<HostFacts, Failure> {
        Ok(HostFacts {
            vcpus: u32::try_from(self.script.vcpus).unwrap_or(u32::MAX),
            memory: self.script.memory,
            version: VERSION.to_owned(),
            pools: storage::pools(self.file, self.script)?,
        })
    }

    /// Where kept references lead to: every object with whose it is and its address.
    fn targets(&self, shared: &mut Shared) -> Result<Targets, Failure> {
        let sql = "SELECT class, name, deployment, address FROM object";
        let mut statement = self.file.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut targets = Targets::new();
        while let Some(row) = rows.next()? {
            let Some(class) = row.get_ref(0)?.as_str().ok().and_then(Class::of) else { continue };
            let name = Name::new(row.get_ref(1)?.as_str().unwrap_or_default());
            let owner = row.get::<_, Option<[u8; 16]>>(2)?.map(Uuid::from_bytes);
            let address = match row.get_ref(3)?.as_str_or_null().ok().flatten() {
                Some(text) => text.parse().ok(),
                None => None,
            };
            let address = address.map(|address| shared.address(&address));
            targets.insert((class, name), owner.zip(address));
        }
        Ok(targets)
    }

    fn observed(&self, object: Object, targets: &Targets, shared: &mut Shared) -> ObservedObject {
        let owner = object.stamp.as_ref().map(|stamp| stamp.deployment).or(self.site.deployment);
        let mut view = View { targets, owner, shared };
        ObservedObject {
            kind: view.shared.name(&object.kind),
            attributes: view.all(&object.live),
            pending: view.all(&object.pending),
            stamp: object.stamp.map(|stamp| view.shared.stamp(stamp)),
            name: object.name,
            uuid: Some(object.uuid),
            written: object.written,
            running: object.running,
        }
    }
}

/// Every object of a host; those that are stamped with whose they are and their address.
type Targets = HashMap<(Class, Name), Option<(Uuid, Address)>>;

/// How the fields of one object are seen.
struct View<'a> {
    targets: &'a Targets,
    owner: Option<Uuid>,
    shared: &'a mut Shared,
}

impl View<'_> {
    fn all(&mut self, fields: &Fields) -> Arc<Fields> {
        if fields.is_empty() {
            return Arc::clone(&self.shared.empty);
        }
        Arc::new(self.fields(fields))
    }

    fn fields(&mut self, fields: &Fields) -> Fields {
        fields.iter().map(|(name, value)| (self.shared.name(name), self.value(value))).collect()
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::Text(text) => Value::Text(self.shared.text(text)),
            Value::List(items) => Value::list(items.iter().map(|item| self.value(item)).collect()),
            Value::Map(fields) => Value::Map(self.all(fields)),
            Value::Ref(address) => self.reference(address),
            other => other.clone(),
        }
    }

    /// See [`Host::show`], which does the same for one object.
    fn reference(&mut self, address: &Address) -> Value {
        let Some(held) = held(address) else { return Value::Ref(self.shared.address(address)) };
        match (self.targets.get(&(held.class, held.name.clone())), held.asked) {
            (None, Some(asked)) => Value::Ref(self.shared.address(asked)),
            (Some(Some((owner, address))), _) if self.owner.is_none_or(|own| own == *owner) => {
                Value::Ref(address.clone())
            }
            _ => Value::text(held.name),
        }
    }
}

/// What occurs many times and is kept once.
#[derive(Default)]
struct Shared {
    names: HashSet<Name>,
    texts: HashSet<Arc<str>>,
    addresses: HashSet<Address>,
    empty: Arc<Fields>,
}

/// Longer texts hardly ever occur twice.
const LONGEST_SHARED: usize = 24;

impl Shared {
    fn name(&mut self, name: &Name) -> Name {
        if let Some(own) = self.names.get(name) {
            return own.clone();
        }
        self.names.insert(name.clone());
        name.clone()
    }

    fn text(&mut self, text: &Arc<str>) -> Arc<str> {
        if text.len() > LONGEST_SHARED {
            return Arc::clone(text);
        }
        if let Some(own) = self.texts.get(text) {
            return Arc::clone(own);
        }
        self.texts.insert(Arc::clone(text));
        Arc::clone(text)
    }

    fn address(&mut self, address: &Address) -> Address {
        if let Some(own) = self.addresses.get(address) {
            return own.clone();
        }
        let (kind, name) = (self.name(address.kind()), address.name().clone());
        let key = match address.key() {
            Some(Key::Ref(of)) => Some(Key::Ref(self.address(of))),
            other => other.cloned(),
        };
        let own = match address.parent() {
            Some(parent) => self.address(parent).child(kind, name, key),
            None => Address::root(kind, name, key),
        };
        self.addresses.insert(own.clone());
        own
    }

    fn stamp(&mut self, stamp: Stamp) -> Stamp {
        Stamp {
            address: self.address(&stamp.address),
            dependencies: stamp.dependencies.iter().map(|needed| self.address(needed)).collect(),
            ..stamp
        }
    }
}
