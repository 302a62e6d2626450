//! Whether the attributes of a request are such as the kind's schema promises, and paths into them.

use tcloud_model::{AttrPath, Fields, Name, PathStep, Schema, Value};
pub(crate) use tcloud_provider::request::without_none;

use crate::failure::{Failure, quoted};

/// Checks complete attributes, and drops what is [`Value::None`].
pub(crate) fn accept(schema: &Schema, attributes: &Fields) -> Result<Fields, Failure> {
    tcloud_provider::request::accept(schema, attributes).map_err(Failure::Refused)
}

/// Checks one change: the value at a path, or that it may go away.
pub(crate) fn accept_change(
    schema: &Schema,
    path: &[Name],
    value: Option<&Value>,
) -> Result<(), Failure> {
    tcloud_provider::request::accept_change(schema, path, value).map_err(Failure::Refused)
}

/// Refuses names that a hypervisor or its files could not have.
pub(crate) fn accept_name(name: &str) -> Result<(), Failure> {
    let wrong = name.is_empty()
        || name.len() > 255
        || name.starts_with('.')
        || name.chars().any(|c| c == '/' || c.is_control());
    if wrong {
        return Failure::refused(format!("{} cannot be the name of an object", quoted(name)));
    }
    Ok(())
}

/// The fields of a path, down to the first position in a list: lists are changed whole.
pub(crate) fn steps(path: &AttrPath) -> Vec<Name> {
    path.0
        .iter()
        .map_while(|step| match step {
            PathStep::Field(name) => Some(name.clone()),
            PathStep::Index(_) => None,
        })
        .collect()
}

/// The value at a path.
pub(crate) fn at<'a>(fields: &'a Fields, path: &[Name]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = fields.get(first)?;
    match (rest, value) {
        ([], value) => Some(value),
        (rest, Value::Map(inner)) => at(inner, rest),
        _ => None,
    }
}

/// Sets or removes the value at a path.
pub(crate) fn put(fields: &mut Fields, path: &[Name], value: Option<Value>) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match value {
            Some(value) => fields.insert(first.clone(), value),
            None => fields.remove(first),
        };
        return;
    }
    let mut inner = match fields.get(first) {
        Some(Value::Map(inner)) => Fields::clone(inner),
        _ if value.is_none() => return,
        _ => Fields::new(),
    };
    put(&mut inner, rest, value);
    fields.insert(first.clone(), Value::map(inner));
}
