//! Expressions in their usual form. Literals stay as they were written.

use super::layout::{Commas, is_comment};
use super::{Printer, Style, WIDTH, pad};
use crate::parse::{Node, Rule};

impl<'t> Printer<'t> {
    /// A value that begins at a column: on one line if it goes there.
    pub(super) fn value(&self, node: &Node<'t>, indent: usize, column: usize) -> String {
        if let Some(flat) = self.flat(node)
            && column + flat.chars().count() <= WIDTH
        {
            return flat;
        }
        match node.rule() {
            Rule::list | Rule::args => self.broken_list(node, indent, column),
            Rule::object => self.broken_object(node, indent),
            Rule::expr => self.chain(node, indent, column),
            Rule::if_e => self.broken_choice(node, indent),
            Rule::paren => self.wrapped("(", node, ")", indent, column),
            Rule::index => self.wrapped("[", node, "]", indent, column),
            Rule::named => self.assigned(node, " = ", indent, column),
            Rule::lambda => self.assigned(node, " => ", indent, column),
            Rule::field => self.assigned(node, " = ", indent, column),
            Rule::type_e | Rule::type_a | Rule::type_p | Rule::generic | Rule::record => {
                self.broken_type(node, indent)
            }
            _ => node.text().to_owned(),
        }
    }

    /// A node on one line; nothing when the author opened it over several lines, or when it has
    /// comments or a block text.
    pub(super) fn flat(&self, node: &Node<'t>) -> Option<String> {
        match node.rule() {
            Rule::expr => self.flat_chain(node),
            Rule::list | Rule::args => self.flat_list(node),
            Rule::object => self.flat_object(node),
            Rule::paren => self.flat_inside("(", node, ")"),
            Rule::index => self.flat_inside("[", node, "]"),
            Rule::named => self.flat_assigned(node, " = "),
            Rule::lambda => self.flat_assigned(node, " => "),
            Rule::field => self.flat_assigned(node, " = "),
            Rule::if_e => {
                let parts: Vec<Node<'t>> = node.clone().into_children().collect();
                let [condition, then, otherwise] = parts.as_slice() else { return None };
                if self.newline(condition.end(), then.start())
                    || self.newline(then.end(), otherwise.start())
                {
                    return None;
                }
                let (c, a) = (self.flat(condition)?, self.flat(then)?);
                Some(format!("if {c} then {a} else {}", self.flat(otherwise)?))
            }
            Rule::get => {
                if self.newline(node.start(), node.end()) {
                    return None;
                }
                let inner = node.clone().into_children().next()?;
                Some(format!(".{}", inner.text()))
            }
            Rule::type_e
            | Rule::type_a
            | Rule::type_p
            | Rule::generic
            | Rule::record
            | Rule::rfield => self.flat_type(node),
            _ => Some(node.text().to_owned()).filter(|text| !text.contains('\n')),
        }
    }

