//! The provider of the simulated hosts, and everything that goes wrong between a process and a
//! host.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tcloud_engine::Limits;
use tcloud_model::{
    Address, HostObservation, Name, ObservedObject, Operation, OperationKind, Value,
};
use tcloud_provider::{
    ConfiguredProvider, Description, HostConfig, Provider, ProviderError, Retry,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::fault::Fault;
use crate::hypervisor::Extent;
use crate::outsider;
use crate::process::Simulated;
use crate::trace::CANARY;
use crate::world::{Answer, World};

/// The provider, as one process has it.
pub(crate) struct Wire {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Simulated>,
}

/// The limits of every run: short ones, so that late answers are told from slow ones.
pub(crate) fn limits() -> Limits {
    Limits {
        parallelism: 4,
        per_provider: 3,
        connect: Duration::from_secs(10),
        look: Duration::from_secs(10),
        call: Duration::from_secs(20),
        attempts: 4,
        lease_wait: Duration::from_secs(90),
        ..Limits::default()
    }
}

#[async_trait]
impl Provider for Wire {
    fn describe(&self) -> Description {
        let (name, version) = ("sim".to_owned(), "1".to_owned());
        Description { name, version, kinds: Vec::new(), extensions: Vec::new(), at_once: None }
    }

    async fn configure(
        &self,
        config: &HostConfig,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        self.process.pass(&self.world, "before connecting").await;
        if self.world.strikes(Fault::F1, 30) {
            return Err(ProviderError::transient("connection refused"));
        }
        let (world, process) = (Arc::clone(&self.world), Arc::clone(&self.process));
        Ok(Arc::new(Connected { world, process, host: config.host.clone() }))
    }
}

struct Connected {
    world: Arc<World>,
    process: Arc<Simulated>,
    host: Address,
}

/// How a call goes.
struct Call {
    run: Uuid,
    operation: Operation,
    fault: Option<Fault>,
    /// When the host does it.
    after: Duration,
    /// Whether it is still done when the caller dies before.
    outlives: bool,
    /// One of two ways in which the fault shows.
    coin: bool,
}

#[async_trait]
impl ConfiguredProvider for Connected {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        self.reads("observing").await?;
        let wrong = self.world.strikes(Fault::F9, 40);
        let mut observation = self.world.inner().hosts.observe(&self.host);
        if wrong {
            observation.host = Address::root("host", "another", None);
        }
        self.process.pass(&self.world, "after observing").await;
        Ok(observation)
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        self.reads("looking").await?;
        let found = {
            let mut inner = self.world.inner();
            inner.oracle.looked(self.process.run(), operation);
            let found = inner.hosts.look(operation).cloned();
            let what = found.as_ref().map(ObservedObject::digest);
            inner.trace.say(format!("p{} looks: {what:?}", self.process.number));
            found
        };
        self.process.pass(&self.world, "after looking").await;
        Ok(found)
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let before = Instant::now();
        self.process.pass(&self.world, "before a call").await;
        if Instant::now() > before {
            // It stood still before the call went out; the engine is to look at its lease again.
            return Err(ProviderError::transient("interrupted"));
        }
        let call = self.begin(operation);
        let answer = self.carry_out(call).await;
        {
            let mut inner = self.world.inner();
            let told = match &answer {
                Ok(object) => format!("{:?}", object.as_ref().map(ObservedObject::digest)),
                Err(error) => format!("{:?} {error}", error.retry),
            };
            // What a host says may hold the secret; what the engine makes of it must not.
            let told = told.replace(CANARY, "(what only hosts see)");
            inner.trace.say(format!("p{} is told {told}", self.process.number));
            let known = !matches!(&answer, Err(error) if error.retry == Retry::Unknown);
            inner.oracle.answered(self.process.run(), operation, known);
        }
        self.process.pass(&self.world, "after a call").await;
        let creates = matches!(operation.action, OperationKind::Create { .. });
        match self.world.broken.filter(|_| creates) {
            Some(broken) => answer.map_err(|error| broken.hears(error)),
            None => answer,
        }
    }

    async fn shutdown(&self) {}
}

