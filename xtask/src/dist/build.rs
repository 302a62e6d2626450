//! Builds the programs from a copy of what is committed. Paths are written as if everything lay in
//! `/tcloud` and `/cargo`, and the only time is that of the commit.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{PAPERS, PROGRAMS, Release};
use crate::command::must;
use crate::guided::{Build, Guide};
use crate::metadata::Compiler;

/// Copies what is committed into a directory, which is made.
pub(super) fn copy(root: &Path, to: &Path, release: &Release) -> Result<(), String> {
    std::fs::create_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
    let copy = "git archive \"$0\" | tar -x -C \"$1\"";
    let mut shell = Command::new("sh");
    must(shell.args(["-c", copy, &release.commit]).arg(to).current_dir(root))
}

/// Builds in a directory, which is made, and gives the tree that goes into the archive.
pub(super) fn build(
    root: &Path,
    at: &Path,
    release: &Release,
    compiler: &Compiler,
    guide: &Guide,
) -> Result<PathBuf, String> {
    let (source, target) = (&at.join("source"), &at.join("target"));
    let failed = |error: std::io::Error| format!("{}: {error}", at.display());
    copy(root, source, release)?;
    // It has another place each time, as everything has.
    let guide = guide.copy(at)?;
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home).unwrap_or_default();
    let places = [(source, "/tcloud"), (target, "/target"), (&home, "/cargo")];
    let each = |option: &str| places.map(|(at, name)| format!("{option}={}={name}", at.display()));
    let build = Build { source, target, compiler };
    // One by one: together, each would be built with what the other one needs.
    for program in PROGRAMS {
        let mut flags = each("--remap-path-prefix").to_vec();
        // The guide knows what `tcloud` does. Of others it would say that they do little.
        if program == "tcloud" {
            flags.extend(guide.flags());
        }
        let mut cargo = build.cargo(&[program], &flags);
        cargo.env("CFLAGS", each("-ffile-prefix-map").join(" "));
        cargo.env("SOURCE_DATE_EPOCH", release.moment.to_string());
        must(cargo.env("LC_ALL", "C").env("TZ", "UTC"))?;
    }
    let tree = at.join(release.name());
    std::fs::create_dir_all(tree.join("bin")).map_err(failed)?;
    for program in PROGRAMS {
        std::fs::copy(build.programs().join(program), tree.join("bin").join(program))
            .map_err(failed)?;
    }
    for paper in PAPERS {
        std::fs::copy(source.join(paper), tree.join(paper)).map_err(failed)?;
    }
    Ok(tree)
}
