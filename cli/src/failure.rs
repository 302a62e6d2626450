//! How a command ends: its exit code, and what is said when it fails.

use std::error::Error;
use std::fmt::Write as _;

use crate::escape::escape_lines;
use crate::terminal::{Palette, Tone};

/// How a command ended; the contract for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Something went wrong.
    Failed,
    /// There are changes, and the caller asked to be told.
    Changes,
    /// Somebody has to decide first.
    Decision,
    /// The plan does not fit what runs any more.
    Stale,
}

impl Exit {
    /// The number that the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Changes => 2,
            Exit::Decision => 4,
            Exit::Stale => 5,
        }
    }
}

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What went wrong; `None` when it has been said already, as with diagnostics.
    error: Option<Box<dyn Error + Send + Sync>>,
    /// What was done before it, where it says that nothing was changed.
    before: Option<String>,
    help: Option<String>,
}

impl Failure {
    /// A failure in words.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Failed, error: Some(message.into().into()), before: None, help: None }
    }

    /// A failure that has been explained already.
    pub(crate) fn said(exit: Exit) -> Failure {
        Failure { exit, error: None, before: None, help: None }
    }

    /// Adds what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    /// Adds what was done before it.
    pub(crate) fn before(mut self, done: impl Into<String>) -> Failure {
        self.before = Some(done.into());
        self
    }

    /// Sets the exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Failure {
        self.exit = exit;
        self
    }

    /// The text: the message, its causes one a line, and the help. Empty when all was said.
    pub(crate) fn render(&self, palette: Palette) -> String {
        let Some(error) = &self.error else { return String::new() };
        let mut text = palette.paint(Tone::Danger, "error");
        let _ = write!(text, ": {}", escape_lines(&error.to_string()));
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(text, "\n  because {}", escape_lines(&error.to_string()));
            cause = error.source();
        }
        if let Some(before) = &self.before {
            let _ = write!(text, "\n  before that, {before}");
        }
        if let Some(help) = &self.help {
            let word = palette.paint(Tone::Change, "help");
            let _ = write!(text, "\n   {word}: {}", help.replace('\n', "\n         "));
        }
        text
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure { exit: Exit::Failed, error: Some(Box::new(error)), before: None, help: None }
    }
}

/// What a command gives back.
pub(crate) type Outcome = Result<Exit, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the record cannot be read")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_one_a_line_and_are_escaped() {
        let inner = std::io::Error::other("disk \u{1b}[2Kgone");
        let failure = Failure::from(Outer(inner)).help("put it back").before("much was done");
        assert_eq!(
            failure.render(Palette::PLAIN),
            "error: the record cannot be read\n  because disk \\u{1b}[2Kgone\n  \
             before that, much was done\n   help: put it back"
        );
        assert_eq!(Failure::said(Exit::Stale).render(Palette::PLAIN), "");
    }
}
