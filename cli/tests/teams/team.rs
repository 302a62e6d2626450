//! A project that several operators have in front of them, with what they remember in one place.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::database::Database;

/// The longest that anything may take here, on a machine that has much to do.
const BOUND: Duration = Duration::from_secs(150);

const SITE: &str = r#"
site m {
  host kvm for n in 1..=3 { provider = "sim", capacity { vcpus = 64, memory = 64GiB } }
  pool fast { type = "dir", path = "/srv/fast" }
}
"#;

/// A directory with a text, a hypervisor and a place to remember in.
pub(crate) struct Team {
    directory: tempfile::TempDir,
    state: String,
    /// The database and the schema, if it is one.
    schema: Option<String>,
}

/// A run that is not over.
pub(crate) struct Run {
    child: Child,
    /// What it writes goes to files, since nobody reads while it runs.
    out: File,
    err: File,
}

/// How a run ended.
pub(crate) struct Ended {
    /// `None` when it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Team {
    /// A team that remembers at this URL.
    pub(crate) fn at(state: String) -> Team {
        let directory = tempfile::tempdir().expect("a directory");
        let schema = state.split_once("schema=").map(|(_, schema)| schema.to_owned());
        let team = Team { directory, state, schema };
        team.write("tcloud.toml", "[deployment]\nname = \"town\"\n");
        team.write("site.tcloud", SITE);
        team
    }

    /// A team with a schema of the shared database, behind PgBouncer.
    pub(crate) fn pooled(schema: &str) -> Team {
        Team::at(Database::shared().pooled(&format!("operator?schema={schema}")))
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).expect("written");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcloud"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        command.env_remove("NO_COLOR").env("TCLOUD_STATE", &self.state);
        command.env("RUST_BACKTRACE", "0").env("HOME", self.path());
        command
    }

    pub(crate) fn begin(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments))
    }

    /// A whole run, which has to end with this code.
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> Ended {
        let ended = self.begin(arguments).end();
        assert_eq!(ended.code, Some(code), "{arguments:?}\n{}\n{}", ended.out, ended.err);
        ended
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        serde_json::from_str(&self.run(arguments, 0).out).expect("JSON")
    }

    /// The addresses of what runs and has our stamp, each with its host.
    pub(crate) fn objects(&self) -> Vec<(String, String)> {
        let all = self.json(&["sim", "list", "--json"]);
        let of = |host: &str, object: &Json| {
            let address = object["stamp"]["address"].as_str()?;
            Some((address.to_owned(), host.to_owned()))
        };
        let hosts = all.as_object().expect("a host each").iter();
        let objects = hosts.flat_map(|(host, listings)| {
            listings.as_array().expect("a list").iter().filter_map(move |object| of(host, object))
        });
        objects.collect()
    }

    /// Makes every call to a host take so long.
    pub(crate) fn calls_take(&self, time: &str) {
        // A host begins to exist with the first plan that asks it.
        self.run(&["plan"], 0);
        self.run(&["sim", "latency", time], 0);
    }

    /// Waits until something was written about a tenant.
    pub(crate) fn wait_for_a_step(&self) {
        let start = Instant::now();
        while !self.objects().iter().any(|(address, _)| address.starts_with("tenant.")) {
            assert!(start.elapsed() < BOUND, "nothing happens");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Everything is as the text says, nothing is there twice, and the journal is sound.
    pub(crate) fn is_done(&self) {
        self.run(&["plan", "--exit-code"], 0);
        self.run(&["state", "verify"], 0);
        let objects = self.objects();
        let once: BTreeSet<_> = objects.iter().collect();
        assert_eq!(once.len(), objects.len(), "{objects:?}");
        let open = self.json(&["state", "export"])["open_intents"].clone();
        assert_eq!(open, Json::Array(Vec::new()));
    }

    /// In each tenant's journal a run that has begun to write is not interrupted by another one.
    pub(crate) fn runs_take_turns(&self, database: &Database) {
        let schema = self.schema.as_deref().expect("a schema");
        let turns = format!(
            "SELECT count(*) FROM (SELECT run, lag(run) OVER w AS before, \
             generation, lag(generation) OVER w AS older FROM {schema}.entries \
             WINDOW w AS (PARTITION BY scope ORDER BY serial)) AS all_of_them \
             WHERE older > generation OR (run <> before AND older = generation)"
        );
        assert_eq!(database.sql("operator", &turns), "0");
        let again = format!(
            "SELECT count(*) FROM (SELECT scope, run FROM (SELECT scope, run, \
             lag(run) OVER (PARTITION BY scope ORDER BY serial) AS before FROM {schema}.entries) \
             AS e WHERE before IS DISTINCT FROM run GROUP BY scope, run HAVING count(*) > 1) AS t"
        );
        assert_eq!(database.sql("operator", &again), "0");
    }
}

impl Run {
    /// Begins to run a command.
    pub(crate) fn of(mut command: Command) -> Run {
        let [out, err] = [(); 2].map(|()| tempfile::tempfile().expect("a file"));
        let of = |file: &File| Stdio::from(file.try_clone().expect("a handle"));
        let child = command.stdout(of(&out)).stderr(of(&err)).spawn().expect("tcloud runs");
        Run { child, out, err }
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let words = [format!("-{name}"), self.child.id().to_string()];
        let sent = Command::new("kill").args(words).status().expect("kill runs");
        assert!(sent.success());
    }

    pub(crate) fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                break status;
            }
            assert!(
                start.elapsed() < BOUND,
                "it does not end: {}{}",
                read(&self.out),
                read(&self.err)
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        let (out, err) = (read(&self.out), read(&self.err));
        assert!(!err.contains("BUG") && !err.contains("panicked"), "{err}");
        Ended { code: status.code(), out, err }
    }
}

impl Drop for Run {
    /// A test that fails leaves nobody behind, not even one who sleeps.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut file: &File) -> String {
    let mut text = String::new();
    file.rewind().expect("it can be read");
    file.read_to_string(&mut text).expect("UTF-8");
    text
}
