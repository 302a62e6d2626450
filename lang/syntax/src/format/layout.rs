//! Lines of statements, elements and fields, with the comments and blank lines between them.

use super::{Printer, pad};
use crate::parse::{Node, Rule};

/// Whether a comma follows each line's content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Commas {
    After,
    None,
}

impl<'t> Printer<'t> {
    /// Each node on a line of its own. A comment stays on the line that it was written on.
    pub(super) fn lines(
        &self,
        nodes: &[Node<'t>],
        indent: usize,
        commas: Commas,
        print: &dyn Fn(&Node<'t>) -> String,
    ) -> String {
        let mut out = String::new();
        let mut last: Option<usize> = None;
        for node in nodes {
            let gap = self.text.get(last.unwrap_or(node.start())..node.start()).unwrap_or("");
            let newlines = gap.matches('\n').count();
            let comment = is_comment(node);
            if comment && last.is_some() && newlines == 0 {
                out.push(' ');
            } else {
                if last.is_some() {
                    out.push_str(if newlines > 1 { "\n\n" } else { "\n" });
                }
                out.push_str(&pad(indent));
            }
            last = Some(node.end());
            if comment {
                out.push_str(&comment_text(node.text()));
            } else {
                out.push_str(&print(node));
                if commas == Commas::After {
                    out.push(',');
                }
            }
        }
        out
    }

    /// Whether the author began a new line between two bytes.
    pub(super) fn newline(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|gap| gap.contains('\n'))
    }

    /// Whether comments stand where they cannot be moved from: inside an operator's line, a head, …
    /// Bodies, lists, objects and arguments print theirs themselves; one that a `for` fills has no
    /// lines to put them on.
    pub(super) fn has_loose_comment(&self, node: &Node<'t>) -> bool {
        // Without any sign of a comment there is none.
        if !node.text().contains("//") && !node.text().contains('#') {
            return false;
        }
        let own = match node.rule() {
            Rule::braces | Rule::args | Rule::record => true,
            Rule::list | Rule::object => {
                let first = node.clone().into_children().next();
                first.is_none_or(|first| first.rule() != Rule::for_h)
            }
            _ => false,
        };
        node.clone().into_children().with_comments().any(|child| {
            let here = is_comment(&child);
            (here && !own)
                || (!here && child.rule() != Rule::braces && self.has_loose_comment(&child))
        })
    }
}

pub(super) fn is_comment(node: &Node<'_>) -> bool {
    matches!(node.rule(), Rule::comment | Rule::doc)
}

/// A comment with the sign `//`.
fn comment_text(text: &str) -> String {
    let text = text.trim_end();
    match text.strip_prefix('#') {
        // A third slash would make it documentation.
        Some(rest) if rest.starts_with('/') => format!("// {rest}"),
        Some(rest) => format!("//{rest}"),
        None => text.to_owned(),
    }
}
