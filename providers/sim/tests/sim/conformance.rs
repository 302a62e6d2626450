//! The suite that every provider passes.

use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{Address, Deployment, Fields, Name};
use tcloud_provider::conformance::{Outsider, run};
use tcloud_provider::{ConfiguredProvider, Provider};
use tcloud_provider_sim::{Control, SimProvider};

use crate::rig::{Rig, attributes};

/// A person in front of a simulated host.
struct Person {
    directory: std::path::PathBuf,
    host: Address,
}

impl Person {
    fn control(&self) -> Control {
        Control::open(&self.directory, &self.host).expect("a file")
    }
}

#[async_trait]
impl Outsider for Person {
    async fn make(&self, kind: &str, name: &Name) -> Result<(), String> {
        let fields = match kind {
            "vm" => attributes(r#"{"vcpus":1,"memory":{"$bytes":1073741824}}"#),
            "volume" => attributes(r#"{"size":{"$bytes":1073741824}}"#),
            _ => Fields::new(),
        };
        self.control().make(kind, name, &fields, None).map_err(|error| error.to_string())
    }

    async fn delete(&self, kind: &str, name: &Name) -> Result<(), String> {
        self.control().delete(&format!("{kind}/{name}")).map_err(|error| error.to_string())
    }

    async fn power_cycle(&self, guest: &Name) -> Result<(), String> {
        self.control().power_cycle(guest).map_err(|error| error.to_string())
    }

    async fn process(&self, guest: &Name) -> Result<Option<String>, String> {
        let listing = self.control().list().map_err(|error| error.to_string())?;
        let own = listing.into_iter().find(|own| own.object.name == *guest);
        Ok(own.and_then(|own| own.started).map(|serial| serial.to_string()))
    }

    async fn stranger(&self) -> Result<(Deployment, Arc<dyn ConfiguredProvider>), String> {
        let mut rig = Rig::new();
        rig.elsewhere = Some(self.directory.clone());
        let deployment = Deployment::new("stranger");
        let config = rig.config(&self.host, &deployment);
        let host = SimProvider::new().configure(&config).await;
        host.map(|host| (deployment, host)).map_err(|error| error.message)
    }
}

#[tokio::test]
async fn the_simulated_hypervisor_keeps_the_contract() {
    let rig = Rig::new();
    let host = rig.host().await;
    let person = Person { directory: rig.path().to_owned(), host: rig.host.clone() };
    let verdicts = run(&*host, &rig.host, rig.deployment.clone(), &person).await;
    let failed: Vec<_> = verdicts.iter().filter(|verdict| verdict.trouble.is_some()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(verdicts.len() > 100, "only {} checks were made", verdicts.len());
    assert!(host.observe().await.expect("a sweep").objects.is_empty());
}
