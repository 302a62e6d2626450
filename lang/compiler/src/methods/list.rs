//! Methods of lists that need no function.

use tcloud_model::{Field, Fields, Name, Type, Value};
use tcloud_syntax::ast::BinaryOp;

use super::order::total;
use super::table::{
    Method, MethodDoc, Param, Shape, bounded, bounded_text, count, element, misplaced, no_result,
};
use super::{Call, MethodError};
use crate::ops::{self, Class, in_collection, ordered, same, shown};

pub(super) const METHODS: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "length",
            signature: "length(): Int",
            doc: "How many elements it has.",
            example: "[1, 2].length() == 2",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| items(receiver).map(|items| count(items.len())),
    },
    Method {
        doc: MethodDoc {
            name: "first",
            signature: "first(): T",
            doc: "Its first element.",
            example: "[3, 1, 2].first() == 3",
        },
        params: &[],
        gives: |receiver, _| element(receiver),
        run: |receiver, _, _| items(receiver)?.first().cloned().ok_or_else(|| empty("first")),
    },
    Method {
        doc: MethodDoc {
            name: "last",
            signature: "last(): T",
            doc: "Its last element.",
            example: "[3, 1, 2].last() == 2",
        },
        params: &[],
        gives: |receiver, _| element(receiver),
        run: |receiver, _, _| items(receiver)?.last().cloned().ok_or_else(|| empty("last")),
    },
    Method {
        doc: MethodDoc {
            name: "contains",
            signature: "contains(element: T): Bool",
            doc: "Whether something is one of its elements.",
            example: "[1, 2].contains(2)",
        },
        params: &[Param::new("element", Shape::Inside)],
        gives: |_, _| Type::Bool,
        run: |receiver, args, _| {
            let [element] = args else { return Err(misplaced()) };
            Ok(Value::Bool(in_collection(element, receiver)?))
        },
    },
    Method {
        doc: MethodDoc {
            name: "index_of",
            signature: "index_of(element: T): Int?",
            doc: "The position of an element, counted from zero; absent when it is none.",
            example: "[\"a\", \"b\"].index_of(\"b\") == 1",
        },
        params: &[Param::new("element", Shape::Inside)],
        gives: |_, _| Type::Optional(Box::new(Type::INT)),
        run: |receiver, args, _| {
            let [element] = args else { return Err(misplaced()) };
            let found = items(receiver)?.iter().position(|item| same(item, element));
            Ok(found.map_or(Value::None, count))
        },
    },
    Method {
        doc: MethodDoc {
            name: "sum",
            signature: "sum(start?: T): T",
            doc: "All elements added up, to a start if there is one. An empty list needs the \
                  start: without it, nobody knows the unit of nothing.",
            example: "[1GiB, 2GiB].sum() == 3GiB",
        },
        params: &[Param::optional("start", Shape::Element)],
        gives: |receiver, args| match args {
            [start] if element(receiver) == Type::Unknown => start.clone(),
            _ => widest_element(receiver),
        },
        run: sum,
    },
    Method {
        doc: MethodDoc {
            name: "min",
            signature: "min(): T",
            doc: "Its smallest element.",
            example: "[3, 1, 2].min() == 1",
        },
        params: &[],
        gives: |receiver, _| element(receiver),
        run: |receiver, _, _| extreme(receiver, "smallest", std::cmp::Ordering::Less),
    },
    Method {
        doc: MethodDoc {
            name: "max",
            signature: "max(): T",
            doc: "Its largest element.",
            example: "[3, 1, 2].max() == 3",
        },
        params: &[],
        gives: |receiver, _| element(receiver),
        run: |receiver, _, _| extreme(receiver, "largest", std::cmp::Ordering::Greater),
    },
    Method {
        doc: MethodDoc {
            name: "unique",
            signature: "unique(): T[]",
            doc: "Without repetitions; the first of each stays.",
            example: "[2, 1, 2].unique() == [2, 1]",
        },
        params: &[],
        gives: |receiver, _| receiver.clone(),
        run: unique,
    },
    Method {
        doc: MethodDoc {
            name: "sort",
            signature: "sort(): T[]",
            doc: "Smallest first.",
            example: "[3, 1, 2].sort() == [1, 2, 3]",
        },
        params: &[],
        gives: |receiver, _| receiver.clone(),
        run: |receiver, _, _| {
            let mut sorted = items(receiver)?.to_vec();
            require_order(&sorted)?;
            sorted.sort_by(total);
            Ok(Value::list(sorted))
        },
    },
    Method {
        doc: MethodDoc {
            name: "reverse",
            signature: "reverse(): T[]",
            doc: "Last element first.",
            example: "[1, 2, 3].reverse() == [3, 2, 1]",
        },
        params: &[],
        gives: |receiver, _| receiver.clone(),
        run: |receiver, _, _| Ok(Value::list(items(receiver)?.iter().rev().cloned().collect())),
    },
    Method {
        doc: MethodDoc {
            name: "flatten",
            signature: "flatten(): T[]",
            doc: "A list of lists as one list.",
            example: "[[1, 2], [3]].flatten() == [1, 2, 3]",
        },
        params: &[],
        gives: |receiver, _| match element(receiver) {
            inner @ Type::List(_) => inner,
            other => Type::list(other),
        },
        run: flatten,
    },
    Method {
        doc: MethodDoc {
            name: "join",
            signature: "join(between: String): String",
            doc: "All elements as one text, with another text between them.",
            example: "[\"a\", \"b\"].join(\", \") == \"a, b\"",
        },
        params: &[Param::new("between", Shape::Text)],
        gives: |_, _| Type::Text,
        run: join,
    },
    Method {
        doc: MethodDoc {
            name: "take",
            signature: "take(n: Int): T[]",
            doc: "At most its first n elements.",
            example: "[1, 2, 3].take(2) == [1, 2]",
        },
        params: &[Param::new("n", Shape::Int)],
        gives: |receiver, _| receiver.clone(),
        run: |receiver, args, _| {
            let items = items(receiver)?;
            Ok(Value::list(items[..position(items, args)?].to_vec()))
        },
    },
    Method {
        doc: MethodDoc {
            name: "skip",
            signature: "skip(n: Int): T[]",
            doc: "Without its first n elements.",
            example: "[1, 2, 3].skip(2) == [3]",
        },
        params: &[Param::new("n", Shape::Int)],
        gives: |receiver, _| receiver.clone(),
        run: |receiver, args, _| {
            let items = items(receiver)?;
            Ok(Value::list(items[position(items, args)?..].to_vec()))
        },
    },
    Method {
        doc: MethodDoc {
            name: "enumerate",
            signature: "enumerate(): { index: Int, value: T }[]",
            doc: "Each element with its position, counted from zero.",
            example: "[\"a\"].enumerate() == [{ index = 0, value = \"a\" }]",
        },
        params: &[],
        gives: |receiver, _| pair_type(("index", Type::INT), ("value", element(receiver))),
        run: |receiver, _, _| {
            let pairs = items(receiver)?.iter().enumerate();
            Ok(Value::list(
                pairs
                    .map(|(at, item)| pair(("index", count(at)), ("value", item.clone())))
                    .collect(),
            ))
        },
    },
    Method {
        doc: MethodDoc {
            name: "zip",
            signature: "zip(other: U[]): { left: T, right: U }[]",
            doc: "Pairs of the elements of two lists, as long as the shorter one.",
            example: "[1].zip([\"a\"]) == [{ left = 1, right = \"a\" }]",
        },
        params: &[Param::new("other", Shape::List)],
        gives: |receiver, args| {
            let right = args.first().map_or(Type::Unknown, element);
            pair_type(("left", element(receiver)), ("right", right))
        },
        run: |receiver, args, _| {
            let [other] = args else { return Err(misplaced()) };
            let pairs = items(receiver)?.iter().zip(items(other)?);
            Ok(Value::list(
                pairs.map(|(a, b)| pair(("left", a.clone()), ("right", b.clone()))).collect(),
            ))
        },
    },
];

