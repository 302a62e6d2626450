//! How the state follows from the journal. One rule, for stores that keep the state in tables and
//! for whoever replays a journal in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use jiff::Timestamp;
use tcloud_model::{ObjectId, Record, State};

use crate::{Body, Entry, Intent, IntentId, Outcome, RecordChange, Remembered, StepResult};

/// An intent without a final outcome: its object may or may not have changed.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIntent {
    /// Which.
    pub id: IntentId,
    /// When it was written.
    pub time: Timestamp,
    /// What a provider was to be asked for.
    pub intent: Intent,
}

impl OpenIntent {
    /// Reads the entry that wrote it.
    ///
    /// # Errors
    /// When it is damaged, or another entry.
    pub(crate) fn from_json(json: &str) -> Result<OpenIntent, String> {
        let Entry { run, time, body } =
            Entry::from_json(json).map_err(|error| error.to_string())?;
        match body {
            Body::Intent(intent) => {
                let id = IntentId { run, step: intent.step };
                Ok(OpenIntent { id, time, intent })
            }
            other => Err(format!("an open intent is stored as {}", other.word())),
        }
    }
}

/// What the fold writes to. A store's tables, or [`Folded`].
pub trait Projection {
    /// What can go wrong.
    type Error;

    /// Remembers an open intent.
    fn open(&mut self, entry: &Entry, intent: &Intent) -> Result<(), Self::Error>;

    /// Takes an open intent away and returns what it announced; `None` when there is no such
    /// intent. `announced` says whether the caller needs it: reading it may cost something.
    fn close(
        &mut self,
        id: IntentId,
        announced: bool,
    ) -> Result<Option<Vec<RecordChange>>, Self::Error>;

    /// Writes or removes a record.
    fn change(
        &mut self,
        object: &ObjectId,
        record: Option<&Arc<Record>>,
    ) -> Result<(), Self::Error>;
}

/// Why an entry cannot follow the ones before it.
#[derive(Debug, thiserror::Error)]
pub enum FoldError<E> {
    /// An outcome of something that was never intended, or is settled already.
    #[error("the journal holds an outcome of step {} without an open intent", .0.step)]
    NoIntent(IntentId),
    /// The projection failed.
    #[error(transparent)]
    Projection(#[from] E),
}

/// Adds one entry.
///
/// # Errors
/// When the entry cannot follow the ones before it, or the projection fails.
pub fn add<P: Projection>(to: &mut P, entry: &Entry) -> Result<(), FoldError<P::Error>> {
    match &entry.body {
        Body::Intent(intent) => to.open(entry, intent)?,
        Body::Outcome(Outcome { intent, result: StepResult::Unknown { .. }, remembered: _ }) => {
            // It stays open; a recovery looks at the object.
            let _ = intent;
        }
        Body::Outcome(Outcome {
            intent,
            result: StepResult::Done | StepResult::Failed { .. },
            remembered,
        }) => {
            let planned = matches!(remembered, Remembered::Planned);
            let announced = to.close(*intent, planned)?.ok_or(FoldError::NoIntent(*intent))?;
            match remembered {
                Remembered::Planned => change_all(to, &announced)?,
                Remembered::Instead(changes) => change_all(to, changes)?,
            }
        }
        Body::Records { why: _, changes } => change_all(to, changes)?,
        Body::Begin(_) | Body::Takeover(_) | Body::End(_) => {}
    }
    Ok(())
}

fn change_all<P: Projection>(to: &mut P, changes: &[RecordChange]) -> Result<(), P::Error> {
    // Removals first: within one step an object may leave an address that another one takes.
    for RecordChange { object, record } in changes.iter().filter(|c| c.record.is_none()) {
        to.change(object, record.as_ref())?;
    }
    for RecordChange { object, record } in changes.iter().filter(|c| c.record.is_some()) {
        to.change(object, record.as_ref())?;
    }
    Ok(())
}

/// The state and the open intents that follow from a journal, in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// Every record.
    pub state: State,
    /// Every open intent.
    pub intents: BTreeMap<IntentId, OpenIntent>,
}

impl Folded {
    /// Adds one entry.
    ///
    /// # Errors
    /// When it cannot follow the ones before it.
    pub fn add(&mut self, entry: &Entry) -> Result<(), FoldError<Infallible>> {
        add(self, entry)
    }
}

impl Projection for Folded {
    type Error = Infallible;

    fn open(&mut self, entry: &Entry, intent: &Intent) -> Result<(), Infallible> {
        let id = IntentId { run: entry.run, step: intent.step };
        let open = OpenIntent { id, time: entry.time, intent: intent.clone() };
        self.intents.insert(id, open);
        Ok(())
    }

    fn close(&mut self, id: IntentId, _: bool) -> Result<Option<Vec<RecordChange>>, Infallible> {
        Ok(self.intents.remove(&id).map(|open| open.intent.records))
    }

    fn change(
        &mut self,
        object: &ObjectId,
        record: Option<&Arc<Record>>,
    ) -> Result<(), Infallible> {
        match record {
            Some(record) => {
                self.state.records.insert(object.clone(), Record::clone(record));
            }
            None => {
                self.state.records.remove(object);
            }
        }
        Ok(())
    }
}
