//! Definitions: `let`, `param`, `output`, attributes. Each is computed once and remembered.

use std::sync::Arc;

use tcloud_model::{Diagnostic, Name, Span, Type, Value, codes};
use tcloud_syntax::ast::{Expr, ExprKind, TypeExpr, TypeExprKind};

use super::fit::{fit, named};
use super::state::{InstanceId, Slot};
use super::{Env, Eval, Evaluated, Frame, Node, Stop, Variable};
use crate::ops::shown;
use crate::tree::{BodyId, Def, DefId, DefKind, Named};
use crate::types::{self, MAX_NAMES, Reader};

impl<'p> Eval<'p> {
    /// The value of a definition. `holder` is the instance whose body holds it, or the scope of the
    /// `defaults` that do; `expected` is what an attribute takes.
    pub(super) fn definition(
        &mut self,
        holder: InstanceId,
        id: DefId,
        expected: Option<&'p Type>,
    ) -> Evaluated<Value> {
        match self.state.slot(self.tree, holder, id) {
            Slot::Done(value) => return Ok(value.clone()),
            Slot::Failed => return Err(Stop::Reported),
            // Nobody needed it so far: the part of the program that it stands in may be another
            // one. What it is without assignments is remembered.
            Slot::Fresh if self.assigned.is_some() => {
                let assigned = self.assigned.take();
                let known = self.definition(holder, id, expected);
                self.assigned = assigned;
                if known != Err(Stop::Late) {
                    return known;
                }
            }
            Slot::Late | Slot::Fresh => {}
        }
        self.enter(Node::Def(holder, id))?;
        let result = self.compute(holder, id, expected);
        self.leave();
        if self.assigned.is_none() {
            let slot = match &result {
                Ok(value) => Slot::Done(value.clone()),
                Err(Stop::Reported) => Slot::Failed,
                Err(Stop::Late) => Slot::Late,
            };
            self.state.remember(self.tree, holder, id, slot);
        }
        result
    }

    fn compute(
        &mut self,
        holder: InstanceId,
        id: DefId,
        expected: Option<&'p Type>,
    ) -> Evaluated<Value> {
        let def = self.tree.def(id);
        match def.kind {
            DefKind::Param => self.parameter(holder, id, def),
            DefKind::Attribute => {
                let Some(expr) = &def.value else { return Err(Stop::Reported) };
                let value = self.eval(Env::of(holder), expr)?;
                match expected {
                    Some(ty) => self.fitted(ty, value, &def.name.name, expr),
                    None => Ok(value),
                }
            }
            DefKind::Let | DefKind::Output => {
                let Some(expr) = &def.value else { return Err(Stop::Reported) };
                let value = self.eval(Env::of(holder), expr)?;
                if let Some(written) = &def.ty {
                    let body = self.body_of(holder);
                    let ty = self.type_of(id, written, body)?;
                    let value = self.fitted_to(&ty, value, &def.name.name, expr)?;
                    self.conditions(Env::of(holder), written, &value, expr.span)?;
                    return Ok(value);
                }
                if def.kind == DefKind::Output && contains_secret(&value) {
                    return Err(self.visible_secret(def, expr.span));
                }
                Ok(value)
            }
        }
    }

    fn visible_secret(&mut self, def: &Def, at: Span) -> Stop {
        let name = &def.name.name;
        self.report(
            Diagnostic::error(
                codes::E0801,
                at,
                format!("a secret would become visible in output `{name}`"),
            )
            .help(format!("declare `output {name}: Secret<String>`")),
        )
    }

    /// A written type, understood; mistakes in it are reported where it stands.
    pub(super) fn type_of(
        &mut self,
        id: DefId,
        written: &TypeExpr,
        scope: BodyId,
    ) -> Evaluated<Arc<Type>> {
        if let Some(known) = self.state.types.get(&id) {
            return Ok(known.clone());
        }
        let ty = Arc::new(self.read_type(written, scope));
        self.state.types.insert(id, ty.clone());
        Ok(ty)
    }

