//! A project in a temporary directory, and what the binary says and does there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A project on which the binary is run.
pub(crate) struct Project {
    root: tempfile::TempDir,
}

/// An object on a simulated host: what it is, where it is, which one of its line it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) address: String,
    pub(crate) host: String,
    pub(crate) incarnation: u64,
}

/// How a run of the binary ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

/// The projects below `examples/`, by name.
pub(crate) fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries = std::fs::read_dir(root).expect("the examples");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_project = |path: &PathBuf| path.join("tcloud.toml").is_file();
    let mut paths: Vec<PathBuf> = paths.filter(is_project).collect();
    paths.sort();
    assert!(paths.len() >= 2, "{paths:?}");
    paths
}

/// One example.
pub(crate) fn example(name: &str) -> PathBuf {
    let found = examples().into_iter().find(|path| path.ends_with(name));
    found.unwrap_or_else(|| panic!("there is no example {name}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, to).expect("copied");
        }
    }
}

impl Project {
    /// A copy of a directory, with all that was done there.
    pub(crate) fn copy_of(directory: &Path) -> Project {
        let root = tempfile::tempdir().expect("a directory");
        copy(directory, root.path());
        Project { root }
    }

    /// A project with this text in `main.tcloud`.
    pub(crate) fn with(text: impl AsRef<[u8]>) -> Project {
        let root = tempfile::tempdir().expect("a directory");
        let project = Project { root };
        project.write("tcloud.toml", "[deployment]\nname = \"town\"\n");
        project.write("main.tcloud", text);
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, content).expect("written");
    }

    pub(crate) fn edit(&self, path: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path().join(path)).expect("read");
        assert!(text.contains(old), "{path} has no {old}");
        self.write(path, text.replace(old, new));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcloud"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("NO_COLOR").env_remove("TCLOUD_STATE").env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs a command to its end, whatever that is.
    pub(crate) fn ended(&self, arguments: &[&str]) -> Ended {
        let start = Instant::now();
        let Output { status, stdout, stderr } =
            self.command(arguments).output().expect("tcloud runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (out, err) = (text(stdout), text(stderr));
        assert!(!err.contains("BUG:") && !err.contains("panicked"), "{arguments:?}\n{err}");
        Ended { code: status.code(), out, err, took: start.elapsed() }
    }

    /// Runs a command that ends with this code; gives its standard output.
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> String {
        let ended = self.ended(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}\n{}\n{}", ended.out, ended.err);
        ended.out
    }

    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        serde_json::from_str(&self.run(arguments, code)).expect("JSON")
    }

    /// The store is gone, as after the loss of a disk.
    pub(crate) fn lose_the_state(&self) {
        std::fs::remove_file(self.path().join(".tcloud/state.db")).expect("there was a state");
        for file in ["state.db-wal", "state.db-shm"] {
            let _ = std::fs::remove_file(self.path().join(".tcloud").join(file));
        }
    }

    /// What has our stamp on the simulated hosts.
    pub(crate) fn ours(&self) -> Vec<Object> {
        let all = self.json(&["sim", "list", "--json"], 0);
        let hosts = all.as_object().expect("a host each").iter();
        let objects = hosts.flat_map(|(host, listings)| {
            let listings = listings.as_array().expect("a list").iter();
            let stamps = listings.map(|listing| &listing["stamp"]).filter(|stamp| !stamp.is_null());
            stamps.map(|stamp| object(host, stamp))
        });
        let mut objects: Vec<Object> = objects.collect();
        objects.sort();
        objects
    }

    /// Everything that is remembered.
    pub(crate) fn records(&self) -> Value {
        let mut export = self.json(&["state", "export"], 0);
        assert_eq!(export["open_intents"], serde_json::json!([]), "nothing is under way");
        export["records"].take()
    }

    /// What is remembered, by its stamps.
    pub(crate) fn remembered(&self) -> Vec<Object> {
        let records = self.records();
        let records = records.as_array().expect("a list").iter();
        let objects =
            records.map(|record| object(record["host"].as_str().expect("a host"), record));
        let mut objects: Vec<Object> = objects.collect();
        objects.sort();
        objects
    }

    /// The flags that agree to everything which this plan asks.
    pub(crate) fn consents(&self, plan: &[&str]) -> Vec<String> {
        let arguments = [plan, &["--json"]].concat();
        let plan = self.json(&arguments, 0);
        let decisions = plan["decisions"].as_array().expect("a list").iter();
        let flags = decisions.map(|decision| {
            let word = match decision["kind"].as_str() {
                Some("data-loss") => "data-loss",
                Some("protected") => "destroy",
                other => panic!("nobody knows the decision {other:?}"),
            };
            format!("--allow={word}={}", decision["address"].as_str().expect("an address"))
        });
        flags.collect()
    }
}

fn object(host: &str, stamp: &Value) -> Object {
    Object {
        address: stamp["address"].as_str().expect("an address").to_owned(),
        host: host.to_owned(),
        incarnation: stamp["incarnation"].as_u64().expect("a number"),
    }
}

/// Nothing is there twice: no object of an address on one host, and no guest, volume or disk on two.
pub(crate) fn assert_nothing_is_twice(objects: &[Object]) {
    let mut seen = BTreeSet::new();
    for Object { address, host, incarnation: _ } in objects {
        let single = [".vm.", ".volume.", ".disk."].iter().any(|kind| address.contains(kind));
        let place = if single { "" } else { host.as_str() };
        assert!(seen.insert((address, place)), "{address} is there twice: {objects:#?}");
    }
}
