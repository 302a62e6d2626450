//! Builds as those of a release: guided by what a use of the program shows.
//!
//! * `used` – the use: one example and two shapes of the bench. The reference load, which is compared
//!   with terraform, is not part of it.
//! * A program that counts is built and used first. From how often which code ran, the compiler knows
//!   what to make fast (profile-guided optimisation).
//! * `order` – what is built by that profile is used again, under valgrind, and the functions that
//!   ran, those of libraries too, are linked side by side. Otherwise each lies among others that never
//!   run, and these come into memory with it.
//!
//! Names of functions depend on all packages below with their features: what has changed since is
//! built as without a guide, and nothing says so.

mod order;
mod used;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::must;
use crate::directory;
use crate::metadata::Compiler;

/// A build that sees nothing of its surroundings but where its tools are.
#[derive(Clone, Copy)]
pub(crate) struct Build<'a> {
    /// The repository, or a copy of it.
    pub(crate) source: &'a Path,
    /// Where to build; an absolute path.
    pub(crate) target: &'a Path,
    pub(crate) compiler: &'a Compiler,
}

/// What a use of `tcloud` showed, for its build.
pub(crate) struct Guide {
    /// How often which code ran, as the compiler wants to know it.
    pub(crate) profile: PathBuf,
    /// The names of the functions that ran, as the linker wants to know them: a line for each.
    pub(crate) order: PathBuf,
}

impl Guide {
    /// The guide whose profile is in this file; the order lies beside it.
    fn at(profile: PathBuf) -> Guide {
        Guide { order: profile.with_extension("order"), profile }
    }

    /// A guide that somebody names, by paths that hold everywhere.
    ///
    /// # Errors
    /// That a part of it is not there.
    pub(crate) fn find(profile: &Path) -> Result<Guide, String> {
        let find = |path: &Path| {
            path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
        };
        let Guide { profile, order } = Guide::at(profile.to_owned());
        Ok(Guide { profile: find(&profile)?, order: find(&order)? })
    }

    /// Copies the guide into a directory, which is there.
    ///
    /// # Errors
    /// Why it cannot be copied.
    pub(crate) fn copy(&self, directory: &Path) -> Result<Guide, String> {
        let copy = Guide::at(directory.join("tcloud.profdata"));
        for (from, to) in [(&self.profile, &copy.profile), (&self.order, &copy.order)] {
            std::fs::copy(from, to).map_err(|error| format!("{}: {error}", to.display()))?;
        }
        Ok(copy)
    }

    /// The compiler's flags for a build by this guide. Only LLVM's linker takes an order; it is the one
    /// that Rust comes with and uses on x86-64 Linux.
    pub(crate) fn flags(&self) -> [String; 3] {
        [
            format!("-Cprofile-use={}", self.profile.display()),
            format!("-Clink-arg=-Wl,--symbol-ordering-file={}", self.order.display()),
            // Functions of the system's libraries ran as well.
            "-Clink-arg=-Wl,--no-warn-symbol-ordering".to_owned(),
        ]
    }
}

impl Build<'_> {
    /// Builds these packages together, with these flags for the compiler.
    pub(crate) fn cargo(&self, packages: &[&str], flags: &[String]) -> Command {
        let mut cargo = self.start("build", packages);
        cargo.args(["--release", "--locked"]);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        cargo
    }

    /// A task of cargo's for packages.
    fn start(&self, task: &str, packages: &[&str]) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg(task).current_dir(self.source);
        cargo.args(packages.iter().map(|package| format!("--package={package}")));
        // With a target, flags are not for what helps to build.
        cargo.args(["--target", &self.compiler.host, "--target-dir"]).arg(self.target);
        cargo.env_clear().envs(kept());
        // The compiler itself and not a front of it, which might choose, install or update another one.
        cargo.env("RUSTC", self.compiler.sysroot.join("bin/rustc")).env("RUSTUP_AUTO_INSTALL", "0");
        cargo
    }

    /// Where the programs are that were built.
    pub(crate) fn programs(&self) -> PathBuf {
        self.target.join(&self.compiler.host).join("release")
    }

    /// Builds `tcloud` and uses it, twice. What is built here by this guide from now on is linked in
    /// its order, and not built once more.
    ///
    /// # Errors
    /// What is missing, and what cannot be built, run or written.
    pub(crate) fn guide(&self) -> Result<Guide, String> {
        let merge = merge(self.compiler)?;
        if !runs(Path::new("valgrind")) {
            return Err("valgrind is missing; it is a package of Debian".to_owned());
        }
        directory::write(self.target, "tcloud.order", "")?;
        let guide = Guide::at(self.target.join("tcloud.profdata"));
        self.count(&merge, &guide.profile)?;
        must(&mut self.cargo(&["tcloud"], &guide.flags()))?;
        self.trace(&guide.order)?;
        // Cargo does not know that it is linked by something that has changed now.
        must(self.start("clean", &["tcloud"]).arg("--release"))?;
        Ok(guide)
    }

    /// Builds a `tcloud` that counts, uses it, and puts the counts together.
    fn count(&self, merge: &Path, profile: &Path) -> Result<(), String> {
        let target = &self.target.join("counting");
        // Its path is among the flags: another one each time would be another build each time.
        let counts = target.join("counts");
        directory::remove(&counts)?;
        let counting = Build { target, ..*self };
        must(
            &mut counting.cargo(&["tcloud"], &[format!("-Cprofile-generate={}", counts.display())]),
        )?;
        used::often(self.source, &|| {
            let mut tcloud = Command::new(counting.programs().join("tcloud"));
            // Runs of one program add to the same file.
            tcloud.env("LLVM_PROFILE_FILE", counts.join("%m.profraw"));
            tcloud
        })?;
        // Without what never ran, which is built as it would be without a profile: most of a release is
        // for other days than these.
        let mut merge = Command::new(merge);
        must(merge.args(["merge", "--sparse", "--output"]).arg(profile).arg(&counts))
    }

    /// Uses `tcloud` as it is built, and writes down which functions ran.
    fn trace(&self, order: &Path) -> Result<(), String> {
        let traces = tempfile::tempdir().map_err(|error| format!("no directory: {error}"))?;
        let tcloud = self.programs().join("tcloud");
        // What changes something asks the kernel's own library for the time, which valgrind hides.
        let (looks, changes) = (|| order::trace(&tcloud, traces.path()), || Command::new(&tcloud));
        used::once(self.source, &looks, &changes)?;
        std::fs::write(order, order::read(traces.path())?)
            .map_err(|error| format!("{}: {error}", order.display()))
    }
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
fn merge(compiler: &Compiler) -> Result<PathBuf, String> {
    let Compiler { sysroot, host, llvm, .. } = compiler;
    let own = sysroot.join("lib/rustlib").join(host).join("bin/llvm-profdata");
    let of_system = PathBuf::from(format!("llvm-profdata-{llvm}"));
    [own, of_system].into_iter().find(|tool| runs(tool)).ok_or_else(|| {
        format!(
            "llvm-profdata of LLVM {llvm} is missing: `rustup component add llvm-tools`, or the \
             package llvm-{llvm} of Debian"
        )
    })
}

/// Whether a tool is there.
fn runs(tool: &Path) -> bool {
    let asked = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
