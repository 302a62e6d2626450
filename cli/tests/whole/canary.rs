//! No secret leaves: every command runs in every format on a project whose secrets have known
//! values, errors are provoked on the way, and whatever was written anywhere is searched for them.

use std::path::Path;
use std::process::{Command, Stdio};
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

/// Commands of the program with the words that make them say much. Each is run again with each of
/// its switches, and in each form that it can be asked for: what those are, and that no command is
/// missing here, is read from the program's help.
const COMMANDS: &[&str] = &[
    "init other",
    "check",
    "diff",
    "plan",
    "plan -vvv",
    "plan --out plan.json",
    "apply --yes -vvv",
    "apply plan.json --yes",
    "show tenant.a.vm.w",
    "show plan.json",
    "why tenant.a.vm.w",
    "state list",
    "state show tenant.a.vm.w",
    "state verify",
    "state export",
    "history",
    "output",
    "graph",
    "console",
    "explain vm",
    "explain E0801",
    "completions bash",
    "version",
    "fmt --check",
    "provider list",
    "provider schema sim",
    "provider lock sim",
    "provider test sim",
    "agree plan.json D1",
    "ci comment plan.json",
    "sim list",
    "sim calls site.s.host.h",
    "sim dump",
    "sim make site.s.host.h network theirs cidr=10.9.0.0/24",
    "adopt site.s.host.h --out other/adopted.tcloud",
    "sim fill site.s.host.h 1GiB",
    "sim drift tenant.a.vm.w memory=6GiB",
    "sim stop tenant.a.vm.w",
    "drift",
    "watch",
    "why tenant.a.vm.w --json",
    "sim start tenant.a.vm.w",
    "sim power-cycle tenant.a.vm.w",
    "sim seed 7",
    "sim latency none",
    "sim break site.s.host.h --times 1",
    "plan",
    "sim mend site.s.host.h",
    "sim unreachable site.s.host.h",
    "sim delete theirs",
    "state forget tenant.a.vm.w --yes",
    "state rebuild --yes",
    "destroy --yes -vv",
    "sim reset --yes",
];

/// Options that say in which form something is told, and their values where the help lists none.
const FORMS: &[(&str, &[&str])] = &[
    ("--report", &[]),
    ("--format", &[]),
    ("--lang", &["de --report markdown"]),
    ("--since", &["seen.json"]),
    ("--out", &["other/written.tcloud"]),
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
        let mut all = leaves(&project, &[]);
        assert!(all.len() > 40, "{all:?}");
        for line in COMMANDS {
            let words: Vec<&str> = line.split(' ').collect();
            let (code, said) = say_nothing(&project, &words, &forms);
            if line.starts_with("apply --yes") {
                assert_eq!(code, Some(0), "the secrets were not read: {said}");
            }
            if *line == "drift" {
                let (_, seen) = say_nothing(&project, &["drift", "--json"], &forms);
                project.write("seen.json", seen);
            }
            let of_line = |name: &String| line.strip_prefix(name.as_str()).is_some_and(is_end);
            let Some(at) = all.iter().position(of_line) else { continue };
            for more in ways(&project, &all.swap_remove(at)) {
                let more: Vec<&str> = more.split(' ').collect();
                say_nothing(&project, &[&words, &more[..]].concat(), &forms);
            }
        }
        assert_eq!(all, Vec::<String>::new(), "not tested");
        for fault in FAULTS {
            let fault = ["sim", "break", "site.s.host.h", "--how", fault, "--times", "1"];
            project.run(&fault, 0);
            say_nothing(&project, &["apply", "--yes", "-vvv"], &forms);
            say_nothing(&project, &["destroy", "--yes", "--json"], &forms);
        }
        mistakes(&project, &forms);
        drop(stop);
        assert_eq!(looking.join().expect("it looks"), Vec::<String>::new(), "in arguments");
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

/// Programs can read what an apply tells in JSON, also where a secret is a word or a sign of it.
#[test]
fn json_stays_json_whatever_the_secrets_are() {
    let text = TEXT.split_once("content = secret").expect("files").0;
    let project = Project::with(format!("{text}content = \"\" }} ] }} }} }}\n"));
    for secret in ["\":\"", "address", "elapsed_ms", "true", "null", "0,\"", "}\n"] {
        let run = |command: &str| {
            let mut command = project.command(&[command, "--yes", "--json"]);
            let ended = command.env("CANARY", secret).output().expect("tcloud runs");
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            let (out, err) = (text(ended.stdout), text(ended.stderr));
            assert_eq!(ended.status.code(), Some(0), "{secret:?}: {out}{err}");
            out
        };
        let out = run("apply");
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line);
        let events: Result<Vec<_>, _> = out.lines().map(read).collect();
        let events = events.unwrap_or_else(|error| panic!("{secret:?}: {error} in {out}"));
        let finished = |event: &&serde_json::Value| event["event"] == "step-finished";
        let finished: Vec<_> = events.iter().filter(finished).collect();
        assert!(!finished.is_empty(), "{out}");
        for event in finished {
            assert!(event["elapsed_ms"].is_u64() && event["address"].is_string(), "{event}");
        }
        run("destroy");
    }
}

