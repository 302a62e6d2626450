//! What Cargo knows about the packages that the program is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::command::said;

/// The answer of `cargo metadata`, as far as it is needed.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression, more or less.
    pub(crate) license: Option<String>,
    pub(crate) authors: Vec<String>,
    pub(crate) repository: Option<String>,
    pub(crate) homepage: Option<String>,
    /// `None` for our own.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks Cargo about a platform. It fetches packages that no build has needed yet, as those that only
    /// tests need are described too.
    ///
    /// # Errors
    /// Cargo's, in its words.
    pub(crate) fn read(root: &Path, target: &str) -> Result<Metadata, String> {
        let arguments = ["metadata", "--format-version=1", "--locked"];
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--filter-platform", target])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cargo cannot be run: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cargo metadata cannot be read: {error}"))
    }

    /// A package of the repository.
    pub(crate) fn own(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|own| own.source.is_none() && own.name == name)
    }

    /// What is compiled into, or helps to compile, these packages, themselves among them; each with
    /// what it depends on. What only tests need is left out.
    pub(crate) fn shipped(&self, roots: &[&str]) -> BTreeMap<&str, Vec<&str>> {
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut open: Vec<&str> =
            roots.iter().filter_map(|name| Some(self.own(name)?.id.as_str())).collect();
        let mut shipped = BTreeMap::new();
        while let Some(id) = open.pop() {
            if shipped.contains_key(id) {
                continue;
            }
            let edges = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let used =
                |edge: &&Edge| edge.dep_kinds.iter().any(|own| own.kind.as_deref() != Some("dev"));
            let mut on: Vec<&str> = edges.filter(used).map(|edge| edge.pkg.as_str()).collect();
            on.sort_unstable();
            open.extend(&on);
            shipped.insert(id, on);
        }
        shipped
    }
}

/// The compiler that is used here.
pub(crate) struct Compiler {
    /// `1.95.0`
    pub(crate) release: String,
    /// `x86_64-unknown-linux-gnu`
    pub(crate) host: String,
    /// The major version of its LLVM: `22`
    pub(crate) llvm: String,
    /// Where its own libraries are.
    pub(crate) sysroot: PathBuf,
}

impl Compiler {
    /// Asks it.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub(crate) fn ask(root: &Path) -> Result<Compiler, String> {
        let rustc = |arguments: &[&str]| said("rustc", arguments, root);
        let words = rustc(&["-vV"])?;
        let line = |name: &str| {
            let line = words.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::to_owned).ok_or_else(|| format!("rustc -vV says no {name}"))
        };
        Ok(Compiler {
            release: line("release: ")?,
            host: line("host: ")?,
            llvm: line("LLVM version: ")?.split('.').next().unwrap_or_default().to_owned(),
            sysroot: PathBuf::from(rustc(&["--print=sysroot"])?),
        })
    }
}

/// What `Cargo.lock` says about a package.
#[derive(Deserialize)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) source: Option<String>,
    /// SHA-256 of its archive.
    pub(crate) checksum: Option<String>,
}

/// Reads `Cargo.lock`.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn lock(root: &Path) -> Result<Vec<Locked>, String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    let path = root.join("Cargo.lock");
    let unreadable = |why: String| format!("{} cannot be read: {why}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let lock: Lock = toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    Ok(lock.package)
}