    fn read_type(&mut self, written: &TypeExpr, scope: BodyId) -> Type {
        let mut reader = Reader::new(self.tree, self.shapes, scope);
        reader.explains = self.explains();
        let ty = reader.read(written);
        reader.diagnostics.into_iter().for_each(|diagnostic| self.sink.push(diagnostic));
        ty
    }

    /// Makes a value one of a type that an attribute takes.
    pub(super) fn fitted(
        &mut self,
        ty: &Type,
        value: Value,
        subject: &str,
        expr: &Expr,
    ) -> Evaluated<Value> {
        fit(ty, value, subject).map_err(|misfit| self.report(misfit.into_diagnostic(expr)))
    }

    fn fitted_to(
        &mut self,
        ty: &Arc<Type>,
        value: Value,
        subject: &Name,
        expr: &Expr,
    ) -> Evaluated<Value> {
        self.fitted(ty, value, subject, expr)
    }

    /// Makes a value one of a written type, conditions included.
    pub(super) fn conform(
        &mut self,
        env: Env<'_>,
        written: &'p TypeExpr,
        value: Value,
        expr: &'p Expr,
    ) -> Evaluated<Value> {
        let ty = self.read_type(written, self.body_of(env.scope));
        self.spend(types::size(&ty).unwrap_or(0) as u64 / 16, expr.span)?;
        let value = self.fitted(&ty, value, "this", expr)?;
        self.conditions(env, written, &value, expr.span)?;
        Ok(value)
    }

    /// A parameter: of the use of a component, or of the whole program.
    fn parameter(&mut self, holder: InstanceId, id: DefId, def: &'p Def) -> Evaluated<Value> {
        let Some(written) = &def.ty else { return Err(Stop::Reported) };
        let ty = self.type_of(id, written, self.body_of(holder))?;
        let instance = self.state.get(holder);
        let Some(block) = instance.block.map(|block| self.tree.block(block)) else {
            return self.variable(holder, def, written, &ty);
        };
        if let Some(scope) = instance.arguments() {
            for argument in self.tree.attributes(block.body, &def.name.name) {
                let argument = self.tree.def(argument);
                if !self.guards_hold(scope, argument.guard)? {
                    continue;
                }
                let Some(expr) = &argument.value else { return Err(Stop::Reported) };
                let value = self.eval(Env::of(scope), expr)?;
                let value = fit(&ty, value, &def.name.name).map_err(|misfit| {
                    let diagnostic = misfit.into_diagnostic(expr);
                    self.report(diagnostic.also(def.span, "the parameter"))
                })?;
                self.conditions(Env::of(holder), written, &value, expr.span)?;
                return Ok(value);
            }
        }
        if def.value.is_none() {
            if matches!(ty.as_ref(), Type::Optional(_)) {
                return Ok(Value::None);
            }
            let known = |name: &str| {
                let mut params = self.tree.defs_of(self.body_of(holder)).map(|(_, def)| def);
                params.any(|def| def.kind == DefKind::Param && def.name.name == *name)
            };
            if self.was_meant(holder, &def.name.name, known) {
                return Err(Stop::Reported);
            }
            let message =
                format!("{} lacks `{}`", crate::check::structure::describe(block), def.name.name);
            let diagnostic = Diagnostic::error(codes::E0102, block.head, message)
                .label(format!("required: {} ({})", def.name.name, ty))
                .also(def.span, "the parameter")
                .help(format!("add `{} = …`, {}", def.name.name, named(&ty)));
            return Err(self.report(diagnostic));
        }
        self.default_of(holder, def, written, &ty)
    }

