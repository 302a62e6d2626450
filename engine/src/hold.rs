//! Takes the leases of a run, keeps them, and writes under them. A lease that is lost ends the run:
//! the store refuses its next entry, and no provider is called any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tcloud_state::lease::{HEARTBEAT, TTL};
use tcloud_state::{
    Acquired, Begin, Body, End, EndStatus, Entry, Holder, Lease, LeaseRequest, Scope, Store,
    StoreError, Takeover, Writer,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::event::ApplyEvent;
use crate::outside::Clock;
use crate::run::{Control, Parts, RunInfo, Stop};

/// Entries that are written in one commit at most.
pub(crate) const BATCH: usize = 1024;

/// How long the store is asked for whose scope was lost, before the run ends without knowing.
const NAMING: Duration = Duration::from_secs(5);

/// Why a run could not write.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The store failed, or another run took over.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another run did not let go.
    #[error("{scope} is held by {} ({}), which did not end in time", .holder.who, .holder.command)]
    Held {
        /// The scope.
        scope: Scope,
        /// Who holds it.
        holder: Box<Holder>,
    },
    /// Somebody stopped the run while it waited or looked.
    #[error("stopped before anything was changed")]
    Stopped,
}

/// The leases of a run. When it is dropped without [`Held::end`], as in a crash, they stay behind.
pub(crate) struct Held {
    pub(crate) writer: Writer,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    gate: Gate,
    /// Aborts the heartbeat when it is dropped.
    _heartbeat: JoinSet<()>,
}

/// Whether the leases are surely held. Asked right before every call to a provider.
#[derive(Clone)]
pub(crate) struct Gate {
    /// Until which uptime of the machine; `None` once they are lost.
    until: watch::Receiver<Option<Duration>>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    /// Whether the leases were renewed so recently that nobody else can hold them. A machine that
    /// slept meanwhile finds it closed.
    pub(crate) fn is_open(&self) -> bool {
        self.until.borrow().is_some_and(|until| self.clock.uptime() < until)
    }

    /// Waits until the leases are lost.
    pub(crate) async fn lost(&mut self) {
        // The heartbeat lives as long as the leases, and an error here means that it ended.
        let _ = self.until.wait_for(Option::is_none).await;
    }
}

/// Takes leases on all of these scopes and begins the run in them.
pub(crate) async fn hold(
    parts: &Parts,
    scopes: BTreeSet<Scope>,
    run: &RunInfo,
    control: &Control,
) -> Result<Held, HoldError> {
    let (leases, asked) = acquire(parts, scopes, run, control).await?;
    let store = Arc::clone(&parts.store);
    let writer = Writer::new(Arc::clone(&store), run.id, &leases);
    let (renewed, until) = watch::channel(Some(asked + TTL));
    let clock = Arc::clone(&parts.clock);
    let heart =
        Heart { store: Arc::clone(&store), clock: Arc::clone(&clock), run: run.id, renewed };
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn(heart.beat(leases.len() as u64));
    let gate = Gate { until, clock: Arc::clone(&clock) };
    let mut held = Held { writer, store, clock, gate, _heartbeat: heartbeat };
    held.begin(&leases, run).await?;
    Ok(held)
}

async fn acquire(
    parts: &Parts,
    scopes: BTreeSet<Scope>,
    run: &RunInfo,
    control: &Control,
) -> Result<(Vec<Lease>, Duration), HoldError> {
    let holder = run.holder(&*parts.processes);
    let scopes = scopes.into_iter().collect();
    let mut request = LeaseRequest { scopes, holder, ttl: TTL, ended: Vec::new() };
    let mut control = control.clone();
    let deadline = Instant::now() + parts.limits.lease_wait;
    loop {
        let asked = parts.clock.uptime();
        let (scope, holder, remaining) = match parts.store.acquire(&request).await? {
            Acquired::Granted(leases) => return Ok((leases, asked)),
            Acquired::Held { scope, holder, remaining } => (scope, holder, remaining),
        };
        // A process that is gone cannot give its lease back. Should it live after all, its next
        // entry is refused.
        let dead = holder.process.as_ref().is_some_and(|process| parts.processes.is_dead(process));
        if dead && !request.ended.contains(&holder.run) {
            request.ended.push(holder.run);
            continue;
        }
        if Instant::now() >= deadline {
            return Err(HoldError::Held { scope, holder: Box::new(holder) });
        }
        control.tell(ApplyEvent::LeaseWait { scope, holder, remaining }).await;
        let pause = remaining.clamp(Duration::from_millis(50), Duration::from_secs(1));
        tokio::select! {
            biased;
            _ = control.stop_beyond(Stop::No) => return Err(HoldError::Stopped),
            () = sleep(pause) => {}
        }
    }
}

