//! Carries out one step whose intent is durable: secrets, the call, retries, the answer. Runs as a
//! task of its own; everything that it finds goes back to [`crate::apply`], which writes it down.

use std::pin::pin;
use std::sync::Arc;

use tcloud_model::{Moment, ObservedObject, Operation, OperationKind};
use tcloud_planner::plan::StepId;
use tcloud_provider::{ProviderError, Retry};
use tcloud_state::RecordChange;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::contract::{self, About};
use crate::event::{ApplyEvent, SkipReason};
use crate::hold::Gate;
use crate::reveal::Revealed;
use crate::run::{Control, Parts, Stop};
use crate::settle::{self, Settled, as_found, settle};

/// What became of a step.
#[derive(Debug)]
pub(crate) enum StepEnd {
    /// As planned.
    Done,
    /// It failed; what is to be remembered instead.
    Failed { message: String, records: Vec<RecordChange> },
    /// Nobody knows. Its intent stays open.
    Unknown { message: String },
}

/// One step, with everything that it needs.
pub(crate) struct Task {
    pub(crate) parts: Arc<Parts>,
    pub(crate) run: Uuid,
    pub(crate) id: StepId,
    pub(crate) operation: Operation,
    pub(crate) planned: Vec<RecordChange>,
    /// Whether it deletes what was empty, so that nobody had to agree to the loss of data.
    pub(crate) only_empty: bool,
    /// When the window closes in which it may stop its guest.
    pub(crate) until: Option<Moment>,
    pub(crate) revealed: Arc<Revealed>,
    pub(crate) control: Control,
    pub(crate) gate: Gate,
    /// Told when the run is stopped, so that nobody goes on waiting to try again.
    pub(crate) stopping: Arc<Notify>,
}

/// What to do after an attempt.
enum Attempt {
    End(StepEnd),
    /// Try again after a pause; what to say when it is not tried again.
    Again(String),
    /// The object, or its stamp, is gone as planned, and not all was well: something may be left. Asked
    /// again, a provider finishes that, or says that there is nothing. The step is done whatever it says.
    Gone(String),
}

impl Task {
    pub(crate) async fn run(mut self) -> StepEnd {
        let revealed = self.revealed.put_into(&self.operation);
        let secrets = Arc::clone(&self.parts.secrets);
        let mut attempt = 1;
        let mut is_gone = false;
        let end = loop {
            let message = match self.attempt(&revealed).await {
                Attempt::End(_) if is_gone => break StepEnd::Done,
                Attempt::End(end) => break end,
                Attempt::Again(message) => message,
                Attempt::Gone(message) => {
                    is_gone = true;
                    message
                }
            };
            let message = secrets.scrub(&message);
            attempt += 1;
            let mut is_last = attempt > self.parts.limits.attempts;
            if !is_last && self.control.stopped() == Stop::No {
                self.pause(attempt, &message).await;
            }
            is_last |= self.control.stopped() > Stop::No;
            match is_last {
                true if is_gone => break StepEnd::Done,
                true => break self.refused(message).await,
                false => {}
            }
        };
        match end {
            StepEnd::Done => StepEnd::Done,
            StepEnd::Failed { message, records } => {
                StepEnd::Failed { message: secrets.scrub(&message), records }
            }
            StepEnd::Unknown { message } => StepEnd::Unknown { message: secrets.scrub(&message) },
        }
    }

    /// What speaks against deleting an object whose data nobody agreed to lose: hours may lie between
    /// the look at the beginning of a run and this attempt, and between two attempts.
    async fn filled(&self) -> Option<Attempt> {
        match settle::look(&self.parts.hosts, self.parts.limits.look, &self.operation).await {
            Ok(Some(object)) if object.written != Some(0) && !object.is_unfinished() => {
                let message = "it was empty when the plan was made, and holds data now; plan again";
                Some(Attempt::End(failed(message.to_owned())))
            }
            Ok(_) => None,
            Err(error) => Some(match error.retry {
                Retry::Never | Retry::Unready => Attempt::End(failed(error.message)),
                Retry::Later | Retry::Unknown => Attempt::Again(error.message),
            }),
        }
    }

