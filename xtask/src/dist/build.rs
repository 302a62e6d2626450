//! Builds the programs from a copy of what is committed. Paths are written as if everything lay in
//! `/tcloud` and `/cargo`, and the only time is that of the commit.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{PAPERS, PROGRAMS, Release};
use crate::metadata::Compiler;

/// Builds in a directory, which is made, and gives the tree that goes into the archive.
pub(super) fn build(
    root: &Path,
    at: &Path,
    release: &Release,
    compiler: &Compiler,
) -> Result<PathBuf, String> {
    let (source, target) = (at.join("source"), at.join("target"));
    let failed = |error: std::io::Error| format!("{}: {error}", at.display());
    std::fs::create_dir_all(&source).map_err(failed)?;
    let copy = "git archive \"$0\" | tar -x -C \"$1\"";
    let mut shell = Command::new("sh");
    must(shell.args(["-c", copy, &release.commit]).arg(&source).current_dir(root))?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked"]).current_dir(&source);
    for program in PROGRAMS {
        cargo.args(["--package", program]);
    }
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home).unwrap_or_default();
    let places = [(&source, "/tcloud"), (&target, "/target"), (&home, "/cargo")];
    let each = |option: &str| {
        let all = places.map(|(place, name)| format!("{option}={}={name}", place.display()));
        all.join("\u{1f}")
    };
    cargo
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_kept(name.to_str().unwrap_or_default())))
        // The compiler itself and not a front of it, which might choose, install or update another one.
        .env("RUSTC", compiler.sysroot.join("bin/rustc"))
        .env("RUSTUP_AUTO_INSTALL", "0")
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", each("--remap-path-prefix"))
        .env("CFLAGS", each("-ffile-prefix-map").replace('\u{1f}', " "))
        .env("SOURCE_DATE_EPOCH", release.moment.to_string())
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    must(&mut cargo)?;
    let tree = at.join(release.name());
    std::fs::create_dir_all(tree.join("bin")).map_err(failed)?;
    for program in PROGRAMS {
        let built = target.join("release").join(program);
        std::fs::copy(built, tree.join("bin").join(program)).map_err(failed)?;
    }
    for paper in PAPERS {
        std::fs::copy(source.join(paper), tree.join(paper)).map_err(failed)?;
    }
    Ok(tree)
}

/// What a build may see of its surroundings: where its tools are, and nothing that changes what they do.
fn is_kept(name: &str) -> bool {
    ["PATH", "HOME", "CARGO_HOME", "CARGO_BUILD_JOBS"].contains(&name)
        || name.starts_with("RUSTUP_")
        || name.ends_with("_proxy")
}

fn must(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    status.success().then_some(()).ok_or_else(|| format!("{command:?} failed"))
}
