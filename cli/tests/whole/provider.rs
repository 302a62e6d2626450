//! Providers in processes of their own: found, pinned, described once, killed in the middle.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::project::{Project, assert_nothing_is_twice, example};

const TEXT: &str = "site s {\n  host a { provider = \"toy\", uri = \"toy:\" }\n  \
    pool fast { type = \"dir\", path = \"/srv/fast\", capacity = 100GiB }\n}\n\
    tenant t {\n  network n { cidr = 10.20.0.0/24 }\n  \
    vm v {\n    vcpus = 1\n    memory = 1GiB\n    \
    disk root { size = 10GiB }\n    nic n { network = network.n }\n  }\n}\n";

/// A project with the example in Python as its provider.
pub(crate) fn toy() -> Project {
    let project = Project::with(TEXT);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins");
    std::fs::copy(source.join("tcloud-provider-toy"), project.path().join("toy")).expect("copied");
    project
        .write("tcloud.toml", "[deployment]\nname = \"town\"\n[providers.toy]\npath = \"toy\"\n");
    project
}

/// The embedded hypervisor as a plugin, built if it is not.
fn sim() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--offline"])
            .args(["--package", "tcloud-provider-sim", "--bin", "tcloud-provider-sim"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo runs").success());
        let tcloud = Path::new(env!("CARGO_BIN_EXE_tcloud"));
        tcloud.with_file_name("tcloud-provider-sim")
    })
}

/// Lets a project use the embedded hypervisor as a plugin.
fn use_plugin(project: &Project) {
    let toml = std::fs::read_to_string(project.path().join("tcloud.toml")).expect("read");
    let path = sim().display();
    project.write("tcloud.toml", format!("{toml}\n[providers.sim]\npath = \"{path}\"\n"));
}

#[test]
fn a_whole_life_on_the_example_in_python() {
    let project = toy();
    let first = project.ended(&["apply", "--yes"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    assert!(first.err.contains("toy is ") && first.err.contains("sha256:"), "{}", first.err);
    let lock = std::fs::read_to_string(project.path().join("tcloud.lock")).expect("a lock");
    assert!(
        lock.contains("[providers.toy]\nx86_64-linux = \"sha256:") || !cfg!(target_arch = "x86_64")
    );
    let again = project.ended(&["plan", "--exit-code"]);
    assert_eq!(again.code, Some(0), "{}{}", again.out, again.err);
    assert!(!again.err.contains("sha256:"), "it is pinned already: {}", again.err);
    project.edit("main.tcloud", "memory = 1GiB", "memory = 2GiB");
    let plan = project.ended(&["plan", "--exit-code"]);
    assert_eq!(plan.code, Some(2), "{}{}", plan.out, plan.err);
    project.run(&["apply", "--yes"], 0);
    project.run(&["plan", "--exit-code"], 0);
    let destroy = project.consents(&["plan", "--destroy"]);
    let mut arguments = vec!["destroy", "--yes"];
    arguments.extend(destroy.iter().map(String::as_str));
    project.run(&arguments, 0);
    let toy = std::fs::read_to_string(project.path().join(".tcloud/toy-site.s.host.a.json"));
    assert_eq!(toy.expect("the host").trim(), "{}");
}

#[test]
fn what_is_described_once_need_not_be_started_to_check() {
    let project = toy();
    project.run(&["check"], 0);
    let mut check = project.command(&["check"]);
    let ended = check.env("PATH", "/nowhere").output().expect("tcloud runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let kept = std::fs::read_dir(project.path().join(".tcloud/providers")).expect("a directory");
    let kept: Vec<_> = kept.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(kept.len(), 1);
    std::fs::remove_file(&kept[0]).expect("removed");
    let mut check = project.command(&["check"]);
    let ended = check.env("PATH", "/nowhere").output().expect("tcloud runs");
    assert!(!ended.status.success(), "now it has to be started, and there is no Python");
}

#[test]
fn a_program_that_changed_is_refused_until_it_is_pinned_anew() {
    let project = toy();
    project.run(&["check"], 0);
    let pinned = std::fs::read_to_string(project.path().join("tcloud.lock")).expect("a lock");
    let pinned = pinned.split('"').nth(1).expect("a digest").to_owned();
    let program = project.path().join("toy");
    let text = std::fs::read_to_string(&program).expect("read");
    std::fs::write(&program, text + "\n# one more line\n").expect("written");
    for command in [&["check"][..], &["plan"], &["apply", "--yes"], &["provider", "list"]] {
        let refused = project.ended(command);
        assert_eq!(refused.code, Some(1), "{command:?} {}{}", refused.out, refused.err);
        assert!(refused.err.contains("has changed: it is sha256:"), "{}", refused.err);
        assert!(refused.err.contains(&format!("and {pinned} is pinned")), "{}", refused.err);
        assert!(refused.err.contains("tcloud provider lock toy"), "{}", refused.err);
    }
    let locked = project.ended(&["provider", "lock", "toy"]);
    assert_eq!(locked.code, Some(0), "{}", locked.err);
    assert!(locked.err.contains(&format!("It was {pinned}.")), "{}", locked.err);
    project.run(&["check"], 0);
    let again = project.run(&["provider", "lock", "toy"], 0);
    assert!(again.contains("is the pinned one already"), "{again}");
    project.write("tcloud.lock", "[providers.toy]\nx86_64-linux = \"md5:00\"\n");
    assert!(project.ended(&["check"]).err.contains("tcloud.lock is damaged"));
}

#[test]
fn a_missing_provider_matters_only_to_a_host_that_uses_it() {
    let project = toy();
    project.write("tcloud.toml", "[providers.toy]\npath = \"toy\"\n[providers.ghost]\n");
    project.run(&["check"], 0);
    let list = project.run(&["provider", "list"], 0);
    assert!(list.contains("ghost") && list.contains("missing"), "{list}");
    project.edit("main.tcloud", "\"toy\"", "\"ghost\"");
    for command in ["check", "plan", "apply"] {
        let missing = project.ended(&[command]);
        assert_eq!(missing.code, Some(1), "{}{}", missing.out, missing.err);
        assert!(missing.err.contains("E0910"), "{}", missing.err);
        assert!(missing.err.contains("main.tcloud:2:"), "{}", missing.err);
        let words = missing.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("is declared, and cannot be had"), "{words}");
        assert!(words.contains("neither beside tcloud nor on the path"), "{words}");
    }
    project.edit("main.tcloud", "\"ghost\"", "\"tyo\"");
    let unknown = project.ended(&["check"]);
    assert!(unknown.err.contains("did you mean \"toy\"?"), "{}", unknown.err);
}

#[test]
fn providers_are_found_on_the_path_and_called_what_they_call_themselves() {
    let project = toy();
    let bin = project.path().join("bin");
    std::fs::create_dir(&bin).expect("made");
    std::fs::rename(project.path().join("toy"), bin.join("tcloud-provider-toy")).expect("moved");
    let path = std::env::var("PATH").unwrap_or_default();
    let run = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.env("PATH", format!("{}:{path}", bin.display()));
        command.output().expect("tcloud runs")
    };
    project.write("tcloud.toml", "[providers.toy]\n");
    let found = run(&["provider", "list", "--json"]);
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.contains("bin/tcloud-provider-toy"), "{found}");
    std::fs::rename(bin.join("tcloud-provider-toy"), bin.join("tcloud-provider-other"))
        .expect("moved");
    project.write("tcloud.toml", "[providers.other]\n");
    let wrong = String::from_utf8_lossy(&run(&["check"]).stderr).into_owned();
    assert!(wrong.contains("calls itself toy, and is declared as other"), "{wrong}");
}

