//! The comment of a plan on the forges' own endpoints: made once, kept up to date, never doubled.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

use crate::project::{Ended, Project, example};

const KINDS: [&str; 3] = ["gitlab", "github", "forgejo"];
const TOKEN: &str = "canary-token-4711";
const MARKER: &str = "[//]: # (tcloud:plan:v1 project=rz)";

/// A forge on this machine, until it is dropped.
struct Forge {
    kind: &'static str,
    process: Child,
    faults: ChildStdin,
    api: String,
    project: Project,
}

impl Forge {
    fn start(kind: &'static str) -> Forge {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/whole/forge.py");
        let mut process = Command::new("/usr/bin/python3")
            .args([script, kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut port = String::new();
        let out = process.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut port).expect("a port");
        let faults = process.stdin.take().expect("a pipe");
        let api = format!("http://127.0.0.1:{}", port.trim());
        Forge { kind, process, faults, api, project: Project::with("") }
    }

    /// The next write is answered so; see `forge.py`.
    fn fail(&mut self, fault: &str) {
        writeln!(self.faults, "{fault}").expect("it listens");
        // The forge reads it in a thread of its own.
        std::thread::sleep(std::time::Duration::from_millis(200));
    }

    /// Writes a comment as a job of this forge would.
    fn comment(&self, text: &str) -> Ended {
        self.comment_with(&format!("{MARKER}\n{text}\n"), &[])
    }

    fn comment_with(&self, text: &str, arguments: &[&str]) -> Ended {
        self.project.write("plan.md", text);
        let mut command =
            self.project.command(&[&["ci", "comment", "plan.md"], arguments].concat());
        for name in ["GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GITLAB_CI"] {
            command.env_remove(name);
        }
        for name in ["GITHUB_TOKEN", "GITLAB_TOKEN", "FORGEJO_TOKEN", "GITEA_TOKEN"] {
            command.env_remove(name);
        }
        command.env("TCLOUD_FORGE_TOKEN", TOKEN);
        match self.kind {
            "gitlab" => command
                .env("GITLAB_CI", "true")
                .env("CI_API_V4_URL", &self.api)
                .env("CI_PROJECT_ID", "rz/infra")
                .env("CI_MERGE_REQUEST_IID", "7"),
            kind => command
                .env("GITHUB_ACTIONS", "true")
                .env(if kind == "forgejo" { "GITEA_ACTIONS" } else { "CI" }, "true")
                .env("GITHUB_API_URL", &self.api)
                .env("GITHUB_REPOSITORY", "rz/infra")
                .env("GITHUB_REF", "refs/pull/7/merge"),
        };
        let output = command.output().expect("tcloud runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let ended = Ended {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
            took: std::time::Duration::ZERO,
        };
        for said in [&ended.out, &ended.err] {
            assert!(!said.contains(TOKEN) && !said.contains('\u{1b}'), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
        ended
    }

    fn says(&self, text: &str, expected: &str) {
        let ended = self.comment(text);
        assert_eq!(ended.code, Some(0), "{}: {}", self.kind, ended.err);
        assert!(ended.out.contains(expected), "{}: {}", self.kind, ended.out);
    }

    fn get(&self, path: &str, body: Option<&Value>) -> Value {
        let agent = ureq::agent();
        let url = format!("{}{path}", self.api);
        let mut answer = match body {
            Some(body) => agent.post(url).send(body.to_string()).expect("it answers"),
            None => agent.get(url).call().expect("it answers"),
        };
        serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON")
    }

    fn put(&self, author: &str, body: &str) {
        self.get("/put", Some(&json!({ "author": author, "body": body })));
    }

    /// The texts of all comments.
    fn comments(&self) -> Vec<String> {
        let all = self.get("/look", None);
        let comments = all["comments"].as_array().expect("a list").iter();
        comments.map(|own| own["body"].as_str().expect("a text").replace('\r', "")).collect()
    }

    /// How many requests of one method it was asked.
    fn asked(&self, method: &str) -> usize {
        let all = self.get("/look", None);
        let asked = all["asked"].as_array().expect("a list").iter();
        asked.filter(|own| own.as_str().is_some_and(|own| own.starts_with(method))).count()
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        // It does not end by itself; whether it had ended matters to nobody.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_comment_is_made_once_and_kept_up_to_date() {
    for kind in KINDS {
        let forge = Forge::start(kind);
        // More than a page, with one of somebody else that looks like ours.
        (0..120).for_each(|number| forge.put("erika", &format!("remark {number}")));
        forge.put("mallory", &format!("{MARKER}\nnothing to see"));
        forge.says("one", "was written");
        (0..60).for_each(|number| forge.put("erika", &format!("answer {number}")));
        forge.says("two", "was brought up to date");
        forge.says("two", "says this already");
        let comments = forge.comments();
        assert_eq!(comments.len(), 182, "{kind}");
        assert_eq!(comments[121], format!("{MARKER}\ntwo\n"), "{kind}");
        assert_eq!(comments[120], format!("{MARKER}\nnothing to see"), "{kind}");
        let changes = forge.asked("PUT") + forge.asked("PATCH");
        assert_eq!((forge.asked("POST"), changes), (1, 1), "{kind}");
    }
}

#[test]
fn each_project_has_a_comment_of_its_own() {
    let forge = Forge::start("gitlab");
    forge.says("one", "was written");
    let other = MARKER.replace("=rz", "=other");
    assert_eq!(forge.comment_with(&format!("{other}\ntwo\n"), &[]).code, Some(0));
    assert_eq!(forge.comments(), [format!("{MARKER}\none\n"), format!("{other}\ntwo\n")]);
}

#[test]
fn what_fails_for_a_moment_is_tried_again_and_never_written_twice() {
    for kind in KINDS {
        for fault in ["429 0", "503 0", "500 1", "500 0 lost", "502 0 lost"] {
            let mut forge = Forge::start(kind);
            forge.fail(fault);
            let ended = forge.comment("one");
            assert_eq!(ended.code, Some(0), "{kind} {fault}: {}", ended.err);
            assert_eq!(forge.comments(), [format!("{MARKER}\none\n")], "{kind} {fault}");
        }
    }
}

#[test]
fn what_will_not_pass_is_said_at_once() {
    let mut forge = Forge::start("github");
    for (fault, words) in [
        ("429 3600", "GitHub says 429"),
        ("403", "GitHub says 403"),
        ("302", "GitHub says 302"),
        ("422", "GitHub says 422 to POST /repos/rz/infra/issues/7/comments: not now"),
    ] {
        forge.fail(fault);
        let ended = forge.comment("one");
        assert_eq!(ended.code, Some(1), "{fault}");
        assert!(ended.err.contains(words), "{fault}: {}", ended.err);
    }
    assert_eq!(forge.comments(), Vec::<String>::new());
    let ended = forge.comment_with("no marker", &[]);
    assert!(ended.err.contains("does not begin with the marker"), "{}", ended.err);
    let ended = forge.comment(&"x".repeat(70_000));
    assert!(ended.err.contains("GitHub takes at most 65536"), "{}", ended.err);
    let ended = forge.comment_with(MARKER, &["--api", "http://127.0.0.1:1"]);
    assert!(ended.err.contains("GitHub cannot be asked"), "{}", ended.err);
    let ended = forge.comment_with(MARKER, &["--api", "http://forge.example"]);
    assert!(ended.err.contains("is not encrypted"), "{}", ended.err);
}

/// The script of the recipes, in a checkout whose files are changed.
#[test]
fn the_script_of_the_recipes_plans_and_comments_whatever_comes_of_it() {
    let forge = Forge::start("gitlab");
    let project = Project::copy_of(&example("quickstart"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/ci/plan.sh");
    let programs =
        std::path::Path::new(env!("CARGO_BIN_EXE_tcloud")).parent().expect("a directory");
    let plan = |arguments: &[&str]| {
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
        let output = Command::new("sh")
            .arg(script)
            .args(arguments)
            .current_dir(project.path())
            .env("PATH", path)
            .envs([("GITLAB_CI", "true"), ("CI_API_V4_URL", &*forge.api)])
            .envs([("CI_PROJECT_ID", "rz/infra"), ("CI_MERGE_REQUEST_IID", "7")])
            .env("TCLOUD_FORGE_TOKEN", TOKEN)
            .env_remove("TCLOUD_STATE")
            .output()
            .expect("sh runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(plan(&[]), (Some(0), String::new()));
    let first = forge.comments();
    assert!(first[0].contains("Plan for quickstart") && first[0].contains("files"), "{first:?}");
    for file in ["plan.json", "plan-junit.xml", "plan.sarif", "plan-quality.json"] {
        assert!(project.path().join(file).is_file(), "{file}");
    }

    // What somebody has to decide is said, and is no failure of the plan.
    project.run(&["apply", "--yes"], 0);
    project.edit("main.tcloud", "  volume archive { size = 100GiB }\n", "");
    project.edit("main.tcloud", "    disk archive { volume = volume.archive }\n", "");
    assert_eq!(plan(&[]).0, Some(0));
    assert!(forge.comments()[0].contains("Decisions needed"), "{:?}", forge.comments());

    // A plan that fails leaves no older one standing.
    project.edit("main.tcloud", "vcpus = 2", "vcpus = two");
    let (code, said) = plan(&[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("main.tcloud"), "{said}");
    let comments = forge.comments();
    assert!(comments[0].contains("There is no plan for quickstart: it failed"), "{comments:?}");
    assert_eq!(comments.len(), 1);
}
