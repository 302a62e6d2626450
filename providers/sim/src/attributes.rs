//! Whether the attributes of a request are such as the kind's schema promises. A request is not
//! trusted: what does not fit is an error, and the host lives on.

use tcloud_model::kinds::ATTACHMENT;
use tcloud_model::{AttrPath, Attribute, Block, Fields, Name, PathStep, Schema, Value};

use crate::failure::{Failure, quoted};

/// Checks complete attributes, and drops what is [`Value::None`].
pub(crate) fn accept(schema: &Schema, attributes: &Fields) -> Result<Fields, Failure> {
    let fields = without_none(attributes);
    let scope = Scope { kind: &schema.kind, at: AttrPath::default() };
    if let Some(name) = ATTACHMENT.iter().find(|name| fields.get(name).is_some())
        && schema.kind == "disk"
    {
        return scope.wrong(&Name::new(name), "says how it is attached and belongs to the guest");
    }
    scope.check(&schema.attributes, &schema.blocks, &fields)?;
    if schema.kind == "vm" {
        for needed in ["vcpus", "memory"] {
            if fields.number(needed).is_none() {
                return Failure::refused(format!("{}: {needed} is missing", schema.kind));
            }
        }
    }
    Ok(fields)
}

/// Checks one change: the value at a path, or that it may go away. What stays as it is may be of
/// any origin, and is not looked at.
pub(crate) fn accept_change(
    schema: &Schema,
    path: &[Name],
    value: Option<&Value>,
) -> Result<(), Failure> {
    let scope = Scope { kind: &schema.kind, at: AttrPath::default() };
    scope.check_change(&schema.attributes, &schema.blocks, path, value)
}

/// Fields without those that are not there.
pub(crate) fn without_none(fields: &Fields) -> Fields {
    fields
        .iter()
        .filter(|(_, value)| **value != Value::None)
        .map(|(name, value)| match value {
            Value::Map(inner) if inner.iter().any(|(_, v)| hides_none(v)) => {
                (name.clone(), Value::map(without_none(inner)))
            }
            other => (name.clone(), other.clone()),
        })
        .collect()
}

fn hides_none(value: &Value) -> bool {
    match value {
        Value::None => true,
        Value::Map(fields) => fields.iter().any(|(_, inner)| hides_none(inner)),
        _ => false,
    }
}

/// Where a check stands, for messages.
struct Scope<'a> {
    kind: &'a Name,
    at: AttrPath,
}

impl Scope<'_> {
    fn check(
        &self,
        attributes: &[Attribute],
        blocks: &[Block],
        fields: &Fields,
    ) -> Result<(), Failure> {
        for (name, value) in fields.iter() {
            let known = |own: &&Attribute| own.name == *name && !own.steering;
            if let Some(attribute) = attributes.iter().find(known) {
                self.check_type(attribute, value)?;
            } else if let Some(block) = blocks.iter().find(|own| own.name == *name && !own.steering)
            {
                self.check_block(block, value)?;
            } else {
                return self.wrong(name, "is nothing that a host knows");
            }
        }
        let missing = |own: &&Attribute| own.required && fields.get(&own.name).is_none();
        match attributes.iter().find(missing) {
            Some(attribute) => self.wrong(&attribute.name, "is missing"),
            None => Ok(()),
        }
    }

    fn check_change(
        &self,
        attributes: &[Attribute],
        blocks: &[Block],
        path: &[Name],
        value: Option<&Value>,
    ) -> Result<(), Failure> {
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        if let Some(attribute) = attributes.iter().find(|own| own.name == *name && !own.steering) {
            return match (rest, value) {
                ([], Some(value)) => self.check_type(attribute, value),
                ([], None) if attribute.required => self.wrong(name, "is missing"),
                _ => Ok(()),
            };
        }
        let Some(block) = blocks.iter().find(|own| own.name == *name && !own.steering) else {
            return self.wrong(name, "is nothing that a host knows");
        };
        let inside = if block.labelled { rest.get(1..) } else { Some(rest) };
        match (inside, value) {
            (Some([_, ..]), value) => {
                let at = self.at.field(name.clone());
                let inner = Scope { kind: self.kind, at };
                let path = inside.unwrap_or_default();
                inner.check_change(&block.attributes, &block.blocks, path, value)
            }
            (_, None) => Ok(()),
            (Some([]), Some(value)) => self.check_inside(block, value),
            (None, Some(value)) => self.check_block(block, value),
        }
    }

    /// Checks one occurrence of a block.
    fn check_inside(&self, block: &Block, value: &Value) -> Result<(), Failure> {
        let Value::Map(fields) = value else {
            return self.wrong(&block.name, &format!("is a block, not {value}"));
        };
        let inner = Scope { kind: self.kind, at: self.at.field(block.name.clone()) };
        inner.check(&block.attributes, &block.blocks, fields)
    }

    fn check_type(&self, attribute: &Attribute, value: &Value) -> Result<(), Failure> {
        if attribute.ty.admits(value) {
            return Ok(());
        }
        self.wrong(&attribute.name, &format!("takes {}, not {value}", attribute.ty))
    }

    fn check_block(&self, block: &Block, value: &Value) -> Result<(), Failure> {
        let Value::Map(fields) = value else {
            return self.wrong(&block.name, &format!("is a block, not {value}"));
        };
        let inner = Scope { kind: self.kind, at: self.at.field(block.name.clone()) };
        if !block.labelled {
            return inner.check(&block.attributes, &block.blocks, fields);
        }
        for (label, value) in fields.iter() {
            let Value::Map(fields) = value else {
                return inner.wrong(label, &format!("is a block, not {value}"));
            };
            let inner = Scope { kind: self.kind, at: inner.at.field(label.clone()) };
            inner.check(&block.attributes, &block.blocks, fields)?;
        }
        Ok(())
    }

    fn wrong<T>(&self, name: &Name, what: &str) -> Result<T, Failure> {
        let path = self.at.field(name.clone()).to_string();
        Failure::refused(format!("{}: {} {what}", self.kind, quoted(&path)))
    }
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
