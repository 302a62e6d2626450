//! The hosts of a run and the connections to them. A host is reached when it is first needed, and
//! again after that failed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tcloud_model::{Address, Catalog};
use tcloud_provider::{ConfiguredProvider, Discretion, HostConfig, ProviderError, Registry};
use tokio::sync::OnceCell;

use crate::discreet::Discreet;
use crate::limits::Limits;
use crate::queue::{Lane, LaneOf};

/// A host, and what reaches it.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// The host as the text describes it.
    pub config: HostConfig,
    /// The name of its provider.
    pub provider: String,
}

/// All hosts of a run.
pub(crate) struct Hosts {
    providers: Registry,
    connect: Duration,
    hosts: BTreeMap<Address, Host>,
    discretion: Arc<Discretion>,
}

struct Host {
    spec: HostSpec,
    connection: OnceCell<Arc<dyn ConfiguredProvider>>,
}

impl Hosts {
    pub(crate) fn new(providers: Registry, connect: Duration, specs: Vec<HostSpec>) -> Hosts {
        let hosts = specs
            .into_iter()
            .map(|spec| (spec.config.host.clone(), Host { spec, connection: OnceCell::new() }))
            .collect();
        // Whoever compiles the text is told when providers contradict each other.
        let catalog = providers.catalog().unwrap_or_else(|_| Catalog::core());
        let discretion = Arc::new(Discretion::new(&catalog));
        Hosts { providers, connect, hosts, discretion }
    }

    /// All hosts, sorted.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.hosts.keys().cloned().collect()
    }

    /// The lane of a host: its own, where its provider says how many operations a host takes; else that of
    /// all hosts of the provider, which may answer one after the other.
    pub(crate) fn lane<'a>(&'a self, host: &'a Address, limits: &Limits) -> Lane<'a> {
        let provider = self.hosts.get(host).map(|host| host.spec.provider.as_str());
        let known = provider.and_then(|provider| self.providers.get(provider).ok());
        match (known.and_then(|known| known.describe().at_once), provider) {
            (None, Some(provider)) => {
                Lane { of: LaneOf::Provider(provider), room: limits.per_provider }
            }
            (room, _) => {
                let room = room.map_or(limits.per_provider, NonZeroUsize::get);
                Lane { of: LaneOf::Host(host), room }
            }
        }
    }

    /// The connection to a host, made now if there is none.
    pub(crate) async fn reach(
        &self,
        host: &Address,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        let Some(Host { spec, connection }) = self.hosts.get(host) else {
            let message =
                format!("the configuration has no host {host}, so nothing on it can be reached");
            return Err(ProviderError::permanent(message));
        };
        let provider = self
            .providers
            .get(&spec.provider)
            .map_err(|unknown| ProviderError::permanent(unknown.to_string()))?;
        let connect =
            async || match tokio::time::timeout(self.connect, provider.configure(&spec.config))
                .await
            {
                Ok(answer) => answer.map(|host| {
                    let discretion = Arc::clone(&self.discretion);
                    Arc::new(Discreet { host, discretion }) as Arc<dyn ConfiguredProvider>
                }),
                Err(_) => {
                    let seconds = self.connect.as_secs();
                    Err(ProviderError::transient(format!("no connection within {seconds} s")))
                }
            };
        connection.get_or_try_init(connect).await.cloned()
    }

    /// Lets go of all hosts that were reached.
    pub(crate) async fn shutdown(&self) {
        for host in self.hosts.values() {
            if let Some(connection) = host.connection.get() {
                connection.shutdown().await;
            }
        }
    }
}