#[test]
fn anybody_can_have_a_provider_examined() {
    let project = toy();
    let kept = project.run(&["provider", "test", "toy", "--json"], 0);
    let kept: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    let checks = kept["checks"].as_array().expect("checks");
    assert!(checks.len() > 100 && checks.iter().all(|check| check["passed"] == true));
    project.edit("toy", "own[\"stamp\"] = stamp", "pass");
    let broken = project.ended(&["provider", "test", "toy", "--failures"]);
    assert_eq!(broken.code, Some(1), "{}{}", broken.out, broken.err);
    assert!(
        broken.out.contains("broken   a vm can be forgotten, adopted and moved"),
        "{}",
        broken.out
    );
    assert!(!broken.out.contains("kept   "), "{}", broken.out);
    project.write("liar", "#!/bin/sh\necho hello; exit 1\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(project.path().join("liar"), mode).expect("a mode");
    let liar = project.ended(&["provider", "test", "liar"]);
    assert_eq!(liar.code, Some(1));
    assert!(liar.err.contains("talks nonsense: a frame begins with"), "{}", liar.err);
}

#[test]
fn what_needs_somebody_by_hand_is_not_run_and_not_kept_when_there_is_nobody() {
    let project = toy();
    let by_hand = "return host.by_hand(**params[\"action\"])";
    project.edit("toy", by_hand, "raise Refused(\"nobody is here\")");
    let said = project.json(&["provider", "test", "toy", "--json"], 0);
    let checks = said["checks"].as_array().expect("checks");
    let is = |word: &'static str| checks.iter().filter(move |check| check["outcome"] == word);
    assert!(is("kept").count() > 100 && is("broken").count() == 0, "{said:#}");
    assert!(
        is("not-run").all(|check| check["passed"] == false && check["why"] == "nobody is here")
    );
    for name in ["a foreign vm is seen", "objects of another deployment", "what waits takes effect"]
    {
        let found = is("not-run").any(|own| own["check"].as_str().unwrap_or("").starts_with(name));
        assert!(found, "{name}");
    }
    let not_run = is("not-run").count();
    let words = project.run(&["provider", "test", "toy"], 0);
    assert!(words.contains(&format!("and {not_run} not run.")), "{words}");
    assert!(!words.contains("the contract is kept"), "{words}");
}

#[test]
fn a_plan_is_the_same_in_process_and_as_a_plugin() {
    let project = Project::copy_of(&example("thueringen"));
    let both = |project: &Project| {
        let plugin = Project::copy_of(project.path());
        use_plugin(&plugin);
        let own = project.run(&["plan", "--json"], 0);
        let other = plugin.run(&["plan", "--json"], 0);
        assert!(own.len() > 10_000);
        assert!(own == other, "the plans differ");
    };
    both(&project);
    project.run(&["apply", "--yes"], 0);
    project.edit("main.tcloud", "flavor small { vcpus = 1", "flavor small { vcpus = 2");
    both(&project);
}

/// The plugins that a process has started.
fn plugins_of(tcloud: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{tcloud}/task")).into_iter().flatten().flatten();
    let children =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let text: String = children.collect::<Vec<_>>().join(" ");
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[test]
fn a_plugin_that_is_killed_in_the_middle_costs_nothing() {
    let project = Project::copy_of(&example("thueringen"));
    use_plugin(&project);
    project.run(&["plan"], 0);
    project.run(&["sim", "latency", "100ms"], 0);
    let mut apply = project.command(&["apply", "--yes"]);
    apply.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut apply = apply.spawn().expect("tcloud runs");
    let start = Instant::now();
    let mut killed = 0;
    while killed < 3 && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(600));
        for plugin in plugins_of(apply.id()) {
            let kill = Command::new("kill").args(["-9", &plugin.to_string()]).status();
            killed += usize::from(kill.expect("kill runs").success());
        }
        if apply.try_wait().expect("a status").is_some() {
            break;
        }
    }
    let ended = apply.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(killed > 0, "{said}");
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{:?} {said}", ended.status);
    assert!(said.contains("the provider sim was lost: it ended (signal: 9"), "{said}");
    project.run(&["sim", "latency", "none"], 0);
    let again = project.ended(&["apply", "--yes"]);
    assert_eq!(again.code, Some(0), "{}{}", again.out, again.err);
    project.run(&["plan", "--exit-code"], 0);
    let ours = project.ours();
    assert!(ours.len() > 20);
    assert_nothing_is_twice(&ours);
    assert_eq!(ours, project.remembered(), "no orphan, and no record of nothing");
}

