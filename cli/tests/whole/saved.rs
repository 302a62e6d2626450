//! Plan files between their making and their apply: what somebody wrote into them, and what others did
//! meanwhile.

use tcloud_model::{Digest, SealKey};
use tcloud_planner::{Plan, PlanFile, planfile};
use tcloud_state::{Selection, SqliteStore, Store as _};

use crate::project::Project;

const TEXT: &str = "site home {
  host one { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
  pool local { type = \"dir\", path = \"/srv\", capacity = 100GiB }
}
tenant town {
  quota { vms = 3 }
  network office { cidr = 10.1.0.0/24, protect = true }
  volume archive { size = 10GiB }
  volume other { size = 10GiB }
  vm files { vcpus = 1, memory = 1GiB, nic office { network = network.office } }
}
";
const ARCHIVE: &str = "  volume archive { size = 10GiB }\n";
const OFFICE: &str = "network office { cidr = 10.1.0.0/24, protect = true }";
const LOSS: &str = "data-loss=tenant.town.volume.archive";

fn applied() -> Project {
    let project = Project::with(TEXT);
    project.run(&["apply", "--yes"], 0);
    project
}

fn read(project: &Project, name: &str) -> String {
    std::fs::read_to_string(project.path().join(name)).expect("a plan")
}

/// By what a project's state knows its plans.
fn key(project: &Project) -> SealKey {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = SqliteStore::open(&project.path().join(".tcloud/state.db")).expect("a state");
    let loaded = runtime.block_on(store.load(&Selection::Only(Vec::new()))).expect("it is read");
    loaded.key.expect("a key")
}

/// Writes a plan as somebody does who has the program's sources.
fn rewrite(project: &Project, to: &str, edit: impl FnOnce(&mut PlanFile)) {
    let mut file = planfile::read(&read(project, "p")).expect("a plan");
    edit(&mut file);
    project.write(to, planfile::write(&file));
}

/// The same, by somebody who may also read the state.
pub(crate) fn forge(project: &Project, to: &str, edit: impl FnOnce(&mut Plan)) {
    rewrite(project, to, |file| {
        edit(&mut file.plan);
        file.seal = Some(planfile::seal(file, &key(project)));
    });
}

/// The same, with words in the place of others.
fn forge_words(project: &Project, to: &str, old: &str, new: &str) {
    let text = read(project, "p");
    let (head, content) = text.split_once("\"content\":").expect("a content");
    let key = key(project);
    let digests = |content: &str| {
        let content = content.strip_suffix("}\n").expect("an end").as_bytes();
        [Digest::of_bytes(content), key.seal(content)].map(|own| own.to_string())
    };
    let forged = content.replace(old, new);
    let pairs = digests(content).into_iter().zip(digests(&forged));
    let head = pairs.fold(head.to_owned(), |head, (old, new)| head.replace(&old, &new));
    assert!(!text.starts_with(&head) && forged != content, "it is another plan");
    project.write(to, format!("{head}\"content\":{forged}"));
}

/// An apply that changes nothing; gives what it says.
fn refused(project: &Project, arguments: &[&str], code: i32) -> String {
    let before = project.ours();
    let ended = project.ended(&[&["apply", "--yes"], arguments].concat());
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}{}", ended.out, ended.err);
    assert_eq!(project.ours(), before, "{arguments:?}");
    ended.err
}

