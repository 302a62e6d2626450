//! Carries out a plan. One loop decides and writes; the calls to providers run beside it. Whatever
//! the calls have ended with, and what may begin because of it, is written in one commit, so that
//! durability costs little for each step, and nothing when there is only one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tcloud_model::{Address, ObjectId, ObservedState, OperationKind, PathStep, State, kinds};
use tcloud_planner::fit::Crowded;
use tcloud_planner::plan::{DecisionKind, Plan, Step, StepId};
use tcloud_state::{
    Body, End, EndStatus, Entry, Intent, IntentId, Outcome, RecordChange, Remembered, Scope,
    Selection, StepResult, StoreError, Why,
};
use tokio::sync::Notify;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

use crate::event::{Account, ApplyEvent, SkipReason, Trouble};
use crate::hold::{self, BATCH, Held, HoldError};
use crate::mark::marked;
use crate::outside::SecretError;
use crate::queue::{Malformed, Queue};
use crate::reveal::Revealed;
use crate::run::{Control, Parts, RunInfo, Stop};
use crate::stale::{self, Checked, StaleObject};
use crate::step::{StepEnd, Task};
use crate::{observe, recover, reveal};

/// Why a plan was not carried out, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Something has to be agreed to first.
    #[error("the plan needs a decision before it can be applied")]
    NeedsDecision,
    /// The plan cannot be carried out by anybody.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The leases could not be had, or nothing could be written yet. Nothing was changed.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The world changed since the plan was made. Nothing was changed.
    #[error("the plan is stale: {} changed since it was made", objects(.0.len()))]
    Stale(Vec<StaleObject>),
    /// A secret that the plan needs cannot be had. Nothing was changed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What the plan makes has no room any more: whose room it is, and who took it. Nothing was
    /// changed.
    #[error("the plan is stale: there is no room for it any more")]
    Crowded(Vec<Crowded>),
    /// The plan does not bear being looked at again; why, in words. Nothing was changed.
    #[error("the plan cannot be believed: {}", .0.join("; "))]
    Doubted(Vec<String>),
    /// The store failed, or another run took over, in the middle of the run.
    #[error("the run was cut off")]
    CutOff {
        /// What is known about its steps; what was running is unknown.
        account: Box<Account>,
        /// Why.
        source: StoreError,
    },
}

fn objects(count: usize) -> String {
    match count {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    }
}

/// Looks at the plan again before its first step, when the leases are held and no object is stale:
/// with what is remembered, and with what the plan's hosts run.
pub type Judge<'a> = &'a (dyn Fn(&State, &ObservedState) -> Result<(), ApplyError> + Sync);

/// Carries out a plan.
pub(crate) async fn apply(
    parts: &Arc<Parts>,
    plan: &Arc<Plan>,
    run: &RunInfo,
    control: &Control,
    judge: Option<Judge<'_>>,
) -> Result<Account, ApplyError> {
    if plan.needs_decision() {
        return Err(ApplyError::NeedsDecision);
    }
    let lane_of = |host| parts.hosts.lane(host, &parts.limits);
    let queue = Queue::new(&plan.steps, parts.limits.parallelism, lane_of)?;
    if plan.is_empty() {
        return Ok(Account::default());
    }
    let scopes = plan.steps.iter().flat_map(scopes_of).collect();
    let held = hold::hold(parts, scopes, run, control).await?;
    let work = async |held: &mut Held| prepare(parts, plan, held, control, judge).await;
    let (held, prepared) = held.unless_stopped(Stop::Drain, control, work).await?;
    let steps = plan.steps.len();
    control.tell(ApplyEvent::Started { run: run.id, steps }).await;
    let executor = Executor {
        parts: Arc::clone(parts),
        plan: Arc::clone(plan),
        lost: lost(plan),
        control: control.clone(),
        silent: prepared.silent,
        revealed: Arc::new(prepared.revealed),
        queue,
        held,
        running: JoinSet::new(),
        tasks: HashMap::new(),
        batch: Batch::default(),
        account: Account::default(),
        stop: Stop::No,
        stopping: Arc::default(),
    };
    executor.run().await
}

/// What a run has before its first step.
struct Prepared {
    silent: BTreeMap<Address, String>,
    revealed: Revealed,
}

