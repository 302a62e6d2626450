//! Values as plain JSON. Secrets are `null`, also where Terraform itself would write them, and only
//! marked as sensitive.

use serde_json::{Map, Value as Json, json};
use tcloud_model::{Fields, Value};

use super::address::Resource;
use crate::text::clean;

/// Attributes as an object.
pub(super) fn plain(fields: &Fields) -> Json {
    Json::Object(fields.iter().map(|(name, value)| (clean(name), of(value))).collect())
}

/// Numbers, flags, texts, lists and objects are what they are in JSON, sizes are bytes; everything
/// else is written as in the language.
fn of(value: &Value) -> Json {
    match value {
        Value::None | Value::Secret(_) => Json::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Bytes(bytes) => json!(bytes),
        Value::Text(text) => json!(clean(text)),
        Value::List(items) => items.iter().map(of).collect(),
        Value::Map(fields) => plain(fields),
        Value::Rate(_)
        | Value::Duration(_)
        | Value::Percent(_)
        | Value::Ip(_)
        | Value::Cidr(_)
        | Value::IpRange(_)
        | Value::Range(..)
        | Value::Port(_)
        | Value::Mac(_)
        | Value::Date(..)
        | Value::Money(_)
        | Value::Ref(_) => json!(value.to_string().trim_matches('"')),
    }
}

/// Where the secrets are: `true` in their place, and nothing else but what leads there.
pub(super) fn sensitive(fields: &Fields) -> Json {
    let mut marks = Map::new();
    for (name, value) in fields.iter() {
        if let Some(mark) = mark(value) {
            marks.insert(clean(name), mark);
        }
    }
    Json::Object(marks)
}

fn mark(value: &Value) -> Option<Json> {
    match value {
        Value::Secret(_) => Some(Json::Bool(true)),
        Value::List(items) if items.iter().any(|item| mark(item).is_some()) => {
            Some(items.iter().map(|item| mark(item).unwrap_or(Json::Bool(false))).collect())
        }
        Value::Map(fields) => {
            let marks = sensitive(fields);
            marks.as_object().is_some_and(|marks| !marks.is_empty()).then_some(marks)
        }
        _ => None,
    }
}

/// An output: a value, and whether it is secret.
pub(super) fn output(value: &Value) -> Json {
    json!({ "sensitive": mark(value).is_some(), "value": of(value) })
}

/// Attributes as the expressions of a configuration: what they refer to, or what they are.
pub(super) fn expressions(fields: &Fields) -> Json {
    let each = fields.iter().map(|(name, value)| (clean(name), expression(value)));
    Json::Object(each.collect())
}

fn expression(value: &Value) -> Json {
    let mut references = Vec::new();
    value.each_reference(&mut |to| references.push(Resource::declared(to).reference()));
    match value {
        _ if mark(value).is_some() => json!({}),
        Value::Map(fields) if !references.is_empty() => expressions(fields),
        _ if !references.is_empty() => json!({ "references": references }),
        _ => json!({ "constant_value": of(value) }),
    }
}
