//! Whether a value of one type may be given where another is asked for. Lenient where only the value
//! can tell – a text for a set of texts, a number for bounds – because the evaluator looks again.

use std::collections::{BTreeMap, BTreeSet};

use tcloud_model::{Diagnostic, Name, Type, codes};
use tcloud_syntax::ast::Expr;

use crate::eval::fit::named;

/// How many types, or texts, something may be one of.
const MOST_ALTERNATIVES: usize = 32;

/// Whether some value of the first type is one of the second.
pub(crate) fn fits(from: &Type, to: &Type) -> bool {
    use Type as T;
    match (from, to) {
        (T::Unknown, _) | (_, T::Unknown) => true,
        (T::Optional(from), T::Optional(to)) => fits(from, to),
        (T::Optional(_), _) => false,
        (from, T::Optional(to)) => fits(from, to),
        (T::Either(types), to) => types.iter().any(|from| fits(from, to)),
        (from, T::Either(types)) => types.iter().any(|to| fits(from, to)),
        (T::Secret(from), T::Secret(to)) => fits(from, to),
        (T::Secret(_), _) => false,
        (from, T::Secret(to)) => fits(from, to),
        (T::Int { .. }, T::Float) => true,
        (T::Int { min: low, max: high }, T::Int { min, max }) => {
            let below = matches!((high, min), (Some(high), Some(min)) if high < min);
            let above = matches!((low, max), (Some(low), Some(max)) if low > max);
            !below && !above
        }
        (T::Text, T::OneOf(_) | T::Mac | T::Window) | (T::Window, T::Text | T::OneOf(_)) => true,
        (T::OneOf(_), T::Text) => true,
        (T::OneOf(texts), T::Mac) => {
            texts.iter().any(|text| tcloud_model::value::parse_mac(text).is_some())
        }
        (T::OneOf(texts), T::Window) => {
            texts.iter().any(|text| tcloud_model::Window::parse(text).is_ok())
        }
        (T::OneOf(from), T::OneOf(to)) => from.iter().any(|text| to.contains(text)),
        (T::Ref(from), T::Ref(to)) => {
            from.is_empty() || to.is_empty() || from.iter().any(|kind| to.contains(kind))
        }
        (T::List(from), T::List(to)) | (T::Map(from), T::Map(to)) => fits(from, to),
        (T::Object(fields), T::Map(to)) => fields.iter().all(|field| fits(&field.ty, to)),
        (T::Map(_), T::Object(_)) => true,
        (T::Object(from), T::Object(to)) => {
            let given: BTreeMap<&Name, &Type> = from.iter().map(|f| (&f.name, &f.ty)).collect();
            let has = |field: &tcloud_model::Field| match given.get(&field.name) {
                Some(own) => fits(own, &field.ty),
                None => field.optional,
            };
            let known: BTreeSet<&Name> = to.iter().map(|field| &field.name).collect();
            to.iter().all(has) && given.keys().all(|name| known.contains(name))
        }
        (from, to) => from == to,
    }
}

/// What is wrong when a value of one type is given where another is asked for.
pub(crate) fn mismatch(from: &Type, to: &Type, subject: &str, expr: &Expr) -> Option<Diagnostic> {
    if fits(from, to) {
        return None;
    }
    let dimension = |ty: &Type| {
        matches!(ty, Type::Bytes | Type::Rate | Type::Duration | Type::Percent | Type::Int { .. })
    };
    let (code, message, help) = match (from, to) {
        (Type::Secret(_), _) => (
            codes::E0801,
            format!("a secret would become visible in {subject}"),
            "give it to something of type `Secret<…>`, or do without the secret here".to_owned(),
        ),
        (Type::Optional(of), to) if fits(of, to) => (
            codes::E0201,
            format!("{subject} needs {}, this may be absent", named(to)),
            "say what holds then: `x ?? …`".to_owned(),
        ),
        (from, to) if dimension(from) && dimension(to) => (
            codes::E0202,
            format!("{subject} needs {}, this is {}", named(to), named(from)),
            "bring it to the other unit, or use another value".to_owned(),
        ),
        (Type::OneOf(_), Type::OneOf(_)) => (
            codes::E0203,
            format!("{subject} is {to}, this is {from}"),
            "choose one of the allowed texts".to_owned(),
        ),
        _ => (
            codes::E0201,
            format!("{subject} needs {}, this is {}", named(to), named(from)),
            format!("give it {}", named(to)),
        ),
    };
    Some(Diagnostic::error(code, expr.span, message).help(help))
}

