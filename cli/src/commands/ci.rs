//! `tcloud ci`: what a job does at a forge.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tcloud_report::markdown::failed;

use crate::arguments::{Ci, CiCommand, Comment};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::forge::{Done, Place, Sticky, Wanted};
use crate::redact;
use tcloud_project::config::Config;

/// More than any forge takes, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The report cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the report {} cannot be read", path.display())]
struct ReportError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

pub(super) async fn run(arguments: Ci, context: &Context) -> Outcome {
    let CiCommand::Comment(comment) = arguments.command;
    let text = match &comment.file {
        Some(file) => read(file, context)?,
        None => failed(&Config::load(&context.path(None))?.deployment),
    };
    let Comment { file: _, failed: _, forge, api, project, number, author } = comment;
    let wanted = Wanted { forge, api, project, number, author };
    let environment = |name: &str| std::env::var(name).ok().inspect(|value| hide(name, value));
    let place = Place::find(wanted, &environment, &|path| std::fs::read_to_string(path).ok());
    let place = place.map_err(|error| {
        Failure::from(error).help("outside of a job, say --forge, --api, --project and --number")
    })?;
    let called = place.called.clone();
    let done = tokio::task::spawn_blocking(move || Sticky::new(&place, &text)?.write()).await??;
    context.terminal.line(&match done {
        Done::Created => format!("The comment on {called} was written."),
        Done::Updated => format!("The comment on {called} was brought up to date."),
        Done::Unchanged => format!("The comment on {called} says this already."),
    });
    Ok(Exit::Done)
}

/// A token is never said, whatever a forge answers.
fn hide(name: &str, value: &str) {
    if name.ends_with("_TOKEN") {
        redact::process().note(value);
    }
}

fn read(path: &Path, context: &Context) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => io::stdin().lock().take(LARGEST).read_to_string(&mut text),
        _ => File::open(context.path(Some(&path.to_owned())))
            .and_then(|file| file.take(LARGEST).read_to_string(&mut text)),
    };
    read.map_err(|source| ReportError { path: path.to_owned(), source })?;
    Ok(text)
}
