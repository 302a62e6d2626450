//! A world in memory: hosts with objects, a provider whose faults are scripted, and the engine over
//! it.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tcloud_engine::{
    Account, ApplyError, ApplyEvent, Clock, Control, Engine, EngineConfig, HostSpec, Limits,
    RunInfo, SecretError, SecretText, Secrets, Stop,
};
use tcloud_model::{
    Address, Deployment, Fields, HostFacts, HostObservation, Identity, Name, ObservedObject,
    ObservedState, Operation, OperationKind, Stamp, Value,
};
use tcloud_planner::plan::Plan;
use tcloud_provider::{
    ConfiguredProvider, Description, HostConfig, Provider, ProviderError, Registry,
};
use tcloud_state::{MemoryStore, Process, Processes, Store};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

/// What goes wrong in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails for good, without an effect.
    Never,
    /// It fails for now, without an effect.
    Later,
    /// Nobody knows; it had no effect.
    UnknownWithout,
    /// Nobody knows; it had its effect.
    UnknownWith,
    /// It says that it failed for good, and had its effect.
    FailedWith,
    /// It says that it succeeded, and had no effect.
    Nothing,
    /// It makes half of the object and fails for good.
    Half,
    /// It makes another size than planned and says so.
    OtherSize,
    /// It does what it should and answers about another object.
    OtherObject,
    /// It does what it should, under the stamp of another deployment.
    OtherStamp,
    /// It does what it should and answers with the stamp of another object of ours.
    OtherAddress,
    /// It does what it should, and changes everything else that is there.
    More,
    /// It does what it should, and meanwhile everything else is written into.
    Fills,
    /// It fails for now, without an effect, and meanwhile everything is written into.
    LaterFilled,
    /// It never answers, and has no effect.
    Hang,
    /// It never answers, and had its effect.
    HangWith,
    /// The provider has an error of its own.
    Panic,
}

type Objects = BTreeMap<(Name, Name), ObservedObject>;

#[derive(Default)]
pub(crate) struct Inner {
    /// What hosts could not read.
    pub(crate) problems: Vec<String>,
    pub(crate) hosts: BTreeMap<Address, Objects>,
    pub(crate) down: Vec<Address>,
    /// Faults by the action's word and the object's name, each used once.
    faults: BTreeMap<(String, String), VecDeque<Fault>>,
    /// Calls that had begun, and those that had ended.
    pub(crate) log: Vec<String>,
    running: BTreeMap<Address, usize>,
    pub(crate) most_running: usize,
    /// What the provider says that a host takes.
    pub(crate) at_once: Option<NonZeroUsize>,
    /// What secrets the provider was given.
    pub(crate) revealed: Vec<Value>,
}

/// The world and everything that outlives a run.
pub(crate) struct World {
    pub(crate) inner: Mutex<Inner>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) points: Points,
    pub(crate) delay: Duration,
    process: AtomicU32,
    begun: Instant,
    /// For how many seconds the machine has slept.
    pub(crate) slept: AtomicU64,
}

/// The moments at which a run may be cut off: before and after everything that leaves a trace.
#[derive(Default)]
pub(crate) struct Points {
    pub(crate) passed: AtomicUsize,
    pub(crate) cut_at: AtomicUsize,
    pub(crate) cut: tokio::sync::Notify,
}

