//! Methods of lists that take a function.

use tcloud_model::{Type, Value, codes};

use super::list::{items, require_order};
use super::order::total;
use super::table::{Method, MethodDoc, Param, Shape};
use super::{Call, MethodError};
use crate::ops::{Class, OpError, shown};

pub(super) const METHODS: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "map",
            signature: "map(f: T => U): U[]",
            doc: "What a function gives for each element.",
            example: "[1, 2].map(x => x * 10) == [10, 20]",
        },
        params: &[Param::new("f", Shape::Function)],
        gives: |_, args| Type::list(args.first().cloned().unwrap_or(Type::Unknown)),
        run: |receiver, _, call| {
            let results = items(receiver)?.iter().map(|item| call(0, item));
            results.collect::<Result<_, _>>().map(Value::list).map_err(MethodError::Lambda)
        },
    },
    Method {
        doc: MethodDoc {
            name: "filter",
            signature: "filter(condition: T => Bool): T[]",
            doc: "The elements that a condition holds for.",
            example: "[1, 2, 3].filter(x => x > 1) == [2, 3]",
        },
        params: &[Param::new("condition", Shape::Condition)],
        gives: |receiver, _| receiver.clone(),
        run: |receiver, _, call| {
            let mut kept = Vec::new();
            for item in items(receiver)? {
                if holds(item, call)? {
                    kept.push(item.clone());
                }
            }
            Ok(Value::list(kept))
        },
    },
    Method {
        doc: MethodDoc {
            name: "any",
            signature: "any(condition: T => Bool): Bool",
            doc: "Whether a condition holds for at least one element.",
            example: "[1, 2].any(x => x > 1)",
        },
        params: &[Param::new("condition", Shape::Condition)],
        gives: |_, _| Type::Bool,
        run: |receiver, _, call| {
            for item in items(receiver)? {
                if holds(item, call)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        },
    },
    Method {
        doc: MethodDoc {
            name: "all",
            signature: "all(condition: T => Bool): Bool",
            doc: "Whether a condition holds for every element.",
            example: "[1, 2].all(x => x > 0)",
        },
        params: &[Param::new("condition", Shape::Condition)],
        gives: |_, _| Type::Bool,
        run: |receiver, _, call| {
            for item in items(receiver)? {
                if !holds(item, call)? {
                    return Ok(Value::Bool(false));
                }
            }
            Ok(Value::Bool(true))
        },
    },
    Method {
        doc: MethodDoc {
            name: "sort_by",
            signature: "sort_by(key: T => U): T[]",
            doc: "Smallest key first; elements with equal keys keep their order.",
            example: "[\"bb\", \"a\"].sort_by(x => x.length()) == [\"a\", \"bb\"]",
        },
        params: &[Param::new("key", Shape::Function)],
        gives: |receiver, _| receiver.clone(),
        run: sort_by,
    },
];

fn holds(item: &Value, call: &mut Call<'_>) -> Result<bool, MethodError> {
    match call(0, item).map_err(MethodError::Lambda)? {
        Value::Bool(flag) => Ok(flag),
        other => Err(OpError::new(
            codes::E0221,
            format!(
                "the condition gives {}, which is {}",
                shown(&other),
                Class::of(&other).words()
            ),
            "a condition is `true` or `false`: `x => x == …`",
        )
        .into()),
    }
}

fn sort_by(receiver: &Value, _: &[Value], call: &mut Call<'_>) -> Result<Value, MethodError> {
    let items = items(receiver)?;
    let keys: Vec<Value> = items
        .iter()
        .map(|item| call(0, item))
        .collect::<Result<_, _>>()
        .map_err(MethodError::Lambda)?;
    require_order(&keys)?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| total(&keys[*a], &keys[*b]));
    Ok(Value::list(order.into_iter().map(|at| items[at].clone()).collect()))
}
