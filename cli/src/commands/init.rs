//! `tcloud init`: the files that a project starts with.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::arguments::Init;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::view::layout::quote;
use tcloud_project::config::{self, EDITION};

/// A first configuration that can be applied at once: it runs on the embedded hypervisor.
const MAIN: &str = include_str!("init/main.tcloud");

const IGNORED: &str =
    "# What tcloud remembers on this machine, and plan files.\n.tcloud/\n*.tcloud-plan\n";

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{} cannot be made", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

pub(super) fn run(arguments: &Init, context: &Context) -> Outcome {
    let root = context.path(arguments.path.as_ref());
    let make = |source| InitError::Make { path: root.clone(), source };
    std::fs::create_dir_all(&root).map_err(make)?;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => config::directory_name(&root),
    };
    if !tcloud_model::Name::is_word(&name) {
        return Err(config::ConfigError::Name { name }.into());
    }
    let settings = format!("edition = \"{EDITION}\"\n\n[deployment]\nname = \"{name}\"\n");
    let files = [(config::FILE, settings.as_str()), ("main.tcloud", MAIN), (".gitignore", IGNORED)];
    for (file, _) in &files[..2] {
        if root.join(file).exists() {
            return Err(Failure::from(InitError::Exists(root.join(file)))
                .help("init starts a project in a directory that has none"));
        }
    }
    for (file, text) in files {
        write_new(&root.join(file), text, context)?;
    }
    let directory = match &arguments.path {
        Some(path) => format!(" {}", quote(&path.display().to_string())),
        None => String::new(),
    };
    context.terminal.line(&format!(
        "{name} is ready, on the embedded hypervisor.\n\n  tcloud plan{directory}    what would \
         happen\n  tcloud apply{directory}   makes it so"
    ));
    Ok(Exit::Done)
}

/// Writes a file that is not there; one that is (a `.gitignore`) stays as it is.
fn write_new(path: &Path, text: &str, context: &Context) -> Result<(), InitError> {
    let failed = |source| InitError::Make { path: path.to_owned(), source };
    match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            context.terminal.note(&format!("{} stays as it is", path.display()));
            Ok(())
        }
        Err(error) => Err(failed(error)),
    }
}
