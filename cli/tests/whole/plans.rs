//! What plans say where more than one thing happens, where something is left out, and where something
//! is left alone.

use crate::project::Project;

const SITE: &str = "\
site s {
  zone a {}
  host h { provider = \"sim\", capacity { vcpus = 8, memory = 16GiB } }
  pool p { type = \"dir\", path = \"/srv/p\" }
}
";

fn guest(name: &str, rest: &str) -> String {
    format!("  vm {name} {{ vcpus = 1, restart = \"now\", disk root {{ size = 8GiB }}{rest} }}\n")
}

fn project(tenants: &str) -> Project {
    let project = Project::with(format!("{SITE}{tenants}"));
    project.run(&["apply", "--yes"], 0);
    project
}

fn boots(project: &Project) -> String {
    let listed = project.run(&["sim", "list"], 0);
    let guests = listed.lines().filter(|line| line.contains(" vm "));
    let boots = guests.filter_map(|line| line.split("boot ").nth(1)?.split(',').next());
    boots.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_guest_that_is_renamed_and_stopped_is_said_to_be_stopped() {
    let tenant = |guest: &str, rest: &str| format!("{SITE}tenant t {{\n{guest}}}\n{rest}");
    let project = project(&format!("tenant t {{\n{}}}\n", guest("a", ", memory = 4GiB")));
    assert_eq!(boots(&project), "1");
    let moved = "moved tenant.t.vm.a -> tenant.t.vm.b\n";
    project.write("main.tcloud", tenant(&guest("b", ", memory = 3GiB"), moved));
    let plan = project.run(&["plan"], 0);
    assert!(
        plan.contains("power-cycle tenant.t.vm.b  stopped and started: memory 4 GiB -> 3 GiB"),
        "{plan}"
    );
    assert!(plan.contains("was tenant.t.vm.a\n"), "{plan}");
    assert!(
        plan.contains("Plan: 1 to change, 1 to rename. 1 guest stopped and started."),
        "{plan}"
    );
    let json = project.json(&["plan", "--json"], 0);
    assert_eq!(json["headline"], "1 VM stopped and started, 1 renamed");
    project.run(&["apply", "--yes"], 0);
    assert_eq!(boots(&project), "2");
    // A name alone stops nobody.
    let moved = "moved tenant.t.vm.b -> tenant.t.vm.c\n";
    project.write("main.tcloud", tenant(&guest("c", ", memory = 3GiB"), moved));
    let plan = project.run(&["plan"], 0);
    assert!(plan.contains("Plan: 2 to rename.\n"), "{plan}");
    project.run(&["apply", "--yes"], 0);
    assert_eq!(boots(&project), "2");
}

#[test]
fn what_is_left_out_is_not_called_unchanged() {
    let both = |gib: u64| {
        let a = guest("a", &format!(", memory = {gib}GiB"));
        format!("tenant t {{\n{a}}}\ntenant u {{\n{}}}\n", guest("b", ", memory = 1GiB"))
    };
    let project = project(&both(2));
    project.write("main.tcloud", format!("{SITE}{}", both(3)));
    for arguments in [["plan", "--target", "tenant.u"], ["plan", "--exclude", "tenant.t.vm.a"]] {
        let plan = project.run(&arguments, 0);
        assert!(plan.contains("unchanged · "), "{plan}");
        assert!(plan.contains("Nothing to do in what is not left out."), "{plan}");
    }
    let replace = ["plan", "--target", "tenant.u", "--replace", "tenant.t.vm.a"];
    let plan = project.run(&replace, 0);
    assert!(plan.contains("--replace tenant.t.vm.a: it is left out"), "{plan}");
    let plan = project.run(&["plan", "--replace", "site.s.host.h"], 0);
    assert!(plan.contains("it cannot be made anew itself; name what is in it"), "{plan}");
}

#[test]
fn what_is_ignored_takes_up_what_it_takes_up() {
    let text = format!("tenant t {{\n{}}}\n", guest("a", ", memory = 3GiB, ignore = [memory]"));
    let project = project(&text);
    project.run(&["sim", "drift", "tenant.t.vm.a", "memory=7GiB"], 0);
    let plan = project.json(&["plan", "--json"], 0);
    let lines = plan["usage"].as_array().expect("a table").iter();
    let memory = lines.filter(|line| line["resource"] == "memory");
    let amounts = memory.map(|line| (line["before"].as_u64(), line["after"].as_u64()));
    let whole = Some(7 << 30);
    assert_eq!(amounts.collect::<Vec<_>>(), [(whole, whole), (whole, whole)], "{plan:#}");
    // Where it is, there is no room for what would fit beside what the text says.
    let more = guest("b", ", memory = 12GiB");
    project.write("more.tcloud", format!("tenant u {{\n{more}}}\n"));
    let ended = project.ended(&["plan"]);
    assert!(ended.err.contains("needs 12 GiB of memory, 9 GiB free"), "{}", ended.err);
}

#[test]
fn what_waits_and_has_no_value_yet_is_shown() {
    let waits = |rest: &str| {
        let vm = format!("vm a {{ vcpus = 1, memory = 1GiB{rest} }}");
        format!("{SITE}tenant t {{\n  {vm}\n}}\n")
    };
    let project = Project::with(waits(""));
    project.run(&["apply", "--yes"], 0);
    project.write("main.tcloud", waits(", max_memory = 4GiB"));
    project.run(&["apply", "--yes"], 0);
    let shown = project.run(&["show", "tenant.t.vm.a"], 0);
    assert!(shown.contains("  max_memory   (at its next start: 4GiB)\n"), "{shown}");
}

#[test]
fn only_hosts_that_there_are_are_broken() {
    let project = project("");
    let ended = project.ended(&["sim", "unreachable", "site.s.host.g"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("did you mean `site.s.host.h`?"), "{}", ended.err);
    // As plans call it.
    project.run(&["sim", "unreachable", "s.h"], 0);
    assert!(project.run(&["plan"], 0).contains("0 of 1 host read"));
}
