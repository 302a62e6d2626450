//! Which functions ran, as valgrind's callgrind knows it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
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

/// The names of all functions that ran, a line for each: first those of most traces, so that what
/// only a few commands need lies apart from what all need.
///
/// # Errors
/// That a trace cannot be read, or that there is nothing in any.
pub(super) fn read(traces: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", traces.display());
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for trace in std::fs::read_dir(traces).map_err(failed)? {
        let text = std::fs::read_to_string(trace.map_err(failed)?.path()).map_err(failed)?;
        let names = text.lines().filter_map(|line| line.strip_prefix("fn="));
        for name in names.collect::<BTreeSet<_>>() {
            *found.entry(name.to_owned()).or_default() += 1;
        }
    }
    if found.is_empty() {
        return Err(format!("{}: no function ran", traces.display()));
    }
    let mut names: Vec<(String, usize)> = found.into_iter().collect();
    names.sort_by_key(|(_, traces)| Reverse(*traces));
    Ok(names.into_iter().flat_map(|(name, _)| [name, "\n".to_owned()]).collect())
}
