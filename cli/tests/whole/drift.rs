//! What was changed by hand: since an earlier report, and as it happens.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Project, example};

fn applied() -> Project {
    let project = Project::copy_of(&example("quickstart"));
    project.run(&["apply", "--yes"], 0);
    project
}

const GUEST: &str = "tenant.rhoenblick.vm.files";

#[test]
fn only_what_an_earlier_report_does_not_know_is_told() {
    let project = applied();
    project.run(&["sim", "drift", GUEST, "memory=6GiB"], 0);
    let first = project.run(&["drift", "--json"], 0);
    project.write("night.json", &first);
    let said = project.run(&["drift", "--since", "night.json", "--exit-code"], 0);
    assert_eq!(said, "Nothing more was changed by hand. 1 object known before.\n");
    project.run(&["sim", "drift", "tenant.rhoenblick.volume.archive", "size=120GiB"], 0);
    let said = project.run(&["drift", "--since", "night.json", "--exit-code"], 2);
    assert!(said.contains("volume.archive") && !said.contains("vm.files"), "{said}");
    assert!(said.contains("1 object changed by hand. 1 object known before."), "{said}");
    // Changed again, it is new again.
    project.run(&["sim", "drift", GUEST, "memory=5GiB"], 0);
    let told = project.json(&["drift", "--since", "night.json", "--json"], 0);
    assert_eq!(told["drift"].as_array().map(Vec::len), Some(2), "{told}");
    for (text, words) in [
        ("{}", "is not what `tcloud drift --json` writes"),
        ("{\"format\": \"x\", \"drift\": []}", "has the format `x`"),
    ] {
        project.write("wrong.json", text);
        let ended = project.ended(&["drift", "--since", "wrong.json"]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    let ended = project.ended(&["drift", "--since", "nowhere.json"]);
    assert!(ended.err.contains("nowhere.json cannot be read"), "{}", ended.err);
}

/// What the text asks for fits on no host; what somebody did at night is told all the same.
#[test]
fn drift_is_told_where_a_plan_is_refused() {
    let project = applied();
    project.run(&["sim", "drift", GUEST, "memory=6GiB"], 0);
    project.write("more.tcloud", "tenant other {\n  vm a { vcpus = 1, memory = 64GiB }\n}\n");
    assert!(project.ended(&["plan"]).err.contains("E0"));
    let ended = project.ended(&["drift", "--exit-code"]);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.out.contains("memory 4 GiB -> 6 GiB"), "{}", ended.out);
    assert!(ended.err.contains("which is refused (tcloud plan says why)"), "{}", ended.err);
}

#[test]
fn a_watch_ends_when_nobody_reads_it_any_more() {
    let project = applied();
    let mut watch = project.command(&["watch", "--every", "1", "--json"]).spawn().expect("runs");
    drop(watch.stdout.take());
    project.run(&["sim", "drift", GUEST, "memory=6GiB"], 0);
    let end = Instant::now() + Duration::from_secs(60);
    while watch.try_wait().expect("a child").is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = watch.try_wait().expect("a child");
    let _ = watch.kill();
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}

#[test]
fn a_watch_tells_of_a_change_and_of_its_end() {
    let project = applied();
    let mut watch = project.command(&["watch", "--every", "1", "--json"]).spawn().expect("runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("it goes on").expect("a line");
        serde_json::from_str(&line).expect("JSON")
    };
    project.run(&["sim", "drift", GUEST, "memory=6GiB"], 0);
    let told = next();
    assert_eq!(
        (&told["event"], &told["drift"]["object"]["address"]),
        (&"drift".into(), &GUEST.into())
    );
    project.run(&["apply", "--yes"], 0);
    let told = next();
    assert_eq!(
        (&told["event"], &told["drift"]["object"]["address"]),
        (&"right".into(), &GUEST.into())
    );
    // A look that fails is not the last one.
    project.edit("main.tcloud", "tenant rhoenblick {", "tenant rhoenblick { wrong = 1");
    let mut said = BufReader::new(watch.stderr.take().expect("a pipe")).lines();
    assert!(said.any(|line| line.expect("a line").contains("E0")), "it says what is wrong");
    project.edit("main.tcloud", "tenant rhoenblick { wrong = 1", "tenant rhoenblick {");
    project.run(&["sim", "drift", GUEST, "memory=7GiB"], 0);
    assert_eq!(next()["event"], "drift");
    let pid = rustix::process::Pid::from_child(&watch);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is asked to end");
    assert_eq!(watch.wait().expect("it ends").code(), Some(0));
}
