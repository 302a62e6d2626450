//! The store as one process reaches it, and everything that goes wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tcloud_state::store::Stored;
use tcloud_state::{
    Acquired, Append, Filter, LeaseRequest, Loaded, Logged, OpenIntent, Scope, Sealed, Selection,
    Store, StoreError,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::broken::Broken;
use crate::fault::Fault;
use crate::process::Simulated;
use crate::world::World;

/// The store, as one process has it.
pub(crate) struct Desk {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Simulated>,
}

fn failed<T>(message: &str) -> Result<T, StoreError> {
    Err(StoreError::Failed(message.into()))
}

impl Desk {
    /// What happens before every request.
    async fn ask(&self, what: &str) -> Result<(), StoreError> {
        self.process.pass(&self.world, what).await;
        sleep(self.world.latency(0, 4)).await;
        self.process.thawed().await;
        if self.world.strikes(Fault::F13, 60) {
            let until = Instant::now() + self.world.latency(1_000, 60_000);
            self.process.cut_off_until(until);
        }
        if self.process.is_cut_off() {
            sleep(Duration::from_secs(2)).await;
            return failed("the connection to the store is lost");
        }
        if self.world.strikes(Fault::F11, 60) {
            return failed("the store refuses");
        }
        Ok(())
    }

    /// What happens after every request that changes something.
    async fn told(&self, what: &str) -> Result<(), StoreError> {
        self.process.pass(&self.world, what).await;
        if self.world.strikes(Fault::F12, 60) {
            sleep(Duration::from_secs(5)).await;
            return failed("no answer from the store");
        }
        Ok(())
    }
}

impl Desk {
    /// What a store does that checks nothing: the entries go where the chain ends by now, under
    /// whatever lease there is.
    async fn append_anyway(&self, batch: &[Append]) -> Result<(), StoreError> {
        let store = self.world.store();
        for Append { scope, entries, .. } in batch {
            let Some((generation, run)) = self.world.inner().oracle.lease(scope) else { continue };
            let loaded = store.load(&Selection::Only(vec![scope.clone()])).await?;
            let Some(after) = loaded.heads.get(scope).copied() else { continue };
            let mut sealed: Vec<Sealed> = Vec::new();
            for own in entries {
                let head = sealed.last().map_or(after, |last| last.head);
                sealed.push(head.seal(generation, own.entry.clone()));
            }
            let scope = scope.clone();
            store.append(run, &[Append { scope, generation, after, entries: sealed }]).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Desk {
    async fn load(&self, scopes: &Selection) -> Result<Loaded, StoreError> {
        self.ask("before loading").await?;
        self.world.store().load(scopes).await
    }

    async fn intents(&self, scopes: &Selection) -> Result<Vec<(Scope, OpenIntent)>, StoreError> {
        self.ask("before loading intents").await?;
        self.world.store().intents(scopes).await
    }

    async fn acquire(&self, request: &LeaseRequest) -> Result<Acquired, StoreError> {
        self.ask("before taking leases").await?;
        let answer = self.world.store().acquire(request).await?;
        if let Acquired::Granted(leases) = &answer {
            let mut inner = self.world.inner();
            inner.oracle.granted(request.holder.run, leases);
            let scopes: Vec<String> = leases.iter().map(|own| own.scope.to_string()).collect();
            inner.trace.say(format!("p{} holds {}", self.process.number, scopes.join(", ")));
        }
        self.told("after taking leases").await?;
        Ok(answer)
    }

    async fn renew(&self, run: Uuid, ttl: Duration) -> Result<u64, StoreError> {
        self.ask("before renewing").await?;
        let answer = self.world.store().renew(run, ttl).await?;
        self.told("after renewing").await?;
        Ok(answer)
    }

    async fn release(&self, run: Uuid) -> Result<(), StoreError> {
        self.ask("before giving back").await?;
        self.world.store().release(run).await?;
        self.told("after giving back").await
    }

    async fn append(&self, run: Uuid, batch: &[Append]) -> Result<(), StoreError> {
        self.ask("before a commit").await?;
        if self.world.strikes(Fault::F17, 60) && self.world.latency(0, 1).is_zero() {
            return failed("no space left on the device");
        }
        let writing = self.world.writing.lock().await;
        if self.world.broken.is_none() {
            let check = |append: &Append| Append { entries: Vec::new(), ..append.clone() };
            let conditions: Vec<Append> = batch.iter().map(check).collect();
            if self.world.store().append(run, &conditions).await.is_ok() {
                self.world.inner().disk.write(batch);
                // The power may fail now.
                sleep(self.world.latency(0, 3)).await;
            }
        }
        let mut answer = self.world.store().append(run, batch).await;
        if answer.is_ok() {
            self.world.inner().disk.sync();
        }
        drop(writing);
        if self.world.broken == Some(Broken::UnconditionalAppend) && answer.is_err() {
            answer = self.append_anyway(batch).await;
        }
        {
            let mut inner = self.world.inner();
            let crate::world::Inner { oracle, hosts, trace, .. } = &mut *inner;
            match &answer {
                Ok(()) => oracle.committed(run, batch, hosts),
                Err(error) => trace.say(format!("p{}: {error}", self.process.number)),
            }
            for sealed in batch.iter().flat_map(|append| &append.entries) {
                let word = sealed.entry.body.word();
                trace.say(format!("p{} commits {word} {}", self.process.number, sealed.head.hash));
            }
        }
        answer?;
        self.told("after a commit").await?;
        if self.world.strikes(Fault::F17, 60) {
            return failed("input/output error while syncing");
        }
        Ok(())
    }

    async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        self.world.store().history(filter).await
    }

    async fn entries(&self, scope: &Scope, from: u64, n: u32) -> Result<Vec<Stored>, StoreError> {
        self.world.store().entries(scope, from, n).await
    }

    async fn close(&self) {}
}
