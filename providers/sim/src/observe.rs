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
            let count = self.count()?;
            let objects =
                if count < MANY { self.in_turn(count) } else { self.side_by_side(count) }?;
            let (targets, empty) = (targets(&objects), Arc::default());
            let view = View { targets, deployment: self.site.deployment, empty };
            Ok::<_, Failure>(
                objects.into_iter().map(|object| view.observed(object)).collect::<Vec<_>>(),
            )
        })?;
        objects.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(HostObservation {
            host: self.site.host.clone(),
            facts: Some(self.facts()?),
            objects,
            problems: Vec::new(),
        })
    }

    /// How many objects there are, nearly: some may be on their way to other hosts.
    fn count(&self) -> Result<usize, Failure> {
        let mut statement = self.file.prepare_cached("SELECT count(*) FROM object")?;
        let count: i64 = statement.query_row([], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    fn in_turn(&self, count: usize) -> Result<Vec<Object>, Failure> {
        let mut objects = Vec::with_capacity(count);
        self.each(|stored| {
            objects.push(stored.parse()?);
            Ok(true)
        })?;
        Ok(objects)
    }

    /// Reading rows is quick and understanding them is not, so several threads do that. Only so
    /// many rows are on their way that memory does not matter.
    fn side_by_side(&self, count: usize) -> Result<Vec<Object>, Failure> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_WORKERS);
        let (send, receive) = mpsc::sync_channel::<Vec<Stored<'static>>>(2 * workers);
        let receive = Mutex::new(receive);
        let known = sharing::known();
        thread::scope(|scope| {
            let work = || sharing_beside(known.clone(), || parse_all(&receive));
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
            let mut objects = Vec::with_capacity(count);
            for worker in workers {
                match worker.join() {
                    Ok(part) => objects.append(&mut part?),
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
}

/// The objects of all rows that come.
fn parse_all(chunks: &Mutex<mpsc::Receiver<Vec<Stored<'static>>>>) -> Result<Vec<Object>, Failure> {
    let mut objects = Vec::new();
    loop {
        let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // There is nothing more to come.
        let Ok(chunk) = next else { return Ok(objects) };
        for stored in chunk {
            objects.push(stored.parse()?);
        }
    }
}

/// Where kept references lead to: every object; those that are stamped with whose they are and
/// their address.
type Targets = HashMap<(Class, Name), Option<(Uuid, Address)>>;

fn targets(objects: &[Object]) -> Targets {
    let target = |object: &Object| {
        let stamp = object.stamp.as_ref().map(|stamp| (stamp.deployment, stamp.address.clone()));
        ((object.class, object.name.clone()), stamp)
    };
    objects.iter().map(target).collect()
}

/// How objects are seen.
struct View {
    targets: Targets,
    deployment: Option<Uuid>,
    /// What most objects are waiting for.
    empty: Arc<Fields>,
}

impl View {
    fn observed(&self, mut object: Object) -> ObservedObject {
        let owner = object.stamp.as_ref().map(|stamp| stamp.deployment).or(self.deployment);
        ObservedObject {
            kept: object::kept(&mut object.live),
            kind: object.kind,
            attributes: Arc::new(self.seen(object.live, owner)),
            pending: match object.pending.is_empty() {
                true => Arc::clone(&self.empty),
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

    fn seen(&self, mut fields: Fields, owner: Option<Uuid>) -> Fields {
        fields.values_mut().for_each(|value| self.see(value, owner));
        fields
    }

    fn see(&self, value: &mut Value, owner: Option<Uuid>) {
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
    fn reference(&self, address: &Address, owner: Option<Uuid>) -> Option<Value> {
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
            let by_name = |object: &Object| (object.class, object.name.clone());
            let mut many = sharing(|| host.side_by_side(6_001))?;
            let mut one = host.in_turn(6_001)?;
            many.sort_by_key(by_name);
            one.sort_by_key(by_name);
            assert_eq!(one.len(), 6_001);
            Ok(many != one)
        });
        assert_eq!(differs, Ok(false));
    }
}
