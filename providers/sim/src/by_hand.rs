//! A person in front of a simulated host, as the conformance suite needs one.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{Address, Deployment, Fields, Name, Value};
use tcloud_plugin::ByHand;
use tcloud_provider::conformance::Outsider;
use tcloud_provider::{ConfiguredProvider, HostConfig, Provider};

use crate::control::{Control, ControlError};
use crate::provider::SimProvider;

/// The person.
pub struct Person {
    /// Where providers may keep files.
    pub directory: PathBuf,
    /// The host.
    pub host: Address,
}

/// People for all hosts.
#[derive(Clone, Copy, Debug, Default)]
pub struct People;

impl ByHand for People {
    fn outsider(&self, host: &HostConfig) -> Result<Arc<dyn Outsider>, String> {
        Ok(Arc::new(Person { directory: host.directory.clone(), host: host.host.clone() }))
    }
}

impl Person {
    /// What the person works with.
    ///
    /// # Errors
    /// When the host's file cannot be used.
    pub fn control(&self) -> Result<Control, ControlError> {
        Control::open(&self.directory, &self.host)
    }

    fn act<T>(
        &self,
        act: impl FnOnce(&mut Control) -> Result<T, ControlError>,
    ) -> Result<T, String> {
        self.control().and_then(|mut control| act(&mut control)).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Outsider for Person {
    async fn make(&self, kind: &str, name: &Name) -> Result<(), String> {
        let gibibyte = Value::Bytes(1 << 30);
        let fields: Fields = match kind {
            "vm" => [("vcpus", Value::Int(1)), ("memory", gibibyte)]
                .into_iter()
                .map(|(name, value)| (Name::new(name), value))
                .collect(),
            "volume" => [(Name::new("size"), gibibyte)].into_iter().collect(),
            _ => Fields::new(),
        };
        self.act(|control| control.make(kind, name, &fields, None))
    }

    async fn delete(&self, kind: &str, name: &Name) -> Result<(), String> {
        self.act(|control| control.delete(&format!("{kind}/{name}")))
    }

    async fn power_cycle(&self, guest: &Name) -> Result<(), String> {
        self.act(|control| control.power_cycle(guest))
    }

    async fn process(&self, guest: &Name) -> Result<Option<String>, String> {
        let listing = self.act(Control::list)?;
        let own = listing.into_iter().find(|own| own.object.name == *guest);
        Ok(own.and_then(|own| own.started).map(|serial| serial.to_string()))
    }

    async fn stranger(&self) -> Result<(Deployment, Arc<dyn ConfiguredProvider>), String> {
        let deployment = Deployment::new("stranger");
        let config = HostConfig {
            host: self.host.clone(),
            deployment: deployment.id,
            attributes: Arc::default(),
            directory: self.directory.clone(),
        };
        let host = SimProvider::new().configure(&config).await;
        Ok((deployment, host.map_err(|error| error.message)?))
    }
}
