//! Whether the attributes of a request are such as the kind's schema promises.

use tcloud_model::{Fields, Name, Schema, Value};
pub(crate) use tcloud_provider::request::without_none;

use crate::failure::Failure;

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
