//! The option that writes reports.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::ArgValueCandidates;
use tcloud_report::{Format, Lang};

use crate::completion;

/// Which reports to write.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reports {
    /// Write a report, to standard output instead of the text or to a file: json, terraform,
    /// gitlab-terraform, codequality, sarif, junit, github, markdown or html. Can be repeated.
    #[arg(long = "report", value_name = "FORMAT[=FILE]", value_parser = wanted)]
    #[arg(add = ArgValueCandidates::new(completion::formats))]
    pub(crate) reports: Vec<Wanted>,
    /// The language of reports for people: en or de.
    #[arg(long, value_name = "LANG", value_parser = lang, default_value = "en")]
    pub(crate) lang: Lang,
}

/// A report that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// In which format.
    pub(crate) format: Format,
    /// Where; standard output when `None`.
    pub(crate) file: Option<PathBuf>,
}

fn lang(code: &str) -> Result<Lang, String> {
    Lang::named(code).ok_or_else(|| "write en or de".to_owned())
}

fn wanted(text: &str) -> Result<Wanted, String> {
    if let Some(format) = Format::named(text) {
        return Ok(Wanted { format, file: None });
    }
    let known = || Format::ALL.map(Format::name).join(", ");
    let named = text.split_once('=').and_then(|(name, file)| Some((Format::named(name)?, file)));
    let (format, file) = match named {
        Some((_, "")) => return Err("the name of the file is missing".to_owned()),
        Some((format, file)) => (format, file),
        None => match Format::of_file(Path::new(text)) {
            Some(format) => (format, text),
            None => return Err(format!("write FORMAT or FORMAT=FILE; formats are {}", known())),
        },
    };
    Ok(Wanted { format, file: Some(PathBuf::from(file)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_a_file_or_both() {
        let file = |format, file: &str| Wanted { format, file: Some(file.into()) };
        assert_eq!(wanted("junit"), Ok(Wanted { format: Format::Junit, file: None }));
        assert_eq!(wanted("terraform=a=b.json"), Ok(file(Format::Terraform, "a=b.json")));
        assert_eq!(wanted("out/plan.sarif"), Ok(file(Format::Sarif, "out/plan.sarif")));
        for wrong in ["", "pdf", "sarif=", "plan.pdf", "pdf=plan"] {
            assert!(wanted(wrong).is_err(), "{wrong}");
        }
    }
}
