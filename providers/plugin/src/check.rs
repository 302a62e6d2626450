//! Whether what a plugin shows can be: kinds that there are, attributes that they have, values of
//! the right sort. Whether it is what was planned is for the engine to say.

use tcloud_model::{Attribute, Block, Catalog, Fields, ObservedObject, Type, Value};

/// Checks an object.
///
/// # Errors
/// What cannot be, in words that show nothing untrusted but escaped.
pub(crate) fn object(catalog: &Catalog, object: &ObservedObject) -> Result<(), String> {
    let name = object.name.escape_debug();
    let Some(schema) = catalog.get(&object.kind).filter(|schema| schema.role.is_managed()) else {
        let kind = object.kind.escape_debug();
        return Err(format!("\"{name}\" is of the kind `{kind}`, which no host has"));
    };
    let wrong = |what| format!("{} \"{name}\" {what}", schema.kind);
    fields(&schema.attributes, &schema.blocks, &object.attributes).map_err(wrong)?;
    fields(&schema.attributes, &schema.blocks, &object.pending).map_err(wrong)
}

fn fields(attributes: &[Attribute], blocks: &[Block], fields: &Fields) -> Result<(), String> {
    for (name, value) in fields.iter() {
        if let Some(attribute) = attributes.iter().find(|own| own.name == *name) {
            if !fits(&attribute.ty, value) {
                let value = value.to_string();
                return Err(format!("has {name} = {value}, which is no {}", attribute.ty));
            }
        } else if let Some(own) = blocks.iter().find(|own| own.name == *name) {
            block(own, value)?;
        } else {
            return Err(format!("has `{}`, which its kind has not", name.escape_debug()));
        }
    }
    Ok(())
}

fn block(block: &Block, value: &Value) -> Result<(), String> {
    let inside = |value: &Value| match value {
        Value::Map(inner) => fields(&block.attributes, &block.blocks, inner),
        Value::None => Ok(()),
        other => Err(format!("has {} = {other}, which is no block", block.name)),
    };
    match value {
        Value::Map(labels) if block.labelled => {
            labels.iter().try_for_each(|(_, value)| inside(value))
        }
        value => inside(value),
    }
}

/// Whether a value is of the sort of a type. A host may hold what the text could not say – a number
/// out of bounds, a word that is not listed, the name of something that is not ours – so that this
/// is wider than [`Type::admits`].
fn fits(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (_, Value::None) | (Type::Secret(_), Value::Text(_) | Value::Secret(_)) => true,
        (Type::Int { .. }, Value::Int(_)) | (Type::OneOf(_) | Type::Ref(_), Value::Text(_)) => true,
        (Type::List(of), Value::List(items)) => items.iter().all(|item| fits(of, item)),
        (Type::Map(of), Value::Map(items)) => items.iter().all(|(_, item)| fits(of, item)),
        (Type::Object(known), Value::Map(items)) => items.iter().all(|(name, item)| {
            known.iter().any(|field| field.name == *name && fits(&field.ty, item))
        }),
        (Type::Optional(of), value) => fits(of, value),
        (Type::Either(types), value) => types.iter().any(|ty| fits(ty, value)),
        (ty, value) => ty.admits(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{self, Object};

    #[test]
    fn only_what_can_be_is_believed() {
        let catalog = Catalog::core();
        let checked = |json: &str| {
            let read: Object = message::read(json.as_bytes()).expect(json);
            object(&catalog, &read.into())
        };
        for json in [
            r#"{"kind":"network","name":"n","attributes":{"mtu":9,"mode":"odd","gateway":null}}"#,
            r#"{"kind":"vm","name":"v","attributes":{"nic":{"a":{"network":"by-hand"}}}}"#,
            r#"{"kind":"vm","name":"v","attributes":{"nic":{"a":{"network":{"$ref":"tenant.a.network.b"}}}},
            "pending":{"nic":{"a":null}}}"#,
        ] {
            assert_eq!(checked(json), Ok(()), "{json}");
        }
        for (json, trouble) in [
            (r#"{"kind":"dragon","name":"d","attributes":{}}"#, "kind `dragon`"),
            (r#"{"kind":"tenant","name":"t","attributes":{}}"#, "kind `tenant`"),
            (r#"{"kind":"vm","name":"v","attributes":{"wings":2}}"#, "has `wings`"),
            (r#"{"kind":"vm","name":"v","attributes":{"memory":"much"}}"#, "memory = \"much\""),
            (r#"{"kind":"vm","name":"v","attributes":{"nic":3}}"#, "nic = 3"),
            (r#"{"kind":"vm","name":"v","attributes":{"nic":{"a":{"b":1}}}}"#, "has `b`"),
            (r#"{"kind":"vm","name":"v","attributes":{},"pending":{"x\u001b":1}}"#, "x\\u{1b}"),
        ] {
            let error = checked(json).expect_err(json);
            assert!(error.contains(trouble), "{json}: {error}");
        }
    }
}
