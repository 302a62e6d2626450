//! Nodes for what could not be read, each with the reason.

use tcloud_model::{Diagnostic, codes};

use super::{Builder, word_length};
use crate::ast::{Expr, ExprKind, Ident, Statement};
use crate::explain::{self, Reason, shown};
use crate::foreign;
use crate::habits;
use crate::parse::{Node, Rule};

impl<'t> Builder<'t, '_> {
    /// Reports a reason about the piece that begins at `start`.
    fn report_reason(&mut self, start: usize, reason: Reason) {
        let Reason { code, range, message, help, fix } = reason;
        let span = self.span(start + range.start, start + range.end);
        let mut diagnostic = Diagnostic::error(code, span, message).help(help);
        if let Some((range, text)) = fix {
            diagnostic = diagnostic.fix(self.span(start + range.start, start + range.end), text);
        }
        self.report_bad(diagnostic);
    }

    /// Reports a word of a piece that has letters which names do not have: it is why the piece could
    /// not be read. The word may begin before the piece, which the grammar began at such a letter.
    pub(super) fn foreign_word(&mut self, start: usize, end: usize) -> bool {
        let Some(range) = foreign::find(self.text, start..end) else { return false };
        let word = self.text.get(range.clone()).unwrap_or("");
        self.report_reason(range.start, explain::foreign_word(word));
        true
    }

    /// Where the code that begins at a byte ends at the latest, if it stands on one line of no great
    /// length: it is looked at once for each mistake.
    pub(super) fn code_end(&self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or("");
        let rest = &rest[..rest.floor_char_boundary(rest.len().min(256))];
        start + rest.find(['}', '\n']).unwrap_or(rest.len())
    }

    /// The text of a piece without blanks around it, and where it begins.
    fn piece(&self, start: usize, end: usize) -> (usize, &'t str) {
        let text = self.text.get(start..end).unwrap_or("");
        // Other blanks than these are no blanks here, and are told.
        let trimmed = text.trim_ascii_start();
        (start + text.len() - trimmed.len(), trimmed.trim_ascii_end())
    }

    /// A statement that fits nothing. `after` is where the value before it on the line stands.
    pub(super) fn bad_statement(
        &mut self,
        node: &Node<'t>,
        after: Option<(usize, usize)>,
    ) -> Statement {
        let (start, text) = self.piece(node.start(), node.end());
        let span = self.span(start, start + text.len());
        if node.rule() == Rule::stray {
            let message = "`}` closes nothing";
            let help = "remove it, or open what it should close";
            self.report_bad(Diagnostic::error(codes::E0002, span, message).help(help));
            return self.bad_range(span, None);
        }
        if !self.foreign_word(start, start + text.len()) {
            let reason = match after {
                Some((from, to)) => {
                    let before = self.text.get(from..to).unwrap_or("");
                    explain::after_value(before, text)
                }
                None => explain::statement(text),
            };
            self.report_reason(start, reason);
        }
        let name = if after.is_some() { None } else { self.given_name(start, text) };
        self.bad_range(span, name)
    }

    /// The name that `let x …`, `vm web …` or `memory …` was about to give.
    fn given_name(&self, start: usize, text: &str) -> Option<Ident> {
        let rest = text.get(self.word_range(start).len()..)?;
        let second = rest.trim_start_matches([' ', '\t', '"']);
        let named = |at: usize| Some(self.word_at(at)).filter(|word| !word.name.is_empty());
        named(start + text.len() - second.len()).or_else(|| named(start))
    }

    /// A value that fits nothing.
    pub(super) fn bad_expression(&mut self, start: usize, end: usize) -> Expr {
        let (at, text) = self.piece(start, end);
        let span = self.span(at, at + text.len());
        if text.is_empty() {
            let message = "a value is missing here";
            let help = "write a number, a text in quotes, a name, a list or an object";
            self.report_bad(Diagnostic::error(codes::E0005, span, message).help(help));
        } else if !self.foreign_word(at, at + text.len()) {
            self.report_reason(at, explain::value(text));
        }
        Expr { kind: ExprKind::Bad, span }
    }

    /// The value of something with a name.
    pub(super) fn named_value(&mut self, name: &Ident, value: Node<'t>, depth: usize) -> Expr {
        let (start, text) = self.piece(value.start(), value.end());
        if value.rule() != Rule::bad_value || !text.is_empty() {
            return self.value(value, depth);
        }
        let before = self.text.get(..value.start()).unwrap_or("").trim_end();
        let sign = self.span(before.len().saturating_sub(1), before.len());
        let message = format!("`{}` has no value", name.name);
        self.report_bad(
            Diagnostic::error(codes::E0005, sign, message)
                .label("the value is missing after this")
                .help(format!("write `{} = …`; a value begins on the same line", name.name)),
        );
        Expr { kind: ExprKind::Bad, span: self.span(start, start) }
    }

    /// Something in an object that is no field.
    pub(super) fn bad_field(&mut self, start: usize, end: usize) {
        let (at, text) = self.piece(start, end);
        // Of `{for k, v in größe : …}` the first comma is the end here.
        let end = if text.starts_with("for ") { self.code_end(at) } else { at + text.len() };
        if self.foreign_word(at, end) {
            return;
        }
        let word = word_length(text);
        let reason = explain::statement(text);
        let only = word > 0 && word == text.len();
        let what = if only { format!("field `{text}` has no value") } else { String::new() };
        self.report_reason(at, if only { Reason { message: what, ..reason } } else { reason });
    }

    /// What follows a whole expression.
    pub(super) fn bad_rest(&mut self, before: (usize, usize), start: usize, end: usize) {
        let (at, text) = self.piece(start, end);
        if !self.foreign_word(at, at + text.len()) {
            let value = self.text.get(before.0..before.1).unwrap_or("");
            self.report_reason(at, explain::after_value(value, text));
        }
    }

    /// The value in brackets, and what is wrong behind it.
    pub(super) fn before_tail(
        &mut self,
        parts: &mut impl Iterator<Item = Node<'t>>,
        depth: usize,
    ) -> Expr {
        let Some(value) = parts.next() else {
            return self.bad_expression(self.text.len(), self.text.len());
        };
        let at = (value.start(), value.end());
        let value = self.value(value, depth + 1);
        if let Some(tail) = parts.next() {
            self.bad_tail(at, &tail);
        }
        value
    }

    /// What stands before the end of brackets and is no part of what they hold.
    pub(super) fn bad_tail(&mut self, before: (usize, usize), tail: &Node<'t>) {
        let (start, end) = (tail.start(), tail.end());
        if self.piece(start, end).1.is_empty() {
            let message = "a bracket is not closed here";
            let help = "close what was opened before, with the bracket that fits";
            let diagnostic = Diagnostic::error(codes::E0002, self.span(start, end), message);
            self.report_bad(diagnostic.help(help));
        } else {
            self.bad_rest(before, start, end);
        }
    }

    /// A text or `${` that begins at a byte and has no end.
    pub(super) fn unclosed(&mut self, start: usize, message: &str) {
        let span = self.span(start, start + 1);
        let help = "close it on the same line; `\\\"` and `\\${` are these characters themselves";
        self.report_bad(Diagnostic::error(codes::E0004, span, message).help(help));
    }

    /// The head of a block that fits nothing.
    pub(super) fn explain_head(&mut self, start: usize, text: &str) {
        if !self.foreign_word(start, start + text.len()) {
            self.report_reason(start, explain::head(text));
        }
    }

    pub(super) fn explain_type(&mut self, node: &Node<'t>) {
        let (start, text) = self.piece(node.start(), node.end());
        if self.foreign_word(start, start + text.len()) {
            return;
        }
        let span = self.span(start, start + text.len());
        let diagnostic = if text.is_empty() {
            let sign = self.span(start.saturating_sub(1), start);
            Diagnostic::error(codes::E0015, sign, "a type is missing here")
        } else {
            let message = format!("`{}` is not a type", shown(text));
            Diagnostic::error(codes::E0015, span, message)
        };
        self.report_bad(diagnostic.help(
            "types are `Int`, `String`, `Ip`, `T[]`, `T?`, `Map<T>`, `{ a: T }`, `\"a\" | \"b\"`, …",
        ));
    }

    /// `name: value` and other signs in place of `=`.
    pub(super) fn wrong_sign(&mut self, name: &Ident, sign: &Node<'t>) {
        let span = self.node_span(sign);
        let written = sign.text();
        let (code, message) = match written {
            ":" => (codes::E0010, format!("`{}` gets its value by `=`, not `:`", name.name)),
            "=>" => (codes::E0010, format!("`{}` gets its value by `=`, not `=>`", name.name)),
            _ => (codes::E0005, format!("`{}` gets its value by `=`, not `{written}`", name.name)),
        };
        let start = sign.start();
        let spaced = self.text.get(..start).is_some_and(|before| before.ends_with(' '));
        let fix = if spaced { "=" } else { " =" };
        self.report(
            Diagnostic::error(code, span, message)
                .help(format!("write `{} = …`", name.name))
                .fix(span, fix),
        );
    }

    /// A type name of another tool.
    pub(super) fn foreign_type(&mut self, name: &Ident) {
        if let Some(own) = habits::type_name(&name.name) {
            let message = format!("the type is called `{own}` here");
            self.report(
                Diagnostic::error(codes::E0010, name.span, message)
                    .help(format!("write `{own}`"))
                    .fix(name.span, own),
            );
        }
    }
}
