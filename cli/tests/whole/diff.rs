//! `tcloud diff` says offline what a plan says later, and tells a refactoring from a change.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, examples};

const TEXT: &str = "site home {
  host one { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
  pool local { type = \"dir\", path = \"/srv\" }
}
tenant town {
  network office { cidr = 10.20.0.0/24 }
  volume archive { size = 100GiB }
  vm files {
    vcpus = 2
    memory = 4GiB
    disk archive { volume = volume.archive }
    nic office { network = network.office }
  }
}
";

/// Runs git without the settings of whoever runs the tests.
pub(crate) fn git(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(["-c", "user.name=Erika", "-c", "user.email=erika@town"]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.args(arguments).output().expect("git runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Commits everything and gives it a name.
pub(crate) fn commit(project: &Project, name: &str) {
    commit_as(project, name, "erika@town");
}

/// The same, by somebody.
pub(crate) fn commit_as(project: &Project, name: &str, email: &str) {
    if !project.path().join(".git").exists() {
        git(project.path(), &["init", "--quiet"]);
        project.write(".gitignore", ".tcloud/\n");
    }
    git(project.path(), &["add", "--all"]);
    let (who, empty) = (format!("user.email={email}"), "--allow-empty");
    git(project.path(), &["-c", &who, "commit", "--quiet", empty, "--message", name]);
    git(project.path(), &["tag", name]);
}

fn committed(text: &str) -> Project {
    let project = Project::with(text);
    commit(&project, "one");
    project
}

/// What changes, without what only a host can know.
fn changes(view: &Value) -> Vec<Value> {
    let mut changes = view["changes"].as_array().expect("a list").clone();
    for change in &mut changes {
        let change = change.as_object_mut().expect("an object");
        change.remove("written");
    }
    changes
}

#[test]
fn an_example_that_is_edited_is_told_as_its_plan_tells_it() {
    for example in examples() {
        let project = Project::copy_of(&example);
        commit(&project, "one");
        assert!(project.run(&["diff", "one", "--exit-code"], 0).starts_with("No change: "));
        project.run(&["apply", "--yes"], 0);
        project.edit("main.tcloud", "vcpus = 2", "vcpus = 3");
        project.edit("main.tcloud", "memory = 4GiB", "memory = 5GiB");
        let told = project.json(&["diff", "--json"], 0);
        let planned = project.json(&["plan", "--json"], 0);
        assert!(!changes(&told).is_empty());
        assert_eq!(changes(&told), changes(&planned), "{}", example.display());
        commit(&project, "two");
        assert_eq!(project.json(&["diff", "one..two", "--json"], 0), told);
        let back = project.json(&["diff", "two..one", "--json"], 0);
        assert_eq!(changes(&back).len(), changes(&told).len());
        assert_eq!(project.json(&["diff", "two..one", "--report", "json"], 0), back);
    }
}

#[test]
fn what_loses_data_needs_a_decision() {
    let project = committed(TEXT);
    project.edit("main.tcloud", "  volume archive { size = 100GiB }\n", "");
    project.edit("main.tcloud", "    disk archive { volume = volume.archive }\n", "");
    let text = project.run(&["diff", "--exit-code"], 4);
    assert!(text.contains("DATA LOSS") && text.contains("tenant.town.volume.archive"), "{text}");
    assert!(text.contains("not checked: what runs"), "{text}");
}

#[test]
fn a_refactoring_is_no_change() {
    let project = committed(TEXT);
    project.write("main.tcloud", "");
    let (site, tenant) = TEXT.split_at(TEXT.find("tenant").expect("a tenant"));
    project.write("sites/home.tcloud", site);
    let local = format!("let small = 4GiB\n{}", tenant.replace("= 4GiB", "= small"));
    project.write("tenants/town.tcloud", local);
    let said = project.run(&["diff", "--exit-code"], 0);
    assert_eq!(said, "No change: HEAD and the files as they are ask for the same.\n");

    // It all goes into a component, and says so.
    let inner = tenant.strip_prefix("tenant town {\n").and_then(|text| text.strip_suffix("}\n"));
    let inner = inner.expect("a tenant");
    project.write("share.tcloud", format!("component share {{\n{inner}}}\n"));
    let moved = |what: &str| format!("moved tenant.town.{what} -> tenant.town.share.main.{what}\n");
    let moved = ["network.office", "volume.archive", "vm.files"].map(moved).concat();
    project.write("tenants/town.tcloud", format!("tenant town {{\n  share main {{}}\n}}\n{moved}"));
    let said = project.run(&["diff", "--exit-code"], 0);
    assert_eq!(
        said,
        "No change: HEAD and the files as they are ask for the same. 3 objects get another \
         address, and nothing else.\n"
    );
}

#[test]
fn what_others_made_counts_as_being_there() {
    let project = committed(TEXT);
    let theirs = "adopt tenant.town.vm.old from \"old-mail\" on site.home.host.one
tenant town {
  existing network lan { cidr = 10.9.0.0/24 }
  vm old { vcpus = 1, memory = 1GiB, nic lan { network = network.lan } }";
    project.edit("main.tcloud", "tenant town {", theirs);
    let said = project.run(&["diff"], 0);
    assert!(said.contains("adopt") && said.contains("tenant.town.vm.old"), "{said}");
    commit(&project, "two");
    assert!(project.run(&["diff", "two"], 0).starts_with("No change"));
}

#[test]
fn no_secret_and_no_host_is_asked() {
    let project = committed(&TEXT.replace("provider = \"sim\"", "provider = \"sim\", uri = \"x\""));
    project.run(&["diff", "one..HEAD"], 0);
    assert!(!project.path().join(".tcloud").exists(), "nothing is left behind");
}

#[test]
fn a_project_that_was_not_there_is_all_new() {
    let outer = Project::with("");
    std::fs::remove_file(outer.path().join("main.tcloud")).expect("removed");
    commit(&outer, "before");
    outer.write("cloud/tcloud.toml", "[deployment]\nname = \"town\"\n");
    outer.write("cloud/main.tcloud", TEXT);
    let said = outer.run(&["diff", "before", "cloud"], 0);
    assert!(said.contains("Plan: 4 to create"), "{said}");
}

#[test]
fn what_cannot_be_compared_says_which_side() {
    let project = committed(TEXT);
    project.write("main.tcloud", TEXT.replace("vcpus = 2", "vcpus = two"));
    let ended = project.ended(&["diff"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("main.tcloud:9:13"), "{}", ended.err);
    assert!(ended.err.contains("the files as they are cannot be compared"), "{}", ended.err);
    for (revisions, said) in [
        ("nowhere", "there is no revision `nowhere`"),
        ("one..--help", "there is no revision `--help`"),
        ("one...two", "there is no revision `two`"),
    ] {
        let ended = project.ended(&["diff", revisions]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    let nowhere = Project::with(TEXT);
    assert!(nowhere.ended(&["diff"]).err.contains("is not in a git repository"));
}

#[test]
fn a_branch_is_compared_with_where_it_began() {
    let project = committed(TEXT);
    git(project.path(), &["checkout", "--quiet", "-b", "branch"]);
    project.edit("main.tcloud", "vcpus = 2", "vcpus = 3");
    commit(&project, "two");
    git(project.path(), &["checkout", "--quiet", "-b", "trunk", "one"]);
    project.edit("main.tcloud", "size = 100GiB", "size = 200GiB");
    commit(&project, "three");
    let told = |range: &str| changes(&project.json(&["diff", range, "--json"], 0)).len();
    assert_eq!((told("three...two"), told("three..two")), (1, 2));
}
