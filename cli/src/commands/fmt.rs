//! `tcloud fmt`: files in their canonical form.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tcloud_compiler::World;
use tcloud_model::Sources;
use tcloud_model::value::human_size;

use crate::arguments::Fmt;
use crate::context::Context;
use crate::disk_world::DiskWorld;
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::session;
use crate::view::layout::count;
use tcloud_project::config::{Config, Limits};
use tcloud_project::whole_file;

#[derive(Debug, thiserror::Error)]
enum FmtError {
    #[error("{} cannot be read: {message}", path.display())]
    Read { path: PathBuf, message: String },
    #[error("{} cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("standard input cannot be read")]
    Input(#[source] io::Error),
}

pub(super) fn run(arguments: &Fmt, context: &Context) -> Outcome {
    if arguments.stdin {
        return standard_input(context);
    }
    let mut changed = Vec::new();
    let mut broken = false;
    let files = files(arguments, context)?;
    for path in &files {
        let text = read(path)?;
        let (formatted, sound) = format(&path.to_string_lossy(), &text, context);
        broken |= !sound;
        if formatted != text {
            if !arguments.check {
                whole_file::replace(path, formatted.as_bytes())
                    .map_err(|source| FmtError::Write { path: path.clone(), source })?;
            }
            changed.push(path);
        }
    }
    for path in &changed {
        context.terminal.line(&escape(&path.display().to_string()));
    }
    if broken {
        return Err(Failure::said(Exit::Failed));
    }
    if arguments.check && !changed.is_empty() {
        return Err(Failure::new(format!(
            "{} not in canonical form",
            count(changed.len(), "file")
        ))
        .help("tcloud fmt"));
    }
    if changed.is_empty() {
        context.terminal.note(&format!("{} in canonical form", count(files.len(), "file")));
    }
    Ok(Exit::Done)
}

fn standard_input(context: &Context) -> Outcome {
    let mut bytes = Vec::new();
    let most = Limits::default().file_size;
    io::stdin().lock().take(most + 1).read_to_end(&mut bytes).map_err(FmtError::Input)?;
    if bytes.len() as u64 > most {
        let message = format!("it is larger than {}", human_size(most));
        return Err(FmtError::Input(io::Error::other(message)).into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| FmtError::Input(io::Error::other(error.utf8_error())))?;
    let (formatted, sound) = format("standard input", &text, context);
    context.terminal.print(&formatted);
    if sound { Ok(Exit::Done) } else { Err(Failure::said(Exit::Failed)) }
}

/// The canonical form, and whether the text is without mistakes. Items with mistakes are shown and
/// stay as they are.
fn format(path: &str, text: &str, context: &Context) -> (String, bool) {
    let mut sources = Sources::new();
    let file = sources.add(path, text);
    let parsed = tcloud_syntax::parse(file, text);
    session::show(&parsed.diagnostics, &sources, None, context);
    (tcloud_syntax::format(text), parsed.diagnostics.is_empty())
}

/// The files that are meant: those that are named, those below directories that are named.
fn files(arguments: &Fmt, context: &Context) -> Result<Vec<PathBuf>, Failure> {
    let named: Vec<PathBuf> = match arguments.paths.is_empty() {
        true => vec![context.path(None)],
        false => arguments.paths.iter().map(|path| context.path(Some(path))).collect(),
    };
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            let limits = Config::load(&path).map(|config| config.limits).unwrap_or_default();
            let found = DiskWorld::new(&path, limits).files();
            let found = found.map_err(|error| FmtError::Read {
                path: path.clone(),
                message: error.to_string(),
            })?;
            files.extend(found.iter().map(|file| path.join(file)));
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String, FmtError> {
    let failed = |message: String| FmtError::Read { path: path.to_owned(), message };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| failed("it is not a file".to_owned()))?;
    let world = DiskWorld::new(directory.unwrap_or(Path::new(".")), Limits::default());
    let bytes = world.read(name).map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        failed(format!("byte {} is not valid UTF-8", error.utf8_error().valid_up_to()))
    })
}