/// What keeps the leases of a run.
struct Heart {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    run: Uuid,
    renewed: watch::Sender<Option<Duration>>,
}

impl Heart {
    /// Renews the leases until one is lost, or until the store has not answered for so long that
    /// one may be.
    async fn beat(self, leases: u64) {
        let mut pause = HEARTBEAT;
        loop {
            sleep(pause).await;
            let asked = self.clock.uptime();
            match self.store.renew(self.run, TTL).await {
                Ok(count) if count == leases => {
                    pause = HEARTBEAT;
                    self.renewed.send_replace(Some(asked + TTL));
                }
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "the leases could not be renewed");
                    pause = Duration::from_secs(1);
                    let until = *self.renewed.borrow();
                    if until.is_none_or(|until| self.clock.uptime() >= until) {
                        break;
                    }
                }
            }
        }
        self.renewed.send_replace(None);
    }
}

/// The end of a run in which nothing failed that could be counted.
pub(crate) fn ended(status: EndStatus, done: u64) -> End {
    End { status, done, failed: 0, skipped: 0, unknown: 0 }
}

impl Held {
    pub(crate) fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// An entry of this run, now.
    pub(crate) fn entry(&self, body: Body) -> Entry {
        Entry { run: self.writer.run(), time: self.clock.now(), body }
    }

    /// Appends entries in batches.
    pub(crate) async fn append(
        &mut self,
        mut entries: Vec<(Scope, Entry)>,
    ) -> Result<(), StoreError> {
        while entries.len() > BATCH {
            let rest = entries.split_off(BATCH);
            self.writer.append(std::mem::replace(&mut entries, rest)).await?;
        }
        self.writer.append(entries).await
    }

    async fn begin(&mut self, leases: &[Lease], run: &RunInfo) -> Result<(), StoreError> {
        let begin = Begin {
            command: run.command.clone(),
            who: run.who.clone(),
            revision: run.revision.clone(),
            plan: run.plan,
            version: run.version.clone(),
        };
        let mut entries = Vec::with_capacity(leases.len());
        for lease in leases {
            if let Some(from) = lease.taken_from.clone() {
                let takeover = Takeover { from, generation: lease.generation };
                entries.push((lease.scope.clone(), self.entry(Body::Takeover(takeover))));
            }
            entries.push((lease.scope.clone(), self.entry(Body::Begin(begin.clone()))));
        }
        self.append(entries).await
    }

    /// Why the leases are no longer surely held: the store says who of the scopes is another's.
    pub(crate) async fn loss(&self) -> StoreError {
        match timeout(NAMING, self.writer.check()).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => {
                StoreError::Failed("the leases could not be renewed in time".into())
            }
        }
    }

    /// What is worked out under the leases before anything is done. Where that fails, or somebody asks to
    /// stop beyond this, the run ends.
    pub(crate) async fn unless_stopped<T, E: From<HoldError>>(
        mut self,
        beyond: Stop,
        control: &Control,
        work: impl AsyncFnOnce(&mut Held) -> Result<T, E>,
    ) -> Result<(Held, T), E> {
        let mut stopping = control.clone();
        let (status, error) = tokio::select! {
            biased;
            _ = stopping.stop_beyond(beyond) => (EndStatus::Interrupted, HoldError::Stopped.into()),
            done = work(&mut self) => match done {
                Ok(done) => return Ok((self, done)),
                Err(error) => (EndStatus::Failed, error),
            },
        };
        if let Err(error) = self.end(ended(status, 0)).await {
            tracing::warn!(%error, "the end of the run could not be written; its leases expire");
        }
        Err(error)
    }

    /// Ends the run in all its scopes and gives the leases back.
    pub(crate) async fn end(mut self, end: End) -> Result<(), StoreError> {
        let scopes: Vec<Scope> = self.writer.scopes().cloned().collect();
        let entries =
            scopes.into_iter().map(|scope| (scope, self.entry(Body::End(end.clone())))).collect();
        let written = self.append(entries).await;
        let released = self.store.release(self.writer.run()).await;
        written.and(released)
    }

    /// Gives the leases back without another word, as far as that is still possible.
    pub(crate) async fn give_up(self) {
        if let Err(error) = self.store.release(self.writer.run()).await {
            tracing::warn!(%error, "the leases could not be given back; they expire");
        }
    }
}
