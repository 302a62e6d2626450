//! Input that is wrong, hostile or damaged: it is refused with a code and a place, in bounded time
//! and memory, without a panic, and nothing of it reaches the terminal unescaped.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::project::{Ended, Project};
use crate::provider::{RAW, toy};

/// How long the refusal of anything may take, in a build without optimisation on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// A project with one guest; `$` stands for its keys.
const GUEST: &str = "\
site s {
  host h { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
  pool p { type = \"dir\", path = \"/srv\" }
}

tenant a {
  network n { cidr = 10.0.0.0/24 }
  vm w {
    vcpus = 1
    memory = 1GiB
    ssh_keys = [$]
    nic n { network = network.n }
  }
}
";

pub(crate) fn guest(keys: &str) -> Project {
    Project::with(GUEST.replace('$', keys))
}

/// Whether a terminal would obey, hide or turn around this character.
fn is_unsafe(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Runs a command to its end, whatever that is; its output is safe and it took no age.
pub(crate) fn ended(project: &Project, arguments: &[&str]) -> Ended {
    let ended = project.ended(arguments);
    for text in [&ended.out, &ended.err] {
        let raw = text.chars().find(|c| is_unsafe(*c));
        assert_eq!(raw, None, "{arguments:?} prints it raw: {text:?}");
    }
    assert!(ended.took < BOUND, "{arguments:?} took {:?}", ended.took);
    ended
}

/// Runs a command that fails with these words.
pub(crate) fn fails(project: &Project, arguments: &[&str], code: i32, words: &str) {
    let Ended { code: own, out, err, took: _ } = ended(project, arguments);
    assert_eq!(own, Some(code), "{arguments:?}\n{out}\n{err}");
    assert!(err.contains(words), "{arguments:?} does not say `{words}`:\n{err}");
}

/// The text is refused by every command that reads it, with this code at this place.
fn refused(project: &Project, code: &str, place: &str) {
    let Ended { code: own, out, err, took: _ } = ended(project, &["check"]);
    assert_eq!(own, Some(1), "{out}\n{err}");
    assert!(err.lines().any(|line| line == code), "no {code} in:\n{err}");
    assert!(err.contains(&format!("[{place}]")), "not at {place}:\n{err}");
    fails(project, &["apply", "--yes"], 1, code);
    assert!(!project.path().join(".tcloud/state.db").exists(), "nothing was done");
}

/// These texts are refused with these codes, all at these places in `main.tcloud`.
fn all_refused<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = (T, &'static str, &'static str)>) {
    for (text, code, place) in texts {
        let start =
            String::from_utf8_lossy(&text.as_ref()[..text.as_ref().len().min(60)]).into_owned();
        println!("{start:?}");
        refused(&Project::with(text), code, &format!("main.tcloud:{place}"));
    }
}

/// Bytes that look random and are the same in every run.
fn random(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    bytes.flatten().take(length).collect()
}

fn make_pipe(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(status.success(), "{}", path.display());
}

#[test]
fn files_outside_of_the_project_and_things_that_are_no_files_are_not_read() {
    for path in ["../../etc/passwd", "/etc/passwd", "a/../../x", "pipe", "link", "zero", "d", "no"]
    {
        let project = guest(&format!("file(\"{path}\")"));
        make_pipe(&project.path().join("pipe"));
        std::fs::create_dir(project.path().join("d")).expect("made");
        symlink("/etc/passwd", project.path().join("link")).expect("linked");
        symlink("/dev/zero", project.path().join("zero")).expect("linked");
        refused(&project, "E0307", "main.tcloud:11:22");
    }
    let project = guest("file(\"key\")");
    project.write("key", random(1000));
    refused(&project, "E0307", "main.tcloud:11:22");
}

#[test]
fn a_source_that_is_no_regular_file_is_an_error_and_not_left_out() {
    let refused_as = |project: &Project, words| {
        refused(project, "E0309", "more.tcloud:1:1");
        fails(project, &["check"], 1, words);
    };
    let pipe = guest("");
    make_pipe(&pipe.path().join("more.tcloud"));
    refused_as(&pipe, "it is a directory, a pipe or a device, and no file");
    for target in ["/etc/passwd", "/dev/zero", "nowhere", "more.tcloud", "main.tcloud"] {
        let project = guest("");
        symlink(target, project.path().join("more.tcloud")).expect("linked");
        refused_as(&project, "it is a symbolic link; only regular files are read");
    }
    let directory = guest("");
    std::fs::create_dir(directory.path().join("more.tcloud")).expect("made");
    refused_as(&directory, "it is a directory, a pipe or a device, and no file");
    let name = Project::with("");
    name.write("a\u{1b}[2K\u{202e}.tcloud", "tenant");
    assert_eq!(ended(&name, &["check"]).code, Some(1));
}

#[test]
fn what_is_no_text_is_refused() {
    let text = GUEST.replace('$', "");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    all_refused([
        (random(10 << 20), "E0008", "1:1"),
        ([&b"\xff\xfe"[..], &utf16].concat(), "E0008", "1:1"),
        (utf16, "E0007", "1:2"),
        ([b"\xef\xbb\xbf", text.as_bytes()].concat(), "E0007", "1:1"),
        (text.replace('\n', "\r").into_bytes(), "E0007", "1:9"),
        (b"tenant a\0 {}\n".to_vec(), "E0007", "1:9"),
    ]);
}

#[test]
fn line_ends_of_windows_are_fine() {
    let project = Project::with(GUEST.replace('$', "").replace('\n', "\r\n"));
    assert_eq!(ended(&project, &["check"]).code, Some(0));
    project.edit("main.tcloud", "memory = 1GiB", "memroy = 1GiB");
    let said = ended(&project, &["check"]).err;
    assert!(said.contains("memroy = 1GiB\n"), "lines end as ever: {said}");
}

#[test]
fn enormous_and_deeply_nested_texts_are_refused_quickly() {
    let repeat = |open: &str, times, close: &str| {
        format!("let x = {}1{}\n", open.repeat(times), close.repeat(times))
    };
    all_refused([
        (format!("let x = \"{}\"\n", "a".repeat(100 << 20)), "E0309", "1:1"),
        (format!("let x = \"{}\n", "a".repeat(4 << 20)), "E0004", "1:9"),
        (format!("let x = \"\"\"\n{}", "a\n".repeat(1 << 20)), "E0004", "1:9"),
        (repeat("[", 256, "]"), "E0006", "1:109"),
        (repeat("(", 100_000, ")"), "E0006", "1:109"),
        (repeat("[", 100_000, ""), "E0006", "1:109"),
        (repeat("-", 50_000, ""), "E0006", "1:9"),
        (repeat("1 + ", 50_000, ""), "E0006", "1:9"),
        (repeat("\"${", 50_000, "}\""), "E0006", "1:57"),
        ("tenant a { ".repeat(300), "E0006", "1:1110"),
    ]);
}

#[test]
fn letters_that_deceive_are_refused() {
    all_refused([
        ("tenant a\u{1b}[2K {}\n", "E0007", "1:9"),
        ("let x = \"\u{1b}]52;c;aGk=\u{7}\"\n", "E0007", "1:10"),
        ("let x = \"\u{9b}31m\"\n", "E0007", "1:10"),
        ("let x = \"\u{202e}x\"\n", "E0007", "1:10"),
        ("// \u{2066} x\ntenant a {}\n", "E0007", "1:4"),
        ("tenant a\u{200b}b {}\n", "E0007", "1:9"),
        ("tenant \u{430} {}\n", "E0007", "1:8"),
    ]);
}

/// A guest with these attributes, the first of them `vcpus`.
fn sized(vcpus: &str) -> String {
    format!("tenant a {{\n  vm w {{ vcpus = {vcpus} }}\n}}\n")
}

fn network(attributes: &str) -> String {
    format!(
        "tenant a {{\n  network n {{ cidr = {attributes} }}\n  network m {{ cidr = 10.9.0.0/24 }}\n}}\n"
    )
}

#[test]
fn numbers_that_cannot_be_meant_are_refused() {
    all_refused([
        (sized("-1, memory = 1GiB"), "E0204", "2:18"),
        (sized("0, memory = 1GiB"), "E0204", "2:18"),
        (sized("18446744073709551616, memory = 1GiB"), "E0021", "2:18"),
        (sized("9223372036854775807 + 1, memory = 1GiB"), "E0211", "2:18"),
        (sized("1 / 0, memory = 1GiB"), "E0210", "2:18"),
        (sized("1e400, memory = 1GiB"), "E0021", "2:18"),
        (sized("08, memory = 1GiB"), "E0021", "2:18"),
        (sized("1, memory = 1_000_000_000TiB"), "E0021", "2:30"),
        (sized("1, memory = 1_000_000_000 TiB"), "E0020", "2:44"),
        (sized("1, memory = 0MiB"), "E0204", "2:30"),
        (sized("1, memory = 1B"), "E0204", "2:30"),
        (sized("1, memory = 1023KiB"), "E0204", "2:30"),
        (sized("1, memory = 0"), "E0202", "2:30"),
        (sized("1, memory = 1GiB, disk root { size = 0GiB }"), "E0204", "2:55"),
        (sized("1, memory = 1GiB, max_memory = 0B"), "E0204", "2:49"),
        (sized("1, vcpus = 2, memory = 1GiB"), "E0105", "2:21"),
        (network("10.0.0.0/33"), "E0022", "2:31"),
        (network("10.0.0.256/24"), "E0022", "2:29"),
        (network("10.0.0.1/24"), "E0023", "2:22"),
        (network("fe80::1%eth0/64"), "E0022", "2:29"),
        (network("10.9.0.0/16"), "E0312", "3:22"),
        (network("10.0.0.0/24, vlan = 4095"), "E0204", "2:42"),
        (network("10.0.0.0/24, allow x { from = \"any\", ports = [0/tcp] }"), "E0024", "2:68"),
        (network("10.0.0.0/24, allow x { from = \"any\", ports = [65536/tcp] }"), "E0024", "2:68"),
    ]);
    let card = GUEST.replace("nic n { ", "nic n { mac = \"01:00:00:00:00:01\", ").replace('$', "");
    all_refused([(card, "E0204", "12:19")]);
}

#[test]
fn words_of_the_language_are_no_names() {
    all_refused([
        ("tenant let {}\n", "E0012", "1:8"),
        ("tenant a { vm check { vcpus = 1, memory = 1GiB } }\n", "E0012", "1:15"),
        ("let if = 1\noutput o: Int = if\n", "E0012", "1:5"),
        ("param for: Int = 1\n", "E0012", "1:7"),
        ("component use {}\n", "E0012", "1:11"),
    ]);
}

#[test]
fn small_texts_that_explode_are_stopped() {
    let doubling = (1..60).map(|n| format!("let a{n} = \"${{a{0}}}${{a{0}}}\"\n", n - 1));
    let doubling = format!(
        "let a0 = \"xxxxxxxxxxxxxxxx\"\n{}output o: String = a59\n",
        doubling.collect::<String>()
    );
    let many = "tenant a {\n  network n for i in 1..=10_000_000 { cidr = 10.0.0.0/24 }\n}\n";
    let endless = "let x = [for i in 0..=9223372036854775807 : i]\noutput o: Int = x[0]\n";
    let nested = "let x = [for a in 1..=100_000 : [for b in 1..=100_000 : a * b]]\noutput o: Int = x[0][0]\n";
    let itself = "component c {\n  c d {}\n}\n\ntenant t {\n  c x {}\n}\n";
    all_refused([
        (doubling.as_str(), "E0406", "22:11"),
        (many, "E0406", "2:22"),
        (endless, "E0406", "1:19"),
        (nested, "E0406", "1:61"),
        (itself, "E0404", "1:11"),
    ]);
}

#[test]
fn a_file_that_comes_and_goes_is_read_or_reported() {
    let project = guest("file(\"keys/it.pub\")");
    let path = project.path().join("keys/it.pub");
    project.write("keys/it.pub", "ssh-ed25519 AAAA it@town");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::rename(&path, path.with_extension("away"));
                let _ = std::fs::rename(path.with_extension("away"), &path);
            }
        });
        let codes: Vec<_> = (0..40)
            .map(|_| {
                let ended = ended(&project, &["check"]);
                let expected = ended.code == Some(0) || ended.err.contains("E0307");
                (expected, ended.err)
            })
            .collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for (expected, err) in codes {
            assert!(expected, "{err}");
        }
    });
}

