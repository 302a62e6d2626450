//! The type of every expression, whether or not it is ever evaluated: components that nobody uses,
//! branches that are not taken, functions.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tcloud_model::{Diagnostic, Field, Name, Type, Value, codes};
use tcloud_syntax::ast::{
    BinaryOp, Comprehension, Expr, ExprKind, Ident, Repeat, TemplatePart, TypeExpr,
};

use super::assign;
use super::place::Variables;
use crate::eval::fit::named;
use crate::ops::{self, OpError};
use crate::shapes::Shapes;
use crate::tree::{BlockId, BodyId, DefId, DefKind, FunctionId, Tree};
use crate::types::Reader;

/// How many parts all types together may have that are made from others: a use of a name makes the
/// type of what it stands for. Beyond, types are not known, and the evaluator sees what is wrong.
const MOST_PARTS: usize = 100_000_000;

/// Types all expressions.
pub(crate) struct Infer<'c> {
    pub(super) tree: &'c Tree,
    pub(super) shapes: &'c Shapes,
    diagnostics: RefCell<Vec<Diagnostic>>,
    types: RefCell<BTreeMap<DefId, Known>>,
    /// What functions without a written result give.
    pub(super) results: RefCell<BTreeMap<FunctionId, Rc<Type>>>,
    /// The variables of repeated blocks.
    repeats: RefCell<BTreeMap<BlockId, Variables>>,
    /// How many parts types may still be made of.
    pub(super) parts: Cell<usize>,
    /// Kinds and names of nested blocks that some `defaults` give.
    defaults: BTreeSet<(Name, Name)>,
    /// How deep definitions ask for one another.
    pub(super) depth: Cell<u8>,
}

/// What is known of the type of a definition.
enum Known {
    Asked,
    Done(Rc<Type>),
}

/// Where an expression stands: its body, and variables of functions, lambdas and `for`.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) body: BodyId,
    pub(super) locals: Option<&'s Local<'s>>,
}

pub(super) struct Local<'s> {
    pub(super) name: &'s Name,
    pub(super) ty: Rc<Type>,
    pub(super) outer: Option<&'s Local<'s>>,
}

impl Scope<'_> {
    pub(super) fn of(body: BodyId) -> Scope<'static> {
        Scope { body, locals: None }
    }
}

