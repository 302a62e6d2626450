//! The provider `sim`: opens simulated hosts and passes calls on to them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};
use tcloud_model::{Catalog, Fields, HostObservation, ObservedObject, Operation, Value};
use tcloud_provider::{ConfiguredProvider, Description, HostConfig, Provider, ProviderError};

use crate::database;
use crate::failure::Failure;
use crate::host::Site;
use crate::queue::{Answer, Queue, Request};
use crate::script::{Call, Script, set};

/// Calls that wait for each other share a transaction, so that many at once cost less each.
const AT_ONCE: Option<NonZeroUsize> = NonZeroUsize::new(32);

/// The embedded hypervisor.
pub struct SimProvider {
    catalog: Arc<Catalog>,
}

impl SimProvider {
    /// Knows the core kinds.
    pub fn new() -> SimProvider {
        SimProvider { catalog: Arc::new(Catalog::core()) }
    }
}

impl Default for SimProvider {
    fn default() -> SimProvider {
        SimProvider::new()
    }
}

#[async_trait]
impl Provider for SimProvider {
    fn describe(&self) -> Description {
        Description {
            name: "sim".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kinds: Vec::new(),
            extensions: Vec::new(),
            at_once: AT_ONCE,
        }
    }

    async fn configure(
        &self,
        host: &HostConfig,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        let site = Site {
            host: host.host.clone(),
            deployment: Some(host.deployment),
            directory: host.directory.clone(),
        };
        let attributes = Arc::clone(&host.attributes);
        let opening = {
            let site = site.clone();
            tokio::task::spawn_blocking(move || open(&site, &attributes))
        };
        let (file, latency) = match opening.await {
            Ok(opened) => opened.map_err(Failure::told)?,
            Err(_) => return Err(ProviderError::transient("the run is ending")),
        };
        tokio::time::sleep(latency).await;
        let queue = Arc::new(Queue::new(site, Arc::clone(&self.catalog), file));
        Ok(Arc::new(SimHost { queue }))
    }
}

/// Opens a host's file, and notes what the text says about the host.
fn open(site: &Site, attributes: &Fields) -> Result<(Connection, std::time::Duration), Failure> {
    let mut file = database::open(&database::file_of(&site.directory, &site.host))?;
    if declares_otherwise(&file, attributes)? {
        let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (name, value) in declared(attributes) {
            set(&transaction, name, value.as_deref())?;
        }
        transaction.commit()?;
    }
    let script = Script::read(&file)?;
    script.reach()?;
    let call = Call::host("configure");
    if let Some(fault) = script.fault(&file, &call)? {
        return Err(fault.failure());
    }
    let latency = script.latency(&call);
    Ok((file, latency))
}

fn declares_otherwise(file: &Connection, attributes: &Fields) -> Result<bool, Failure> {
    for (name, value) in declared(attributes) {
        if crate::script::get(file, name)? != value {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the text says about a host's size, as settings.
fn declared(attributes: &Fields) -> [(&'static str, Option<String>); 3] {
    let number = |block: &str, name: &str| attributes.map(block).and_then(|b| b.number(name));
    let overcommit = match attributes.map("overcommit").and_then(|block| block.get("memory")) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts of floats saturate, and no overcommit is that large"
        )]
        Some(Value::Float(times)) => Some((times * 1_000.0) as u64),
        Some(Value::Int(times)) => u64::try_from(*times).ok().and_then(|n| n.checked_mul(1_000)),
        _ => None,
    };
    [
        ("declared.vcpus", number("capacity", "vcpus").map(|n| n.to_string())),
        ("declared.memory", number("capacity", "memory").map(|n| n.to_string())),
        ("declared.overcommit", overcommit.map(|n| n.to_string())),
    ]
}

/// A simulated host.
struct SimHost {
    queue: Arc<Queue>,
}

#[async_trait]
impl ConfiguredProvider for SimHost {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        match self.queue.ask(Request::Observe).await? {
            Answer::Observation(observation) => Ok(*observation),
            other => unreachable!("BUG: an observation was asked for, and not {other:?}"),
        }
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        object(self.queue.ask(Request::Look(operation.clone())).await?)
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        object(self.queue.ask(Request::Apply(operation.clone())).await?)
    }

    async fn shutdown(&self) {}
}

fn object(answer: Answer) -> Result<Option<ObservedObject>, ProviderError> {
    match answer {
        Answer::Object(object) => Ok(object.map(|object| *object)),
        other => unreachable!("BUG: an object was asked for, and not {other:?}"),
    }
}
