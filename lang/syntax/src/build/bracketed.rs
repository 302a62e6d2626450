//! Lists, objects, comprehensions and arguments.

use tcloud_model::{Diagnostic, Name, codes};

use super::Builder;
use crate::ast::{Argument, Comprehension, Expr, ExprKind, Ident, ObjectField, Repeat};
use crate::foreign;
use crate::parse::{Node, Nodes, Rule};

/// `for x in xs if c :`
struct ForHead {
    repeat: Repeat,
    condition: Option<Expr>,
}

impl<'t> Builder<'t, '_> {
    /// `[a, b]` or `[for x in xs : e]`
    pub(super) fn list(&mut self, node: Node<'t>, depth: usize) -> Expr {
        let span = self.node_span(&node);
        let mut parts = node.into_children().peekable();
        if let Some(head) = parts.next_if(|part| part.rule() == Rule::for_h) {
            let start = head.start();
            let (late, value) = (Rule::late_if, |part: &Node<'_>| part.rule() != Rule::bad_tail);
            let (value, late) = (parts.next_if(value), parts.next_if(|part| part.rule() == late));
            let (Some(value), None) = (value, parts.next()) else {
                self.check_word("for", start);
                return Expr { kind: ExprKind::Bad, span };
            };
            let ForHead { repeat, mut condition } = self.for_head(head, depth);
            let value = self.value(value, depth + 1);
            if let Some(late) = late {
                condition = condition.or(self.late_condition(late, depth));
            }
            let comprehension = Comprehension { repeat, condition, key: None, value };
            return Expr { kind: ExprKind::ListFor(Box::new(comprehension)), span };
        }
        let mut elements = Vec::new();
        let mut last = None;
        for part in parts {
            if part.rule() == Rule::bad_tail {
                self.bad_tail((part.start(), part.start()), &part);
                break;
            }
            self.check_comma(last, part.start(), "elements");
            last = Some(part.end());
            elements.push(self.value(part, depth + 1));
        }
        Expr { kind: ExprKind::List(elements), span }
    }

    /// Two elements need a comma between them, and only one.
    pub(super) fn check_comma(&mut self, last: Option<usize>, start: usize, what: &str) {
        let Some(end) = last else { return };
        if end == start && foreign::is_cut(self.text, start) {
            // One word, which is told as a whole.
            return;
        }
        let commas = self.gap(end, start).commas;
        let span = self.span(start, start + 1);
        if commas == 0 {
            self.report_bad(
                Diagnostic::error(
                    codes::E0003,
                    span,
                    format!("two {what} need a comma between them"),
                )
                .label("a comma is missing before this")
                .help("add `,` before it")
                .fix(self.span(end, end), ","),
            );
        } else if commas > 1 {
            self.report_bad(
                Diagnostic::error(codes::E0003, span, "there is a comma too many here")
                    .help(format!("one comma separates two {what}")),
            );
        }
    }

    fn for_head(&mut self, node: Node<'t>, depth: usize) -> ForHead {
        let start = node.start();
        let mut parts = node.into_children().peekable();
        let first = parts.next().map_or_else(|| self.word_at(start), |word| self.ident(&word));
        let second = parts.next_if(|part| part.rule() == Rule::word).map(|word| self.ident(&word));
        let over = match parts.next() {
            Some(over) => self.value(over, depth + 1),
            None => self.bad_expression(start, start),
        };
        let condition = parts.next().map(|part| self.value(part, depth + 1));
        let span = self.span(start, start).to(over.span);
        ForHead { repeat: Repeat { first, second, over, span }, condition }
    }

    /// `[for x in xs : e if c]`: the condition stands before the colon here.
    fn late_condition(&mut self, node: Node<'t>, depth: usize) -> Option<Expr> {
        let span = self.node_span(&node);
        let written = node.text();
        let condition = node.into_children().next().map(|part| self.value(part, depth + 1));
        let message = "the condition stands before the colon";
        self.report(
            Diagnostic::error(codes::E0010, span, message)
                .help(format!("write `for x in xs {written} : value`")),
        );
        condition
    }

    /// `{ a = 1 }` or `{for k, v in m : k => v}`
    pub(super) fn object(&mut self, node: Node<'t>, depth: usize) -> Expr {
        let span = self.node_span(&node);
        let mut parts = node.into_children().filter(|part| part.rule() != Rule::doc).peekable();
        if let Some(head) = parts.next_if(|part| part.rule() == Rule::for_h) {
            let start = head.start();
            let mut next = || parts.next_if(|part| part.rule() != Rule::bad_tail);
            let (key, value, late) = (next(), next(), next());
            let (Some(key), Some(value), None) = (key, value, parts.next()) else {
                self.bad_field(start, self.code_end(start));
                return Expr { kind: ExprKind::Bad, span };
            };
            let ForHead { repeat, mut condition } = self.for_head(head, depth);
            let key = Some(self.value(key, depth + 1));
            let value = self.value(value, depth + 1);
            if let Some(late) = late {
                condition = condition.or(self.late_condition(late, depth));
            }
            let comprehension = Comprehension { repeat, condition, key, value };
            return Expr { kind: ExprKind::MapFor(Box::new(comprehension)), span };
        }
        let mut fields = Vec::new();
        let mut last: Option<(bool, usize)> = None;
        for part in parts {
            if part.rule() == Rule::bad_tail {
                self.bad_tail((part.start(), part.start()), &part);
                break;
            }
            let (start, end, bad) = (part.start(), part.end(), part.rule() != Rule::field);
            if let Some((broken, last)) = last
                && !self.gap(last, start).newline
                && !broken
                && !bad
            {
                self.check_comma(Some(last), start, "fields");
            }
            last = Some((bad, end));
            if bad {
                self.bad_field(start, end);
            } else {
                fields.extend(self.object_field(part, depth));
            }
        }
        Expr { kind: ExprKind::Object(fields), span }
    }

    fn object_field(&mut self, node: Node<'t>, depth: usize) -> Option<ObjectField> {
        let mut parts = node.into_children().peekable();
        let key = parts.next()?;
        let name = self.key(&key);
        if let Some(sign) = parts.next_if(|part| part.rule() == Rule::wrong_eq) {
            self.wrong_sign(&name, &sign);
        }
        let value = parts.next()?;
        let value = self.named_value(&name, value, depth + 1);
        Some(ObjectField { name, value })
    }

    fn key(&mut self, node: &Node<'t>) -> Ident {
        let span = self.node_span(node);
        match node.rule() {
            Rule::word => self.ident(node),
            Rule::str_lit => {
                let text = node.text();
                let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or("");
                Ident { name: Name::shared(inner), span }
            }
            _ => match self.template(node.clone(), 0).kind {
                ExprKind::Literal(tcloud_model::Value::Text(text)) => {
                    Ident { name: Name::shared(&text), span }
                }
                _ => {
                    let message = "a key is a fixed text";
                    self.report(Diagnostic::error(codes::E0011, span, message).help(
                        "keys that are computed are made by `{for k, v in m : \"${k}-x\" => v}`",
                    ));
                    Ident { name: Name::shared(node.text()), span }
                }
            },
        }
    }

    /// `function(a, name = b)`
    pub(super) fn call(&mut self, base: Expr, node: Node<'t>, depth: usize) -> Expr {
        let span = base.span.to(self.node_span(&node));
        if !matches!(base.kind, ExprKind::Name(_) | ExprKind::Field(..) | ExprKind::Bad) {
            let message = "only functions and methods are called";
            self.report(
                Diagnostic::error(codes::E0001, base.span, message)
                    .help("write `name(…)` or `value.method(…)`"),
            );
            return Expr { kind: ExprKind::Bad, span };
        }
        let arguments = self.arguments(node.into_children(), depth);
        Expr { kind: ExprKind::Call(Box::new(base), arguments), span }
    }

    fn arguments(&mut self, parts: Nodes<'t>, depth: usize) -> Vec<Argument> {
        let mut arguments = Vec::new();
        let mut last = None;
        for part in parts {
            if part.rule() == Rule::bad_tail {
                self.bad_tail((part.start(), part.start()), &part);
                break;
            }
            self.check_comma(last, part.start(), "arguments");
            last = Some(part.end());
            let span = self.node_span(&part);
            let (name, value) = match part.rule() {
                Rule::named => {
                    let mut inner = part.into_children();
                    let name = self.next_ident(&mut inner);
                    (Some(name), self.part(&mut inner, depth + 1))
                }
                Rule::lambda => {
                    let mut inner = part.into_children();
                    let param = self.next_ident(&mut inner);
                    let body = self.part(&mut inner, depth + 1);
                    (None, Expr { kind: ExprKind::Lambda(param, Box::new(body)), span })
                }
                _ => (None, self.value(part, depth + 1)),
            };
            arguments.push(Argument { name, value });
        }
        arguments
    }
}
