//! Every attribute and block of an object, changed in each direction, with what the schema promises
//! of it.

use tcloud_model::{
    Address, AttrPath, Attribute, Block, Cost, Fields, Impact, Name, Schema, Type, Value,
};

use tcloud_model::kinds::{ATTACHMENT, STOPPED, TRANSIENT, UNFINISHED};

use super::vary::Targets;

/// One change of one attribute or block.
pub(crate) struct Variation {
    /// Which.
    pub(crate) path: AttrPath,
    /// What it becomes; `None` when it goes away.
    pub(crate) value: Option<Value>,
    /// What the schema promises.
    pub(crate) impact: Impact,
    /// All attributes after the change.
    pub(crate) attributes: Fields,
    /// What has to change with it, so that both can hold.
    pub(crate) beside: Option<AttrPath>,
}

/// Attributes that name files of the host, and are not worth anything without them.
const FILES: [&str; 2] = ["kernel", "initrd"];

/// All variations of an object's attributes. `file` says which files the host has.
pub(crate) fn variations(
    schema: &Schema,
    base: &Fields,
    world: &[Address],
    file: &dyn Fn(&str) -> String,
) -> Vec<Variation> {
    let mut taken = Vec::new();
    base.iter().for_each(|(_, value)| value.each_reference(&mut |to| taken.push(to.clone())));
    let targets = Targets { world, taken: &taken };
    let mut walk = Walk { targets: &targets, base, file, found: Vec::new() };
    // How a disk is attached is part of its guest; and nobody asks for what only a
    // host can tell.
    let mut attributes = schema.attributes.clone();
    attributes.retain(|own| ![STOPPED, TRANSIENT, UNFINISHED].contains(&own.name.as_str()));
    attributes.retain(|own| schema.kind != "disk" || !ATTACHMENT.contains(&own.name.as_str()));
    walk.fields(&AttrPath::default(), &attributes, &schema.blocks, base);
    walk.found
}

struct Walk<'a> {
    targets: &'a Targets<'a>,
    base: &'a Fields,
    file: &'a dyn Fn(&str) -> String,
    found: Vec<Variation>,
}

impl Walk<'_> {
    fn fields(
        &mut self,
        at: &AttrPath,
        attributes: &[Attribute],
        blocks: &[Block],
        fields: &Fields,
    ) {
        for attribute in attributes.iter().filter(|attribute| !attribute.steering) {
            self.attribute(&at.field(attribute.name.clone()), attribute, fields);
        }
        for block in blocks.iter().filter(|block| !block.steering) {
            let path = at.field(block.name.clone());
            match fields.map(&block.name) {
                Some(inner) if block.labelled => self.labels(&path, block, inner),
                Some(inner) => {
                    self.fields(&path, &block.attributes, &block.blocks, inner);
                    let impact = block.impact(fields.get(&block.name), None);
                    self.change(&path, None, impact);
                }
                None => {}
            }
        }
    }

    fn attribute(&mut self, path: &AttrPath, attribute: &Attribute, beside: &Fields) {
        let now = beside.get(&attribute.name);
        // A number whose changes all cost the same is changed once, and a choice to each other one.
        let few = matches!((&attribute.cost, &attribute.ty), (Cost::Always(_), own) if !matches!(own, Type::OneOf(_)));
        let most = if few { 1 } else { usize::MAX };
        let values = match FILES.contains(&attribute.name.as_str()) {
            true => vec![Value::text(&(self.file)(&attribute.name))],
            false => self.targets.others(&attribute.ty, now),
        };
        let mut tried = Vec::new();
        for value in values.into_iter().take(most) {
            let impact = attribute.cost.of(now, Some(&value), beside);
            // One step tells of its whole direction.
            if matches!(attribute.cost, Cost::Direction { .. }) && tried.contains(&impact) {
                continue;
            }
            tried.push(impact);
            let with = self.companion(attribute, &value, beside);
            self.change(path, Some(value), impact);
            if let (Some((name, value)), Some(made)) = (with, self.found.last_mut()) {
                let mut own = path.clone();
                own.0.pop();
                let own = own.field(name);
                made.attributes.put(&own.names(), Some(value));
                made.beside = Some(own);
            }
        }
        let is_needed = attribute.required || attribute.default.is_some() || attribute.assigned;
        let is_size = ["vcpus", "memory", "size"].contains(&attribute.name.as_str());
        let is_attachment = ["volume", "network"].contains(&attribute.name.as_str());
        if now.is_some() && !is_needed && !is_size && !is_attachment {
            self.change(path, None, attribute.cost.of(now, None, beside));
        }
    }

    fn labels(&mut self, path: &AttrPath, block: &Block, labels: &Fields) {
        // One that says as much as any of them stands for all.
        let all = labels.iter().filter_map(|(label, value)| match value {
            Value::Map(inner) => Some((label, inner)),
            _ => None,
        });
        if let Some((label, inner)) = all.max_by_key(|(_, inner)| inner.len()) {
            self.fields(&path.field(label.clone()), &block.attributes, &block.blocks, inner);
        }
        if let Some((label, value)) = labels.iter().next() {
            self.change(&path.field(label.clone()), None, block.impact(Some(value), None));
        }
        let added = path.field(Name::new("added"));
        let sample = Value::map(self.sample(block));
        let impact = block.impact(None, Some(&sample));
        self.change(&added, Some(sample), impact);
    }

    /// A new block: what it needs, what it refers to, and its defaults.
    fn sample(&self, block: &Block) -> Fields {
        let mut fields = Fields::new();
        for attribute in block.attributes.iter().filter(|attribute| !attribute.steering) {
            let refers = matches!(attribute.ty, Type::Ref(_));
            let value = match &attribute.default {
                Some(default) => Some(default.clone()),
                // A plan always has a MAC.
                None if attribute.required || refers || attribute.ty == Type::Mac => {
                    self.targets.sample(&attribute.ty)
                }
                None => None,
            };
            if let Some(value) = value {
                fields.insert(attribute.name.clone(), value);
            }
        }
        fields
    }

    fn change(&mut self, path: &AttrPath, value: Option<Value>, impact: Impact) {
        let mut attributes = self.base.clone();
        attributes.put(&path.names(), value.clone());
        self.found.push(Variation { path: path.clone(), value, impact, attributes, beside: None });
    }

    /// What has to change beside an attribute: a ceiling rises with what is to be above it.
    fn companion(
        &self,
        attribute: &Attribute,
        value: &Value,
        beside: &Fields,
    ) -> Option<(Name, Value)> {
        match &attribute.cost {
            Cost::Ceiling { ceiling, .. } => {
                let most = beside.number(ceiling);
                let is_above = most.is_some_and(|most| value.number() > Some(most));
                is_above.then(|| (ceiling.clone(), value.clone()))
            }
            _ if attribute.name == *"secure_boot" && *value == Value::Bool(true) => {
                Some((Name::new("firmware"), Value::text("uefi")))
            }
            _ if ["initrd", "cmdline"].contains(&attribute.name.as_str()) => {
                Some((Name::new("kernel"), Value::text(&(self.file)("kernel"))))
            }
            _ => None,
        }
    }
}
