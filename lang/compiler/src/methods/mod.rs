//! The methods and properties of values: what they compute, what type that has, and how they are
//! documented. One file for each family.

use tcloud_model::{Diagnostic, Type, Value, codes};

use crate::ops::OpError;

/// A method or property, for completion, suggestions and the book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MethodDoc {
    /// `host`
    pub name: &'static str,
    /// How it is called: `host(n: Int): Ip`; a property has no parentheses.
    pub signature: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// An expression and its value: `10.20.0.0/24.host(10) == 10.20.0.10`.
    pub example: &'static str,
}

/// Why a method gave nothing.
#[derive(Debug)]
pub(crate) enum MethodError {
    /// The method itself failed; the caller adds the place.
    Failed(OpError),
    /// The lambda that it called failed, and has said where.
    Lambda(Vec<Diagnostic>),
}

/// What the checker knows of an argument.
pub(crate) enum ArgType<'a> {
    /// An expression of this type.
    Plain(Type),
    /// `x => …`: given the type of `x`, the type of the result.
    Lambda(&'a dyn Fn(&Type) -> Type),
}

/// How a method calls the lambda at an argument position.
pub(crate) type Call<'a> = dyn FnMut(usize, &Value) -> Result<Value, Vec<Diagnostic>> + 'a;

/// Calls a method. Lambdas stand as [`Value::None`] in `args`; `call` evaluates them.
pub(crate) fn method(
    _receiver: &Value,
    name: &str,
    _args: &[Value],
    _call: &mut Call<'_>,
) -> Result<Value, MethodError> {
    Err(MethodError::Failed(unknown(name)))
}

/// The type of what a method gives.
pub(crate) fn method_type(
    _receiver: &Type,
    name: &str,
    _args: &[ArgType<'_>],
) -> Result<Type, OpError> {
    Err(unknown(name))
}

/// A property, written without parentheses.
pub(crate) fn property(_receiver: &Value, _name: &str) -> Option<Value> {
    None
}

/// The methods of a type.
pub(crate) fn methods_of(_receiver: &Type) -> Vec<&'static MethodDoc> {
    Vec::new()
}

fn unknown(name: &str) -> OpError {
    OpError::new(
        codes::E0220,
        format!("there is no method `{name}`"),
        "see the methods of the type",
    )
}
