//! Goes over all bodies and checks each expression against what it is for.

use std::collections::BTreeMap;

use tcloud_model::{Diagnostic, Type, codes};
use tcloud_syntax::ast::{Expr, Ident, TypeExpr, TypeExprKind};

use super::infer::{Infer, Local, Scope};
use crate::shapes::{ShapeInfo, Shapes};
use crate::tree::{BodyId, Def, DefId, DefKind, FunctionId, Owner, Shape, Statement, Tree};
use crate::types::Reader;

/// Checks every expression of the program.
pub(crate) fn check(tree: &Tree, shapes: &Shapes) -> Vec<Diagnostic> {
    let infer = Infer::new(tree, shapes);
    for at in 0..tree.bodies.len() {
        infer.body(BodyId(u32::try_from(at).unwrap_or(u32::MAX)));
    }
    for at in 0..tree.functions.len() {
        infer.function_declaration(FunctionId(u32::try_from(at).unwrap_or(u32::MAX)));
    }
    infer.finish()
}

impl<'c> Infer<'c> {
    fn body(&self, id: BodyId) {
        let body = self.tree.body(id);
        if let Owner::Block(owner) = body.owner {
            let block = self.tree.block(owner);
            if let Some(repeat) = &block.repeat {
                self.repeated(owner, repeat);
            }
            if let Some(condition) = &block.condition {
                // The condition sees the variables of the repetition, as the body does.
                self.condition(Scope::of(id), condition);
            }
        }
        for (def_id, def) in self.tree.defs_of(id) {
            self.guard(id, def.guard);
            self.one(id, def_id, def);
        }
        for block in body.blocks.iter().chain(body.defaults()) {
            self.guard(id, self.tree.block(*block).guard);
        }
        for (guard, statement) in body.statements() {
            self.guard(id, *guard);
            self.statement(id, statement);
        }
        for alias in body.names().iter().filter_map(|(_, named)| match named {
            crate::tree::Named::Alias(alias) => Some(&self.tree.alias(*alias).ast),
            _ => None,
        }) {
            self.type_written(&alias.ty, id);
        }
    }

    fn guard(&self, body: BodyId, guard: Option<crate::tree::GuardId>) {
        let mut at = guard;
        while let Some(id) = at {
            let guard = self.tree.guard(id);
            if guard.expected {
                self.condition(Scope::of(body), self.tree.condition(guard));
            }
            at = guard.outer;
        }
    }

    fn one(&self, body: BodyId, id: DefId, def: &'c Def) {
        if let Some(ty) = &def.ty {
            self.type_written(ty, body);
        }
        let Some(value) = &def.value else { return };
        let name = &def.name.name;
        match (&def.ty, def.kind) {
            (Some(ty), _) => {
                let ty = self.written(ty, body);
                self.expect(Scope::of(body), value, &ty, name);
            }
            (None, DefKind::Attribute) => self.attribute(body, def, value),
            (None, _) => {
                self.definition(id, body);
            }
        }
    }

    fn attribute(&self, body: BodyId, def: &'c Def, value: &'c Expr) {
        let Owner::Block(block) = self.tree.body(body).owner else {
            self.expr(Scope::of(body), value);
            return;
        };
        let name = &def.name.name;
        match self.tree.block(block).shape {
            Shape::Known(shape) => {
                let info: &ShapeInfo = self.shapes.get(shape);
                match info.attribute(name) {
                    _ if name == "ignore" && info.schema.is_some() => {}
                    Some(attribute) => self.expect(Scope::of(body), value, &attribute.ty, name),
                    None => {
                        self.expr(Scope::of(body), value);
                    }
                }
            }
            Shape::Use(component) => {
                let inside = self.tree.component(component).body;
                let param = self
                    .tree
                    .defs_of(inside)
                    .find(|(_, own)| own.kind == DefKind::Param && own.name.name == *name);
                match param.and_then(|(_, param)| param.ty.as_ref()) {
                    Some(ty) => {
                        let ty = self.written(ty, inside);
                        self.expect(Scope::of(body), value, &ty, name);
                    }
                    None => {
                        self.expr(Scope::of(body), value);
                    }
                }
            }
            Shape::Unknown => {
                self.expr(Scope::of(body), value);
            }
        }
    }

    fn statement(&self, body: BodyId, statement: &'c Statement) {
        match statement {
            Statement::Assert(assert) => {
                self.condition(Scope::of(body), &assert.condition);
                if let Some(message) = &assert.message {
                    self.expect(Scope::of(body), message, &Type::Text, "the message");
                }
            }
            Statement::Adopt(adopt) => {
                let host = Type::reference(&["host"]);
                self.expect(Scope::of(body), &adopt.host, &host, "`on`");
                self.expect(Scope::of(body), &adopt.from, &Type::Text, "`from`");
            }
            Statement::Moved(_) | Statement::Forget(_) | Statement::Check(..) => {}
        }
    }

    /// A type where it is declared: its words, the names of its fields, and the conditions in it.
    fn type_written(&self, ty: &'c TypeExpr, scope: BodyId) {
        let mut reader = Reader::new(self.tree, self.shapes, scope);
        reader.explains = self.explains();
        reader.read(ty);
        for diagnostic in reader.diagnostics {
            self.report(diagnostic);
        }
        self.type_parts(ty, scope);
    }

    fn type_parts(&self, ty: &'c TypeExpr, scope: BodyId) {
        match &ty.kind {
            TypeExprKind::Where(of, condition) => {
                self.type_parts(of, scope);
                let this = tcloud_model::Name::new("this");
                let ty = self.written(of, scope).into();
                let local = Local { name: &this, ty, outer: None };
                self.condition(Scope { body: scope, locals: Some(&local) }, condition);
            }
            TypeExprKind::Generic(_, of)
            | TypeExprKind::List(of)
            | TypeExprKind::Optional(of)
            | TypeExprKind::Paren(of) => self.type_parts(of, scope),
            TypeExprKind::Union(parts) => {
                parts.iter().for_each(|part| self.type_parts(part, scope));
            }
            TypeExprKind::Object(fields) => {
                self.once(fields.iter().map(|(name, ..)| name));
                fields.iter().for_each(|(_, _, ty)| self.type_parts(ty, scope));
            }
            TypeExprKind::Name(_)
            | TypeExprKind::Bounded(..)
            | TypeExprKind::Text(_)
            | TypeExprKind::Bad => {}
        }
    }

    /// Fields of one type and parameters of one function have names of their own.
    fn once<'n>(&self, names: impl Iterator<Item = &'n Ident>) {
        let mut declared = BTreeMap::new();
        for Ident { name, span } in names {
            let Some(first) = declared.get(name) else {
                declared.insert(name, *span);
                continue;
            };
            let message = format!("`{name}` is declared twice");
            self.report(
                Diagnostic::error(codes::E0302, *span, message)
                    .label("again")
                    .also(*first, "first")
                    .help("give one of them another name"),
            );
        }
    }

    fn function_declaration(&self, id: FunctionId) {
        let function = &self.tree.functions[id.index()];
        self.once(function.ast.params.iter().map(|(name, _)| name));
        for (_, ty) in &function.ast.params {
            self.type_written(ty, function.scope);
        }
        if let Some(ty) = &function.ast.result {
            self.type_written(ty, function.scope);
        }
        let Some(result) = &function.ast.result else {
            self.result(id);
            return;
        };
        self.with_params(id, &|scope, body| {
            let ty = self.written(result, function.scope);
            self.expect(scope, body, &ty, "the result");
            Type::Unknown
        });
    }
}
