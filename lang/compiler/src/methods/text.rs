//! Methods of texts. Lengths and positions count characters, not bytes.

use tcloud_model::{Type, Value};

use super::table::{
    Method, MethodDoc, Param, Shape, bounded, bounded_text, count, misplaced, no_result,
};
use super::{Call, MethodError};

pub(super) const METHODS: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "upper",
            signature: "upper(): String",
            doc: "All letters as capitals.",
            example: "\"web\".upper() == \"WEB\"",
        },
        params: &[],
        gives: |_, _| Type::Text,
        run: |receiver, _, _| text(receiver).map(|text| Value::text(&text.to_uppercase())),
    },
    Method {
        doc: MethodDoc {
            name: "lower",
            signature: "lower(): String",
            doc: "All letters as small ones.",
            example: "\"Web\".lower() == \"web\"",
        },
        params: &[],
        gives: |_, _| Type::Text,
        run: |receiver, _, _| text(receiver).map(|text| Value::text(&text.to_lowercase())),
    },
    Method {
        doc: MethodDoc {
            name: "trim",
            signature: "trim(): String",
            doc: "Without white space at both ends.",
            example: "\" web \".trim() == \"web\"",
        },
        params: &[],
        gives: |_, _| Type::Text,
        run: |receiver, _, _| text(receiver).map(|text| Value::text(text.trim())),
    },
    Method {
        doc: MethodDoc {
            name: "split",
            signature: "split(by: String): String[]",
            doc: "The parts between the separators.",
            example: "\"a,b\".split(\",\") == [\"a\", \"b\"]",
        },
        params: &[Param::new("by", Shape::Text)],
        gives: |_, _| Type::list(Type::Text),
        run: split,
    },
    Method {
        doc: MethodDoc {
            name: "replace",
            signature: "replace(old: String, new: String): String",
            doc: "With every occurrence of one text replaced by another.",
            example: "\"a.b.c\".replace(\".\", \"-\") == \"a-b-c\"",
        },
        params: &[Param::new("old", Shape::Text), Param::new("new", Shape::Text)],
        gives: |_, _| Type::Text,
        run: replace,
    },
    Method {
        doc: MethodDoc {
            name: "contains",
            signature: "contains(part: String): Bool",
            doc: "Whether a text occurs in it.",
            example: "\"web-1\".contains(\"-\")",
        },
        params: &[Param::new("part", Shape::Text)],
        gives: |_, _| Type::Bool,
        run: |receiver, args, _| {
            both(receiver, args).map(|(t, part)| Value::Bool(t.contains(part)))
        },
    },
    Method {
        doc: MethodDoc {
            name: "starts_with",
            signature: "starts_with(part: String): Bool",
            doc: "Whether it begins with a text.",
            example: "\"web-1\".starts_with(\"web\")",
        },
        params: &[Param::new("part", Shape::Text)],
        gives: |_, _| Type::Bool,
        run: |receiver, args, _| {
            both(receiver, args).map(|(text, part)| Value::Bool(text.starts_with(part)))
        },
    },
    Method {
        doc: MethodDoc {
            name: "ends_with",
            signature: "ends_with(part: String): Bool",
            doc: "Whether it ends with a text.",
            example: "\"web-1\".ends_with(\"-1\")",
        },
        params: &[Param::new("part", Shape::Text)],
        gives: |_, _| Type::Bool,
        run: |receiver, args, _| {
            both(receiver, args).map(|(text, part)| Value::Bool(text.ends_with(part)))
        },
    },
    Method {
        doc: MethodDoc {
            name: "length",
            signature: "length(): Int",
            doc: "How many characters it has.",
            example: "\"Rhön\".length() == 4",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| text(receiver).map(|text| count(text.chars().count())),
    },
    Method {
        doc: MethodDoc {
            name: "slice",
            signature: "slice(from: Int, to?: Int): String",
            doc: "The characters from one position, counted from zero, up to another.",
            example: "\"website\".slice(0, 3) == \"web\"",
        },
        params: &[Param::new("from", Shape::Int), Param::optional("to", Shape::Int)],
        gives: |_, _| Type::Text,
        run: slice,
    },
    Method {
        doc: MethodDoc {
            name: "pad_left",
            signature: "pad_left(width: Int, with: String): String",
            doc: "With a text repeated before it, up to a width.",
            example: "\"7\".pad_left(3, \"0\") == \"007\"",
        },
        params: &[Param::new("width", Shape::Int), Param::new("with", Shape::Text)],
        gives: |_, _| Type::Text,
        run: pad_left,
    },
    Method {
        doc: MethodDoc {
            name: "to_int",
            signature: "to_int(): Int",
            doc: "The whole number that it spells.",
            example: "\"42\".to_int() == 42",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| {
            text(receiver)?.trim().parse().map(Value::Int).map_err(|_| {
                no_result(
                    format!("{} is not a whole number", crate::ops::shown(receiver)),
                    "only digits, with a minus before them if need be",
                )
            })
        },
    },
];

fn text(value: &Value) -> Result<&str, MethodError> {
    value.as_text().ok_or_else(misplaced)
}

fn both<'a>(receiver: &'a Value, args: &'a [Value]) -> Result<(&'a str, &'a str), MethodError> {
    let [part, ..] = args else { return Err(misplaced()) };
    Ok((text(receiver)?, text(part)?))
}

fn split(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let (text, by) = both(receiver, args)?;
    if by.is_empty() {
        return Err(no_result(
            "a text is not split by nothing",
            "name a separator: `split(\",\")`",
        ));
    }
    bounded(text.matches(by).count() as u128 + 1)?;
    Ok(Value::list(text.split(by).map(Value::text).collect()))
}

fn replace(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let (text, old) = both(receiver, args)?;
    let [_, Value::Text(new)] = args else { return Err(misplaced()) };
    if old.is_empty() {
        return Err(no_result("nothing is not replaced", "name the text to replace"));
    }
    let occurrences = text.matches(old).count();
    bounded_text(text.len().saturating_add(occurrences.saturating_mul(new.len())))?;
    Ok(Value::text(&text.replace(old, new)))
}

fn slice(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let text = text(receiver)?;
    let length = text.chars().count();
    let position = |arg: &Value| match arg {
        Value::Int(n) => usize::try_from(*n).ok().filter(|n| *n <= length),
        _ => None,
    };
    let from = args.first().and_then(position);
    let to = args.get(1).map_or(Some(length), position);
    let (Some(from), Some(to)) = (from, to) else {
        return Err(no_result(
            format!("there is no such part, the text has {length} characters"),
            format!("positions run from 0 to {length}"),
        ));
    };
    let part: String = text.chars().skip(from).take(to.saturating_sub(from)).collect();
    Ok(Value::text(&part))
}

fn pad_left(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let (Value::Text(text), [Value::Int(width), Value::Text(with)]) = (receiver, args) else {
        return Err(misplaced());
    };
    if with.is_empty() {
        return Err(no_result("nothing fills no width", "name a text: `pad_left(3, \"0\")`"));
    }
    let width = usize::try_from(*width).unwrap_or(0);
    bounded_text(width)?;
    let missing = width.saturating_sub(text.chars().count());
    let padded: String = with.chars().cycle().take(missing).chain(text.chars()).collect();
    Ok(Value::text(&padded))
}
