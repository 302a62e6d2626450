//! Reports to files and to standard output, and where their text comes from.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tcloud_planner::Plan;
use tcloud_report::{About, Origin, Report};

use crate::arguments::{Reports, Wanted};
use crate::blame;
use crate::context::Context;
use crate::failure::Failure;
use crate::overwrite::spare_projects;
use crate::redact;
use crate::revisions::ask;

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be written to {}", path.display())]
struct ReportError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What a report tells.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    /// The plan, or one that has only what was changed by hand.
    pub(crate) plan: &'a Plan,
    /// Which of the two.
    pub(crate) about: About,
    /// Whether a host did not answer.
    pub(crate) silent: bool,
}

impl<'a> From<&'a Plan> for Told<'a> {
    /// A plan for which every host answered, or none was asked.
    fn from(plan: &'a Plan) -> Told<'a> {
        Told { plan, about: About::Plan, silent: false }
    }
}

impl Reports {
    /// Whether standard output is taken by a report.
    pub(crate) fn take_output(&self) -> bool {
        self.reports.iter().any(|wanted| wanted.file.is_none())
    }

    /// Refuses what cannot be wanted together, before any work is done.
    pub(crate) fn check(&self, json: bool, context: &Context) -> Result<(), Failure> {
        let on_output = self.reports.iter().filter(|wanted| wanted.file.is_none()).count();
        if on_output + usize::from(json) > 1 {
            return Err(Failure::new("only one thing can be on standard output")
                .help("write the others to files: --report FORMAT=FILE"));
        }
        let files = self.reports.iter().filter_map(|wanted| wanted.file.as_ref());
        files.map(|file| context.path(Some(file))).try_for_each(|file| spare_projects(&file))
    }

    /// Writes all that are wanted, for the files of a project as they are.
    pub(crate) fn write(
        &self,
        told: Told<'_>,
        root: &Path,
        context: &Context,
    ) -> Result<(), Failure> {
        self.write_of(told, root, None, context)
    }

    /// Writes all that are wanted, for the text of a commit, or for the files as they are.
    pub(crate) fn write_of(
        &self,
        told: Told<'_>,
        root: &Path,
        commit: Option<&str>,
        context: &Context,
    ) -> Result<(), Failure> {
        if self.reports.is_empty() {
            return Ok(());
        }
        let Told { plan, about, silent } = told;
        let mut origin = origin(root);
        if let Some(commit) = commit {
            origin = Origin { commit: Some(commit.to_owned()), uncommitted: 0, ..origin };
        }
        let causes = plan.changes.iter().filter_map(|change| change.causes.first());
        origin.authors = blame::authors(root, commit, causes);
        let origin = &origin;
        for Wanted { format, file } in &self.reports {
            let mut bytes = Vec::new();
            let report = Report { plan, origin, lang: self.lang, about, silent };
            tcloud_report::write(*format, &report, &mut bytes)?;
            let text = String::from_utf8_lossy(&bytes);
            match file {
                None if format.is_json() => context.terminal.print_json(&text),
                None => context.terminal.print(&text),
                Some(file) => {
                    let path = context.path(Some(file));
                    let text = match format.is_json() {
                        true => redact::process().scrub_json(&text),
                        false => redact::process().scrub(&text),
                    };
                    save(&path, &text).map_err(|source| ReportError { path, source })?;
                }
            }
        }
        Ok(())
    }
}

/// Writes a file whole or not at all. What is there and no plain file, such as a pipe, is written to.
fn save(path: &Path, text: &str) -> io::Result<()> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return File::options().write(true).open(path)?.write_all(text.as_bytes());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// The revision of a project, and where in its checkout it lies.
fn origin(root: &Path) -> Origin {
    let Some(commit) = ask(root, &["rev-parse", "HEAD"]) else {
        return Origin::default();
    };
    let base = ask(root, &["rev-parse", "--show-prefix"]).unwrap_or_default();
    // Other files, such as reports, are no part of what was planned.
    let differs = ask(root, &["status", "--porcelain", "--", "*.tcloud", "tcloud.toml"]);
    Origin {
        commit: Some(commit),
        uncommitted: differs.unwrap_or_default().lines().count(),
        base: base.trim_end_matches('/').to_owned(),
        ..Origin::default()
    }
}
