//! An object as a block: what differs from the defaults, in the order of the reference. What no
//! block can say is told, and its differences are left alone.

use tcloud_model::kinds::needed;
use tcloud_model::{AttrPath, Attribute, Block, Fields, Name, ObservedObject, Schema, Type, Value};
use tcloud_syntax::ast::BlockForm;
use tcloud_syntax::compose::Part;

use super::guest::Guests;
use super::{Described, Form, Meanings, Subject, Wish, ignored};

/// Describes all subjects, or tells which of them cannot be described.
pub(super) fn all<'a>(
    wish: &Wish<'a>,
    subjects: &[Subject<'a>],
    described: &mut Vec<Described>,
) -> Vec<(&'a ObservedObject, String)> {
    described.clear();
    let meanings = Meanings::new(wish, subjects);
    let mut guests = Guests::new(wish, subjects);
    let mut refused = Vec::new();
    for subject in subjects {
        let Some(schema) = wish.catalog.get(&subject.object.kind) else { continue };
        let mut writer = Writer {
            meanings: &meanings,
            strict: subject.form == Form::Own,
            kept: subject.object.kept.clone(),
            notes: Vec::new(),
            ignored: Vec::new(),
        };
        match writer.subject(wish, schema, subject, &mut guests) {
            Ok(body) => {
                let Writer { kept, notes, .. } = writer;
                described.push(Described { body, kept, notes });
            }
            Err(why) => refused.push((subject.object, why)),
        }
    }
    refused
}

/// Writes one object.
pub(super) struct Writer<'w> {
    pub(super) meanings: &'w Meanings<'w>,
    /// Whether everything that is needed has to be there.
    strict: bool,
    pub(super) kept: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) ignored: Vec<AttrPath>,
}

