//! Statements in their usual form.

use super::layout::{Commas, is_comment};
use super::{Printer, Style, WIDTH, pad};
use crate::build::word_length;
use crate::parse::{Node, Rule};

impl<'t> Printer<'t> {
    /// Statements, each on a line of its own, without a newline at the end.
    pub(super) fn statements(&self, nodes: &[Node<'t>], indent: usize) -> String {
        self.lines(nodes, indent, Commas::None, &|node| self.statement(node, indent))
    }

    fn statement(&self, node: &Node<'t>, indent: usize) -> String {
        if self.has_loose_comment(node) {
            return node.text().to_owned();
        }
        if let Some(flat) = self.styled(node, Style { flat: true, indent })
            && 2 * indent + flat.chars().count() <= WIDTH
        {
            return flat;
        }
        let broken = self.styled(node, Style { flat: false, indent });
        broken.unwrap_or_else(|| node.text().to_owned())
    }

    /// A statement in a style; nothing when it does not go on one line.
    fn styled(&self, node: &Node<'t>, style: Style) -> Option<String> {
        let children: Vec<Node<'t>> = node.clone().into_children().collect();
        let parts = children.as_slice();
        let mut out = String::new();
        match (node.rule(), parts) {
            (Rule::attr, [.., value]) => {
                out.push_str(&node.text()[..word_length(node.text())]);
                out.push_str(" = ");
                self.push(&mut out, value, style)?;
            }
            (Rule::block, _) => self.block(&mut out, "", parts, style)?,
            (Rule::existing_s, _) => self.block(&mut out, "existing", parts, style)?,
            (Rule::defaults_s, _) => self.block(&mut out, "defaults", parts, style)?,
            (Rule::component_s, _) => self.block(&mut out, "component", parts, style)?,
            (Rule::check_s, _) => self.block(&mut out, "check", parts, style)?,
            (Rule::if_s, _) => self.choice(&mut out, parts, style)?,
            (Rule::let_s, _) => self.definition(&mut out, "let", parts, style)?,
            (Rule::param_s, _) => self.definition(&mut out, "param", parts, style)?,
            (Rule::output_s, _) => self.definition(&mut out, "output", parts, style)?,
            (Rule::fn_s, [name, rest @ ..]) => self.function(&mut out, name, rest, style)?,
            (Rule::type_s, [name, ty]) => {
                out = format!("type {} = ", name.text());
                self.push(&mut out, ty, style)?;
            }
            (Rule::use_s, [source]) => out = format!("use {}", source.text()),
            (Rule::use_s, [source, alias]) => {
                out = format!("use {} as {}", source.text(), alias.text());
            }
            (Rule::assert_s, [condition]) => {
                self.joined(&mut out, &["assert "], std::slice::from_ref(condition), style)?;
            }
            (Rule::assert_s, [condition, message]) => {
                self.assert(&mut out, condition, message, style)?;
            }
            (Rule::moved_s, _) => self.joined(&mut out, &["moved ", " -> "], parts, style)?,
            (Rule::adopt_s, _) => {
                self.joined(&mut out, &["adopt ", " from ", " on "], parts, style)?;
            }
            (Rule::forget_s, _) => self.joined(&mut out, &["forget "], parts, style)?,
            (Rule::in_s, _) => {
                out.push_str("in");
                for word in parts {
                    out.push(' ');
                    out.push_str(word.text());
                }
            }
            _ => return None,
        }
        Some(out)
    }

    /// Expressions with a text before each.
    fn joined(
        &self,
        out: &mut String,
        before: &[&str],
        parts: &[Node<'t>],
        style: Style,
    ) -> Option<()> {
        for (text, part) in before.iter().zip(parts) {
            out.push_str(text);
            self.push(out, part, style)?;
        }
        Some(())
    }

    /// `assert condition, message`; a message that does not fit begins the next line.
    fn assert(
        &self,
        out: &mut String,
        condition: &Node<'t>,
        message: &Node<'t>,
        style: Style,
    ) -> Option<()> {
        out.push_str("assert ");
        self.push(out, condition, style)?;
        let written = self.newline(condition.end(), message.start());
        let text = self.flat(message)?;
        let fits = style.column(out) + 2 + text.chars().count() <= WIDTH;
        if !written && (style.flat || fits) {
            out.push_str(", ");
        } else if style.flat {
            return None;
        } else {
            out.push_str(&format!(",\n{}", pad(style.indent + 1)));
        }
        out.push_str(&text);
        Some(())
    }

    /// `kind name for … if … { … }`
    fn block(&self, out: &mut String, word: &str, parts: &[Node<'t>], style: Style) -> Option<()> {
        out.push_str(word);
        for part in parts {
            if !out.is_empty() {
                out.push(' ');
            }
            match part.rule() {
                Rule::braces => self.body(out, part, style)?,
                Rule::for_c => self.for_clause(out, part, style)?,
                Rule::if_c => {
                    out.push_str("if ");
                    self.push(out, &part.clone().into_children().next()?, style)?;
                }
                _ => out.push_str(part.text()),
            }
        }
        Some(())
    }

    /// `for k, v in xs`
    pub(super) fn for_clause(&self, out: &mut String, node: &Node<'t>, style: Style) -> Option<()> {
        let mut before = "for ";
        for part in node.clone().into_children() {
            match part.rule() {
                Rule::word => {
                    out.push_str(before);
                    out.push_str(part.text());
                    before = ", ";
                }
                _ => {
                    out.push_str(if before == ", " { " in " } else { " if " });
                    before = "";
                    self.push(out, &part, style)?;
                }
            }
        }
        Some(())
    }

    /// `{ … }`: on one line when the author wrote it so and it fits.
    fn body(&self, out: &mut String, node: &Node<'t>, style: Style) -> Option<()> {
        let nodes: Vec<Node<'t>> = node.clone().into_children().with_comments().collect();
        if nodes.is_empty() {
            out.push_str("{}");
            return Some(());
        }
        if let Some(flat) = self.flat_body(node, &nodes, style.indent) {
            let fits = style.column(out) + flat.chars().count() <= WIDTH;
            if style.flat || fits {
                out.push_str(&flat);
                return Some(());
            }
        }
        if style.flat {
            return None;
        }
        out.push_str("{\n");
        out.push_str(&self.statements(&nodes, style.indent + 1));
        out.push('\n');
        out.push_str(&pad(style.indent));
        out.push('}');
        Some(())
    }

    fn flat_body(&self, node: &Node<'t>, nodes: &[Node<'t>], indent: usize) -> Option<String> {
        if node.text().contains('\n') || nodes.iter().any(is_comment) {
            return None;
        }
        let mut out = "{ ".to_owned();
        for (number, statement) in nodes.iter().enumerate() {
            if number > 0 {
                out.push_str(", ");
            }
            out.push_str(&self.styled(statement, Style { flat: true, indent })?);
        }
        out.push_str(" }");
        Some(out)
    }

    /// `if c { … } else { … }`
    fn choice(&self, out: &mut String, parts: &[Node<'t>], style: Style) -> Option<()> {
        let [condition, then, rest @ ..] = parts else { return None };
        out.push_str("if ");
        self.push(out, condition, style)?;
        out.push(' ');
        self.body(out, then, style)?;
        let Some(otherwise) = rest.first() else { return Some(()) };
        out.push_str(" else ");
        if otherwise.rule() == Rule::if_s {
            let parts: Vec<Node<'t>> = otherwise.clone().into_children().collect();
            return self.choice(out, &parts, style);
        }
        self.body(out, otherwise, style)
    }

    /// `let name: Type = value`
    fn definition(
        &self,
        out: &mut String,
        word: &str,
        parts: &[Node<'t>],
        style: Style,
    ) -> Option<()> {
        out.push_str(word);
        for part in parts {
            out.push_str(match part.rule() {
                Rule::word => " ",
                Rule::type_e => ": ",
                _ => " = ",
            });
            self.push(out, part, style)?;
        }
        Some(())
    }

    /// `fn name(a: A): B = expr`
    fn function(
        &self,
        out: &mut String,
        name: &Node<'t>,
        parts: &[Node<'t>],
        style: Style,
    ) -> Option<()> {
        out.push_str("fn ");
        out.push_str(name.text());
        out.push('(');
        let params = parts.iter().take_while(|part| part.rule() == Rule::fparam);
        let count = params.clone().count();
        for (number, param) in params.enumerate() {
            if number > 0 {
                out.push_str(", ");
            }
            let mut inner = param.clone().into_children();
            out.push_str(inner.next()?.text());
            out.push_str(": ");
            self.push(out, &inner.next()?, style)?;
        }
        out.push(')');
        for part in parts.iter().skip(count) {
            out.push_str(if part.rule() == Rule::type_e { ": " } else { " = " });
            self.push(out, part, style)?;
        }
        Some(())
    }

    /// Adds a value, a type or a word.
    pub(super) fn push(&self, out: &mut String, node: &Node<'t>, style: Style) -> Option<()> {
        if style.flat {
            out.push_str(&self.flat(node)?);
        } else {
            out.push_str(&self.value(node, style.indent, style.column(out)));
        }
        Some(())
    }
}