/// An applied project, whose state is then replaced.
fn with_state(content: &[u8]) -> Project {
    let project = guest("");
    project.run(&["apply", "--yes"], 0);
    project.lose_the_state();
    project.write(".tcloud/state.db", content);
    project
}

#[test]
fn an_empty_state_is_a_lost_one() {
    let project = with_state(b"");
    project.run(&["plan", "--exit-code"], 0);
    project.run(&["state", "rebuild", "--yes"], 0);
    project.run(&["apply", "--yes"], 0);
    assert_eq!(project.ours(), project.remembered());
}

#[test]
fn a_damaged_state_is_never_written_to() {
    let whole = guest("");
    whole.run(&["apply", "--yes"], 0);
    let content = std::fs::read(whole.path().join(".tcloud/state.db")).expect("a state");
    for content in [random(100_000), content[..content.len() / 3].to_vec(), b"\x1b[2K".to_vec()] {
        let project = with_state(&content);
        for command in [&["plan"][..], &["apply", "--yes"], &["state", "list"]] {
            fails(&project, command, 1, "damaged");
        }
        let now = std::fs::read(project.path().join(".tcloud/state.db")).expect("still there");
        assert!(now == content, "it was written to");
    }
}

#[test]
fn a_damaged_simulated_host_is_one_that_does_not_answer() {
    let project = guest("");
    project.run(&["apply", "--yes"], 0);
    project.write(".tcloud/sim/site.s.host.h.db", random(100_000));
    for name in ["site.s.host.h.db-wal", "site.s.host.h.db-shm"] {
        let _ = std::fs::remove_file(project.path().join(".tcloud/sim").join(name));
    }
    fails(&project, &["plan", "--exit-code"], 1, "site.s.host.h");
    fails(&project, &["apply", "--yes"], 1, "site.s.host.h");
}

