//! Findings as tests: a suite for each tenant, in it a test for each rule that passes, and one for
//! each finding.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use tcloud_model::Address;

use crate::finding::{self, Finding, Level, Rule};
use crate::format::Report;
use crate::markup::escaped;
use crate::place;

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let mut suites: BTreeMap<Option<&Address>, Vec<Finding<'_>>> = BTreeMap::new();
    suites.insert(None, Vec::new());
    for change in &report.plan.changes {
        suites.entry(change.object.address.tenant()).or_default();
    }
    for finding in finding::all(report) {
        suites.entry(finding.tenant()).or_default().push(finding);
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (number, (tenant, findings)) in suites.iter().enumerate() {
        suite(report, number, *tenant, findings, &mut text);
    }
    text.push_str("</testsuites>\n");
    to.write_all(text.as_bytes())
}

fn suite(
    report: &Report<'_>,
    number: usize,
    tenant: Option<&Address>,
    findings: &[Finding<'_>],
    text: &mut String,
) {
    let deployment = &report.plan.deployment.name;
    let name = tenant.map_or_else(|| "shared".to_owned(), Address::last_name);
    let passed = Rule::ALL.into_iter().filter(|rule| findings.iter().all(|own| own.rule != *rule));
    let mut cases = String::new();
    let class = escaped(&format!("{deployment}.{name}"));
    for rule in passed.clone() {
        let _ = writeln!(
            cases,
            "    <testcase classname=\"{class}\" name=\"{}\" time=\"0\"/>",
            rule.name()
        );
    }
    for finding in findings {
        case(report, &class, finding, &mut cases);
    }
    let failures = findings.iter().filter(|own| own.level == Level::Error).count();
    let tests = passed.count() + findings.len();
    // A schema in use asks for a time and a machine. A plan has neither, and stays the same.
    let _ = writeln!(
        text,
        "  <testsuite id=\"{number}\" package=\"{}\" name=\"{}\" tests=\"{tests}\" \
         failures=\"{failures}\" errors=\"0\" time=\"0\" hostname=\"localhost\" \
         timestamp=\"1970-01-01T00:00:00\">\n    <properties/>\n{cases}    <system-out/>\n    \
         <system-err/>\n  </testsuite>",
        escaped(deployment),
        escaped(&name),
    );
}

fn case(report: &Report<'_>, class: &str, finding: &Finding<'_>, text: &mut String) {
    let place = place::of(report, finding);
    let about = finding.address.map(ToString::to_string).unwrap_or_default();
    let name = format!("{} {about} {}", finding.rule.name(), finding.which);
    let name = escaped(name.split_whitespace().collect::<Vec<_>>().join(" ").as_str());
    let message = escaped(&finding.message);
    let at = escaped(&format!("{}:{}", place.path, place.line));
    let _ = write!(text, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\"");
    let _ = match finding.level {
        Level::Error => writeln!(
            text,
            ">\n      <failure type=\"{}\" message=\"{message}\">{at}</failure>\n    </testcase>",
            finding.rule.name()
        ),
        Level::Note if finding.rule == Rule::Unchecked => {
            writeln!(text, ">\n      <skipped message=\"{message}\"/>\n    </testcase>")
        }
        // What does not fail has no room for words that the schemas in use agree about.
        Level::Warning | Level::Note => writeln!(text, "/>"),
    };
}
