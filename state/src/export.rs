//! Everything that a store holds, as one JSON document: for backups and for other programs.

use serde::Serialize;
use tcloud_model::{ObjectId, Record};

use crate::{Head, Loaded, OpenIntent, Scope};

/// The version of the document.
pub const VERSION: u32 = 1;

/// What is remembered, in a form that other programs can read.
#[derive(Debug, Serialize)]
pub struct Export<'a> {
    version: u32,
    scopes: Vec<ScopeExport<'a>>,
    records: Vec<RecordExport<'a>>,
    open_intents: Vec<IntentExport<'a>>,
}

#[derive(Debug, Serialize)]
struct ScopeExport<'a> {
    scope: &'a Scope,
    #[serde(flatten)]
    head: &'a Head,
}

#[derive(Debug, Serialize)]
struct RecordExport<'a> {
    #[serde(flatten)]
    object: &'a ObjectId,
    #[serde(flatten)]
    record: &'a Record,
}

#[derive(Debug, Serialize)]
struct IntentExport<'a> {
    scope: &'a Scope,
    run: uuid::Uuid,
    time: jiff::Timestamp,
    #[serde(flatten)]
    intent: &'a crate::Intent,
}

impl<'a> Export<'a> {
    /// The document for what was loaded.
    pub fn new(loaded: &'a Loaded) -> Export<'a> {
        let Loaded { state, intents, heads, generations: _, key: _ } = loaded;
        let intent = |(scope, open): &'a (Scope, OpenIntent)| {
            let OpenIntent { id, time, intent } = open;
            IntentExport { scope, run: id.run, time: *time, intent }
        };
        Export {
            version: VERSION,
            scopes: heads.iter().map(|(scope, head)| ScopeExport { scope, head }).collect(),
            records: state
                .records
                .iter()
                .map(|(object, record)| RecordExport { object, record })
                .collect(),
            open_intents: intents.iter().map(intent).collect(),
        }
    }
}
