//! Values on the command line: literals of the language, lists and objects of them, addresses.

use tcloud_model::{Address, Fields, FileId, Value};
use tcloud_syntax::ast::{BinaryOp, Expr, ExprKind, TemplatePart, UnaryOp};

use crate::failure::Failure;

/// Reads a value: `6GiB`, `true`, `"text"`, `[80/tcp]`, `network.office`.
pub(crate) fn parse(text: &str) -> Result<Value, Failure> {
    let wrong = || {
        Failure::new(format!("`{text}` is not a value of the language"))
            .help("write 6GiB, true, 3, \"a text\" (with its quotes), [\"a\", \"b\"], 10.0.0.7")
    };
    if let Ok(address) = text.trim().parse::<Address>() {
        return Ok(Value::Ref(address));
    }
    let (expression, diagnostics) = tcloud_syntax::parse_expression(FileId(0), text);
    match expression {
        Some(expression) if diagnostics.is_empty() => constant(&expression).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// The value of an expression that refers to nothing.
pub(crate) fn constant(expression: &Expr) -> Option<Value> {
    match &expression.kind {
        ExprKind::Literal(value) => Some(value.clone()),
        ExprKind::Paren(inner) => constant(inner),
        ExprKind::Template(parts) => {
            let mut text = String::new();
            for part in parts {
                match part {
                    TemplatePart::Text(part) => text.push_str(part),
                    TemplatePart::Expr(_) => return None,
                }
            }
            Some(Value::text(&text))
        }
        ExprKind::List(items) => {
            items.iter().map(constant).collect::<Option<Vec<Value>>>().map(Value::list)
        }
        ExprKind::Object(fields) => fields
            .iter()
            .map(|field| Some((field.name.name.clone(), constant(&field.value)?)))
            .collect::<Option<Fields>>()
            .map(Value::map),
        ExprKind::Unary(UnaryOp::Negate, of) => match constant(of)? {
            Value::Int(number) => number.checked_neg().map(Value::Int),
            Value::Float(number) => Some(Value::Float(-number)),
            _ => None,
        },
        ExprKind::Binary(BinaryOp::Range, ends) => match (constant(&ends[0])?, constant(&ends[1])?)
        {
            (Value::Int(first), Value::Int(last)) => Some(Value::Range(first, last)),
            (Value::Ip(first), Value::Ip(last)) => {
                Some(Value::IpRange(std::sync::Arc::new((first, last))))
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_lists_objects_and_addresses_are_values() {
        for (text, shown) in [
            ("6GiB", "6GiB"),
            ("-3", "-3"),
            ("\"a ü\"", "\"a ü\""),
            ("[80/tcp, 443/tcp]", "[80/tcp, 443/tcp]"),
            ("{ a = 1, b = true }", "{ a = 1, b = true }"),
            ("tenant.a.network.office", "tenant.a.network.office"),
            ("1..=3", "1..=3"),
            ("10.0.0.7", "10.0.0.7"),
            ("200ms", "200ms"),
        ] {
            match parse(text) {
                Ok(value) => assert_eq!(value.to_string(), shown),
                Err(failure) => panic!("{text}: {failure:?}"),
            }
        }
        for text in ["", "web", "1 +", "f(1)", "\"${x}\"", "\u{1b}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
