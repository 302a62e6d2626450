//! Every format that a plan can be written in, and the one way to write it.

use std::io;
use std::path::Path;

use tcloud_planner::Plan;

use crate::lang::Lang;
use crate::origin::Origin;
use crate::{annotations, code_quality, counts, html, json, junit, markdown, sarif, terraform};

/// A format for reviewers and their programs. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The native plan, `tcloud-plan-view/1`.
    Json,
    /// The plan as Terraform and OpenTofu write it, for OPA, Checkov and their kin.
    Terraform,
    /// How many resources come, change and go, for GitLab's `artifacts:reports:terraform`.
    GitlabTerraform,
    /// Findings for GitLab's `artifacts:reports:codequality`.
    CodeQuality,
    /// Findings as SARIF 2.1.0.
    Sarif,
    /// Findings as failed tests.
    Junit,
    /// Findings as workflow commands of GitHub Actions.
    Github,
    /// One comment on a pull or merge request.
    Markdown,
    /// One file with pictures, for people who decide.
    Html,
}

/// A plan and where it comes from: all that a report may show.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What is planned.
    pub plan: &'a Plan,
    /// The text that it was planned from.
    pub origin: &'a Origin,
    /// The language of what is for people. Names, rules and what programs read are English.
    pub lang: Lang,
    /// What was asked for.
    pub about: About,
    /// Whether a host did not answer, so that this is not everything.
    pub silent: bool,
}

/// What a report answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// What would change.
    #[default]
    Plan,
    /// What was changed by hand, and nothing else: what is done about it is not said.
    Drift,
}

impl Format {
    /// All formats, in the order of the help text.
    pub const ALL: [Format; 9] = [
        Format::Json,
        Format::Terraform,
        Format::GitlabTerraform,
        Format::CodeQuality,
        Format::Sarif,
        Format::Junit,
        Format::Github,
        Format::Markdown,
        Format::Html,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Terraform => "terraform",
            Format::GitlabTerraform => "gitlab-terraform",
            Format::CodeQuality => "codequality",
            Format::Sarif => "sarif",
            Format::Junit => "junit",
            Format::Github => "github",
            Format::Markdown => "markdown",
            Format::Html => "html",
        }
    }

    /// Whether it is JSON.
    pub fn is_json(self) -> bool {
        match self {
            Format::Json
            | Format::Terraform
            | Format::GitlabTerraform
            | Format::CodeQuality
            | Format::Sarif => true,
            Format::Junit | Format::Github | Format::Markdown | Format::Html => false,
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The format that a file of this name is sure to be meant for.
    pub fn of_file(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()? {
            "sarif" => Some(Format::Sarif),
            "xml" => Some(Format::Junit),
            "json" => Some(Format::Json),
            "html" | "htm" => Some(Format::Html),
            "md" => Some(Format::Markdown),
            _ => None,
        }
    }
}

/// Writes a report. The same report has the same bytes.
///
/// # Errors
/// The writer's.
pub fn write(format: Format, report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Json => json::write(report.plan, report.about, report.silent, to),
        Format::Terraform => terraform::write(report, to),
        Format::GitlabTerraform => counts::write(report, to),
        Format::CodeQuality => code_quality::write(report, to),
        Format::Sarif => sarif::write(report, to),
        Format::Junit => junit::write(report, to),
        Format::Github => annotations::write(report, to),
        Format::Markdown => markdown::write(report, to),
        Format::Html => html::write(report, to),
    }
}
