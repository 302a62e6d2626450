//! The sweep over everything on a host.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tcloud_model::sharing::{self, sharing, sharing_beside};
use tcloud_model::{Address, Fields, HostFacts, HostObservation, Name, ObservedObject, Value};
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
        let mut objects = sharing(|| {
            let (targets, empty) = (self.targets()?, Arc::default());
            let view = View { targets: &targets, deployment: self.site.deployment, empty: &empty };
            if view.targets.len() < MANY { self.in_turn(view) } else { self.side_by_side(view) }
        })?;
        objects.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(HostObservation {
            host: self.site.host.clone(),
            facts: Some(self.facts()?),
            objects,
            problems: Vec::new(),
        })
    }

    fn in_turn(&self, view: View<'_>) -> Result<Vec<ObservedObject>, Failure> {
        let mut objects = Vec::with_capacity(view.targets.len());
        self.each(|stored| {
            objects.push(view.observed(stored.parse()?));
            Ok(true)
        })?;
        Ok(objects)
    }

    /// Reading rows is quick and understanding them is not, so several threads do that. Only so
    /// many rows are on their way that memory does not matter.
    fn side_by_side(&self, view: View<'_>) -> Result<Vec<ObservedObject>, Failure> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_WORKERS);
        let (send, receive) = mpsc::sync_channel::<Vec<Stored<'static>>>(2 * workers);
        let receive = Mutex::new(receive);
        let known = sharing::known();
        thread::scope(|scope| {
            let work = || sharing_beside(known.clone(), || view.work(&receive));
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let mut chunk = Vec::with_capacity(CHUNK);
            self.each(|stored| {
                chunk.push(stored.into_owned());
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
    fn each(
        &self,
        mut take: impl FnMut(Stored<'_>) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
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
            lacks: Vec::new(),
        })
    }

    /// Where kept references lead to: every object with whose it is and its address.
    fn targets(&self) -> Result<Targets, Failure> {
        let sql = "SELECT class, name, deployment, address FROM object";
        let mut statement = self.file.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut targets = Targets::default();
        while let Some(row) = rows.next()? {
            let Some(class) = row.get_ref(0)?.as_str().ok().and_then(Class::of) else { continue };
            let name = Name::new(row.get_ref(1)?.as_str().unwrap_or_default());
            let owner = row.get::<_, Option<[u8; 16]>>(2)?.map(Uuid::from_bytes);
            let address = row.get_ref(3)?.as_str_or_null().ok().flatten();
            let address = address.and_then(|text| sharing::address(text).ok());
            targets.insert((class, name), owner.zip(address));
        }
        Ok(targets)
    }
}

/// Every object of a host; those that are stamped with whose they are and their address.
type Targets = HashMap<(Class, Name), Option<(Uuid, Address)>>;

/// How objects are seen.
#[derive(Clone, Copy)]
struct View<'a> {
    targets: &'a Targets,
    deployment: Option<Uuid>,
    /// What most objects are waiting for.
    empty: &'a Arc<Fields>,
}

impl View<'_> {
    fn work(
        self,
        chunks: &Mutex<mpsc::Receiver<Vec<Stored<'static>>>>,
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

    fn observed(self, mut object: Object) -> ObservedObject {
        let owner = object.stamp.as_ref().map(|stamp| stamp.deployment).or(self.deployment);
        ObservedObject {
            kept: object::kept(&mut object.live),
            kind: object.kind,
            attributes: Arc::new(self.seen(object.live, owner)),
            pending: match object.pending.is_empty() {
                true => Arc::clone(self.empty),
                false => Arc::new(self.seen(object.pending, owner)),
            },
            stamp: object.stamp,
            name: object.name,
            uuid: Some(object.uuid),
            written: object.written,
            running: object.running,
            holds: Vec::new(),
            room: None,
        }
    }

    fn seen(self, mut fields: Fields, owner: Option<Uuid>) -> Fields {
        fields.values_mut().for_each(|value| self.see(value, owner));
        fields
    }

    fn see(self, value: &mut Value, owner: Option<Uuid>) {
        match value {
            Value::List(items) => {
                Arc::make_mut(items).iter_mut().for_each(|item| self.see(item, owner));
            }
            Value::Map(fields) => {
                Arc::make_mut(fields).values_mut().for_each(|value| self.see(value, owner));
            }
            Value::Ref(address) => {
                if let Some(seen) = self.reference(address, owner) {
                    *value = seen;
                }
            }
            _ => {}
        }
    }

    /// See [`Host::show`], which does the same for one object.
    fn reference(self, address: &Address, owner: Option<Uuid>) -> Option<Value> {
        let held = held(address)?;
        Some(match (self.targets.get(&(held.class, held.name.clone())), held.asked) {
            (None, Some(asked)) => Value::Ref(asked.clone()),
            (Some(Some((whose, address))), _) if owner.is_none_or(|own| own == *whose) => {
                Value::Ref(address.clone())
            }
            _ => Value::text(held.name),
        })
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
            let view = View { targets: &host.targets()?, deployment: None, empty: &Arc::default() };
            let by_name = |object: &ObservedObject| (object.kind.clone(), object.name.clone());
            let mut many = sharing(|| host.side_by_side(view))?;
            let mut one = host.in_turn(view)?;
            many.sort_by_key(by_name);
            one.sort_by_key(by_name);
            assert_eq!(one.len(), 6_001);
            Ok(many != one)
        });
        assert_eq!(differs, Ok(false));
    }
}