pub(super) fn items(value: &Value) -> Result<&[Value], MethodError> {
    match value {
        Value::List(items) => Ok(items),
        _ => Err(misplaced()),
    }
}

fn empty(which: &str) -> MethodError {
    no_result(
        format!("an empty list has no {which} element"),
        "guard it: `if xs.length() == 0 then … else …`",
    )
}

/// How many elements `take` and `skip` mean, within the list.
fn position(items: &[Value], args: &[Value]) -> Result<usize, MethodError> {
    match args {
        [Value::Int(n)] if *n >= 0 => {
            Ok(usize::try_from(*n).unwrap_or(usize::MAX).min(items.len()))
        }
        _ => Err(no_result("a list has no negative number of elements", "count from 0")),
    }
}

fn sum(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let mut rest = items(receiver)?.iter();
    let start = args.first().or_else(|| rest.next());
    let Some(mut total) = start.cloned() else {
        return Err(no_result(
            "the sum of an empty list has no unit",
            "say what it starts with: `sum(0)`, `sum(0B)`",
        ));
    };
    for item in rest {
        total = ops::binary(BinaryOp::Add, &total, item)?;
    }
    Ok(total)
}

fn extreme(
    receiver: &Value,
    which: &str,
    wanted: std::cmp::Ordering,
) -> Result<Value, MethodError> {
    let mut rest = items(receiver)?.iter();
    let Some(mut best) = rest.next() else { return Err(empty(which)) };
    for item in rest {
        if ordered(item, best)? == wanted {
            best = item;
        }
    }
    Ok(best.clone())
}

