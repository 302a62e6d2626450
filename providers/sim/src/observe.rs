//! The sweep over everything on a host. Half a million objects are read at once, so names, texts
//! and addresses that occur many times are shared.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tcloud_model::{
    Address, Fields, HostFacts, HostObservation, Key, Name, ObservedObject, Stamp, Value,
};
use uuid::Uuid;

use crate::class::Class;
use crate::failure::Failure;
use crate::host::Host;
use crate::object::{self, ALL, Object, Stored};
use crate::reference::held;
use crate::storage;

/// What the version of the simulated hypervisor is called.
pub(crate) const VERSION: &str = concat!("sim ", env!("CARGO_PKG_VERSION"));

/// From so many objects on, several threads share the work.
const MANY: usize = 20_000;
const MOST_WORKERS: usize = 8;

/// How many rows a thread gets at once.
const CHUNK: usize = 1_024;

impl Host<'_> {
    /// Everything on the host.
    pub(crate) fn observe(&self) -> Result<HostObservation, Failure> {
        let (targets, shared) = self.targets()?;
        let view = View { targets: &targets, deployment: self.site.deployment, shared };
        let mut objects =
            if targets.len() < MANY { self.in_turn(view)? } else { self.side_by_side(&view)? };
        objects.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(HostObservation {
            host: self.site.host.clone(),
            facts: Some(self.facts()?),
            objects,
            problems: Vec::new(),
        })
    }

    fn in_turn(&self, mut view: View<'_>) -> Result<Vec<ObservedObject>, Failure> {
        let mut objects = Vec::new();
        self.each(|stored| {
            objects.push(view.observed(stored.parse()?));
            Ok(true)
        })?;
        Ok(objects)
    }

    /// Reading rows is quick and understanding them is not, so several threads do that. Only so
    /// many rows are on their way that memory does not matter.
    fn side_by_side(&self, view: &View<'_>) -> Result<Vec<ObservedObject>, Failure> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_WORKERS);
        let (send, receive) = mpsc::sync_channel::<Vec<Stored>>(2 * workers);
        let receive = Mutex::new(receive);
        thread::scope(|scope| {
            let work = || view.fork().work(&receive);
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let mut chunk = Vec::with_capacity(CHUNK);
            self.each(|stored| {
                chunk.push(stored);
                let full = chunk.len() == CHUNK;
                Ok(!full || send.send(std::mem::take(&mut chunk)).is_ok())
            })?;
            // A worker that failed no longer receives, and says why below.
            let _ = send.send(chunk);
            drop(send);
            let mut objects = Vec::with_capacity(view.targets.len());
            for worker in workers {
                match worker.join() {
                    Ok(part) => objects.extend(part?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(objects)
        })
    }

    /// Reads every object that is here, until `take` says that it has enough.
    fn each(&self, mut take: impl FnMut(Stored) -> Result<bool, Failure>) -> Result<(), Failure> {
        let mut statement = self.file.prepare_cached(ALL)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let stored = Stored::read(row)?;
            if stored.is_leaving() && self.has_left(&Object::read(row)?)? {
                continue;
            }
            if !take(stored)? {
                break;
            }
        }
        Ok(())
    }

    /// What the host has.
    pub(crate) fn facts(&self) -> Result<HostFacts, Failure> {
        Ok(HostFacts {
            vcpus: u32::try_from(self.script.vcpus).unwrap_or(u32::MAX),
            memory: self.script.memory,
            version: VERSION.to_owned(),
            pools: storage::pools(self.file, self.script)?,
            migrates: true,
        })
    }

    /// Where kept references lead to: every object with whose it is and its address.
    fn targets(&self) -> Result<(Targets, Shared<'static>), Failure> {
        let sql = "SELECT class, name, deployment, address FROM object";
        let mut statement = self.file.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let (mut targets, mut shared) = (Targets::new(), Shared::default());
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
        Ok((targets, shared))
    }
}

/// Every object of a host; those that are stamped with whose they are and their address.
type Targets = HashMap<(Class, Name), Option<(Uuid, Address)>>;

/// How objects are seen.
struct View<'a> {
    targets: &'a Targets,
    deployment: Option<Uuid>,
    shared: Shared<'a>,
}

