//! Where a finding is shown: formats that know nothing but files get the project's own file for what
//! has no place in the text.

use crate::finding::Finding;
use crate::format::Report;

/// The file that stands for the project as a whole.
const PROJECT: &str = "tcloud.toml";

/// A line of a file in the repository.
pub(crate) struct Place {
    pub(crate) path: String,
    /// From one.
    pub(crate) line: u32,
    /// In characters, from one; `None` when the whole file is meant.
    pub(crate) column: Option<u32>,
}

/// Where a finding is shown.
pub(crate) fn of(report: &Report<'_>, finding: &Finding<'_>) -> Place {
    match finding.places.first() {
        Some(at) => Place {
            path: report.origin.path(at),
            line: at.line.max(1),
            column: Some(at.column.max(1)),
        },
        None => Place { path: report.origin.file(PROJECT), line: 1, column: None },
    }
}