    fn default_of(
        &mut self,
        holder: InstanceId,
        def: &'p Def,
        written: &'p TypeExpr,
        ty: &Type,
    ) -> Evaluated<Value> {
        let Some(expr) = &def.value else { return Err(Stop::Reported) };
        let value = self.eval(Env::of(holder), expr)?;
        let value = self.fitted(ty, value, &def.name.name, expr)?;
        self.conditions(Env::of(holder), written, &value, expr.span)?;
        Ok(value)
    }

    /// A parameter of the program.
    fn variable(
        &mut self,
        holder: InstanceId,
        def: &'p Def,
        written: &'p TypeExpr,
        ty: &Arc<Type>,
    ) -> Evaluated<Value> {
        let name = &def.name.name;
        let value = match self.variables.get(name) {
            None if def.value.is_none() && matches!(ty.as_ref(), Type::Optional(_)) => {
                return Ok(Value::None);
            }
            None if def.value.is_none() => {
                return Err(self.report(
                    Diagnostic::error(
                        codes::E0207,
                        def.name.span,
                        format!("parameter `{name}` has no value"),
                    )
                    .label(format!("needs {}", named(ty)))
                    .help(format!("give it: `--var {name}=…`, or a default here: `= …`")),
                ));
            }
            None => return self.default_of(holder, def, written, ty),
            Some(Variable::Value(value)) => Some(value.clone()),
            Some(Variable::Text(text)) => crate::variable::read(text, ty),
        };
        let fitted = match value {
            Some(value) => {
                let fallback = Expr { kind: ExprKind::Bad, span: def.name.span };
                fit(ty, value, &format!("parameter `{name}`"))
                    .map_err(|misfit| misfit.into_diagnostic(&fallback))
            }
            None => {
                let text = match self.variables.get(name) {
                    Some(Variable::Text(text)) => shown(&Value::text(text)),
                    _ => String::new(),
                };
                let message =
                    format!("parameter `{name}` needs {}, it is given as {text}", named(ty));
                Err(Diagnostic::error(codes::E0207, def.name.span, message)
                    .help(format!("write the value as in the language: `--var {name}=…`")))
            }
        };
        let value = fitted.map_err(|diagnostic| {
            self.report(Diagnostic { code: codes::E0207, fix: None, ..diagnostic })
        })?;
        self.conditions(Env::of(holder), written, &value, def.name.span)?;
        Ok(value)
    }

    /// Checks the `where` conditions of a written type, however deep they stand.
    pub(super) fn conditions(
        &mut self,
        env: Env<'_>,
        written: &'p TypeExpr,
        value: &Value,
        at: Span,
    ) -> Evaluated<()> {
        let Some(unmet) = self.unmet(env, written, value, at)? else { return Ok(()) };
        let what = match &unmet.value {
            Value::Secret(_) => "this secret".to_owned(),
            value => shown(value),
        };
        let message = format!("{what} is not allowed here");
        Err(self.report(
            Diagnostic::error(codes::E0205, at, message)
                .also(unmet.condition, "this condition has to hold")
                .help("choose a value that fulfils the condition of the type"),
        ))
    }

