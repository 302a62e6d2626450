//! Terraform with its built-in `terraform_data`, which needs no provider and no network.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::measure::{self, Measured};
use crate::directory;
use crate::shape::{Shape, TerraformTenant};

/// Whether terraform is on the path.
pub(super) fn is_there() -> bool {
    let answer = Command::new("terraform").arg("version").stdout(Stdio::null()).status();
    answer.is_ok_and(|status| status.success())
}

/// Prepares a directory.
pub(super) fn init(directory: &Path) -> Result<(), String> {
    run(directory, &["init", "-input=false"]).map(|_| ())
}

/// Plans, with as many steps at once as we allow ourselves.
pub(super) fn plan(directory: &Path) -> Result<Measured, String> {
    run(directory, &["plan", "-input=false", "-no-color"])
}

/// Plans where everything is as it should be; fails if terraform finds otherwise.
pub(super) fn plan_nothing(directory: &Path) -> Result<Measured, String> {
    run(directory, &["plan", "-input=false", "-no-color", "-detailed-exitcode"])
}

/// Applies.
pub(super) fn apply(directory: &Path) -> Result<Measured, String> {
    run(directory, &["apply", "-input=false", "-no-color", "-auto-approve"])
}

/// Writes the state that an apply of so many resources of the reference load leaves, which would
/// take terraform minutes: one tenant is applied, and what that left is written once for each.
pub(super) fn pretend_applied(directory: &Path, size: usize) -> Result<(), String> {
    let one = directory.join("one");
    directory::write(&one, "main.tf", &Shape::Reference.terraform(1))?;
    init(&one)?;
    apply(&one)?;
    let failed = |error: &dyn std::fmt::Display| format!("terraform's state: {error}");
    let text = std::fs::read(one.join(STATE)).map_err(|error| failed(&error))?;
    let mut state: Value = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    let tenant = state["resources"].take();
    let ids: Vec<String> = serde_json::from_value(ids(&tenant)).map_err(|error| failed(&error))?;
    let tenant = tenant.to_string();
    let mut resources = Vec::new();
    for n in 0..Shape::tenants(size) {
        let copy = renamed(&tenant, &ids, n);
        let copy: Vec<Value> = serde_json::from_str(&copy).map_err(|error| failed(&error))?;
        resources.extend(copy);
    }
    state["resources"] = resources.into();
    directory::write(directory, STATE, &format!("{state:#}"))
}

/// Where terraform keeps its state.
const STATE: &str = "terraform.tfstate";

/// The ids of resources.
fn ids(resources: &Value) -> Value {
    let resources = resources.as_array().into_iter().flatten();
    resources.map(|resource| resource["instances"][0]["attributes"]["id"].clone()).collect()
}

/// The resources of the first tenant as those of another one, which have ids of their own.
fn renamed(first: &str, ids: &[String], n: usize) -> String {
    let (from, to) = (TerraformTenant(0), TerraformTenant(n));
    let named = first.replace(&from.prefix(), &to.prefix()).replace(&from.cidr(), &to.cidr());
    ids.iter().fold(named, |text, id| text.replace(id, &format!("{n:08x}{}", &id[8..])))
}

fn run(directory: &Path, arguments: &[&str]) -> Result<Measured, String> {
    let chdir = format!("-chdir={}", directory.display());
    let mut words: Vec<&OsStr> = vec!["terraform".as_ref(), chdir.as_ref()];
    words.extend(arguments.iter().map(|word| OsStr::new(*word)));
    measure::command(&words)
}
