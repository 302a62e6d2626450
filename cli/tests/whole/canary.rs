//! No secret leaves: every command runs in every format on a project whose secrets have known
//! values, errors are provoked on the way, and whatever was written anywhere is searched for them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::diff::commit;
use crate::project::Project;

/// The secrets. Each has something that programs write in other ways than it is.
const ENV: &str = "Kanari-\"env\"<&>7Qf2";
const FILE: &str = "kanari/datei+ä b'9Zx4";
const EXEC: &str = "kanari=exec;5Lw8Rt";
const AGE: &str = "kanari{age}3Vn6Ub";

const TEXT: &str = r#"
site s {
  host h { provider = "sim", capacity { vcpus = 8, memory = 32GiB } }
  pool p { type = "dir", path = "/srv" }
}

let token = secret("env:CANARY")

tenant a {
  network n { cidr = 10.0.0.0/24 }
  vm w {
    vcpus = 1
    memory = 1GiB
    nic n { network = network.n }
    cloud_init = {
      write_files = [
        { path = "/etc/env", content = "token: ${token}" },
        { path = "/etc/file", content = secret("file:secret.txt") },
        { path = "/etc/exec", content = secret("exec:cat exec.txt") },
        { path = "/etc/age", content = secret("age:secrets.age#db.password") },
      ]
    }
  }
}
"#;

/// Commands of the program with the words that make them say much. Each name of `tcloud --help` is
/// here, so that a new command has to be put to the test as well.
const COMMANDS: &[&str] = &[
    "check",
    "check --json",
    "diff",
    "diff --json",
    "plan",
    "plan -vvv",
    "plan --json",
    "plan --out plan.json",
    "apply --yes -vvv",
    "plan --exit-code",
    "apply plan.json --yes",
    "show tenant.a.vm.w",
    "show tenant.a.vm.w --json",
    "why tenant.a.vm.w",
    "why tenant.a.vm.w --json",
    "state list",
    "state list --json",
    "state show tenant.a.vm.w",
    "state show tenant.a.vm.w --json",
    "state export",
    "history",
    "history --json",
    "output",
    "output --json",
    "graph",
    "graph --format mermaid",
    "drift",
    "drift --json",
    "console",
    "explain vm",
    "explain E0801",
    "completions bash",
    "version",
    "fmt --check",
    "adopt site.s.host.h",
    "provider list",
    "provider schema sim",
    "provider test sim",
    "sim list",
    "sim list --json",
    "agree plan.json D1",
    "ci comment plan.json",
    "init other",
    "state rebuild",
    "state rebuild --yes",
    "destroy --yes -vv",
];

/// Faults of the simulated host, each before an apply that meets it.
const FAULTS: &[&str] = &["permanent", "transient", "unknown", "lie", "halfway"];

#[test]
fn no_secret_leaves_by_any_way() {
    let project = Project::with(TEXT);
    project.write("secret.txt", FILE);
    project.write("exec.txt", EXEC);
    encrypt(&project);
    let settings =
        "[deployment]\nname = \"town\"\n[secrets]\nexec = true\nidentities = [\"key.txt\"]\n";
    project.write("tcloud.toml", settings);
    commit(&project, "one");
    project.edit("main.tcloud", "memory = 1GiB", "memory = 2GiB");
    let forms = forms();
    let watch = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| arguments_of_all(&watch, &forms));
        let stop = Stop(&watch);
        let mut run = BTreeSet::new();
        for line in COMMANDS {
            let words: Vec<&str> = line.split(' ').collect();
            run.extend(words.first().copied());
            let (code, said) = say_nothing(&project, &words, &forms);
            if line.starts_with("apply --yes") {
                assert_eq!(code, Some(0), "the secrets were not read: {said}");
            }
        }
        for fault in FAULTS {
            let fault = ["sim", "break", "site.s.host.h", "--how", fault, "--times", "1"];
            project.run(&fault, 0);
            say_nothing(&project, &["apply", "--yes", "-vvv"], &forms);
            say_nothing(&project, &["destroy", "--yes", "--json"], &forms);
        }
        mistakes(&project, &forms);
        drop(stop);
        assert_eq!(looking.join().expect("it looks"), Vec::<String>::new(), "in arguments");
        let help = project.run(&["--help"], 0);
        // `watch` goes on for ever, and tells what `drift` tells.
        run.insert("watch");
        let all: BTreeSet<&str> = help.lines().filter_map(command_of).collect();
        assert!(all.contains("plan"), "{help}");
        assert_eq!(all.difference(&run).collect::<Vec<_>>(), Vec::<&&str>::new(), "not tested");
    });
    artefacts(project.path(), &forms);
    a_host_that_repeats_them(&project);
}

