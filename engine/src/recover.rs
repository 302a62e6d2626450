//! Settles what earlier runs left open: each open intent is looked at under its predetermined
//! identity, and what is found becomes its outcome. Nobody is asked, nothing on a host is changed,
//! and a second recovery finds nothing to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use tcloud_model::ObjectId;
use tcloud_state::{
    Body, EndStatus, Entry, IntentId, OpenIntent, Outcome, Remembered, Scope, Selection,
    StepResult, StoreError,
};
use tokio::task::JoinSet;

use crate::event::{ApplyEvent, Finding};
use crate::hold::{self, Held, HoldError, ended};
use crate::hosts::Hosts;
use crate::run::{Control, Parts, RunInfo, Stop};
use crate::settle::{Settled, settle};

/// Why a recovery could not be carried out.
pub type RecoverError = HoldError;

/// What a recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Each object that was open, and what was found, by scope, run and step.
    pub findings: Vec<(ObjectId, Finding)>,
}

impl Recovered {
    /// Whether something is still open, because its host could not be asked.
    pub fn is_unsettled(&self) -> bool {
        self.findings.iter().any(|(_, finding)| matches!(finding, Finding::Unsettled(_)))
    }
}

/// Which scopes a run is about.
pub type Concerns<'c> = &'c (dyn Fn(&Scope) -> bool + Sync);

/// Settles what is open in the scopes that the run is about, under leases of its own. What is open
/// elsewhere may be under way, and nobody should have to wait for that.
pub(crate) async fn recover_all(
    parts: &Arc<Parts>,
    run: &RunInfo,
    control: &Control,
    concerns: Concerns<'_>,
) -> Result<Recovered, RecoverError> {
    let mut open = parts.store.intents(&Selection::All).await?;
    open.retain(|(_, open)| scopes_of(open).iter().any(concerns));
    if open.is_empty() {
        return Ok(Recovered::default());
    }
    let scopes = open.iter().flat_map(|(_, open)| scopes_of(open)).collect();
    let held = hold::hold(parts, scopes, run, control).await?;
    let work = async |held: &mut Held| Ok::<_, HoldError>(recover(parts, held, control).await?);
    let (held, recovered) = held.unless_stopped(Stop::No, control, work).await?;
    let status = if recovered.is_unsettled() { EndStatus::Failed } else { EndStatus::Succeeded };
    held.end(ended(status, 0)).await?;
    Ok(recovered)
}

/// The scopes that settling an intent may write to.
pub(crate) fn scopes_of(open: &OpenIntent) -> BTreeSet<Scope> {
    let records = open.intent.records.iter().map(|change| Scope::of(&change.object.address));
    records.chain([Scope::of(&open.intent.operation.object.address)]).collect()
}

/// Settles what is open in the scopes that are held.
pub(crate) async fn recover(
    parts: &Parts,
    held: &mut Held,
    control: &Control,
) -> Result<Recovered, StoreError> {
    let open = open_in(parts, held).await?;
    let mut recovered = Recovered::default();
    let (mut entries, mut events) = (Vec::new(), Vec::new());
    for (scope, open, settled) in look_at_all(parts, open).await {
        let OpenIntent { id, intent, .. } = open;
        let object = intent.operation.object.clone();
        let finding = match settled {
            Ok(Settled::Done) => {
                let outcome = Outcome {
                    intent: id,
                    result: StepResult::Done,
                    remembered: Remembered::Planned,
                };
                entries.push(settled_entry(held, scope, outcome));
                Finding::Done
            }
            Ok(Settled::NotDone { found, records }) => {
                let message = format!("the run was cut off before this was done: {found}");
                let result = StepResult::Failed { message };
                let outcome =
                    Outcome { intent: id, result, remembered: Remembered::Instead(records) };
                entries.push(settled_entry(held, scope, outcome));
                Finding::NotDone(found)
            }
            Err(message) => Finding::Unsettled(message),
        };
        recovered.findings.push((object.clone(), finding.clone()));
        let action = intent.operation.action.word();
        events.push(ApplyEvent::Recovered { object, action, finding });
    }
    held.append(entries).await?;
    for event in events {
        control.tell(event).await;
    }
    Ok(recovered)
}

/// What is open in the scopes that are held. Asked again under the lease: another run may have
/// settled it meanwhile.
async fn open_in(parts: &Parts, held: &Held) -> Result<Vec<(Scope, OpenIntent)>, StoreError> {
    let scopes = held.writer.scopes().cloned().collect();
    let open = parts.store.intents(&Selection::Only(scopes)).await?;
    let mine = |open: &OpenIntent| scopes_of(open).iter().all(|scope| held.writer.holds(scope));
    Ok(open.into_iter().filter(|(_, open)| mine(open)).collect())
}

/// The entries that drop what is still open of what was agreed to, without a look: its host may be gone.
pub(crate) async fn drop_open(
    parts: &Parts,
    held: &Held,
    agreed: &[(Scope, OpenIntent)],
) -> Result<Vec<(Scope, Entry)>, StoreError> {
    let agreed: BTreeSet<IntentId> = agreed.iter().map(|(_, open)| open.id).collect();
    let mut open = open_in(parts, held).await?;
    open.retain(|(_, open)| agreed.contains(&open.id));
    let entry = |(scope, open): (Scope, OpenIntent)| {
        let result = StepResult::Failed { message: "it was forgotten without a look".to_owned() };
        let remembered = Remembered::Instead(Vec::new());
        settled_entry(held, scope, Outcome { intent: open.id, result, remembered })
    };
    Ok(open.into_iter().map(entry).collect())
}

fn settled_entry(held: &Held, scope: Scope, outcome: Outcome) -> (Scope, Entry) {
    (scope, held.entry(Body::Outcome(outcome)))
}

type Looked = (Scope, OpenIntent, Result<Settled, String>);

/// Looks at all objects, many at once; the answers are in the order of the intents.
async fn look_at_all(parts: &Parts, open: Vec<(Scope, OpenIntent)>) -> Vec<Looked> {
    let mut answers = Vec::with_capacity(open.len());
    let mut waiting = open.into_iter().enumerate();
    let mut asked = JoinSet::new();
    loop {
        while asked.len() < parts.limits.observe.max(1)
            && let Some((position, (scope, open))) = waiting.next()
        {
            let (hosts, within) = (Arc::clone(&parts.hosts), parts.limits.look);
            asked.spawn(async move {
                let settled = look_guarded(hosts, within, &open).await;
                (position, (scope, open, settled))
            });
        }
        match asked.join_next().await {
            Some(Ok(answer)) => answers.push(answer),
            // The task only waits for another one, and nobody cancels it.
            Some(Err(_)) => {}
            None => break,
        }
    }
    answers.sort_by_key(|(position, _)| *position);
    answers.into_iter().map(|(_, looked)| looked).collect()
}

/// Looks in a task of its own, so that a provider that panics leaves its own intent open only.
async fn look_guarded(
    hosts: Arc<Hosts>,
    within: std::time::Duration,
    open: &OpenIntent,
) -> Result<Settled, String> {
    let intent = open.intent.clone();
    let mut task = JoinSet::new();
    task.spawn(async move { settle(&hosts, within, &intent.operation, &intent.records).await });
    match task.join_next().await {
        Some(Ok(answer)) => answer.map_err(|error| error.message),
        _ => Err("its provider ended with an internal error".to_owned()),
    }
}
