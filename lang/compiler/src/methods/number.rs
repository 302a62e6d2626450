//! Methods of numbers and of amounts with units, and `to_text` of everything that has one form.

use tcloud_model::{Money, Type, Value};
use tcloud_syntax::ast::{BinaryOp, UnaryOp};

use super::MethodError;
use super::table::{Method, MethodDoc, Param, Shape, misplaced, no_result};
use crate::ops::{self, ordered};

/// Of everything that has an order.
pub(super) const COMPARED: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "min",
            signature: "min(other): same",
            doc: "The smaller of the two.",
            example: "8GiB.min(4GiB) == 4GiB",
        },
        params: &[Param::new("other", Shape::Same)],
        gives: wider,
        run: |receiver, args, _| {
            let [other] = args else { return Err(misplaced()) };
            let smaller = if ordered(receiver, other)?.is_le() { receiver } else { other };
            Ok(smaller.clone())
        },
    },
    Method {
        doc: MethodDoc {
            name: "max",
            signature: "max(other): same",
            doc: "The larger of the two.",
            example: "8GiB.max(4GiB) == 8GiB",
        },
        params: &[Param::new("other", Shape::Same)],
        gives: wider,
        run: |receiver, args, _| {
            let [other] = args else { return Err(misplaced()) };
            let larger = if ordered(receiver, other)?.is_ge() { receiver } else { other };
            Ok(larger.clone())
        },
    },
];

/// Of what can be below zero.
pub(super) const WHOLE: &[Method] = &[Method {
    doc: MethodDoc {
        name: "abs",
        signature: "abs(): same",
        doc: "The same amount above zero.",
        example: "(3 - 5).abs() == 2",
    },
    params: &[],
    gives: |receiver, _| widest(receiver),
    run: |receiver, _, _| {
        let negative = match receiver {
            Value::Int(n) | Value::Percent(n) => *n < 0,
            Value::Float(n) => *n < 0.0,
            Value::Money(Money { cents, .. }) => *cents < 0,
            _ => return Err(misplaced()),
        };
        if negative {
            return Ok(ops::unary(UnaryOp::Negate, receiver)?);
        }
        Ok(receiver.clone())
    },
}];

/// Of numbers with a fraction.
pub(super) const FRACTION: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "floor",
            signature: "floor(): Int",
            doc: "The next whole number below.",
            example: "(2.7).floor() == 2",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| whole(receiver, f64::floor),
    },
    Method {
        doc: MethodDoc {
            name: "ceil",
            signature: "ceil(): Int",
            doc: "The next whole number above.",
            example: "(2.2).ceil() == 3",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| whole(receiver, f64::ceil),
    },
    Method {
        doc: MethodDoc {
            name: "round",
            signature: "round(): Int",
            doc: "The nearest whole number; halves go away from zero.",
            example: "(2.5).round() == 3",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| whole(receiver, f64::round),
    },
];

/// Of sizes, rates and durations.
pub(super) const AMOUNT: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "round_up",
            signature: "round_up(step): same",
            doc: "The next multiple of a step that is not smaller.",
            example: "2500MiB.round_up(1GiB) == 3GiB",
        },
        params: &[Param::new("step", Shape::Same)],
        gives: |receiver, _| widest(receiver),
        run: |receiver, args, _| {
            let [step] = args else { return Err(misplaced()) };
            let rest = ops::binary(BinaryOp::Remainder, receiver, step)?;
            let below = ops::binary(BinaryOp::Subtract, receiver, &rest)?;
            if below == *receiver {
                return Ok(below);
            }
            Ok(ops::binary(BinaryOp::Add, &below, step)?)
        },
    },
    Method {
        doc: MethodDoc {
            name: "round_down",
            signature: "round_down(step): same",
            doc: "The next multiple of a step that is not larger.",
            example: "2500MiB.round_down(1GiB) == 2GiB",
        },
        params: &[Param::new("step", Shape::Same)],
        gives: |receiver, _| widest(receiver),
        run: |receiver, args, _| {
            let [step] = args else { return Err(misplaced()) };
            let rest = ops::binary(BinaryOp::Remainder, receiver, step)?;
            Ok(ops::binary(BinaryOp::Subtract, receiver, &rest)?)
        },
    },
];

/// Of sizes.
pub(super) const BYTES: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "to_mib",
            signature: "to_mib(): Float",
            doc: "How many MiB it is.",
            example: "4GiB.to_mib() == 4096",
        },
        params: &[],
        gives: |_, _| Type::Float,
        run: |receiver, _, _| count_of(receiver, &Value::Bytes(1 << 20)),
    },
    Method {
        doc: MethodDoc {
            name: "to_gib",
            signature: "to_gib(): Float",
            doc: "How many GiB it is.",
            example: "512MiB.to_gib() == 0.5",
        },
        params: &[],
        gives: |_, _| Type::Float,
        run: |receiver, _, _| count_of(receiver, &Value::Bytes(1 << 30)),
    },
];

/// Of rates.
pub(super) const RATE: &[Method] = &[Method {
    doc: MethodDoc {
        name: "to_mbit",
        signature: "to_mbit(): Float",
        doc: "How many Mbit/s it is.",
        example: "1Gbit/s.to_mbit() == 1000",
    },
    params: &[],
    gives: |_, _| Type::Float,
    run: |receiver, _, _| count_of(receiver, &Value::Rate(1_000_000)),
}];

/// Of durations.
pub(super) const DURATION: &[Method] = &[Method {
    doc: MethodDoc {
        name: "to_seconds",
        signature: "to_seconds(): Float",
        doc: "How many seconds it is.",
        example: "15min.to_seconds() == 900",
    },
    params: &[],
    gives: |_, _| Type::Float,
    run: |receiver, _, _| count_of(receiver, &Value::Duration(1_000)),
}];

/// Of everything that is written in one way.
pub(super) const TO_TEXT: &[Method] = &[Method {
    doc: MethodDoc {
        name: "to_text",
        signature: "to_text(): String",
        doc: "As it is written, as a text.",
        example: "(2).to_text() == \"2\"",
    },
    params: &[],
    gives: |_, _| Type::Text,
    run: |receiver, _, _| Ok(Value::text(receiver.to_string().trim_matches('"'))),
}];

/// The type without its bounds.
fn widest(receiver: &Type) -> Type {
    ops::Class::of_type(receiver).and_then(ops::Class::as_type).unwrap_or(Type::Unknown)
}

/// A number beside a number with a fraction may be either.
fn wider(receiver: &Type, args: &[Type]) -> Type {
    match args {
        [Type::Float] => Type::Float,
        _ => widest(receiver),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked before")]
fn whole(receiver: &Value, round: fn(f64) -> f64) -> Result<Value, MethodError> {
    let Value::Float(number) = receiver else { return Ok(receiver.clone()) };
    let rounded = round(*number);
    // The bounds are those of a whole number, which a fraction cannot express exactly.
    if rounded.abs() >= 9.2e18 {
        return Err(no_result(
            format!("{number:?} is no whole number of 64 bits"),
            "use a smaller one",
        ));
    }
    Ok(Value::Int(rounded as i64))
}

fn count_of(receiver: &Value, unit: &Value) -> Result<Value, MethodError> {
    Ok(ops::binary(BinaryOp::Divide, receiver, unit)?)
}
