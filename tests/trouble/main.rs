//! Trouble in the middle of an apply on a real host: the plugin, the daemon or tcloud itself
//! is killed, or the daemon stands still. It is told in words that help, the next apply finishes the
//! work, nothing is lost and nothing is there twice, and what ran runs on. virsh is the judge.

mod address;
mod foreign;
mod leftover;
mod outside;
mod project;

use project::{Ended, Project, Run, Running};

/// A guest that runs all the time. It starts by UEFI, whose variables are one thing more to lose.
const BEFORE: &str = r#"
tenant t {
  network a { cidr = 10.99.0.0/24 }
  vm keeper {
    vcpus = 1
    memory = 192MiB
    stop_within = 0s
    boot { kernel = "/srv/guest/kernel", initrd = "/srv/guest/initrd", cmdline = "console=ttyS0 quiet cryptomgr.notests" }
    disk root { size = 64MiB }
    nic a { network = network.a }
  }
}
"#;

/// The same guest with a title, and three more with what they need.
const AFTER: &str = r#"
tenant t {
  network a { cidr = 10.99.0.0/24 }
  network b { cidr = 10.99.1.0/24 }
  volume data { size = 64MiB }
  vm keeper {
    title = "Runs on"
    vcpus = 1
    memory = 192MiB
    stop_within = 0s
    boot { kernel = "/srv/guest/kernel", initrd = "/srv/guest/initrd", cmdline = "console=ttyS0 quiet cryptomgr.notests" }
    disk root { size = 64MiB }
    nic a { network = network.a }
  }
  vm web for n in 1..=3 {
    vcpus = 1
    memory = 96MiB
    firmware = "bios"
    stop_within = 0s
    boot { kernel = "/srv/guest/kernel", initrd = "/srv/guest/initrd", cmdline = "console=ttyS0 quiet cryptomgr.notests" }
    disk root { size = 64MiB }
    nic b { network = network.b }
  }
}
"#;

/// What virsh finds of [`BEFORE`].
const FEW: [&str; 10] = [
    "domain t.keeper",
    "filter tcloud-net-t.network-a",
    "firmware t.keeper",
    "network t.network-a",
    "pool m.pool-fast",
    "pool tcloud-seeds",
    "secret tcloud:pool/m.pool-fast",
    "secret tcloud:volume/m.pool-fast/t.keeper.disk-root",
    "volume t.keeper.disk-root",
    "volume t.keeper.seed",
];

/// What virsh finds of [`AFTER`] besides.
const MORE: [&str; 16] = [
    "domain t.web-1",
    "domain t.web-2",
    "domain t.web-3",
    "filter tcloud-net-t.network-b",
    "network t.network-b",
    "secret tcloud:volume/m.pool-fast/t.volume-data",
    "secret tcloud:volume/m.pool-fast/t.web-1.disk-root",
    "secret tcloud:volume/m.pool-fast/t.web-2.disk-root",
    "secret tcloud:volume/m.pool-fast/t.web-3.disk-root",
    "volume t.volume-data",
    "volume t.web-1.disk-root",
    "volume t.web-1.seed",
    "volume t.web-2.disk-root",
    "volume t.web-2.seed",
    "volume t.web-3.disk-root",
    "volume t.web-3.seed",
];

/// A project whose keeper runs.
fn settled() -> (Project, Running) {
    let project = Project::new();
    project.write("main.tcloud", BEFORE);
    project.run(&["apply", "--yes"], 0);
    let running = project.running();
    assert_eq!(running.keys().collect::<Vec<_>>(), ["t.keeper"]);
    (project, running)
}

/// Applies a text, makes trouble when the apply has said so many lines, and gives how it ended.
fn disturb(project: &Project, text: &str, lines: usize, trouble: impl FnOnce(&mut Run)) -> Ended {
    project.write("main.tcloud", text);
    let mut arguments = project.consenting("apply");
    arguments.push("--json".to_owned());
    let mut run = project.begin(&arguments);
    run.until(lines);
    trouble(&mut run);
    run.end()
}