    async fn attempt(&self, revealed: &Operation) -> Attempt {
        let provider = match self.parts.hosts.reach(&revealed.object.host).await {
            Ok(provider) => provider,
            Err(error) => {
                return match error.retry {
                    Retry::Never | Retry::Unready => Attempt::End(failed(error.message)),
                    Retry::Later | Retry::Unknown => Attempt::Again(error.message),
                };
            }
        };
        if self.only_empty
            && let Some(end) = self.filled().await
        {
            return end;
        }
        // Asked last: reaching the host and looking took their time.
        if !self.gate.is_open() {
            let message = "the lease ran out before the provider was asked".to_owned();
            return Attempt::End(StepEnd::Unknown { message });
        }
        if let Some(until) = self.until.as_ref().filter(|own| own.time() <= self.parts.clock.now())
        {
            // Reaching the host, or an attempt that failed, took until now.
            return Attempt::End(self.refused(SkipReason::Closed(until.clone()).to_string()).await);
        }
        let limit = self.parts.limits.patience(&self.operation);
        match tokio::time::timeout(limit, provider.apply(revealed)).await {
            Ok(Ok(answer)) => Attempt::End(self.judge(answer.as_ref()).await),
            Ok(Err(error)) => self.after_error(error).await,
            Err(_) => {
                // The call may still be at work: it is not repeated, and only success is final.
                let message = format!("no answer within {} s", limit.as_secs());
                match self.look().await {
                    Ok(Settled::Done) => Attempt::End(StepEnd::Done),
                    _ => Attempt::End(StepEnd::Unknown { message }),
                }
            }
        }
    }

    async fn judge(&self, answer: Option<&ObservedObject>) -> StepEnd {
        let mismatch = match contract::check(&self.operation, answer) {
            // What was only to be let go of is still there, so that no object is no answer. After a
            // deletion it is the one there is, and the next plan looks.
            Ok(()) if answer.is_none() && self.operation.action == OperationKind::Unstamp => {
                return self.look_after("the provider answered with no object".to_owned()).await;
            }
            Ok(()) => return StepEnd::Done,
            Err(mismatch) => mismatch,
        };
        let message =
            format!("the provider answered something else than planned: {}", mismatch.message);
        match (mismatch.about, answer) {
            (About::Object, Some(object)) if writes(&self.operation) => {
                StepEnd::Failed { message, records: vec![as_found(&self.operation, object)] }
            }
            _ => self.look_after(message).await,
        }
    }

    async fn after_error(&self, error: ProviderError) -> Attempt {
        let ProviderError { message, retry, object: _, lacks: _ } = error;
        match retry {
            Retry::Later => Attempt::Again(message),
            Retry::Never | Retry::Unready => match self.refused(message.clone()).await {
                StepEnd::Done => Attempt::Gone(message),
                end => Attempt::End(end),
            },
            Retry::Unknown => match self.look().await {
                Ok(Settled::Done) if removes(&self.operation) => Attempt::Gone(message),
                Ok(Settled::Done) => Attempt::End(StepEnd::Done),
                Ok(Settled::NotDone { .. }) => Attempt::Again(message),
                Err(_) => Attempt::End(StepEnd::Unknown { message }),
            },
        }
    }

    /// The end of a step that the provider calls failed. Providers are not trusted, so that the
    /// object has the last word about what is remembered; but what is written down need not be in
    /// force – a network that could not start, a guest that did not stop – and is told.
    async fn refused(&self, message: String) -> StepEnd {
        match self.look_after(message.clone()).await {
            StepEnd::Done if !removes(&self.operation) => {
                StepEnd::Failed { message, records: self.planned.clone() }
            }
            end => end,
        }
    }

    /// The end of a step whose answer says nothing: the object has the last word.
    async fn look_after(&self, message: String) -> StepEnd {
        match self.look().await {
            Ok(Settled::Done) => StepEnd::Done,
            Ok(Settled::NotDone { found: _, records }) => StepEnd::Failed { message, records },
            Err(error) => {
                let message = format!("{message}; and the object cannot be looked at: {error}");
                StepEnd::Unknown { message }
            }
        }
    }

    async fn look(&self) -> Result<Settled, ProviderError> {
        settle(&self.parts.hosts, self.parts.limits.look, &self.operation, &self.planned).await
    }

    async fn pause(&mut self, attempt: u32, message: &str) {
        let pause = self.parts.limits.pause_before(attempt, self.run, self.id.0);
        let (step, object) = (self.id.0, self.operation.object.clone());
        let message = message.to_owned();
        self.control.tell(ApplyEvent::StepRetry { step, object, attempt, pause, message }).await;
        let mut stopped = pin!(self.stopping.notified());
        stopped.as_mut().enable();
        if self.control.stopped() > Stop::No {
            return;
        }
        tokio::select! {
            biased;
            () = stopped => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn failed(message: String) -> StepEnd {
    StepEnd::Failed { message, records: Vec::new() }
}

/// Whether what was found instead of the planned is remembered as applied.
fn writes(operation: &Operation) -> bool {
    match operation.action {
        OperationKind::Create { .. }
        | OperationKind::Update { .. }
        | OperationKind::Stamp { .. } => true,
        OperationKind::Delete | OperationKind::Unstamp | OperationKind::Migrate { .. } => false,
    }
}

/// Whether nothing more can be asked of the object when it is done.
fn removes(operation: &Operation) -> bool {
    matches!(operation.action, OperationKind::Delete | OperationKind::Unstamp)
}