#[test]
fn consent_cannot_be_written_into_a_plan_file_nor_out_of_it() {
    let project = applied();
    project.edit("main.tcloud", ARCHIVE, "");
    project.run(&["plan", "--out", "p"], 0);
    refused(&project, &["p"], 4);
    forge(&project, "none", |plan| plan.decisions.clear());
    forge(&project, "agreed", |plan| plan.decisions[0].agreed = true);
    forge(&project, "nobody's", |plan| plan.decisions[0].owners.clear());
    forge(&project, "another's", |plan| {
        plan.decisions[0].address = "tenant.town.volume.other".parse().expect("an address");
    });
    forge_words(&project, "renamed", "tenant.town.volume.archive", "tenant.town.volume.nothing");
    forge(&project, "twice", |plan| {
        let one = plan.decisions[0].clone();
        plan.decisions.push(one);
    });
    refused(&project, &["agreed"], 4);
    let said = refused(&project, &["none"], 1);
    assert!(said.contains("`data-loss` about tenant.town.volume.archive"), "{said}");
    for (name, loss) in [
        ("nobody's", LOSS),
        ("twice", LOSS),
        ("another's", "data-loss=tenant.town.volume.other"),
        ("renamed", "data-loss=tenant.town.volume.nothing"),
    ] {
        let said = refused(&project, &[name, "--allow", loss], 1);
        assert!(said.contains("cannot be believed"), "{name}: {said}");
    }
    // What was agreed to when the plan was made is agreed to by whoever made it.
    project.run(&["plan", "--out", "p", "--allow", LOSS], 0);
    refused(&project, &["p"], 4);
    project.run(&["apply", "p", "--yes", "--allow", LOSS], 0);
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn protection_and_exposure_cannot_be_written_out_of_a_plan_file() {
    let project = applied();
    project.edit("main.tcloud", OFFICE, "network office { cidr = 10.2.0.0/24, protect = true }");
    project.run(&["plan", "--out", "p"], 0);
    refused(&project, &["p"], 4);
    forge(&project, "none", |plan| plan.decisions.clear());
    let said = refused(&project, &["none"], 1);
    assert!(said.contains("`destroy` about tenant.town.network.office"), "{said}");

    let project = applied();
    let open = "network office {\n cidr = 10.1.0.0/24\n protect = true\n mode = \"routed\"\n \
                allow web { from = 0.0.0.0/0, ports = [443/tcp] }\n }";
    project.edit("main.tcloud", OFFICE, open);
    project.run(&["plan", "--out", "p"], 0);
    refused(&project, &["p"], 4);
    forge(&project, "none", |plan| {
        plan.decisions.clear();
        plan.exposure.clear();
    });
    let said = refused(&project, &["none"], 1);
    assert!(said.contains("about tenant.town.network.office"), "{said}");
}

/// Another guest; gives the plan for it alone.
fn saved_guest(project: &Project, name: &str, memory: &str, rest: &str) {
    project.write(
        "main.tcloud",
        TEXT.replace(
            "  vm files",
            &format!("  vm {name} {{ vcpus = 1, memory = {memory}{rest} }}\n  vm files"),
        ),
    );
    project.run(&["plan", "--out", name], 0);
}

#[test]
fn two_saved_plans_apply_in_any_order_as_long_as_there_is_room() {
    let project = applied();
    for name in ["a", "b", "c"] {
        saved_guest(&project, name, "1GiB", "");
    }
    project.run(&["apply", "--yes", "b"], 0);
    project.run(&["apply", "--yes", "a"], 0);
    let said = refused(&project, &["c"], 5);
    assert!(said.contains("tenant.town: 4 vms of 3 would be in use: 2 more than"), "{said}");
    assert!(said.contains("tenant.town.vm.a"), "who took it is named: {said}");
}

#[test]
fn an_address_that_somebody_has_by_now_is_not_given_again() {
    let project = applied();
    for name in ["a", "b"] {
        saved_guest(&project, name, "1GiB", ", nic office { network = network.office }");
    }
    project.run(&["apply", "--yes", "a"], 0);
    let said = refused(&project, &["b"], 5);
    assert!(said.contains("tenant.town.vm.b would get 10.1.0."), "{said}");
    assert!(said.contains("which tenant.town.vm.a has by now"), "{said}");
}

#[test]
fn a_host_that_others_have_filled_has_no_room_left() {
    let project = applied();
    for name in ["a", "b"] {
        saved_guest(&project, name, "20GiB", "");
    }
    project.run(&["apply", "--yes", "a"], 0);
    let said = refused(&project, &["b"], 5);
    assert!(said.contains("memory of 32 GiB would be in use: 20 GiB more"), "{said}");
}

/// A project whose guest is to grow, by the plan `p`.
fn about_to_grow() -> Project {
    let project = applied();
    project.edit("main.tcloud", "vcpus = 1", "vcpus = 2");
    project.run(&["plan", "--out", "p"], 0);
    project
}

#[test]
fn a_plan_file_that_this_state_did_not_make_is_refused() {
    let project = about_to_grow();
    let text = read(&project, "p");
    // The digest fits again, as with whoever has the sources; what is changed destroys nothing.
    rewrite(&project, "grown", |file| {
        let text = serde_json::to_string(&file.plan.steps).expect("JSON");
        let text = text.replace("\"vcpus\":2", "\"vcpus\":4");
        let steps = serde_json::from_str(&text).expect("steps");
        assert_ne!(file.plan.steps, steps);
        file.plan.steps = steps;
    });
    project.write("elsewhere", read(&about_to_grow(), "p"));
    for name in ["grown", "elsewhere"] {
        let said = refused(&project, &[name], 1);
        assert!(said.contains("was changed after it was made, or was made from another"), "{said}");
    }
    rewrite(&project, "bare", |file| file.seal = None);
    let said = refused(&project, &["bare"], 5);
    assert!(said.contains("when nothing was remembered yet"), "{said}");
    assert_eq!(read(&project, "p"), text);
    project.run(&["apply", "--yes", "p"], 0);
}

#[test]
fn a_plan_is_applied_once() {
    let project = Project::with(TEXT);
    project.run(&["plan", "--out", "p"], 0);
    project.run(&["apply", "--yes", "p"], 0);
    refused(&project, &["p"], 5);
    // Everything that the plan makes is missing again.
    let losses = ["archive", "other"].map(|own| format!("data-loss=tenant.town.volume.{own}"));
    let [archive, other] = &losses;
    let protected = "destroy=tenant.town.network.office";
    let all = ["destroy", "--yes", "--allow", archive, "--allow", other, "--allow", protected];
    project.run(&all, 0);
    project.run(&["plan", "--out", "p"], 0);
    project.run(&["apply", "--yes", "p"], 0);
    project.run(&all, 0);
    let said = refused(&project, &["p"], 5);
    assert!(said.contains("the plan was applied already, by "), "{said}");
}

#[test]
fn a_plan_of_what_a_restored_state_does_not_know_is_refused() {
    let project = applied();
    let [database, older] = [".tcloud/state.db", "older"].map(|own| project.path().join(own));
    std::fs::copy(&database, &older).expect("copied");
    project.edit("main.tcloud", "vcpus = 1", "vcpus = 2");
    project.run(&["apply", "--yes"], 0);
    project.edit("main.tcloud", "vcpus = 2", "vcpus = 3");
    project.run(&["plan", "--out", "p"], 0);
    std::fs::copy(&older, &database).expect("copied");
    let said = refused(&project, &["p"], 5);
    assert!(said.contains("from another history of tenant.town"), "{said}");
}

#[test]
fn what_a_saved_plan_left_out_is_told_also_by_its_apply() {
    let project = applied();
    let far =
        "site far { host two { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } } }\n";
    project.write("main.tcloud", TEXT.replace("vcpus = 1", "vcpus = 2") + far);
    project.run(&["plan"], 0);
    project.run(&["sim", "unreachable", "site.far.host.two"], 0);
    project.run(&["plan", "--exit-code", "--out", "p"], 1);
    let shown = project.run(&["show", "p", "--json"], 0);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["exit_code"], 1);
    let ended = project.ended(&["apply", "--yes", "p"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("1 step done."), "{}", ended.out);
    assert!(ended.err.contains("1 host did not answer, and what is on them"), "{}", ended.err);
    project.run(&["sim", "unreachable", "site.far.host.two", "--off"], 0);
    project.run(&["plan", "--exit-code"], 0);
}
