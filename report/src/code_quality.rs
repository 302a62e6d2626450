//! Findings for GitLab's `artifacts:reports:codequality`.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;

use crate::finding::{self, Finding, Level};
use crate::format::Report;
use crate::indented;
use crate::place;

#[derive(Serialize)]
struct Degradation {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    let findings = finding::all(report);
    let all = findings.iter().map(|finding| degradation(report, finding));
    // GitLab makes one of equal fingerprints: the first, which is the worst.
    let all: Vec<Degradation> = all.filter(|own| seen.insert(own.fingerprint.clone())).collect();
    indented::write(&all, to)
}

fn degradation(report: &Report<'_>, finding: &Finding<'_>) -> Degradation {
    let place = place::of(report, finding);
    Degradation {
        description: finding.message.clone(),
        check_name: format!("tcloud/{}", finding.rule.name()),
        fingerprint: finding.fingerprint(),
        severity: match finding.level {
            Level::Error => "blocker",
            Level::Warning => "major",
            Level::Note => "info",
        },
        location: Location { path: place.path, lines: Lines { begin: place.line } },
    }
}
