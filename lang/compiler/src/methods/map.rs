//! Methods of objects and maps.

use tcloud_model::{Field, Fields, Type, Value};

use super::table::{Method, MethodDoc, Param, Shape, bounded, count, misplaced};
use super::{Call, MethodError};

pub(super) const METHODS: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "keys",
            signature: "keys(): String[]",
            doc: "Its names, in order.",
            example: "{ b = 1, a = 2 }.keys() == [\"a\", \"b\"]",
        },
        params: &[],
        gives: |_, _| Type::list(Type::Text),
        run: |receiver, _, _| {
            let keys = fields(receiver)?.iter().map(|(name, _)| Value::text(name));
            Ok(Value::list(keys.collect()))
        },
    },
    Method {
        doc: MethodDoc {
            name: "values",
            signature: "values(): T[]",
            doc: "Its values, in the order of their names.",
            example: "{ b = 1, a = 2 }.values() == [2, 1]",
        },
        params: &[],
        gives: |receiver, _| Type::list(value_type(receiver)),
        run: |receiver, _, _| {
            let values = fields(receiver)?.iter().map(|(_, value)| value.clone());
            Ok(Value::list(values.collect()))
        },
    },
    Method {
        doc: MethodDoc {
            name: "length",
            signature: "length(): Int",
            doc: "How many names it has.",
            example: "{ a = 1, b = 2 }.length() == 2",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| fields(receiver).map(|fields| count(fields.len())),
    },
    Method {
        doc: MethodDoc {
            name: "has",
            signature: "has(name: String): Bool",
            doc: "Whether there is such a name.",
            example: "{ a = 1 }.has(\"a\")",
        },
        params: &[Param::new("name", Shape::Text)],
        gives: |_, _| Type::Bool,
        run: |receiver, args, _| match args {
            [Value::Text(name)] => Ok(Value::Bool(fields(receiver)?.get(name).is_some())),
            _ => Err(misplaced()),
        },
    },
    Method {
        doc: MethodDoc {
            name: "get",
            signature: "get(name: String, default?: T): T",
            doc: "The value of a name, or the default; without a default it may be absent.",
            example: "{ a = 1 }.get(\"b\", 7) == 7",
        },
        params: &[Param::new("name", Shape::Text), Param::optional("default", Shape::Element)],
        gives: |receiver, args| {
            let of = value_type(receiver);
            if args.len() == 2 { of } else { Type::Optional(Box::new(of)) }
        },
        run: |receiver, args, _| {
            let [Value::Text(name), default @ ..] = args else { return Err(misplaced()) };
            let found = fields(receiver)?.get(name).or(default.first());
            Ok(found.cloned().unwrap_or(Value::None))
        },
    },
    Method {
        doc: MethodDoc {
            name: "merge",
            signature: "merge(other: Map<T>): Map<T>",
            doc: "Both together; where both have a name, the other one holds.",
            example: "{ a = 1, b = 2 }.merge({ b = 3 }) == { a = 1, b = 3 }",
        },
        params: &[Param::new("other", Shape::Map)],
        gives: merged,
        run: merge,
    },
];

fn fields(value: &Value) -> Result<&Fields, MethodError> {
    match value {
        Value::Map(fields) => Ok(fields),
        _ => Err(misplaced()),
    }
}

/// Both are sorted by name, so they are merged in one pass.
fn merge(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let [other] = args else { return Err(misplaced()) };
    let (left, right) = (fields(receiver)?, fields(other)?);
    bounded(left.len() as u128 + right.len() as u128)?;
    let mut merged = Fields::new();
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let left_first = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some((a, _)), Some((b, _))) if a == b => {
                left.next();
                false
            }
            (Some((a, _)), Some((b, _))) => a < b,
            (Some(_), None) => true,
            (None, Some(_)) => false,
        };
        let next = if left_first { left.next() } else { right.next() };
        if let Some((name, value)) = next {
            merged.insert(name.clone(), value.clone());
        }
    }
    Ok(Value::map(merged))
}

/// The type of any of the values.
fn value_type(receiver: &Type) -> Type {
    match receiver {
        Type::Map(of) => (**of).clone(),
        Type::Object(fields) => {
            let mut types: Vec<Type> = Vec::new();
            for field in fields {
                if !types.contains(&field.ty) {
                    types.push(field.ty.clone());
                }
            }
            match types.len() {
                0 => Type::Unknown,
                1 => types.pop().unwrap_or(Type::Unknown),
                _ => Type::Either(types),
            }
        }
        _ => Type::Unknown,
    }
}

fn merged(receiver: &Type, args: &[Type]) -> Type {
    match (receiver, args) {
        (Type::Object(left), [Type::Object(right)]) => {
            let kept = left.iter().filter(|own| right.iter().all(|other| other.name != own.name));
            let mut fields: Vec<Field> = kept.cloned().collect();
            for field in right {
                let own = left.iter().find(|own| own.name == field.name);
                fields.push(match own {
                    // The other one may not have it: then this one's value stays.
                    Some(own) if field.optional => Field {
                        ty: either(&own.ty, &field.ty),
                        optional: own.optional,
                        ..field.clone()
                    },
                    _ => field.clone(),
                });
            }
            fields.sort_by(|a, b| a.name.cmp(&b.name));
            Type::Object(fields)
        }
        (left, [right]) => Type::Map(Box::new(either(&value_type(left), &value_type(right)))),
        _ => Type::Unknown,
    }
}

fn either(left: &Type, right: &Type) -> Type {
    if left == right || *right == Type::Unknown {
        left.clone()
    } else if *left == Type::Unknown {
        right.clone()
    } else {
        Type::Either(vec![left.clone(), right.clone()])
    }
}
