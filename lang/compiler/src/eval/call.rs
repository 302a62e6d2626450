//! Calls: functions of the program, `secret` and `file`, and methods on values.

use std::sync::Arc;

use tcloud_model::diagnostic::nearest;
use tcloud_model::value::SecretPart;
use tcloud_model::{Diagnostic, Name, Span, Value, codes};
use tcloud_syntax::ast::{Argument, Expr, ExprKind, Ident};

use super::expr::{breadth, worst};
use super::{Env, Eval, Evaluated, Frame, InstanceId, Node, Stop};
use crate::methods::{self, MethodError};
use crate::ops::shown;
use crate::tree::{Function, FunctionId, Named};

/// Where a secret may come from.
pub(crate) const SECRET_SCHEMES: [&str; 4] = ["env", "file", "age", "exec"];

impl<'p> Eval<'p> {
    pub(super) fn call(
        &mut self,
        env: Env<'_>,
        expr: &'p Expr,
        callee: &'p Expr,
        arguments: &'p [Argument],
    ) -> Evaluated<Value> {
        match &callee.kind {
            ExprKind::Field(base, name) => self.method(env, expr, base, name, arguments),
            ExprKind::Name(name) => match self.function(env.scope, name) {
                Some((id, scope)) => self.user_function(env, expr, id, scope, arguments),
                None => self.builtin(env, callee.span, name, expr, arguments),
            },
            _ => Err(self.report(
                Diagnostic::error(codes::E0208, callee.span, "this cannot be called")
                    .help("a call is `function(…)` or `value.method(…)`"),
            )),
        }
    }

    /// A function and the instance of the scope that it was written in.
    fn function(&self, from: InstanceId, name: &str) -> Option<(FunctionId, InstanceId)> {
        self.lexical(from).find_map(|scope| {
            let named = self.tree.named(self.body_of(scope), name);
            named.iter().find_map(|(_, named)| match named {
                Named::Function(id) => Some((*id, scope)),
                _ => None,
            })
        })
    }

    fn user_function(
        &mut self,
        env: Env<'_>,
        expr: &'p Expr,
        id: FunctionId,
        scope: InstanceId,
        arguments: &'p [Argument],
    ) -> Evaluated<Value> {
        let function = &self.tree.functions[id.index()];
        let values = self.arguments(env, expr, id, scope, arguments)?;
        let frame = Frame { bindings: &values, outer: None };
        let inside = Env { frame: None, scope, ..env };
        self.called(id, expr.span, |eval| {
            let value = eval.eval(Env { frame: Some(&frame), ..inside }, &function.ast.body)?;
            match &function.ast.result {
                Some(ty) => eval.conform(inside, ty, value, &function.ast.body),
                None => Ok(value),
            }
        })
    }

    /// Does a part of a call. The conditions of its types are parts too: they can call functions.
    fn called(
        &mut self,
        id: FunctionId,
        at: Span,
        part: impl FnOnce(&mut Self) -> Evaluated<Value>,
    ) -> Evaluated<Value> {
        self.asking = at;
        self.enter(Node::Call(id))?;
        let value = part(self);
        self.leave();
        value
    }

    /// The arguments of a call of a function, in the order of its parameters.
    fn arguments(
        &mut self,
        env: Env<'_>,
        expr: &'p Expr,
        id: FunctionId,
        scope: InstanceId,
        arguments: &'p [Argument],
    ) -> Evaluated<Vec<(&'p Name, Value)>> {
        let function = &self.tree.functions[id.index()];
        let given = match_arguments(function, arguments, expr.span)
            .map_err(|diagnostic| self.report(*diagnostic))?;
        let inside = Env { frame: None, scope, ..env };
        let mut values = Vec::with_capacity(given.len());
        let mut stop = None;
        for ((parameter, ty), argument) in function.ast.params.iter().zip(given) {
            // A call in an argument is over before this one begins: `f(f(1))` is no circle.
            let value = self.eval(env, argument).and_then(|value| {
                self.called(id, expr.span, |eval| eval.conform(inside, ty, value, argument))
            });
            match value {
                Ok(value) => values.push((&parameter.name, value)),
                Err(error) => worst(&mut stop, error),
            }
        }
        stop.map_or(Ok(values), Err)
    }

