//! Statements with a body.

use std::sync::Arc;

use tcloud_model::{Diagnostic, Name, codes};

use super::Builder;
use crate::ast::{Bad, Block, BlockForm, Check, Component, Expr, Ident, If, Repeat, Statement};
use crate::explain::shown;
use crate::habits;
use crate::parse::{Node, Nodes, Rule};

/// What stands before a brace.
#[derive(Default)]
struct Head {
    words: Vec<Ident>,
    repeat: Option<Box<Repeat>>,
    condition: Option<Box<Expr>>,
    body: Vec<Statement>,
    /// Where the head ends in the parsed text.
    end: usize,
}

impl<'t> Builder<'t, '_> {
    /// A block, and what other tools write as one.
    pub(super) fn block(
        &mut self,
        node: Node<'t>,
        doc: Option<Arc<str>>,
        depth: usize,
    ) -> Statement {
        let (start, span) = (node.start(), self.node_span(&node));
        let form = match node.rule() {
            Rule::existing_s => BlockForm::Existing,
            Rule::defaults_s => BlockForm::Defaults,
            _ => BlockForm::Own,
        };
        let head = self.head(node, depth);
        let Head { words, repeat, condition, body, end } = head;
        let head = self.span(start, end);
        let mut words = words.into_iter();
        let Some(kind) = words.next() else {
            return self.bad_range(span, None);
        };
        let labels: Vec<Ident> = words.collect();
        let (kind, name) = match habits::block(&kind, &labels, head) {
            Some(habit) => {
                self.report(habit.diagnostic);
                (habit.kind, habit.name)
            }
            None => {
                self.check_labels(&kind, &labels);
                (kind, labels.into_iter().next())
            }
        };
        Statement::Block(Box::new(Block {
            doc,
            form,
            kind,
            name,
            repeat,
            condition,
            body,
            head,
            span,
        }))
    }

    /// The words, clauses and body of a block.
    fn head(&mut self, node: Node<'t>, depth: usize) -> Head {
        let mut head = Head { end: node.end(), ..Head::default() };
        for part in node.into_children() {
            if part.rule() != Rule::braces {
                head.end = part.end();
            }
            match part.rule() {
                Rule::for_c if head.repeat.is_some() => {
                    let span = self.node_span(&part);
                    let message = "a block is repeated by one `for`";
                    self.report(
                        Diagnostic::error(codes::E0011, span, message)
                            .help("repeat over a list of all combinations: `[for a in as : …]`"),
                    );
                }
                Rule::for_c => head.repeat = Some(Box::new(self.repeat(part, depth))),
                Rule::if_c if head.condition.is_some() => {
                    let span = self.node_span(&part);
                    let message = "a block has one `if`";
                    let help = "join the conditions with `&&`";
                    self.report(Diagnostic::error(codes::E0011, span, message).help(help));
                }
                Rule::if_c => {
                    let condition = self.part(&mut part.into_children(), depth);
                    head.condition = Some(Box::new(condition));
                }
                Rule::braces => head.body = self.statements(part.into_children(), depth + 1),
                Rule::str_lit => head.words.push(self.quoted_word(&part)),
                _ => head.words.push(self.ident(&part)),
            }
        }
        head
    }

    fn quoted_word(&self, node: &Node<'t>) -> Ident {
        let text = node.text();
        let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or("");
        Ident { name: Name::shared(inner), span: self.node_span(node) }
    }

    /// A name is one word, without quotes.
    fn check_labels(&mut self, kind: &Ident, labels: &[Ident]) {
        for label in labels {
            self.check_name(label);
        }
        if let [_, second, ..] = labels {
            let span = second.span.to(labels.last().map_or(second.span, |last| last.span));
            let message = format!("{} `{}` has one name", kind.name, labels[0].name);
            self.report(
                Diagnostic::error(codes::E0011, span, message)
                    .label("this is one word too many")
                    .help(format!("write `{} {} {{ … }}`", kind.name, labels[0].name)),
            );
        }
    }

    /// Reports a name in quotes, or with letters that names do not have.
    pub(super) fn check_name(&mut self, name: &Ident) {
        let quoted = name.span.length() > name.name.len();
        if Name::is_word(&name.name) && !quoted {
            self.check_reserved(name);
            return;
        }
        if quoted && Name::is_word(&name.name) {
            self.report(
                Diagnostic::error(codes::E0012, name.span, "a name stands without quotes")
                    .help(format!("write `{}`", name.name))
                    .fix(name.span, &*name.name),
            );
            return;
        }
        let word = habits::as_word(&name.name);
        let message = format!("`{}` cannot be a name", shown(&name.name));
        let rule = "names have small letters, digits and `-`, begin with a letter, and have at \
                    most 63 characters";
        let diagnostic = Diagnostic::error(codes::E0012, name.span, message);
        self.report(match word {
            Some(word) => diagnostic.help(format!("write `{word}`: {rule}")).fix(name.span, word),
            None => diagnostic.help(rule),
        });
    }

    /// Reports a word of the language where a name should be.
    pub(super) fn check_reserved(&mut self, name: &Ident) {
        if habits::is_reserved(&name.name) {
            let message =
                format!("`{0}` is a word of the language and cannot be a name", name.name);
            self.report(
                Diagnostic::error(codes::E0012, name.span, message)
                    .help(format!("choose another name, such as `{0}-1`", name.name)),
            );
        }
    }

    /// `for n in 1..=3`
    pub(super) fn repeat(&mut self, node: Node<'t>, depth: usize) -> Repeat {
        let span = self.node_span(&node);
        let mut parts = node.into_children().peekable();
        let first = parts.next().map_or_else(|| self.word_at(0), |word| self.ident(&word));
        let second = parts.next_if(|part| part.rule() == Rule::word).map(|word| self.ident(&word));
        let over = match parts.next() {
            Some(over) => self.value(over, depth + 1),
            None => self.bad_expression(self.text.len(), self.text.len()),
        };
        Repeat { first, second, over, span }
    }

    /// `component name { … }` or `check name { … }`
    pub(super) fn named_body(
        &mut self,
        node: Node<'t>,
        doc: Option<Arc<str>>,
        depth: usize,
    ) -> Statement {
        let (rule, start, span) = (node.rule(), node.start(), self.node_span(&node));
        let head = self.head(node, depth);
        let what = if rule == Rule::check_s { "check" } else { "component" };
        let Some(name) = self.only_name(&head, what) else {
            return self.bad_range(span, None);
        };
        let (head, body) = (self.span(start, head.end), head.body);
        if rule == Rule::check_s {
            Statement::Check(Box::new(Check { doc, name, body, head, span }))
        } else {
            Statement::Component(Box::new(Component { doc, name, body, head, span }))
        }
    }

    fn only_name(&mut self, head: &Head, what: &str) -> Option<Ident> {
        let name = head.words.first()?.clone();
        let kind = Ident { name: Name::shared(what), span: name.span };
        self.check_labels(&kind, &head.words);
        Some(name)
    }

    /// `if cond { … } else { … }`
    pub(super) fn condition(&mut self, node: Node<'t>, depth: usize) -> Statement {
        let span = self.node_span(&node);
        if depth > super::MAX_DEPTH {
            self.too_deep(span);
            return self.bad_range(span, None);
        }
        let mut parts = node.into_children();
        let condition = self.part(&mut parts, depth);
        let mut bodies = [Vec::new(), Vec::new()];
        for (body, part) in bodies.iter_mut().zip(parts) {
            *body = match part.rule() {
                Rule::if_s => vec![self.condition(part, depth + 1)],
                _ => self.statements(part.into_children(), depth + 1),
            };
        }
        let [then, otherwise] = bodies;
        Statement::If(Box::new(If { condition, then, otherwise, span }))
    }

    /// A block whose head is broken: the kind, the name and the body are kept.
    pub(super) fn bad_head(
        &mut self,
        node: Node<'t>,
        doc: Option<Arc<str>>,
        depth: usize,
    ) -> Statement {
        let span = self.node_span(&node);
        let mut parts = node.into_children();
        let Some(junk) = parts.next() else {
            return self.bad_range(span, None);
        };
        let (start, text) = (junk.start(), junk.text().trim_end());
        let head = self.span(start, start + text.len());
        self.explain_head(start, text);
        let (form, start, text) = match text.strip_prefix("existing ").map(str::trim_start) {
            Some(rest) => (BlockForm::Existing, start + text.len() - rest.len(), rest),
            None => (BlockForm::Own, start, text),
        };
        let kind = self.word_at(start);
        let name = self.name_in_head(start, text);
        let body = body_of(parts).map(|body| self.statements(body, depth + 1)).unwrap_or_default();
        let (repeat, condition) = (None, None);
        if kind.name == "component" {
            return match name {
                Some(name) => {
                    Statement::Component(Box::new(Component { doc, name, body, head, span }))
                }
                None => self.bad_range(span, None),
            };
        }
        Statement::Block(Box::new(Block {
            doc,
            form,
            kind,
            name,
            repeat,
            condition,
            body,
            head,
            span,
        }))
    }

    fn name_in_head(&self, start: usize, text: &str) -> Option<Ident> {
        let kind = self.word_range(start).len();
        let rest = text.get(kind..)?;
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '"']).len();
        let name = self.word_at(start + kind + blank);
        (!name.name.is_empty() && blank > 0).then_some(name)
    }

    pub(super) fn bad_range(&self, span: tcloud_model::Span, name: Option<Ident>) -> Statement {
        Statement::Bad(Bad { name, span })
    }
}

fn body_of<'t>(mut parts: Nodes<'t>) -> Option<Nodes<'t>> {
    parts.find(|part| part.rule() == Rule::braces).map(Node::into_children)
}
