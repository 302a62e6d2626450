//! Reports about a change of a whole project, in every format: as they are kept in `tests/review`, the
//! same twice, and read by programs of others.

mod hostile;
mod project;
mod why;

use std::path::Path;
use std::process::Command;

use project::{Scenario, review};

/// The reports, by the names that `read.py` knows them by.
const REPORTS: [(&str, &str); 9] = [
    ("json", "json.json"),
    ("terraform", "terraform.json"),
    ("gitlab-terraform", "gitlab-terraform.json"),
    ("codequality", "codequality.json"),
    ("sarif", "sarif.sarif"),
    ("junit", "junit.xml"),
    ("github", "github.txt"),
    ("markdown", "markdown.md"),
    ("html", "html.html"),
];

/// Runs one of the readers of `tests/review`; gives what it says.
fn read(reader: &str, what: &Path) -> String {
    let python = review().join("../../target/review/python/bin/python");
    assert!(python.exists(), "run tests/review/install first");
    let output = Command::new(python)
        .arg("-B")
        .arg(review().join(reader))
        .arg(what)
        .output()
        .expect("the reader runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn every_format_is_as_it_is_kept_and_can_be_read_by_others() {
    let scenario = Scenario::changed();
    scenario.report(&REPORTS);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(review().join("golden"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (_, file) in REPORTS {
        let text = scenario.read(file);
        settings.bind(|| insta::assert_snapshot!(file, text));
    }
    let terminal = scenario.run(&["plan"]);
    // Only a command that is to be copied may be longer.
    let mut lines = terminal.lines().filter(|line| !line.starts_with("  tcloud "));
    assert!(lines.all(|line| line.chars().count() <= 100), "{terminal}");
    settings.bind(|| insta::assert_snapshot!("terminal.txt", terminal));
    let german = scenario.run(&["plan", "--report", "markdown", "--lang", "de"]);
    settings.bind(|| insta::assert_snapshot!("markdown.de.md", german));
    read("read.py", scenario.out());
}

#[test]
fn the_page_works_in_a_browser_that_asks_nobody() {
    let scenario = Scenario::changed();
    scenario.report(&REPORTS);
    let axe = review().join("../../target/review/node_modules/axe-core/axe.min.js");
    assert!(axe.exists(), "run tests/review/install first");
    let output = Command::new("node")
        .arg(review().join("browser.mjs"))
        .arg(scenario.out().join("html.html"))
        .arg(axe)
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_policy_over_the_terraform_form_finds_what_happens() {
    let scenario = Scenario::changed();
    scenario.report(&REPORTS);
    let answer = read("rego.py", &scenario.out().join("terraform.json"));
    let answer: serde_json::Value = serde_json::from_str(&answer).expect(&answer);
    let disk = "module.stadt-musterhausen.module.vm_geo-db01.tcloud_disk.root";
    assert_eq!(
        answer,
        serde_json::json!({
            "deleted": [disk],
            "loses": [disk],
            "grows": ["module.stadt-musterhausen.tcloud_volume.dms-data"],
            "forced": [["image"]],
        })
    );
}

#[test]
fn reports_come_from_fresh_plans_from_saved_ones_and_from_drift() {
    let scenario = Scenario::changed();
    let fresh = scenario.run(&["plan", "--out", "next.tcloud-plan", "--report", "junit"]);
    assert!(fresh.starts_with("<?xml"), "{fresh}");
    let saved = scenario.run(&["show", "next.tcloud-plan", "--report", "junit"]);
    assert_eq!(fresh, saved);
    scenario.run(&["drift", "--report", "drift.sarif"]);
    let drift = std::fs::read_to_string(scenario.root().join("drift.sarif")).expect("written");
    assert!(drift.contains("\"TC-DRIFT\"") && drift.contains("eakte-app[2]"), "{drift}");
    let refused = scenario.output(&["plan", "--json", "--report", "sarif"]);
    assert_eq!(refused.status.code(), Some(1));
}