/// Refuses elements that cannot be compared with each other.
pub(super) fn require_order(items: &[Value]) -> Result<(), MethodError> {
    if let [only] = items
        && !Class::of(only).has_order()
    {
        return Err(no_result(
            format!("{} has no order", Class::of(only).words()),
            "sort by something that has: `sort_by(x => x.name)`",
        ));
    }
    for pair in items.windows(2) {
        ordered(&pair[0], &pair[1])?;
    }
    Ok(())
}

fn unique(receiver: &Value, _: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let items = items(receiver)?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| total(&items[*a], &items[*b]).then(a.cmp(b)));
    let mut first_of_each: Vec<usize> = Vec::with_capacity(order.len());
    let mut previous: Option<&Value> = None;
    for at in order {
        if previous.is_none_or(|previous| !same(previous, &items[at])) {
            first_of_each.push(at);
            previous = Some(&items[at]);
        }
    }
    first_of_each.sort_unstable();
    Ok(Value::list(first_of_each.into_iter().map(|at| items[at].clone()).collect()))
}

fn flatten(receiver: &Value, _: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let items = items(receiver)?;
    let length: usize = items
        .iter()
        .map(|item| match item {
            Value::List(inner) => inner.len(),
            _ => 1,
        })
        .sum();
    let mut flat = Vec::with_capacity(bounded(length as u128)?);
    for item in items {
        match item {
            Value::List(inner) => flat.extend_from_slice(inner),
            other => flat.push(other.clone()),
        }
    }
    Ok(Value::list(flat))
}

fn join(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let [Value::Text(between)] = args else { return Err(misplaced()) };
    let mut text = String::new();
    for (position, item) in items(receiver)?.iter().enumerate() {
        if position > 0 {
            text.push_str(between);
        }
        match item {
            Value::Text(part) => text.push_str(part),
            Value::Secret(_) | Value::List(_) | Value::Map(_) | Value::None => {
                return Err(no_result(
                    format!("{} cannot be part of a text here", shown(item)),
                    "make texts of the elements first: `xs.map(x => \"${x.name}\").join(\", \")`",
                ));
            }
            other => text.push_str(other.to_string().trim_matches('"')),
        }
        bounded_text(text.len())?;
    }
    Ok(Value::text(&text))
}

/// The elements' type without bounds, which a sum leaves.
fn widest_element(receiver: &Type) -> Type {
    let of = element(receiver);
    Class::of_type(&of).and_then(Class::as_type).unwrap_or(of)
}

fn pair(left: (&str, Value), right: (&str, Value)) -> Value {
    let fields: Fields =
        [left, right].into_iter().map(|(name, value)| (Name::new(name), value)).collect();
    Value::map(fields)
}

fn pair_type(left: (&str, Type), right: (&str, Type)) -> Type {
    let field = |(name, ty): (&str, Type)| Field { name: Name::new(name), ty, optional: false };
    Type::list(Type::Object(vec![field(left), field(right)]))
}
