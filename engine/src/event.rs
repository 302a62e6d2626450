//! What a run tells while it goes on, and its account in the end. One closed set, for progress bars
//! and for `--json` alike.

use std::time::Duration;

use serde::{Serialize, Serializer};
use tcloud_model::{Moment, ObjectId};
use tcloud_state::{Holder, Scope};
use uuid::Uuid;

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// Something that happened. What is told has happened durably.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum ApplyEvent {
    /// Another run holds a scope that is needed; told again while that lasts.
    LeaseWait {
        /// The scope.
        scope: Scope,
        /// Who holds it.
        holder: Holder,
        /// How long its lease lasts unless it is renewed.
        #[serde(rename = "remaining_ms", serialize_with = "millis")]
        remaining: Duration,
    },
    /// What became of something that an earlier run left open.
    Recovered {
        /// The object.
        #[serde(flatten)]
        object: ObjectId,
        /// What the earlier run was doing.
        action: &'static str,
        /// What was found.
        finding: Finding,
    },
    /// The steps begin.
    Started {
        /// The run.
        run: Uuid,
        /// How many steps there are.
        steps: usize,
    },
    /// A step begins: its intent is durable.
    StepStarted {
        /// The step's number in the plan.
        step: u32,
        /// Its object.
        #[serde(flatten)]
        object: ObjectId,
        /// What is done.
        action: &'static str,
    },
    /// A step failed in a way that may pass, and will be tried again.
    StepRetry {
        /// The step's number in the plan.
        step: u32,
        /// Its object.
        #[serde(flatten)]
        object: ObjectId,
        /// The number of the next attempt, from 2.
        attempt: u32,
        /// The pause before it.
        #[serde(rename = "pause_ms", serialize_with = "millis")]
        pause: Duration,
        /// What went wrong.
        message: String,
    },
    /// A step is done.
    StepFinished {
        /// The step's number in the plan.
        step: u32,
        /// Its object.
        #[serde(flatten)]
        object: ObjectId,
        /// What was done.
        action: &'static str,
        /// How long it took.
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
    },
    /// A step failed, or nobody knows what became of it.
    StepFailed {
        /// The step's number in the plan.
        step: u32,
        /// Whether nobody knows; the next run looks.
        unknown: bool,
        /// What, and why.
        #[serde(flatten)]
        trouble: Trouble,
    },
    /// A step was not begun.
    StepSkipped {
        /// The step's number in the plan.
        step: u32,
        /// Its object.
        #[serde(flatten)]
        object: ObjectId,
        /// What would have been done.
        action: &'static str,
        /// Why not.
        because: SkipReason,
    },
    /// Somebody asked the run to stop.
    Interrupted {
        /// Whether running steps are given up as well.
        at_once: bool,
    },
    /// The run is over, or was cut off.
    Finished {
        /// What became of its steps.
        account: Account,
    },
}

/// What was found of something that an earlier run left open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It was done.
    Done,
    /// It was not done, or half; what there is, is remembered.
    NotDone(String),
    /// The host could not be asked; the next run tries again.
    Unsettled(String),
}

/// Why a step was not begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// It needs this object, whose step failed or is unknown.
    Needs(ObjectId),
    /// The run was stopped before.
    Stopped,
    /// The window of its guest has closed.
    Closed(Moment),
}

/// A step that was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Its object.
    #[serde(flatten)]
    pub object: ObjectId,
    /// What was to be done.
    pub action: &'static str,
    /// Why it was not.
    pub reason: String,
}

/// What became of the steps of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// How many are done.
    pub done: usize,
    /// Those that failed.
    pub failed: Vec<Trouble>,
    /// Those that were not begun.
    pub skipped: Vec<Trouble>,
    /// Those of which nobody knows; the next run looks.
    pub unknown: Vec<Trouble>,
    /// Whether somebody stopped the run.
    pub interrupted: bool,
}

impl Account {
    /// Adds what a step became.
    pub(crate) fn add(&mut self, event: &ApplyEvent) {
        match event {
            ApplyEvent::StepFinished { .. } => self.done += 1,
            ApplyEvent::StepFailed { unknown: true, trouble, .. } => {
                self.unknown.push(trouble.clone());
            }
            ApplyEvent::StepFailed { unknown: false, trouble, .. } => {
                self.failed.push(trouble.clone());
            }
            ApplyEvent::StepSkipped { object, action, because, step: _ } => {
                let (object, reason) = (object.clone(), because.to_string());
                self.skipped.push(Trouble { object, action, reason });
            }
            ApplyEvent::LeaseWait { .. }
            | ApplyEvent::Recovered { .. }
            | ApplyEvent::Started { .. }
            | ApplyEvent::StepStarted { .. }
            | ApplyEvent::StepRetry { .. }
            | ApplyEvent::Interrupted { .. }
            | ApplyEvent::Finished { .. } => {}
        }
    }

    /// Whether everything was done.
    pub fn is_success(&self) -> bool {
        let Account { done: _, failed, skipped, unknown, interrupted } = self;
        failed.is_empty() && skipped.is_empty() && unknown.is_empty() && !interrupted
    }
}

impl ApplyEvent {
    /// The JSON form, in one line.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Wire<'a> {
            v: u32,
            #[serde(flatten)]
            event: &'a ApplyEvent,
        }
        let json = serde_json::to_string(&Wire { v: VERSION, event: self });
        assert!(json.is_ok(), "BUG: an event has a JSON form");
        json.unwrap_or_default()
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SkipReason::Needs(object) => write!(f, "needs {object}"),
            SkipReason::Stopped => f.write_str("the run was stopped before"),
            SkipReason::Closed(at) => write!(f, "its window closed at {at}; plan again"),
        }
    }
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
