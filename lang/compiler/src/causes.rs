//! Which ranges of the text give an attribute its value.

use tcloud_model::{Address, AttrPath, Name, PathStep, Span};
use tcloud_syntax::ast::{Expr, ExprKind, TemplatePart};

use crate::eval::{InstanceId, State};
use crate::shapes::Shapes;
use crate::tree::{BodyId, DefId, DefKind, Named, Owner, Shape, Tree};

/// The spans behind an attribute: the attribute first, then what flows into it.
pub(crate) fn of(
    tree: &Tree,
    shapes: &Shapes,
    state: &State,
    address: &Address,
    path: Option<&AttrPath>,
) -> Vec<Span> {
    let finder = Finder { tree, shapes, state };
    let Some(id) = state.at(address) else { return Vec::new() };
    let Some(path) = path else {
        return finder.head(id).into_iter().collect();
    };
    finder.attribute(id, &path.0)
}

struct Finder<'f> {
    tree: &'f Tree,
    shapes: &'f Shapes,
    state: &'f State,
}

impl Finder<'_> {
    fn head(&self, id: InstanceId) -> Option<Span> {
        self.state.get(id).block.map(|block| self.tree.block(block).head)
    }

    fn attribute(&self, id: InstanceId, steps: &[PathStep]) -> Vec<Span> {
        let Some((PathStep::Field(name), rest)) = steps.split_first() else {
            return self.head(id).into_iter().collect();
        };
        if let Some((body, def)) = self.source(id, name) {
            let mut spans = Vec::new();
            if let Some(value) = &self.tree.def(def).value {
                spans.push(inside(value, rest).span);
                self.flows(body, inside(value, rest), &mut spans, 0);
            }
            if self.state.get(id).body != body
                && let Owner::Block(block) = self.tree.body(body).owner
            {
                spans.push(self.tree.block(block).head);
            }
            return spans;
        }
        let implied =
            self.implied(id, name).map(|(id, by)| self.attribute(id, &[PathStep::Field(by)]));
        match implied.filter(|spans| !spans.is_empty()) {
            Some(spans) => spans,
            None => self.nested(id, name, rest),
        }
    }

    /// The attribute by which one that is not written has its value; see `Eval::derived`.
    fn implied(&self, id: InstanceId, name: &Name) -> Option<(InstanceId, Name)> {
        let instance = self.state.get(id);
        let Shape::Known(shape) = self.tree.block(instance.block?).shape else { return None };
        let (of, by) = match (self.shapes.get(shape).word.as_str(), name.as_str()) {
            ("vm", "vcpus" | "memory") => (id, "flavor"),
            ("disk", "image") => (instance.parent?, "image"),
            ("disk" | "volume", "size") => (id, "image"),
            _ => return None,
        };
        Some((of, Name::new(by)))
    }

    /// A path that goes on inside a nested block.
    fn nested(&self, id: InstanceId, word: &Name, rest: &[PathStep]) -> Vec<Span> {
        let instance = self.state.get(id);
        let Some(block) = instance.block else { return Vec::new() };
        let Shape::Known(shape) = self.tree.block(block).shape else { return Vec::new() };
        let Some(nested) = self.shapes.get(shape).block(word) else { return Vec::new() };
        let (label, rest) = match rest.split_first() {
            Some((PathStep::Field(label), rest)) if self.shapes.get(nested).named => {
                (Some(label), rest)
            }
            _ => (None, rest),
        };
        let child = self.state.children(id).find(|child| {
            let child = self.state.get(*child);
            let is_word =
                child.block.is_some_and(|block| self.tree.block(block).kind.name == *word);
            is_word
                && label.is_none_or(|label| {
                    child.address.as_ref().is_some_and(|address| address.last_name() == **label)
                })
        });
        match child {
            Some(child) => {
                let spans = self.attribute(child, rest);
                if spans.is_empty() { self.head(child).into_iter().collect() } else { spans }
            }
            None => Vec::new(),
        }
    }

    /// The definition of an attribute, without its conditions: the first that is written.
    fn source(&self, id: InstanceId, name: &str) -> Option<(BodyId, DefId)> {
        let instance = self.state.get(id);
        let layers = instance.layers();
        let body = match instance.block.map(|block| self.tree.block(block)) {
            Some(block) => block.body,
            None => instance.body,
        };
        std::iter::once(body)
            .chain(layers.iter().map(|layer| layer.body))
            .find_map(|body| self.tree.attributes(body, name).next().map(|def| (body, def)))
    }

    /// Adds the definitions that an expression names, and what these name in turn.
    fn flows(&self, scope: BodyId, expr: &Expr, spans: &mut Vec<Span>, depth: u8) {
        if depth == 8 {
            return;
        }
        each_name(expr, &mut |name| {
            let found = self.tree.outwards(scope).find_map(|body| {
                self.tree.named(body, name).iter().find_map(|(_, named)| match named {
                    Named::Def(def) => Some((body, *def)),
                    _ => None,
                })
            });
            let Some((body, id)) = found else { return };
            let def = self.tree.def(id);
            if spans.contains(&def.span) {
                return;
            }
            spans.push(def.span);
            if let (DefKind::Let | DefKind::Param, Some(value)) = (def.kind, &def.value) {
                self.flows(body, value, spans, depth + 1);
            }
        });
    }
}

/// The part of an expression that a path leads to, as far as it is written there.
fn inside<'e>(expr: &'e Expr, steps: &[PathStep]) -> &'e Expr {
    let mut at = expr;
    for step in steps {
        let found = match (step, &at.kind) {
            (PathStep::Field(name), ExprKind::Object(fields)) => {
                fields.iter().find(|field| field.name.name == *name).map(|field| &field.value)
            }
            (PathStep::Index(index), ExprKind::List(items)) => items.get(*index),
            _ => None,
        };
        match found {
            Some(inner) => at = inner,
            None => break,
        }
    }
    at
}

/// Calls `visit` with the first word of every path.
pub(crate) fn each_name<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Name)) {
    match &expr.kind {
        ExprKind::Name(name) => visit(name),
        ExprKind::Literal(_) | ExprKind::Bad => {}
        ExprKind::Template(parts) => {
            for part in parts {
                if let TemplatePart::Expr(expr) = part {
                    each_name(expr, visit);
                }
            }
        }
        ExprKind::Field(base, _) | ExprKind::Star(base) | ExprKind::Paren(base) => {
            each_name(base, visit);
        }
        ExprKind::Unary(_, base) | ExprKind::Lambda(_, base) => each_name(base, visit),
        ExprKind::Index(base, index) => {
            each_name(base, visit);
            each_name(index, visit);
        }
        ExprKind::Call(callee, arguments) => {
            each_name(callee, visit);
            arguments.iter().for_each(|argument| each_name(&argument.value, visit));
        }
        ExprKind::List(items) => items.iter().for_each(|item| each_name(item, visit)),
        ExprKind::Object(fields) => fields.iter().for_each(|field| each_name(&field.value, visit)),
        ExprKind::ListFor(of) | ExprKind::MapFor(of) => {
            each_name(&of.repeat.over, visit);
            of.condition.iter().chain(&of.key).for_each(|expr| each_name(expr, visit));
            each_name(&of.value, visit);
        }
        ExprKind::If(parts) => parts.iter().for_each(|part| each_name(part, visit)),
        ExprKind::Binary(_, parts) => parts.iter().for_each(|part| each_name(part, visit)),
    }
}
