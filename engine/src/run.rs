//! What a run works with, who it is, and how it is stopped.

use std::sync::Arc;

use tcloud_model::Digest;
use tcloud_state::{Holder, Processes, Store};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::hosts::Hosts;
use crate::{ApplyEvent, Clock, Limits, Secrets};

/// What an engine is made of; its runs share it.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) processes: Arc<dyn Processes>,
    pub(crate) secrets: Arc<dyn Secrets>,
}

/// Who runs what, for the journal.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// The run: drawn at random, once for each call of [`Engine::apply`] and the like.
    pub id: Uuid,
    /// The command: `apply`, `destroy`.
    pub command: String,
    /// Who, as `user@machine`.
    pub who: String,
    /// The revision of the configuration in version control.
    pub revision: Option<String>,
    /// The digest of the plan.
    pub plan: Option<Digest>,
    /// The version of tcloud.
    pub version: String,
}

impl RunInfo {
    pub(crate) fn holder(&self, processes: &dyn Processes) -> Holder {
        Holder {
            run: self.id,
            who: self.who.clone(),
            command: self.command.clone(),
            process: processes.own(),
        }
    }
}

/// How a run is listened to and stopped.
#[derive(Clone)]
pub struct Control {
    /// Where it tells what happens. It waits for a slow listener, and does not mind one that left.
    pub events: mpsc::Sender<ApplyEvent>,
    /// Whether it is to stop.
    pub stop: watch::Receiver<Stop>,
}

/// Whether a run is to stop, in rising order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// It goes on.
    #[default]
    No,
    /// No new steps; those that run are finished.
    Drain,
    /// Running steps are given up; nobody knows what becomes of them until the next run looks.
    Now,
}

impl Control {
    /// A run that nobody listens to or stops.
    pub fn silent() -> Control {
        let (events, _) = mpsc::channel(1);
        let (_, stop) = watch::channel(Stop::No);
        Control { events, stop }
    }

    pub(crate) async fn tell(&self, event: ApplyEvent) {
        // A listener that left does not stop a run.
        let _ = self.events.send(event).await;
    }

    pub(crate) fn stopped(&self) -> Stop {
        *self.stop.borrow()
    }

    /// Waits until the run is to stop more than `already`; for ever when nobody can stop it.
    pub(crate) async fn stop_beyond(&mut self, already: Stop) -> Stop {
        if self.stop.wait_for(|stop| *stop > already).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.stopped()
    }
}