/// What the example says of itself when it adds a block that takes XML as it is.
pub(crate) const RAW: &str = r#"{"name": "toy", "version": "1", "extensions": json.loads('''[{"kind": "vm",
"attributes": [], "blocks": [{"name": "toy", "doc": "What only toys have.", "labelled": false,
"adding": "none", "removing": "none", "steering": false, "unless": [], "blocks": [],
"attributes": [{"name": "raw_xml", "doc": "As it is.", "type": "text", "required": false,
"default": null, "least": null, "assigned": false, "computed": false, "steering": false,
"cost": {"always": "power-cycle"}}]}]}]'''), "#;

#[test]
fn raw_xml_is_refused_until_it_is_allowed_and_then_shown_whole() {
    let project = toy();
    project.edit("toy", "{\"name\": \"toy\", \"version\": \"1\", ", RAW);
    let xml = "<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='vfio-pci'/></qemu:commandline>\
        <devices><disk type='block'><source dev='/dev/sda'/></disk></devices>";
    let block = format!("memory = 1GiB\n    toy {{ raw_xml = \"{xml}\" }}");
    project.edit("main.tcloud", "memory = 1GiB", &block);
    for command in [&["check"][..], &["plan"], &["apply", "--yes"]] {
        let refused = project.ended(command);
        assert_eq!(refused.code, Some(1), "{command:?} {}{}", refused.out, refused.err);
        assert!(refused.err.contains("E0911"), "{}", refused.err);
        assert!(refused.err.contains("main.tcloud:10:21"), "{}", refused.err);
    }
    assert!(!project.path().join(".tcloud/state.db").exists(), "nothing was done");
    project.edit("tcloud.toml", "path = \"toy\"\n", "path = \"toy\"\nallow_raw_xml = true\n");
    let said = project.run(&["plan"], 0);
    let words = |text: &str| text.split_whitespace().collect::<String>();
    assert!(words(&said).contains(&words(xml)), "it is not shown whole: {said}");
    let plan: serde_json::Value =
        serde_json::from_str(&project.run(&["plan", "--json"], 0)).expect("JSON");
    let made = plan["changes"].as_array().expect("changes");
    let raw = |change: &serde_json::Value| change["new"]["toy"]["value"]["raw_xml"] == xml;
    assert!(made.iter().any(raw), "it is not shown whole: {plan}");
}
