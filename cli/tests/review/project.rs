//! The project below `tests/review`, applied and then changed, in a checkout of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The directory of the data.
pub(crate) fn review() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/review")
}

/// A checkout with the project in a directory below its root.
pub(crate) struct Scenario {
    checkout: tempfile::TempDir,
    out: tempfile::TempDir,
}

impl Scenario {
    /// The first revision is applied, a guest was changed by hand, the second is checked out.
    pub(crate) fn changed() -> Scenario {
        let directory = || tempfile::tempdir().expect("a directory");
        let scenario = Scenario { checkout: directory(), out: directory() };
        scenario.git(&["init", "--quiet"]);
        std::fs::write(scenario.checkout.path().join(".gitignore"), ".tcloud/\n").expect("written");
        scenario.commit("rz-mitte");
        scenario.run(&["apply", "--yes"]);
        scenario.run(&["sim", "drift", "tenant.stadt-musterhausen.vm.eakte-app[2]", "memory=6GiB"]);
        scenario.commit("rz-mitte.after");
        scenario
    }

    /// A project of one file, applied.
    pub(crate) fn applied(text: &str) -> Scenario {
        let directory = || tempfile::tempdir().expect("a directory");
        let scenario = Scenario { checkout: directory(), out: directory() };
        std::fs::create_dir(scenario.root()).expect("made");
        scenario.write("tcloud.toml", "[deployment]\nname = \"town\"\n");
        scenario.write("main.tcloud", text);
        scenario.run(&["apply", "--yes"]);
        scenario
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.root().join(path), text).expect("written");
    }

    /// The project's directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.checkout.path().join("infra")
    }

    /// Where reports go.
    pub(crate) fn out(&self) -> &Path {
        self.out.path()
    }

    /// Writes reports, and writes them again: they are the same.
    pub(crate) fn report(&self, reports: &[(&str, &str)]) {
        let mut arguments = vec!["plan".to_owned()];
        for (format, file) in reports {
            let file = self.out().join(file);
            arguments.push(format!("--report={format}={}", file.display()));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.run(&arguments);
        let first: Vec<String> = reports.iter().map(|(_, file)| self.read(file)).collect();
        self.run(&arguments);
        for ((format, file), first) in reports.iter().zip(first) {
            assert!(self.read(file) == first, "{format} differs from run to run");
        }
    }

    /// A report.
    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.out().join(file)).expect(file)
    }

    /// Runs tcloud.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tcloud"))
            .current_dir(self.root())
            .args(arguments)
            .env_remove("TCLOUD_STATE")
            .stdin(Stdio::null())
            .output()
            .expect("tcloud runs")
    }

    /// Runs tcloud, which ends well.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}\n{said}\n{complaint}");
        said
    }

    /// Lays files of `tests/review` over the project and commits them, always under the same hash.
    fn commit(&self, files: &str) {
        copy(&review().join(files), &self.root());
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", files]);
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(self.checkout.path()).args(arguments).stdin(Stdio::null());
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Erika Musterfrau");
            git.env(format!("GIT_{who}_EMAIL"), "erika@musterhausen.example");
            git.env(format!("GIT_{who}_DATE"), "2026-11-23T10:00:00Z");
        }
        let status = git.status().expect("git runs");
        assert!(status.success(), "git {arguments:?}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, to).expect("copied");
        }
    }
}
