//! Names on hosts that stand for objects of others: what they lead to in the text, now that the text
//! adopts those objects or declares them as existing.

use std::sync::Arc;

use indexmap::IndexMap;
use tcloud_model::{Address, Attribute, Block, DesiredGraph, Fields, Name, Schema, Type, Value};

use super::{Called, Facts};
use crate::input::Input;
use crate::make::name_of_existing;

impl<'a> Facts<'a> {
    /// A provider names what is not ours, since it has no address. What the text gives an address
    /// is compared, placed and given out by it.
    pub(super) fn follow_names(&mut self, input: &Input<'a>, desired: &DesiredGraph) {
        let called = self.called(desired);
        if called.is_empty() {
            return;
        }
        for known in &mut self.known {
            let (Some(_), Some(schema)) =
                (known.live, input.catalog.get(known.object.address.kind()))
            else {
                continue;
            };
            let names = Names { host: &known.object.host, called: &called };
            for fields in [&mut known.found, &mut known.pending].into_iter().flatten() {
                if let Some(followed) = names.in_schema(schema, fields) {
                    *fields = Arc::new(followed);
                }
            }
        }
    }

    fn called(&self, desired: &DesiredGraph) -> Called<'a> {
        let mut called = self.adopted.clone();
        let existing = desired.resources.iter().filter(|(_, own)| own.lifecycle.existing);
        let named: IndexMap<(&Name, Name), &Address> = existing
            .map(|(address, own)| ((address.kind(), name_of_existing(address, own)), address))
            .collect();
        if !named.is_empty() {
            for place @ (_, kind, name) in self.foreign.keys() {
                let address = named.get(&(*kind, (*name).clone()));
                called.extend(address.map(|address| (*place, (*address).clone())));
            }
        }
        called
    }
}

/// The names of one host.
struct Names<'n, 'a> {
    host: &'n Address,
    called: &'n Called<'a>,
}

impl Names<'_, '_> {
    fn in_schema(&self, schema: &Schema, fields: &Fields) -> Option<Fields> {
        self.level(&schema.attributes, &schema.blocks, fields)
    }

    /// The fields with addresses where names were; `None` when there is nothing to change.
    fn level(&self, attributes: &[Attribute], blocks: &[Block], fields: &Fields) -> Option<Fields> {
        let mut followed: Option<Fields> = None;
        for (name, value) in fields.iter() {
            let attribute = attributes.iter().find(|own| own.name == *name);
            let block = || blocks.iter().find(|own| own.name == *name);
            let new = match (attribute, value) {
                (Some(attribute), value) => self.value(&attribute.ty, value),
                (None, Value::Map(inner)) => block().and_then(|block| self.block(block, inner)),
                (None, _) => None,
            };
            if let Some(new) = new {
                followed.get_or_insert_with(|| fields.clone()).insert(name.clone(), new);
            }
        }
        followed
    }

    fn block(&self, block: &Block, fields: &Fields) -> Option<Value> {
        if !block.labelled {
            return self.level(&block.attributes, &block.blocks, fields).map(Value::map);
        }
        let mut followed: Option<Fields> = None;
        for (label, inner) in fields.iter() {
            let Value::Map(inner) = inner else { continue };
            if let Some(new) = self.level(&block.attributes, &block.blocks, inner) {
                let all = followed.get_or_insert_with(|| fields.clone());
                all.insert(label.clone(), Value::map(new));
            }
        }
        followed.map(Value::map)
    }

    fn value(&self, ty: &Type, value: &Value) -> Option<Value> {
        match (ty, value) {
            (Type::Ref(kinds), Value::Text(name)) => {
                let name = Name::new(name);
                let find = |kind| self.called.get(&(self.host, kind, &name));
                kinds.iter().find_map(find).cloned().map(Value::Ref)
            }
            (Type::Either(types), value) => types.iter().find_map(|ty| self.value(ty, value)),
            (Type::Optional(of), value) => self.value(of, value),
            (Type::List(of), Value::List(items)) => {
                let new: Vec<Option<Value>> = items.iter().map(|i| self.value(of, i)).collect();
                if new.iter().all(Option::is_none) {
                    return None;
                }
                let items = items.iter().zip(new);
                Some(Value::list(items.map(|(old, new)| new.unwrap_or(old.clone())).collect()))
            }
            _ => None,
        }
    }
}
