//! One operator who runs the tool once, as the command line does: settle, plan, ask, apply.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tcloud_compiler::{Compiled, MemoryWorld, Program, Settings};
use tcloud_engine::{
    Account, ApplyEvent, Control, Engine, EngineConfig, HostSpec, RunInfo, SecretError, SecretText,
    Secrets,
};
use tcloud_model::{Address, Deployment, ObservedState, Sources, State};
use tcloud_planner::plan::{Decision, Plan};
use tcloud_planner::{Goal, Input, Wishes};
use tcloud_provider::{HostConfig, Registry};
use tcloud_state::Store;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::broken::{Broken, Distorted};
use crate::desk::Desk;
use crate::process::{Fate, Machine, Simulated};
use crate::trace::CANARY;
use crate::wire::{Wire, limits};
use crate::world::{ProcessClock, World};

/// A configuration that was understood.
pub(crate) struct Source {
    pub(crate) program: Program,
    pub(crate) sources: Sources,
}

impl Source {
    /// Understands a text.
    pub(crate) fn of(text: &str, deployment: &Deployment) -> Result<Source, String> {
        let settings = Settings::new(deployment.clone());
        let Compiled { sources, program, diagnostics } =
            tcloud_compiler::compile(&MemoryWorld::of(text), &settings);
        program.map(|program| Source { program, sources }).ok_or_else(|| {
            let all = diagnostics.iter().map(|own| format!("{} {}", own.code, own.message));
            all.collect::<Vec<_>>().join("; ")
        })
    }
}

/// What an operator wants.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) source: Arc<Source>,
    pub(crate) goal: Goal,
    /// Only this tenant.
    pub(crate) target: Option<String>,
    /// Whether every decision is agreed to.
    pub(crate) agrees: bool,
    pub(crate) fates: Vec<(u64, Fate)>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The process died.
    Killed,
    /// It did not get as far as the plan, or did not begin it.
    Stopped(String),
    /// The plan was carried out, as far as the account tells.
    Ran(Account),
    /// There was nothing to do.
    Nothing,
}

/// Runs the tool once. Returns how it ended, and how many moments the process had.
pub(crate) async fn operate(world: Arc<World>, order: Order) -> (Ending, u64) {
    let process = Arc::new(Simulated::new(world.next_process(), order.fates.clone()));
    world.bear(&process);
    let ending = tokio::select! {
        biased;
        () = process.killed.notified() => Ending::Killed,
        ending = work(&world, &process, &order) => ending.unwrap_or_else(Ending::Stopped),
    };
    world.bury(&process);
    let told = match &ending {
        Ending::Ran(account) => format!("ran, {} done", account.done),
        Ending::Stopped(why) => format!("stopped: {why}"),
        other => format!("{other:?}"),
    };
    world.say(&format!("p{} ends: {told}", process.number));
    (ending, process.moments())
}

async fn work(
    world: &Arc<World>,
    process: &Arc<Simulated>,
    order: &Order,
) -> Result<Ending, String> {
    let engine = engine(world, process, &order.source);
    let (control, _listener) = listen(world, process);
    let settle = info(world, "apply");
    process.begins(settle.id);
    engine.recover(&settle, &control).await.map_err(|error| error.to_string())?;
    let loaded = engine.load().await.map_err(|error| error.to_string())?;
    let observed = engine.observe().await;
    let mut wishes = wishes(order);
    let mut plan = make_plan(world, &order.source, &loaded.state, &observed, &wishes)?;
    if plan.needs_decision() {
        if !order.agrees {
            return Err("nobody agreed".to_owned());
        }
        agree(&plan.decisions, &mut wishes);
        plan = make_plan(world, &order.source, &loaded.state, &observed, &wishes)?;
    }
    if plan.is_empty() {
        return Ok(Ending::Nothing);
    }
    let run = info(world, "apply");
    process.begins(run.id);
    let plan = Arc::new(plan);
    let consents = wishes.allow_data_loss.union(&wishes.allow_destroy).cloned().collect();
    {
        let mut inner = world.inner();
        inner.oracle.planned(run.id, &plan, consents);
        inner.oracle.keeps_secret("the plan", &format!("{plan:?}"));
    }
    let account = engine.apply(&plan, &run, &control).await;
    account.map(Ending::Ran).map_err(|error| error.to_string())
}

