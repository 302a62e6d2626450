//! What a kind consists of: attributes, nested blocks, and what changing each of them costs. The
//! checker, the planner, `tcloud explain` and the book's reference all read this one table.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

use crate::{Fields, Impact, Name, Type, Value};

/// A kind of resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The word that begins its blocks.
    pub kind: Name,
    /// What it is, as Markdown; the first line is a sentence that stands alone.
    pub doc: String,
    /// A small complete block that uses it, as `.tcloud` text.
    #[serde(default)]
    pub example: String,
    /// What tcloud does with it.
    pub role: Role,
    /// Kinds whose blocks it may stand in; empty means at the top level only.
    #[serde(default)]
    pub within: Vec<Name>,
    /// Whether it may stand at the top level.
    #[serde(default)]
    pub top_level: bool,
    /// Its attributes, in the order of the reference page.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Its nested blocks.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// What creating and deleting it does: [`Impact::RecreateLose`] for what holds data.
    pub removal: Impact,
}

/// What tcloud does with the resources of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A scope that other resources stand in: a site, a tenant. Nothing runs for it.
    Scope,
    /// A fact that others refer to: a host, a zone, a flavor. Nothing is created for it.
    Fact,
    /// An object on exactly one host: a VM, a volume.
    Single,
    /// An object on every host that needs it: a network, an image, a pool.
    PerHost,
    /// A part of the resource around it, changed together with it: a NIC.
    Part,
}

impl Role {
    /// Whether objects of this kind exist on hypervisors.
    pub fn is_managed(self) -> bool {
        matches!(self, Role::Single | Role::PerHost)
    }
}

/// An attribute of a kind or of a nested block.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name in snake_case.
    pub name: Name,
    /// What it takes.
    #[serde(rename = "type")]
    pub ty: Type,
    /// What it is, as Markdown; the first line is a sentence that stands alone.
    pub doc: String,
    /// Whether the text has to set it.
    #[serde(default)]
    pub required: bool,
    /// What holds when the text does not set it. Without a default, an attribute that the text
    /// never set is left alone.
    #[serde(default)]
    pub default: Option<Value>,
    /// The smallest value that can be meant, for types with an order.
    pub least: Option<Value>,
    /// What changing it does.
    pub cost: Cost,
    /// Whether the planner gives it a value when the text does not (an address, a MAC).
    #[serde(default)]
    pub assigned: bool,
    /// Whether it only steers tcloud and is never sent to a hypervisor (`spread`, `restart`).
    #[serde(default)]
    pub steering: bool,
    /// Whether tcloud works it out from other things, and the text can neither set nor read it
    /// (`admits`, from `allow`). Plans and hosts know it.
    #[serde(default)]
    pub computed: bool,
}

/// A nested block: `quota { … }`, `dhcp { … }`, `nic office { … }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The word that begins it, and the field that holds it.
    pub name: Name,
    /// What it is, as Markdown.
    pub doc: String,
    /// Whether it has a name of its own. Labelled blocks may occur many times and become a map
    /// from label (with key) to fields; others occur once and become an object.
    #[serde(default)]
    pub labelled: bool,
    /// What adding one to an existing resource does.
    pub adding: Impact,
    /// What removing one does.
    pub removing: Impact,
    /// The sorts of it that cost no more to add and to remove.
    #[serde(default)]
    pub unless: Vec<Unless>,
    /// Its attributes.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Blocks inside it.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// Whether it only steers tcloud and is never sent to a hypervisor.
    #[serde(default)]
    pub steering: bool,
}

/// Other sorts of a block cost more to add and to remove: a running guest can be given a disk on a virtio
/// bus, and on no IDE or SATA bus. What others made may be of any sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unless {
    /// The attribute that says of which sort it is; it holds a text.
    pub attribute: Name,
    /// What it holds otherwise.
    pub values: Vec<Name>,
    /// What adding or removing it does.
    pub impact: Impact,
}

