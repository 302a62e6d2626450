//! A store that is restored from an older backup (F14).

use std::collections::BTreeMap;
use std::time::Duration;

use tcloud_state::store::Logged;
use tcloud_state::{
    Acquired, Append, Filter, Head, Holder, LeaseRequest, Scope, Store, StoreError,
};

use uuid::Uuid;

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
    let store = world.empty_store();
    let mut held = Held::new();
    for logged in &entries {
        write(&*store, logged, &mut held).await?;
    }
    for logged in &entries {
        store.release(logged.entry.run).await?;
    }
    world.replace_store(store);
    let mut inner = world.inner();
    let crate::world::Inner { oracle, hosts, .. } = &mut *inner;
    oracle.restore(&entries);
    oracle.excuse_all(hosts);
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
    let loaded = store.load(&tcloud_state::Selection::Only(vec![scope.clone()])).await?;
    Ok(loaded.heads.get(scope).copied().unwrap_or_else(|| Head::empty(scope)))
}
