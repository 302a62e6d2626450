//! The house rules of ARCHITECTURE.md that a program can check.

mod dependencies;
mod files;
mod packages;
mod supply;

use std::path::Path;

/// Checks every rule and prints what breaks one.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut broken = files::check(root)?;
    broken.extend(dependencies::check(root)?);
    broken.extend(packages::check(root)?);
    broken.extend(supply::check(root)?);
    broken.sort();
    if broken.is_empty() {
        crate::say("tidy: every rule holds");
        return Ok(());
    }
    for rule in &broken {
        crate::report(rule);
    }
    Err(format!("tidy: {} places break a house rule", broken.len()))
}