impl<'c> Infer<'c> {
    pub(crate) fn new(tree: &'c Tree, shapes: &'c Shapes) -> Infer<'c> {
        Infer {
            tree,
            shapes,
            diagnostics: RefCell::default(),
            types: RefCell::default(),
            results: RefCell::default(),
            repeats: RefCell::default(),
            parts: Cell::new(MOST_PARTS),
            defaults: in_defaults(tree),
            depth: Cell::new(0),
        }
    }

    /// Whether some `defaults` give a nested block of this kind and name.
    pub(super) fn is_in_defaults(&self, kind: &str, name: &Name) -> bool {
        self.defaults.contains(&(Name::new(kind), name.clone()))
    }

    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }

    /// Whether mistakes are still explained by what may have been meant.
    pub(super) fn explains(&self) -> bool {
        super::unknown::is_explained(self.diagnostics.borrow().len())
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) -> Type {
        self.diagnostics.borrow_mut().push(diagnostic);
        Type::Unknown
    }

    pub(super) fn operation(&self, result: Result<Type, OpError>, at: tcloud_model::Span) -> Type {
        result.unwrap_or_else(|OpError { code, message, help }| {
            self.report(Diagnostic::error(code, at, message).help(help))
        })
    }

    /// A written type; what is wrong with it is reported once, where the type is checked.
    pub(super) fn written(&self, ty: &TypeExpr, scope: BodyId) -> Type {
        // What is wrong with it is told where it is declared.
        let ty = Reader::silent(self.tree, self.shapes, scope).read(ty);
        if self.afford(&ty) { ty } else { Type::Unknown }
    }

    /// The type of a `let`, `param` or `output`. Definitions that ask for themselves have none; the
    /// evaluator reports the cycle.
    pub(super) fn definition(&self, id: DefId, body: BodyId) -> Rc<Type> {
        match self.types.borrow().get(&id) {
            Some(Known::Done(ty)) => return ty.clone(),
            Some(Known::Asked) => return Type::Unknown.into(),
            None => {}
        }
        let def = self.tree.def(id);
        let ty = match (&def.ty, &def.value) {
            (Some(written), _) => self.written(written, body),
            (None, Some(_)) if self.depth.get() == 100 => return Type::Unknown.into(),
            (None, Some(value)) => {
                self.depth.set(self.depth.get() + 1);
                self.types.borrow_mut().insert(id, Known::Asked);
                let ty = self.expr(Scope::of(body), value);
                self.depth.set(self.depth.get() - 1);
                ty
            }
            (None, None) => Type::Unknown,
        };
        let ty = Rc::new(ty);
        self.types.borrow_mut().insert(id, Known::Done(ty.clone()));
        ty
    }

    /// The types of the variables of a repeated block.
    pub(super) fn repeated(&self, id: BlockId, repeat: &'c Repeat) -> Variables {
        if let Some(known) = self.repeats.borrow().get(&id) {
            return known.clone();
        }
        let (first, second) = self.elements(Scope::of(self.tree.block(id).parent), repeat);
        let types = (Rc::new(first), Rc::new(second));
        self.repeats.borrow_mut().insert(id, types.clone());
        types
    }

    /// Checks an expression against what it is for; `subject` names that: `memory`.
    pub(super) fn expect(&self, scope: Scope<'_>, expr: &'c Expr, ty: &Type, subject: &str) {
        match (&expr.kind, ty) {
            (ExprKind::Paren(inner), _) => self.expect(scope, inner, ty, subject),
            (ExprKind::If(parts), _) => {
                let [condition, then, otherwise] = &**parts;
                self.condition(scope, condition);
                self.expect(scope, then, ty, subject);
                self.expect(scope, otherwise, ty, subject);
            }
            (ExprKind::List(items), Type::List(of)) => {
                items.iter().for_each(|item| self.expect(scope, item, of, subject));
            }
            (ExprKind::Object(fields), Type::Map(of)) => {
                for field in fields {
                    self.expect(scope, &field.value, of, &field.name.name);
                }
            }
            (ExprKind::Object(fields), Type::Object(known)) => {
                let lacks = |field: &&Field| {
                    !field.optional && !fields.iter().any(|own| own.name.name == field.name)
                };
                if let Some(missing) = known.iter().find(lacks) {
                    let message = format!("{subject} lacks `{}`", missing.name);
                    let help =
                        format!("add `{} = …`, which is {}", missing.name, named(&missing.ty));
                    self.report(Diagnostic::error(codes::E0102, expr.span, message).help(help));
                }
                for field in fields {
                    match known.iter().find(|own| own.name == field.name.name) {
                        Some(own) => self.expect(scope, &field.value, &own.ty, &own.name),
                        None => {
                            self.unknown_object_field(&field.name, known, subject);
                            self.expr(scope, &field.value);
                        }
                    }
                }
            }
            (ExprKind::Object(_) | ExprKind::List(_), Type::Optional(of)) => {
                self.expect(scope, expr, of, subject);
            }
            (ExprKind::Literal(value), _) => {
                if let Err(misfit) = crate::eval::fit::fit(ty, value.clone(), subject) {
                    self.report(misfit.into_diagnostic(expr));
                }
            }
            _ => {
                let found = self.expr(scope, expr);
                if let Some(diagnostic) = assign::mismatch(&found, ty, subject, expr) {
                    self.report(diagnostic);
                }
            }
        }
    }

    fn unknown_object_field(&self, name: &Ident, known: &[Field], subject: &str) {
        let most = if self.explains() { known.len() } else { 0 };
        let names: Vec<&str> = known.iter().take(most).map(|field| field.name.as_str()).collect();
        let message = format!("{subject} has no field `{}`", name.name);
        let diagnostic = Diagnostic::error(codes::E0101, name.span, message);
        let list = format!("it takes: {}", names.join(", "));
        self.report(super::structure::suggest(diagnostic, name, names.iter().copied(), &list));
    }

    /// Something that has to be true or false.
    pub(super) fn condition(&self, scope: Scope<'_>, expr: &'c Expr) {
        let ty = self.expr(scope, expr);
        let secret = matches!(ty, Type::Secret(_));
        if !secret && !assign::fits(&ty, &Type::Bool) {
            let message = format!("a condition is true or false, not {}", named(&ty));
            self.report(
                Diagnostic::error(codes::E0201, expr.span, message)
                    .help("compare it with something: `count > 0`, `env == \"prod\"`"),
            );
        }
    }

    /// The type of an expression.
    pub(super) fn expr(&self, scope: Scope<'_>, expr: &'c Expr) -> Type {
        match &expr.kind {
            ExprKind::Literal(value) => of_value(value),
            ExprKind::Paren(inner) => self.expr(scope, inner),
            ExprKind::Template(parts) => self.template(scope, parts),
            ExprKind::Name(_) | ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Star(_) => {
                let place = self.place(scope, expr);
                self.type_of_place(place, expr.span)
            }
            ExprKind::Call(callee, arguments) => self.call(scope, expr, callee, arguments),
            ExprKind::List(items) => {
                let types = items.iter().map(|item| self.expr(scope, item));
                Type::list(assign::join_all(types))
            }
            ExprKind::Object(fields) => Type::Object(
                fields
                    .iter()
                    .map(|field| Field {
                        name: field.name.name.clone(),
                        ty: self.expr(scope, &field.value),
                        optional: false,
                    })
                    .collect(),
            ),
            ExprKind::ListFor(of) => {
                Type::list(self.comprehension(scope, of, &|scope| self.expr(scope, &of.value)))
            }
            ExprKind::MapFor(of) => {
                let ty = self.comprehension(scope, of, &|scope| {
                    if let Some(key) = &of.key {
                        self.expr(scope, key);
                    }
                    self.expr(scope, &of.value)
                });
                Type::Map(Box::new(ty))
            }
            ExprKind::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                self.condition(scope, condition);
                assign::join(self.expr(scope, then), self.expr(scope, otherwise))
            }
            ExprKind::Unary(op, operand) => {
                let ty = self.expr(scope, operand);
                if matches!(ty, Type::Secret(_)) {
                    return self.secret_operand(operand);
                }
                self.operation(ops::unary_type(*op, &ty), expr.span)
            }
            ExprKind::Binary(op, operands) => self.binary(scope, expr, *op, operands),
            ExprKind::Lambda(variable, body) => {
                let ty = Type::Unknown.into();
                let local = Local { name: &variable.name, ty, outer: scope.locals };
                self.expr(Scope { body: scope.body, locals: Some(&local) }, body);
                Type::Unknown
            }
            ExprKind::Bad => Type::Unknown,
        }
    }

    pub(super) fn secret_operand(&self, operand: &Expr) -> Type {
        self.report(
            Diagnostic::error(codes::E0803, operand.span, "nothing can be computed from a secret")
                .label("a secret")
                .help("it can only stand in a text: `\"user:${password}\"`"),
        )
    }

    fn binary(&self, scope: Scope<'_>, expr: &Expr, op: BinaryOp, of: &'c [Expr; 2]) -> Type {
        let [left, right] = of;
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            self.condition(scope, left);
            self.condition(scope, right);
            return Type::Bool;
        }
        let (a, b) = (self.expr(scope, left), self.expr(scope, right));
        if op != BinaryOp::Default {
            for (ty, operand) in [(&a, left), (&b, right)] {
                if matches!(ty, Type::Secret(_)) {
                    return self.secret_operand(operand);
                }
            }
        }
        self.operation(ops::binary_type(op, &a, &b), expr.span)
    }

    fn template(&self, scope: Scope<'_>, parts: &'c [TemplatePart]) -> Type {
        let mut secret = false;
        for part in parts {
            let TemplatePart::Expr(expr) = part else { continue };
            let (message, help) = match self.expr(scope, expr) {
                Type::Secret(_) => {
                    secret = true;
                    continue;
                }
                ty @ (Type::List(_) | Type::Map(_) | Type::Object(_)) => (
                    format!("{} does not go into a text", named(&ty)),
                    "join a list: `${xs.join(\", \")}`",
                ),
                _ => continue,
            };
            self.report(Diagnostic::error(codes::E0201, expr.span, message).help(help));
        }
        if secret { Type::Secret(Box::new(Type::Text)) } else { Type::Text }
    }

    /// The type of what is made in each pass.
    fn comprehension(
        &self,
        scope: Scope<'_>,
        of: &'c Comprehension,
        pass: &dyn Fn(Scope<'_>) -> Type,
    ) -> Type {
        let (first, second) = self.elements(scope, &of.repeat);
        let ty = first.into();
        let local = Local { name: &of.repeat.first.name, ty, outer: scope.locals };
        let other = of.repeat.second.as_ref().map(|variable| Local {
            name: &variable.name,
            ty: second.into(),
            outer: Some(&local),
        });
        let inner = Scope { body: scope.body, locals: Some(other.as_ref().unwrap_or(&local)) };
        if let Some(condition) = &of.condition {
            self.condition(inner, condition);
        }
        pass(inner)
    }

    /// The types of the variables of a repetition.
    pub(super) fn elements(&self, scope: Scope<'_>, repeat: &'c Repeat) -> (Type, Type) {
        let over = self.expr(scope, &repeat.over);
        let pairs = repeat.second.is_some();
        match (&over, pairs) {
            (Type::Unknown | Type::Either(_) | Type::Secret(_), _) => {
                (Type::Unknown, Type::Unknown)
            }
            (Type::Range, false) => (Type::INT, Type::Unknown),
            (Type::List(of), false) => ((**of).clone(), Type::Unknown),
            (Type::Map(of), _) => (Type::Text, (**of).clone()),
            (Type::Object(fields), _) => {
                let values = fields.iter().map(|field| field.ty.clone());
                (Type::Text, assign::join_all(values))
            }
            _ => {
                let (what, help) = if pairs {
                    ("`for k, v` needs a map or an object", "for a list write `for x in xs`")
                } else {
                    ("`for` needs a list, a range or a map", "a range is written `1..=3`")
                };
                let message = format!("{what}, this is {}", named(&over));
                let diagnostic = Diagnostic::error(codes::E0206, repeat.over.span, message);
                (self.report(diagnostic.help(help)), Type::Unknown)
            }
        }
    }
}

