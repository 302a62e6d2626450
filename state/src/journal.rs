//! One line of the journal. Entries are only ever appended; what is remembered of a deployment is
//! what follows from them (see [`crate::fold`]).

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tcloud_model::{Address, Digest, Fields, Identity, Name, ObjectId, Operation};
use tcloud_model::{Record, Stamp};
use uuid::Uuid;

use crate::Holder;

/// The version of the JSON form; a reader refuses what is newer.
pub const VERSION: u32 = 1;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The run that wrote it.
    pub run: Uuid,
    /// When, by the clock of the machine that wrote it. For people: nothing is decided by it.
    pub time: Timestamp,
    /// What happened.
    pub body: Body,
}

/// What happened. A closed set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A run begins to write in this scope.
    Begin(Begin),
    /// The run before this one ended without giving its lease back.
    Takeover(Takeover),
    /// A provider is about to be asked for something.
    Intent(Intent),
    /// What became of an intent.
    Outcome(Outcome),
    /// What is remembered changed without asking a provider for anything.
    Records {
        /// Why.
        why: Why,
        /// The changes.
        changes: Vec<RecordChange>,
    },
    /// The run ends in this scope.
    End(End),
}

/// Who began what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The command: `apply`, `destroy`, `state rebuild`.
    pub command: String,
    /// Who, as `user@machine`.
    pub who: String,
    /// The revision of the configuration in version control, if it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The digest of the plan that is applied, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The version of tcloud.
    pub version: String,
}

/// From whom a scope was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// Who held it.
    pub from: Holder,
    /// The generation of the new lease.
    pub generation: u64,
}

/// What a provider is about to be asked for. Durable before it is asked, with the identity of the
/// object, so that whatever comes of it can be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The step of the run's plan.
    pub step: u32,
    /// What is asked.
    pub operation: Operation,
    /// What will be remembered when it is done.
    pub records: Vec<RecordChange>,
}

/// Names an intent: the run that wrote it and the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IntentId {
    /// The run.
    pub run: Uuid,
    /// The step of its plan.
    pub step: u32,
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which intent; a recovery settles those of another run.
    pub intent: IntentId,
    /// How it ended.
    pub result: StepResult,
    /// What is remembered from now on.
    pub remembered: Remembered,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// As planned.
    Done,
    /// It failed.
    Failed {
        /// Why, in words.
        message: String,
    },
    /// Nobody knows: the intent stays open until a recovery has looked.
    Unknown {
        /// Why, in words.
        message: String,
    },
}

/// What is remembered after a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remembered {
    /// What the intent announced.
    Planned,
    /// This instead; nothing changes when it is empty.
    Instead(Vec<RecordChange>),
}

/// Why records changed without a provider being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A step of a plan that only corrects the record.
    Step,
    /// `refresh`: what is observed is taken for applied.
    Refresh,
    /// `state forget`.
    Forget,
    /// `state rebuild`.
    Rebuild,
}

/// A record that is written or removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordChange {
    /// Whose.
    pub object: ObjectId,
    /// The new record; `None` when it is removed.
    pub record: Option<Arc<Record>>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How.
    pub status: EndStatus,
    /// Steps that were done, in the whole run.
    pub done: u64,
    /// Steps that failed.
    pub failed: u64,
    /// Steps that were not begun.
    pub skipped: u64,
    /// Steps of which nobody knows.
    pub unknown: u64,
}

/// How a run ended. A run without an end was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndStatus {
    /// Everything was done.
    Succeeded,
    /// Something failed.
    Failed,
    /// Somebody stopped it.
    Interrupted,
}

