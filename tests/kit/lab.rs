//! A whole deployment in a temporary directory: text, simulated hosts, a real store, the engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tcloud_compiler::{Compiled, MemoryWorld, Program, Settings, Variable};
use tcloud_engine::{
    Account, ApplyError, ApplyEvent, Clock, Control, Engine, EngineConfig, HostSpec, Limits,
    NoSecrets, RunInfo, Stop, SystemClock,
};
use tcloud_model::{Address, Catalog, Deployment, Diagnostic, Name, Sources, Timestamp};
use tcloud_planner::{Goal, Input, Plan, Wishes};
use tcloud_provider::{HostConfig, Provider, Registry};
use tcloud_provider_sim::SimProvider;
use tcloud_state::{LocalProcesses, SqliteStore};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

/// Hosts, a pool and an image that every scenario may use.
const GROUND: &str = r#"
site lab {
  zone a {}
  zone b {}
  host one { provider = "sim", zone = zone.a, capacity { vcpus = 16, memory = 64GiB } }
  host two { provider = "sim", zone = zone.b, capacity { vcpus = 16, memory = 64GiB } }
  pool p { type = "dir", path = "/srv/p", capacity = 1TiB }
}
"#;

/// A deployment.
pub struct Lab {
    /// Where it lives.
    pub directory: TempDir,
    /// Whose it is.
    pub deployment: Deployment,
    /// Its text, by file.
    pub files: BTreeMap<String, String>,
    /// The values of its parameters.
    pub variables: BTreeMap<Name, Variable>,
    clock: Arc<SetClock>,
    providers: Registry,
    runtime: Runtime,
}

/// A clock that is set by hand, and says the truth until then.
#[derive(Default)]
struct SetClock {
    set: Mutex<Option<Timestamp>>,
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        let set = *self.set.lock().expect("nobody panicked with it");
        set.unwrap_or_else(|| SystemClock.now())
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }
}

/// A plan with the text that it was made from.
pub struct Planned {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The program.
    pub program: Program,
    /// The text.
    pub sources: Sources,
}

/// What a run did.
pub struct Applied {
    /// What became of its steps.
    pub account: Account,
    /// What it told.
    pub events: Vec<ApplyEvent>,
}

impl Lab {
    /// Nothing but the ground.
    ///
    /// # Errors
    /// When the machine has no directory or threads for it.
    pub fn new() -> Result<Lab, String> {
        Lab::with(vec![Arc::new(SimProvider::default())])
    }

    /// The same with other providers. The ground is of simulated hosts.
    ///
    /// # Errors
    /// When the machine has no directory or threads for it.
    pub fn with(providers: Vec<Arc<dyn Provider>>) -> Result<Lab, String> {
        let mut registry = Registry::new();
        providers.into_iter().for_each(|provider| registry.add(provider));
        let directory = TempDir::new().map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let files = BTreeMap::from([("lab.tcloud".to_owned(), GROUND.to_owned())]);
        let deployment = Deployment::new("lab");
        let variables = BTreeMap::new();
        let clock = Arc::default();
        Ok(Lab { directory, deployment, files, variables, clock, providers: registry, runtime })
    }

    /// Sets the clock of planner and engine.
    pub fn set_clock(&self, now: Timestamp) {
        *self.clock.set.lock().expect("nobody panicked with it") = Some(now);
    }

    /// Compiles the text.
    pub fn compile(&self) -> Compiled {
        let world = self
            .files
            .iter()
            .fold(MemoryWorld::default(), |world, (path, text)| world.with(path, text));
        let mut settings = Settings::new(self.deployment.clone());
        settings.catalog = Arc::new(self.catalog());
        settings.variables = self.variables.clone();
        tcloud_compiler::compile(&world, &settings)
    }

    fn catalog(&self) -> Catalog {
        self.providers.catalog().expect("providers that add only")
    }

