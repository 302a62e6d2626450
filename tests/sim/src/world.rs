//! Everything outside of the processes: hosts, the store, clocks, chance, and the oracle that
//! watches all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tcloud_engine::Clock;
use tcloud_model::{Address, Catalog, Deployment, ObservedObject, Operation};
use tcloud_provider::ProviderError;
use tcloud_state::{MemoryStore, Store};
use tokio::time::Instant;
use uuid::Uuid;

use crate::broken::Broken;
use crate::chance::Chance;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::hypervisor::{Extent, Hypervisors};
use crate::oracle::Oracle;
use crate::process::Simulated;
use crate::trace::Trace;

/// An answer to a call.
pub(crate) type Answer = Result<Option<ObservedObject>, ProviderError>;

/// The world.
pub(crate) struct World {
    inner: Mutex<Inner>,
    store: RwLock<Arc<dyn Store>>,
    /// Held by whoever writes to the store: one at a time, as in every database.
    pub(crate) writing: tokio::sync::Mutex<()>,
    pub(crate) deployment: Deployment,
    pub(crate) catalog: Arc<Catalog>,
    /// What is wrong with the engine, if anything.
    pub(crate) broken: Option<Broken>,
    /// Seconds by which the clocks of processes are wrong.
    clock: AtomicI64,
    /// Seconds by which the store's clock is wrong.
    store_clock: Arc<AtomicI64>,
    begun: Instant,
}

/// What is guarded by one lock: no two things happen at the same time.
pub(crate) struct Inner {
    pub(crate) chance: Chance,
    pub(crate) hosts: Hypervisors,
    pub(crate) disk: Disk,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    /// The faults of this seed, while there are any.
    pub(crate) faults: BTreeSet<Fault>,
    /// How often each was met.
    pub(crate) met: BTreeMap<Fault, u64>,
    /// A second answer that the next call of a process to a host gets instead of its own.
    pub(crate) displaced: BTreeMap<(u32, Address), Answer>,
    alive: Vec<Arc<Simulated>>,
    dead: BTreeSet<u32>,
    processes: u32,
}

impl World {
    pub(crate) fn new(chance: Chance, hosts: &[Address], broken: Option<Broken>) -> Arc<World> {
        let deployment = Deployment::new("lab");
        let catalog = Arc::new(Catalog::core());
        let begun = Instant::now();
        let store_clock = Arc::new(AtomicI64::new(0));
        let store = RwLock::new(empty_store(begun, &store_clock));
        let inner = Inner {
            chance,
            hosts: Hypervisors::new(deployment.id, hosts, Arc::clone(&catalog)),
            disk: Disk::default(),
            oracle: Oracle::default(),
            trace: Trace::new(),
            faults: BTreeSet::new(),
            met: BTreeMap::new(),
            displaced: BTreeMap::new(),
            alive: Vec::new(),
            dead: BTreeSet::new(),
            processes: 0,
        };
        Arc::new(World {
            inner: Mutex::new(inner),
            store,
            writing: tokio::sync::Mutex::new(()),
            deployment,
            catalog,
            broken,
            clock: AtomicI64::new(0),
            store_clock,
            begun,
        })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, as it is now.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another store takes its place.
    pub(crate) fn replace_store(&self, store: Arc<dyn Store>) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = store;
    }

    /// A new store with the clock of this world.
    pub(crate) fn empty_store(&self) -> Arc<dyn Store> {
        empty_store(self.begun, &self.store_clock)
    }

    /// What the clock shows: not always the truth.
    pub(crate) fn now(&self) -> Timestamp {
        let true_time = epoch(self.begun.elapsed());
        true_time.saturating_add(seconds(&self.clock)).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn say(&self, line: &str) {
        self.inner().trace.say(line);
    }

    /// The number of a new process.
    pub(crate) fn next_process(&self) -> u32 {
        let mut inner = self.inner();
        inner.processes += 1;
        inner.processes
    }

    /// A process begins.
    pub(crate) fn bear(&self, process: &Arc<Simulated>) {
        self.inner().alive.push(Arc::clone(process));
    }

    /// A process ended.
    pub(crate) fn bury(&self, process: &Simulated) {
        process.ended();
        let mut inner = self.inner();
        inner.alive.retain(|own| own.number != process.number);
        inner.dead.insert(process.number);
    }

    /// All processes end in the middle of whatever they do.
    pub(crate) fn kill_all(&self) {
        self.inner().alive.iter().for_each(|process| process.killed_now());
    }

    pub(crate) fn is_dead(&self, process: u32) -> bool {
        self.inner().dead.contains(&process)
    }

    /// Whether this fault happens now, once in `times`.
    pub(crate) fn strikes(&self, fault: Fault, times: u32) -> bool {
        self.inner().strikes(fault, times)
    }

    /// A time that something takes.
    pub(crate) fn latency(&self, low: u64, high: u64) -> Duration {
        self.inner().chance.millis(low, high)
    }

    /// The clock of processes jumps.
    pub(crate) fn jump(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The store's clock jumps: leases end early or late.
    pub(crate) fn jump_store(&self, seconds: i64) {
        self.store_clock.fetch_add(seconds, Ordering::SeqCst);
        self.inner().oracle.leases_overlap = true;
    }

    /// An operation takes effect on its host.
    pub(crate) fn effect(&self, run: Uuid, operation: &Operation, extent: Extent) -> Answer {
        let mut inner = self.inner();
        let Inner { hosts, oracle, trace, .. } = &mut *inner;
        oracle.before_effect(run, operation, hosts);
        let foreign = hosts.foreign();
        let answer = hosts.perform(operation, extent);
        let word = operation.action.word();
        let how = if answer.is_ok() { "done" } else { "refused" };
        trace.say(format!("host: {word} {} {extent:?} {how}", operation.object));
        oracle.after_effect(run, operation, &foreign, hosts);
        answer
    }
}

impl Inner {
    /// Whether this fault happens now, once in `times`.
    pub(crate) fn strikes(&mut self, fault: Fault, times: u32) -> bool {
        let strikes = self.faults.contains(&fault) && self.chance.one_in(times);
        if strikes {
            self.meet(fault);
        }
        strikes
    }

    /// How many processes there were.
    pub(crate) fn runs(&self) -> u64 {
        u64::from(self.processes)
    }

    pub(crate) fn meet(&mut self, fault: Fault) {
        *self.met.entry(fault).or_default() += 1;
        self.trace.say(format!("fault {fault:?}"));
    }
}

fn empty_store(begun: Instant, wrong: &Arc<AtomicI64>) -> Arc<dyn Store> {
    let wrong = Arc::clone(wrong);
    let now =
        move || epoch(begun.elapsed()).saturating_add(seconds(&wrong)).unwrap_or(Timestamp::MAX);
    Arc::new(MemoryStore::new(Arc::new(now)))
}

/// The clock of processes.
pub(crate) struct ProcessClock(pub(crate) Arc<World>);

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn uptime(&self) -> Duration {
        self.0.begun.elapsed()
    }
}

fn epoch(after: Duration) -> Timestamp {
    const BEGINNING: i64 = 1_800_000_000;
    let begun = Timestamp::from_second(BEGINNING).unwrap_or(Timestamp::UNIX_EPOCH);
    begun.saturating_add(after).unwrap_or(Timestamp::MAX)
}

fn seconds(of: &AtomicI64) -> SignedDuration {
    SignedDuration::from_secs(of.load(Ordering::SeqCst))
}