#[test]
fn a_plan_file_that_is_not_quite_the_one_that_was_made_is_refused() {
    let project = guest("");
    project.run(&["plan", "--out", "p.tcloud-plan"], 0);
    let text = std::fs::read_to_string(project.path().join("p.tcloud-plan")).expect("a plan");
    let mut other = tcloud_planner::planfile::read(&text).expect("a plan");
    other.tool = "0.0.0-other".to_owned();
    let other_tool = tcloud_planner::planfile::write(&other);
    let cases = [
        (text.replace("tenant.a.vm.w", "tenant.a.vm.x"), "changed after it was made"),
        (text.replacen("\"unchanged\":0", "\"unchanged\":0,\"more\":1", 1), "not a plan"),
        (format!("{text}\n"), "changed after it was made"),
        (text.replacen("tcloud-plan/2", "tcloud-plan/3\\u001b[2K", 1), "tcloud-plan/3\\u{1b}[2K"),
        (other_tool, "made by tcloud 0.0.0-other"),
        (text[..text.len() / 2].to_owned(), "not a plan"),
        (String::new(), "not a plan"),
        ("{}".to_owned(), "not a plan"),
        ("[".repeat(1 << 20), "not a plan"),
    ];
    for (content, words) in cases {
        assert_ne!(content, text, "{words}");
        project.write("q.tcloud-plan", content);
        fails(&project, &["apply", "--yes", "q.tcloud-plan"], 1, words);
    }
    project.write("q.tcloud-plan", random(1000));
    fails(&project, &["apply", "--yes", "q.tcloud-plan"], 1, "q.tcloud-plan");
    assert_eq!(project.ours(), []);

    let elsewhere = guest("");
    elsewhere.write("tcloud.toml", "[deployment]\nname = \"village\"\n");
    elsewhere.write("p.tcloud-plan", &text);
    fails(&elsewhere, &["apply", "--yes", "p.tcloud-plan"], 1, "for the deployment `town`");
    project.run(&["apply", "--yes", "p.tcloud-plan"], 0);
}