/// Settles what is open, compares the world with what the plan expects, and reads its secrets: a
/// guest that is made anew is not deleted first for a secret that cannot be had then.
async fn prepare(
    parts: &Arc<Parts>,
    plan: &Plan,
    held: &mut Held,
    control: &Control,
    judge: Option<Judge<'_>>,
) -> Result<Prepared, ApplyError> {
    recover::recover(parts, held, control).await.map_err(HoldError::from)?;
    let observed = observe::observe(&parts.hosts, stale::hosts_of(plan), &parts.limits).await;
    let Checked { stale, silent } = stale::check(plan, &observed, parts.clock.now());
    if !stale.is_empty() {
        return Err(ApplyError::Stale(stale));
    }
    if let Some(judge) = judge {
        let loaded = parts.store.load(&Selection::All).await.map_err(HoldError::from)?;
        judge(&loaded.state, &observed)?;
    }
    let revealed = reveal::reveal(plan, &parts.secrets, parts.limits.secrets).await?;
    Ok(Prepared { silent, revealed })
}

/// The scopes that a step may write to, and those of the networks that it gives addresses out of:
/// a network that is exposed to others has one list of addresses, and two runs must not choose from
/// it at the same time.
fn scopes_of(step: &Step) -> BTreeSet<Scope> {
    let records = step.records.iter().map(|(object, _)| Scope::of(&object.address));
    let asked = step.operation.iter().map(|operation| Scope::of(&operation.object.address));
    let plugs = step.operation.iter().filter(|operation| plugs(&operation.action));
    let references = plugs.flat_map(|operation| &operation.references);
    let networks = references.filter(|(to, _)| to.kind() == "network");
    records.chain(asked).chain(networks.map(|(to, _)| Scope::of(to))).collect()
}

/// Whether an operation plugs cards into networks.
fn plugs(action: &OperationKind) -> bool {
    match action {
        OperationKind::Create { .. } => true,
        OperationKind::Update { changed, .. } => changed
            .iter()
            .any(|path| matches!(path.0.first(), Some(PathStep::Field(field)) if field == "nic")),
        _ => false,
    }
}

/// The scope in whose chain a step is written.
fn scope_of(step: &Step) -> Scope {
    let asked = step.operation.as_ref().map(|operation| &operation.object);
    let object = asked.or_else(|| step.records.first().map(|(object, _)| object));
    object.map_or(Scope::Shared, |object| Scope::of(&object.address))
}

/// Whose data somebody agreed to lose.
fn lost(plan: &Plan) -> BTreeSet<Address> {
    let losses = plan.decisions.iter().filter(|own| own.kind == DecisionKind::DataLoss);
    losses.map(|decision| decision.address.clone()).collect()
}

/// A plan that is being carried out.
struct Executor {
    parts: Arc<Parts>,
    plan: Arc<Plan>,
    /// Whose data somebody agreed to lose.
    lost: BTreeSet<Address>,
    control: Control,
    silent: BTreeMap<Address, String>,
    revealed: Arc<Revealed>,
    queue: Queue,
    held: Held,
    running: JoinSet<StepEnd>,
    tasks: HashMap<task::Id, (StepId, Instant)>,
    batch: Batch,
    account: Account,
    stop: Stop,
    /// Steps that wait for another attempt hear of it here, one after the other.
    stopping: Arc<Notify>,
}

/// What is written next, and what follows when it is durable.
#[derive(Default)]
struct Batch {
    entries: Vec<(Scope, Entry)>,
    /// Told once the entries are durable.
    events: Vec<ApplyEvent>,
    /// Begun once the entries are durable.
    begin: Vec<Intent>,
}

impl Executor {
    async fn run(mut self) -> Result<Account, ApplyError> {
        loop {
            let stop = self.control.stopped();
            if stop > self.stop {
                self.stopped(stop).await;
            }
            if self.stop == Stop::No {
                self.take_ready();
            }
            if let Err(source) = self.commit().await {
                return Err(self.cut_off(source).await);
            }
            if self.queue_is_ready() {
                continue;
            }
            if self.running.is_empty() {
                break;
            }
            if let Err(source) = self.wait().await {
                return Err(self.cut_off(source).await);
            }
        }
        self.finish().await
    }

    /// Whether another batch can be filled without waiting.
    fn queue_is_ready(&self) -> bool {
        self.stop == Stop::No && self.queue.has_next()
    }

    /// Puts what may begin into the batch.
    fn take_ready(&mut self) {
        while self.batch.entries.len() < BATCH
            && let Some(id) = self.queue.next()
        {
            let plan = Arc::clone(&self.plan);
            let step = &plan.steps[id.0 as usize];
            let silent = stale::host_of(step).and_then(|host| {
                Some(format!("{host} cannot be reached: {}", self.silent.get(host)?))
            });
            if let Some(message) = silent {
                self.not_done(id, message, Known::Failed);
                continue;
            }
            if let Some(at) = stale::closed(&plan, step, self.parts.clock.now()) {
                self.skipped(id, SkipReason::Closed(at.clone()));
                self.skip_needing(id);
                continue;
            }
            let (operation, records) = marked(step, &self.held.writer);
            let Some(operation) = operation else {
                self.record_only(id, step, records);
                continue;
            };
            let (object, action) = (operation.object.clone(), operation.action.word());
            let intent = Intent { step: id.0, operation, records };
            self.write(scope_of(step), Body::Intent(intent.clone()));
            self.batch.events.push(ApplyEvent::StepStarted { step: id.0, object, action });
            self.batch.begin.push(intent);
        }
    }