pub(crate) fn wishes(order: &Order) -> Wishes {
    Wishes {
        goal: order.goal,
        target: order.target.iter().cloned().collect(),
        exclude: Vec::new(),
        replace: Vec::new(),
        allow_data_loss: BTreeSet::new(),
        allow_destroy: BTreeSet::new(),
        allow_exposure: BTreeSet::new(),
    }
}

/// Agrees to everything that a plan asks.
pub(crate) fn agree(decisions: &[Decision], wishes: &mut Wishes) {
    let addresses: BTreeSet<Address> = decisions.iter().map(|own| own.address.clone()).collect();
    wishes.allow_data_loss.extend(addresses.clone());
    wishes.allow_destroy.extend(addresses.clone());
    wishes.allow_exposure.extend(addresses);
}

/// Plans. An error is why there is no plan.
pub(crate) fn make_plan(
    world: &World,
    source: &Source,
    state: &State,
    observed: &ObservedState,
    wishes: &Wishes,
) -> Result<Plan, String> {
    let plan = tcloud_planner::plan(&Input {
        deployment: &world.deployment,
        evaluator: &source.program,
        sources: &source.sources,
        catalog: &world.catalog,
        state,
        observed,
        now: world.now(),
        wishes,
    });
    plan.map_err(|diagnostics| {
        let all = diagnostics.iter().map(|own| format!("{} {}", own.code, own.message));
        format!("no plan: {}", all.collect::<Vec<_>>().join("; "))
    })
}

/// An engine of a process.
pub(crate) fn engine(world: &Arc<World>, process: &Arc<Simulated>, source: &Arc<Source>) -> Engine {
    let (of_store, of_wire) = (Arc::clone(process), Arc::clone(process));
    let mut providers = Registry::new();
    providers.add(Arc::new(Wire { world: Arc::clone(world), process: of_wire }));
    let resources = source.program.graph().resources.values();
    let hosts = resources.filter(|own| own.address.kind() == "host").map(|host| HostSpec {
        config: HostConfig {
            host: host.address.clone(),
            deployment: world.deployment.id,
            attributes: host.attributes.clone(),
            directory: PathBuf::new(),
        },
        provider: "sim".to_owned(),
    });
    let mut store: Arc<dyn Store> = Arc::new(Desk { world: Arc::clone(world), process: of_store });
    if let Some(how) = world.broken {
        store = Arc::new(Distorted::new(store, how));
    }
    Engine::new(EngineConfig {
        hosts: hosts.collect(),
        store,
        providers,
        limits: limits(),
        clock: Arc::new(ProcessClock(Arc::clone(world))),
        processes: Arc::new(Machine { own: process.number, world: Arc::clone(world) }),
        secrets: Arc::new(Canary { broken: world.broken }),
    })
}

/// The one secret that there is.
struct Canary {
    broken: Option<Broken>,
}

#[async_trait]
impl Secrets for Canary {
    async fn resolve(&self, _: &str) -> Result<SecretText, SecretError> {
        Ok(SecretText::new(CANARY.to_owned()))
    }

    fn scrub(&self, text: &str) -> String {
        match self.broken {
            Some(Broken::Talkative) => text.to_owned(),
            _ => text.replace(CANARY, "(secret)"),
        }
    }
}

/// Listens to a run: what it tells has to be durable.
fn listen(world: &Arc<World>, process: &Arc<Simulated>) -> (Control, tokio::task::JoinHandle<()>) {
    let (events, mut heard) = mpsc::channel(4);
    let (world, own) = (Arc::clone(world), Arc::clone(process));
    let listener = tokio::spawn(async move {
        while let Some(event) = heard.recv().await {
            let mut inner = world.inner();
            if let ApplyEvent::StepFinished { step, .. } = &event {
                inner.oracle.told_done(own.run(), *step);
            }
            inner.trace.say(format!("p{} tells {}", own.number, event.to_json()));
        }
    });
    (Control { events, stop: process.stop.subscribe() }, listener)
}

pub(crate) fn info(world: &World, command: &str) -> RunInfo {
    let id: Uuid = world.inner().chance.uuid();
    RunInfo {
        id,
        command: command.to_owned(),
        who: "erika@rathaus".to_owned(),
        revision: None,
        plan: None,
        version: "simulated".to_owned(),
    }
}
