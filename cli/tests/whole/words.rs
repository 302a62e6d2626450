//! What somebody is told who types something else than was meant: at the command line, in the console,
//! about files and addresses, and what a program is told in the same place.

use std::io::Write as _;
use std::process::Stdio;

use crate::project::{Project, example};

const TOWN: &str = "\
site s {
  host h { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
  pool p { type = \"dir\", path = \"/p\" }
}
tenant a {
  volume data { size = 10GiB }
  vm w { vcpus = 2, memory = 3GiB }
}
";

fn applied() -> Project {
    let project = Project::with(TOWN);
    project.run(&["apply", "--yes"], 0);
    project
}

/// Runs what cannot be meant, and looks for what is said about it.
fn refused(project: &Project, line: &str, words: &[&str]) {
    let arguments: Vec<&str> = line.split(' ').collect();
    let ended = project.ended(&arguments);
    assert_eq!(ended.code, Some(1), "{line}: {}{}", ended.out, ended.err);
    for word in words {
        assert!(ended.err.contains(word), "{line}: no {word} in\n{}", ended.err);
    }
}

#[test]
fn what_is_no_project_plan_or_address_is_called_what_it_is() {
    let project = Project::with(TOWN);
    for (line, words) in [
        ("plan nowhere", &["there is no nowhere", "tcloud init"][..]),
        ("apply x.tcloud-plan", &["there is no x.tcloud-plan", "tcloud plan --out"][..]),
        ("plan main.tcloud", &["main.tcloud is a file", "name the directory"][..]),
        ("apply main.tcloud", &["main.tcloud is a text, and no plan"][..]),
        ("show x.tcloud-plan", &["there is no file", "x.tcloud-plan"][..]),
        ("plan --target nope", &["nothing is called that", "\n1 error\n"][..]),
        ("plan --var x=1", &["\"x\", which is no parameter", "\n1 error\n"][..]),
        ("adopt nope", &["nothing at `nope`", "there is: site.s.host.h"][..]),
        ("plan --allow dataloss=x", &["did you mean `data-loss`?"][..]),
        ("history -n 0", &["-n"][..]),
        ("validate", &["no command `validate`", "tcloud check"][..]),
        ("state mv a b", &["moved OLD -> NEW"][..]),
        ("plan -out=x", &["`-out=x` has one dash", "`--out=x`"][..]),
        ("apply --auto-approve", &["--yes"][..]),
    ] {
        refused(&project, line, words);
    }
    assert!(!project.path().join("ut=x").exists());
    assert_eq!(project.run(&["check"], 0), "6 objects in 1 file are fine.\n");
}

#[test]
fn patterns_that_match_nothing_are_told_from_an_empty_record() {
    let project = Project::with(TOWN);
    assert_eq!(project.ended(&["state", "list"]).err, "Nothing is remembered.\n");
    project.run(&["apply", "--yes"], 0);
    let none = project.ended(&["state", "list", "nope"]);
    assert!(none.err.starts_with("Nothing matches `nope`, of "), "{}", none.err);
    assert!(project.run(&["state", "list", "vm.w"], 0).contains("tenant.a.vm.w"));
}

#[test]
fn a_directory_is_shown_as_a_shell_reads_it() {
    let project = Project::with(TOWN);
    let out = project.run(&["init", "two words", "--name", "two"], 0);
    assert!(out.contains("tcloud plan 'two words' "), "{out}");
}

#[test]
fn the_console_shows_what_was_typed_and_goes_on() {
    let project = Project::with(TOWN);
    let mut child = project.command(&["console"]).stdin(Stdio::piped()).spawn().expect("starts");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"1 +\nlet x = 1\n\xff\n:help\n1 + 1\nexit\n2 + 2\n").expect("read");
    drop(input);
    let output = child.wait_with_output().expect("ends");
    let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    let out = String::from_utf8_lossy(&out);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("1 │ 1 +\n") && !err.contains("console-answer"), "{err}");
    assert!(err.contains("`let` is for files") && err.contains("not UTF-8"), "{err}");
    assert!(out.contains("or Ctrl-D") && out.ends_with("2\n"), "{out}");
}

