//! Machines that are not as they should be: read-only and full disks, directories that everybody may
//! write, no home, an odd umask, root.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bad_input::{ended, fails, guest};
use crate::project::Project;

/// Runs a shell script in a mount namespace of its own, in the project. `$tcloud` is the binary.
fn in_namespace(project: &Project, script: &str) -> (Option<i32>, String) {
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-euc"])
        .arg(format!("exec 2>&1\n{script}"))
        .current_dir(project.path())
        .env("tcloud", env!("CARGO_BIN_EXE_tcloud"))
        .env_remove("TCLOUD_STATE")
        .output()
        .expect("unshare runs: this test needs namespaces");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    assert!(!said.contains("BUG") && !said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode()
}

fn set_mode(path: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("set");
}

#[test]
fn a_place_that_cannot_be_written_to_is_told() {
    let project = guest("");
    project.write(".tcloud", "a file where the directory should be");
    fails(&project, &["apply", "--yes"], 1, ".tcloud");
    let project = guest("");
    fails(&project, &["apply", "--yes", "--state", "sqlite:/proc/nowhere/state.db"], 1, "/proc/");
}

/// Whoever took such a state for none would make everything again beside what runs.
#[test]
fn a_state_that_cannot_be_seen_is_not_taken_for_none() {
    let project = guest("");
    project.run(&["state", "list"], 0);
    let own = project.path().join(".tcloud");
    for (what, leads_to) in
        [("a link that leads nowhere", "gone"), ("symbolic links", ".tcloud"), ("ot a dir", "file")]
    {
        project.write("file", "");
        std::os::unix::fs::symlink(leads_to, &own).expect("a link");
        for command in [&["plan"][..], &["state", "list"], &["output"]] {
            fails(&project, command, 1, what);
            fails(&project, command, 1, "state.db");
        }
        std::fs::remove_file(&own).expect("removed");
    }
    std::fs::create_dir(&own).expect("made");
    std::os::unix::fs::symlink("gone", own.join("state.db")).expect("a link");
    fails(&project, &["plan"], 1, "state.db is a link that leads nowhere");
}

#[test]
fn formatting_follows_no_link_and_keeps_permissions() {
    let project = guest("");
    project.write("main.tcloud", "tenant  a  {}\n");
    project.write("theirs", "theirs");
    let (path, beside) = ("main.tcloud", project.path().join("main.tcloud.tmp"));
    std::os::unix::fs::symlink("theirs", &beside).expect("a link");
    set_mode(&project.path().join(path), 0o640);
    project.run(&["fmt"], 0);
    let read = |name: &str| std::fs::read_to_string(project.path().join(name)).expect("read");
    assert_eq!((read(path), read("theirs")), ("tenant a {}\n".to_owned(), "theirs".to_owned()));
    assert_eq!(mode(&project.path().join(path)) & 0o777, 0o640);
    assert!(beside.is_symlink());
}

#[test]
fn formatting_leaves_nothing_of_its_input_out() {
    let project = guest("");
    for (bytes, code) in [(16 << 20, 0), ((16 << 20) + 1, 1)] {
        let text = format!("//{}\n", "x".repeat(bytes - 3));
        project.write("large", &text);
        let input = File::open(project.path().join("large")).expect("there it is");
        let ended = project.command(&["fmt", "--stdin"]).stdin(input).output().expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{said}");
        assert_eq!(ended.stdout.len(), if code == 0 { bytes } else { 0 });
        assert_eq!(said.contains("it is larger than 16 MiB"), code == 1, "{said}");
    }
}

#[test]
fn a_read_only_disk_is_told_and_reading_goes_on() {
    let read_only = "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\"\n";
    let project = guest("");
    let (code, said) = in_namespace(&project, &format!("{read_only} $tcloud apply --yes"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(!project.path().join(".tcloud").exists());

    project.run(&["apply", "--yes"], 0);
    let before = project.ours();
    project.edit("main.tcloud", "vcpus = 1", "vcpus = 2");
    let (code, said) = in_namespace(&project, &format!("{read_only} $tcloud apply --yes"));
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(project.ours(), before);
    let (code, said) = in_namespace(&project, &format!("{read_only} $tcloud check"));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_full_disk_is_told_and_with_room_the_next_run_goes_on() {
    for kibibytes in [4, 40, 64, 96, 128, 160, 200, 300] {
        let project = guest("");
        let script = format!(
            "mkdir .tcloud && mount -t tmpfs -o mode=755,size={kibibytes}k none .tcloud
            code=0; $tcloud apply --yes || code=$?
            echo \"first: $code\"
            mount -o remount,size=50m .tcloud
            $tcloud apply --yes
            $tcloud plan --exit-code
            echo 'at last:'; $tcloud sim list"
        );
        let (code, said) = in_namespace(&project, &script);
        assert_eq!(code, Some(0), "{kibibytes} KiB: {said}");
        let (first, _) = said.split_once("first: ").expect("it was tried");
        println!("{kibibytes} KiB: {first}");
        if kibibytes < 200 {
            assert!(said.contains("first: 1"), "{kibibytes} KiB: {said}");
        }
        let (_, hosts) = said.split_once("at last:").expect("the second apply went well");
        assert_eq!(hosts.matches("tenant.a.vm.w").count(), 1, "{kibibytes} KiB: {said}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let project = guest("");
    project.run(&["apply", "--yes"], 0);
    for command in [
        &["state", "export"][..],
        &["plan"],
        &["plan", "--json"],
        &["plan", "--report", "markdown"],
        &["check", "--json"],
        &["drift", "--json"],
        &["completions", "bash"],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("it is always there");
        let ended = project.command(command).stdout(full).output().expect("tcloud runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{command:?} {said}");
        assert!(said.contains("the output cannot be written"), "{command:?} {said}");
        let script = format!("$tcloud {} | true", command.join(" "));
        let (code, said) = in_namespace(&project, &script);
        assert_eq!((code, said.trim()), (Some(0), ""), "{command:?} a reader that leaves");
    }
}

#[test]
fn no_output_is_written_over_a_project() {
    let project = guest("");
    project.run(&["apply", "--yes"], 0);
    project.write("allowed_signers", "");
    project.write("notes.txt", "notes");
    std::os::unix::fs::symlink("main.tcloud", project.path().join("link")).expect("linked");
    let text = std::fs::read(project.path().join("main.tcloud")).expect("read");
    let state = project.records();
    let own = [
        "main.tcloud",
        "new.tcloud",
        "./link",
        "tcloud.toml",
        "tcloud.lock",
        "allowed_signers",
        ".tcloud/state.db",
        ".tcloud/new",
        "-",
    ];
    for file in own {
        fails(&project, &["plan", "--out", file], 1, "is not written to");
        for command in ["plan", "drift"] {
            fails(
                &project,
                &[command, "--report", &format!("json={file}")],
                1,
                "is not written to",
            );
        }
    }
    fails(&project, &["plan", "--out", "notes.txt"], 1, "no plan");
    assert_eq!(std::fs::read(project.path().join("main.tcloud")).expect("read"), text);
    assert_eq!(project.records(), state);
    for _ in 0..2 {
        project.run(&["plan", "--out", "p.tcloud-plan", "--report", "json=plan.json"], 0);
    }
}

#[test]
fn what_everybody_may_write_is_not_carried_out() {
    let project = guest("");
    project.write("tenants/b.tcloud", "tenant b {}\n");
    for (path, words) in [
        ("", "everybody may write to ."),
        ("tcloud.toml", "everybody may write to ./tcloud.toml"),
        ("main.tcloud", "everybody may write to main.tcloud"),
        ("tenants", "everybody may write to tenants"),
        ("tenants/b.tcloud", "everybody may write to tenants/b.tcloud"),
    ] {
        let path = project.path().join(path);
        let before = mode(&path);
        for open in [0o777, 0o1777, 0o666 | before] {
            set_mode(&path, open);
            for command in [&["check"][..], &["plan"], &["apply", "--yes"]] {
                fails(&project, command, 1, words);
                fails(&project, command, 1, "o-w");
            }
        }
        set_mode(&path, before);
    }
    assert!(!project.path().join(".tcloud").exists(), "nothing was done");
    project.run(&["check"], 0);
}

#[test]
fn whoever_may_write_who_agrees_and_what_runs_is_not_everybody() {
    let project = guest("");
    project.run(&["apply", "--yes"], 0);
    project.write("allowed_signers", "");
    project.write("tcloud.lock", "");
    for path in ["allowed_signers", "tcloud.lock", ".tcloud"] {
        let path = project.path().join(path);
        let before = mode(&path);
        set_mode(&path, before | 0o002);
        fails(&project, &["plan"], 1, "everybody may write to");
        fails(&project, &["apply", "--yes"], 1, "o-w");
        set_mode(&path, before);
    }
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn no_umask_makes_files_that_everybody_may_write() {
    let project = guest("");
    let output = Command::new("sh")
        .args([
            "-euc",
            "umask 000; $tcloud plan --out p.tcloud-plan; $tcloud apply --yes; $tcloud init new",
        ])
        .env("tcloud", env!("CARGO_BIN_EXE_tcloud"))
        .current_dir(project.path())
        .output()
        .expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = 0;
    let mut below = vec![project.path().to_owned()];
    while let Some(directory) = below.pop() {
        for entry in std::fs::read_dir(directory).expect("listed") {
            let path = entry.expect("an entry").path();
            assert_eq!(mode(&path) & 0o002, 0, "{}", path.display());
            found += 1;
            if path.is_dir() {
                below.push(path);
            }
        }
    }
    assert!(found > 8, "the plan, the state, the hosts and the new project: {found}");
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn root_is_warned_where_something_is_changed() {
    let project = guest("");
    let warning = "this runs as root";
    let run = |command: &str| in_namespace(&project, &format!("$tcloud {command}"));
    let (code, said) = run("plan");
    assert!(code == Some(0) && !said.contains(warning), "{said}");
    let (code, said) = run("apply --yes");
    assert!(code == Some(0) && said.matches(warning).count() == 1, "{said}");
    let (code, said) = run("--quiet destroy --yes");
    assert!(code == Some(0) && !said.contains(warning), "{said}");
}

#[test]
fn without_a_home_and_with_another_language_nothing_is_different() {
    let project = guest("");
    let mut command = project.command(&["plan"]);
    command.env_clear().env("LANG", "C");
    let bare = command.output().expect("tcloud runs");
    assert_eq!(bare.status.code(), Some(0), "{}", String::from_utf8_lossy(&bare.stderr));
    assert_eq!(String::from_utf8_lossy(&bare.stdout), project.run(&["plan"], 0));
}

#[test]
fn an_empty_file_declares_nothing() {
    let project = Project::with("");
    let checked = ended(&project, &["check"]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    project.run(&["plan", "--exit-code"], 0);
    project.run(&["apply", "--yes"], 0);
    assert!(!project.path().join(".tcloud/sim").exists(), "no host was asked");
}

#[test]
fn a_line_of_a_gibibyte_is_not_even_read() {
    let project = Project::with("let x = \"");
    let file = std::fs::OpenOptions::new().write(true).open(project.path().join("main.tcloud"));
    file.and_then(|file| file.set_len(1 << 30)).expect("it is made longer");
    fails(&project, &["check"], 1, "E0309");
    fails(&project, &["apply", "--yes"], 1, "limits.file_size");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_one_version_or_an_error() {
    let project = guest("");
    let path = project.path().join("main.tcloud");
    let text = std::fs::read_to_string(&path).expect("read");
    let other = text.replace("tenant a", "tenant other") + &"// more\n".repeat(20_000);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                std::fs::write(&path, &other).expect("written");
                std::fs::write(&path, &text).expect("written");
            }
        });
        let all: Vec<_> = (0..40).map(|_| ended(&project, &["check"])).collect();
        done.store(true, Ordering::Relaxed);
        for one in all {
            let told =
                one.code == Some(0) || one.code == Some(1) && one.err.contains("main.tcloud");
            assert!(told, "{:?} {}", one.code, one.err);
        }
    });
}
