//! What every command has: where it writes, and where it works.

use std::path::PathBuf;

use crate::terminal::Terminal;

/// What every command has.
pub(crate) struct Context {
    /// Where to write, and whom to ask.
    pub(crate) terminal: Terminal,
    /// How a program wants to be told what is wrong with the text.
    pub(crate) told: Told,
    /// `-C`: where to work.
    pub(crate) directory: Option<PathBuf>,
}

/// How what is wrong with the text is told, besides in words on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Not at all: a person reads.
    InWords,
    /// As one JSON object, in place of the result.
    Object,
    /// As the last event of a run, in one line.
    Event,
}

impl Context {
    /// A path of the command line, as seen from the directory to work in.
    pub(crate) fn path(&self, path: Option<&PathBuf>) -> PathBuf {
        match (&self.directory, path) {
            (Some(directory), Some(path)) => directory.join(path),
            (Some(directory), None) => directory.clone(),
            (None, Some(path)) => path.clone(),
            (None, None) => PathBuf::from("."),
        }
    }
}
