//! The types of calls: of methods with their lambdas, and of functions with their parameters.

use std::rc::Rc;

use tcloud_model::{Diagnostic, Name, Type, codes};
use tcloud_syntax::ast::{Argument, Expr, ExprKind, Ident, TypeExpr};

use super::infer::{Infer, Local, Scope};
use crate::methods::{self, ArgType, Given};
use crate::tree::{FunctionId, Named};

/// A lambda of a call: the type of its variable to the type of its result.
type LambdaType<'l> = Box<dyn Fn(&Type) -> Type + 'l>;

impl<'c> Infer<'c> {
    pub(super) fn call(
        &self,
        scope: Scope<'_>,
        expr: &'c Expr,
        callee: &'c Expr,
        arguments: &'c [Argument],
    ) -> Type {
        match &callee.kind {
            ExprKind::Field(base, name) => {
                let receiver = self.expr(scope, base);
                if matches!(receiver, Type::Secret(_)) {
                    return self.secret_operand(base);
                }
                self.method(scope, &receiver, name, arguments)
            }
            ExprKind::Name(name) => self.function(scope, expr, callee, name, arguments),
            _ => {
                self.expr(scope, callee);
                Type::Unknown
            }
        }
    }

    fn method(
        &self,
        scope: Scope<'_>,
        receiver: &Type,
        name: &Ident,
        arguments: &'c [Argument],
    ) -> Type {
        let lambdas: Vec<Option<LambdaType<'_>>> = arguments
            .iter()
            .map(|argument| match &argument.value.kind {
                ExprKind::Lambda(variable, body) => {
                    let run = move |ty: &Type| {
                        let ty = Rc::new(ty.clone());
                        let local = Local { name: &variable.name, ty, outer: scope.locals };
                        self.expr(Scope { body: scope.body, locals: Some(&local) }, body)
                    };
                    Some(Box::new(run) as LambdaType<'_>)
                }
                _ => None,
            })
            .collect();
        let given: Vec<Given<'_>> = arguments
            .iter()
            .zip(&lambdas)
            .map(|(argument, lambda)| {
                let ty = match lambda {
                    Some(lambda) => ArgType::Lambda(lambda.as_ref()),
                    None => ArgType::Plain(self.expr(scope, &argument.value)),
                };
                (argument.name.as_ref().map(|name| name.name.as_str()), ty)
            })
            .collect();
        self.operation(methods::method_type(receiver, &name.name, &given), name.span)
    }

    fn function(
        &self,
        scope: Scope<'_>,
        expr: &'c Expr,
        callee: &'c Expr,
        name: &Name,
        arguments: &'c [Argument],
    ) -> Type {
        let found = self.tree.outwards(scope.body).find_map(|body| {
            self.tree.named(body, name).iter().find_map(|(_, named)| match named {
                Named::Function(id) => Some(*id),
                _ => None,
            })
        });
        let Some(id) = found else {
            for argument in arguments {
                self.expr(scope, &argument.value);
            }
            return match name.as_str() {
                "secret" => Type::Secret(Box::new(Type::Text)),
                "file" => Type::Text,
                _ => self.unknown_function(scope, callee, name),
            };
        };
        let function = &self.tree.functions[id.index()];
        match crate::eval::match_arguments(function, arguments, expr.span) {
            Ok(given) => {
                for ((_, ty), argument) in function.ast.params.iter().zip(given) {
                    let ty = self.written(ty, function.scope);
                    self.expect(scope, argument, &ty, "this");
                }
            }
            Err(diagnostic) => {
                self.report(*diagnostic);
            }
        }
        match &function.ast.result {
            Some(ty) => self.written(ty, function.scope),
            None => self.copy(&self.result(id)),
        }
    }

    fn unknown_function(&self, scope: Scope<'_>, callee: &Expr, name: &Name) -> Type {
        let bad = self.tree.outwards(scope.body).any(|b| self.tree.body(b).bad().contains(name));
        if bad {
            return Type::Unknown;
        }
        let most = if self.explains() { usize::MAX } else { 0 };
        let functions = self.tree.functions.iter().take(most);
        let functions = functions.map(|function| function.ast.name.name.as_str());
        let known: Vec<&str> = functions.chain(["secret", "file"]).collect();
        let help = match tcloud_model::diagnostic::nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("functions here: {}", known.join(", ")),
        };
        let message = format!("there is no function `{name}`");
        self.report(Diagnostic::error(codes::E0301, callee.span, message).help(help))
    }

    /// What a function without a written result gives. Recursion was refused before.
    pub(super) fn result(&self, id: FunctionId) -> Rc<Type> {
        if let Some(known) = self.results.borrow().get(&id) {
            return known.clone();
        }
        if self.depth.get() == 100 {
            return Type::Unknown.into();
        }
        self.depth.set(self.depth.get() + 1);
        let ty = Rc::new(self.with_params(id, &|scope, body| self.expr(scope, body)));
        self.depth.set(self.depth.get() - 1);
        self.results.borrow_mut().insert(id, ty.clone());
        ty
    }

    /// The body of a function, with its parameters in scope.
    pub(super) fn with_params(
        &self,
        id: FunctionId,
        run: &dyn Fn(Scope<'_>, &'c Expr) -> Type,
    ) -> Type {
        fn bind<'c>(
            infer: &Infer<'c>,
            params: &'c [(Ident, TypeExpr)],
            scope: Scope<'_>,
            body: &'c Expr,
            run: &dyn Fn(Scope<'_>, &'c Expr) -> Type,
        ) -> Type {
            match params.split_first() {
                None => run(scope, body),
                Some(((name, ty), rest)) => {
                    let ty = infer.written(ty, scope.body).into();
                    let local = Local { name: &name.name, ty, outer: scope.locals };
                    bind(infer, rest, Scope { body: scope.body, locals: Some(&local) }, body, run)
                }
            }
        }
        let function = &self.tree.functions[id.index()];
        let scope = Scope::of(function.scope);
        bind(self, &function.ast.params, scope, &function.ast.body, run)
    }
}
