//! The tree of one file. Every node knows its range; nothing is resolved or judged here. What did
//! not parse is a node too ([`Statement::Bad`], [`ExprKind::Bad`]), so that one mistake never hides
//! what stands around it.

use std::sync::Arc;

use tcloud_model::{Name, Span, Value};

/// A parsed file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// `in tenant rhoenblick` as the first item.
    pub scope: Option<Scope>,
    /// Everything else, in the order of the text.
    pub statements: Vec<Statement>,
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The word.
    pub name: Name,
    /// Where it stands.
    pub span: Span,
}

/// `in tenant rhoenblick`
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// The path, kind and name in turn: `tenant rhoenblick` or `tenant.rhoenblick`.
    pub path: Vec<Ident>,
    /// The whole item.
    pub span: Span,
}

/// An item of a file or of a block's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `vm web { … }`, `quota { … }`, `existing network lan { … }`, `defaults vm { … }`
    Block(Box<Block>),
    /// `memory = 8GiB`
    Attribute(Attribute),
    /// `let domain = …`
    Let(Box<Let>),
    /// `param env: "prod" | "test" = "prod"`
    Param(Box<Param>),
    /// `output address: Ip = …`
    Output(Box<Output>),
    /// `fn share(of: Int, n: Int): Int = of * n / 100`
    Function(Box<Function>),
    /// `type Size = Bytes where this >= 1GiB`
    TypeAlias(Box<TypeAlias>),
    /// `use "../path"`
    Use(Use),
    /// `component citizen-portal { … }`
    Component(Box<Component>),
    /// `if cond { … } else { … }`
    If(Box<If>),
    /// `check spread { assert … }`
    Check(Box<Check>),
    /// `assert expr, "message"`
    Assert(Box<Assert>),
    /// `moved A -> B`
    Moved(Box<Moved>),
    /// `adopt A from "name" on host.kvm1`
    Adopt(Box<Adopt>),
    /// `forget A`
    Forget(Forget),
    /// What could not be read. A diagnostic was made for it.
    Bad(Bad),
}

/// A block with a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// `///` lines above it, joined by newlines, without the marks.
    pub doc: Option<Arc<str>>,
    /// What stands before the kind.
    pub form: BlockForm,
    /// The kind, or the name of a component, or of a nested block.
    pub kind: Ident,
    /// Its name, if it has one.
    pub name: Option<Ident>,
    /// `for n in 1..=3`
    pub repeat: Option<Box<Repeat>>,
    /// `if env == "prod"`
    pub condition: Option<Box<Expr>>,
    /// What stands between the braces.
    pub body: Vec<Statement>,
    /// From the first word to the brace, without it.
    pub head: Span,
    /// From the first word to the closing brace.
    pub span: Span,
}

/// Whether a block declares, refers to what exists, or gives defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockForm {
    /// Ours.
    Own,
    /// `existing KIND NAME`: somebody else's.
    Existing,
    /// `defaults KIND`: for all blocks of the kind in this scope.
    Defaults,
}

/// `for n in 1..=3`, `for key, value in map`
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The first variable: the element, or the key when there are two.
    pub first: Ident,
    /// The second variable: the value of the key.
    pub second: Option<Ident>,
    /// What is repeated over.
    pub over: Expr,
    /// From `for` to the end of the expression.
    pub span: Span,
}

/// `name = value`
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// `let name = value`
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// Its name.
    pub name: Ident,
    /// Its type, if written.
    pub ty: Option<TypeExpr>,
    /// Its value.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// `param name: Type = default`
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// `///` lines above it.
    pub doc: Option<Arc<str>>,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeExpr,
    /// Its default; without one, it has to be given.
    pub default: Option<Expr>,
    /// All of it.
    pub span: Span,
}

/// `output name: Type = value`
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// `///` lines above it.
    pub doc: Option<Arc<str>>,
    /// Its name.
    pub name: Ident,
    /// Its type, if written.
    pub ty: Option<TypeExpr>,
    /// Its value.
    pub value: Expr,
    /// All of it.
    pub span: Span,
}

/// `fn name(a: A, b: B): C = expr`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// `///` lines above it.
    pub doc: Option<Arc<str>>,
    /// Its name.
    pub name: Ident,
    /// Its parameters.
    pub params: Vec<(Ident, TypeExpr)>,
    /// What it gives, if written.
    pub result: Option<TypeExpr>,
    /// What it computes.
    pub body: Expr,
    /// All of it.
    pub span: Span,
}

/// `type Name = …`
#[derive(Clone, Debug, PartialEq)]
pub struct TypeAlias {
    /// `///` lines above it.
    pub doc: Option<Arc<str>>,
    /// Its name.
    pub name: Ident,
    /// What it stands for.
    pub ty: TypeExpr,
    /// All of it.
    pub span: Span,
}

/// `use "git+https://…@REV"`, `use "../path" as name`
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Where from.
    pub source: Arc<str>,
    /// The place of the source.
    pub source_span: Span,
    /// `as name`
    pub alias: Option<Ident>,
    /// All of it.
    pub span: Span,
}

