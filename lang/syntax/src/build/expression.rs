//! Expressions: literals, paths, operators.

use std::iter::Peekable;

use tcloud_model::{Diagnostic, Name, Span, Value, codes};

use super::{Builder, MAX_DEPTH};
use crate::ast::{BinaryOp, Expr, ExprKind, Ident, UnaryOp};
use crate::foreign;
use crate::literal;
use crate::parse::{Node, Nodes, Rule};

/// How tightly operators bind, loosest first; see [`binary`].
const COMPARISON: u8 = 3;

/// An operator by its sign: what it is and how tightly it binds.
fn binary(sign: &str) -> (BinaryOp, u8) {
    match sign {
        "||" => (BinaryOp::Or, 1),
        "&&" => (BinaryOp::And, 2),
        "==" => (BinaryOp::Equal, COMPARISON),
        "!=" => (BinaryOp::NotEqual, COMPARISON),
        "<" => (BinaryOp::Less, COMPARISON),
        "<=" => (BinaryOp::LessEqual, COMPARISON),
        ">" => (BinaryOp::Greater, COMPARISON),
        ">=" => (BinaryOp::GreaterEqual, COMPARISON),
        "in" => (BinaryOp::In, COMPARISON),
        "??" => (BinaryOp::Default, 4),
        "+" => (BinaryOp::Add, 6),
        "-" => (BinaryOp::Subtract, 6),
        "*" => (BinaryOp::Multiply, 7),
        "/" => (BinaryOp::Divide, 7),
        "%" => (BinaryOp::Remainder, 7),
        _ => (BinaryOp::Range, 5),
    }
}

