//! Why a piece of text could not be read, in the user's words.

use tcloud_model::{Diagnostic, codes};

use super::Builder;
use crate::ast::{Expr, ExprKind, Ident, Statement};
use crate::parse::Node;

impl<'t> Builder<'t, '_> {
    /// A statement that fits nothing.
    pub(super) fn bad_statement(&mut self, node: &Node<'t>) -> Statement {
        self.explain_bad(node.start(), node.end());
        let span = self.span(node.start(), node.end());
        self.bad_range(span, None)
    }

    /// A value that fits nothing.
    pub(super) fn bad_expression(&mut self, start: usize, end: usize) -> Expr {
        self.explain_bad(start, end);
        Expr { kind: ExprKind::Bad, span: self.span(start, end) }
    }

    /// The value of something with a name.
    pub(super) fn named_value(&mut self, _name: &Ident, value: Node<'t>, depth: usize) -> Expr {
        self.value(value, depth)
    }

    /// Says why this could not be read.
    pub(super) fn explain_bad(&mut self, start: usize, end: usize) {
        let span = self.span(start, end);
        self.report_bad(Diagnostic::error(codes::E0001, span, "this could not be read").help("…"));
    }

    pub(super) fn explain_field(&mut self, start: usize, end: usize) {
        self.explain_bad(start, end);
    }

    pub(super) fn explain_head(&mut self, start: usize, text: &str) {
        self.explain_bad(start, start + text.len());
    }

    pub(super) fn explain_type(&mut self, node: &Node<'t>) {
        self.explain_bad(node.start(), node.end());
    }

    pub(super) fn wrong_sign(&mut self, name: &Ident, sign: &Node<'t>) {
        let span = self.span(sign.start(), sign.end());
        let message = format!("`{}` gets its value with `=`", name.name);
        self.report(
            Diagnostic::error(codes::E0005, span, message).help("write `=`").fix(span, " ="),
        );
    }
}
