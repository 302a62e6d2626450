//! Builds as those of a release: guided by a profile. A program that counts is built and used first,
//! and from how often which code ran the compiler knows what to make fast and where to put it
//! (profile-guided optimisation).
//!
//! The profile comes from one example and from two shapes of the bench; the reference load, which is
//! compared with terraform, is not among them. Names of functions in it depend on all packages below
//! with their features: what has changed since is built as without a profile, and nothing says so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::must;
use crate::directory;
use crate::metadata::Compiler;
use crate::shape::Shape;

/// How many links the chain has, and how many pairs there are.
const LOAD: usize = 2_000;

/// How often is done what people do with an example, which is small.
const TIMES: usize = 8;

/// A build that sees nothing of its surroundings but where its tools are.
#[derive(Clone, Copy)]
pub(crate) struct Build<'a> {
    /// The repository, or a copy of it.
    pub(crate) source: &'a Path,
    /// Where to build; an absolute path.
    pub(crate) target: &'a Path,
    pub(crate) compiler: &'a Compiler,
}

impl Build<'_> {
    /// Builds these packages together, with these flags for the compiler.
    pub(crate) fn cargo(&self, packages: &[&str], flags: &[String]) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--locked"]).current_dir(self.source);
        cargo.args(packages.iter().map(|package| format!("--package={package}")));
        // With a target, flags are not for what helps to build.
        cargo.args(["--target", &self.compiler.host, "--target-dir"]).arg(self.target);
        cargo.env_clear().envs(kept());
        // The compiler itself and not a front of it, which might choose, install or update another one.
        cargo.env("RUSTC", self.compiler.sysroot.join("bin/rustc")).env("RUSTUP_AUTO_INSTALL", "0");
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        cargo
    }

    /// Where the programs are that were built.
    pub(crate) fn programs(&self) -> PathBuf {
        self.target.join(&self.compiler.host).join("release")
    }

    /// Builds a `tcloud` that counts, uses it, and says where the profile is.
    ///
    /// # Errors
    /// What is missing, and what cannot be built, run or written.
    pub(crate) fn profile(&self) -> Result<PathBuf, String> {
        let merge = tool(self.compiler)?;
        // Its path is among the flags: another one each time would be another build each time.
        let counts = self.target.join("counts");
        directory::remove(&counts)?;
        must(&mut self.cargo(&["tcloud"], &[format!("-Cprofile-generate={}", counts.display())]))?;
        let place = tempfile::tempdir().map_err(|error| format!("no directory: {error}"))?;
        let used = Used { tcloud: self.programs().join("tcloud"), counts: &counts };
        used.example(&self.source.join("examples/thueringen"), place.path())?;
        for shape in [Shape::Chain, Shape::Pairs] {
            used.shape(shape, place.path())?;
        }
        let profile = self.target.join("tcloud.profdata");
        // Without what never ran, which is built as it would be without a profile: most of a release is
        // for other days than these.
        let mut merge = Command::new(merge);
        must(merge.args(["merge", "--sparse", "--output"]).arg(&profile).arg(&counts))?;
        Ok(profile)
    }
}

/// The compiler's flag for a build by a profile.
pub(crate) fn by(profile: &Path) -> String {
    format!("-Cprofile-use={}", profile.display())
}

/// A profile that somebody names, by a path that holds everywhere.
///
/// # Errors
/// That it is not there.
pub(crate) fn find(profile: &Path) -> Result<PathBuf, String> {
    profile.canonicalize().map_err(|error| format!("{}: {error}", profile.display()))
}

/// What a build may see of its surroundings: where its tools are, and nothing that changes what they do.
fn kept() -> impl Iterator<Item = (OsString, OsString)> {
    let is_kept = |name: &str| {
        ["PATH", "HOME", "CARGO_HOME", "CARGO_BUILD_JOBS"].contains(&name)
            || name.starts_with("RUSTUP_")
            || name.ends_with("_proxy")
    };
    std::env::vars_os().filter(move |(name, _)| is_kept(name.to_str().unwrap_or_default()))
}

/// The program that puts counts together. Its LLVM has to be as new as the compiler's.
fn tool(compiler: &Compiler) -> Result<PathBuf, String> {
    let Compiler { sysroot, host, llvm, .. } = compiler;
    let own = sysroot.join("lib/rustlib").join(host).join("bin/llvm-profdata");
    let of_system = PathBuf::from(format!("llvm-profdata-{llvm}"));
    let is_there = |tool: &PathBuf| {
        let asked = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    [own, of_system].into_iter().find(is_there).ok_or_else(|| {
        format!(
            "llvm-profdata of LLVM {llvm} is missing: `rustup component add llvm-tools`, or the \
             package llvm-{llvm} of Debian"
        )
    })
}

/// The program that counts, in use.
struct Used<'a> {
    tcloud: PathBuf,
    counts: &'a Path,
}

impl Used<'_> {
    /// What people do with a project.
    fn example(&self, example: &Path, place: &Path) -> Result<(), String> {
        let project = place.join("example");
        must(Command::new("cp").arg("-r").arg(example).arg(&project))?;
        directory::remove(&project.join(".tcloud"))?;
        for _ in 0..TIMES {
            self.run(&project, &["check"])?;
            self.run(&project, &["fmt", "--check"])?;
            self.run(&project, &["plan"])?;
            self.run(&project, &["plan", "--json"])?;
        }
        self.run(&project, &["apply", "--yes"])?;
        for _ in 0..TIMES {
            self.run(&project, &["plan"])?;
            self.run(&project, &["drift"])?;
        }
        Ok(())
    }

    /// A large project, which works on several threads.
    fn shape(&self, shape: Shape, place: &Path) -> Result<(), String> {
        let project = place.join(shape.word());
        directory::write(&project, "main.tcloud", &shape.tcloud(LOAD))?;
        self.run(&project, &["plan"])?;
        self.run(&project, &["apply", "--yes", "--quiet"])?;
        self.run(&project, &["plan"])
    }

    fn run(&self, project: &Path, words: &[&str]) -> Result<(), String> {
        let mut tcloud = Command::new(&self.tcloud);
        // Runs of one program add to the same file.
        tcloud.env("LLVM_PROFILE_FILE", self.counts.join("%m.profraw"));
        tcloud.env_remove("TCLOUD_STATE").stdin(Stdio::null()).stdout(Stdio::null());
        must(tcloud.args(words).arg(project))
    }
}
