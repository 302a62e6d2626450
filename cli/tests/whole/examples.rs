//! Every example does what its reader will try with it: check, plan, apply, change, lose the state,
//! destroy.

use std::path::Path;

use crate::project::{Project, examples};

/// A change that every example has a place for: guests and flavors get more vCPUs, and one of each
/// example's volumes or disks grows.
fn change(project: &Project) {
    let mut changed = false;
    for path in sources(project.path()) {
        let text = std::fs::read_to_string(&path).expect("read");
        let new = text.replace("vcpus = 2", "vcpus = 3").replace("size = 100GiB", "size = 120GiB");
        changed |= new != text;
        std::fs::write(path, new).expect("written");
    }
    assert!(changed, "no example stays unchanged by this");
}

fn sources(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).expect("listed").map(|e| e.expect("an entry"));
    let all = entries.flat_map(|entry| match entry.path() {
        path if path.is_dir() => sources(&path),
        path if path.extension().is_some_and(|extension| extension == "tcloud") => vec![path],
        _ => Vec::new(),
    });
    all.collect()
}

fn for_each_example(test: impl Fn(&Project)) {
    for example in examples() {
        println!("{}", example.display());
        test(&Project::copy_of(&example));
    }
}

#[test]
fn examples_are_correct_and_in_canonical_form() {
    for_each_example(|project| {
        let ended = project.ended(&["check"]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let said = ended.err + &ended.out;
        assert!(!said.contains("warning"), "an example has no warnings: {said}");
        project.run(&["fmt", "--check"], 0);
    });
}

#[test]
fn examples_are_planned_applied_and_then_there_is_nothing_to_do() {
    for_each_example(|project| {
        project.run(&["plan", "--exit-code"], 2);
        project.run(&["apply", "--yes"], 0);
        project.run(&["plan", "--exit-code"], 0);
        assert_eq!(project.ours(), project.remembered());
    });
}

#[test]
fn the_plan_of_an_example_is_the_same_with_a_rebuilt_state() {
    for_each_example(|project| {
        project.run(&["apply", "--yes"], 0);
        let again = |arguments: &[&str], code| {
            let before = project.run(arguments, code);
            project.lose_the_state();
            project.run(&["state", "rebuild", "--yes"], 0);
            assert_eq!(before, project.run(arguments, code));
        };
        again(&["plan", "--exit-code"], 0);
        again(&["plan", "--destroy"], 0);
        change(project);
        again(&["plan", "--exit-code"], 2);
        again(&["plan", "--json"], 0);
        project.run(&["apply", "--yes"], 0);
        // What waits for the guests' next start has to be found again too.
        again(&["plan", "--exit-code"], 0);
    });
}

#[test]
fn a_destroyed_example_leaves_nothing() {
    for_each_example(|project| {
        project.run(&["apply", "--yes"], 0);
        project.run(&["destroy", "--yes"], 4);
        let flags = project.consents(&["plan", "--destroy"]);
        assert!(!flags.is_empty(), "an example has data that somebody could lose");
        let mut arguments = vec!["destroy", "--yes"];
        arguments.extend(flags.iter().map(String::as_str));
        project.run(&arguments, 0);
        assert_eq!(project.ours(), []);
        assert_eq!(project.remembered(), []);
        assert!(!project.run(&["sim", "dump"], 0).contains("\"deployment\""));
    });
}
