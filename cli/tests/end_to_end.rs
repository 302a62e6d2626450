//! The real binary in an empty directory: that everything is wired, and that scripts can rely on
//! exit codes and streams. What is planned and done is tested elsewhere.

use std::path::Path;
use std::process::{Command, Output, Stdio};

struct Project {
    root: tempfile::TempDir,
}

impl Project {
    /// A project as `tcloud init` makes it.
    fn new() -> Project {
        let project = Project { root: tempfile::tempdir().expect("a directory") };
        project.run(&["init", "--name", "town"], 0);
        project
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcloud"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        command.env_remove("NO_COLOR").env_remove("TCLOUD_STATE");
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("tcloud runs")
    }

    /// Runs a command that ends with this code; gives both streams.
    fn run(&self, arguments: &[&str], code: i32) -> (String, String) {
        let output = self.output(arguments);
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        assert!(!err.contains("BUG"), "{err}");
        (out, err)
    }

    fn edit(&self, old: &str, new: &str) {
        let path = self.path().join("main.tcloud");
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.contains(old), "{old}");
        std::fs::write(path, text.replace(old, new)).expect("written");
    }
}

#[test]
fn from_an_empty_directory_to_running_guests_and_back() {
    let project = Project::new();
    project.run(&["check"], 0);
    project.run(&["fmt", "--check"], 0);
    project.run(&["plan", "--exit-code"], 2);
    let (out, _) = project.run(&["apply", "--yes"], 0);
    assert!(out.contains("address = 10.20.0."), "{out}");
    let (out, _) = project.run(&["plan", "--exit-code"], 0);
    assert!(out.contains("Nothing to do"), "{out}");

    project.run(&["sim", "drift", "tenant.town.vm.web", "memory=6GiB"], 0);
    let (out, _) = project.run(&["drift", "--exit-code"], 2);
    assert!(out.contains("tenant.town.vm.web"), "{out}");
    let (out, _) = project.run(&["plan", "--exit-code"], 2);
    assert!(out.contains("(by hand)"), "{out}");
    let (out, _) = project.run(&["show", "vm.web"], 0);
    assert!(out.contains("memory = 6GiB   (applied: 2GiB, written: 2GiB)"), "{out}");

    project.run(&["apply", "--yes"], 0);
    let (out, err) = project.run(&["destroy", "--yes"], 4);
    assert!(err.contains("--allow data-loss=tenant.town.volume.documents"), "{out}{err}");
    project.run(
        &[
            "destroy",
            "--yes",
            "--allow",
            "data-loss=tenant.town.volume.documents",
            "--allow",
            "data-loss=tenant.town.vm.web.disk.root",
        ],
        0,
    );
    let (out, _) = project.run(&["state", "list", "--json"], 0);
    let state: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(state["objects"], serde_json::json!([]));
    let (out, _) = project.run(&["history", "--json"], 0);
    let history: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(history["runs"].as_array().map(Vec::len), Some(3), "{out}");
    assert_eq!(history["runs"][0]["command"], "destroy");
}

#[test]
fn without_a_terminal_nothing_is_asked_and_nothing_is_done() {
    let project = Project::new();
    let (_, err) = project.run(&["apply"], 1);
    assert!(err.contains("--yes"), "{err}");
    project.run(&["plan", "--exit-code"], 2);
}

#[test]
fn a_saved_plan_is_applied_exactly_or_not_at_all() {
    let project = Project::new();
    project.run(&["plan", "--out", "first.tcloud-plan"], 0);
    project.run(&["apply", "first.tcloud-plan", "--yes"], 0);
    let (_, err) = project.run(&["apply", "first.tcloud-plan", "--yes"], 5);
    assert!(err.contains("plan again"), "{err}");
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn a_lost_state_is_rebuilt_and_the_plan_is_the_same() {
    let project = Project::new();
    project.run(&["apply", "--yes"], 0);
    project.edit("vcpus = 1", "vcpus = 2");
    let (before, _) = project.run(&["plan"], 0);
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(project.path().join(".tcloud").join(file));
    }
    project.run(&["state", "rebuild", "--yes"], 0);
    let (after, _) = project.run(&["plan"], 0);
    assert_eq!(before, after);
}

