//! Types as written.

use tcloud_model::{Diagnostic, codes};

use super::{Builder, MAX_DEPTH};
use crate::ast::{Ident, TypeExpr, TypeExprKind};
use crate::habits;
use crate::parse::{Node, Rule};

impl<'t> Builder<'t, '_> {
    /// A union, perhaps with a condition.
    pub(super) fn type_expr(&mut self, node: Node<'t>, depth: usize) -> TypeExpr {
        let span = self.node_span(&node);
        if node.rule() == Rule::bad_type {
            self.explain_type(&node);
            return TypeExpr { kind: TypeExprKind::Bad, span };
        }
        if depth > MAX_DEPTH {
            self.too_deep(span);
            return TypeExpr { kind: TypeExprKind::Bad, span };
        }
        let mut members = Vec::new();
        let mut condition = None;
        for part in node.into_children() {
            match part.rule() {
                Rule::type_a => members.push(self.suffixed(part, depth)),
                _ => condition = Some(self.value(part, depth + 1)),
            }
        }
        let end = members.last().map_or(span, |last| last.span);
        let ty = match members.len() {
            1 => members.remove(0),
            _ => TypeExpr { kind: TypeExprKind::Union(members), span: span_to(span, end) },
        };
        match condition {
            Some(condition) => {
                let kind = TypeExprKind::Where(Box::new(ty), Box::new(condition));
                TypeExpr { kind, span }
            }
            None => ty,
        }
    }

    /// A simple type with `[]` and `?` behind it.
    fn suffixed(&mut self, node: Node<'t>, depth: usize) -> TypeExpr {
        let start = node.start();
        let mut parts = node.into_children().peekable();
        let Some(first) = parts.next() else {
            return TypeExpr { kind: TypeExprKind::Bad, span: self.span(start, start) };
        };
        let argument = parts.next_if(|part| matches!(part.rule(), Rule::generic | Rule::bounds));
        let mut ty = self.simple_type(first, argument, depth);
        for (level, suffix) in parts.enumerate() {
            let span = ty.span.to(self.node_span(&suffix));
            if depth + level > MAX_DEPTH {
                self.too_deep(span);
                return TypeExpr { kind: TypeExprKind::Bad, span };
            }
            let of = Box::new(ty);
            let kind = match suffix.text() {
                "?" => TypeExprKind::Optional(of),
                _ => TypeExprKind::List(of),
            };
            ty = TypeExpr { kind, span };
        }
        ty
    }

    fn simple_type(
        &mut self,
        node: Node<'t>,
        argument: Option<Node<'t>>,
        depth: usize,
    ) -> TypeExpr {
        let span = self.node_span(&node);
        let kind = match node.rule() {
            Rule::str_lit => {
                let text = node.text();
                let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or("");
                TypeExprKind::Text(inner.into())
            }
            Rule::record => TypeExprKind::Object(self.record(node, depth)),
            Rule::type_p => match node.into_children().next() {
                Some(inner) => TypeExprKind::Paren(Box::new(self.type_expr(inner, depth + 1))),
                None => TypeExprKind::Bad,
            },
            _ => {
                let name = self.ident(&node);
                return match argument {
                    None if habits::type_name(&name.name).is_some() => {
                        self.foreign_type(&name);
                        TypeExpr { kind: TypeExprKind::Bad, span }
                    }
                    Some(argument) => self.with_argument(name, argument, depth),
                    None => TypeExpr { kind: TypeExprKind::Name(name.name), span },
                };
            }
        };
        TypeExpr { kind, span }
    }

    fn record(&mut self, node: Node<'t>, depth: usize) -> Vec<(Ident, bool, TypeExpr)> {
        let mut fields = Vec::new();
        let mut last = None;
        for field in node.into_children().filter(|part| part.rule() == Rule::rfield) {
            if let Some(last) = last
                && !self.gap(last, field.start()).newline
            {
                self.check_comma(Some(last), field.start(), "fields");
            }
            last = Some(field.end());
            let mut parts = field.into_children().peekable();
            let Some(name) = parts.next().map(|word| self.ident(&word)) else { continue };
            let optional = parts.next_if(|part| part.rule() == Rule::opt).is_some();
            let ty = parts.next().map(|ty| self.type_expr(ty, depth + 1));
            fields.extend(ty.map(|ty| (name, optional, ty)));
        }
        fields
    }

    /// `Map<T>` or `Int(1..=6)`
    fn with_argument(&mut self, name: Ident, argument: Node<'t>, depth: usize) -> TypeExpr {
        let span = name.span.to(self.node_span(&argument));
        if argument.rule() == Rule::generic {
            let kind = match argument.into_children().next() {
                Some(inner) => {
                    TypeExprKind::Generic(name, Box::new(self.type_expr(inner, depth + 1)))
                }
                None => TypeExprKind::Bad,
            };
            return TypeExpr { kind, span };
        }
        let inner = argument.text().trim_start_matches('(').trim_end_matches(')').trim();
        if let Some((low, high)) = bounds(inner) {
            return TypeExpr { kind: TypeExprKind::Bounded(name, low, high), span };
        }
        let at = self.node_span(&argument);
        self.wrong_bounds(&name, inner, at, span);
        TypeExpr { kind: TypeExprKind::Bad, span }
    }

    fn wrong_bounds(
        &mut self,
        name: &Ident,
        inner: &str,
        at: tcloud_model::Span,
        whole: tcloud_model::Span,
    ) {
        let element = habits::type_name(inner).unwrap_or(inner);
        let (message, instead) = match &*name.name {
            "list" | "set" => ("a list type is written `T[]`", format!("{element}[]")),
            "map" => ("a map type is written `Map<T>`", format!("Map<{element}>")),
            "optional" => ("an optional type is written `T?`", format!("{element}?")),
            _ => {
                let message = format!("`({inner})` is not a range of numbers");
                self.report(
                    Diagnostic::error(codes::E0015, at, message)
                        .help("bounds are written `Int(1..=6)`; both ends are included"),
                );
                return;
            }
        };
        self.report(
            Diagnostic::error(codes::E0010, whole, message)
                .help(format!("write `{instead}`"))
                .fix(whole, instead),
        );
    }
}

fn span_to(start: tcloud_model::Span, end: tcloud_model::Span) -> tcloud_model::Span {
    tcloud_model::Span { end: end.end, ..start }
}

/// `1..=6`, `1..`, `..=6`
fn bounds(text: &str) -> Option<(Option<i64>, Option<i64>)> {
    let (low, high) = text.split_once("..")?;
    let (low, high) = (low.trim(), high.trim());
    let number = |text: &str| text.replace('_', "").parse::<i64>().ok();
    let low = if low.is_empty() { None } else { Some(number(low)?) };
    let high = match high.strip_prefix('=') {
        Some(high) => Some(number(high.trim())?),
        None if high.is_empty() => None,
        None => return None,
    };
    (low.is_some() || high.is_some()).then_some((low, high))
}
