//! A store that ends with the process: for tests and for the simulator, which injects its clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::store::{Standing, Stored};
use crate::{
    Acquired, Append, Filter, Folded, Head, Holder, Lease, LeaseRequest, Loaded, Logged,
    OpenIntent, Scope, Sealed, Selection, Store, StoreError,
};

/// Tells the time by which leases expire.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A store in memory.
pub struct MemoryStore {
    now: Now,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    folded: Folded,
    scopes: BTreeMap<Scope, Chain>,
    /// Scope and position of every entry, in the order in which they were appended.
    order: Vec<(Scope, usize)>,
}

struct Chain {
    generation: u64,
    head: Head,
    lease: Option<(Holder, Timestamp)>,
    entries: Vec<(u64, Sealed)>,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new(Arc::new(Timestamp::now))
    }
}

impl MemoryStore {
    /// An empty store whose leases expire by this clock.
    pub fn new(now: Now) -> MemoryStore {
        MemoryStore { now, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held, and nothing in it is left half-done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn chain(&mut self, scope: &Scope) -> &mut Chain {
        self.scopes.entry(scope.clone()).or_insert_with(|| Chain {
            generation: 0,
            head: Head::empty(scope),
            lease: None,
            entries: Vec::new(),
        })
    }

    fn check(&self, run: Uuid, append: &Append) -> Result<(), StoreError> {
        let holds = self.scopes.get(&append.scope).is_some_and(|chain| {
            chain.generation == append.generation
                && chain.head == append.after
                && chain.lease.as_ref().is_some_and(|(holder, _)| holder.run == run)
        });
        if holds { Ok(()) } else { Err(StoreError::Fenced { scope: append.scope.clone() }) }
    }

    fn intents(&self, scopes: &Selection) -> Vec<(Scope, OpenIntent)> {
        let all = self.folded.intents.values();
        let mut intents: Vec<_> = all
            .map(|open| (Scope::of(&open.intent.operation.object.address), open.clone()))
            .filter(|(scope, _)| scopes.holds(scope))
            .collect();
        intents.sort_by(|(a, left), (b, right)| (a, left.id).cmp(&(b, right.id)));
        intents
    }

    fn add(&mut self, scope: &Scope, generation: u64, sealed: &Sealed) {
        let chain = self.chain(scope);
        chain.head = sealed.head;
        chain.entries.push((generation, sealed.clone()));
        let position = chain.entries.len() - 1;
        self.order.push((scope.clone(), position));
    }
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged { what: error.to_string() }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, scopes: &Selection) -> Result<Loaded, StoreError> {
        let inner = self.inner();
        let mut loaded = Loaded { intents: inner.intents(scopes), ..Loaded::default() };
        let records = inner.folded.state.records.iter();
        loaded.state.records = records
            .filter(|(object, _)| scopes.holds(&Scope::of(&object.address)))
            .map(|(object, record)| (object.clone(), record.clone()))
            .collect();
        let heads = inner.scopes.iter().filter(|(scope, _)| scopes.holds(scope));
        for (scope, Chain { head, generation, .. }) in heads {
            loaded.stands(scope.clone(), Standing { head: *head, generation: *generation });
        }
        Ok(loaded)
    }

    async fn intents(&self, scopes: &Selection) -> Result<Vec<(Scope, OpenIntent)>, StoreError> {
        Ok(self.inner().intents(scopes))
    }

    async fn acquire(&self, request: &LeaseRequest) -> Result<Acquired, StoreError> {
        let LeaseRequest { scopes, holder, ttl, ended: _ } = request;
        let now = (self.now)();
        let mut inner = self.inner();
        for scope in scopes {
            let Some((other, expires)) = &inner.chain(scope).lease else { continue };
            if *expires > now && request.waits_for(other) {
                let remaining = expires.duration_since(now).unsigned_abs();
                return Ok(Acquired::Held {
                    scope: scope.clone(),
                    holder: other.clone(),
                    remaining,
                });
            }
        }
        let expires = now.saturating_add(*ttl).map_err(damaged)?;
        let grant = |scope: &Scope| {
            let chain = inner.chain(scope);
            chain.generation += 1;
            let before = chain.lease.replace((holder.clone(), expires));
            let taken_from = before.map(|(other, _)| other).filter(|other| other.run != holder.run);
            let (generation, head) = (chain.generation, chain.head);
            Lease { scope: scope.clone(), generation, head, taken_from }
        };
        Ok(Acquired::Granted(scopes.iter().map(grant).collect()))
    }

    async fn renew(&self, run: Uuid, ttl: Duration) -> Result<u64, StoreError> {
        let until = (self.now)().saturating_add(ttl).map_err(damaged)?;
        let mut inner = self.inner();
        let mut renewed = 0;
        for (holder, expires) in inner.scopes.values_mut().filter_map(|chain| chain.lease.as_mut())
        {
            if holder.run == run {
                *expires = until;
                renewed += 1;
            }
        }
        Ok(renewed)
    }

    async fn release(&self, run: Uuid) -> Result<(), StoreError> {
        for chain in self.inner().scopes.values_mut() {
            chain.lease.take_if(|(holder, _)| holder.run == run);
        }
        Ok(())
    }

    async fn append(&self, run: Uuid, batch: &[Append]) -> Result<(), StoreError> {
        let mut inner = self.inner();
        batch.iter().try_for_each(|append| inner.check(run, append))?;
        // All or nothing: an entry that cannot follow leaves what was there as it was.
        let mut folded = inner.folded.clone();
        let mut entries = batch.iter().flat_map(|append| &append.entries);
        entries.try_for_each(|sealed| folded.add(&sealed.entry)).map_err(damaged)?;
        inner.folded = folded;
        for Append { scope, generation, after: _, entries } in batch {
            entries.iter().for_each(|sealed| inner.add(scope, *generation, sealed));
        }
        Ok(())
    }

    async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        let inner = self.inner();
        let entries = inner.order.iter().rev().filter_map(|(scope, position)| {
            let (generation, sealed) = inner.scopes.get(scope)?.entries.get(*position)?;
            let (serial, entry) = (sealed.head.serial, sealed.entry.clone());
            Some(Logged { scope: scope.clone(), serial, generation: *generation, entry })
        });
        let entries = entries.filter(|logged| filter.accepts(&logged.scope, &logged.entry));
        Ok(entries.take(filter.limit.unwrap_or(usize::MAX)).collect())
    }

    async fn entries(
        &self,
        scope: &Scope,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        let inner = self.inner();
        let entries = inner.scopes.get(scope).map_or(&[][..], |chain| &chain.entries);
        let stored = |(generation, sealed): &(u64, Sealed)| Stored {
            serial: sealed.head.serial,
            generation: *generation,
            hash: sealed.head.hash,
            json: sealed.json.clone(),
        };
        let wanted = entries.iter().filter(|(_, sealed)| sealed.head.serial >= from);
        Ok(wanted.take(limit as usize).map(stored).collect())
    }

    async fn close(&self) {}
}
