//! From nodes of the grammar to the tree: one builder for each item.

mod block;
mod bracketed;
mod broken;
mod expression;
mod statement;
mod text;
mod types;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use tcloud_model::{Diagnostic, Name, Span};

use crate::ast::{Expr, Ident, Scope, Statement};
use crate::file::MAX_REPORTS;
use crate::foreign;
use crate::parse::{Node, Nodes};
use crate::place::Place;
use crate::scan::line_end;

/// How deep an expression may be: brackets, operators and path steps together. It keeps every
/// later walk over the tree, and dropping it, within a thread's stack.
pub(crate) const MAX_DEPTH: usize = 500;

/// Builds the tree of one item.
pub(crate) struct Builder<'t, 'd> {
    /// The text that was parsed.
    text: &'t str,
    /// Where its bytes stand in the file.
    place: Place<'t>,
    diagnostics: &'d mut Vec<Diagnostic>,
    /// Where something is reported already, in the parsed text.
    reported: BTreeSet<usize>,
    /// The line that was looked at last.
    line: Range<usize>,
    /// `in tenant x`, when the item has it.
    pub(crate) scope: Option<Scope>,
}

impl<'t, 'd> Builder<'t, 'd> {
    pub(crate) fn new(
        text: &'t str,
        place: Place<'t>,
        diagnostics: &'d mut Vec<Diagnostic>,
        known: Known,
    ) -> Builder<'t, 'd> {
        let Known { hidden, before } = known;
        let earlier = diagnostics.iter().take(hidden).chain(diagnostics.iter().skip(before));
        let reported = earlier.filter_map(|d| place.local(d.primary.span.start)).collect();
        Builder { text, place, diagnostics, reported, line: 0..0, scope: None }
    }

    /// The statements of an item.
    pub(crate) fn item(&mut self, nodes: Nodes<'t>) -> Vec<Statement> {
        self.statements(nodes, 0)
    }

    /// A text that holds one expression and nothing else.
    pub(crate) fn lone(&mut self, mut nodes: Nodes<'t>) -> Expr {
        let Some(value) = nodes.next() else {
            return self.bad_expression(0, self.text.len());
        };
        let at = (value.start(), value.end());
        let expr = self.value(value, 0);
        if let Some(rest) = nodes.next() {
            self.bad_rest(at, rest.start(), rest.end());
        }
        expr
    }

    /// The file's range of these bytes of the parsed text; of whole characters.
    fn span(&self, start: usize, end: usize) -> Span {
        self.place.span(floor(self.text, start), ceil(self.text, end))
    }

    fn node_span(&self, node: &Node<'t>) -> Span {
        self.place.span(node.start(), node.end())
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() <= MAX_REPORTS {
            self.reported.extend(self.place.local(diagnostic.primary.span.start));
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports what may only echo another error, unless there is one on the same line.
    fn report_bad(&mut self, diagnostic: Diagnostic) {
        let Some(at) = self.place.local(diagnostic.primary.span.start) else { return };
        if self.diagnostics.len() > MAX_REPORTS {
            return;
        }
        let line = self.line_of(at);
        let end = self.place.local(diagnostic.primary.span.end).unwrap_or(at);
        let end = if line.end < end { self.line_of(end).end } else { line.end };
        if self.reported.range(line.start..=end.max(line.start)).next().is_none() {
            self.report(diagnostic);
        }
    }

    /// The line that a byte stands in.
    fn line_of(&mut self, at: usize) -> Range<usize> {
        if !(self.line.start..=self.line.end).contains(&at) || self.line.is_empty() {
            let at = at.min(self.text.len());
            let bytes = self.text.as_bytes();
            let start =
                bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
            self.line = start..line_end(bytes, at);
        }
        self.line.clone()
    }

    fn ident(&self, node: &Node<'t>) -> Ident {
        if foreign::is_cut(self.text, node.end()) {
            return self.word_at(node.start());
        }
        Ident { name: Name::shared(node.text()), span: self.node_span(node) }
    }

    /// The word that begins at a byte, as it should be written: what refers to it will be so, too.
    fn word_at(&self, start: usize) -> Ident {
        let range = self.word_range(start);
        let word = self.text.get(range.clone()).unwrap_or("");
        let plain = if word.is_ascii() { None } else { foreign::plain(word) };
        let name = plain.map_or_else(|| Name::shared(word), Name::from);
        Ident { name, span: self.span(range.start, range.end) }
    }

    /// The bytes of the word that begins at a byte, with letters that names do not have.
    fn word_range(&self, start: usize) -> Range<usize> {
        let end = start + word_length(self.text.get(start..).unwrap_or(""));
        if foreign::is_cut(self.text, end) {
            return start..foreign::around(self.text, end).end;
        }
        start..end
    }

    /// What separates two neighbours: commas and newlines outside comments.
    fn gap(&self, from: usize, to: usize) -> Gap {
        let mut gap = Gap { commas: 0, newline: false };
        let mut rest = self.text.get(from..to).unwrap_or("").bytes().peekable();
        let mut comment = false;
        while let Some(byte) = rest.next() {
            match byte {
                b'\n' => {
                    comment = false;
                    gap.newline = true;
                }
                b'#' => comment = true,
                b'/' if rest.peek() == Some(&b'/') => comment = true,
                b',' if !comment => gap.commas += 1,
                _ => {}
            }
        }
        gap
    }
}

/// Which diagnostics of the file concern an item: those of its characters, which are the first
/// `hidden` ones, and those made since there were `before`.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) hidden: usize,
    pub(crate) before: usize,
}

/// The beginning of the character that a byte belongs to.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The end of the character that the byte before `at` belongs to.
pub(crate) fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// See [`Builder::gap`].
struct Gap {
    commas: usize,
    newline: bool,
}

/// The bytes of the word that a text begins with. A minus belongs to it before a letter or digit.
pub(crate) fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let letter = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let mut end = 0;
    if bytes.first().is_some_and(u8::is_ascii_digit) {
        return 0;
    }
    while letter(end) || (end > 0 && bytes.get(end) == Some(&b'-') && letter(end + 1)) {
        end += 1;
    }
    end
}

/// The `///` lines above a statement, joined by newlines, without the marks.
fn join_docs(lines: &[&str]) -> Option<Arc<str>> {
    if lines.is_empty() {
        return None;
    }
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.strip_prefix("///").unwrap_or(line).trim_end())
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    Some(Arc::from(lines.join("\n")))
}
