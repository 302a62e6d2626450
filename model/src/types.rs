//! What a value may be. One `Type` for attributes, parameters and expressions; there is no "any".

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Name, Value, Window};

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number, within bounds that are both included.
    Int {
        /// Smallest allowed.
        min: Option<i64>,
        /// Largest allowed.
        max: Option<i64>,
    },
    /// A number with a fraction.
    Float,
    /// A text.
    Text,
    /// A size.
    Bytes,
    /// Bits per second.
    Rate,
    /// A length of time.
    Duration,
    /// A percentage.
    Percent,
    /// One IP address.
    Ip,
    /// An IP network.
    Cidr,
    /// A range of IP addresses.
    IpRange,
    /// A range of whole numbers.
    Range,
    /// A port with its protocol.
    Port,
    /// A MAC address; written as a text in the language.
    Mac,
    /// Days, times and a time zone, written as a text: see [`crate::Window`].
    Window,
    /// A day.
    Date,
    /// An amount of money.
    Money,
    /// One of these texts: `"prod" | "test"`.
    OneOf(Vec<Name>),
    /// A list: `T[]`.
    List(Box<Type>),
    /// Any names, values of one type: `Map<T>`.
    Map(Box<Type>),
    /// Known names: `{ a: T, b?: T }`. Closed: other names are errors.
    Object(Vec<Field>),
    /// It may be absent: `T?`.
    Optional(Box<Type>),
    /// A secret: `Secret<T>`.
    Secret(Box<Type>),
    /// A reference to an object of one of these kinds.
    Ref(Vec<Name>),
    /// One of several types; an attribute such as `from` takes a network, a VM or a CIDR.
    Either(Vec<Type>),
    /// The type of an expression that was already reported as wrong; fits everything, so that one
    /// mistake is reported once.
    Unknown,
}

/// A field of an object type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// `b?: T`
    #[serde(default)]
    pub optional: bool,
}

impl Type {
    /// A whole number of any size.
    pub const INT: Type = Type::Int { min: None, max: None };

    /// A whole number within bounds, both included.
    pub fn int(min: i64, max: i64) -> Type {
        Type::Int { min: Some(min), max: Some(max) }
    }

    /// A list of this type.
    pub fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    /// A reference to objects of these kinds.
    pub fn reference(kinds: &[&str]) -> Type {
        Type::Ref(kinds.iter().map(|kind| Name::new(kind)).collect())
    }

    /// One of these texts.
    pub fn one_of(texts: &[&str]) -> Type {
        Type::OneOf(texts.iter().map(|text| Name::new(text)).collect())
    }

    /// Whether a value of this type may be a secret, or hold one.
    pub fn may_be_secret(&self) -> bool {
        match self {
            Type::Secret(_) => true,
            Type::List(of) | Type::Map(of) | Type::Optional(of) => of.may_be_secret(),
            Type::Object(fields) => fields.iter().any(|field| field.ty.may_be_secret()),
            Type::Either(types) => types.iter().any(Type::may_be_secret),
            _ => false,
        }
    }

