//! Parameters given on a command line: texts that are read as their type asks.

use tcloud_model::{FileId, Type, Value};
use tcloud_syntax::ast::{Expr, ExprKind, Statement, UnaryOp};

/// Reads a text as a value of a type. Texts need no quotes; everything else is a literal of the
/// language. `None` when it is none.
pub(crate) fn read(text: &str, ty: &Type) -> Option<Value> {
    match ty {
        Type::Text | Type::OneOf(_) | Type::Mac | Type::Window => Some(Value::text(text)),
        Type::Optional(of) => read(text, of),
        Type::Secret(_) => None,
        Type::Either(types) => {
            types.iter().filter_map(|ty| read(text, ty).filter(|value| ty.admits(value))).next()
        }
        _ => literal(text),
    }
}

fn literal(text: &str) -> Option<Value> {
    let source = format!("let value = {text}\n");
    let parsed = tcloud_syntax::parse(FileId(u32::MAX), &source);
    match parsed.file.statements.as_slice() {
        [Statement::Let(found)] if parsed.diagnostics.is_empty() => constant(&found.value),
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<Value> {
    match &expr.kind {
        ExprKind::Literal(value) => Some(value.clone()),
        ExprKind::Paren(inner) => constant(inner),
        ExprKind::Unary(UnaryOp::Negate, inner) => match constant(inner)? {
            Value::Int(number) => number.checked_neg().map(Value::Int),
            Value::Float(number) => Some(Value::Float(-number)),
            _ => None,
        },
        ExprKind::List(items) => {
            items.iter().map(constant).collect::<Option<Vec<_>>>().map(Value::list)
        }
        ExprKind::Object(fields) => {
            let pair = |field: &tcloud_syntax::ast::ObjectField| {
                constant(&field.value).map(|value| (field.name.name.clone(), value))
            };
            fields.iter().map(pair).collect::<Option<_>>().map(Value::map)
        }
        ExprKind::Binary(op, operands) => {
            let [left, right] = &**operands;
            crate::ops::binary(*op, &constant(left)?, &constant(right)?).ok()
        }
        _ => None,
    }
}
