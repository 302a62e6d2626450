//! Time and memory of one command. The command runs below a fresh process of this program, because
//! the kernel tells the peak memory of the largest child only.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// What a command took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Wall time.
    pub(crate) seconds: f64,
    /// Peak resident memory in megabytes (10⁶ bytes).
    pub(crate) peak_mb: f64,
}

/// Measures a command; its output is thrown away.
pub(crate) fn command(words: &[&OsStr]) -> Result<Measured, String> {
    let own = std::env::current_exe().map_err(|error| format!("who am I: {error}"))?;
    let output = Command::new(own)
        .arg("measure")
        .arg("--")
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{words:?} cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("{words:?} failed"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{words:?}: {error}"))
}

/// The process between: runs the command and prints what it took.
pub(crate) fn child(words: &[String]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("nothing to run".to_owned());
    };
    let start = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .env_remove("TCLOUD_STATE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| format!("usage: {error}"))?;
    let measured = Measured { seconds, peak_mb: usage.max_rss() as f64 * 1024.0 / 1e6 };
    crate::say(&serde_json::to_string(&measured).map_err(|error| error.to_string())?);
    Ok(())
}
