//! Texts: escapes, `${…}`, and the indentation of block texts.

use std::sync::Arc;

use tcloud_model::value::read_escape;
use tcloud_model::{Diagnostic, Value, codes};

use super::Builder;
use crate::ast::{Expr, ExprKind, TemplatePart};
use crate::explain::shown;
use crate::parse::{Node, Rule};

/// Puts text parts together; neighbours become one.
#[derive(Default)]
struct Parts {
    done: Vec<TemplatePart>,
    text: String,
}

impl Parts {
    fn expression(&mut self, expr: Expr) {
        self.flush();
        self.done.push(TemplatePart::Expr(expr));
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done.push(TemplatePart::Text(Arc::from(self.text.as_str())));
            self.text.clear();
        }
    }

    fn finish(mut self) -> ExprKind {
        if self.done.is_empty() {
            return ExprKind::Literal(Value::text(&self.text));
        }
        self.flush();
        ExprKind::Template(self.done)
    }
}

impl<'t> Builder<'t, '_> {
    /// `"a ${x} b"` and `"""…"""`
    pub(super) fn template(&mut self, node: Node<'t>, depth: usize) -> Expr {
        let span = self.node_span(&node);
        let block = node.rule() == Rule::block_str;
        let layout = Layout::of(node.text(), if block { 3 } else { 1 }, block);
        let (first, last) = (node.start() + layout.opening, node.end() - layout.closing);
        let start = node.start();
        let mut parts = Parts::default();
        for part in node.into_children() {
            match part.rule() {
                Rule::interp => parts.expression(self.interpolation(part, depth)),
                Rule::escape => self.escape(&part, &mut parts.text),
                Rule::unclosed => {
                    self.unclosed(start, "text is never closed");
                    return Expr { kind: ExprKind::Bad, span };
                }
                _ => {
                    let from = part.start().clamp(first, last.max(first));
                    let to = part.end().clamp(from, last.max(from));
                    let text = self.text.get(from..to).unwrap_or("");
                    // A line's indentation is taken off where the line begins in this part.
                    let begins = block && from == first && layout.margin > 0;
                    layout.push(text, begins, &mut parts.text);
                }
            }
        }
        Expr { kind: parts.finish(), span }
    }

    /// `r"…"` and `r"""…"""`
    pub(super) fn raw_text(&mut self, node: &Node<'t>) -> Expr {
        let span = self.node_span(node);
        let text = node.text();
        let block = text.starts_with("r\"\"\"") && text.len() >= 7;
        let layout = Layout::of(text, if block { 4 } else { 2 }, block);
        let to = text.len().saturating_sub(layout.closing).max(layout.opening);
        let mut read = String::new();
        let inner = text.get(layout.opening..to).unwrap_or("");
        layout.push(inner, layout.margin > 0, &mut read);
        Expr { kind: ExprKind::Literal(Value::text(&read)), span }
    }

    fn escape(&mut self, node: &Node<'t>, text: &mut String) {
        let mut rest = node.text().char_indices();
        rest.next();
        if let Some(c) = read_escape(&mut rest) {
            text.push(c);
            return;
        }
        let span = self.node_span(node);
        if node.text().starts_with("\\u")
            && let Some((code, end)) = self.braced(node.start() + 2)
        {
            let span = self.span(node.start(), end);
            let code = shown(code);
            let message = format!("`{code}` is not the hexadecimal number of a character");
            self.report(
                Diagnostic::error(codes::E0009, span, message)
                    .help("the number has one to six digits, 0 to 9 and a to f: `\\u{e4}` is ä"),
            );
            return;
        }
        let written = node.text().escape_debug().to_string().replace("\\\\", "\\");
        let message = format!("`{written}` is not an escape");
        let doubled = format!("\\{}", node.text());
        self.report(
            Diagnostic::error(codes::E0009, span, message)
                .help(
                    "escapes are \\n \\t \\r \\\" \\\\ \\$ and \\u{1f600}; a backslash itself is \
                     written \\\\, and raw texts r\"…\" have no escapes",
                )
                .fix(span, doubled),
        );
    }

    /// What stands in braces at a byte, on one line, and where these end.
    fn braced(&self, at: usize) -> Option<(&'t str, usize)> {
        let rest = self.text.get(at..)?.strip_prefix('{')?;
        let end = rest.find(['}', '"', '\n'])?;
        rest[end..].starts_with('}').then(|| (&rest[..end], at + end + 2))
    }

    /// `${x}`
    fn interpolation(&mut self, node: Node<'t>, depth: usize) -> Expr {
        let start = node.start();
        let (mut before, mut read) = ((start, start), None);
        for part in node.into_children() {
            match part.rule() {
                Rule::unclosed => self.unclosed(start, "`${` is not closed in this text"),
                Rule::bad_interp if read.is_none() => read = Some(self.bad_interpolation(&part)),
                Rule::bad_interp if part.text().trim().is_empty() => {}
                Rule::bad_interp => self.bad_rest(before, part.start(), part.end()),
                _ => {
                    before = (part.start(), part.end());
                    read = Some(self.value(part, depth + 1));
                }
            }
        }
        read.unwrap_or_else(|| self.bad_expression(start, start))
    }

    fn bad_interpolation(&mut self, node: &Node<'t>) -> Expr {
        let (start, end) = (node.start(), node.end());
        if node.text().trim().is_empty() {
            let span = self.span(start.saturating_sub(2), end + 1);
            self.report_bad(
                Diagnostic::error(codes::E0009, span, "an expression is missing in `${}`")
                    .help("write `\\${}` for these characters themselves"),
            );
            return Expr { kind: ExprKind::Bad, span };
        }
        self.bad_expression(start, end)
    }
}

/// How the content of a text lies between its quotes.
struct Layout {
    /// Bytes before the content.
    opening: usize,
    /// Bytes after the content.
    closing: usize,
    /// Blanks at the beginning of each line that are not content.
    margin: usize,
}

impl Layout {
    /// Block texts begin on the line after the opening quotes. What all their lines are indented by,
    /// the closing quotes' line included, is not content.
    fn of(text: &str, quotes: usize, block: bool) -> Layout {
        let closing = if block { 3 } else { 1 };
        let plain = Layout { opening: quotes, closing, margin: 0 };
        let inner = text.get(quotes..text.len().saturating_sub(closing)).unwrap_or("");
        let Some((blank, lines)) = inner.split_once('\n') else {
            return plain;
        };
        if !block || !blank.trim().is_empty() {
            return plain;
        }
        let indented = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let last = lines.rsplit_once('\n').map_or(lines, |(_, last)| last);
        let closing_line = last.trim().is_empty();
        let margin = lines
            .split('\n')
            .filter(|line| !line.trim().is_empty())
            .chain(closing_line.then_some(last))
            .map(indented)
            .min();
        let extra = if closing_line { last.len() } else { 0 };
        Layout {
            opening: quotes + blank.len() + 1,
            closing: closing + extra,
            margin: margin.unwrap_or(0),
        }
    }

    /// Adds a piece of content without margins and carriage returns.
    fn push(&self, text: &str, begins_line: bool, out: &mut String) {
        for (number, line) in text.split('\n').enumerate() {
            let mut line = line;
            if number > 0 {
                out.push('\n');
            }
            if number > 0 || begins_line {
                let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
                line = line.get(blanks.min(self.margin)..).unwrap_or("");
            }
            out.push_str(line.strip_suffix('\r').unwrap_or(line));
        }
    }
}