    fn builtin(
        &mut self,
        env: Env<'_>,
        at: Span,
        name: &Name,
        expr: &'p Expr,
        arguments: &'p [Argument],
    ) -> Evaluated<Value> {
        let [Argument { name: None, value: argument }] = arguments else {
            if matches!(name.as_str(), "secret" | "file") {
                return Err(self.report(
                    Diagnostic::error(codes::E0208, expr.span, format!("`{name}` takes one text"))
                        .help(format!("write `{name}(\"…\")`")),
                ));
            }
            return Err(self.unknown_function(env, at, name));
        };
        match name.as_str() {
            "secret" => self.secret(env, argument),
            "file" => self.file(env, argument),
            _ => Err(self.unknown_function(env, at, name)),
        }
    }

    fn unknown_function(&mut self, env: Env<'_>, at: Span, name: &Name) -> Stop {
        if self.is_bad(env.scope, name) {
            return Stop::Reported;
        }
        let mut known = vec!["secret", "file"];
        for scope in self.lexical(env.scope).filter(|_| self.explains()) {
            let names = self.tree.body(self.body_of(scope)).names();
            let functions = names.iter().filter(|(_, n)| matches!(n, Named::Function(_)));
            known.extend(functions.map(|(name, _)| name.as_str()));
        }
        let help = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("functions here: {}", known.join(", ")),
        };
        self.report(
            Diagnostic::error(codes::E0301, at, format!("there is no function `{name}`"))
                .help(help),
        )
    }

    fn literal_text(&mut self, env: Env<'_>, argument: &'p Expr) -> Evaluated<Arc<str>> {
        match self.eval(env, argument)? {
            Value::Text(text) => Ok(text),
            other => {
                let message = format!("a text is needed here, not {}", shown(&other));
                Err(self.report(
                    Diagnostic::error(codes::E0201, argument.span, message)
                        .help("write it in quotes: `\"…\"`"),
                ))
            }
        }
    }

    /// `secret("env:NAME")`: only where it comes from is remembered.
    fn secret(&mut self, env: Env<'_>, argument: &'p Expr) -> Evaluated<Value> {
        let source = self.literal_text(env, argument)?;
        let known = source
            .split_once(':')
            .is_some_and(|(scheme, rest)| SECRET_SCHEMES.contains(&scheme) && !rest.is_empty());
        if !known {
            let message = format!("{} says not where the secret is", Value::Text(source));
            return Err(self.report(
                Diagnostic::error(codes::E0804, argument.span, message)
                    .help("write `env:NAME`, `file:PATH`, `age:PATH#KEY` or `exec:COMMAND`"),
            ));
        }
        Ok(Value::Secret([SecretPart::Source(source)].into()))
    }

    /// `file("…")`: a text inside the project.
    fn file(&mut self, env: Env<'_>, argument: &'p Expr) -> Evaluated<Value> {
        let path = self.literal_text(env, argument)?;
        self.texts.text(&path).map_err(|why| {
            let message = format!("{} cannot be read: {why}", Value::Text(path));
            self.report(
                Diagnostic::error(codes::E0307, argument.span, message)
                    .help("paths begin at the root of the project and stay inside it"),
            )
        })
    }

    fn method(
        &mut self,
        env: Env<'_>,
        expr: &'p Expr,
        base: &'p Expr,
        name: &'p Ident,
        arguments: &'p [Argument],
    ) -> Evaluated<Value> {
        let receiver = self.eval(env, base)?;
        self.refuse_secret(&receiver, base.span)?;
        self.spend(breadth(&receiver) as u64 / 16, expr.span)?;
        let arguments = self.in_order(&receiver, name, arguments)?;
        let mut values = Vec::with_capacity(arguments.len());
        let mut stop = None;
        for argument in &arguments {
            if matches!(argument.value.kind, ExprKind::Lambda(..)) {
                values.push(Value::None);
                continue;
            }
            match self.eval(env, &argument.value) {
                Ok(value) => values.push(value),
                Err(error) => worst(&mut stop, error),
            }
        }
        if let Some(stop) = stop {
            return Err(stop);
        }
        let mut failed = None;
        let result = methods::method(&receiver, &name.name, &values, &mut |at, value| {
            let lambda = arguments.get(at).map(|argument| &argument.value);
            self.lambda(env, lambda, value).map_err(|error| {
                worst(&mut failed, error);
                Vec::new()
            })
        });
        match result {
            Ok(value) => {
                self.charge(&value, expr.span)?;
                Ok(value)
            }
            Err(MethodError::Lambda(diagnostics)) => {
                diagnostics.into_iter().for_each(|diagnostic| self.sink.push(diagnostic));
                Err(failed.unwrap_or(Stop::Reported))
            }
            Err(MethodError::Failed(error)) => Err(self.operation_failed(error, name.span)),
        }
    }

    /// The arguments of a method in the order of its parameters.
    fn in_order(
        &mut self,
        receiver: &Value,
        method: &Ident,
        arguments: &'p [Argument],
    ) -> Evaluated<Vec<&'p Argument>> {
        if arguments.iter().all(|argument| argument.name.is_none()) {
            return Ok(arguments.iter().collect());
        }
        let names: Vec<Option<&str>> = arguments
            .iter()
            .map(|argument| argument.name.as_ref().map(|name| name.name.as_str()))
            .collect();
        match methods::order(receiver, &method.name, &names) {
            Ok(order) => Ok(order.into_iter().filter_map(|at| arguments.get(at)).collect()),
            Err(error) => Err(self.operation_failed(error, method.span)),
        }
    }

    fn lambda(
        &mut self,
        env: Env<'_>,
        lambda: Option<&'p Expr>,
        value: &Value,
    ) -> Evaluated<Value> {
        let Some(expr) = lambda else { return Err(Stop::Reported) };
        let ExprKind::Lambda(variable, body) = &expr.kind else {
            return Err(self.report(
                Diagnostic::error(codes::E0208, expr.span, "a function is needed here")
                    .help("write `x => …`"),
            ));
        };
        let bindings = [(&variable.name, value.clone())];
        let frame = Frame { bindings: &bindings, outer: env.frame };
        self.eval(Env { frame: Some(&frame), ..env }, body)
    }
}

