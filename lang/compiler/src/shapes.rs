//! What each kind and each nested block may hold, as one flat table made from the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcloud_model::kinds::ATTACHMENT;
use tcloud_model::{Attribute, Block, Catalog, Name, Role, Schema};

/// Index into [`Shapes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShapeId(u16);

/// A kind, or a block that occurs only inside one.
#[derive(Debug)]
pub(crate) struct ShapeInfo {
    /// The word that begins it.
    pub(crate) word: Name,
    /// Its attributes.
    pub(crate) attributes: Vec<Attribute>,
    /// What each of them is, by its position.
    purposes: Vec<Purpose>,
    /// Its nested blocks.
    pub(crate) blocks: Vec<(Name, ShapeId)>,
    /// Whether its blocks have names.
    pub(crate) named: bool,
    /// The schema, if it is a kind.
    pub(crate) schema: Option<Arc<Schema>>,
}

/// What an attribute is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It says how tcloud treats the object, and is no field of it.
    Lifecycle,
    /// It says how a disk is attached; see [`ATTACHMENT`].
    Attachment,
    /// Anything else.
    Plain,
}

/// All shapes of a catalog.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    all: Vec<ShapeInfo>,
    kinds: BTreeMap<Name, ShapeId>,
    /// Words that the evaluator looks for.
    pub(crate) words: Words,
}

/// Words that are compared or inserted often.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) volume: Name,
    pub(crate) address: Name,
    pub(crate) mac: Name,
    pub(crate) host: Name,
    pub(crate) pool: Name,
    pub(crate) vcpus: Name,
    pub(crate) memory: Name,
    pub(crate) image: Name,
}

impl Default for Words {
    fn default() -> Words {
        Words {
            volume: Name::new("volume"),
            address: Name::new("address"),
            mac: Name::new("mac"),
            host: Name::new("host"),
            pool: Name::new("pool"),
            vcpus: Name::new("vcpus"),
            memory: Name::new("memory"),
            image: Name::new("image"),
        }
    }
}

/// Attributes that every managed kind has and that say how tcloud treats the object.
pub(crate) const LIFECYCLE: [&str; 5] =
    ["after", "protect", "create_first", "ignore", "replace_when"];

impl Shapes {
    pub(crate) fn new(catalog: &Catalog) -> Shapes {
        let mut shapes = Shapes::default();
        for schema in catalog.iter() {
            let id = shapes.push(ShapeInfo::new(
                &schema.kind,
                &schema.attributes,
                true,
                Some(schema.clone()),
            ));
            shapes.kinds.insert(schema.kind.clone(), id);
        }
        for schema in catalog.iter() {
            if let Some(id) = shapes.kind(&schema.kind) {
                shapes.nest(id, &schema.blocks);
            }
        }
        shapes
    }

    fn push(&mut self, info: ShapeInfo) -> ShapeId {
        let id = ShapeId(u16::try_from(self.all.len()).unwrap_or(u16::MAX));
        self.all.push(info);
        id
    }

    /// Adds nested blocks. A nested block that is a kind of its own (`disk`, `nic`) has the kind's
    /// attributes.
    fn nest(&mut self, parent: ShapeId, blocks: &[Block]) {
        for block in blocks {
            let id = match self.kind(&block.name) {
                Some(kind) if block.labelled => kind,
                _ => {
                    let id = self.push(ShapeInfo::new(
                        &block.name,
                        &block.attributes,
                        block.labelled,
                        None,
                    ));
                    self.nest(id, &block.blocks);
                    id
                }
            };
            self.all[usize::from(parent.0)].blocks.push((block.name.clone(), id));
        }
    }

    pub(crate) fn get(&self, id: ShapeId) -> &ShapeInfo {
        &self.all[usize::from(id.0)]
    }

    pub(crate) fn kind(&self, word: &str) -> Option<ShapeId> {
        self.kinds.get(word).copied()
    }

    /// All kinds, sorted by word.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&Name, ShapeId)> {
        self.kinds.iter().map(|(word, id)| (word, *id))
    }
}

impl ShapeInfo {
    /// Without its blocks. What tcloud works out is no attribute that the text may set.
    fn new(word: &Name, all: &[Attribute], named: bool, schema: Option<Arc<Schema>>) -> ShapeInfo {
        let attributes: Vec<Attribute> =
            all.iter().filter(|attribute| !attribute.computed).cloned().collect();
        let purposes = attributes.iter().map(|own| match own.name.as_str() {
            name if schema.is_some() && LIFECYCLE.contains(&name) => Purpose::Lifecycle,
            name if ATTACHMENT.contains(&name) => Purpose::Attachment,
            _ => Purpose::Plain,
        });
        let purposes = purposes.collect();
        ShapeInfo { word: word.clone(), attributes, purposes, blocks: Vec::new(), named, schema }
    }

    /// The attributes with what each of them is for.
    pub(crate) fn purposes(&self) -> impl Iterator<Item = (&Attribute, Purpose)> {
        self.attributes.iter().zip(self.purposes.iter().copied())
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    pub(crate) fn block(&self, name: &str) -> Option<ShapeId> {
        self.blocks.iter().find(|(own, _)| own == name).map(|(_, id)| *id)
    }

    pub(crate) fn is_kind(&self, kind: &str) -> bool {
        self.schema.is_some() && self.word == kind
    }

    /// Whether other resources stand in it.
    pub(crate) fn is_scope(&self) -> bool {
        self.schema.as_ref().is_some_and(|schema| schema.role == Role::Scope)
    }

    /// Whether a kind may stand directly inside this one.
    pub(crate) fn takes(&self, kind: &ShapeInfo) -> bool {
        self.schema.is_some()
            && kind.schema.as_ref().is_some_and(|schema| schema.within.contains(&self.word))
    }
}