fn in_defaults(tree: &Tree) -> BTreeSet<(Name, Name)> {
    let defaults = tree.bodies.iter().flat_map(|body| body.defaults().iter());
    let nested = defaults.flat_map(|id| tree.body(tree.block(*id).body).blocks.iter());
    nested
        .filter_map(|id| {
            let block = tree.block(*id);
            block.name.as_ref().map(|name| (block.kind.name.clone(), name.name.clone()))
        })
        .collect()
}

/// Which definitions a body's expressions may name are all but attributes.
pub(super) fn is_variable(kind: DefKind) -> bool {
    matches!(kind, DefKind::Let | DefKind::Param)
}

/// The type of a finished value.
pub(crate) fn of_value(value: &Value) -> Type {
    match value {
        Value::None => Type::Optional(Box::new(Type::Unknown)),
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::INT,
        Value::Float(_) => Type::Float,
        Value::Text(text) => Type::OneOf(vec![Name::new(text)]),
        Value::Bytes(_) => Type::Bytes,
        Value::Rate(_) => Type::Rate,
        Value::Duration(_) => Type::Duration,
        Value::Percent(_) => Type::Percent,
        Value::Ip(_) => Type::Ip,
        Value::Cidr(_) => Type::Cidr,
        Value::IpRange(_) => Type::IpRange,
        Value::Range(..) => Type::Range,
        Value::Port(_) => Type::Port,
        Value::Mac(_) => Type::Mac,
        Value::Date(..) => Type::Date,
        Value::Money(_) => Type::Money,
        Value::List(items) => Type::list(assign::join_all(items.iter().map(of_value))),
        Value::Map(fields) => Type::Object(
            fields
                .iter()
                .map(|(name, value)| Field {
                    name: name.clone(),
                    ty: of_value(value),
                    optional: false,
                })
                .collect(),
        ),
        Value::Ref(address) => Type::Ref(vec![address.kind().clone()]),
        Value::Secret(_) => Type::Secret(Box::new(Type::Text)),
    }
}