/// What changing an attribute does to what runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cost {
    /// Always the same.
    Always(Impact),
    /// It depends on the direction; for types with an order.
    Direction {
        /// The new value is larger.
        grow: Impact,
        /// The new value is smaller.
        shrink: Impact,
    },
    /// Growth is cheap up to what another attribute allowed when the guest was started.
    Ceiling {
        /// The attribute that holds the ceiling.
        ceiling: Name,
        /// What growth comes in while the guest runs; anything where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<Value>,
        /// The new value is larger, within the ceiling, and whole steps away.
        within: Impact,
        /// The new value is larger, and not within reach.
        beyond: Impact,
        /// The new value is smaller.
        shrink: Impact,
    },
}

impl Cost {
    /// What a change from `before` to `after` costs; `old` are all fields that stand beside the
    /// attribute before the change.
    pub fn of(&self, before: Option<&Value>, after: Option<&Value>, old: &Fields) -> Impact {
        let grows = || match (before, after) {
            (Some(before), Some(after)) => before.partial_compare(after) == Some(Ordering::Less),
            (None, Some(_)) => true,
            _ => false,
        };
        match self {
            Cost::Always(impact) => *impact,
            Cost::Direction { grow, shrink } => {
                if grows() {
                    *grow
                } else {
                    *shrink
                }
            }
            Cost::Ceiling { ceiling, step, within, beyond, shrink } => {
                if !grows() {
                    return *shrink;
                }
                let growth = || after?.number()?.checked_sub(before?.number()?);
                let whole = match step.as_ref().and_then(Value::number) {
                    Some(step) => growth().is_some_and(|growth| growth.is_multiple_of(step)),
                    None => true,
                };
                let fits = match (old.get(ceiling), after) {
                    (Some(ceiling), Some(after)) => {
                        after.partial_compare(ceiling).is_some_and(Ordering::is_le)
                    }
                    _ => false,
                };
                if fits && whole { *within } else { *beyond }
            }
        }
    }

    /// The worst that can happen, for documentation.
    pub fn worst(&self) -> Impact {
        match self {
            Cost::Always(impact) => *impact,
            Cost::Direction { grow, shrink } => *grow.max(shrink),
            Cost::Ceiling { within, beyond, shrink, .. } => *within.max(beyond).max(shrink),
        }
    }
}

impl Attribute {
    /// The name of what is handed to the hypervisor as it is. Whatever provider has it: it is refused
    /// unless `tcloud.toml` allows it for the provider whose block it stands in, and every plan
    /// shows it whole.
    pub const RAW: &str = "raw_xml";

    /// An optional attribute without a default whose change is only recorded.
    pub fn new(name: &str, ty: Type, doc: &str) -> Attribute {
        Attribute {
            name: Name::new(name),
            ty,
            doc: doc.to_owned(),
            required: false,
            default: None,
            least: None,
            cost: Cost::Always(Impact::None),
            assigned: false,
            steering: false,
            computed: false,
        }
    }

    /// Has to be set.
    pub fn required(mut self) -> Attribute {
        self.required = true;
        self
    }

    /// Has a default.
    pub fn default(mut self, value: Value) -> Attribute {
        self.default = Some(value);
        self
    }

    /// A smaller value is a mistake.
    pub fn at_least(mut self, value: Value) -> Attribute {
        self.least = Some(value);
        self
    }

    /// Every change has this impact.
    pub fn cost(self, impact: Impact) -> Attribute {
        self.costs(Cost::Always(impact))
    }

    /// What a change costs.
    pub fn costs(mut self, cost: Cost) -> Attribute {
        self.cost = cost;
        self
    }

    /// The planner gives it a value.
    pub fn assigned(mut self) -> Attribute {
        self.assigned = true;
        self
    }

    /// tcloud works it out.
    pub fn computed(mut self) -> Attribute {
        self.computed = true;
        self
    }