impl Connected {
    /// What can go wrong when a host is only read.
    async fn reads(&self, what: &str) -> Result<(), ProviderError> {
        self.process.pass(&self.world, what).await;
        sleep(self.world.latency(1, 40)).await;
        if self.world.strikes(Fault::F1, 30) {
            return Err(ProviderError::transient("the provider died"));
        }
        if self.world.strikes(Fault::F8, 60) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// A request leaves the process.
    fn begin(&self, operation: &Operation) -> Call {
        let run = self.process.run();
        let mut inner = self.world.inner();
        let (word, object) = (operation.action.word(), &operation.object);
        inner.trace.say(format!("p{} asks: {word} {object}", self.process.number));
        inner.oracle.called(run, operation);
        let fault = Fault::OF_CALLS.into_iter().find(|fault| inner.strikes(*fault, 12));
        let limit = limits().call;
        let slow = inner.chance.one_in(2);
        let after = match fault {
            Some(Fault::F3) if slow => limit + inner.chance.millis(100, 3_000),
            _ => inner.chance.millis(5, 400),
        };
        let (outlives, coin) = (inner.chance.one_in(2), inner.chance.one_in(2));
        Call { run, operation: operation.clone(), fault, after, outlives, coin }
    }

    async fn carry_out(&self, call: Call) -> Answer {
        let unknown = || Err(ProviderError::unknown("connection lost"));
        let (fault, coin) = (call.fault, call.coin);
        // Whoever programs a provider repeats what it was given.
        let said = format!("{:?}", call.operation.action);
        match fault {
            Some(Fault::F1) => return unknown(),
            Some(Fault::F8) if coin => return std::future::pending().await,
            _ => {}
        }
        let (send, receive) = oneshot::channel();
        tokio::spawn(happen(Arc::clone(&self.world), Arc::clone(&self.process), call, send));
        let Ok(answer) = receive.await else { return unknown() };
        match fault {
            Some(Fault::F2) => unknown(),
            Some(Fault::F3) => {
                sleep(limits().call).await;
                answer
            }
            Some(Fault::F4) => {
                let place = (self.process.number, self.host.clone());
                self.world.inner().displaced.insert(place, answer.clone());
                answer
            }
            Some(Fault::F5) if coin => {
                Err(ProviderError::permanent(format!("failed, it says: {said}")))
            }
            Some(Fault::F5) => {
                Err(ProviderError::transient(format!("busy, it says, with: {said}")))
            }
            Some(Fault::F7) if coin => {
                Err(ProviderError::permanent(format!("only half of it: {said}")))
            }
            Some(Fault::F7) => unknown(),
            Some(Fault::F8) => std::future::pending().await,
            Some(Fault::F9) => answer.map(|found| found.map(|object| garbled(object, coin))),
            _ => {
                let place = (self.process.number, self.host.clone());
                self.world.inner().displaced.remove(&place).unwrap_or(answer)
            }
        }
    }
}

/// What happens on the host, whether or not the caller still lives.
async fn happen(
    world: Arc<World>,
    process: Arc<Simulated>,
    call: Call,
    send: oneshot::Sender<Answer>,
) {
    sleep(call.after).await;
    if process.is_dead() && !call.outlives {
        return;
    }
    let Call { run, operation, fault, coin, .. } = &call;
    if *fault == Some(Fault::F10) && *coin {
        outsider::meddle_with(&world, operation);
    }
    let answer = match fault {
        Some(Fault::F6) => lie(&world, operation, *coin),
        Some(Fault::F7) => world.effect(*run, operation, Extent::Half),
        Some(Fault::F4) => {
            let first = world.effect(*run, operation, Extent::Whole);
            first.and_then(|_| world.effect(*run, operation, Extent::Whole))
        }
        _ => world.effect(*run, operation, Extent::Whole),
    };
    if *fault == Some(Fault::F10) && !*coin {
        outsider::meddle_with(&world, operation);
    }
    // Whoever asked may be gone.
    let _ = send.send(answer);
}

/// Success that is none: without any object, or with exactly the planned one.
fn lie(world: &World, operation: &Operation, convincing: bool) -> Answer {
    let mut inner = world.inner();
    inner.oracle.excuse(operation);
    if !convincing {
        return Ok(None);
    }
    let mut imagined = inner.hosts.clone();
    imagined.perform(operation, Extent::Whole)
}

/// An answer that no host can have meant.
fn garbled(mut object: ObservedObject, oversized: bool) -> ObservedObject {
    let mut attributes = (*object.attributes).clone();
    if oversized {
        for number in 0..300 {
            attributes.insert(format!("x{number}"), Value::text(&"\u{1b}[2J".repeat(40)));
        }
    } else {
        object.name = Name::new("../\u{202e}\u{0}");
        object.uuid = Some(Uuid::nil());
        object.stamp = None;
    }
    object.attributes = Arc::new(attributes);
    object
}
