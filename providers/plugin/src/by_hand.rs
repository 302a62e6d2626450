//! A plugin as the outsider of the conformance suite: it does by hand what the suite needs done.

use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{Address, Deployment, Fields, Name};
use tcloud_provider::conformance::Outsider;
use tcloud_provider::{ConfiguredProvider, HostConfig, Provider};

use crate::message::{ByHandRequest, Deed, Done, method};
use crate::provider::PluginProvider;

/// A person in front of a plugin's host.
pub struct Person {
    plugin: Arc<PluginProvider>,
    host: HostConfig,
    fits: Vec<(Address, Fields)>,
}

impl Person {
    /// The person, who has been asked which attributes fit the host.
    ///
    /// # Errors
    /// When the plugin knows nobody who does things by hand.
    pub async fn new(plugin: Arc<PluginProvider>, host: HostConfig) -> Result<Person, String> {
        let mut person = Person { plugin, host, fits: Vec::new() };
        for (address, attributes) in tcloud_provider::conformance::asked() {
            let deed = Deed::Fit { address: address.clone(), attributes: attributes.clone() };
            let Done { attributes: fit, process: _ } = person.ask(deed).await?;
            person.fits.push((address, fit.unwrap_or(attributes)));
        }
        Ok(person)
    }

    async fn ask(&self, action: Deed) -> Result<Done, String> {
        let request = ByHandRequest { host: self.host.clone(), action };
        self.plugin.ask(method::BY_HAND, &request).await.map_err(|error| error.message)
    }
}

#[async_trait]
impl Outsider for Person {
    async fn make(&self, kind: &str, name: &Name) -> Result<(), String> {
        let (kind, name) = (Name::new(kind), name.clone());
        self.ask(Deed::Make { kind, name }).await.map(|_| ())
    }

    async fn delete(&self, kind: &str, name: &Name) -> Result<(), String> {
        let (kind, name) = (Name::new(kind), name.clone());
        self.ask(Deed::Delete { kind, name }).await.map(|_| ())
    }

    async fn power_cycle(&self, guest: &Name) -> Result<(), String> {
        self.ask(Deed::PowerCycle { guest: guest.clone() }).await.map(|_| ())
    }

    async fn process(&self, guest: &Name) -> Result<Option<String>, String> {
        self.ask(Deed::Process { guest: guest.clone() }).await.map(|done| done.process)
    }

    async fn stranger(&self) -> Result<(Deployment, Arc<dyn ConfiguredProvider>), String> {
        let deployment = Deployment::new("stranger");
        let host = HostConfig { deployment: deployment.id, ..self.host.clone() };
        let host = self.plugin.configure(&host).await.map_err(|error| error.message)?;
        Ok((deployment, host))
    }

    fn fit(&self, address: &Address, attributes: Fields) -> Fields {
        let known = self.fits.iter().find(|(own, asked)| own == address && !asked.is_empty());
        known.map_or(attributes, |(_, fit)| fit.clone())
    }
}
