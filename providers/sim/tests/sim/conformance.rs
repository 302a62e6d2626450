//! The suite that every provider passes.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{Deployment, HostObservation, Name, ObservedObject, Operation, OperationKind};
use tcloud_plugin::{Launch, PluginProvider};
use tcloud_provider::conformance::{Outcome, Outsider, run};
use tcloud_provider::{ConfiguredProvider, Provider, ProviderError};
use tcloud_provider_sim::Person;

use crate::rig::Rig;

/// The person for a provider that breaks the contract: the other deployment breaks it as well.
struct Accomplice {
    person: Person,
    breach: Breach,
}

fn person(rig: &Rig) -> Person {
    Person { directory: rig.path().to_owned(), host: rig.host.clone() }
}

#[async_trait]
impl Outsider for Accomplice {
    async fn make(&self, kind: &str, name: &Name) -> Result<(), String> {
        self.person.make(kind, name).await
    }

    async fn delete(&self, kind: &str, name: &Name) -> Result<(), String> {
        self.person.delete(kind, name).await
    }

    async fn power_cycle(&self, guest: &Name) -> Result<(), String> {
        self.person.power_cycle(guest).await
    }

    async fn process(&self, guest: &Name) -> Result<Option<String>, String> {
        self.person.process(guest).await
    }

    async fn stranger(&self) -> Result<(Deployment, Arc<dyn ConfiguredProvider>), String> {
        let (deployment, host) = self.person.stranger().await?;
        let Person { directory, host: address } = &self.person;
        let person = Person { directory: directory.clone(), host: address.clone() };
        Ok((deployment, Arc::new(Broken { host, person, how: self.breach })))
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
                self.person.control().expect("a file").power_cycle(name).expect("a guest");
                Ok(answer)
            }
            (Breach::Steals, OperationKind::Delete) => {
                // What is not there cannot be stolen.
                let _ = self.person.control().expect("a file").delete(name);
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
        let broken = Broken { host: rig.host().await, person: person(&rig), how };
        let outsider = Accomplice { person: person(&rig), breach: how };
        let verdicts = run(&broken, &rig.host, rig.deployment.clone(), &outsider).await;
        let caught = verdicts.iter().any(|own| own.name == check && own.trouble().is_some());
        let failed: Vec<_> = verdicts.iter().filter(|own| own.trouble().is_some()).collect();
        assert!(caught, "{how:?}: {check}: {failed:#?}");
    }
}

async fn keeps_the_contract(rig: &Rig, host: &dyn ConfiguredProvider, outsider: &dyn Outsider) {
    let verdicts = run(host, &rig.host, rig.deployment.clone(), outsider).await;
    let failed: Vec<_> =
        verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Kept).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(verdicts.len() > 100, "only {} checks were made", verdicts.len());
    assert!(host.observe().await.expect("a sweep").objects.is_empty());
}

#[tokio::test]
async fn the_simulated_hypervisor_keeps_the_contract() {
    let rig = Rig::new();
    let host = rig.host().await;
    keeps_the_contract(&rig, &*host, &person(&rig)).await;
}

#[tokio::test]
async fn the_simulated_hypervisor_keeps_the_contract_as_a_plugin() {
    let rig = Rig::new();
    let launch = Launch::new("sim", Path::new(env!("CARGO_BIN_EXE_tcloud-provider-sim")));
    let plugin = Arc::new(PluginProvider::start(launch).await.expect("a plugin"));
    let config = rig.config(&rig.host, &rig.deployment);
    let host = plugin.configure(&config).await.expect("a host");
    let person = tcloud_plugin::Person::new(Arc::clone(&plugin), config).await;
    keeps_the_contract(&rig, &*host, &person.expect("a person")).await;
    host.shutdown().await;
}