    /// The first condition of a written type that does not hold.
    fn unmet(
        &mut self,
        env: Env<'_>,
        written: &'p TypeExpr,
        value: &Value,
        at: Span,
    ) -> Evaluated<Option<Unmet>> {
        match (&written.kind, value) {
            (TypeExprKind::Where(of, condition), _) => match self.unmet(env, of, value, at)? {
                None => self.unmet_condition(env, condition, value),
                unmet => Ok(unmet),
            },
            (TypeExprKind::Paren(of), _) => self.unmet(env, of, value, at),
            (TypeExprKind::Optional(of), value) if *value != Value::None => {
                self.unmet(env, of, value, at)
            }
            (TypeExprKind::List(of), Value::List(items)) => {
                self.first_unmet(env, items.iter().map(|item| (&**of, item)), at)
            }
            (TypeExprKind::Generic(word, of), value) => match (word.name.as_str(), value) {
                // What a secret is, is not known here.
                (_, Value::Secret(_)) => Ok(None),
                ("Secret", _) => {
                    let unmet = self.unmet(env, of, value, at)?;
                    Ok(unmet.map(|unmet| Unmet { value: Value::Secret([].into()), ..unmet }))
                }
                ("Map", Value::Map(fields)) => {
                    self.first_unmet(env, fields.iter().map(|(_, item)| (&**of, item)), at)
                }
                ("Map", _) => Ok(None),
                _ => self.unmet(env, of, value, at),
            },
            (TypeExprKind::Object(known), Value::Map(fields)) => {
                let written = known
                    .iter()
                    .filter_map(|(name, _, of)| fields.get(&name.name).map(|value| (of, value)));
                self.first_unmet(env, written, at)
            }
            (TypeExprKind::Union(members), _) => self.unmet_in_all(env, members, value, at),
            (TypeExprKind::Name(name), _) => {
                let alias = self.lexical(env.scope).find_map(|scope| {
                    let named = self.tree.named(self.body_of(scope), name);
                    named.iter().find_map(|(_, named)| match named {
                        Named::Alias(alias) => Some((*alias, scope)),
                        _ => None,
                    })
                });
                let Some((alias, scope)) = alias else { return Ok(None) };
                self.spend(1, at)?;
                if self.type_names == MAX_NAMES {
                    let message = "the conditions of too many types are asked for here";
                    let help = "write the types themselves in place of their names";
                    let wrong = Diagnostic::error(codes::E0209, at, message).help(help);
                    return Err(self.report(wrong));
                }
                let env = Env { scope, ..env };
                self.type_names += 1;
                let unmet = self.unmet(env, &self.tree.alias(alias).ast.ty, value, at);
                self.type_names -= 1;
                unmet
            }
            _ => Ok(None),
        }
    }

    fn first_unmet<'v>(
        &mut self,
        env: Env<'_>,
        parts: impl Iterator<Item = (&'p TypeExpr, &'v Value)>,
        at: Span,
    ) -> Evaluated<Option<Unmet>> {
        for (of, value) in parts {
            if let Some(unmet) = self.unmet(env, of, value, at)? {
                return Ok(Some(unmet));
            }
        }
        Ok(None)
    }

    /// One member of a union is enough, with all of its conditions. If there is none, the first that
    /// the value is of tells what is missing.
    fn unmet_in_all(
        &mut self,
        env: Env<'_>,
        members: &'p [TypeExpr],
        value: &Value,
        at: Span,
    ) -> Evaluated<Option<Unmet>> {
        let mut first = None;
        for member in members {
            self.spend(1, at)?;
            // What is wrong with a type is told where the whole of it is read.
            let body = self.body_of(env.scope);
            let ty = Reader::silent(self.tree, self.shapes, body).read(member);
            if fit(&ty, value.clone(), "this").is_err() {
                continue;
            }
            match self.unmet(env, member, value, at)? {
                None => return Ok(None),
                unmet => first = first.or(unmet),
            }
        }
        Ok(first)
    }

    fn unmet_condition(
        &mut self,
        env: Env<'_>,
        condition: &'p Expr,
        value: &Value,
    ) -> Evaluated<Option<Unmet>> {
        let this = Name::new("this");
        let bindings = [(&this, value.clone())];
        let frame = Frame { bindings: &bindings, outer: None };
        let result = self.eval(Env { frame: Some(&frame), ..env }, condition)?;
        let holds = self.truth(&result, condition.span)?;
        Ok((!holds).then(|| Unmet { condition: condition.span, value: value.clone() }))
    }
}

/// A condition of a type that does not hold.
struct Unmet {
    condition: Span,
    /// The part of the whole value that it is about.
    value: Value,
}

/// Whether a secret is anywhere in a value.
pub(crate) fn contains_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(items) => items.iter().any(contains_secret),
        Value::Map(fields) => fields.iter().any(|(_, item)| contains_secret(item)),
        _ => false,
    }
}
