//! A store that is restored from an older backup (F14), or read again after a power failure (F15,
//! F16).

use std::collections::BTreeMap;
use std::time::Duration;

use tcloud_state::store::Logged;
use tcloud_state::{
    Acquired, Append, Filter, Head, Holder, LeaseRequest, Scope, Selection, Store, StoreError,
};
use uuid::Uuid;

use crate::fault::Fault;
use crate::world::World;

/// The generations that scopes have by now.
type Held = BTreeMap<Scope, u64>;

/// The store loses its newest commits, as a backup does that was made before them.
pub(crate) async fn restore_older(world: &World) -> Result<(), StoreError> {
    let kept = {
        let mut inner = world.inner();
        let commits = inner.oracle.commits.len();
        let lost = inner.chance.number(1, 12).min(commits as u64) as usize;
        inner.oracle.commits.truncate(commits - lost);
        inner.oracle.commits.iter().sum()
    };
    let all = Filter { details: true, ..Filter::default() };
    let mut entries = world.store().history(&all).await?;
    entries.reverse();
    entries.truncate(kept);
    hold(world, &entries, Held::new()).await?;
    let mut inner = world.inner();
    let crate::world::Inner { oracle, hosts, disk, .. } = &mut *inner;
    disk.restore(&entries);
    oracle.restore(&entries);
    oracle.excuse_all(hosts);
    Ok(())
}

/// The power fails for everybody: of what was not synced nothing is left, or a torn piece. What was
/// synced is read again, and nothing else.
pub(crate) async fn power_failure(world: &World, fault: Fault) -> Result<(), StoreError> {
    world.kill_all();
    // Whoever was writing is no more.
    let writing = world.writing.lock().await;
    let entries = {
        let mut inner = world.inner();
        let crate::world::Inner { disk, chance, .. } = &mut *inner;
        disk.fail(fault, chance);
        disk.read()
    };
    // A lease is on the disk before anybody knows that it was given.
    let leases = world.store().load(&Selection::All).await?.generations;
    hold(world, &entries, leases).await?;
    drop(writing);
    Ok(())
}

/// A new store holds these entries, oldest first, and has given these leases.
async fn hold(world: &World, entries: &[Logged], leases: Held) -> Result<(), StoreError> {
    let store = world.empty_store();
    let mut held = Held::new();
    for logged in entries {
        write(&*store, logged, &mut held).await?;
    }
    for (scope, generation) in leases {
        while held.get(&scope).is_none_or(|own| *own < generation) {
            held.insert(scope.clone(), lease(&*store, &scope, Uuid::nil()).await?);
        }
    }
    for run in entries.iter().map(|logged| logged.entry.run).chain([Uuid::nil()]) {
        store.release(run).await?;
    }
    world.replace_store(store);
    Ok(())
}

/// Writes an entry under the generation that it had.
async fn write(store: &dyn Store, logged: &Logged, held: &mut Held) -> Result<(), StoreError> {
    let Logged { scope, generation, entry, .. } = logged;
    while held.get(scope).is_none_or(|own| own < generation) {
        let leased = lease(store, scope, entry.run).await?;
        held.insert(scope.clone(), leased);
    }
    let after = head(store, scope).await?;
    let (scope, generation) = (scope.clone(), *generation);
    let entries = vec![after.seal(generation, entry.clone())];
    store.append(entry.run, &[Append { scope, generation, after, entries }]).await
}

/// Takes a lease that is over at once; returns its generation.
async fn lease(store: &dyn Store, scope: &Scope, run: Uuid) -> Result<u64, StoreError> {
    let (who, command) = (String::new(), String::new());
    let holder = Holder { run, who, command, process: None };
    let (scopes, ttl) = (vec![scope.clone()], Duration::ZERO);
    let request = LeaseRequest { scopes, holder, ttl, ended: Vec::new() };
    match store.acquire(&request).await? {
        Acquired::Granted(leases) => Ok(leases.first().map_or(u64::MAX, |own| own.generation)),
        Acquired::Held { .. } => Err(StoreError::Fenced { scope: scope.clone() }),
    }
}

async fn head(store: &dyn Store, scope: &Scope) -> Result<Head, StoreError> {
    let loaded = store.load(&Selection::Only(vec![scope.clone()])).await?;
    Ok(loaded.heads.get(scope).copied().unwrap_or_else(|| Head::empty(scope)))
}