    /// It only steers tcloud.
    pub fn steering(mut self) -> Attribute {
        self.steering = true;
        self
    }
}

impl Block {
    /// A block that occurs at most once and costs nothing to add or remove.
    pub fn single(name: &str, doc: &str, attributes: Vec<Attribute>) -> Block {
        Block {
            name: Name::new(name),
            doc: doc.to_owned(),
            labelled: false,
            adding: Impact::None,
            removing: Impact::None,
            unless: Vec::new(),
            attributes,
            blocks: Vec::new(),
            steering: false,
        }
    }

    /// A block with a name, any number of times.
    pub fn labelled(name: &str, doc: &str, attributes: Vec<Attribute>) -> Block {
        Block { labelled: true, ..Block::single(name, doc, attributes) }
    }

    /// What adding and removing one does.
    pub fn cost(mut self, adding: Impact, removing: Impact) -> Block {
        self.adding = adding;
        self.removing = removing;
        self
    }

    /// Adding and removing one costs so much unless an attribute has one of these values.
    pub fn unless(mut self, attribute: &str, values: &[&str], impact: Impact) -> Block {
        let values = values.iter().map(|value| Name::new(value)).collect();
        self.unless.push(Unless { attribute: Name::new(attribute), values, impact });
        self
    }

    /// Whether it is no more than its attributes: with and without it is the same, as long as they
    /// are not set.
    pub fn is_its_attributes(&self) -> bool {
        !self.labelled && self.adding == Impact::None && self.removing == Impact::None
    }

    /// What adding one does (`before` is `None`), or removing it.
    pub fn impact(&self, before: Option<&Value>, after: Option<&Value>) -> Impact {
        let usual = if after.is_some() { self.adding } else { self.removing };
        let Some(Value::Map(fields)) = after.or(before) else { return usual };
        let is_such = |own: &&Unless| {
            let value = fields.get(&own.attribute).and_then(Value::as_text);
            value.is_some_and(|value| !own.values.iter().any(|own| *own == *value))
        };
        let dearer = self.unless.iter().filter(is_such).map(|own| own.impact);
        dearer.max().map_or(usual, |dearer| dearer.max(usual))
    }

    /// It only steers tcloud.
    pub fn steering(mut self) -> Block {
        self.steering = true;
        self
    }
}

impl Schema {
    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The nested block of this name.
    pub fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_sorts_of_a_block_cost_more() {
        let block = Block::labelled("disk", "A disk.", Vec::new())
            .cost(Impact::Live, Impact::LiveGuest)
            .unless("bus", &["virtio"], Impact::PowerCycle);
        let disk = |bus| {
            let fields: Fields = [(Name::new("bus"), Value::text(bus))].into_iter().collect();
            Value::map(fields)
        };
        assert_eq!(block.impact(None, Some(&disk("virtio"))), Impact::Live);
        assert_eq!(block.impact(Some(&disk("virtio")), None), Impact::LiveGuest);
        assert_eq!(block.impact(None, Some(&disk("sata"))), Impact::PowerCycle);
        assert_eq!(block.impact(Some(&disk("sata")), None), Impact::PowerCycle);
    }

    #[test]
    fn growth_beyond_the_ceiling_costs_more() {
        let cost = Cost::Ceiling {
            ceiling: Name::new("max_memory"),
            step: Some(Value::Bytes(4)),
            within: Impact::Live,
            beyond: Impact::PowerCycle,
            shrink: Impact::PowerCycle,
        };
        let old: Fields = [(Name::new("max_memory"), Value::Bytes(16))].into_iter().collect();
        let of =
            |before, after| cost.of(Some(&Value::Bytes(before)), Some(&Value::Bytes(after)), &old);
        assert_eq!(of(8, 16), Impact::Live);
        assert_eq!(of(8, 20), Impact::PowerCycle);
        assert_eq!(of(8, 15), Impact::PowerCycle);
        assert_eq!(of(8, 4), Impact::PowerCycle);
    }
}
