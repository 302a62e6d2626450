//! Other programs that a task needs.

use std::path::Path;
use std::process::Command;

/// Runs a command that has to succeed.
///
/// # Errors
/// How it ended.
pub(crate) fn must(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    status.success().then_some(()).ok_or_else(|| format!("{command:?}: {status}"))
}

/// What a program says, without white space around it.
///
/// # Errors
/// Why it failed.
pub(crate) fn said(program: &str, arguments: &[&str], root: &Path) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("{program} {}: {why}", arguments.join(" ")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