#[test]
fn wrong_text_is_marked_and_counted() {
    let project = Project::new();
    project.edit("memory = 2GiB", "memroy = 2GiB");
    let (out, err) = project.run(&["check"], 1);
    assert_eq!(out, "");
    let text = std::fs::read_to_string(project.path().join("main.tcloud")).expect("read");
    let line = 1 + text.lines().position(|line| line.contains("memroy")).expect("it is there");
    assert!(err.contains(&format!("main.tcloud:{line}:5")) && err.contains("memroy"), "{err}");
    project.run(&["apply", "--yes"], 1);
    let (out, err) = project.run(&["check", "--json"], 1);
    let check: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let lines = check["diagnostics"].as_array().expect("a list").iter();
    let mut lines = lines.map(|diagnostic| &diagnostic["primary"]["start"]["line"]);
    assert!(lines.any(|found| *found == line), "{out}{err}");
}

#[test]
fn json_is_alone_on_standard_output() {
    let project = Project::new();
    let (out, _) = project.run(&["plan", "--json"], 0);
    let plan: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(plan["format"], "tcloud-plan-view/1");
    project.run(&["apply", "--yes"], 0);
    let (out, _) = project.run(&["output", "--json"], 0);
    let outputs: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(outputs["address"].is_object(), "{out}");
    let (bare, _) = project.run(&["output", "address"], 0);
    assert!(bare.trim().parse::<std::net::Ipv4Addr>().is_ok(), "{bare}");
}

#[test]
fn colours_follow_the_rules() {
    let project = Project::new();
    let colours = |output: Output| output.stdout.contains(&0x1b);
    assert!(!colours(project.output(&["plan"])));
    assert!(colours(project.output(&["plan", "--color", "always"])));
    assert!(!colours(project.output(&["plan", "--color", "never"])));
    assert!(!colours(project.command(&["plan"]).env("NO_COLOR", "1").output().expect("runs")));
}