impl Body {
    /// The word for it, as stored beside it.
    pub fn word(&self) -> &'static str {
        match self {
            Body::Begin(_) => "begin",
            Body::Takeover(_) => "takeover",
            Body::Intent(_) => "intent",
            Body::Outcome(_) => "outcome",
            Body::Records { .. } => "records",
            Body::End(_) => "end",
        }
    }

    /// Whether it tells of a whole run, and not of one step.
    pub fn is_summary(&self) -> bool {
        matches!(self, Body::Begin(_) | Body::Takeover(_) | Body::Records { .. } | Body::End(_))
    }

    /// Whether it names an object at this address or inside it.
    pub fn is_about(&self, address: &Address) -> bool {
        let asked = match self {
            Body::Intent(intent) => intent.operation.object.address.is_within(address),
            _ => false,
        };
        asked || self.changes().iter().any(|change| change.object.address.is_within(address))
    }

    /// The record changes that stand in it.
    pub fn changes(&self) -> &[RecordChange] {
        match self {
            Body::Intent(intent) => &intent.records,
            Body::Outcome(Outcome { remembered: Remembered::Instead(changes), .. })
            | Body::Records { changes, .. } => changes,
            Body::Outcome(_) | Body::Begin(_) | Body::Takeover(_) | Body::End(_) => &[],
        }
    }
}

impl Entry {
    /// The JSON form, in one line; the same entry gives the same bytes.
    pub fn to_json(&self) -> String {
        let Entry { run, time, body } = self;
        let wire = WireRef { v: VERSION, run: *run, time: *time, entry: body };
        let json = serde_json::to_string(&wire);
        assert!(json.is_ok(), "BUG: an entry has a JSON form");
        json.unwrap_or_default()
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// When it is damaged, or of a newer version.
    pub fn from_json(json: &str) -> Result<Entry, serde_json::Error> {
        let Wire { v, run, time, entry } = serde_json::from_str(json)?;
        if v > VERSION {
            let message = format!("written by a newer tcloud (journal version {v})");
            return Err(serde::de::Error::custom(message));
        }
        Ok(Entry { run, time, body: entry })
    }
}

#[derive(Serialize)]
struct WireRef<'a> {
    v: u32,
    run: Uuid,
    time: Timestamp,
    entry: &'a Body,
}

#[derive(Deserialize)]
struct Wire {
    v: u32,
    run: Uuid,
    time: Timestamp,
    entry: Body,
}

/// An intent's JSON form leaves out the attributes that its operation holds already: they are most
/// of its bytes, and every step of every run writes one.
#[derive(Serialize, Deserialize)]
struct WireIntent {
    step: u32,
    operation: Operation,
    records: Vec<(ObjectId, Option<WireRecord>)>,
}

#[derive(Serialize, Deserialize)]
struct WireRecord {
    kind: Name,
    identity: Identity,
    /// `None` for those of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Arc<Fields>>,
    stamp: Stamp,
}

impl Serialize for Intent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Intent { step, operation, records } = self;
        let known = operation.action.attributes();
        let shorten = |record: &Arc<Record>| {
            let Record { kind, identity, attributes, stamp } = (**record).clone();
            let same = known.is_some_and(|k| Arc::ptr_eq(k, &attributes) || **k == *attributes);
            WireRecord { kind, identity, attributes: (!same).then_some(attributes), stamp }
        };
        let records = records
            .iter()
            .map(|RecordChange { object, record }| (object.clone(), record.as_ref().map(shorten)))
            .collect();
        WireIntent { step: *step, operation: operation.clone(), records }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Intent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Intent, D::Error> {
        let WireIntent { step, operation, records } = WireIntent::deserialize(deserializer)?;
        let lengthen = |record: WireRecord| {
            let WireRecord { kind, identity, attributes, stamp } = record;
            let attributes = match (attributes, operation.action.attributes()) {
                (Some(attributes), _) => attributes,
                (None, Some(attributes)) => Arc::clone(attributes),
                (None, None) => return Err(serde::de::Error::missing_field("attributes")),
            };
            Ok(Arc::new(Record { kind, identity, attributes, stamp }))
        };
        let records = records
            .into_iter()
            .map(|(object, record)| {
                Ok(RecordChange { object, record: record.map(lengthen).transpose()? })
            })
            .collect::<Result<_, D::Error>>()?;
        Ok(Intent { step, operation, records })
    }
}
