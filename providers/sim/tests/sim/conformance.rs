//! The suite that every provider passes.

use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{
    Address, Deployment, Fields, HostObservation, Name, ObservedObject, Operation, OperationKind,
};
use tcloud_provider::conformance::{Outsider, run};
use tcloud_provider::{ConfiguredProvider, Provider, ProviderError};
use tcloud_provider_sim::{Control, SimProvider};

use crate::rig::{Rig, attributes};

/// A person in front of a simulated host.
struct Person {
    directory: std::path::PathBuf,
    host: Address,
    /// How the other deployment's provider breaks the contract.
    breach: Option<Breach>,
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
        let host = host.map_err(|error| error.message)?;
        let Some(how) = self.breach else { return Ok((deployment, host)) };
        let person =
            Person { directory: self.directory.clone(), host: self.host.clone(), breach: None };
        Ok((deployment, Arc::new(Broken { host, person, how })))
    }
}

/// A provider that does not keep the contract.
struct Broken {
    host: Arc<dyn ConfiguredProvider>,
    person: Person,
    how: Breach,
}

/// How it breaks the contract.
#[derive(Clone, Copy, Debug)]
enum Breach {
    /// It restarts guests to change them.
    Interrupts,
    /// It deletes what has the name, whoever owns it.
    Steals,
    /// It says that it did, and did not.
    Lies,
    /// It applies at once what should wait.
    Hurries,
    /// Its answers show nothing that waits.
    Hides,
}

#[async_trait]
impl ConfiguredProvider for Broken {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        let mut observation = self.host.observe().await?;
        if let Breach::Hides = self.how {
            for object in &mut observation.objects {
                object.pending = Arc::default();
            }
        }
        Ok(observation)
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        self.host.look(operation).await
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let name = &operation.identity.name;
        match (self.how, &operation.action) {
            (Breach::Interrupts, OperationKind::Update { .. }) if operation.kind == "vm" => {
                let answer = self.host.apply(operation).await?;
                self.person.control().power_cycle(name).expect("a guest");
                Ok(answer)
            }
            (Breach::Steals, OperationKind::Delete) => {
                // What is not there cannot be stolen.
                let _ = self.person.control().delete(name);
                Ok(None)
            }
            (Breach::Lies, OperationKind::Update { .. }) => self.host.look(operation).await,
            (Breach::Hurries, OperationKind::Update { attributes, changed, stamp, .. }) => {
                let action = OperationKind::Update {
                    attributes: Arc::clone(attributes),
                    changed: changed.clone(),
                    power_cycle: true,
                    stamp: stamp.clone(),
                };
                self.host.apply(&Operation { action, ..operation.clone() }).await
            }
            _ => self.host.apply(operation).await,
        }
    }

    async fn shutdown(&self) {}
}

#[tokio::test]
async fn a_provider_that_breaks_the_contract_is_caught() {
    for (how, check) in [
        (Breach::Interrupts, "changing vm hostname to \"other\" costs none"),
        (Breach::Steals, "objects of another deployment are seen and left alone"),
        (Breach::Steals, "a foreign network is seen and left alone"),
        (Breach::Lies, "changing vm autostart to false costs live"),
        (Breach::Hurries, "changing vm machine to \"pc\" costs power-cycle"),
        (Breach::Hides, "changing vm tpm to true costs power-cycle"),
    ] {
        let rig = Rig::new();
        let person =
            || Person { directory: rig.path().to_owned(), host: rig.host.clone(), breach: None };
        let broken = Broken { host: rig.host().await, person: person(), how };
        let mut outsider = person();
        outsider.breach = Some(how);
        let verdicts = run(&broken, &rig.host, rig.deployment.clone(), &outsider).await;
        let caught = verdicts.iter().any(|own| own.name == check && own.trouble.is_some());
        let failed: Vec<_> = verdicts.iter().filter(|own| own.trouble.is_some()).collect();
        assert!(caught, "{how:?}: {check}: {failed:#?}");
    }
}

#[tokio::test]
async fn the_simulated_hypervisor_keeps_the_contract() {
    let rig = Rig::new();
    let host = rig.host().await;
    let person = Person { directory: rig.path().to_owned(), host: rig.host.clone(), breach: None };
    let verdicts = run(&*host, &rig.host, rig.deployment.clone(), &person).await;
    let failed: Vec<_> = verdicts.iter().filter(|verdict| verdict.trouble.is_some()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(verdicts.len() > 100, "only {} checks were made", verdicts.len());
    assert!(host.observe().await.expect("a sweep").objects.is_empty());
}
