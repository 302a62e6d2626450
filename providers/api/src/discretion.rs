//! What may be a secret is never read back from a host: it would stand in plans, in the journal and
//! on the screens of people who may see what runs and not what it is let in with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcloud_model::{Attribute, Block, Catalog, Fields, Name, ObservedObject, Schema, Type, Value};

/// The kinds that have something that may be a secret, and where it stands in them.
pub struct Discretion(BTreeMap<Name, Places>);

/// Where secrets may stand in the attributes of a resource or of a block. It is asked for every
/// object of a host, so that what has none is left out beforehand.
struct Places {
    attributes: Vec<(Name, Type)>,
    blocks: Vec<(Name, Blocks)>,
}

/// The blocks of one name.
struct Blocks {
    labelled: bool,
    inside: Places,
}

impl Discretion {
    /// What these kinds may hold.
    pub fn new(catalog: &Catalog) -> Discretion {
        let places = |schema: &Arc<Schema>| {
            let places = Places::of(&schema.attributes, &schema.blocks)?;
            Some((schema.kind.clone(), places))
        };
        Discretion(catalog.iter().filter_map(places).collect())
    }

    /// Takes what may be a secret out of the object, as if it could not be read.
    pub fn apply(&self, object: &mut ObservedObject) {
        if let Some(places) = self.0.get(&object.kind) {
            for fields in [&mut object.attributes, &mut object.pending] {
                if let Some(less) = places.without(fields) {
                    *fields = Arc::new(less);
                }
            }
        }
    }
}

impl Places {
    /// Where secrets may stand here, if anywhere.
    fn of(attributes: &[Attribute], blocks: &[Block]) -> Option<Places> {
        let attributes: Vec<_> = attributes
            .iter()
            .filter(|attribute| attribute.ty.may_be_secret())
            .map(|attribute| (attribute.name.clone(), attribute.ty.clone()))
            .collect();
        let inside = |block: &Block| {
            let inside = Places::of(&block.attributes, &block.blocks)?;
            Some((block.name.clone(), Blocks { labelled: block.labelled, inside }))
        };
        let blocks: Vec<_> = blocks.iter().filter_map(inside).collect();
        (!attributes.is_empty() || !blocks.is_empty()).then_some(Places { attributes, blocks })
    }

    /// The fields without what may be a secret; `None` when nothing is.
    fn without(&self, fields: &Fields) -> Option<Fields> {
        let mut less = None;
        for (name, ty) in &self.attributes {
            if fields.get(name).is_some_and(|value| reveals(ty, value)) {
                less.get_or_insert_with(|| fields.clone()).remove(name);
            }
        }
        for (name, Blocks { labelled, inside }) in &self.blocks {
            let Some(Value::Map(inner)) = fields.get(name) else { continue };
            let without = |fields: &Fields| inside.without(fields);
            let own = if *labelled { within_labels(inner, without) } else { without(inner) };
            if let Some(own) = own {
                let less = less.get_or_insert_with(|| fields.clone());
                less.insert(name.clone(), Value::map(own));
            }
        }
        less
    }
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
        let applied = |mut object: ObservedObject| {
            discretion.apply(&mut object);
            object
        };
        let harmless = object(guest(vec![packages.clone()]));
        assert_eq!(applied(harmless.clone()), harmless);
        let found = applied(object(guest(vec![packages, files])));
        assert_eq!(found.attributes.get("cloud_init"), None);
        assert_eq!(found.pending.get("cloud_init"), None);
        assert_eq!(found.attributes.get("vcpus"), Some(&Value::Int(2)));
    }
}