#[test]
fn a_program_is_told_what_is_wrong_with_the_text() {
    let project = Project::with("tenant a { vm w { vcpus = 1, memry = 1GiB } }\n");
    for command in ["plan", "drift", "check"] {
        let answer = project.json(&[command, "--json"], 1);
        assert_eq!(answer["format"], "tcloud-check/1", "{command}");
        assert_eq!(answer["diagnostics"][0]["code"], "E0101", "{command}");
    }
    let line = project.run(&["apply", "--yes", "--json"], 1);
    let event: serde_json::Value = serde_json::from_str(&line).expect("one line");
    assert_eq!(event["event"], "refused");
    assert_eq!(event["diagnostics"][0]["code"], "E0101");
}

#[test]
fn a_plan_without_a_host_says_in_json_how_the_command_ends() {
    let project = applied();
    project.run(&["sim", "unreachable", "site.s.host.h"], 0);
    assert_eq!(project.json(&["plan", "--json", "--exit-code"], 1)["exit_code"], 1);
    let report = project.run(&["plan", "--report", "terraform"], 0);
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["tcloud"]["exit_code"], 1);
}

#[test]
fn the_first_host_that_does_not_answer_is_the_cause_and_not_its_size() {
    let project = Project::with(TOWN);
    project.run(&["plan"], 0);
    project.run(&["sim", "unreachable", "site.s.host.h"], 0);
    refused(&project, "plan", &["cannot be placed: its only host does not answer", "-vv plan"]);
}

#[test]
fn a_refresh_and_a_report_of_drift_promise_no_change() {
    let project = applied();
    refused(&project, "sim drift tenant.a.vm.w vcpu=4", &["did you mean `vcpus`?"]);
    project.run(&["sim", "drift", "tenant.a.vm.w", "vcpus=4"], 0);
    let report = project.run(&["drift", "--report", "markdown"], 0);
    assert!(report.contains("Drift of town: 1 object was changed by hand"), "{report}");
    project.run(&["sim", "delete", "tenant.a.volume.data"], 0);
    let plan = project.run(&["plan", "--refresh-only"], 0);
    assert!(plan.contains("forgotten: somebody removed it"), "{plan}");
    assert!(
        plan.contains("Plan: 1 record brought up to date, 1 record forgotten. No host is changed."),
        "{plan}"
    );
    assert!(!plan.contains("delete") && !plan.contains("set right"), "{plan}");
}

#[test]
fn a_guest_does_not_notice_itself_and_commands_are_not_broken() {
    let project = Project::copy_of(&example("quickstart"));
    project.run(&["apply", "--yes"], 0);
    project.edit("main.tcloud", "vcpus = 2", "vcpus = 3");
    project.edit("main.tcloud", "vm files", "vm filer");
    let plan = project.run(&["plan"], 0);
    assert!(plan.contains("`moved tenant.rhoenblick.vm.files -> …`"), "{plan}");
    assert_eq!(plan.matches("--allow data-loss=").count(), 2, "{plan}");
    project.edit("main.tcloud", "vm filer", "vm files");
    assert!(!project.run(&["show", "vm.files"], 0).contains("is noticed by"));
    let why = project.run(&["why", "vm.files"], 0);
    assert!(why.contains("the guest itself: runs on, what changes waits"), "{why}");
}

#[test]
fn a_shell_completes_addresses_of_the_project_and_formats() {
    let project = Project::with(TOWN);
    let script = "source <(\"$TCLOUD\" completions bash)
        PATH=\"$(dirname \"$TCLOUD\"):$PATH\"
        complete_words() {
            COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMP_TYPE=9 COMPREPLY=()
            local function=$(complete -p tcloud | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            $function tcloud \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"
            echo \"${COMPREPLY[@]}\"
        }
        complete_words tcloud show tenant.a.v
        complete_words tcloud plan --target tenant.a.vm
        complete_words tcloud adopt ''
        complete_words tcloud plan --report code
        complete_words tcloud explain E001";
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .current_dir(project.path())
        .env("TCLOUD", env!("CARGO_BIN_EXE_tcloud"))
        .output()
        .expect("bash runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = out.lines().collect();
    let [show, target, adopt, report, explain] = lines[..] else {
        panic!("{out}{}", String::from_utf8_lossy(&output.stderr));
    };
    assert_eq!(show, "tenant.a.vm.w tenant.a.volume.data");
    assert_eq!(target, "tenant.a.vm.w");
    assert!(adopt.contains("site.s.host.h") && !adopt.contains("tenant.a"), "{adopt}");
    assert_eq!(report, "codequality");
    assert!(explain.starts_with("E0010 E0011 "), "{explain}");
}
