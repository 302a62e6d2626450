//! A project with one real host: what `tcloud` says and does there, and what virsh finds.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tcloud_tests::hosts::{Hosts, Transport, program, wait};

/// The longest that any run may take here, on a machine that has much to do.
const BOUND: Duration = Duration::from_secs(240);

/// The names of guests by their QEMU's processes.
pub(crate) type Running = BTreeMap<String, String>;

/// A host and a directory with a text for it.
pub(crate) struct Project {
    pub(crate) hosts: Hosts,
    directory: tempfile::TempDir,
}

/// A run that is not over.
pub(crate) struct Run {
    child: Child,
    events: Receiver<String>,
    said: Vec<String>,
    errors: JoinHandle<String>,
    begun: Instant,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` when it was killed.
    pub(crate) code: Option<i32>,
    /// Its events, or what else it printed.
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Project {
    pub(crate) fn new() -> Project {
        let hosts = Hosts::start(1).unwrap_or_else(|error| panic!("{error}"));
        let directory = tempfile::tempdir().expect("a directory");
        let uri = hosts.uri(1, Transport::Unix);
        let project = Project { hosts, directory };
        project.write("tcloud.toml", "[deployment]\nname = \"town\"\n[providers.libvirt]\n");
        project.write(
            "site.tcloud",
            &format!(
                "site m {{\n  host kvm1 {{ provider = \"libvirt\", uri = \"{uri}\", accel = \
                 \"tcg\", capacity {{ vcpus = 64, memory = 64GiB }} }}\n  pool fast {{ type = \
                 \"dir\", path = \"/srv/fast\" }}\n}}\n"
            ),
        );
        project
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.directory.path().join(file), text).expect("written");
    }

    /// Removes a file, and says what was in it.
    pub(crate) fn take(&self, file: &str) -> String {
        let path = self.directory.path().join(file);
        let text = std::fs::read_to_string(&path).expect(file);
        std::fs::remove_file(path).expect(file);
        text
    }

    /// Begins a run.
    pub(crate) fn begin(&self, arguments: &[impl AsRef<OsStr>]) -> Run {
        let mut command = Command::new(program());
        command.current_dir(self.directory.path()).args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("TCLOUD_STATE").env("RUST_BACKTRACE", "0");
        let mut child = command.spawn().expect("tcloud runs");
        let (send, events) = channel();
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            // Who listens may have had enough.
            out.lines().map_while(Result::ok).all(|line| send.send(line).is_ok())
        });
        let mut err = child.stderr.take().expect("a pipe");
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).expect("UTF-8");
            text
        });
        Run { child, events, said: Vec::new(), errors, begun: Instant::now() }
    }

    /// A whole run that ends with this code.
    pub(crate) fn run(&self, arguments: &[impl AsRef<OsStr> + Debug], code: i32) -> Ended {
        let ended = self.begin(arguments).end();
        if ended.code != Some(code) {
            let Ended { code: got, out, err } = &ended;
            panic!("{arguments:?} ended with {got:?}\n{out}\n{err}\n{}", self.guests());
        }
        ended
    }

    /// The guests of the host, why each is in the state it is in, and the end of QEMU's own words.
    fn guests(&self) -> String {
        let told = "virsh list --all --name | while read -r name; do [ -n \"$name\" ] || continue
            echo \"$name: $(virsh domstate \"$name\" --reason | head -1)\"
            tail -n 4 \"/var/log/libvirt/qemu/$name.log\"; done";
        self.hosts.exec(1, &["sh", "-c", told]).unwrap_or_else(|error| error)
    }

    /// `apply --yes`, or `destroy --yes`, with consent to all that the plan asks for.
    pub(crate) fn consenting(&self, command: &str) -> Vec<String> {
        let destroy: &[&str] = if command == "destroy" { &["--destroy"] } else { &[] };
        let plan = self.begin(&[&["plan", "--json"], destroy].concat()).end();
        let plan: Json = serde_json::from_str(&plan.out)
            .unwrap_or_else(|error| panic!("{error}: {}{}", plan.out, plan.err));
        let decisions = plan["decisions"].as_array().expect("decisions").iter();
        let flags = decisions.map(|decision| {
            assert_eq!(decision["kind"], "data-loss", "nothing here is protected");
            format!("--allow=data-loss={}", decision["address"].as_str().expect("an address"))
        });
        [command, "--yes"].map(str::to_owned).into_iter().chain(flags).collect()
    }

    /// Everything on the host that is not libvirt's own, each with its kind; twice, if it is there
    /// twice.
    pub(crate) fn everything(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut list = |kind: &str, command: &[&str]| {
            let text = self.virsh(command);
            let names = text.lines().filter_map(|line| line.split_whitespace().next());
            let names: Vec<String> = names.map(str::to_owned).collect();
            found.extend(names.iter().map(|name| format!("{kind} {name}")));
            names
        };
        list("domain", &["list", "--all", "--name"]);
        list("network", &["net-list", "--all", "--name"]);
        for pool in list("pool", &["pool-list", "--all", "--name"]) {
            list("volume", &["vol-list", &pool]);
        }
        let variables = "cd /var/lib/libvirt/qemu/nvram 2>/dev/null && ls || true";
        let variables = self.hosts.exec(1, &["sh", "-c", variables]).expect("a list");
        let guests = variables.lines().map(|file| file.trim_end_matches("_VARS.fd"));
        found.extend(guests.map(|guest| format!("firmware {guest}")));
        let last = |command: &[&str], prefix: &str| {
            let text = self.virsh(command);
            let words = text.lines().filter_map(|line| line.split_whitespace().last());
            let ours = words.filter(|word| word.starts_with(prefix)).map(str::to_owned);
            ours.collect::<Vec<_>>()
        };
        found.extend(last(&["nwfilter-list"], "tcloud").iter().map(|own| format!("filter {own}")));
        found.extend(last(&["secret-list"], "").iter().map(|own| format!("secret {own}")));
        // The digest in the name of a seed is of its content.
        for own in &mut found {
            if let Some((guest, _)) = own.split_once(".seed-") {
                *own = format!("{guest}.seed");
            }
        }
        found.sort();
        found
    }

    /// The guests that run, and in which processes.
    pub(crate) fn running(&self) -> Running {
        // A daemon that has just come back lists guests that it is about to give up.
        wait(Duration::from_secs(30), || {
            let names = self.hosts.virsh(1, &["list", "--name", "--state-running"])?;
            let names = names.lines().filter(|name| !name.trim().is_empty());
            let one = |name: &str| {
                let file = format!("/run/libvirt/qemu/{name}.pid");
                let process = self.hosts.exec(1, &["cat", &file])?;
                Ok((name.to_owned(), process.trim().to_owned()))
            };
            names.map(one).collect()
        })
        .unwrap_or_else(|error: String| panic!("{error}"))
    }

    /// What virsh says, as soon as the daemon answers.
    fn virsh(&self, arguments: &[&str]) -> String {
        wait(Duration::from_secs(30), || self.hosts.virsh(1, arguments))
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Run {
    /// Waits until it has said so many lines.
    pub(crate) fn until(&mut self, lines: usize) {
        while self.said.len() < lines && self.listen() {}
        assert_eq!(self.said.len(), lines, "it ended before that: {:#?}", self.said);
    }

    /// Waits for a line; whether there was one.
    fn listen(&mut self) -> bool {
        match self.events.recv_timeout(BOUND.saturating_sub(self.begun.elapsed())) {
            Ok(line) => self.said.push(line),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                panic!("it hangs after {:#?}", self.said);
            }
        }
        true
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        while self.listen() {}
        let status = self.child.wait().expect("it ended");
        let err = self.errors.join().expect("no panic");
        assert!(!err.contains("BUG") && !err.contains("panicked"), "{err}");
        Ended { code: status.code(), out: self.said.join("\n"), err }
    }

    /// SIGKILL, and nothing else of it: its plugin has to notice by itself.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it ran");
    }

    /// SIGKILL to what it has started.
    pub(crate) fn kill_plugin(&self) {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let children = tasks.expect("its threads").flatten();
        let children =
            children.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let children = children.collect::<Vec<_>>().join(" ");
        assert_eq!(children.split_whitespace().count(), 1, "one plugin: {children}");
        let killed = Command::new("kill").args(["-9", children.trim()]).status();
        assert!(killed.expect("kill runs").success());
    }
}
