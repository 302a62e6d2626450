//! The kinds that a run knows.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{Name, Schema};

/// Every kind that a run knows: the core kinds and those of its providers.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    kinds: IndexMap<Name, Arc<Schema>>,
}

impl Catalog {
    /// The core kinds.
    pub fn core() -> Catalog {
        let kinds = crate::kinds::core();
        Catalog { kinds: kinds.into_iter().map(|s| (s.kind.clone(), Arc::new(s))).collect() }
    }

    /// Adds or replaces a kind.
    pub fn add(&mut self, schema: Schema) {
        self.kinds.insert(schema.kind.clone(), Arc::new(schema));
    }

    /// A kind by its word.
    pub fn get(&self, kind: &str) -> Option<&Arc<Schema>> {
        self.kinds.get(kind)
    }

    /// All kinds, in the order of the reference.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Schema>> {
        self.kinds.values()
    }
}
