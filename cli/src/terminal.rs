//! The terminal: where output goes, whether in colour, and questions to a person.

use std::cell::RefCell;
use std::io::{self, BufRead, IsTerminal, Write};

use crate::arguments::{Color, Global};
use crate::escape::escape_json;
use crate::interrupt::Stopped;
use crate::redact;

/// How wide a line is at most; fits half of a wide screen, and reads the same everywhere.
pub(crate) const WIDTH: usize = 100;

/// Standard output, standard error and the person before them, if there is one.
pub(crate) struct Terminal {
    out: RefCell<Stream<io::Stdout>>,
    err: RefCell<Stream<io::Stderr>>,
    /// Colours of standard output.
    pub(crate) palette: Palette,
    /// Colours of standard error.
    pub(crate) error_palette: Palette,
    /// How much is said besides results: 0, or the number of `-v`.
    pub(crate) verbose: u8,
    /// Whether progress may be drawn over: standard error is a terminal.
    pub(crate) animated: bool,
    quiet: bool,
    interactive: bool,
}

/// A stream that may fail at any time, as when its reader leaves (`tcloud plan | head`). After that
/// the rest is dropped, and the run goes on: an apply must not stop half-way because nobody looks any
/// more.
struct Stream<W> {
    to: W,
    gone: bool,
    /// Why what was written is not all there, unless its reader wanted no more.
    failed: Option<io::Error>,
}

impl<W: Write> Stream<W> {
    fn to(to: W) -> Stream<W> {
        Stream { to, gone: false, failed: None }
    }

    fn write(&mut self, text: &str) {
        let written = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
        if let Err(error) = written {
            self.gone = true;
            self.failed = Some(error).filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
        }
    }

    fn print(&mut self, text: &str) {
        if !self.gone {
            self.write(&redact::process().scrub(text));
        }
    }

    /// Prints JSON. The filter for words could hide a number or a sign, and no program could read it.
    fn print_json(&mut self, json: &str) {
        if !self.gone {
            self.write(&escape_json(&redact::process().scrub_json(json)));
        }
    }
}

/// A result is not on standard output, or not all of it.
#[derive(Debug, thiserror::Error)]
#[error("the output cannot be written")]
pub(crate) struct OutputError(#[source] io::Error);

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuestionError {
    /// There is nobody to ask.
    #[error("there is no terminal to ask at")]
    NoTerminal,
    /// Ctrl-C instead of an answer.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The terminal could not be read.
    #[error("the answer cannot be read")]
    Read(#[source] io::Error),
}

impl Terminal {
    /// The terminal of this process.
    pub(crate) fn new(global: &Global) -> Terminal {
        let error_is_terminal = io::stderr().is_terminal();
        Terminal {
            out: RefCell::new(Stream::to(io::stdout())),
            err: RefCell::new(Stream::to(io::stderr())),
            palette: Palette::decide(global.color, io::stdout().is_terminal()),
            error_palette: Palette::decide(global.color, error_is_terminal),
            verbose: global.verbose,
            animated: error_is_terminal && !global.quiet && !is_dumb(),
            quiet: global.quiet,
            interactive: error_is_terminal && io::stdin().is_terminal(),
        }
    }

    /// Writes a result to standard output.
    pub(crate) fn print(&self, text: &str) {
        self.out.borrow_mut().print(text);
    }

    /// Whether nothing more reaches standard output: its reader has left, or its disk is full.
    pub(crate) fn is_gone(&self) -> bool {
        self.out.borrow().gone
    }

    /// Whether every result is on standard output, as far as somebody wanted it.
    ///
    /// # Errors
    /// What could not be written, as on a full disk.
    pub(crate) fn finish(&self) -> Result<(), OutputError> {
        self.out.borrow_mut().failed.take().map_or(Ok(()), |error| Err(OutputError(error)))
    }

    /// Writes a result and a newline to standard output.
    pub(crate) fn line(&self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// Writes a value as JSON and a newline to standard output.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.json_text(&format!("{value:#}"));
    }

    /// Writes JSON and a newline to standard output.
    pub(crate) fn json_text(&self, json: &str) {
        self.print_json(&format!("{json}\n"));
    }

    /// Writes JSON to standard output as it is.
    pub(crate) fn print_json(&self, json: &str) {
        self.out.borrow_mut().print_json(json);
    }

    /// Says something besides the result, on standard error, unless `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Says something that must be heard, on standard error.
    pub(crate) fn complain(&self, text: &str) {
        self.err.borrow_mut().print(&format!("{text}\n"));
    }

    /// Whether there is a person to ask.
    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Puts a question, if there is a person; [`answer`] waits for what they say.
    pub(crate) fn question(&self, question: &str) -> Result<(), QuestionError> {
        if !self.interactive {
            return Err(QuestionError::NoTerminal);
        }
        self.err.borrow_mut().print(question);
        Ok(())
    }
}

/// The next line that a person types, without blanks around it; empty at the end of the input.
pub(crate) fn answer() -> Result<String, QuestionError> {
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(QuestionError::Read)?;
    Ok(answer.trim().to_owned())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Colours, or none. A colour never carries meaning alone: there is always a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    on: bool,
}

/// What a text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Data or service is lost, or something failed.
    Danger,
    /// Somebody should look.
    Warning,
    /// It changes, harmlessly.
    Change,
    /// It is new, or went well.
    Good,
    /// It matters less.
    Faint,
    /// It is the heading.
    Strong,
}

impl Palette {
    /// No colours.
    pub(crate) const PLAIN: Palette = Palette { on: false };

    pub(crate) fn decide(choice: Color, is_terminal: bool) -> Palette {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let on = match choice {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !refused && !is_dumb(),
        };
        Palette { on }
    }

    /// Whether there are colours.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// The text in the colour of its tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.on || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Danger => "1;31",
            Tone::Warning => "33",
            Tone::Change => "36",
            Tone::Good => "32",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_extra() {
        assert_eq!(Palette::PLAIN.paint(Tone::Danger, "x"), "x");
        assert_eq!(Palette { on: true }.paint(Tone::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
        assert!(Palette::decide(Color::Always, false).is_on());
        assert!(!Palette::decide(Color::Auto, false).is_on());
    }

    #[test]
    fn a_reader_that_leaves_stops_nothing_and_a_full_disk_is_told() {
        struct Closed(io::ErrorKind);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (kind, told) in [(io::ErrorKind::BrokenPipe, false), (io::ErrorKind::StorageFull, true)]
        {
            let mut stream = Stream::to(Closed(kind));
            stream.print("a");
            stream.print("b");
            assert!(stream.gone);
            assert_eq!(stream.failed.is_some(), told, "{kind}");
        }
    }
}
