//! Findings as SARIF 2.1.0, within the limits of GitHub's code scanning.

use std::io;

use serde_json::{Value, json};

use crate::finding::{self, Finding, Level, Rule};
use crate::format::Report;
use crate::indented;
use crate::place;

/// The most results that GitHub reads of one run. Findings are the worst first.
const MOST_RESULTS: usize = 25_000;

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let findings = finding::all(report);
    let results = findings.iter().take(MOST_RESULTS).map(|finding| result(report, finding));
    let results: Vec<Value> = results.collect();
    let mut run = json!({
        "tool": { "driver": {
            "name": "tcloud",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": Rule::ALL.map(rule),
        }},
        "automationDetails": { "id": format!("tcloud/{}/", report.plan.deployment.name) },
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    if let Some(commit) = &report.origin.commit {
        run["properties"] = json!({ "commit": commit, "uncommitted": report.origin.uncommitted });
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    });
    indented::write(&log, to)
}

/// `TC-DATA-LOSS`.
fn id(rule: Rule) -> String {
    format!("TC-{}", rule.name().to_ascii_uppercase())
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn rule(rule: Rule) -> Value {
    json!({
        "id": id(rule),
        "name": rule.name(),
        "shortDescription": { "text": rule.title() },
        "fullDescription": { "text": format!("{}.", rule.title()) },
        "help": { "text": rule.help() },
        "defaultConfiguration": { "level": level(rule.level()) },
    })
}

fn result(report: &Report<'_>, finding: &Finding<'_>) -> Value {
    let place = place::of(report, finding);
    let mut region = json!({ "startLine": place.line });
    if let Some(column) = place.column {
        region["startColumn"] = json!(column);
    }
    json!({
        "ruleId": id(finding.rule),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": level(finding.level),
        "message": { "text": finding.message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&place.path), "uriBaseId": "%SRCROOT%" },
            "region": region,
        }}],
        "partialFingerprints": { "tcloudAddress/v1": finding.fingerprint() },
    })
}

/// A path as a relative reference of RFC 3986: what is not plain is written as bytes.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
