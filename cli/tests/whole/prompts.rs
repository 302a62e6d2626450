//! Questions at a terminal. What counts is what is on the hosts afterwards, and not what was said.

use std::io::Write as _;
use std::process::Stdio;

use crate::project::Project;
use crate::terminal::{CTRL_C, CTRL_D, Left, Session};

const TOWN: &str = "\
site s {
  host h { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
  pool p { type = \"dir\", path = \"/srv\" }
}

tenant a {
  network n { cidr = 10.0.0.0/24 }
  volume archive { size = 10GiB }
  vm w {
    vcpus = 1
    memory = 1GiB
    disk archive { volume = volume.archive }
    nic n { network = network.n }
  }
}
";

const ARCHIVE: &str = "tenant.a.volume.archive";

/// Everything on the hosts.
fn world(project: &Project) -> String {
    project.run(&["sim", "dump", "--stable"], 0)
}

fn addresses(project: &Project) -> Vec<String> {
    project.ours().into_iter().map(|object| object.address).collect()
}

/// A town that runs, whose text has no archive any more.
fn without_archive() -> Project {
    let project = Project::with(TOWN);
    project.run(&["apply", "--yes"], 0);
    project.edit("main.tcloud", "  volume archive { size = 10GiB }\n", "");
    project.edit("main.tcloud", "    disk archive { volume = volume.archive }\n", "");
    project
}

/// Answers a question of a command.
fn answered(project: &Project, command: &str, question: &str, answer: &str) -> Left {
    let session = Session::start(project, &[command]);
    session.wait_for(question);
    session.send(answer);
    session.left()
}

#[test]
fn yes_applies_and_the_next_apply_asks_nothing() {
    let project = Project::with(TOWN);
    let session = Session::start(&project, &["apply"]);
    session.wait_for("Apply this plan? Type `yes`: ");
    assert_eq!(project.ours(), [], "nothing is done before the answer");
    session.send("yes\r");
    let left = session.left();
    assert_eq!(left.code, Some(0), "{}", left.screen);
    let expected =
        ["site.s.pool.p", "tenant.a.network.n", "tenant.a.vm.w", ARCHIVE].map(str::to_owned);
    assert_eq!(addresses(&project), expected);

    let left = Session::start(&project, &["apply"]).left();
    assert_eq!(left.code, Some(0), "{}", left.screen);
    assert!(left.screen.contains("Nothing to do"), "{}", left.screen);
}

#[test]
fn every_other_answer_changes_nothing() {
    let project = Project::with(TOWN);
    for answer in ["no\r", "\r", "y\r", "YES\r", "yes please\r", CTRL_C, CTRL_D] {
        let left = answered(&project, "apply", "Type `yes`: ", answer);
        assert_eq!(left.code, Some(1), "{answer:?}: {}", left.screen);
        assert!(left.screen.contains("nothing was changed"), "{answer:?}: {}", left.screen);
        assert_eq!(project.ours(), [], "{answer:?}");
    }
    assert_eq!(project.json(&["history", "--json"], 0)["runs"], serde_json::json!([]));
}

#[test]
fn what_was_settled_before_the_question_is_told_beside_no() {
    let project = Project::with(TOWN);
    project.run(&["plan"], 0);
    let host = ["sim", "break", "site.s.host.h", "--operation"];
    project.run(&[&host[..], &["create", "--how", "unknown"]].concat(), 0);
    project.run(&[&host[..], &["look"]].concat(), 0);
    let ended = project.ended(&["apply", "--yes"]);
    assert!(ended.code == Some(1) && ended.out.contains("unknown"), "{}{}", ended.out, ended.err);
    project.run(&["sim", "mend"], 0);
    let left = answered(&project, "apply", "Type `yes`: ", CTRL_C);
    assert_eq!(left.code, Some(1), "{}", left.screen);
    assert!(left.screen.contains("stopped; nothing was changed"), "{}", left.screen);
    assert!(left.screen.contains("before that, "), "{}", left.screen);
    assert!(left.screen.contains("settled"), "{}", left.screen);
    let left = answered(&project, "apply", "Type `yes`: ", CTRL_C);
    assert!(!left.screen.contains("before that"), "it is settled once: {}", left.screen);
}

/// Nobody is asked about one plan and gets another: what changes beside it while it waits for an answer
/// is left to the next one.
#[test]
fn what_was_shown_is_applied_and_nothing_that_came_meanwhile() {
    let other = "  vm other {\n    vcpus = 1\n    memory = 1GiB\n  }\n}\n";
    let town = TOWN.strip_suffix("}\n").expect("a block").to_owned() + other;
    let project = Project::with(&town);
    project.run(&["apply", "--yes"], 0);
    let without = town
        .replace("  volume archive { size = 10GiB }\n", "")
        .replace("    disk archive { volume = volume.archive }\n", "");
    project.write("main.tcloud", &without);
    let session = Session::start(&project, &["apply"]);
    session.wait_for("Type its name, archive, to agree");
    project.run(&["sim", "drift", "tenant.a.vm.other", "memory=2GiB"], 0);
    project.write("main.tcloud", without.replace("vcpus = 1", "vcpus = 2"));
    session.send("archive\r");
    let left = session.left();
    assert_eq!(left.code, Some(0), "{}", left.screen);
    assert!(!left.screen.contains("planning again"), "{}", left.screen);
    assert!(!addresses(&project).contains(&ARCHIVE.to_owned()), "{}", left.screen);
    project.write("main.tcloud", &without);
    let plan = project.json(&["plan", "--json"], 0);
    assert_eq!(plan["summary"]["changes"], 1, "{plan:#}");
    assert!(plan["changes"][0].to_string().contains("tenant.a.vm.other"), "{plan:#}");
}

#[test]
fn data_is_lost_only_when_its_name_is_typed() {
    let project = without_archive();
    let before = world(&project);
    let question = "Type its name, archive, to agree";
    for (answer, code) in [
        ("yes\r", 4),
        ("archiv\r", 4),
        ("Archive\r", 4),
        ("volume.archive\r", 4),
        ("\r", 4),
        (CTRL_D, 4),
        (CTRL_C, 1),
    ] {
        let left = answered(&project, "apply", question, answer);
        assert_eq!(left.code, Some(code), "{answer:?}: {}", left.screen);
        assert!(left.screen.contains("nothing was changed"), "{answer:?}: {}", left.screen);
        assert_eq!(world(&project), before, "{answer:?}");
    }
    let left = answered(&project, "apply", question, "archive\r");
    assert_eq!(left.code, Some(0), "{}", left.screen);
    assert!(!addresses(&project).contains(&ARCHIVE.to_owned()), "{}", left.screen);
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn the_whole_address_agrees_as_well() {
    let project = without_archive();
    let left = answered(&project, "apply", "Type its name, archive", &format!("{ARCHIVE}\r"));
    assert_eq!(left.code, Some(0), "{}", left.screen);
    assert!(!addresses(&project).contains(&ARCHIVE.to_owned()), "{}", left.screen);
}

#[test]
fn destroying_asks_as_well() {
    let project = Project::with(
        TOWN.replace("  volume archive { size = 10GiB }\n", "")
            .replace("    disk archive { volume = volume.archive }\n", ""),
    );
    project.run(&["apply", "--yes"], 0);
    let before = world(&project);
    let left = answered(&project, "destroy", "Take all of this down? Type `yes`: ", "no\r");
    assert_eq!(left.code, Some(1), "{}", left.screen);
    assert_eq!(world(&project), before);
    let left = answered(&project, "destroy", "Take all of this down? Type `yes`: ", "yes\r");
    assert_eq!(left.code, Some(0), "{}", left.screen);
    assert_eq!(project.ours(), []);
}

#[test]
fn a_yes_that_no_person_typed_does_not_count() {
    let project = Project::with(TOWN);
    let mut child = project.command(&["apply"]).stdin(Stdio::piped()).spawn().expect("tcloud runs");
    child.stdin.take().expect("a pipe").write_all(b"yes\nyes\n").expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"));
    assert_eq!(project.ours(), []);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let project = Project::with(TOWN);
    let colours = |arguments: &[&str], environment: &[(&str, &str)]| {
        let left = Session::start_with(&project, arguments, environment).left();
        assert_eq!(left.code, Some(0), "{}", left.screen);
        assert!(left.screen.contains(ARCHIVE), "{}", left.screen);
        left.raw.contains("\u{1b}[")
    };
    assert!(colours(&["plan"], &[]));
    assert!(colours(&["plan"], &[("NO_COLOR", "")]));
    assert!(!colours(&["plan"], &[("NO_COLOR", "1")]));
    assert!(!colours(&["plan"], &[("TERM", "dumb")]));
    assert!(!colours(&["plan", "--color", "never"], &[]));
    assert!(colours(&["plan", "--color", "always"], &[("NO_COLOR", "1")]));
}
