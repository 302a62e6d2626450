//! Types in their usual form.

use super::layout::{Commas, is_comment};
use super::{Printer, pad};
use crate::parse::{Node, Rule};

impl<'t> Printer<'t> {
    /// A type on one line, unless the author opened an object over several.
    pub(super) fn flat_type(&self, node: &Node<'t>) -> Option<String> {
        let mut out = String::new();
        match node.rule() {
            Rule::type_e => {
                for part in node.clone().into_children() {
                    if !out.is_empty() {
                        out.push_str(if part.rule() == Rule::type_a { " | " } else { " where " });
                    }
                    out.push_str(&self.flat(&part)?);
                }
            }
            Rule::type_a => {
                for part in node.clone().into_children() {
                    out.push_str(&self.flat(&part)?);
                }
            }
            Rule::type_p => {
                out = format!("({})", self.flat(&node.clone().into_children().next()?)?);
            }
            Rule::generic => {
                out = format!("<{}>", self.flat(&node.clone().into_children().next()?)?);
            }
            Rule::rfield => return self.record_field(node, &|part| self.flat(part)),
            _ => {
                let fields = self.record_fields(node);
                if self.opened(node, &fields) || fields.iter().any(is_comment) {
                    return None;
                }
                let all: Option<Vec<String>> =
                    fields.iter().map(|field| self.flat(field)).collect();
                out = match all?.join(", ") {
                    fields if fields.is_empty() => "{}".to_owned(),
                    fields => format!("{{ {fields} }}"),
                };
            }
        }
        Some(out)
    }

    /// A type over several lines.
    pub(super) fn broken_type(&self, node: &Node<'t>, indent: usize) -> String {
        let mut out = String::new();
        match node.rule() {
            Rule::record => {
                let fields = self.record_fields(node);
                out.push_str("{\n");
                out.push_str(&self.lines(&fields, indent + 1, Commas::None, &|field| {
                    let print = |part: &Node<'t>| Some(self.value(part, indent + 1, 0));
                    self.record_field(field, &print).unwrap_or_else(|| field.text().to_owned())
                }));
                out.push('\n');
                out.push_str(&pad(indent));
                out.push('}');
            }
            rule => {
                let (before, after) = match rule {
                    Rule::type_p => ("(", ")"),
                    Rule::generic => ("<", ">"),
                    _ => ("", ""),
                };
                out.push_str(before);
                for (number, part) in node.clone().into_children().enumerate() {
                    if number > 0 && rule == Rule::type_e {
                        out.push_str(if part.rule() == Rule::type_a { " | " } else { " where " });
                    }
                    out.push_str(&self.value(&part, indent, 0));
                }
                out.push_str(after);
            }
        }
        out
    }

    fn record_fields(&self, node: &Node<'t>) -> Vec<Node<'t>> {
        node.clone().into_children().with_comments().collect()
    }

    /// `a?: T`
    fn record_field(
        &self,
        node: &Node<'t>,
        print: &dyn Fn(&Node<'t>) -> Option<String>,
    ) -> Option<String> {
        let mut out = String::new();
        for part in node.clone().into_children() {
            match part.rule() {
                Rule::word | Rule::opt => out.push_str(part.text()),
                _ => {
                    out.push_str(": ");
                    out.push_str(&print(&part)?);
                }
            }
        }
        Some(out)
    }
}