impl View<'_> {
    /// The same view for another thread.
    fn fork(&self) -> View<'_> {
        View {
            shared: Shared { known: Some(&self.shared.addresses), ..Shared::default() },
            ..*self
        }
    }

    fn work(
        mut self,
        chunks: &Mutex<mpsc::Receiver<Vec<Stored>>>,
    ) -> Result<Vec<ObservedObject>, Failure> {
        let mut objects = Vec::new();
        loop {
            let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            // There is nothing more to come.
            let Ok(chunk) = next else { return Ok(objects) };
            for stored in chunk {
                objects.push(self.observed(stored.parse()?));
            }
        }
    }

    fn observed(&mut self, mut object: Object) -> ObservedObject {
        let owner = object.stamp.as_ref().map(|stamp| stamp.deployment).or(self.deployment);
        ObservedObject {
            kept: object::kept(&mut object.live),
            kind: self.shared.name(&object.kind),
            attributes: self.all(&object.live, owner),
            pending: self.all(&object.pending, owner),
            stamp: object.stamp.map(|stamp| self.shared.stamp(stamp)),
            name: object.name,
            uuid: Some(object.uuid),
            written: object.written,
            running: object.running,
            holds: Vec::new(),
            room: None,
        }
    }

    fn all(&mut self, fields: &Fields, owner: Option<Uuid>) -> Arc<Fields> {
        if fields.is_empty() {
            return Arc::clone(&self.shared.empty);
        }
        let see = |(name, value)| (self.shared.name(name), self.value(value, owner));
        Arc::new(fields.iter().map(see).collect())
    }

    fn value(&mut self, value: &Value, owner: Option<Uuid>) -> Value {
        match value {
            Value::Text(text) => Value::Text(self.shared.text(text)),
            Value::List(items) => {
                Value::list(items.iter().map(|item| self.value(item, owner)).collect())
            }
            Value::Map(fields) => Value::Map(self.all(fields, owner)),
            Value::Ref(address) => self.reference(address, owner),
            other => other.clone(),
        }
    }

    /// See [`Host::show`], which does the same for one object.
    fn reference(&mut self, address: &Address, owner: Option<Uuid>) -> Value {
        let Some(held) = held(address) else { return Value::Ref(self.shared.address(address)) };
        match (self.targets.get(&(held.class, held.name.clone())), held.asked) {
            (None, Some(asked)) => Value::Ref(self.shared.address(asked)),
            (Some(Some((whose, address))), _) if owner.is_none_or(|own| own == *whose) => {
                Value::Ref(address.clone())
            }
            _ => Value::text(held.name),
        }
    }
}

/// What occurs many times and is kept once.
#[derive(Default)]
struct Shared<'a> {
    /// Addresses that another thread keeps.
    known: Option<&'a HashSet<Address>>,
    names: HashSet<Name>,
    texts: HashSet<Arc<str>>,
    addresses: HashSet<Address>,
    empty: Arc<Fields>,
}

/// Longer texts hardly ever occur twice.
const LONGEST_SHARED: usize = 24;

impl Shared<'_> {
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
        let known = self.known.and_then(|known| known.get(address));
        if let Some(own) = known.or_else(|| self.addresses.get(address)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Control, Filling};

    #[test]
    fn many_threads_see_what_one_sees() {
        let directory = tempfile::tempdir().expect("a directory");
        let host: Address = "site.m.host.kvm1".parse().expect("an address");
        let mut control = Control::open(directory.path(), &host).expect("a file");
        let filling = Filling { guests: 3_000, vcpus: 1, memory: 1, volume: 1 };
        control.fill(&filling).expect("there is room");
        let differs = control.change(|host| {
            let (targets, shared) = host.targets()?;
            let view = View { targets: &targets, deployment: None, shared };
            let by_name = |object: &ObservedObject| (object.kind.clone(), object.name.clone());
            let mut many = host.side_by_side(&view)?;
            let mut one = host.in_turn(view)?;
            many.sort_by_key(by_name);
            one.sort_by_key(by_name);
            assert_eq!(one.len(), 6_001);
            Ok(many != one)
        });
        assert_eq!(differs, Ok(false));
    }
}