impl Writer<'_> {
    fn subject(
        &mut self,
        wish: &Wish<'_>,
        schema: &Schema,
        subject: &Subject<'_>,
        guests: &mut Guests,
    ) -> Result<Vec<Part>, String> {
        let object = subject.object;
        let mut fields = (*object.persistent()).clone();
        if schema.kind == "vm" {
            self.guest(&mut fields, guests);
            if fields.get("running").is_none() && object.running == Some(false) {
                fields.insert("running", Value::Bool(false));
            }
        }
        let needed = needed(&schema.kind, &fields);
        if let Some(missing) = needed.missing.first().filter(|_| self.strict) {
            return Err(format!("its `{missing}` is not known"));
        }
        let mut body = Vec::new();
        if subject.form == Form::Existing && *subject.address.name() != object.name {
            body.push(Part::Attribute(Name::new("name"), Value::text(&object.name)));
        }
        let described =
            self.level(&schema.attributes, &schema.blocks, &fields, &AttrPath::default());
        body.extend(described.map_err(|missing| format!("its `{missing}` is not known"))?);
        if schema.kind == "pool" && subject.form == Form::Own && !only_host(wish) {
            let hosts = Value::list(vec![Value::Ref(wish.host.host.clone())]);
            body.push(Part::Attribute(Name::new("hosts"), hosts));
        }
        if subject.form == Form::Own {
            body.extend(ignored(std::mem::take(&mut self.ignored)));
        }
        Ok(body)
    }

    /// One level of a schema.
    ///
    /// # Errors
    /// The name of what is needed and cannot be said.
    fn level(
        &mut self,
        attributes: &[Attribute],
        blocks: &[Block],
        fields: &Fields,
        path: &AttrPath,
    ) -> Result<Vec<Part>, Name> {
        let mut parts = Vec::new();
        for attribute in attributes {
            // Nothing on a host only steers tcloud, except what is said of cards here.
            if attribute.computed || attribute.steering && attribute.name != "dynamic" {
                continue;
            }
            match self.attribute(attribute, fields.get(&attribute.name), path) {
                Said::As(value) => parts.push(Part::Attribute(attribute.name.clone(), value)),
                Said::ByDefault => {}
                Said::Not if attribute.required && self.strict => {
                    return Err(attribute.name.clone());
                }
                Said::Not => {}
            }
        }
        for (name, value) in fields.iter().filter(|(_, value)| **value != Value::None) {
            let attribute = attributes.iter().any(|own| own.name == *name);
            match (blocks.iter().find(|own| own.name == *name), value) {
                _ if attribute => {}
                (Some(_), Value::Map(_)) => {}
                _ => self.keep(&path.field(name.clone()), value),
            }
        }
        for block in blocks.iter().filter(|block| !block.steering) {
            if let Some(Value::Map(inner)) = fields.get(&block.name)
                && !(block.is_its_attributes() && self.is_usual(block, inner))
            {
                self.block(block, inner, path, &mut parts);
            }
        }
        Ok(parts)
    }

    fn attribute(&mut self, attribute: &Attribute, value: Option<&Value>, path: &AttrPath) -> Said {
        let own = path.field(attribute.name.clone());
        match value {
            None => Said::Not,
            // The text cannot say that it is not set, only leave it out; then the default holds.
            Some(Value::None) => {
                if attribute.default.is_some() {
                    self.ignored.push(own.clone());
                    self.kept.push(format!("{own} is not set"));
                }
                Said::Not
            }
            Some(value) => match self.follow(&attribute.ty, value) {
                Some(value) if attribute.default.as_ref() == Some(&value) => Said::ByDefault,
                Some(value) if attribute.ty.admits(&value) => Said::As(value),
                _ => {
                    if attribute.default.is_some() || attribute.assigned {
                        self.ignored.push(own.clone());
                    }
                    self.keep(&own, value);
                    Said::Not
                }
            },
        }
    }

    fn block(&mut self, block: &Block, inner: &Fields, path: &AttrPath, parts: &mut Vec<Part>) {
        let path = path.field(block.name.clone());
        if !block.labelled {
            self.one(block, None, inner, &path, parts);
            return;
        }
        for (label, value) in inner.iter() {
            let path = path.field(label.clone());
            match value {
                Value::Map(fields) if Name::is_word(label) => {
                    self.one(block, Some(label), fields, &path, parts);
                }
                value => self.keep(&path, value),
            }
        }
    }

    /// Whether a block says nothing that would not hold without it.
    fn is_usual(&self, block: &Block, inner: &Fields) -> bool {
        inner.iter().all(|(name, value)| {
            let own = block.attributes.iter().find(|own| own.name == *name);
            *value == Value::None || own.is_some_and(|own| own.default.as_ref() == Some(value))
        })
    }

    /// One occurrence of a block. It is left out, and stays as it is, when it cannot be said.
    fn one(
        &mut self,
        block: &Block,
        label: Option<&Name>,
        fields: &Fields,
        path: &AttrPath,
        parts: &mut Vec<Part>,
    ) {
        let (kept, ignored) = (self.kept.len(), self.ignored.len());
        match self.level(&block.attributes, &block.blocks, fields, path) {
            Ok(body) => parts.push(Part::Block {
                form: BlockForm::Own,
                kind: block.name.clone(),
                name: label.cloned(),
                body,
            }),
            Err(_) => {
                self.kept.truncate(kept);
                self.ignored.truncate(ignored);
                self.keep(path, &Value::map(fields.clone()));
            }
        }
    }

    pub(super) fn keep(&mut self, path: &AttrPath, value: &Value) {
        self.kept.push(format!("{path} = {value}"));
    }

    /// A value with addresses where names were; `None` when a name means nothing.
    fn follow(&self, ty: &Type, value: &Value) -> Option<Value> {
        match (ty, value) {
            (Type::Ref(kinds), Value::Text(name)) => {
                self.meanings.of(kinds, name).cloned().map(Value::Ref)
            }
            (Type::Either(types), value) if types.iter().any(|ty| ty.admits(value)) => {
                Some(value.clone())
            }
            (Type::Either(types), value) => types.iter().find_map(|ty| self.follow(ty, value)),
            (Type::Optional(of), value) => self.follow(of, value),
            (Type::List(of), Value::List(items)) => items
                .iter()
                .map(|item| self.follow(of, item))
                .collect::<Option<_>>()
                .map(Value::list),
            _ => Some(value.clone()),
        }
    }
}

/// What became of an attribute.
enum Said {
    As(Value),
    ByDefault,
    Not,
}

/// Whether the site has no other host.
fn only_host(wish: &Wish<'_>) -> bool {
    let site = wish.host.host.parent();
    let hosts = wish.desired.resources.keys().filter(|own| own.kind() == "host");
    hosts.filter(|own| own.parent() == site).count() <= 1
}
