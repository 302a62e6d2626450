//! A release: built twice from two copies of what is committed, in different places, compared byte for
//! byte, and written with its bill of materials, the guide that it was built by, and their digests.
//!
//! * `build` – the programs, so that their bytes do not depend on where or when.
//! * `pack` – an archive that depends on nothing but what is in it.
//! * `sbom` – the bill of materials, as the BSI's TR-03183-2 asks for.

mod build;
mod pack;
mod sbom;

use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest, Sha256};

use crate::command::said;
use crate::guided::{Build, Guide};
use crate::metadata::{Compiler, Metadata};

/// The programs of a release, and the packages that they are made from.
const PROGRAMS: [&str; 2] = ["tcloud", "tcloud-provider-libvirt"];

/// What goes with them.
const PAPERS: [&str; 4] = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"];

#[derive(Args)]
pub(crate) struct Options {
    /// The directory that the release is written to
    #[arg(long, default_value = "target/dist")]
    to: PathBuf,
    /// Who answers for it: an e-mail address or a URL [default: the author of the commit]
    #[arg(long)]
    creator: Option<String>,
    /// The profile of the optimiser that a release came with, to build it again; the order that came
    /// with it lies beside it, as it is called there [default: they are made first]
    #[arg(long)]
    profdata: Option<PathBuf>,
}

/// What a release is made of.
struct Release {
    version: String,
    target: String,
    /// What is built, whatever is committed meanwhile.
    commit: String,
    /// Seconds since 1970 at which the commit was made, the only time in all of it.
    moment: i64,
    creator: String,
}

impl Release {
    /// The name of the archive without its ending, and of the directory in it.
    fn name(&self) -> String {
        format!("tcloud-{}-{}", self.version, self.target)
    }
}

/// Makes a release.
///
/// # Errors
/// What is not committed; why it cannot be built; and which files differ between the two builds.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    let git = |arguments: &[&str]| said("git", arguments, root);
    let open = git(&["status", "--porcelain"])?;
    if !open.is_empty() {
        return Err(format!("a release is what is committed, and this is not:\n{open}"));
    }
    let compiler = Compiler::ask(root)?;
    let metadata = Metadata::read(root, &compiler.host)?;
    let own = metadata.own("tcloud").ok_or("the workspace has no package tcloud")?;
    let moment = git(&["log", "-1", "--format=%ct"])?;
    let release = Release {
        version: own.version.clone(),
        target: compiler.host.clone(),
        commit: git(&["rev-parse", "HEAD"])?,
        moment: moment.parse().map_err(|_| format!("git says the time {moment}"))?,
        creator: match &options.creator {
            Some(creator) => creator.clone(),
            None => git(&["log", "-1", "--format=%ae"])?,
        },
    };
    let to = root.join(&options.to);
    let failed = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
    let read = |what: &Path| std::fs::read(what).map_err(|error| failed(what, error));
    std::fs::create_dir_all(&to).map_err(|error| failed(&to, error))?;
    let place = tempfile::tempdir_in(&to).map_err(|error| failed(&to, error))?;
    let guide = match &options.profdata {
        Some(given) => Guide::find(given)?,
        None => {
            let (source, target) = (&place.path().join("source"), &place.path().join("guiding"));
            crate::say(&format!("trying it in {}", target.display()));
            build::copy(root, source, &release)?;
            Build { source, target, compiler: &compiler }.guide()?
        }
    };
    // The second one lies deeper, and its path is longer.
    let mut archives = Vec::new();
    for below in ["one", "another/one/that/lies/deeper"] {
        let at = place.path().join(below);
        crate::say(&format!("building in {}", at.display()));
        let tree = build::build(root, &at, &release, &compiler, &guide)?;
        archives.push((pack::pack(&tree, &release)?, tree));
    }
    let [(archive, tree), (again, other)] = &archives[..] else {
        return Err("BUG: two builds are two archives".to_owned());
    };
    let differing = pack::differing(tree, other)?;
    if !differing.is_empty() {
        return Err(format!("the two builds differ in {}", differing.join(", ")));
    }
    if archive != again {
        return Err("the two archives differ, although what is in them does not".to_owned());
    }
    let name = format!("{}.tar.gz", release.name());
    let bill = sbom::Bill { root, release: &release, compiler: &compiler, metadata: &metadata };
    let bill = bill.write(&name, archive, tree)?;
    let mut sums = String::new();
    for (ending, bytes) in [
        ("tar.gz", archive),
        ("cdx.json", &bill),
        ("profdata", &read(&guide.profile)?),
        ("order", &read(&guide.order)?),
    ] {
        let name = format!("{}.{ending}", release.name());
        let path = to.join(&name);
        std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
        sums.push_str(&format!("{}  {name}\n", hex(&Sha256::digest(bytes))));
    }
    let path = to.join("SHA256SUMS");
    std::fs::write(&path, &sums).map_err(|error| failed(&path, error))?;
    crate::say(&format!("both builds are the same; in {}:\n{}", to.display(), sums.trim_end()));
    Ok(())
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
