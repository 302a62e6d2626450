//! The engine: everything that a run does with hosts and with what is remembered, behind one door.

use std::sync::Arc;

use tcloud_model::ObservedState;
use tcloud_planner::plan::Plan;
use tcloud_provider::Registry;
use tcloud_state::store::Stored;
use tcloud_state::{Filter, Loaded, Logged, Processes, Scope, Selection, Store, StoreError};

use crate::hosts::Hosts;
use crate::recover::{Concerns, RecoverError, Recovered};
use crate::refresh::{ChangeError, Changed, Edit};
use crate::run::{Control, Parts, RunInfo};
use crate::{Account, ApplyError, Clock, HostSpec, Judge, Limits, Secrets};
use crate::{apply, observe, recover, refresh};

/// What an engine works with.
pub struct EngineConfig {
    /// Where the deployment is remembered.
    pub store: Arc<dyn Store>,
    /// The providers that hosts may name.
    pub providers: Registry,
    /// The hosts.
    pub hosts: Vec<HostSpec>,
    /// How much at once, how long, how often.
    pub limits: Limits,
    /// The time for the journal.
    pub clock: Arc<dyn Clock>,
    /// What is known about processes that hold leases.
    pub processes: Arc<dyn Processes>,
    /// Where secrets come from.
    pub secrets: Arc<dyn Secrets>,
}

/// Observes hosts and applies plans.
#[derive(Clone)]
pub struct Engine {
    pub(crate) parts: Arc<Parts>,
}

impl Engine {
    /// An engine. Nothing is reached yet.
    pub fn new(config: EngineConfig) -> Engine {
        let EngineConfig { store, providers, hosts, limits, clock, processes, secrets } = config;
        let hosts = Arc::new(Hosts::new(providers, limits.connect, hosts));
        Engine { parts: Arc::new(Parts { store, hosts, limits, clock, processes, secrets }) }
    }

    /// Entries of the journal.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        self.parts.store.history(filter).await
    }

    /// What is remembered of everything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        self.parts.store.load(&Selection::All).await
    }

    /// What is remembered of these scopes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load_only(&self, scopes: Vec<Scope>) -> Result<Loaded, StoreError> {
        self.parts.store.load(&Selection::Only(scopes)).await
    }

    /// Entries of a scope as they are stored, from a serial on, at most `limit`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn entries(
        &self,
        scope: &Scope,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        self.parts.store.entries(scope, from, limit).await
    }

    /// What all hosts run, sorted by host. A host that does not answer has no facts and says why
    /// among its problems.
    pub async fn observe(&self) -> ObservedState {
        let Parts { hosts, limits, .. } = &*self.parts;
        observe::observe(hosts, hosts.addresses(), limits).await
    }

    /// Settles everything that earlier runs left open, by looking. Takes leases only where
    /// something is open. To be called before planning.
    ///
    /// # Errors
    /// When the leases cannot be had or the store fails.
    pub async fn recover(
        &self,
        run: &RunInfo,
        control: &Control,
    ) -> Result<Recovered, RecoverError> {
        self.recover_within(run, control, &|_| true).await
    }

    /// Like [`Engine::recover`], for a run that is about some scopes only: what is open in others is
    /// left to the runs that are about them.
    ///
    /// # Errors
    /// When the leases cannot be had or the store fails.
    pub async fn recover_within(
        &self,
        run: &RunInfo,
        control: &Control,
        concerns: Concerns<'_>,
    ) -> Result<Recovered, RecoverError> {
        recover::recover_all(&self.parts, run, control, concerns).await
    }

    /// Carries out a plan: takes the leases, settles what is open, makes sure that the world is
    /// what the plan expects, and does the steps. Steps that fail do not stop those that do not
    /// need them.
    ///
    /// # Errors
    /// When the plan cannot be begun, or the store or a lease is lost on the way. Failed steps are
    /// no error of this kind: they stand in the account.
    pub async fn apply(
        &self,
        plan: &Arc<Plan>,
        run: &RunInfo,
        control: &Control,
    ) -> Result<Account, ApplyError> {
        apply::apply(&self.parts, plan, run, control, None).await
    }

    /// Like [`Engine::apply`], and the plan is looked at again under the leases.
    ///
    /// # Errors
    /// As [`Engine::apply`], and what the judge says.
    pub async fn apply_judged(
        &self,
        plan: &Arc<Plan>,
        run: &RunInfo,
        control: &Control,
        judge: Judge<'_>,
    ) -> Result<Account, ApplyError> {
        apply::apply(&self.parts, plan, run, control, Some(judge)).await
    }

    /// Changes what is remembered, and nothing on a host. What was agreed to is decided again under the
    /// leases, by what is remembered and runs then.
    ///
    /// # Errors
    /// When the leases cannot be had, the store fails, or more would be removed than was agreed to.
    pub async fn edit(
        &self,
        edit: Edit<'_>,
        run: &RunInfo,
        control: &Control,
    ) -> Result<Changed, ChangeError> {
        refresh::edit(&self.parts, edit, run, control).await
    }

    /// Lets go of hosts and store.
    pub async fn shutdown(&self) {
        self.parts.hosts.shutdown().await;
        self.parts.store.close().await;
    }
}