#[test]
fn what_another_deployment_remembers_is_not_taken_for_ours() {
    let project = guest("");
    project.run(&["apply", "--yes"], 0);
    let before = project.ours();
    project.write("tcloud.toml", "[deployment]\nname = \"village\"\n");
    let words = "is another deployment's than `village`";
    for arguments in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"], &["drift"]] {
        fails(&project, arguments, 1, words);
    }
    project.write("tcloud.toml", "[deployment]\nname = \"town\"\n");
    assert_eq!(project.ours(), before);
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn what_hosts_and_people_call_things_reaches_no_terminal() {
    let project = guest("\"\\u{1b}]52;c;aGk=\\u{7}\\u{202e}\"");
    project.run(&["apply", "--yes"], 0);
    let host = "site.s.host.h";
    let evil = "x\u{1b}[2K\r\u{202e}\u{9b}y";
    project.run(&["sim", "make", host, "vm", evil], 0);
    project.run(&["sim", "make", host, "network", evil, "cidr=10.3.0.0/24"], 0);
    project.run(&["sim", "drift", "tenant.a.vm.w", "hostname=\"a\\u{1b}[2K\\u{202e}\""], 0);
    project.run(&["sim", "break", host, "--operation", "update", "--message", evil], 0);
    project.edit("main.tcloud", "vcpus = 1", "vcpus = 2");
    let commands: &[&[&str]] = &[
        &["check"],
        &["plan"],
        &["plan", "--json"],
        &["apply", "--yes"],
        &["apply", "--yes", "--json"],
        &["-v", "-v", "apply", "--yes"],
        &["drift"],
        &["drift", "--json"],
        &["show", "vm.w"],
        &["state", "list"],
        &["state", "show", "vm.w"],
        &["history"],
        &["graph"],
        &["graph", "--format", "mermaid"],
        &["adopt", host, "--list"],
        &["adopt", host, "--stdout"],
        &["adopt", host, evil],
        &["adopt", host],
        &["adopt", evil],
        &["fmt", "--check", evil],
        &["fmt", evil],
        &["fmt"],
        &["provider", "list"],
        &["provider", "schema", evil],
        &["provider", "test", evil],
        &["provider", "lock", evil],
        &["console", "--var", evil],
        &["sim", "list"],
        &["sim", "list", "--json"],
        &["sim", "dump"],
        &["state", "export"],
        &["sim", "calls", host],
        &["plan", "--var", evil],
        &["plan", "--target", evil],
        &["plan", "--allow", evil],
        &["plan", evil],
        &["plan", "--state", evil],
        &["show", evil],
        &["explain", evil],
        &["sim", "stop", evil, "--host", evil],
        &[evil],
    ];
    for command in commands {
        ended(&project, command);
    }
    project.run(&["sim", "unreachable", host, "--why", evil], 0);
    fails(&project, &["plan", "--exit-code"], 1, host);
}