    /// Whether a step deletes what may hold data, and nobody agreed to its loss.
    fn is_only_empty(&self, step: &Step) -> bool {
        let Some(operation) = &step.operation else { return false };
        let deletes = matches!(operation.action, OperationKind::Delete)
            && kinds::HOLDS_DATA.contains(&&*operation.kind);
        let change = self.plan.changes.get(step.change as usize);
        let renamed = change.is_some_and(|change| self.lost.contains(&change.object.address));
        deletes && !renamed && !self.lost.contains(&operation.object.address)
    }

    /// A step that asks nobody is done when it is written.
    fn record_only(&mut self, id: StepId, step: &Step, changes: Vec<RecordChange>) {
        if !changes.is_empty() {
            self.write(scope_of(step), Body::Records { why: Why::Step, changes });
        }
        self.done(id, Instant::now());
    }

    fn write(&mut self, scope: Scope, body: Body) {
        let entry = self.held.entry(body);
        self.batch.entries.push((scope, entry));
    }

    /// Makes the batch durable, tells of it, and begins what it allows.
    async fn commit(&mut self) -> Result<(), StoreError> {
        self.held.append(std::mem::take(&mut self.batch.entries)).await?;
        let Batch { entries: _, events, begin } = std::mem::take(&mut self.batch);
        for event in events {
            self.account.add(&event);
            self.control.tell(event).await;
        }
        for Intent { step, operation, records } in begin {
            let (id, planned) = (StepId(step), &self.plan.steps[step as usize]);
            let task = Task {
                parts: Arc::clone(&self.parts),
                run: self.held.writer.run(),
                id,
                operation,
                planned: records,
                only_empty: self.is_only_empty(planned),
                until: self.plan.closes(planned).cloned(),
                revealed: Arc::clone(&self.revealed),
                control: self.control.clone(),
                gate: self.held.gate(),
                stopping: Arc::clone(&self.stopping),
            };
            let handle = self.running.spawn(task.run());
            self.tasks.insert(handle.id(), (id, Instant::now()));
        }
        Ok(())
    }

    /// Waits until a step ends, somebody stops the run, or the leases are lost; then takes all that
    /// have ended.
    async fn wait(&mut self) -> Result<(), StoreError> {
        let mut gate = self.held.gate();
        let ended = tokio::select! {
            biased;
            stop = self.control.stop_beyond(self.stop) => {
                self.stopped(stop).await;
                return Ok(());
            }
            () = gate.lost() => {
                return Err(self.held.loss().await);
            }
            ended = self.running.join_next_with_id() => ended,
        };
        if let Some(ended) = ended {
            self.ended(ended);
        }
        while self.batch.entries.len() < BATCH
            && let Some(ended) = self.running.try_join_next_with_id()
        {
            self.ended(ended);
        }
        Ok(())
    }

    async fn stopped(&mut self, stop: Stop) {
        self.stop = stop;
        self.account.interrupted = true;
        self.stopping.notify_waiters();
        let at_once = stop == Stop::Now;
        self.control.tell(ApplyEvent::Interrupted { at_once }).await;
        for id in self.queue.give_up_all() {
            self.skipped(id, SkipReason::Stopped);
        }
        if at_once {
            self.abandon("the run was stopped while this was under way");
        }
    }

    /// Gives up all running steps.
    fn abandon(&mut self, why: &str) {
        self.running.abort_all();
        self.running.detach_all();
        let mut left: Vec<StepId> = self.tasks.drain().map(|(_, (id, _))| id).collect();
        left.sort_unstable();
        for id in left {
            self.not_done(id, why.to_owned(), Known::Unknown);
        }
    }

    fn ended(&mut self, ended: Result<(task::Id, StepEnd), JoinError>) {
        let (task, end) = match ended {
            Ok((task, end)) => (task, end),
            Err(error) => {
                let message = "its provider ended with an internal error".to_owned();
                (error.id(), StepEnd::Unknown { message })
            }
        };
        let Some((id, begun)) = self.tasks.remove(&task) else { return };
        match end {
            StepEnd::Done => {
                self.outcome(id, StepResult::Done, Remembered::Planned);
                self.done(id, begun);
            }
            StepEnd::Failed { message, records } => {
                let result = StepResult::Failed { message: message.clone() };
                self.outcome(id, result, Remembered::Instead(records));
                self.not_done(id, message, Known::Failed);
            }
            StepEnd::Unknown { message } => self.not_done(id, message, Known::Unknown),
        }
    }