/// Ends the watch, also when a test has failed.
struct Stop<'w>(&'w AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The commands below one, however deep: `state list`.
fn leaves(project: &Project, above: &[&str]) -> Vec<String> {
    let help = project.run(&[above, &["--help"]].concat(), 0);
    let list = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let Some(list) = list else { return vec![above.join(" ")] };
    // What stands further in goes on with the line above it.
    let lines = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names =
        lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    names.flat_map(|name| leaves(project, &[above, &[name]].concat())).collect()
}

/// Whether a command ends here, and its arguments begin.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(' ')
}

/// The switches of a command, and the forms in which it can be asked for something.
fn ways(project: &Project, name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split(' ').chain(["--help"]).collect();
    let help = project.run(&words, 0);
    let own = help.split("\nOptions:\n").nth(1).unwrap_or_default();
    let own = own.split("\nEverywhere:").next().unwrap_or_default();
    let mut ways = Vec::new();
    for (at, _) in own.match_indices("--") {
        let option = own[at..].split([' ', '\n', ',', '`']).next().unwrap_or_default();
        let begins = own[..at].rsplit('\n').next().unwrap_or_default();
        let is_listed = begins.trim_start().is_empty() || begins.trim_start().starts_with('-');
        let takes_value = own[at + option.len()..].starts_with(" <");
        match FORMS.iter().find(|(form, _)| *form == option) {
            _ if !is_listed || option == "--help" => {}
            Some((_, values)) if !values.is_empty() => {
                ways.extend(values.iter().map(|value| format!("{option} {value}")));
            }
            Some(_) => ways.extend(values(&own[at..]).iter().map(|v| format!("{option} {v}"))),
            None if !takes_value => ways.push(option.to_owned()),
            None => {}
        }
    }
    ways
}

/// The values of an option as its help lists them: below each other, or in a sentence.
fn values(help: &str) -> Vec<String> {
    let value = |line: &str| Some(line.trim().strip_prefix("- ")?.split(':').next()?.to_owned());
    let mut values: Vec<String> = help.lines().filter_map(value).collect();
    if let Some((_, list)) = help.split_once("file:").filter(|_| values.is_empty()) {
        let list = list.split('.').next().unwrap_or_default().replace(" or ", ", ");
        values.extend(list.split(',').map(|value| value.trim().to_owned()));
    }
    assert!(values.len() >= 2, "{help}");
    values
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
    let mut command = project.command(words);
    let output = match words.first() {
        // It goes on for ever.
        Some(&"watch") => {
            let (out, err) = (Stdio::piped(), Stdio::piped());
            let child = command.env("CANARY", ENV).stdout(out).stderr(err).spawn();
            let mut child = child.expect("tcloud runs");
            std::thread::sleep(std::time::Duration::from_secs(2));
            child.kill().expect("it was still looking");
            child.wait_with_output()
        }
        _ => command.env("CANARY", ENV).output(),
    };
    let output = output.expect("tcloud runs");
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
