//! The example in Python keeps the contract, as everybody's plugin can.

use std::path::Path;
use std::sync::Arc;

use tcloud_model::{Address, Deployment};
use tcloud_plugin::{Launch, Person, PluginProvider};
use tcloud_provider::conformance::{Outcome, run};
use tcloud_provider::{HostConfig, Provider};

const TOY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/plugins/tcloud-provider-toy");

#[tokio::test(flavor = "multi_thread")]
async fn the_example_keeps_the_contract() {
    let directory = tempfile::tempdir().expect("a directory");
    let deployment = Deployment::new("test");
    let config = HostConfig {
        host: Address::root("host", "a", None),
        deployment: deployment.id,
        attributes: Arc::default(),
        directory: directory.path().to_owned(),
    };
    let plugin = PluginProvider::start(Launch::new("toy", Path::new(TOY))).await;
    let plugin = Arc::new(plugin.expect("a description"));
    let host = plugin.configure(&config).await.expect("a host");
    let person = Person::new(Arc::clone(&plugin), config.clone()).await.expect("a person");
    let verdicts = run(&*host, &config.host, deployment, &person).await;
    let failed: Vec<_> =
        verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Kept).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(verdicts.len() > 100, "only {} checks were made", verdicts.len());
    assert!(host.observe().await.expect("a sweep").objects.is_empty());
}

#[test]
fn the_example_is_short() {
    let text = std::fs::read_to_string(TOY).expect("the example");
    let lines = text.lines().count();
    assert!(lines < 150, "{lines} lines");
    let imports: Vec<_> = text.lines().filter(|line| line.contains("import ")).collect();
    assert_eq!(imports, ["import json, os, re, sys, uuid"]);
}