    fn outcome(&mut self, id: StepId, result: StepResult, remembered: Remembered) {
        let intent = IntentId { run: self.held.writer.run(), step: id.0 };
        let scope = scope_of(&self.plan.steps[id.0 as usize]);
        self.write(scope, Body::Outcome(Outcome { intent, result, remembered }));
    }

    fn done(&mut self, id: StepId, begun: Instant) {
        self.queue.done(id);
        let (object, action) = self.about(id);
        let elapsed = begun.elapsed();
        self.batch.events.push(ApplyEvent::StepFinished { step: id.0, object, action, elapsed });
    }

    fn not_done(&mut self, id: StepId, reason: String, known: Known) {
        if known == Known::Unknown {
            let result = StepResult::Unknown { message: reason.clone() };
            self.outcome(id, result, Remembered::Instead(Vec::new()));
        }
        let (object, action) = self.about(id);
        let trouble = Trouble { object, action, reason };
        let unknown = known == Known::Unknown;
        self.batch.events.push(ApplyEvent::StepFailed { step: id.0, unknown, trouble });
        self.skip_needing(id);
    }

    /// What needs a step that is not done is not done either.
    fn skip_needing(&mut self, id: StepId) {
        let (object, _) = self.about(id);
        for skipped in self.queue.not_done(id) {
            self.skipped(skipped, SkipReason::Needs(object.clone()));
        }
    }

    fn skipped(&mut self, id: StepId, because: SkipReason) {
        let (object, action) = self.about(id);
        let event = ApplyEvent::StepSkipped { step: id.0, object, action, because };
        self.batch.events.push(event);
    }

    /// The object of a step, and the word for what is done with it.
    fn about(&self, id: StepId) -> (ObjectId, &'static str) {
        let step = &self.plan.steps[id.0 as usize];
        if let Some(operation) = &step.operation {
            return (operation.object.clone(), operation.action.word());
        }
        let change = self.plan.changes.get(step.change as usize);
        let object = step.records.first().map(|(object, _)| object);
        let object = object.or_else(|| change.map(|change| &change.object)).cloned();
        let nobody = || ObjectId {
            address: Address::root("step", id.0.to_string(), None),
            host: Address::root("host", "none", None),
            incarnation: 0,
        };
        (object.unwrap_or_else(nobody), "record")
    }

    async fn finish(mut self) -> Result<Account, ApplyError> {
        let account = std::mem::take(&mut self.account);
        let status = match account.interrupted {
            true => EndStatus::Interrupted,
            false if account.is_success() => EndStatus::Succeeded,
            false => EndStatus::Failed,
        };
        let end = End {
            status,
            done: account.done as u64,
            failed: account.failed.len() as u64,
            skipped: account.skipped.len() as u64,
            unknown: account.unknown.len() as u64,
        };
        let ended = self.held.end(end).await;
        self.control.tell(ApplyEvent::Finished { account: account.clone() }).await;
        match ended {
            Ok(()) => Ok(account),
            Err(source) => Err(ApplyError::CutOff { account: Box::new(account), source }),
        }
    }

    /// The end of a run that cannot write any more. What it has not written down is unknown: the
    /// next run looks at everything whose intent is open.
    async fn cut_off(mut self, source: StoreError) -> ApplyError {
        for intent in std::mem::take(&mut self.batch.begin) {
            self.skipped(StepId(intent.step), SkipReason::Stopped);
        }
        self.abandon("the run was cut off while this was under way");
        for id in self.queue.give_up_all() {
            self.skipped(id, SkipReason::Stopped);
        }
        for event in std::mem::take(&mut self.batch.events) {
            let event = match event {
                ApplyEvent::StepStarted { .. } => continue,
                ApplyEvent::StepFinished { step, object, action, elapsed: _ } => {
                    let reason = "it ended, but that could not be written down".to_owned();
                    let trouble = Trouble { object, action, reason };
                    ApplyEvent::StepFailed { step, unknown: true, trouble }
                }
                other => other,
            };
            self.account.add(&event);
            self.control.tell(event).await;
        }
        self.held.give_up().await;
        self.control.tell(ApplyEvent::Finished { account: self.account.clone() }).await;
        ApplyError::CutOff { account: Box::new(self.account), source }
    }
}

/// How much is known about a step that is not done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Failed,
    Unknown,
}