    /// Whether the author began a new line right after the opening bracket.
    pub(super) fn opened(&self, node: &Node<'t>, inner: &[Node<'t>]) -> bool {
        inner.first().is_some_and(|first| self.newline(node.start(), first.start()))
    }

    fn inner(&self, node: &Node<'t>) -> Vec<Node<'t>> {
        node.clone().into_children().with_comments().collect()
    }

    fn flat_inside(&self, open: &str, node: &Node<'t>, close: &str) -> Option<String> {
        let inner = self.inner(node);
        match inner.as_slice() {
            [only] if !self.opened(node, &inner) => {
                Some(format!("{open}{}{close}", self.flat(only)?))
            }
            _ => None,
        }
    }

    fn wrapped(
        &self,
        open: &str,
        node: &Node<'t>,
        close: &str,
        indent: usize,
        column: usize,
    ) -> String {
        let inner = self.inner(node);
        match inner.as_slice() {
            // Brackets whose content is too long for the line are opened, as the author may do it.
            [only] if self.opened(node, &inner) || self.is_long_condition(only) => {
                let inside = self.value(only, indent + 1, 2 * (indent + 1));
                format!("{open}\n{}{inside}\n{}{close}", pad(indent + 1), pad(indent))
            }
            [only] => format!("{open}{}{close}", self.value(only, indent, column + open.len())),
            _ => node.text().to_owned(),
        }
    }

    fn flat_assigned(&self, node: &Node<'t>, sign: &str) -> Option<String> {
        match self.inner(node).as_slice() {
            [name, value] => Some(format!("{}{sign}{}", name.text(), self.flat(value)?)),
            _ => None,
        }
    }

    fn assigned(&self, node: &Node<'t>, sign: &str, indent: usize, column: usize) -> String {
        match self.inner(node).as_slice() {
            [name, value] => {
                let before = format!("{}{sign}", name.text());
                let column = column + before.chars().count();
                format!("{before}{}", self.value(value, indent, column))
            }
            _ => node.text().to_owned(),
        }
    }

    // ---- operators

    fn flat_chain(&self, node: &Node<'t>) -> Option<String> {
        let mut out = String::new();
        let mut last = None;
        for part in self.inner(node) {
            if is_comment(&part) || last.is_some_and(|last| self.newline(last, part.start())) {
                return None;
            }
            last = Some(part.end());
            match part.rule() {
                Rule::op => out.push_str(&spaced(part.text())),
                _ => out.push_str(&self.flat(&part)?),
            }
        }
        Some(out)
    }

    /// Whether something that the author wrote on one line is a condition of several parts.
    fn is_long_condition(&self, node: &Node<'t>) -> bool {
        let joins = |part: &Node<'t>| matches!(part.text(), "&&" | "||");
        node.rule() == Rule::expr && self.flat(node).is_some() && self.inner(node).iter().any(joins)
    }

    /// Operands and operators; where the author began a new line, one begins before the operator.
    /// A condition on one line that is too long begins one before each of its parts.
    fn chain(&self, node: &Node<'t>, indent: usize, column: usize) -> String {
        let parts = self.inner(node);
        let too_long = self.is_long_condition(node);
        let style = Style { flat: false, indent };
        let mut out = String::new();
        let mut inside = indent;
        let mut at = column;
        for (number, part) in parts.iter().enumerate() {
            let before = number.checked_sub(1).and_then(|before| parts.get(before));
            let newline = |a: Option<&Node<'t>>, b: Option<&Node<'t>>| match (a, b) {
                (Some(a), Some(b)) => self.newline(a.end(), b.start()),
                _ => false,
            };
            match part.rule() {
                // `in` cannot begin a line: it would be read as a statement.
                Rule::op if part.text() != "in" => {
                    let broken = newline(before, Some(part))
                        || newline(Some(part), parts.get(number + 1))
                        || (too_long && matches!(part.text(), "&&" | "||"));
                    if broken {
                        inside = indent + 1;
                        out.push_str(&format!("\n{}{} ", pad(inside), part.text()));
                    } else {
                        out.push_str(&spaced(part.text()));
                    }
                }
                Rule::op => out.push_str(" in "),
                Rule::get => {
                    let inner = part.clone().into_children().next();
                    let text = inner.map_or("", |inner| inner.text());
                    if self.newline(part.start(), part.end()) {
                        inside = indent + 1;
                        out.push_str(&format!("\n{}.{text}", pad(inside)));
                    } else {
                        out.push_str(&format!(".{text}"));
                    }
                }
                _ => out.push_str(&self.value(part, inside, at)),
            }
            at = match out.rsplit_once('\n') {
                Some((_, line)) => line.chars().count(),
                None => column + style.column(&out) - 2 * indent,
            };
        }
        out
    }

    fn broken_choice(&self, node: &Node<'t>, indent: usize) -> String {
        let parts = self.inner(node);
        let [condition, then, otherwise] = parts.as_slice() else {
            return node.text().to_owned();
        };
        let pad = pad(indent + 1);
        let value = |part: &Node<'t>| self.value(part, indent + 1, 2 * indent + 7);
        let last = match otherwise.clone().into_children().next() {
            // A chain of choices stays in one column.
            Some(inner) if inner.rule() == Rule::if_e => {
                self.value(otherwise, indent, 2 * indent + 7)
            }
            _ => value(otherwise),
        };
        format!("if {}\n{pad}then {}\n{pad}else {last}", value(condition), value(then))
    }

    // ---- brackets

    fn flat_list(&self, node: &Node<'t>) -> Option<String> {
        let inner = self.inner(node);
        if self.opened(node, &inner) || inner.iter().any(is_comment) {
            return None;
        }
        let (open, close) = if node.rule() == Rule::args { ("(", ")") } else { ("[", "]") };
        if let [head, value] = inner.as_slice()
            && head.rule() == Rule::for_h
        {
            return Some(format!("[{}{}]", self.flat_for(head)?, self.flat(value)?));
        }
        let all: Option<Vec<String>> = inner.iter().map(|part| self.flat(part)).collect();
        Some(format!("{open}{}{close}", all?.join(", ")))
    }

    fn flat_for(&self, head: &Node<'t>) -> Option<String> {
        if self.inner(head).iter().any(is_comment) {
            return None;
        }
        let mut out = String::new();
        self.for_clause(&mut out, head, Style { flat: true, indent: 0 })?;
        out.push_str(" : ");
        Some(out)
    }

    fn broken_for(&self, head: &Node<'t>, indent: usize) -> String {
        let mut out = String::new();
        let style = Style { flat: false, indent };
        if self.for_clause(&mut out, head, style).is_none() {
            return head.text().to_owned();
        }
        out.push_str(" : ");
        out
    }

    fn broken_list(&self, node: &Node<'t>, indent: usize, column: usize) -> String {
        let inner = self.inner(node);
        let (open, close) = if node.rule() == Rule::args { ("(", ")") } else { ("[", "]") };
        if let [head, value] = inner.as_slice()
            && head.rule() == Rule::for_h
        {
            let head = self.broken_for(head, indent + 1);
            let column = Style { flat: false, indent: indent + 1 }.column(&head);
            let value = self.value(value, indent + 1, column);
            return format!("[\n{}{head}{value}\n{}]", pad(indent + 1), pad(indent));
        }
        let plain = !self.opened(node, &inner) && !inner.iter().any(is_comment);
        let several_lines = inner.iter().any(|part| self.flat(part).is_none());
        if node.rule() == Rule::args && plain && several_lines {
            // The brackets of an argument that is broken itself stay at those of the call.
            let mut out = open.to_owned();
            for (number, part) in inner.iter().enumerate() {
                if number > 0 {
                    out.push_str(", ");
                }
                let at = column + out.chars().count();
                out.push_str(&self.value(part, indent, at));
            }
            return out + close;
        }
        let lines = self.lines(&inner, indent + 1, Commas::After, &|part| {
            self.value(part, indent + 1, 2 * (indent + 1) + 1)
        });
        format!("{open}\n{lines}\n{}{close}", pad(indent))
    }

    fn flat_object(&self, node: &Node<'t>) -> Option<String> {
        let inner = self.inner(node);
        if self.opened(node, &inner) || inner.iter().any(is_comment) {
            return None;
        }
        if let [head, key, value] = inner.as_slice()
            && head.rule() == Rule::for_h
        {
            let head = self.flat_for(head)?;
            return Some(format!("{{{head}{} => {}}}", self.flat(key)?, self.flat(value)?));
        }
        let all: Option<Vec<String>> = inner.iter().map(|part| self.flat(part)).collect();
        Some(match all?.join(", ") {
            fields if fields.is_empty() => "{}".to_owned(),
            fields => format!("{{ {fields} }}"),
        })
    }

    fn broken_object(&self, node: &Node<'t>, indent: usize) -> String {
        let inner = self.inner(node);
        if let [head, key, value] = inner.as_slice()
            && head.rule() == Rule::for_h
        {
            let style = Style { flat: false, indent: indent + 1 };
            let mut out = self.broken_for(head, indent + 1);
            out.push_str(&self.value(key, style.indent, style.column(&out)));
            out.push_str(" => ");
            out.push_str(&self.value(value, style.indent, style.column(&out)));
            return format!("{{\n{}{out}\n{}}}", pad(indent + 1), pad(indent));
        }
        let lines = self.lines(&inner, indent + 1, Commas::None, &|part| {
            self.value(part, indent + 1, 2 * (indent + 1))
        });
        format!("{{\n{lines}\n{}}}", pad(indent))
    }
}

/// An operator between its operands. Ranges are read as one thing.
fn spaced(sign: &str) -> String {
    match sign {
        "..=" => sign.to_owned(),
        _ => format!(" {sign} "),
    }
}
