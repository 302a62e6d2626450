//! Methods of ranges of numbers.

use tcloud_model::{Type, Value};

use super::table::{Method, MethodDoc, Param, Shape, bounded, misplaced, no_result};

pub(super) const METHODS: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "contains",
            signature: "contains(n: Int): Bool",
            doc: "Whether a number lies in it.",
            example: "(2..=5).contains(3)",
        },
        params: &[Param::new("n", Shape::Int)],
        gives: |_, _| Type::Bool,
        run: |receiver, args, _| match (receiver, args) {
            (Value::Range(first, last), [Value::Int(n)]) => {
                Ok(Value::Bool((first..=last).contains(&n)))
            }
            _ => Err(misplaced()),
        },
    },
    Method {
        doc: MethodDoc {
            name: "length",
            signature: "length(): Int",
            doc: "How many numbers there are in it.",
            example: "(2..=5).length() == 4",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| {
            let length = i64::try_from(length(receiver)).map_err(|_| {
                no_result("the range has more numbers than a number can count", "use a smaller one")
            })?;
            Ok(Value::Int(length))
        },
    },
    Method {
        doc: MethodDoc {
            name: "to_list",
            signature: "to_list(): Int[]",
            doc: "All its numbers.",
            example: "(2..=4).to_list() == [2, 3, 4]",
        },
        params: &[],
        gives: |_, _| Type::list(Type::INT),
        run: |receiver, _, _| {
            let Value::Range(first, last) = receiver else { return Err(misplaced()) };
            let mut numbers = Vec::with_capacity(bounded(length(receiver))?);
            numbers.extend((*first..=*last).map(Value::Int));
            Ok(Value::list(numbers))
        },
    },
];

fn length(range: &Value) -> u128 {
    match range {
        Value::Range(first, last) if first <= last => {
            u128::from(last.abs_diff(*first)).saturating_add(1)
        }
        _ => 0,
    }
}