/// Brings arguments, by position and by name, into the order of a function's parameters.
pub(crate) fn match_arguments<'a>(
    function: &Function,
    arguments: &'a [Argument],
    at: Span,
) -> Result<Vec<&'a Expr>, Box<Diagnostic>> {
    let params = &function.ast.params;
    let mut given: Vec<Option<&Expr>> = vec![None; params.len()];
    let signature = || {
        let list: Vec<&str> = params.iter().map(|(param, _)| param.name.as_str()).collect();
        format!("{}({})", function.ast.name.name, list.join(", "))
    };
    for (at, argument) in arguments.iter().enumerate() {
        let place = match &argument.name {
            None => given.get_mut(at),
            Some(name) => {
                let found = params.iter().position(|(param, _)| param.name == name.name);
                found.and_then(|at| given.get_mut(at))
            }
        };
        match place {
            Some(place) if place.is_none() => *place = Some(&argument.value),
            _ => {
                let span = argument.name.as_ref().map_or(argument.value.span, |name| name.span);
                let message = format!("`{}` takes no such argument", function.ast.name.name);
                let wrong = Diagnostic::error(codes::E0208, span, message)
                    .also(function.ast.name.span, "the function")
                    .help(format!("it is `{}`", signature()));
                return Err(Box::new(wrong));
            }
        }
    }
    let missing: Vec<String> = params
        .iter()
        .zip(&given)
        .filter(|(_, given)| given.is_none())
        .map(|((param, ty), _)| format!("`{}: {}`", param.name, crate::types::written(ty)))
        .collect();
    if !missing.is_empty() {
        let message = format!("`{}` lacks {}", function.ast.name.name, missing.join(" and "));
        let wrong = Diagnostic::error(codes::E0208, at, message)
            .also(function.ast.name.span, "the function")
            .help(format!("it is `{}`", signature()));
        return Err(Box::new(wrong));
    }
    Ok(given.into_iter().flatten().collect())
}