/// `component name { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// `///` lines above it.
    pub doc: Option<Arc<str>>,
    /// Its name, used like a kind.
    pub name: Ident,
    /// Parameters, resources, outputs.
    pub body: Vec<Statement>,
    /// From `component` to the brace.
    pub head: Span,
    /// All of it.
    pub span: Span,
}

/// `if cond { … } else { … }` around statements; an `else if` is an `If` alone in `otherwise`.
#[derive(Clone, Debug, PartialEq)]
pub struct If {
    /// The condition.
    pub condition: Expr,
    /// Statements when it holds.
    pub then: Vec<Statement>,
    /// Statements when it does not.
    pub otherwise: Vec<Statement>,
    /// All of it.
    pub span: Span,
}

/// `check name { assert … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// `///` lines above it.
    pub doc: Option<Arc<str>>,
    /// Its name.
    pub name: Ident,
    /// `let`s and asserts.
    pub body: Vec<Statement>,
    /// From `check` to the brace.
    pub head: Span,
    /// All of it.
    pub span: Span,
}

/// `assert expr, "message"`
#[derive(Clone, Debug, PartialEq)]
pub struct Assert {
    /// What has to hold.
    pub condition: Expr,
    /// What is said when it does not.
    pub message: Option<Expr>,
    /// All of it.
    pub span: Span,
}

/// `moved A -> B`
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// The old address.
    pub from: Expr,
    /// The new address.
    pub to: Expr,
    /// All of it.
    pub span: Span,
}

/// `adopt A from "name" on host.kvm1`
#[derive(Clone, Debug, PartialEq)]
pub struct Adopt {
    /// What it becomes.
    pub address: Expr,
    /// Its name or UUID on the hypervisor.
    pub from: Expr,
    /// The host.
    pub host: Expr,
    /// All of it.
    pub span: Span,
}

/// `forget A`
#[derive(Clone, Debug, PartialEq)]
pub struct Forget {
    /// What to forget.
    pub address: Expr,
    /// All of it.
    pub span: Span,
}

/// A range that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Bad {
    /// The name that was being given, if it could be made out: references to it are not reported.
    pub name: Option<Ident>,
    /// The range.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A literal without parts to evaluate: numbers, units, addresses, plain texts. Never a list,
    /// a map or a reference. A CIDR with host bits is [`ExprKind::Bad`] after its diagnostic.
    Literal(Value),
    /// A text with `${…}` in it.
    Template(Vec<TemplatePart>),
    /// The first word of a path: a variable, a kind, a scope.
    Name(Name),
    /// `base.name`. `vm.web` is `Field(Name("vm"), "web")`; what it means is for the compiler.
    Field(Box<Expr>, Ident),
    /// `base[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `base.*`: all instances.
    Star(Box<Expr>),
    /// `function(arguments)` or `value.method(arguments)`: the callee is a name or a field.
    Call(Box<Expr>, Vec<Argument>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{ a = 1, "b c" = 2 }`
    Object(Vec<ObjectField>),
    /// `[for x in xs if c : e]`
    ListFor(Box<Comprehension>),
    /// `{for k, v in m if c : k => e}`; the key is in [`Comprehension::key`].
    MapFor(Box<Comprehension>),
    /// `if c then a else b`
    If(Box<[Expr; 3]>),
    /// `!a`, `-a`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`, `a ?? b`, `1..=n`
    Binary(BinaryOp, Box<[Expr; 2]>),
    /// `x => expr`, only as an argument of a method.
    Lambda(Ident, Box<Expr>),
    /// `(a)`, kept for the formatter and for spans.
    Paren(Box<Expr>),
    /// What could not be read. A diagnostic was made for it.
    Bad,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplatePart {
    /// As it is, escapes resolved.
    Text(Arc<str>),
    /// `${expr}`
    Expr(Expr),
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// `name = value` arguments have a name.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectField {
    /// Its name; quoted keys may be any text.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
}

/// The head and body of a `for` expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Comprehension {
    /// The variables and what they run over.
    pub repeat: Repeat,
    /// `if c`
    pub condition: Option<Expr>,
    /// The key, for maps.
    pub key: Option<Expr>,
    /// The element or value.
    pub value: Expr,
}

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `!`
    Not,
    /// `-`
    Negate,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `??`
    Default,
    /// `..=`
    Range,
    /// `in`
    In,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeExprKind,
    /// Where it stands.
    pub span: Span,
}

/// What a written type is.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeExprKind {
    /// `Int`, `network`, a user's own name.
    Name(Name),
    /// `Int(1..=6)`: bounds, both included, each may be missing.
    Bounded(Ident, Option<i64>, Option<i64>),
    /// `Map<T>`, `Secret<T>`, `Late<T>`
    Generic(Ident, Box<TypeExpr>),
    /// `T[]`
    List(Box<TypeExpr>),
    /// `T?`
    Optional(Box<TypeExpr>),
    /// `"prod"`
    Text(Arc<str>),
    /// `A | B`
    Union(Vec<TypeExpr>),
    /// `{ a: T, b?: T }`: name, whether it may be missing, type.
    Object(Vec<(Ident, bool, TypeExpr)>),
    /// `T where cond`, over `this`
    Where(Box<TypeExpr>, Box<Expr>),
    /// `(T)`
    Paren(Box<TypeExpr>),
    /// What could not be read.
    Bad,
}
