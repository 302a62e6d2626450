//! What may be a secret is never read back from a host: it would stand in plans, in the journal and
//! on the screens of people who may see what runs and not what it is let in with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcloud_model::{Attribute, Block, Catalog, Fields, Name, ObservedObject, Schema, Type, Value};

/// The kinds that have something that may be a secret.
pub struct Discretion(BTreeMap<Name, Arc<Schema>>);

impl Discretion {
    /// What these kinds may hold.
    pub fn new(catalog: &Catalog) -> Discretion {
        let kinds = catalog.iter().filter(|schema| holds(&schema.attributes, &schema.blocks));
        Discretion(kinds.map(|schema| (schema.kind.clone(), Arc::clone(schema))).collect())
    }

    /// The object without what may be a secret, as if it could not be read.
    pub fn object(&self, mut object: ObservedObject) -> ObservedObject {
        if let Some(schema) = self.0.get(&object.kind) {
            for fields in [&mut object.attributes, &mut object.pending] {
                if let Some(less) = without(&schema.attributes, &schema.blocks, fields) {
                    *fields = Arc::new(less);
                }
            }
        }
        object
    }
}

fn holds(attributes: &[Attribute], blocks: &[Block]) -> bool {
    attributes.iter().any(|attribute| attribute.ty.may_be_secret())
        || blocks.iter().any(|block| holds(&block.attributes, &block.blocks))
}

/// The fields without what may be a secret; `None` when nothing is.
fn without(attributes: &[Attribute], blocks: &[Block], fields: &Fields) -> Option<Fields> {
    let mut less = None;
    for attribute in attributes.iter().filter(|attribute| attribute.ty.may_be_secret()) {
        if fields.get(&attribute.name).is_some_and(|value| reveals(&attribute.ty, value)) {
            less.get_or_insert_with(|| fields.clone()).remove(&attribute.name);
        }
    }
    for block in blocks.iter().filter(|block| holds(&block.attributes, &block.blocks)) {
        let Some(Value::Map(inner)) = fields.get(&block.name) else { continue };
        let inside = |fields: &Fields| without(&block.attributes, &block.blocks, fields);
        let own = if block.labelled { within_labels(inner, inside) } else { inside(inner) };
        if let Some(own) = own {
            let less = less.get_or_insert_with(|| fields.clone());
            less.insert(block.name.clone(), Value::map(own));
        }
    }
    less
}

/// The blocks by label, each without what may be a secret; `None` when nothing is.
fn within_labels(blocks: &Fields, inside: impl Fn(&Fields) -> Option<Fields>) -> Option<Fields> {
    let mut less = None;
    for (label, value) in blocks.iter() {
        let Value::Map(fields) = value else { continue };
        if let Some(own) = inside(fields) {
            less.get_or_insert_with(|| blocks.clone()).insert(label.clone(), Value::map(own));
        }
    }
    less
}

/// Whether something stands in plain where a secret may stand.
fn reveals(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (_, Value::None | Value::Secret(_)) => false,
        (Type::Secret(_), _) => true,
        (Type::Either(types), value) => types.iter().any(|ty| reveals(ty, value)),
        (Type::Optional(of), value) => reveals(of, value),
        (Type::List(of), Value::List(items)) => items.iter().any(|item| reveals(of, item)),
        (Type::Map(of), Value::Map(fields)) => fields.iter().any(|(_, item)| reveals(of, item)),
        (Type::Object(known), Value::Map(fields)) => known
            .iter()
            .any(|field| fields.get(&field.name).is_some_and(|value| reveals(&field.ty, value))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_a_guest_is_made_with_are_not_read_back() {
        let discretion = Discretion::new(&Catalog::core());
        let file = Value::map(Fields::from_iter([(Name::new("content"), Value::text("hunter2"))]));
        let packages = (Name::new("packages"), Value::list(vec![Value::text("nginx")]));
        let files = (Name::new("write_files"), Value::list(vec![file]));
        let guest = |init: Vec<(Name, Value)>| {
            let init = Value::map(Fields::from_iter(init));
            let vcpus = (Name::new("vcpus"), Value::Int(2));
            let fields = [(Name::new("cloud_init"), init), vcpus];
            Arc::new(Fields::from_iter(fields))
        };
        let object = |attributes: Arc<Fields>| ObservedObject {
            kind: Name::new("vm"),
            name: Name::new("web"),
            uuid: None,
            stamp: None,
            pending: Arc::clone(&attributes),
            attributes,
            written: None,
            running: None,
            kept: Vec::new(),
            holds: Vec::new(),
            room: None,
        };
        let harmless = object(guest(vec![packages.clone()]));
        assert_eq!(discretion.object(harmless.clone()), harmless);
        let found = discretion.object(object(guest(vec![packages, files])));
        assert_eq!(found.attributes.get("cloud_init"), None);
        assert_eq!(found.pending.get("cloud_init"), None);
        assert_eq!(found.attributes.get("vcpus"), Some(&Value::Int(2)));
    }
}
