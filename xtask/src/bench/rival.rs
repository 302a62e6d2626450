//! Terraform with its built-in `terraform_data`, which needs no provider and no network.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::measure::{self, Measured};

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

/// Applies.
pub(super) fn apply(directory: &Path) -> Result<Measured, String> {
    run(directory, &["apply", "-input=false", "-no-color", "-auto-approve"])
}

fn run(directory: &Path, arguments: &[&str]) -> Result<Measured, String> {
    let chdir = format!("-chdir={}", directory.display());
    let mut words: Vec<&OsStr> = vec!["terraform".as_ref(), chdir.as_ref()];
    words.extend(arguments.iter().map(|word| OsStr::new(*word)));
    measure::command(&words)
}
