//! What a change of attributes does: what takes effect at once, what waits for a power cycle, and
//! what cannot be done to an object that exists. The schema's costs decide, as they do in a plan.

use tcloud_model::{Attribute, Block, Cost, Fields, Impact, Name, Schema, Value};

use crate::failure::{Failure, quoted};
use crate::reference::asked;

/// One attribute or whole block that differs.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Where.
    pub(crate) path: Vec<Name>,
    /// What it becomes; `None` when it goes away.
    pub(crate) after: Option<Value>,
    /// What that does.
    pub(crate) impact: Impact,
}

/// Everything in which `wanted` differs from `live`, with what it costs.
pub(crate) fn leaves(schema: &Schema, live: &Fields, wanted: &Fields) -> Vec<Leaf> {
    let mut walk = Walk { found: Vec::new(), path: Vec::new() };
    walk.fields(&schema.attributes, &schema.blocks, live, wanted);
    walk.found
}

/// Refuses what would need the object to be made anew.
pub(crate) fn refuse_replacements(leaves: &[Leaf]) -> Result<(), Failure> {
    match leaves.iter().find(|leaf| leaf.impact > Impact::PowerCycle) {
        Some(leaf) => {
            let path: Vec<&str> = leaf.path.iter().map(Name::as_str).collect();
            let to = leaf.after.as_ref().map_or("none".to_owned(), Value::to_string);
            Failure::refused(format!(
                "{} cannot become {to} on an object that exists ({})",
                quoted(&path.join(".")),
                leaf.impact
            ))
        }
        None => Ok(()),
    }
}

/// What is in force after the part of a change that a running guest takes.
pub(crate) fn in_force(live: &Fields, leaves: &[Leaf]) -> Fields {
    let mut fields = live.clone();
    for leaf in leaves.iter().filter(|leaf| leaf.impact < Impact::PowerCycle) {
        fields.put(&leaf.path, leaf.after.clone());
    }
    fields
}

struct Walk {
    found: Vec<Leaf>,
    path: Vec<Name>,
}

impl Walk {
    fn fields(&mut self, attributes: &[Attribute], blocks: &[Block], live: &Fields, to: &Fields) {
        let gone = live.iter().filter(|(name, _)| to.get(name).is_none()).map(|(name, _)| name);
        for name in to.iter().map(|(name, _)| name).chain(gone) {
            let (before, after) = (set(live, name), set(to, name));
            if before == after {
                continue;
            }
            if let Some(attribute) = attributes.iter().find(|own| own.name == *name) {
                if !is_same_origin(name, before, after) {
                    self.leaf(name, after, cost(attribute, before, after, live));
                }
            } else if let Some(block) = blocks.iter().find(|own| own.name == *name) {
                if block.labelled {
                    self.labels(name, block, before, after);
                } else {
                    self.block(name, block, before, after);
                }
            } else {
                // Nothing that the schema knows; it was put there behind its back.
                self.leaf(name, after, Impact::None);
            }
        }
    }

    fn labels(
        &mut self,
        name: &Name,
        block: &Block,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        self.path.push(name.clone());
        let of = |value: Option<&Value>| match value {
            Some(Value::Map(fields)) => Fields::clone(fields),
            _ => Fields::new(),
        };
        let (before, after) = (of(before), of(after));
        let gone = before.iter().filter(|(label, _)| after.get(label).is_none());
        for (label, _) in after.iter().chain(gone) {
            self.block(label, block, before.get(label), after.get(label));
        }
        self.path.pop();
    }

    fn block(&mut self, name: &Name, block: &Block, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (Some(Value::Map(before)), Some(Value::Map(after))) => {
                self.path.push(name.clone());
                self.fields(&block.attributes, &block.blocks, before, after);
                self.path.pop();
            }
            (None, _) => self.leaf(name, after, block.impact(None, after)),
            (before, _) => self.leaf(name, after, block.impact(before, None)),
        }
    }

    fn leaf(&mut self, name: &Name, after: Option<&Value>, impact: Impact) {
        let mut path = self.path.clone();
        path.push(name.clone());
        self.found.push(Leaf { path, after: after.cloned(), impact });
    }
}

/// A field, if it is set: a person may have left a note that it is not.
fn set<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| **value != Value::None)
}

fn cost(
    attribute: &Attribute,
    before: Option<&Value>,
    after: Option<&Value>,
    live: &Fields,
) -> Impact {
    match (&attribute.cost, before.or(attribute.default.as_ref())) {
        (Cost::Always(impact), _) => *impact,
        (cost, before) => cost.of(before, after, live),
    }
}

/// An image may have been made anew under the same address since a volume was filled from it; that
/// does not change the volume.
fn is_same_origin(name: &Name, before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (Some(Value::Ref(before)), Some(Value::Ref(after))) if *name == "image" => {
            asked(before) == asked(after)
        }
        _ => false,
    }
}