/// A type for values of either type.
pub(crate) fn join(a: Type, b: Type) -> Type {
    match (a, b) {
        (a, b) if a == b => a,
        (Type::Unknown, _) | (_, Type::Unknown) => Type::Unknown,
        (Type::Int { .. }, Type::Int { .. }) => Type::INT,
        (Type::Int { .. }, Type::Float) | (Type::Float, Type::Int { .. }) => Type::Float,
        (Type::OneOf(mut a), Type::OneOf(b)) => {
            if a.len() + b.len() > MOST_ALTERNATIVES {
                return Type::Text;
            }
            a.extend(b);
            a.sort();
            a.dedup();
            Type::OneOf(a)
        }
        (Type::OneOf(_), Type::Text) | (Type::Text, Type::OneOf(_)) => Type::Text,
        (Type::Ref(mut a), Type::Ref(b)) => {
            a.extend(b);
            a.sort();
            a.dedup();
            Type::Ref(a)
        }
        (Type::List(a), Type::List(b)) => Type::list(join(*a, *b)),
        (Type::Optional(a), Type::Optional(b)) => Type::Optional(Box::new(join(*a, *b))),
        (Type::Optional(a), b) | (b, Type::Optional(a)) => Type::Optional(Box::new(join(*a, b))),
        (Type::Object(a), Type::Object(b)) => join_objects(a, b),
        (Type::Either(types), Type::Either(others)) => either(types, others),
        (Type::Either(types), other) | (other, Type::Either(types)) => either(types, vec![other]),
        (a, b) => Type::Either(vec![a, b]),
    }
}

/// Alternatives, each once. Of too many nothing is known.
fn either(mut types: Vec<Type>, others: Vec<Type>) -> Type {
    for other in others {
        if !types.contains(&other) {
            types.push(other);
        }
    }
    if types.len() > MOST_ALTERNATIVES { Type::Unknown } else { Type::Either(types) }
}

/// Fields that only one of the objects has may be missing.
fn join_objects(a: Vec<tcloud_model::Field>, b: Vec<tcloud_model::Field>) -> Type {
    let alone = |field| tcloud_model::Field { optional: true, ..field };
    let mut fields = Vec::with_capacity(a.len());
    let mut others: BTreeMap<Name, tcloud_model::Field> =
        b.into_iter().map(|field| (field.name.clone(), field)).collect();
    for mut field in a {
        match others.remove(&field.name) {
            Some(other) => {
                field.optional |= other.optional;
                field.ty = join(field.ty, other.ty);
                fields.push(field);
            }
            None => fields.push(alone(field)),
        }
    }
    fields.extend(others.into_values().map(alone));
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Type::Object(fields)
}

/// A type for the values of all types; unknown when there are none. Neighbours are joined first, so
/// that a long list of objects with fields of their own is not gone through once for each of them.
pub(crate) fn join_all(types: impl Iterator<Item = Type>) -> Type {
    let mut joined: Vec<(u32, Type)> = Vec::new();
    for ty in types {
        let mut last = (0, ty);
        while let Some((level, before)) = joined.pop_if(|(level, _)| *level == last.0) {
            last = (level + 1, join(before, last.1));
        }
        joined.push(last);
    }
    let types = joined.into_iter().map(|(_, ty)| ty);
    types.rev().reduce(|later, earlier| join(earlier, later)).unwrap_or(Type::Unknown)
}
