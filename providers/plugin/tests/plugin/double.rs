//! A provider that does as the test says, in place of one with a hypervisor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tcloud_model::{HostObservation, Name, ObservedObject, Operation};
use tcloud_provider::{ConfiguredProvider, Description, HostConfig, Provider, ProviderError};

/// The provider. What it does with an operation stands in the name of the object: `slow` waits,
/// `panic` panics, `fail` fails, anything else is answered at once.
#[derive(Default)]
pub(crate) struct Double {
    /// How many objects a sweep shows.
    pub(crate) objects: usize,
    /// How many calls were dropped before they ended.
    pub(crate) dropped: Arc<AtomicUsize>,
}

struct Host {
    config: HostConfig,
    objects: usize,
    dropped: Arc<AtomicUsize>,
}

struct Dropped(Arc<AtomicUsize>, bool);

impl Drop for Dropped {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

pub(crate) fn object(name: &str) -> ObservedObject {
    ObservedObject {
        kind: Name::new("network"),
        name: Name::new(name),
        uuid: None,
        stamp: None,
        attributes: Arc::default(),
        pending: Arc::default(),
        written: None,
        running: None,
        kept: Vec::new(),
        holds: Vec::new(),
        room: None,
    }
}

#[async_trait]
impl Provider for Double {
    fn describe(&self) -> Description {
        Description {
            name: "double".to_owned(),
            version: "1".to_owned(),
            kinds: Vec::new(),
            extensions: Vec::new(),
            at_once: None,
        }
    }

    async fn configure(
        &self,
        host: &HostConfig,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        let dropped = Arc::clone(&self.dropped);
        Ok(Arc::new(Host { config: host.clone(), objects: self.objects, dropped }))
    }
}

#[async_trait]
impl ConfiguredProvider for Host {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        Ok(HostObservation {
            host: self.config.host.clone(),
            facts: None,
            objects: (0..self.objects).map(|n| object(&format!("n{n}"))).collect(),
            problems: Vec::new(),
        })
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        Ok(Some(object(&operation.identity.name)))
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let name = operation.identity.name.as_str();
        match name {
            "slow" => {
                let mut guard = Dropped(Arc::clone(&self.dropped), false);
                tokio::time::sleep(Duration::from_secs(30)).await;
                guard.1 = true;
                Ok(None)
            }
            "panic" => panic!("as the test said"),
            "fail" => Err(ProviderError::transient("it is busy").with_object(object(name))),
            _ => Ok(Some(object(name))),
        }
    }

    async fn shutdown(&self) {}
}
