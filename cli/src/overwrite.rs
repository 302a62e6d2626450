//! What no output may be written over: the text of a project, what it is told by, and the state.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use tcloud_planner::planfile;
use tcloud_project::config;

use crate::consents::SIGNERS;
use crate::failure::Failure;
use crate::providers;
use crate::session::OWN;

/// Names of files that a project is told by.
const TOLD_BY: [&str; 3] = [config::FILE, providers::FILE, SIGNERS];

/// Refuses to write a result to a file that is part of a project, or would be: tcloud reads every
/// `*.tcloud`.
pub(crate) fn spare_projects(path: &Path) -> Result<(), Failure> {
    let refuse = |why: &str| {
        let message = format!("{} is not written to: {why}", path.display());
        Err(Failure::new(message).help("name another file"))
    };
    if path.file_name().is_some_and(|name| name == "-") {
        return refuse("it would be a file called `-`");
    }
    // Where a link leads counts, and the directory of what is not there yet.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).canonicalize().unwrap_or_default();
    let real = path.canonicalize().unwrap_or_else(|_| match path.file_name() {
        Some(name) => parent.join(name),
        None => parent,
    });
    if real.components().any(|part| part.as_os_str() == OWN) {
        return refuse("tcloud keeps its state there");
    }
    let Some(name) = real.file_name() else { return Ok(()) };
    let name = name.to_string_lossy();
    match TOLD_BY.iter().any(|own| name == **own) || name.ends_with(".tcloud") {
        true => refuse("it is part of a project"),
        false => Ok(()),
    }
}

/// Refuses to write a plan over a file that holds something else. What is no file, such as a pipe,
/// holds nothing.
pub(crate) fn spare_others(path: &Path) -> Result<(), Failure> {
    spare_projects(path)?;
    let Ok(metadata) = path.metadata() else { return Ok(()) };
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(());
    }
    let begin = format!("{{\"format\":\"{}", planfile::FORMAT);
    // What an older tcloud wrote is a plan too.
    let begin = begin.trim_end_matches(|c: char| c.is_ascii_digit()).as_bytes();
    let mut found = vec![0; begin.len()];
    let is_plan = File::open(path).and_then(|mut file| file.read_exact(&mut found)).is_ok();
    match is_plan && found == begin {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "{} is not written to: it is there already, and no plan",
            path.display()
        ))
        .help("name another file, or remove it first")),
    }
}
