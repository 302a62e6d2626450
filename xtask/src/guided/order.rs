//! Which functions ran, as valgrind's callgrind knows it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// A program that leaves a trace in this directory each time it runs.
pub(super) fn trace(program: &Path, traces: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    // Names as the linker knows them, each written out wherever it stands.
    valgrind.args(["--quiet", "--tool=callgrind", "--demangle=no", "--compress-strings=no"]);
    valgrind.arg(format!("--callgrind-out-file={}/%p", traces.display())).arg(program);
    valgrind
}

/// The names of all functions that ran, a line for each.
///
/// # Errors
/// That a trace cannot be read, or that there is nothing in any.
pub(super) fn read(traces: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", traces.display());
    let mut names = BTreeSet::new();
    for trace in std::fs::read_dir(traces).map_err(failed)? {
        let text = std::fs::read_to_string(trace.map_err(failed)?.path()).map_err(failed)?;
        names.extend(text.lines().filter_map(|line| line.strip_prefix("fn=")).map(str::to_owned));
    }
    if names.is_empty() {
        return Err(format!("{}: no function ran", traces.display()));
    }
    Ok(names.into_iter().flat_map(|name| [name, "\n".to_owned()]).collect())
}
