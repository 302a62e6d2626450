//! Whether the attributes of a request are such as the kind's schema promises. A provider does not
//! trust a request: what does not fit is an error, and the provider lives on.

use tcloud_model::kinds::ATTACHMENT;
use tcloud_model::{
    Address, AttrPath, Attribute, Block, Catalog, Fields, Name, Operation, OperationKind, Schema,
    Value,
};
use uuid::Uuid;

/// Checks what an operation says besides attributes, and finds its kind: the names, and that it is
/// meant for this host and puts on no stamp but its deployment's.
///
/// # Errors
/// What does not fit, in words that are safe to show.
pub fn accept_operation<'c>(
    operation: &Operation,
    catalog: &'c Catalog,
    host: &Address,
    deployment: Option<Uuid>,
) -> Result<&'c Schema, String> {
    let Operation { object, kind, identity, action, references } = operation;
    accept_name(&identity.name)?;
    references.iter().try_for_each(|(_, identity)| accept_name(&identity.name))?;
    if object.host != *host {
        return Err(format!("{object} is asked of {host}"));
    }
    let schema = catalog.get(kind).filter(|schema| schema.role.is_managed());
    let schema = schema.ok_or_else(|| no_such_kind(kind))?;
    let stamp = match action {
        OperationKind::Create { stamp, .. }
        | OperationKind::Update { stamp, .. }
        | OperationKind::Stamp { stamp, .. }
        | OperationKind::Migrate { stamp, .. } => Some(stamp),
        OperationKind::Delete | OperationKind::Unstamp => None,
    };
    match stamp {
        Some(stamp) if Some(stamp.deployment) != deployment => {
            Err(format!("the stamp for {object} is of another deployment"))
        }
        _ => Ok(schema),
    }
}

/// What is said of a kind that a provider does not make.
pub fn no_such_kind(kind: &Name) -> String {
    format!("a host has no objects of kind {}", quoted(kind))
}

/// Refuses names that a file or a command could misunderstand, however they came here.
///
/// # Errors
/// Which name it is, in words that are safe to show.
pub fn accept_name(name: &str) -> Result<(), String> {
    let wrong = name.is_empty()
        || name.len() > 255
        || name.starts_with(['.', '-'])
        || name.chars().any(|c| c == '/' || c.is_control());
    match wrong {
        true => Err(format!("{} cannot be the name of an object", quoted(name))),
        false => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    Value::text(text).to_string()
}

/// Checks complete attributes, and drops what is [`Value::None`].
///
/// # Errors
/// What does not fit, in words that are safe to show.
pub fn accept(schema: &Schema, attributes: &Fields) -> Result<Fields, String> {
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
                return Err(format!("{}: {needed} is missing", schema.kind));
            }
        }
    }
    Ok(fields)
}

/// Checks one change: the value at a path, or that it may go away. What stays as it is may be of
/// any origin, and is not looked at.
///
/// # Errors
/// What does not fit, in words that are safe to show.
pub fn accept_change(schema: &Schema, path: &[Name], value: Option<&Value>) -> Result<(), String> {
    let scope = Scope { kind: &schema.kind, at: AttrPath::default() };
    scope.check_change(&schema.attributes, &schema.blocks, path, value)
}

/// Fields without those that are not there.
pub fn without_none(fields: &Fields) -> Fields {
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
    ) -> Result<(), String> {
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
    ) -> Result<(), String> {
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
    fn check_inside(&self, block: &Block, value: &Value) -> Result<(), String> {
        let Value::Map(fields) = value else {
            return self.wrong(&block.name, &format!("is a block, not {value}"));
        };
        let inner = Scope { kind: self.kind, at: self.at.field(block.name.clone()) };
        inner.check(&block.attributes, &block.blocks, fields)
    }

    fn check_type(&self, attribute: &Attribute, value: &Value) -> Result<(), String> {
        if attribute.ty.admits(value) {
            return Ok(());
        }
        self.wrong(&attribute.name, &format!("takes {}, not {value}", attribute.ty))
    }

    fn check_block(&self, block: &Block, value: &Value) -> Result<(), String> {
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

    fn wrong<T>(&self, name: &Name, what: &str) -> Result<T, String> {
        let path = self.at.field(name.clone()).to_string();
        Err(format!("{}: {} {what}", self.kind, Value::text(&path)))
    }
}