/// What a host says of an operation passes the filter, in whatever form.
fn a_host_that_repeats_them(project: &Project) {
    for said in [ENV.to_owned(), serde_json::to_string(ENV).expect("a text"), STANDARD.encode(ENV)]
    {
        project.run(&["sim", "mend", "site.s.host.h"], 0);
        let message = format!("cannot write {said} to the seed");
        // What was not read cannot be recognised: the call that is given the secrets tells them.
        let fault = ["sim", "break", "site.s.host.h", "--operation", "create", "--kind", "vm"];
        project.run(&[&fault[..], &["--message", &message]].concat(), 0);
        let applied = project.command(&["apply", "--yes"]).env("CANARY", ENV).output();
        let applied = applied.expect("tcloud runs");
        let err = String::from_utf8(applied.stderr).expect("UTF-8");
        assert!(err.contains("cannot write") && err.contains("(secret)"), "{err}");
        silent(err.as_bytes(), &forms(), "the account");
        let journal = project.run(&["history", "--json"], 0);
        silent(journal.as_bytes(), &forms(), "the journal");
    }
}

/// Ends the watch, also when a test has failed.
struct Stop<'w>(&'w AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The name of the command that a line of the help describes, not of one that shows how to begin.
fn command_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("  ")?;
    let name = rest.split(' ').next()?;
    (rest.starts_with(|c: char| c.is_ascii_lowercase()) && name != "tcloud").then_some(name)
}

fn encrypt(project: &Project) {
    let run = |program: &str, words: &[&str], input: &str| {
        project.write("input", input);
        let input = std::fs::File::open(project.path().join("input")).expect("there it is");
        let mut command = Command::new(program);
        let output = command.args(words).current_dir(project.path()).stdin(input).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_file(project.path().join("input")).expect("removed");
        String::from_utf8(output.stderr).expect("a text")
    };
    let said = run("age-keygen", &["-o", "key.txt"], "");
    let recipient = said.trim().rsplit(' ').next().expect("the public key").to_owned();
    let document = format!("[db]\npassword = '{AGE}'\n");
    run("age", &["--recipient", &recipient, "--output", "secrets.age"], &document);
}

/// Runs a command, however it ends, and searches what it says.
fn say_nothing(project: &Project, words: &[&str], forms: &[String]) -> (Option<i32>, String) {
    let output = project.command(words).env("CANARY", ENV).output().expect("tcloud runs");
    let said = [output.stdout, output.stderr].concat();
    silent(&said, forms, &words.join(" "));
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Texts that try to have a secret in a message, a name, a type error, a plan.
fn mistakes(project: &Project, forms: &[String]) {
    for line in [
        "output shown = token",
        "network \"${token}\" {}",
        "check c { assert token == \"x\", \"it is ${token}\" }",
        "let n = token + 1",
        "tenant b { title = token }",
        "output o: Int = token",
        "if token == \"a\" { tenant c {} }",
    ] {
        project.write("main.tcloud", format!("{TEXT}\n{line}\n"));
        for words in [&["check"][..], &["plan", "--json"], &["apply", "--yes"], &["output"]] {
            say_nothing(project, words, forms);
        }
    }
    project.write("main.tcloud", TEXT);
    let whole = std::fs::read(project.path().join("secrets.age")).expect("read");
    project.write("secrets.age", &whole[..whole.len() / 2]);
    say_nothing(project, &["apply", "--yes"], forms);
    project.write("secrets.age", whole);
}

/// The forms in which secrets are looked for, made by other means than the program's own.
fn forms() -> Vec<String> {
    let mut all = Vec::new();
    for secret in [ENV, FILE, EXEC, AGE] {
        all.push(secret.to_owned());
        all.push(serde_json::to_string(secret).expect("a text").trim_matches('"').to_owned());
        all.push(secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
        all.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
        all.push(STANDARD_NO_PAD.encode(secret));
        // The end of each is a word without anything to escape.
        all.push(secret[secret.len() - 5..].to_owned());
    }
    all
}

fn silent(bytes: &[u8], forms: &[String], place: &str) {
    for form in forms {
        let found = bytes.windows(form.len()).position(|window| window == form.as_bytes());
        let around = found.map(|at| {
            let range = at.saturating_sub(60)..(at + form.len() + 20).min(bytes.len());
            String::from_utf8_lossy(&bytes[range]).into_owned()
        });
        assert_eq!(around, None, "{place} holds {form}");
    }
}

/// Everything that runs left behind, except what is a source of secrets itself.
fn artefacts(directory: &Path, forms: &[String]) {
    for entry in std::fs::read_dir(directory).expect("listed") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // The disks of the simulated hosts hold what the guests were given, as real ones do.
        let is_of_hosts = path.ends_with(".tcloud/sim");
        if path.is_dir() && !is_of_hosts {
            artefacts(&path, forms);
        } else if path.is_file() && !matches!(name, "secret.txt" | "exec.txt") {
            silent(&std::fs::read(&path).expect("read"), forms, &path.display().to_string());
        }
    }
}

/// What arguments of processes held while everything ran.
fn arguments_of_all(watch: &AtomicBool, forms: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    while watch.load(Ordering::Relaxed) {
        for entry in std::fs::read_dir("/proc").expect("listed").flatten() {
            // A process that has just ended has none.
            let Ok(arguments) = std::fs::read(entry.path().join("cmdline")) else { continue };
            let text = String::from_utf8_lossy(&arguments).into_owned();
            if forms.iter().any(|form| text.contains(form.as_str())) {
                found.push(text);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    found
}