    /// Makes a plan, after settling what earlier runs left.
    ///
    /// # Errors
    /// What is wrong with the text, or why there is no plan.
    pub fn plan(&self, wishes: &Wishes) -> Result<Planned, Vec<Diagnostic>> {
        let Compiled { sources, program, diagnostics } = self.compile();
        let Some(program) = program else { return Err(diagnostics) };
        let catalog = self.catalog();
        let plan = self.with_engine(program.graph(), |engine| async move {
            let recovered = engine.recover(&run("plan"), &Control::silent()).await;
            recovered.map_err(|error| error.to_string())?;
            let loaded = engine.load().await.map_err(|error| error.to_string())?;
            let observed = engine.observe().await;
            Ok((loaded.state, observed))
        });
        let (state, observed) = plan.unwrap_or_else(|error| panic!("the lab is broken: {error}"));
        let input = Input {
            deployment: &self.deployment,
            evaluator: &program,
            sources: &sources,
            catalog: &catalog,
            state: &state,
            observed: &observed,
            now: self.clock.now(),
            wishes,
        };
        let plan = tcloud_planner::plan(&input)?;
        if wishes.goal != Goal::Refresh {
            // As when it had been saved: its own steps ask for what it asks.
            let wishes = Wishes { goal: Goal::Apply, ..wishes.clone() };
            let input = Input { wishes: &wishes, ..input };
            let doubts = tcloud_planner::doubts(&plan, &input);
            assert!(doubts.is_empty(), "a plan is doubted: {doubts:#?}");
            let crowded = tcloud_planner::crowded(&plan, &input);
            assert!(crowded.as_ref().is_ok_and(Vec::is_empty), "a plan does not fit: {crowded:#?}");
        }
        Ok(Planned { plan: Arc::new(plan), program, sources })
    }

    /// Carries out a plan. When the step on the object with the address `stop` begins, the run is
    /// asked to stop.
    ///
    /// # Errors
    /// When it cannot be begun.
    pub fn apply(&self, planned: &Planned, stop: Option<&str>) -> Result<Applied, ApplyError> {
        let plan = planned.plan.clone();
        let stop_at = stop.map(str::to_owned);
        let applied = self.with_engine(planned.program.graph(), |engine| async move {
            let (sender, mut receiver) = mpsc::channel(64);
            let (stopper, stop) = watch::channel(Stop::No);
            let control = Control { events: sender, stop };
            let listening = tokio::spawn(async move {
                let mut events = Vec::new();
                while let Some(event) = receiver.recv().await {
                    if let ApplyEvent::StepStarted { object, .. } = &event
                        && stop_at.as_ref().is_some_and(|at| object.address.to_string() == *at)
                    {
                        stopper.send_replace(Stop::Drain);
                    }
                    events.push(event);
                }
                events
            });
            let outcome = engine.apply(&plan, &run("apply"), &control).await;
            drop(control);
            let events = listening.await.map_err(|error| error.to_string())?;
            Ok(outcome.map(|account| Applied { account, events }))
        });
        applied.unwrap_or_else(|error| panic!("the lab is broken: {error}"))
    }

    /// The hosts of a configuration, by their addresses.
    pub fn hosts(&self) -> Vec<Address> {
        let program = self.compile().program;
        let resources = program.iter().flat_map(|program| program.graph().resources.keys());
        resources.filter(|address| address.kind() == "host").cloned().collect()
    }

    /// Where the simulated hosts keep their worlds.
    pub fn worlds(&self) -> &Path {
        self.directory.path()
    }

    fn with_engine<T, F: Future<Output = Result<T, String>>>(
        &self,
        graph: &tcloud_model::DesiredGraph,
        work: impl FnOnce(Engine) -> F,
    ) -> Result<T, String> {
        let hosts = graph.resources.values().filter(|resource| resource.address.kind() == "host");
        let hosts = hosts
            .map(|host| HostSpec {
                config: HostConfig {
                    host: host.address.clone(),
                    deployment: self.deployment.id,
                    attributes: host.attributes.clone(),
                    directory: self.worlds().to_owned(),
                },
                provider: host.attributes.text("provider").unwrap_or("sim").to_owned(),
            })
            .collect();
        self.runtime.block_on(async {
            let path = self.directory.path().join("state.db");
            let store = SqliteStore::open(&path).map_err(|error| error.to_string())?;
            let engine = Engine::new(EngineConfig {
                store: Arc::new(store),
                providers: self.providers.clone(),
                hosts,
                limits: Limits { pause: Duration::from_millis(1), ..Limits::default() },
                clock: self.clock.clone(),
                processes: Arc::new(LocalProcesses),
                secrets: Arc::new(NoSecrets),
            });
            let outcome = work(engine.clone()).await;
            engine.shutdown().await;
            outcome
        })
    }
}

fn run(command: &str) -> RunInfo {
    RunInfo {
        id: Uuid::new_v4(),
        command: command.to_owned(),
        who: "tester@lab".to_owned(),
        revision: None,
        plan: None,
        version: "test".to_owned(),
    }
}
