//! Engines that are broken on purpose: the simulator has to notice each of them. Nothing of the real
//! engine is changed for it. What it says to the store and hears from hosts is changed on the way,
//! so that both see exactly what an engine with that defect would do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use tcloud_provider::{ProviderError, Retry};
use tcloud_state::store::Stored;
use tcloud_state::{
    Acquired, Append, Body, Entry, Filter, Head, IntentId, LeaseRequest, Loaded, Logged,
    OpenIntent, Outcome, RecordChange, Remembered, Scope, Selection, StepResult, Store, StoreError,
    Why,
};
use uuid::Uuid;

/// A defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Broken {
    /// Hosts are asked without an intent in the journal.
    NoIntent,
    /// Entries are appended whoever holds the lease by now.
    UnconditionalAppend,
    /// A creation of which nobody knows is repeated without a look.
    BlindRetry,
    /// The outcome is written before the host is asked.
    OutcomeFirst,
    /// The lease is believed to last, and its end is not noticed.
    TrustedLease,
    /// What hosts say is written down and told as they say it.
    Talkative,
}

impl Broken {
    /// All of them.
    pub const ALL: [Broken; 6] = [
        Broken::NoIntent,
        Broken::UnconditionalAppend,
        Broken::BlindRetry,
        Broken::OutcomeFirst,
        Broken::TrustedLease,
        Broken::Talkative,
    ];

    /// What it does, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Broken::NoIntent => "asks hosts without an intent in the journal",
            Broken::UnconditionalAppend => "appends to the journal whoever holds the lease by now",
            Broken::BlindRetry => "repeats a creation of which nobody knows, without a look",
            Broken::OutcomeFirst => "records the outcome before it asks the host",
            Broken::TrustedLease => "trusts that its lease lasts, and goes on asking hosts",
            Broken::Talkative => "writes down what a host says with the secrets that stand in it",
        }
    }

    /// The invariant that it breaks.
    pub fn breaks(self) -> &'static str {
        match self {
            Broken::NoIntent | Broken::BlindRetry => "I1",
            Broken::OutcomeFirst => "I2",
            Broken::UnconditionalAppend | Broken::TrustedLease => "I3",
            Broken::Talkative => "I10",
        }
    }

    /// What the engine hears instead of an error about a creation.
    pub(crate) fn hears(self, mut error: ProviderError) -> ProviderError {
        if self == Broken::BlindRetry && error.retry == Retry::Unknown {
            error.retry = Retry::Later;
        }
        error
    }
}

/// Between a broken engine and its store.
pub(crate) struct Distorted {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) how: Broken,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    /// Where the engine believes that a chain ends, and where it does.
    heads: BTreeMap<Scope, (Head, Head)>,
    /// What intents announced that were kept back, or settled beforehand.
    announced: BTreeMap<IntentId, Vec<RecordChange>>,
    leases: u64,
}

impl Distorted {
    pub(crate) fn new(inner: Arc<dyn Store>, how: Broken) -> Distorted {
        Distorted { inner, how, said: Mutex::default() }
    }

    /// What is written instead of an entry.
    fn instead(&self, said: &mut Said, entry: &Entry) -> Vec<Body> {
        match (&entry.body, self.how) {
            (Body::Intent(intent), Broken::NoIntent) => {
                let id = IntentId { run: entry.run, step: intent.step };
                said.announced.insert(id, intent.records.clone());
                Vec::new()
            }
            (Body::Intent(intent), Broken::OutcomeFirst) => {
                let id = IntentId { run: entry.run, step: intent.step };
                said.announced.insert(id, Vec::new());
                let (result, remembered) = (StepResult::Done, Remembered::Planned);
                let outcome = Outcome { intent: id, result, remembered };
                vec![entry.body.clone(), Body::Outcome(outcome)]
            }
            (Body::Outcome(outcome), Broken::NoIntent | Broken::OutcomeFirst) => {
                let Some(announced) = said.announced.get(&outcome.intent) else {
                    return vec![entry.body.clone()];
                };
                let changes = match &outcome.remembered {
                    Remembered::Planned => announced.clone(),
                    Remembered::Instead(changes) => changes.clone(),
                };
                let nothing = changes.is_empty() || self.how == Broken::OutcomeFirst;
                if nothing { Vec::new() } else { vec![Body::Records { why: Why::Step, changes }] }
            }
            (body, _) => vec![body.clone()],
        }
    }

    /// The batch as it is really written, and the heads afterwards.
    fn distort(&self, batch: &[Append]) -> Result<Vec<Append>, StoreError> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut distorted = Vec::new();
        for Append { scope, generation, after, entries } in batch {
            let (believed, real) = said.heads.get(scope).copied().unwrap_or((*after, *after));
            if believed != *after {
                return Err(StoreError::Fenced { scope: scope.clone() });
            }
            let mut sealed: Vec<tcloud_state::Sealed> = Vec::new();
            for own in entries {
                for body in self.instead(&mut said, &own.entry) {
                    let head = sealed.last().map_or(real, |last| last.head);
                    let entry = Entry { body, ..own.entry.clone() };
                    sealed.push(head.seal(*generation, entry));
                }
            }
            let (scope, generation) = (scope.clone(), *generation);
            distorted.push(Append { scope, generation, after: real, entries: sealed });
        }
        Ok(distorted)
    }

    fn remember(&self, batch: &[Append], distorted: &[Append]) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for (told, written) in batch.iter().zip(distorted) {
            let end = |append: &Append| append.entries.last().map_or(append.after, |own| own.head);
            said.heads.insert(told.scope.clone(), (end(told), end(written)));
        }
    }
}

#[async_trait]
impl Store for Distorted {
    async fn load(&self, scopes: &Selection) -> Result<Loaded, StoreError> {
        self.inner.load(scopes).await
    }

    async fn intents(&self, scopes: &Selection) -> Result<Vec<(Scope, OpenIntent)>, StoreError> {
        self.inner.intents(scopes).await
    }

    async fn acquire(&self, request: &LeaseRequest) -> Result<Acquired, StoreError> {
        let answer = self.inner.acquire(request).await?;
        if let Acquired::Granted(leases) = &answer {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.leases = leases.len() as u64;
            for lease in leases {
                said.heads.insert(lease.scope.clone(), (lease.head, lease.head));
            }
        }
        Ok(answer)
    }

    async fn renew(&self, run: Uuid, ttl: Duration) -> Result<u64, StoreError> {
        if self.how == Broken::TrustedLease {
            return Ok(self.said.lock().unwrap_or_else(PoisonError::into_inner).leases);
        }
        self.inner.renew(run, ttl).await
    }

    async fn release(&self, run: Uuid) -> Result<(), StoreError> {
        self.inner.release(run).await
    }

    async fn append(&self, run: Uuid, batch: &[Append]) -> Result<(), StoreError> {
        let distorted = self.distort(batch)?;
        self.inner.append(run, &distorted).await?;
        self.remember(batch, &distorted);
        Ok(())
    }

    async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        self.inner.history(filter).await
    }

    async fn entries(&self, scope: &Scope, from: u64, n: u32) -> Result<Vec<Stored>, StoreError> {
        self.inner.entries(scope, from, n).await
    }

    async fn close(&self) {}
}
