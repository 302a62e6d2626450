//! What is said about brackets and texts without partner.

use tcloud_model::{Diagnostic, Span, codes};

use super::{Open, Repair};
use crate::build::{ceil, word_length};
use crate::explain::shown;
use crate::place::Place;
use crate::scan::closer;

impl Repair<'_> {
    /// Whether enough was said. Nothing that takes time is worked out then.
    fn is_full(&self) -> bool {
        self.diagnostics.len() >= self.room
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.diagnostics.push(diagnostic);
        }
    }

    pub(super) fn report_open_interpolation(&mut self, at: usize, end: usize) {
        let close = self.place.span(end, end);
        self.push(
            Diagnostic::error(
                codes::E0004,
                self.place.span(at, at + 2),
                "`${` is not closed in this text",
            )
            .label("opened here")
            .help("close it with `}`, or write `\\${` for the characters themselves")
            .fix(close, "}"),
        );
    }

    pub(super) fn report_flat_text(&mut self, at: usize) {
        let span = self.place.span(at, ceil(self.source, at + 1));
        self.push(Diagnostic::error(codes::E0004, span, "a line of this text is not indented").help(
            "indent the content of `\"\"\"`; what all its lines are indented by is not part of the text",
        ));
    }

    pub(super) fn report_foreign(&mut self, at: usize, comment: bool) {
        let span = self.place.span(at, at + 2);
        self.push(if comment {
            Diagnostic::error(codes::E0010, span, "comments begin with `//`")
                .help("write `//` at the beginning of each line of the comment")
        } else {
            Diagnostic::error(codes::E0010, span, "a text of several lines is written in `\"\"\"`")
                .help("put `\"\"\"` around it, and indent its lines")
        });
    }

    pub(super) fn report_open_text(&mut self, at: usize, end: usize, block: bool) {
        let span = self.place.span(at, at + if block { 3 } else { 1 });
        let close = self.place.span(end, end);
        let diagnostic = if block {
            Diagnostic::error(codes::E0004, span, "block text is never closed")
                .label("starts here")
                .help("close it with `\"\"\"` on a line of its own")
                .fix(close, "\n  \"\"\"")
        } else {
            Diagnostic::error(codes::E0004, span, "text is not closed on its line")
                .label("starts here")
                .help("close it with `\"`, or use `\"\"\"` for several lines")
                .fix(close, "\"")
        };
        self.push(diagnostic);
    }

    /// A block without its opening brace; `at` is the closing one.
    pub(super) fn report_missing(&mut self, start: usize, head: &str, at: usize) {
        let end = start + head.len();
        let message = format!("`{{` is missing after `{}`", shown(head));
        let insert = self.place.span(end, end);
        self.push(
            Diagnostic::error(codes::E0002, self.place.span(start, end), message)
                .also(self.place.span(at, at + 1), "closed here")
                .help("add `{` at the end of the line")
                .fix(insert, " {"),
        );
    }

    pub(super) fn report_stray(&mut self, at: usize, byte: u8) {
        let message = format!("`{}` closes nothing", char::from(byte));
        self.push(
            Diagnostic::error(codes::E0002, self.place.span(at, at + 1), message)
                .label("nothing is open here")
                .help("remove it, or open what it should close"),
        );
    }

    pub(super) fn report_unclosed(
        &mut self,
        open: &Open,
        at: usize,
        next: Option<usize>,
        written: String,
    ) {
        if self.is_full() {
            return;
        }
        let what = self.describe(open);
        let sign = char::from(closer(open.byte));
        let whole_lines = self.all.get(..self.place.base + at).unwrap_or("").matches('\n').count();
        let number = whole_lines + if written.starts_with('\n') { 2 } else { 1 };
        let message = format!("{what} is never closed");
        let span = self.place.span(open.at, open.at + 1);
        let insert = self.place.span(at, at);
        let mut diagnostic = Diagnostic::error(codes::E0002, span, message)
            .label("opened here")
            .help(format!("add `{sign}` on line {number}; everything else was read normally"))
            .fix(insert, written);
        if let Some((span, text)) = self.next_head(next) {
            diagnostic = diagnostic.also(span, format!("{text}, so {what} should end before it"));
        }
        self.diagnostics.push(diagnostic);
    }

    /// What follows the place where something should have ended.
    fn next_head(&self, next: Option<usize>) -> Option<(Span, &'static str)> {
        let word = |at: usize| {
            let length = word_length(self.all.get(at..).unwrap_or("")).max(1);
            (at, ceil(self.all, at + length))
        };
        if let Some(next) = next {
            let (start, end) = word(self.place.base + next);
            let file = Place { base: 0, ..self.place };
            return Some((file.span(start, end), "this line is indented less"));
        }
        let mut at = self.place.base + self.source.len();
        for line in self.all.get(at..)?.split_inclusive('\n') {
            if line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                let (start, end) = word(at);
                let file = Place { base: 0, ..self.place };
                return Some((file.span(start, end), "a new object begins in column 0"));
            }
            at += line.len();
        }
        None
    }

    /// `block \`vm web\``, `a list`, …
    fn describe(&self, open: &Open) -> String {
        let start = self.lines.get(open.line).map_or(0, |line| line.start + line.indent);
        let before = self.source.get(start..open.at).unwrap_or("").trim_end();
        let head = before.rsplit(['{', ',']).next().unwrap_or("").trim();
        let length = word_length(head);
        let block = length > 0 && !head.contains(['=', '(', '[']);
        match open.byte {
            b'{' if block => {
                let name = head.split(" for ").next().unwrap_or(head);
                let name = name.split(" if ").next().unwrap_or(name);
                let words: Vec<&str> = name.split_whitespace().collect();
                format!("block `{}`", shown(&words.join(" ")))
            }
            b'{' => "this object".to_owned(),
            b'[' => "this list".to_owned(),
            _ => "this bracket".to_owned(),
        }
    }
}
