//! Plays every suite below `tests/suites`: one test for each Markdown file.

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tcloud_tests::{run, suite::Suite};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites");
    let suites = Suite::all(&root).unwrap_or_else(|error| panic!("{error}"));
    assert!(!suites.is_empty(), "BUG: there are suites");
    let tests = suites.into_iter().map(|suite| {
        let path = suite.path.strip_prefix(&root).unwrap_or(&suite.path);
        let name = path.with_extension("").display().to_string();
        Trial::test(name, move || run::play(&suite).map_err(Failed::from))
    });
    libtest_mimic::run(&arguments, tests.collect()).exit_code()
}
