//! Statements without a body, and what stands between statements.

use std::sync::Arc;

use tcloud_model::{Diagnostic, Name, Span, codes};

use super::{Builder, join_docs};
use crate::ast::{
    Adopt, Assert, Attribute, Expr, ExprKind, Forget, Function, Ident, Let, Moved, Output, Param,
    Scope, Statement, TypeAlias, TypeExpr, TypeExprKind, Use,
};
use crate::foreign;
use crate::parse::{Node, Nodes, Rule};

impl<'t> Builder<'t, '_> {
    /// Statements in a row, with the comments that document them.
    pub(super) fn statements(&mut self, nodes: Nodes<'t>, depth: usize) -> Vec<Statement> {
        // There are many bodies, and they live as long as the tree.
        let mut statements = Vec::with_capacity(nodes.at_most());
        let mut docs = Vec::new();
        let mut previous: Option<Node<'t>> = None;
        for node in nodes {
            if node.rule() == Rule::doc {
                docs.push(node.text());
                continue;
            }
            let after = previous.and_then(|previous| self.check_separator(&previous, &node));
            previous = Some(node.clone());
            let doc = join_docs(&docs);
            docs.clear();
            if node.rule() == Rule::in_s {
                self.scope(node, statements.is_empty() && depth == 0);
                continue;
            }
            statements.push(match node.rule() {
                Rule::bad | Rule::bad_line | Rule::stray => self.bad_statement(&node, after),
                _ => self.statement(node, doc, depth),
            });
        }
        statements.shrink_to_fit();
        statements
    }

    /// Two statements need something between them. What follows a value directly and is none
    /// itself is explained with that value, whose range is given back.
    fn check_separator(&mut self, before: &Node<'t>, node: &Node<'t>) -> Option<(usize, usize)> {
        let gap = self.gap(before.end(), node.start());
        if gap.commas > 1 {
            let span = self.span(before.end(), node.start());
            self.report_bad(
                Diagnostic::error(codes::E0003, span, "there is a comma too many here")
                    .help("one comma or one newline separates two attributes"),
            );
        }
        if gap.commas > 0 || gap.newline {
            return None;
        }
        let is_bad =
            |node: &Node<'_>| matches!(node.rule(), Rule::bad | Rule::bad_line | Rule::stray);
        if is_bad(node) || node.rule() == Rule::bad_head {
            return Some((value_of(before), before.end()));
        }
        if is_bad(before) {
            return None;
        }
        let what = match (before.rule(), node.rule()) {
            (Rule::attr, Rule::attr) => "attributes",
            _ => "statements",
        };
        let rest = node.text();
        let first = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let span = self.span(node.start(), node.start() + first.max(1));
        let message = format!("two {what} on one line need a comma between them");
        self.report_bad(
            Diagnostic::error(codes::E0003, span, message)
                .label("a comma is missing before this")
                .help("add `,` before it, or begin a new line")
                .fix(self.span(before.end(), node.start()), ", "),
        );
        None
    }

    fn statement(&mut self, node: Node<'t>, doc: Option<Arc<str>>, depth: usize) -> Statement {
        match node.rule() {
            Rule::attr => Statement::Attribute(self.attribute(node, depth)),
            Rule::block | Rule::existing_s | Rule::defaults_s => self.block(node, doc, depth),
            Rule::component_s | Rule::check_s => self.named_body(node, doc, depth),
            Rule::if_s => self.condition(node, depth),
            Rule::bad_head => self.bad_head(node, doc, depth),
            Rule::let_s => self.let_statement(node, depth),
            Rule::param_s => self.param(node, doc, depth),
            Rule::output_s => self.output(node, doc, depth),
            Rule::fn_s => self.function(node, doc, depth),
            Rule::type_s => self.type_alias(node, doc, depth),
            Rule::use_s => self.use_statement(node),
            Rule::assert_s => self.assert(node, depth),
            Rule::moved_s => {
                let span = self.node_span(&node);
                let mut parts = node.into_children();
                let (from, to) = (self.part(&mut parts, depth), self.part(&mut parts, depth));
                Statement::Moved(Box::new(Moved { from, to, span }))
            }
            Rule::adopt_s => {
                let span = self.node_span(&node);
                let mut parts = node.into_children();
                let (address, from) = (self.part(&mut parts, depth), self.part(&mut parts, depth));
                let host = self.part(&mut parts, depth);
                Statement::Adopt(Box::new(Adopt { address, from, host, span }))
            }
            Rule::forget_s => {
                let span = self.node_span(&node);
                let address = self.part(&mut node.into_children(), depth);
                Statement::Forget(Forget { address, span })
            }
            _ => self.bad_statement(&node, None),
        }
    }

    /// The next node as an expression.
    pub(super) fn part(&mut self, nodes: &mut Nodes<'t>, depth: usize) -> Expr {
        match nodes.next() {
            Some(node) => self.value(node, depth + 1),
            None => self.bad_expression(self.text.len(), self.text.len()),
        }
    }

    fn attribute(&mut self, node: Node<'t>, depth: usize) -> Attribute {
        let name = self.word_at(node.start());
        let span = self.node_span(&node);
        let mut parts = node.into_children().peekable();
        if let Some(sign) = parts.next_if(|part| part.rule() == Rule::wrong_eq) {
            self.wrong_sign(&name, &sign);
        }
        let value = match parts.next() {
            Some(value) => self.named_value(&name, value, depth + 1),
            None => self.bad_expression(self.text.len(), self.text.len()),
        };
        Attribute { name, value, span }
    }

    fn let_statement(&mut self, node: Node<'t>, depth: usize) -> Statement {
        let span = self.node_span(&node);
        let mut parts = node.into_children();
        let name = self.next_ident(&mut parts);
        self.check_reserved(&name);
        let (ty, value) = self.type_and_value(parts, depth);
        let value = value.unwrap_or_else(|| self.bad_expression(self.text.len(), self.text.len()));
        Statement::Let(Box::new(Let { name, ty, value, span }))
    }

    fn output(&mut self, node: Node<'t>, doc: Option<Arc<str>>, depth: usize) -> Statement {
        let span = self.node_span(&node);
        let mut parts = node.into_children();
        let name = self.next_ident(&mut parts);
        self.check_reserved(&name);
        let (ty, value) = self.type_and_value(parts, depth);
        let value = value.unwrap_or_else(|| self.bad_expression(self.text.len(), self.text.len()));
        Statement::Output(Box::new(Output { doc, name, ty, value, span }))
    }

    fn param(&mut self, node: Node<'t>, doc: Option<Arc<str>>, depth: usize) -> Statement {
        let (span, end) = (self.node_span(&node), node.end());
        let mut parts = node.into_children();
        let name = self.next_ident(&mut parts);
        self.check_reserved(&name);
        let (ty, mut default) = self.type_and_value(parts, depth);
        let cut = foreign::is_cut(self.text, end);
        if cut && default.is_none() {
            // The rest of the word follows and is told; a type and a default may follow it.
            default = Some(Expr { kind: ExprKind::Bad, span: name.span });
        }
        let ty = ty.unwrap_or_else(|| {
            let message = format!("param `{}` has no type", name.name);
            if !cut {
                self.report(
                    Diagnostic::error(codes::E0015, name.span, message)
                        .label("its type is missing after this")
                        .help(format!("for example `param {}: String`", name.name)),
                );
            }
            TypeExpr { kind: TypeExprKind::Bad, span: name.span }
        });
        Statement::Param(Box::new(Param { doc, name, ty, default, span }))
    }

    /// `: Type` and `= value`, both of which may be missing.
    fn type_and_value(
        &mut self,
        parts: Nodes<'t>,
        depth: usize,
    ) -> (Option<TypeExpr>, Option<Expr>) {
        let (mut ty, mut value) = (None, None);
        for part in parts {
            match part.rule() {
                Rule::type_e | Rule::bad_type => ty = Some(self.type_expr(part, depth + 1)),
                _ => value = Some(self.value(part, depth + 1)),
            }
        }
        (ty, value)
    }

    fn function(&mut self, node: Node<'t>, doc: Option<Arc<str>>, depth: usize) -> Statement {
        let span = self.node_span(&node);
        let mut parts = node.into_children().peekable();
        let name = parts.next().map_or_else(|| self.word_at(0), |word| self.ident(&word));
        self.check_reserved(&name);
        let mut params = Vec::new();
        let mut last: Option<usize> = None;
        while let Some(part) = parts.next_if(|part| part.rule() == Rule::fparam) {
            self.check_comma(last, part.start(), "parameters");
            last = Some(part.end());
            let mut inner = part.into_children();
            let param = self.next_ident(&mut inner);
            self.check_reserved(&param);
            let ty = inner.next().map(|ty| self.type_expr(ty, depth + 1));
            params.extend(ty.map(|ty| (param, ty)));
        }
        let (mut result, mut body) = (None, None);
        for part in parts {
            match part.rule() {
                Rule::type_e | Rule::bad_type => result = Some(self.type_expr(part, depth + 1)),
                _ => body = Some(self.value(part, depth + 1)),
            }
        }
        let body = body.unwrap_or_else(|| self.bad_expression(self.text.len(), self.text.len()));
        Statement::Function(Box::new(Function { doc, name, params, result, body, span }))
    }

    fn type_alias(&mut self, node: Node<'t>, doc: Option<Arc<str>>, depth: usize) -> Statement {
        let span = self.node_span(&node);
        let mut parts = node.into_children();
        let name = self.next_ident(&mut parts);
        let ty = match parts.next() {
            Some(part) => self.type_expr(part, depth + 1),
            None => TypeExpr { kind: TypeExprKind::Bad, span: name.span },
        };
        Statement::TypeAlias(Box::new(TypeAlias { doc, name, ty, span }))
    }

    fn use_statement(&mut self, node: Node<'t>) -> Statement {
        let span = self.node_span(&node);
        let mut parts = node.into_children();
        let Some(source) = parts.next() else {
            return self.bad_range(span, None);
        };
        let source_span = self.node_span(&source);
        let alias = parts.next().map(|word| self.ident(&word));
        let path = source.text();
        let quoted = path.strip_prefix('"').and_then(|path| path.strip_suffix('"'));
        if quoted.is_none() {
            let message = "where a component comes from is written in quotes";
            self.report(
                Diagnostic::error(codes::E0011, source_span, message)
                    .help(format!("write `use \"{path}\"`"))
                    .fix(source_span, format!("\"{path}\"")),
            );
        }
        let source = Arc::from(quoted.unwrap_or(path));
        Statement::Use(Use { source, source_span, alias, span })
    }

    fn assert(&mut self, node: Node<'t>, depth: usize) -> Statement {
        let span = self.node_span(&node);
        let mut parts = node.into_children();
        let condition = self.part(&mut parts, depth);
        let message = parts.next().map(|part| self.value(part, depth + 1));
        Statement::Assert(Box::new(Assert { condition, message, span }))
    }

    /// `in tenant rhoenblick`
    fn scope(&mut self, node: Node<'t>, first: bool) {
        let span = self.node_span(&node);
        let mut path = Vec::new();
        for part in node.into_children() {
            let mut at = part.start();
            for word in part.text().split('.') {
                let (start, end) = (at, at + word.len());
                at = end + 1;
                path.push(if foreign::is_cut(self.text, end) {
                    self.word_at(start)
                } else {
                    Ident { name: Name::shared(word), span: self.span(start, end) }
                });
            }
        }
        if !first || self.scope.is_some() {
            self.misplaced_scope(span);
            return;
        }
        self.scope = Some(Scope { path, span });
    }

    /// Makes this item's `in` that of the file, if the item is the file's first.
    pub(crate) fn keep_scope(&mut self, scope: &mut Option<Scope>, first: bool) {
        match self.scope.take() {
            Some(own) if first => *scope = Some(own),
            Some(own) => self.misplaced_scope(own.span),
            None => {}
        }
    }

    /// `in` below other items.
    fn misplaced_scope(&mut self, span: Span) {
        self.report(
            Diagnostic::error(codes::E0013, span, "`in` is not the first item of its file")
                .help("it holds for the whole file: move it to the top, or move what it is for"),
        );
    }

    pub(super) fn next_ident(&mut self, nodes: &mut Nodes<'t>) -> Ident {
        nodes.next().map_or_else(|| self.word_at(self.text.len()), |word| self.ident(&word))
    }
}

/// Where the value of a statement begins, if it has one; otherwise where it begins itself.
fn value_of(statement: &Node<'_>) -> usize {
    let text = statement.text();
    match text.split_once('=') {
        Some((_, value)) if statement.rule() == Rule::attr => {
            statement.end() - value.trim_start().len()
        }
        _ => statement.start(),
    }
}