impl Points {
    /// Passes one; for a run that was cut off, the world stands still.
    pub(crate) async fn pass(&self) {
        let passed = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let at = self.cut_at.load(Ordering::SeqCst);
        if at != 0 && passed >= at {
            self.cut.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

pub(crate) fn host(number: u32) -> Address {
    format!("site.m.host.kvm{number}").parse().expect("an address")
}

pub(crate) fn deployment() -> Deployment {
    Deployment::new("test")
}

impl World {
    pub(crate) fn new() -> Arc<World> {
        World::with(Arc::new(MemoryStore::default()), Duration::ZERO)
    }

    pub(crate) fn slow() -> Arc<World> {
        World::with(Arc::new(MemoryStore::default()), Duration::from_millis(100))
    }

    pub(crate) fn with(store: Arc<dyn Store>, delay: Duration) -> Arc<World> {
        let mut inner = Inner::default();
        for number in 1..=2 {
            inner.hosts.insert(host(number), Objects::new());
        }
        let (inner, points) = (Mutex::new(inner), Points::default());
        let (process, slept) = (AtomicU32::new(1), AtomicU64::new(0));
        Arc::new(World { inner, store, points, delay, process, begun: Instant::now(), slept })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The next call of this action on this object, or the next `look` at it, fails so.
    pub(crate) fn fault(&self, action: &str, name: &str, fault: Fault) {
        let key = (action.to_owned(), name.to_owned());
        self.inner().faults.entry(key).or_default().push_back(fault);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.uptime()
    }

    fn uptime(&self) -> Duration {
        self.begun.elapsed() + Duration::from_secs(self.slept.load(Ordering::SeqCst))
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.inner().log.clone()
    }

    /// The names of all objects.
    pub(crate) fn names(&self) -> Vec<String> {
        let inner = self.inner();
        inner.hosts.values().flat_map(|o| o.keys().map(|(_, name)| name.to_string())).collect()
    }

    /// Changes an object by hand.
    pub(crate) fn drift(&self, name: &str, change: impl Fn(&mut Fields)) {
        for object in self.inner().hosts.values_mut().flat_map(|o| o.values_mut()) {
            if object.name == *name {
                change(Arc::make_mut(&mut object.attributes));
            }
        }
    }

    /// A process that runs an engine. A new one means that all before it are dead.
    pub(crate) fn engine(self: &Arc<World>) -> Engine {
        self.engine_with(Limits { lease_wait: Duration::from_secs(60), ..Limits::default() })
    }

    pub(crate) fn engine_with(self: &Arc<World>, limits: Limits) -> Engine {
        let pid = self.process.fetch_add(1, Ordering::SeqCst) + 1;
        self.engine_of(pid, limits, Arc::clone(&self.store))
    }

    pub(crate) fn engine_of(
        self: &Arc<World>,
        pid: u32,
        limits: Limits,
        store: Arc<dyn Store>,
    ) -> Engine {
        let mut providers = Registry::new();
        providers.add(Arc::new(Scripted(Arc::clone(self))));
        let spec = |number| HostSpec {
            config: HostConfig {
                host: host(number),
                deployment: deployment().id,
                attributes: Arc::default(),
                directory: std::path::PathBuf::new(),
            },
            provider: "scripted".to_owned(),
        };
        Engine::new(EngineConfig {
            store,
            providers,
            hosts: vec![spec(2), spec(1)],
            limits,
            clock: Arc::new(MachineClock(Arc::clone(self))),
            processes: Arc::new(OneLives { own: pid }),
            secrets: Arc::new(Known::default()),
        })
    }

    /// Applies a plan in a process of its own.
    pub(crate) async fn apply(self: &Arc<World>, plan: &Plan) -> Result<Account, ApplyError> {
        let plan = Arc::new(plan.clone());
        self.engine().apply(&plan, &run("apply"), &Control::silent()).await
    }

    /// Recovers in a process of its own.
    pub(crate) async fn recover(self: &Arc<World>) -> tcloud_engine::Recovered {
        let run = run("recover");
        self.engine().recover(&run, &Control::silent()).await.expect("the store works")
    }

    pub(crate) async fn observe(self: &Arc<World>) -> ObservedState {
        self.engine().observe().await
    }
}

pub(crate) fn run(command: &str) -> RunInfo {
    RunInfo {
        id: Uuid::new_v4(),
        command: command.to_owned(),
        who: "erika@rathaus".to_owned(),
        revision: None,
        plan: None,
        version: "0.1.0".to_owned(),
    }
}

/// A control with a listener that keeps everything.
pub(crate) fn listening() -> (Control, watch::Sender<Stop>, mpsc::Receiver<ApplyEvent>) {
    let (events, heard) = mpsc::channel(100_000);
    let (stopper, stop) = watch::channel(Stop::No);
    (Control { events, stop }, stopper, heard)
}

struct MachineClock(Arc<World>);

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn uptime(&self) -> Duration {
        self.0.uptime()
    }
}

/// Of all processes, only the one that asks lives, and those with a number above 1000.
struct OneLives {
    own: u32,
}

impl Processes for OneLives {
    fn own(&self) -> Option<Process> {
        let text = "test".to_owned();
        let (machine, boot, namespace) = (text.clone(), text.clone(), text);
        Some(Process { machine, boot, namespace, pid: self.own, started: 0 })
    }

    fn is_dead(&self, process: &Process) -> bool {
        process.pid != self.own && process.pid < 1000
    }
}

/// Every secret is known, but for those from `nowhere:`, and hidden once it was asked for.
#[derive(Default)]
struct Known(Mutex<Vec<String>>);

#[async_trait]
impl Secrets for Known {
    async fn resolve(&self, source: &str) -> Result<SecretText, SecretError> {
        if source.starts_with("nowhere:") {
            let message = "there is none".to_owned();
            return Err(SecretError { source_name: source.to_owned(), message });
        }
        let secret = format!("hunter2-{source}");
        self.0.lock().expect("no panic").push(secret.clone());
        Ok(SecretText::new(secret))
    }

    fn scrub(&self, text: &str) -> String {
        let known = self.0.lock().expect("no panic");
        known.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(secret)"))
    }
}

struct Scripted(Arc<World>);

#[async_trait]
impl Provider for Scripted {
    fn describe(&self) -> Description {
        let (name, version) = ("scripted".to_owned(), "1".to_owned());
        let at_once = self.0.inner().at_once;
        Description { name, version, kinds: Vec::new(), extensions: Vec::new(), at_once }
    }

    async fn configure(
        &self,
        config: &HostConfig,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        if self.0.inner().down.contains(&config.host) {
            return Err(ProviderError::permanent("the host is down"));
        }
        Ok(Arc::new(Connected { world: Arc::clone(&self.0), host: config.host.clone() }))
    }
}

struct Connected {
    world: Arc<World>,
    host: Address,
}

fn find(objects: &Objects, kind: &str, identity: &Identity) -> Option<ObservedObject> {
    objects.values().find(|object| object.is(kind, identity)).cloned()
}

#[async_trait]
impl ConfiguredProvider for Connected {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        let inner = self.world.inner();
        let objects = inner.hosts.get(&self.host).cloned().unwrap_or_default();
        Ok(HostObservation {
            host: self.host.clone(),
            facts: Some(HostFacts {
                vcpus: 8,
                memory: 1 << 34,
                version: "scripted".to_owned(),
                pools: Vec::new(),
                migrates: true,
                lacks: Vec::new(),
            }),
            objects: objects.into_values().rev().collect(),
            problems: inner.problems.clone(),
        })
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let key = ("look".to_owned(), operation.identity.name.to_string());
        let fault = self.world.inner().faults.get_mut(&key).and_then(VecDeque::pop_front);
        match fault {
            None => {}
            Some(Fault::Later) => return Err(ProviderError::transient("busy")),
            Some(Fault::Hang) => std::future::pending().await,
            Some(other) => panic!("no look fails like {other:?}"),
        }
        let inner = self.world.inner();
        let Some(objects) = inner.hosts.get(&self.host) else { return Ok(None) };
        Ok(find(objects, &operation.kind, &operation.identity))
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let (word, name) = (operation.action.word(), operation.identity.name.clone());
        self.world.points.pass().await;
        self.begin(format!("{word} {name}"));
        if !self.world.delay.is_zero() {
            tokio::time::sleep(self.world.delay).await;
        }
        let key = (word.to_owned(), name.to_string());
        let fault = self.world.inner().faults.get_mut(&key).and_then(VecDeque::pop_front);
        let answer = self.with_fault(operation, fault).await;
        self.end(format!("{word} {name} ended"));
        self.world.points.pass().await;
        answer
    }

    async fn shutdown(&self) {}
}

impl Connected {
    fn begin(&self, line: String) {
        let mut inner = self.world.inner();
        inner.log.push(line);
        let running = inner.running.entry(self.host.clone()).or_default();
        *running += 1;
        inner.most_running = inner.most_running.max(*inner.running.get(&self.host).unwrap_or(&0));
    }

    fn end(&self, line: String) {
        let mut inner = self.world.inner();
        inner.log.push(line);
        *inner.running.entry(self.host.clone()).or_default() -= 1;
    }

    async fn with_fault(
        &self,
        operation: &Operation,
        fault: Option<Fault>,
    ) -> Result<Option<ObservedObject>, ProviderError> {
        let size = Fields::from_iter([(Name::new("size"), Value::Bytes(1))]);
        match fault {
            None => self.effect(operation, None),
            Some(Fault::Never) => Err(ProviderError::permanent("no: hunter2-env:A")),
            Some(Fault::Later) => Err(ProviderError::transient("busy")),
            Some(Fault::UnknownWithout) => Err(ProviderError::unknown("connection lost")),
            Some(Fault::UnknownWith) => {
                self.effect(operation, None)?;
                Err(ProviderError::unknown("connection lost"))
            }
            Some(Fault::FailedWith) => {
                self.effect(operation, None)?;
                Err(ProviderError::permanent("failed, it says"))
            }
            Some(Fault::Nothing) => Ok(None),
            Some(Fault::Half) => {
                let unset = Fields::from_iter([(Name::new("size"), Value::None)]);
                self.effect(operation, Some(unset))?;
                Err(ProviderError::permanent("only half of it"))
            }
            Some(Fault::OtherSize) => self.effect(operation, Some(size)),
            Some(Fault::OtherObject) => {
                let object = self.effect(operation, None)?;
                Ok(object.map(|object| ObservedObject { name: Name::new("else"), ..object }))
            }
            Some(Fault::OtherAddress) => {
                let mut object = self.effect(operation, None)?;
                if let Some(stamp) = object.as_mut().and_then(|object| object.stamp.as_mut()) {
                    stamp.address = "tenant.t.volume.else".parse().expect("an address");
                }
                Ok(object)
            }
            Some(Fault::OtherStamp) => {
                let mut operation = operation.clone();
                if let OperationKind::Create { stamp, .. } | OperationKind::Update { stamp, .. } =
                    &mut operation.action
                {
                    stamp.deployment = Uuid::nil();
                }
                self.effect(&operation, None)
            }
            Some(Fault::More) => {
                let size = Arc::new(size);
                if let Some(objects) = self.world.inner().hosts.get_mut(&self.host) {
                    objects.values_mut().for_each(|object| object.attributes = Arc::clone(&size));
                }
                self.effect(operation, None)
            }
            Some(Fault::Fills) => {
                self.fill();
                self.effect(operation, None)
            }
            Some(Fault::LaterFilled) => {
                self.fill();
                Err(ProviderError::transient("busy"))
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::HangWith) => {
                self.effect(operation, None)?;
                std::future::pending().await
            }
            Some(Fault::Panic) => panic!("an error of the provider's own"),
        }
    }

    fn fill(&self) {
        if let Some(objects) = self.world.inner().hosts.get_mut(&self.host) {
            objects.values_mut().for_each(|object| object.written = Some(1));
        }
    }

    /// What the operation does, with other attributes if they are given.
    fn effect(
        &self,
        operation: &Operation,
        other: Option<Fields>,
    ) -> Result<Option<ObservedObject>, ProviderError> {
        let mut inner = self.world.inner();
        let key = (operation.kind.clone(), operation.identity.name.clone());
        let make = |attributes: &Arc<Fields>, stamp: &Stamp| ObservedObject {
            kind: operation.kind.clone(),
            name: operation.identity.name.clone(),
            uuid: Some(operation.identity.uuid),
            stamp: Some(stamp.clone()),
            attributes: other.clone().map_or_else(|| readable(attributes), Arc::new),
            pending: Arc::default(),
            written: Some(0),
            running: None,
            kept: Vec::new(),
            holds: Vec::new(),
            room: None,
        };
        if let OperationKind::Create { attributes, .. } = &operation.action
            && let Some(secret) = attributes.get("password")
        {
            inner.revealed.push(secret.clone());
        }
        let target = match &operation.action {
            OperationKind::Migrate { to, .. } => Some(to.host.clone()),
            _ => None,
        };
        let objects = inner.hosts.get_mut(&self.host).expect("the host exists");
        let object = match &operation.action {
            OperationKind::Create { attributes, stamp }
            | OperationKind::Update { attributes, stamp, .. } => {
                let object = make(attributes, stamp);
                objects.insert(key, object.clone());
                return Ok(Some(object));
            }
            OperationKind::Delete => {
                objects.remove(&key);
                return Ok(None);
            }
            OperationKind::Stamp { stamp, .. } => {
                let object = objects.get_mut(&key);
                let object = object.ok_or_else(|| ProviderError::permanent("it is not there"))?;
                object.stamp = Some(stamp.clone());
                return Ok(Some(object.clone()));
            }
            OperationKind::Unstamp => {
                return Ok(objects.get_mut(&key).map(|object| {
                    object.stamp = None;
                    object.clone()
                }));
            }
            OperationKind::Migrate { attributes, stamp, .. } => {
                objects.remove(&key);
                make(attributes, stamp)
            }
        };
        let target = target.and_then(|target| inner.hosts.get_mut(&target));
        target.expect("the target exists").insert(key, object.clone());
        Ok(Some(object))
    }
}

/// A hypervisor cannot read back what is secret, and says what is not set.
fn readable(attributes: &Fields) -> Arc<Fields> {
    let mut read = attributes.clone();
    read.remove("password");
    read.insert("title", attributes.get("title").cloned().unwrap_or(Value::None));
    Arc::new(read)
}