impl<'t> Builder<'t, '_> {
    /// Any node that stands for a value.
    pub(super) fn value(&mut self, node: Node<'t>, depth: usize) -> Expr {
        let (start, end) = (node.start(), node.end());
        // Every level takes at least one byte, so short texts cannot be deep.
        if depth > MAX_DEPTH || (end - start > MAX_DEPTH && self.levels(&node) > MAX_DEPTH - depth)
        {
            let span = self.span(start, end);
            self.too_deep(span);
            return Expr { kind: ExprKind::Bad, span };
        }
        match node.rule() {
            Rule::num | Rule::ip6 => self.literal(node.text(), start),
            Rule::path => self.path(&node),
            Rule::expr => self.operators(node, depth),
            Rule::str_lit => {
                let inner = node.text().get(1..end - start - 1).unwrap_or("");
                self.plain(Value::text(inner), start, end)
            }
            Rule::raw => self.raw_text(&node),
            Rule::string | Rule::block_str => self.template(node, depth),
            Rule::list => self.list(node, depth),
            Rule::object => self.object(node, depth),
            Rule::paren => {
                let span = self.node_span(&node);
                let mut parts = node.into_children();
                let inner = self.before_tail(&mut parts, depth);
                Expr { kind: ExprKind::Paren(Box::new(inner)), span }
            }
            Rule::if_e => {
                let span = self.node_span(&node);
                let mut parts = node.into_children();
                let parts: [_; 3] = std::array::from_fn(|_| parts.next());
                let [Some(condition), Some(then), Some(otherwise)] = parts else {
                    self.check_word("if", start);
                    return Expr { kind: ExprKind::Bad, span };
                };
                let parts = [condition, then, otherwise].map(|part| self.value(part, depth + 1));
                Expr { kind: ExprKind::If(Box::new(parts)), span }
            }
            _ => self.bad_expression(start, end),
        }
    }

    /// How many levels of tree the node itself makes, without what is in brackets.
    fn levels(&self, node: &Node<'t>) -> usize {
        match node.rule() {
            Rule::path => node.text().bytes().filter(|b| *b == b'.').count(),
            Rule::expr => node
                .clone()
                .into_children()
                .map(|part| match part.rule() {
                    Rule::path | Rule::get => {
                        part.text().bytes().filter(|b| *b == b'.').count() + 1
                    }
                    _ => 1,
                })
                .sum(),
            _ => 1,
        }
    }

    pub(super) fn too_deep(&mut self, span: Span) {
        let message = "this expression is nested too deeply";
        let head = Span { end: span.start, ..span };
        self.report(
            Diagnostic::error(codes::E0006, head, message).help(format!(
                "at most {MAX_DEPTH} levels are allowed; give parts names with `let`"
            )),
        );
    }

    fn plain(&self, value: Value, start: usize, end: usize) -> Expr {
        Expr { kind: ExprKind::Literal(value), span: self.span(start, end) }
    }

    fn literal(&mut self, text: &str, start: usize) -> Expr {
        let end = start + text.len();
        match literal::read(text) {
            Ok(value) => self.plain(value, start, end),
            Err(fault) => {
                let span = self.span(start + fault.range.start, start + fault.range.end);
                let whole = self.span(start, end);
                let diagnostic = Diagnostic::error(fault.code, span, fault.message)
                    .label(fault.label)
                    .help(fault.help);
                self.report(match fault.instead {
                    Some(instead) => diagnostic.fix(whole, instead),
                    None => diagnostic,
                });
                Expr { kind: ExprKind::Bad, span: whole }
            }
        }
    }

    /// A dotted path, `true` and `false`, or an address that begins with a letter.
    fn path(&mut self, node: &Node<'t>) -> Expr {
        let (text, start) = (node.text(), node.start());
        match text {
            "true" => return self.plain(Value::Bool(true), start, node.end()),
            "false" => return self.plain(Value::Bool(false), start, node.end()),
            _ if text.contains(':') => return self.literal(text, start),
            _ => {}
        }
        let (first, rest) = text.split_once('.').unwrap_or((text, ""));
        self.check_word(first, start);
        let base = Expr {
            kind: ExprKind::Name(Name::shared(first)),
            span: self.span(start, start + first.len()),
        };
        if first.len() == text.len() {
            return base;
        }
        self.fields(base, rest, start + first.len() + 1)
    }

    /// Words that build expressions are not names.
    pub(super) fn check_word(&mut self, word: &str, start: usize) {
        if !matches!(word, "if" | "then" | "else" | "for" | "in") {
            return;
        }
        let end = self.code_end(start);
        if self.foreign_word(start, end) {
            return;
        }
        let span = self.span(start, start + word.len());
        let help = match word {
            "if" | "then" | "else" => "a choice is written `if condition then value else value`",
            _ => "a list is made by `[for x in xs : value]`",
        };
        let rest = self.text.get(start..end).unwrap_or("");
        let message = match word {
            "if" if !rest.contains(" then ") => "this `if` has no `then`".to_owned(),
            "if" if !rest.contains(" else ") => "this `if` has no `else`".to_owned(),
            "for" => "this `for` cannot be read".to_owned(),
            _ => format!("`{word}` is a word of the language, not a name"),
        };
        self.report(Diagnostic::error(codes::E0012, span, message).help(help));
    }

    /// Adds `.a.b` to an expression.
    fn fields(&mut self, mut base: Expr, path: &str, mut at: usize) -> Expr {
        for part in path.split('.') {
            let span = self.span(at, at + part.len());
            if part.is_empty() && foreign::is_cut(self.text, at) {
                // What follows the dot is told as a whole.
                return Expr { kind: ExprKind::Bad, span: base.span.to(span) };
            }
            at += part.len() + 1;
            if part.is_empty() {
                let dot = Span { start: span.start.saturating_sub(1), ..span };
                self.report(
                    Diagnostic::error(codes::E0005, dot, "a name is missing after the dot")
                        .help("write the rest of the path, or remove the dot"),
                );
                return Expr { kind: ExprKind::Bad, span: base.span.to(span) };
            }
            let whole = base.span.to(span);
            let ident = Ident { name: Name::shared(part), span };
            if part.starts_with(|c: char| c.is_ascii_digit()) {
                let fix = Span { start: span.start.saturating_sub(1), ..span };
                self.report(
                    Diagnostic::error(codes::E0010, span, "an element is taken with brackets")
                        .help(format!("write `[{part}]`"))
                        .fix(fix, format!("[{part}]")),
                );
            }
            base = Expr { kind: ExprKind::Field(Box::new(base), ident), span: whole };
        }
        base
    }

    /// Operands and operators in a row.
    fn operators(&mut self, node: Node<'t>, depth: usize) -> Expr {
        let depth =
            depth + if node.end() - node.start() > MAX_DEPTH { self.levels(&node) } else { 1 };
        let mut nodes = node.into_children().peekable();
        self.climb(&mut nodes, 0, depth)
    }

    /// Takes operators that bind at least as tightly as `least`.
    fn climb(&mut self, nodes: &mut Peekable<Nodes<'t>>, least: u8, depth: usize) -> Expr {
        let mut left = self.operand(nodes, depth);
        let mut compared: Option<Span> = None;
        while let Some(sign) = nodes.peek() {
            let (operator, binds) = binary(sign.text());
            if binds < least {
                break;
            }
            let span = self.node_span(sign);
            self.check_operator(sign.text(), span, binds, &mut compared);
            nodes.next();
            // `??` groups to the right, everything else to the left.
            let next = if operator == BinaryOp::Default { binds } else { binds + 1 };
            let right = self.climb(nodes, next, depth);
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Binary(operator, Box::new([left, right])), span };
        }
        left
    }

    fn check_operator(&mut self, sign: &str, span: Span, binds: u8, compared: &mut Option<Span>) {
        if sign == ".." {
            self.report(
                Diagnostic::error(codes::E0014, span, "a range is written `..=`")
                    .help("a range includes both ends: `1..=3` is 1, 2 and 3")
                    .fix(span, "..="),
            );
        }
        if binds == COMPARISON
            && let Some(first) = compared.replace(span)
        {
            let help = "join two comparisons with `&&`, or use `x in a..=b`";
            self.report(
                Diagnostic::error(codes::E0014, span, "comparisons cannot follow each other")
                    .also(first, "the first comparison")
                    .help(help),
            );
        }
    }

    /// `-`, `!`, the operand itself, and what follows it directly.
    fn operand(&mut self, nodes: &mut Peekable<Nodes<'t>>, depth: usize) -> Expr {
        let mut prefixes = Vec::new();
        while let Some(prefix) = nodes.next_if(|node| node.rule() == Rule::prefix) {
            prefixes.push(prefix);
        }
        let mut operand = match nodes.next() {
            Some(node) => self.value(node, depth),
            None => self.bad_expression(self.text.len(), self.text.len()),
        };
        let postfix = |node: &Node<'_>| matches!(node.rule(), Rule::args | Rule::index | Rule::get);
        while let Some(node) = nodes.next_if(postfix) {
            operand = self.postfix(operand, node, depth);
        }
        for prefix in prefixes.into_iter().rev() {
            let span = self.node_span(&prefix).to(operand.span);
            let operator = if prefix.text() == "!" { UnaryOp::Not } else { UnaryOp::Negate };
            operand = Expr { kind: ExprKind::Unary(operator, Box::new(operand)), span };
        }
        operand
    }

    fn postfix(&mut self, base: Expr, node: Node<'t>, depth: usize) -> Expr {
        let whole = base.span.to(self.node_span(&node));
        match node.rule() {
            Rule::args => self.call(base, node, depth),
            Rule::index => {
                let mut parts = node.into_children().peekable();
                if parts.next_if(|part| part.rule() == Rule::star).is_some() {
                    self.bracket_star(base.span, whole);
                    return Expr { kind: ExprKind::Star(Box::new(base)), span: whole };
                }
                let index = self.before_tail(&mut parts, depth);
                Expr { kind: ExprKind::Index(Box::new(base), Box::new(index)), span: whole }
            }
            _ => match node.into_children().next() {
                Some(star) if star.rule() == Rule::star => {
                    Expr { kind: ExprKind::Star(Box::new(base)), span: whole }
                }
                Some(path) => self.fields(base, path.text(), path.start()),
                None => base,
            },
        }
    }

    /// `vm.web[*]` of other tools.
    fn bracket_star(&mut self, base: Span, whole: Span) {
        let brackets = Span { start: base.end, ..whole };
        self.report(
            Diagnostic::error(codes::E0010, brackets, "all instances are written `.*`")
                .help("write `.*` instead of `[*]`")
                .fix(brackets, ".*"),
        );
    }
}