    /// Whether a finished value is of this type. `where` conditions are not part of a `Type`; the
    /// compiler checks them.
    pub fn admits(&self, value: &Value) -> bool {
        use {Type as T, Value as V};
        match (self, value) {
            (T::Unknown, _)
            | (T::Bool, V::Bool(_))
            | (T::Float, V::Float(_) | V::Int(_))
            | (T::Text, V::Text(_))
            | (T::Bytes, V::Bytes(_))
            | (T::Rate, V::Rate(_))
            | (T::Duration, V::Duration(_))
            | (T::Percent, V::Percent(_))
            | (T::Ip, V::Ip(_))
            | (T::Cidr, V::Cidr(_))
            | (T::IpRange, V::IpRange(_))
            | (T::Range, V::Range(..))
            | (T::Port, V::Port(_))
            | (T::Mac, V::Mac(_))
            | (T::Date, V::Date(..))
            | (T::Money, V::Money(_))
            | (T::Optional(_), V::None)
            | (T::Secret(_), V::Secret(_)) => true,
            (T::Int { min, max }, V::Int(number)) => {
                min.is_none_or(|min| *number >= min) && max.is_none_or(|max| *number <= max)
            }
            (T::Window, V::Text(text)) => Window::parse(text).is_ok(),
            (T::OneOf(texts), V::Text(text)) => texts.iter().any(|own| own == &**text),
            (T::List(of), V::List(items)) => items.iter().all(|item| of.admits(item)),
            (T::Map(of), V::Map(fields)) => fields.iter().all(|(_, item)| of.admits(item)),
            (T::Object(known), V::Map(fields)) => {
                let mut found = 0;
                let complete = known.iter().all(|field| match fields.get(&field.name) {
                    Some(value) => {
                        found += 1;
                        field.ty.admits(value)
                    }
                    None => field.optional,
                });
                let is_known = |name: &Name| known.iter().any(|field| field.name == *name);
                // As many as there are fields are all of them.
                complete && (found == fields.len() || fields.iter().all(|(name, _)| is_known(name)))
            }
            (T::Optional(of), value) => of.admits(value),
            (T::Ref(kinds), V::Ref(address)) => kinds.iter().any(|kind| kind == address.kind()),
            (T::Either(types), value) => types.iter().any(|ty| ty.admits(value)),
            _ => false,
        }
    }
}

/// The type as it is written in the language.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("Bool"),
            Type::Int { min: None, max: None } => f.write_str("Int"),
            Type::Int { min: Some(min), max: Some(max) } => write!(f, "Int({min}..={max})"),
            Type::Int { min: Some(min), max: None } => write!(f, "Int({min}..)"),
            Type::Int { min: None, max: Some(max) } => write!(f, "Int(..={max})"),
            Type::Float => f.write_str("Float"),
            Type::Text => f.write_str("String"),
            Type::Bytes => f.write_str("Bytes"),
            Type::Rate => f.write_str("Rate"),
            Type::Duration => f.write_str("Duration"),
            Type::Percent => f.write_str("Percent"),
            Type::Ip => f.write_str("Ip"),
            Type::Cidr => f.write_str("Cidr"),
            Type::IpRange => f.write_str("IpRange"),
            Type::Range => f.write_str("Range"),
            Type::Port => f.write_str("Port"),
            Type::Mac => f.write_str("Mac"),
            Type::Window => f.write_str("Window"),
            Type::Date => f.write_str("Date"),
            Type::Money => f.write_str("Money"),
            Type::OneOf(texts) => {
                for (position, text) in texts.iter().enumerate() {
                    write!(f, "{}\"{text}\"", if position == 0 { "" } else { " | " })?;
                }
                Ok(())
            }
            Type::List(of) => match **of {
                Type::OneOf(_) | Type::Either(_) => write!(f, "({of})[]"),
                _ => write!(f, "{of}[]"),
            },
            Type::Map(of) => write!(f, "Map<{of}>"),
            Type::Object(fields) => {
                f.write_str("{ ")?;
                for (position, field) in fields.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    let mark = if field.optional { "?" } else { "" };
                    write!(f, "{comma}{}{mark}: {}", field.name, field.ty)?;
                }
                f.write_str(" }")
            }
            Type::Optional(of) => write!(f, "{of}?"),
            Type::Secret(of) => write!(f, "Secret<{of}>"),
            Type::Ref(kinds) => {
                for (position, kind) in kinds.iter().enumerate() {
                    write!(f, "{}{kind}", if position == 0 { "" } else { " | " })?;
                }
                Ok(())
            }
            Type::Either(types) => {
                for (position, ty) in types.iter().enumerate() {
                    write!(f, "{}{ty}", if position == 0 { "" } else { " | " })?;
                }
                Ok(())
            }
            Type::Unknown => f.write_str("?"),
        }
    }
}