#[test]
fn a_reader_that_leaves_early_stops_nothing() {
    let project = Project::new();
    let mut child = project
        .command(&["apply", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tcloud runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn ctrl_c_finishes_what_is_under_way_and_the_next_run_goes_on() {
    use std::io::{BufRead, BufReader};
    let project = Project::new();
    project.run(&["plan"], 0);
    project.run(&["sim", "latency", "300ms"], 0);
    let mut child = project
        .command(&["apply", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tcloud runs");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let first = lines.find_map(|line| line.ok().filter(|line| line.contains("done")));
    assert!(first.is_some(), "a step is done");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    lines.for_each(drop);
    let output = child.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("Stopped:") && out.contains("skipped"), "{out}");
    project.run(&["sim", "latency", "none"], 0);
    project.run(&["apply", "--yes"], 0);
    project.run(&["plan", "--exit-code"], 0);
    let (out, _) = project.run(&["history"], 0);
    assert!(out.contains("interrupted"), "{out}");
}

/// Whether a process handles SIGINT itself by now.
fn hears_ctrl_c(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
    u64::from_str_radix(caught.trim(), 16).expect("a number") & 0b10 != 0
}

#[test]
fn ctrl_c_while_hosts_are_asked_ends_the_command_at_once() {
    let project = Project::new();
    project.run(&["plan"], 0);
    project.run(&["sim", "latency", "60s"], 0);
    let begun = std::time::Instant::now();
    let mut command = project.command(&["apply", "--yes"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let pid = child.id().to_string();
    while !hears_ctrl_c(&pid) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("stopped; nothing was changed"), "{err}");
    assert!(begun.elapsed().as_secs() < 60, "nobody waited for the host");
    project.run(&["sim", "latency", "none"], 0);
    project.run(&["apply", "--yes"], 0);
}

#[test]
fn what_is_open_on_a_host_that_left_the_text_is_no_success_and_can_be_dropped() {
    let project = Project::new();
    let site = |name: &str| {
        format!(
            "site {name} {{\n  host h {{ provider = \"sim\", capacity {{ vcpus = 8, memory = \
             32GiB }} }}\n  pool p {{ type = \"dir\", path = \"/srv\" }}\n}}\n"
        )
    };
    let write = |text: &str| std::fs::write(project.path().join("main.tcloud"), text);
    write(&(site("a") + &site("b"))).expect("written");
    project.run(&["plan"], 0);
    let host = ["sim", "break", "site.b.host.h", "--operation"];
    project.run(&[&host[..], &["create", "--how", "unknown"]].concat(), 0);
    project.run(&[&host[..], &["look"]].concat(), 0);
    let (out, _) = project.run(&["apply", "--yes"], 1);
    assert!(out.contains("1 unknown"), "{out}");
    write(&site("a")).expect("written");
    for command in ["apply", "destroy", "apply"] {
        let (_, err) = project.run(&[command, "--yes"], 1);
        assert!(err.contains("the configuration has no host site.b.host.h"), "{err}");
        assert!(err.contains("1 step of an earlier run is still open"), "{err}");
        assert!(err.contains("tcloud state forget site.b.pool.p"), "{err}");
    }
    let (_, err) = project.run(&["state", "forget", "site.b.pool.p", "--yes"], 0);
    assert!(err.contains("1 open step dropped"), "{err}");
    project.run(&["apply", "--yes"], 0);
    project.run(&["state", "verify"], 0);
    project.run(&["destroy", "--yes"], 0);
}

#[test]
fn a_host_that_does_not_answer_is_no_success() {
    let project = Project::new();
    project.run(&["apply", "--yes"], 0);
    project.run(&["sim", "unreachable", "site.home.host.kvm1"], 0);
    let (out, err) = project.run(&["plan", "--exit-code"], 1);
    assert!(out.contains("as far as could be checked"), "{out}");
    assert!(err.contains("site.home.host.kvm1"), "{err}");
    project.run(&["apply", "--yes"], 1);
    project.run(&["drift", "--exit-code"], 1);
    project.run(&["state", "rebuild", "--yes"], 1);
    project.run(&["sim", "unreachable", "site.home.host.kvm1", "--off"], 0);
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn a_directory_without_text_is_an_error() {
    let project = Project::new();
    std::fs::create_dir(project.path().join("empty")).expect("made");
    let (_, err) = project.run(&["plan", "empty"], 1);
    assert!(err.contains("tcloud init"), "{err}");
}

#[test]
fn mistakes_on_the_command_line_are_errors_and_not_changes() {
    let project = Project::new();
    for arguments in [
        &["plan", "--nonsense"][..],
        &["plan", "nowhere"],
        &["show", "vm.wbe"],
        &["explain", "nertwork"],
        &["plan", "--state", "mysql:x"],
        &["plan", "--var", "nonsense=1"],
        &["init"],
        &["sim", "stop", "nothing"],
    ] {
        project.run(arguments, 1);
    }
}

#[test]
fn a_wrong_tcloud_toml_is_told_with_its_place() {
    let project = Project::new();
    let path = project.path().join("tcloud.toml");
    std::fs::write(path, "[deployment]\nnmae = \"town\"\n").expect("written");
    let (_, err) = project.run(&["check"], 1);
    assert!(err.contains("tcloud.toml:2:1") && err.contains("`name`"), "{err}");
}

#[test]
fn the_console_answers_in_the_project() {
    use std::io::Write;
    let project = Project::new();
    let mut child = project
        .command(&["console"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tcloud runs");
    let mut input = child.stdin.take().expect("a pipe");
    input
        .write_all(b"1 + 2\ntenant.town.vm.web.memory * 2\n:list network\nnonsense\n")
        .expect("written");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(out, "3\n4GiB\ntenant.town.network.office\n");
    assert_eq!(output.status.code(), Some(1));
}
