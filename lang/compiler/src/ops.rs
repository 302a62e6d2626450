//! What the operators of the language do with values and with types. Operators know no positions:
//! who evaluates an expression adds the place to an [`OpError`].
//!
//! One table, [`arithmetic_class`], says which operands fit together; values and types both ask it,
//! so that what the checker lets through can be computed.

mod arithmetic;
mod class;
mod errors;
mod relation;

use tcloud_model::{Code, Type, Value};
use tcloud_syntax::ast::{BinaryOp, UnaryOp};

pub(crate) use arithmetic::shift;
pub(crate) use class::Class;
pub(crate) use errors::shown;
pub(crate) use relation::{comparable, equal, in_collection, may_contain, ordered, same};

/// Why an operator cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpError {
    /// Its page.
    pub code: Code,
    /// What is wrong, in the user's words.
    pub message: String,
    /// One concrete repair.
    pub help: String,
}

impl OpError {
    pub(crate) fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> OpError {
        OpError { code, message: message.into(), help: help.into() }
    }
}

/// Applies an operator. `&&`, `||` and `??` evaluate their right side only when they need it, which
/// is for the evaluator; here both sides are known.
pub(crate) fn binary(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, OpError> {
    use BinaryOp as B;
    match op {
        B::Equal => equal(left, right).map(Value::Bool),
        B::NotEqual => equal(left, right).map(|same| Value::Bool(!same)),
        B::Less | B::LessEqual | B::Greater | B::GreaterEqual => {
            let order = ordered(left, right)?;
            Ok(Value::Bool(match op {
                B::Less => order.is_lt(),
                B::LessEqual => order.is_le(),
                B::Greater => order.is_gt(),
                _ => order.is_ge(),
            }))
        }
        B::In => in_collection(left, right).map(Value::Bool),
        B::Range => arithmetic::range(left, right),
        B::And | B::Or => match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => {
                Ok(Value::Bool(if op == B::And { *a && *b } else { *a || *b }))
            }
            _ => Err(errors::unfit(
                op,
                &Class::of(left).operand(left),
                &Class::of(right).operand(right),
            )),
        },
        B::Default => Ok(if *left == Value::None { right.clone() } else { left.clone() }),
        B::Add | B::Subtract | B::Multiply | B::Divide | B::Remainder => {
            arithmetic::compute(op, left, right)
        }
    }
}

/// Applies an operator that stands before its operand.
pub(crate) fn unary(op: UnaryOp, value: &Value) -> Result<Value, OpError> {
    match (op, value) {
        (UnaryOp::Not, Value::Bool(flag)) => Ok(Value::Bool(!flag)),
        (UnaryOp::Negate, Value::Float(number)) => Ok(Value::Float(-number)),
        (UnaryOp::Negate, Value::Int(_) | Value::Percent(_) | Value::Money(_)) => {
            arithmetic::negate(value)
        }
        _ => Err(errors::unfit_unary(op, &Class::of(value).operand(value))),
    }
}

/// The type of what an operator gives.
pub(crate) fn binary_type(op: BinaryOp, left: &Type, right: &Type) -> Result<Type, OpError> {
    use BinaryOp as B;
    if op == B::Default {
        return Ok(default_type(left, right));
    }
    if let Some(result) = alternatives(op, left, right) {
        return result;
    }
    let (Some(a), Some(b)) = (Class::of_type(left), Class::of_type(right)) else {
        return Ok(unknown_result(op));
    };
    let fits = match op {
        B::Equal | B::NotEqual => relation::comparable(a, b).then_some(Type::Bool),
        B::Less | B::LessEqual | B::Greater | B::GreaterEqual => {
            (relation::comparable(a, b) && a.has_order() && b.has_order()).then_some(Type::Bool)
        }
        B::In => relation::may_contain(left, right).then_some(Type::Bool),
        B::And | B::Or => ((a, b) == (Class::Bool, Class::Bool)).then_some(Type::Bool),
        B::Range => match (a, b) {
            (Class::Int, Class::Int) => Some(Type::Range),
            (Class::Ip, Class::Ip) => Some(Type::IpRange),
            _ => None,
        },
        _ => class::arithmetic_class(op, a, b).and_then(Class::as_type),
    };
    fits.ok_or_else(|| {
        errors::mismatch(op, &a.operand_of_type("left"), &b.operand_of_type("right"))
    })
}

/// The type of what an operator before its operand gives.
pub(crate) fn unary_type(op: UnaryOp, ty: &Type) -> Result<Type, OpError> {
    let Some(class) = Class::of_type(ty) else {
        return Ok(if op == UnaryOp::Not { Type::Bool } else { Type::Unknown });
    };
    match (op, class) {
        (UnaryOp::Not, Class::Bool) => Ok(Type::Bool),
        (UnaryOp::Negate, Class::Int | Class::Float | Class::Percent | Class::Money) => {
            Ok(class.as_type().unwrap_or(Type::Unknown))
        }
        _ => Err(errors::unfit_unary(op, &class.operand_of_type("this"))),
    }
}

/// `a ?? b` is what `a` holds when it is there, else `b`.
fn default_type(left: &Type, right: &Type) -> Type {
    match left {
        Type::Optional(of) if **of == *right || *right == Type::Unknown => (**of).clone(),
        Type::Optional(of) if **of == Type::Unknown => right.clone(),
        Type::Optional(of) => match (Class::of_type(of), Class::of_type(right)) {
            // Two texts or two numbers: the wider type of the two.
            (Some(a), Some(b)) if a == b && a.is_scalar() => a.as_type().unwrap_or(Type::Unknown),
            (Some(a), Some(b)) if a == b => right.clone(),
            _ => Type::Either(vec![(**of).clone(), right.clone()]),
        },
        other => other.clone(),
    }
}

/// When a side may be of several types, the operator has to fit at least one combination.
fn alternatives(op: BinaryOp, left: &Type, right: &Type) -> Option<Result<Type, OpError>> {
    let (Type::Either(types), swap) = (match (left, right) {
        (Type::Either(_), _) => (left, false),
        (_, Type::Either(_)) => (right, true),
        _ => return None,
    }) else {
        return None;
    };
    let mut fitting: Vec<Type> = Vec::new();
    let mut first_error = None;
    for ty in types {
        let result = if swap { binary_type(op, left, ty) } else { binary_type(op, ty, right) };
        match result {
            Ok(ty) if !fitting.contains(&ty) => fitting.push(ty),
            Ok(_) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match (fitting.len(), first_error) {
        (0, Some(error)) => Some(Err(error)),
        (0, None) => Some(Ok(Type::Unknown)),
        (1, _) => fitting.pop().map(Ok),
        _ => Some(Ok(Type::Either(fitting))),
    }
}

fn unknown_result(op: BinaryOp) -> Type {
    use BinaryOp as B;
    match op {
        B::Add | B::Subtract | B::Multiply | B::Divide | B::Remainder | B::Range | B::Default => {
            Type::Unknown
        }
        _ => Type::Bool,
    }
}

#[cfg(test)]
mod tests;
