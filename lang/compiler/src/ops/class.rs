//! What sort of thing a value or a type is, as far as operators care, and which sorts go together.

use tcloud_model::{Type, Value};
use tcloud_syntax::ast::BinaryOp;

use super::errors::{Operand, shown};

/// The sort of a value: its dimension, or its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// "Not there", or a type that may be absent.
    Absent,
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Rate,
    Duration,
    Percent,
    Ip,
    Cidr,
    IpRange,
    Range,
    Port,
    Mac,
    Date,
    Money,
    List,
    Map,
    Ref,
    Secret,
}

impl Class {
    /// The sort of a value.
    pub(crate) fn of(value: &Value) -> Class {
        match value {
            Value::None => Class::Absent,
            Value::Bool(_) => Class::Bool,
            Value::Int(_) => Class::Int,
            Value::Float(_) => Class::Float,
            Value::Text(_) => Class::Text,
            Value::Bytes(_) => Class::Bytes,
            Value::Rate(_) => Class::Rate,
            Value::Duration(_) => Class::Duration,
            Value::Percent(_) => Class::Percent,
            Value::Ip(_) => Class::Ip,
            Value::Cidr(_) => Class::Cidr,
            Value::IpRange(_) => Class::IpRange,
            Value::Range(..) => Class::Range,
            Value::Port(_) => Class::Port,
            Value::Mac(_) => Class::Mac,
            Value::Date(..) => Class::Date,
            Value::Money(_) => Class::Money,
            Value::List(_) => Class::List,
            Value::Map(_) => Class::Map,
            Value::Ref(_) => Class::Ref,
            Value::Secret(_) => Class::Secret,
        }
    }

    /// The sort of a type; `None` when it is not known or may be of several sorts.
    pub(crate) fn of_type(ty: &Type) -> Option<Class> {
        Some(match ty {
            Type::Bool => Class::Bool,
            Type::Int { .. } => Class::Int,
            Type::Float => Class::Float,
            Type::Text | Type::OneOf(_) | Type::Window => Class::Text,
            Type::Bytes => Class::Bytes,
            Type::Rate => Class::Rate,
            Type::Duration => Class::Duration,
            Type::Percent => Class::Percent,
            Type::Ip => Class::Ip,
            Type::Cidr => Class::Cidr,
            Type::IpRange => Class::IpRange,
            Type::Range => Class::Range,
            Type::Port => Class::Port,
            Type::Mac => Class::Mac,
            Type::Date => Class::Date,
            Type::Money => Class::Money,
            Type::List(_) => Class::List,
            Type::Map(_) | Type::Object(_) => Class::Map,
            Type::Optional(_) => Class::Absent,
            Type::Secret(_) => Class::Secret,
            Type::Ref(_) => Class::Ref,
            Type::Either(_) | Type::Unknown => return None,
        })
    }

    /// The widest type of this sort; `None` for what has parts.
    pub(crate) fn as_type(self) -> Option<Type> {
        Some(match self {
            Class::Bool => Type::Bool,
            Class::Int => Type::INT,
            Class::Float => Type::Float,
            Class::Text => Type::Text,
            Class::Bytes => Type::Bytes,
            Class::Rate => Type::Rate,
            Class::Duration => Type::Duration,
            Class::Percent => Type::Percent,
            Class::Ip => Type::Ip,
            Class::Cidr => Type::Cidr,
            Class::IpRange => Type::IpRange,
            Class::Range => Type::Range,
            Class::Port => Type::Port,
            Class::Mac => Type::Mac,
            Class::Date => Type::Date,
            Class::Money => Type::Money,
            Class::Absent | Class::List | Class::Map | Class::Ref | Class::Secret => return None,
        })
    }

    /// Whether the sort alone says the type.
    pub(crate) fn is_scalar(self) -> bool {
        self.as_type().is_some()
    }

    /// An amount with a unit: it adds to its own sort only, and scales by a number.
    pub(crate) fn is_quantity(self) -> bool {
        matches!(self, Class::Bytes | Class::Rate | Class::Duration | Class::Percent | Class::Money)
    }

    /// A number without a unit.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Class::Int | Class::Float)
    }

    /// Whether `<` means something for it.
    pub(crate) fn has_order(self) -> bool {
        self.is_number()
            || self.is_quantity()
            || matches!(self, Class::Text | Class::Ip | Class::Cidr | Class::Port | Class::Date)
    }

    /// The sort in the user's words, with an article.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Class::Absent => "a value that may be absent",
            Class::Bool => "a yes or no",
            Class::Int => "a number",
            Class::Float => "a number with a fraction",
            Class::Text => "a text",
            Class::Bytes => "a size",
            Class::Rate => "a rate",
            Class::Duration => "a duration",
            Class::Percent => "a percentage",
            Class::Ip => "an IP address",
            Class::Cidr => "a whole network",
            Class::IpRange => "a range of addresses",
            Class::Range => "a range of numbers",
            Class::Port => "a port",
            Class::Mac => "a MAC address",
            Class::Date => "a date",
            Class::Money => "an amount of money",
            Class::List => "a list",
            Class::Map => "an object",
            Class::Ref => "a reference",
            Class::Secret => "a secret",
        }
    }

    /// An operand for a message about values.
    pub(super) fn operand(self, value: &Value) -> Operand {
        Operand { text: shown(value), class: self, literal: true }
    }

    /// An operand for a message about types: "the left side".
    pub(super) fn operand_of_type(self, side: &str) -> Operand {
        let text = if side == "this" { "this".to_owned() } else { format!("the {side} side") };
        Operand { text, class: self, literal: false }
    }
}

/// What an arithmetic operator gives for two sorts; `None` when they do not go together.
pub(super) fn arithmetic_class(op: BinaryOp, left: Class, right: Class) -> Option<Class> {
    use {BinaryOp as B, Class as C};
    let number = |a: Class, b: Class| {
        if (a, b) == (C::Int, C::Int) { C::Int } else { C::Float }
    };
    match (op, left, right) {
        (B::Add | B::Subtract, a, b) if a.is_number() && b.is_number() => Some(number(a, b)),
        (B::Add | B::Subtract | B::Remainder, a, b) if a == b && a.is_quantity() => Some(a),
        (B::Add | B::Subtract, C::Ip, C::Int) | (B::Add, C::Int, C::Ip) => Some(C::Ip),
        (B::Subtract, C::Ip, C::Ip) => Some(C::Int),
        (B::Multiply | B::Divide | B::Remainder, a, b) if a.is_number() && b.is_number() => {
            Some(number(a, b))
        }
        // A share of something is of its kind; a share of a count may have a fraction.
        (B::Multiply, C::Percent, b) if b.is_number() => Some(C::Float),
        (B::Multiply, a, C::Percent) if a.is_number() => Some(C::Float),
        (B::Multiply, C::Percent, b) if b.is_quantity() => Some(b),
        (B::Multiply, a, C::Percent) if a.is_quantity() => Some(a),
        (B::Multiply, a, b) if a.is_quantity() && b.is_number() => Some(a),
        (B::Multiply, a, b) if a.is_number() && b.is_quantity() => Some(b),
        (B::Divide, a, b) if a.is_quantity() && b.is_number() => Some(a),
        (B::Divide, a, b) if a == b && a.is_quantity() => Some(C::Float),
        _ => None,
    }
}