/// The next apply finishes the work; then all is there once, and what ran before still runs.
fn go_on(project: &Project, keeper: &Running, more: bool) {
    let before = project.running();
    project.run(&project.consenting("apply"), 0);
    project.run(&["plan", "--exit-code"], 0);
    let mut expected: Vec<&str> = FEW.to_vec();
    if more {
        expected.extend(MORE);
    }
    expected.sort_unstable();
    assert_eq!(project.everything(), expected);
    let after = project.running();
    let guests: Vec<&str> = expected.iter().filter_map(|own| own.strip_prefix("domain ")).collect();
    assert_eq!(after.keys().collect::<Vec<_>>(), guests);
    for (name, process) in keeper.iter().chain(&before) {
        assert!(!after.contains_key(name) || after[name] == *process, "{name} was restarted");
    }
}

/// Nothing of ours is left.
fn destroy(project: &Project) {
    project.run(&project.consenting("destroy"), 0);
    assert_eq!(project.everything(), Vec::<String>::new());
}

/// Asks the laboratory something of the host.
fn ask(command: &str) -> impl Fn(&Project) {
    move |project| {
        project.hosts.must(&[command, "1"]);
    }
}

/// Makes the same trouble at each of these lines of an apply to each of these texts, and judges what
/// was said; every time the next apply goes on. `mend` ends the trouble.
fn each(
    moments: &[(&str, usize)],
    trouble: impl Fn(&Project, &mut Run),
    judge: impl Fn(Option<i32>, &str),
    mend: impl Fn(&Project),
) {
    let (project, keeper) = settled();
    for (text, lines) in moments {
        let Ended { code, out, err } =
            disturb(&project, text, *lines, |run| trouble(&project, run));
        judge(code, &(out + &err));
        mend(&project);
        go_on(&project, &keeper, *text == AFTER);
    }
    destroy(&project);
}

#[test]
fn a_plugin_is_killed_in_the_middle() {
    let judge = |code: Option<i32>, said: &str| {
        assert!(matches!(code, Some(0 | 1)), "{code:?} {said}");
        assert!(said.contains("the provider libvirt was lost: it ended (signal: 9"), "{said}");
    };
    each(&[(AFTER, 5), (BEFORE, 6)], |_, run| run.kill_plugin(), judge, |_| ());
}

#[test]
fn a_daemon_is_killed_in_the_middle() {
    let judge = |code: Option<i32>, said: &str| {
        assert_eq!(code, Some(1), "{said}");
        // Whether a call was under way just then decides which of them is told.
        let words = ["the connection broke", "the daemon does not run", "the daemon ended"];
        assert!(words.iter().any(|word| said.contains(word)), "{said}");
    };
    let (crash, restart) = (ask("crash"), ask("restart"));
    let moments = [(AFTER, 5), (BEFORE, 6), (AFTER, 16)];
    each(&moments, |project, _| crash(project), judge, restart);
}

#[test]
fn a_daemon_stands_still_in_the_middle() {
    let judge = |code: Option<i32>, said: &str| {
        assert_eq!(code, Some(1), "{said}");
        // "It ended, or …" where no call was under way just then.
        assert!(said.contains("stopped answering, even to keepalives"), "{said}");
        assert!(!said.contains("has been busy"), "it is not slow: {said}");
    };
    let (pause, resume) = (ask("pause"), ask("resume"));
    each(&[(AFTER, 16), (BEFORE, 6)], |project, _| pause(project), judge, resume);
}

#[test]
fn tcloud_is_killed_in_the_middle() {
    let judge = |code: Option<i32>, said: &str| assert_eq!(code, None, "{said}");
    each(&[(AFTER, 5), (BEFORE, 6)], |_, run| run.kill(), judge, |_| ());
}
