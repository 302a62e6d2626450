//! Findings as workflow commands of GitHub Actions, worst first: it shows ten errors and ten warnings
//! of a step, and drops the rest without a word.

use std::fmt::Write as _;
use std::io;

use crate::finding::{self, Finding, Level};
use crate::format::Report;
use crate::place;

/// How many of each level GitHub shows.
const SHOWN: usize = 10;

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let findings = finding::all(report);
    let mut text = String::new();
    for level in [Level::Error, Level::Warning, Level::Note] {
        let own: Vec<&Finding<'_>> = findings.iter().filter(|own| own.level == level).collect();
        // The last one says how many more there are, where there are more.
        let shown = if own.len() > SHOWN { SHOWN - 1 } else { own.len() };
        for finding in &own[..shown] {
            command(report, finding, &mut text);
        }
        if own.len() > shown {
            let more = format!("{} more, see the plan", own.len() - shown);
            let _ = writeln!(text, "::{} title=tcloud::{more}", word(level));
        }
    }
    to.write_all(text.as_bytes())
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    }
}

fn command(report: &Report<'_>, finding: &Finding<'_>, text: &mut String) {
    let place = place::of(report, finding);
    let _ = write!(
        text,
        "::{} file={},line={}",
        word(finding.level),
        property(&place.path),
        place.line
    );
    if let Some(column) = place.column {
        let _ = write!(text, ",col={column}");
    }
    let _ = writeln!(text, ",title={}::{}", property(finding.rule.title()), data(&finding.message));
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What stands between commas.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
