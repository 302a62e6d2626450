//! Following a run: its events become progress on the terminal or lines of JSON.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use tcloud_engine::{ApplyEvent, Control, Finding};
use tcloud_model::ObjectId;
use tcloud_report::text::host_name;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::context::Context;
use crate::escape::escape;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::view::progress::{Ended, Progress};

/// How many events may wait to be shown.
const BACKLOG: usize = 1024;

/// How a run is listened to and stopped.
pub(super) fn control(interrupts: &Interrupts) -> (Control, mpsc::Receiver<ApplyEvent>) {
    let (events, receiver) = mpsc::channel(BACKLOG);
    (Control { events, stop: interrupts.stop.clone() }, receiver)
}

/// Works, and shows what happens meanwhile.
pub(super) async fn follow<T>(
    work: impl Future<Output = T>,
    events: &mut mpsc::Receiver<ApplyEvent>,
    listener: &mut Listener<'_>,
) -> T {
    tokio::pin!(work);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => listener.hear(&event),
            _ = second.tick() => listener.progress.draw(),
            result = &mut work => {
                while let Ok(event) = events.try_recv() {
                    listener.hear(&event);
                }
                return result;
            }
        }
    }
}

/// What became of the steps that earlier runs left open.
#[derive(Default)]
pub(super) struct Earlier {
    /// What could not be settled.
    pub(super) open: BTreeSet<ObjectId>,
    /// How many were settled.
    settled: usize,
}

impl Earlier {
    /// A failure that says that nothing was changed, with what was settled all the same.
    pub(super) fn add_to(&self, failure: Failure) -> Failure {
        match self.settled {
            0 => failure,
            1 => failure.before("1 step of an earlier run was settled"),
            number => failure.before(format!("{number} steps of earlier runs were settled")),
        }
    }
}

/// Shows events.
pub(super) struct Listener<'a> {
    context: &'a Context,
    json: bool,
    progress: Progress<'a>,
    /// The run that was last said to be waited for.
    waited_for: Option<Uuid>,
    /// What became of what earlier runs left open.
    pub(super) earlier: Earlier,
}

impl<'a> Listener<'a> {
    /// Shows a run of so many steps.
    pub(super) fn new(context: &'a Context, json: bool, steps: usize, what: &str) -> Listener<'a> {
        let progress = Progress::new(&context.terminal, steps, what);
        Listener { context, json, progress, waited_for: None, earlier: Earlier::default() }
    }

    /// Takes the progress away, and gives what became of earlier runs.
    pub(super) fn finish(self) -> Earlier {
        self.progress.finish();
        self.earlier
    }

    fn hear(&mut self, event: &ApplyEvent) {
        if self.json {
            self.context.terminal.json_text(&event.to_json());
        }
        match event {
            // It comes every second, and is said once for each run that is waited for.
            ApplyEvent::LeaseWait { scope, holder, remaining } => {
                if self.waited_for.replace(holder.run) != Some(holder.run) {
                    self.progress.say(&format!(
                        "  waiting for {scope}: {} has held it since its {} began; the lease ends \
                         in {} s unless it is renewed",
                        escape(&holder.who),
                        escape(&holder.command),
                        remaining.as_secs()
                    ));
                }
            }
            ApplyEvent::Recovered { object, action, finding } => {
                let (word, found) = match finding {
                    Finding::Done => ("settled", "was done".to_owned()),
                    Finding::NotDone(why) => ("settled", format!("was not done: {}", escape(why))),
                    Finding::Unsettled(why) => {
                        ("open", format!("cannot be settled yet: {}", escape(why)))
                    }
                };
                self.progress.say(&format!("  {word:<8} {} {found}", about(action, object)));
                let Earlier { open, settled } = &mut self.earlier;
                match finding {
                    Finding::Unsettled(_) => {
                        open.insert(object.clone());
                    }
                    Finding::Done | Finding::NotDone(_) => {
                        open.remove(object);
                        *settled += 1;
                    }
                }
            }
            ApplyEvent::StepStarted { step, object, action } => {
                self.progress.began(*step, about(action, object));
            }
            ApplyEvent::StepRetry { step, attempt: _, pause: _, object: _, message } => {
                self.progress.again(*step, message);
            }
            ApplyEvent::StepFinished { step, object, action, elapsed: _ } => {
                self.progress.ended(*step, Ended::Done, &about(action, object), None);
            }
            ApplyEvent::StepFailed { step, unknown, trouble } => {
                let how = if *unknown { Ended::Unknown } else { Ended::Failed };
                let text = about(trouble.action, &trouble.object);
                self.progress.ended(*step, how, &text, Some(&trouble.reason));
            }
            ApplyEvent::StepSkipped { step, object, action, because } => {
                self.progress.ended(
                    *step,
                    Ended::Skipped,
                    &about(action, object),
                    Some(&because.to_string()),
                );
            }
            ApplyEvent::Interrupted { at_once } => self.progress.say(if *at_once {
                "\nStopping at once. What is under way is looked at by the next run."
            } else {
                "\nStopping: nothing new is begun, what is under way is finished. Again to stop at \
                 once."
            }),
            ApplyEvent::Started { .. } | ApplyEvent::Finished { .. } => {}
        }
    }
}

/// `create tenant.a.vm.b on meiningen.kvm1`
fn about(action: &str, object: &ObjectId) -> String {
    format!("{action:<8} {} on {}", object.address, host_name(&object.host))
}