#[test]
fn what_providers_say_reaches_no_terminal() {
    let project = toy();
    let evil = "\\x1b[2K\\r\\x9b\\u202e\\x1b]52;c;aGk=\\x07";
    let described = RAW
        .replace("\"version\": \"1\"", &format!("\"version\": \"1{evil}\""))
        .replace("As it is.", "\\\\u001b[2K\\\\u202e");
    project.edit("toy", "{\"name\": \"toy\", \"version\": \"1\", ", &described);
    let says = format!(
        "    print(\"{evil}\", file=sys.stderr, flush=True)\n    if method == \"apply\":\n        \
         raise Refused(\"{evil}\")\n    if method == \"configure\":"
    );
    project.edit("toy", "    if method == \"configure\":", &says);
    let commands: &[&[&str]] = &[
        &["provider", "list"],
        &["provider", "list", "--json"],
        &["provider", "schema", "toy"],
        &["provider", "schema", "toy", "--json"],
        &["explain", "vm"],
        &["provider", "test", "toy"],
        &["provider", "test", "toy", "--json"],
        &["-v", "-v", "plan"],
        &["-v", "-v", "apply", "--yes"],
        &["apply", "--yes", "--json"],
    ];
    for command in commands {
        let Ended { out, err, .. } = ended(&project, command);
        assert!((out + &err).contains("[2K"), "{command:?} shows it escaped");
    }
}

#[test]
fn what_a_console_is_told_reaches_no_terminal() {
    let project = guest("");
    let mut console = project.command(&["console"]);
    let mut console = console.stdin(std::process::Stdio::piped()).spawn().expect("tcloud runs");
    let mut lines = console.stdin.take().expect("a pipe");
    lines
        .write_all("\"a\\u{1b}[2K\\u{202e}\"\n\u{1b}]52;c;aGk=\u{7}\n\"\u{9b}\"\n".as_bytes())
        .expect("written");
    drop(lines);
    let ended = console.wait_with_output().expect("it ends");
    let said = String::from_utf8(ended.stdout).expect("UTF-8")
        + &String::from_utf8(ended.stderr).expect("UTF-8");
    assert!(said.contains("[2K") && !said.chars().any(is_unsafe), "{said:?}");
}
