//! `tcloud apply` and `tcloud destroy`: settle what is open, plan, ask, carry out, account.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tcloud_engine::{Account, ApplyError, Engine, Judge, RunInfo, StaleObject};
use tcloud_model::{Digest, Evaluator, ObjectId, ObservedState, State};
use tcloud_planner::plan::{Decision, DecisionKind, Plan};
use tcloud_planner::planfile::Gaps;
use tcloud_planner::{Goal, Input, PlanFile, Wishes, crowded, doubts, planfile};
use tcloud_state::{Loaded, Scope};

use super::follow::Earlier;
use super::prepare::{Prepared, goal, prepare, wishes};
use super::{Context, age, consent, estimate, follow, origin};
use crate::arguments::{self, Run};
use crate::consents::{Consent, ConsentError, Rules, Settled, Situation};
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::gaps;
use crate::interrupt::Interrupts;
use crate::plan_file;
use crate::session::{self, Access, Project, Text};
use crate::trust;
use crate::view::account;
use crate::view::layout::{list, quote};
use crate::view::plan::{Next, PlanView};

/// How a run is carried out.
struct Manner {
    /// `apply` or `destroy`, for the journal and for questions.
    command: &'static str,
    /// `--yes`
    yes: bool,
    /// `--json`
    json: bool,
}

pub(super) async fn apply(arguments: arguments::Apply, context: &Context) -> Outcome {
    let arguments::Apply { path, yes, consent, json, run } = arguments;
    let manner = Manner { command: "apply", yes, json };
    let path = context.path(path.as_ref());
    if path.is_file() {
        let consents = consent.iter().map(|file| Consent::read(&context.path(Some(file))));
        let consents: Result<Vec<Vec<Consent>>, ConsentError> = consents.collect();
        return saved(path, &consents?.concat(), &run, &manner, context).await;
    }
    if !consent.is_empty() {
        return Err(Failure::new("a consent is for a plan file").help("apply that file"));
    }
    let goal = goal(&run.scope);
    fresh(path, &run, goal, &manner, context).await
}

pub(super) async fn destroy(arguments: arguments::Destroy, context: &Context) -> Outcome {
    let arguments::Destroy { path, yes, json, run } = arguments;
    let manner = Manner { command: "destroy", yes, json };
    fresh(context.path(path.as_ref()), &run, Goal::Destroy, &manner, context).await
}

/// Plans now, and applies that.
async fn fresh(
    root: PathBuf,
    run: &Run,
    goal: Goal,
    manner: &Manner,
    context: &Context,
) -> Outcome {
    let project = Project::open(root, context).await?;
    trust::warn_root(&context.terminal);
    let mut wishes = wishes(run, goal);
    let Prepared { text, engine } = prepare(&project, run, Access::Write, context).await?;
    let interrupts = Interrupts::listen();
    let info = project.run(manner.command, None);
    let scopes = concerned(&text, &project, &engine, &wishes);
    let scopes = interrupts.unless_stopped(scopes).await??;
    let mut earlier =
        recover(&engine, &info, scopes.as_ref(), &interrupts, manner, context).await?;
    let fresh = Fresh { project: &project, text: &text, engine: &engine, interrupts: &interrupts };
    let carried = fresh.plan_and_carry_out(&mut wishes, &mut earlier, manner, context).await;
    let Carried { account, plan, gaps } = carried.map_err(|failure| earlier.add_to(failure))?;
    let exit = close(account, &plan.outputs, manner, context)?;
    gaps::refuse(&gaps)?;
    nothing_is_open(&earlier.open)?;
    Ok(exit)
}

/// What a plan is made with that is applied at once.
struct Fresh<'a> {
    project: &'a Project,
    text: &'a Text,
    engine: &'a Engine,
    interrupts: &'a Interrupts,
}

/// A plan that was carried out, or had nothing to do.
struct Carried {
    account: Option<Account>,
    plan: Arc<Plan>,
    gaps: Gaps,
}

impl Fresh<'_> {
    /// Plans, asks and carries out, and again when somebody else was faster.
    async fn plan_and_carry_out(
        &self,
        wishes: &mut Wishes,
        earlier: &mut Earlier,
        manner: &Manner,
        context: &Context,
    ) -> Result<Carried, Failure> {
        let Fresh { project, text, engine, interrupts } = *self;
        let mut rounds = 1;
        loop {
            let file = self.agreed(wishes, manner, context).await?;
            let digest = planfile::digest(&file);
            let PlanFile { plan, gaps, .. } = file;
            let plan = Arc::new(plan);
            let judge = |state: &State, observed: &ObservedState| {
                fits(&plan, &text.input(project, state, observed, wishes))
            };
            let run = Carrying { project, engine, interrupts, earlier: &mut *earlier };
            match carry_out(&plan, digest, &judge, run, manner, context).await {
                Err(ApplyError::Stale(_) | ApplyError::Crowded(_)) if rounds < MOST_ROUNDS => {
                    rounds += 1;
                    context.terminal.note(
                        "Somebody else changed something meanwhile, and nothing was done yet; \
                         planning again.",
                    );
                }
                Ok(account) => {
                    engine.shutdown().await;
                    return Ok(Carried { account, plan, gaps });
                }
                Err(error) => {
                    engine.shutdown().await;
                    return Err(refused(error, manner, context));
                }
            }
        }
    }

    /// A plan that was shown and agreed to.
    async fn agreed(
        &self,
        wishes: &mut Wishes,
        manner: &Manner,
        context: &Context,
    ) -> Result<PlanFile, Failure> {
        let Fresh { project, text, engine, interrupts } = *self;
        let facts = facts(project, engine, context);
        let (loaded, observed) = interrupts.unless_stopped(facts).await??;
        let mut plan = text.plan(project, &loaded.state, &observed, wishes, context)?;
        // Planning itself hears nothing; whoever stopped meanwhile is heard here.
        interrupts.unless_stopped(estimate::estimate(&mut plan, engine)).await?;
        let gaps = gaps::of(&loaded.state, &observed);
        show(&plan, &gaps, Some(&observed), manner, context);
        let unsigned = Situation { plan: "", consents: &[] };
        let rules = Rules::of(text.program.desired(), &project.root);
        signed(rules.settle(&plan, &unsigned)?)?;
        let agreed = !plan.is_empty() && agree(&mut plan, wishes, manner, context).await?;
        if !agreed {
            confirm(&plan, manner, context).await?;
        }
        Ok(plan_file::of(plan, gaps, &loaded))
    }
}

/// What is remembered and what runs, with a warning where the one seems older than the other.
async fn facts(
    project: &Project,
    engine: &Engine,
    context: &Context,
) -> Result<(Loaded, ObservedState), Failure> {
    let loaded = engine.load().await?;
    let observed = engine.observe().await;
    let is_old = age::is_old(project, &loaded, &observed);
    age::warn(project, engine, is_old, &observed, context).await?;
    Ok((loaded, observed))
}

/// How often a plan is made while others go on changing what it is about.
const MOST_ROUNDS: usize = 3;

/// Whether there is still room for what a plan makes.
fn fits(plan: &Plan, input: &Input<'_>) -> Result<(), ApplyError> {
    let crowded = crowded(plan, input).map_err(|diagnostics| {
        ApplyError::Doubted(diagnostics.into_iter().map(|own| own.message).collect())
    })?;
    match crowded.is_empty() {
        true => Ok(()),
        false => Err(ApplyError::Crowded(crowded)),
    }
}

/// Applies a saved plan exactly, or not at all.
async fn saved(
    path: PathBuf,
    consents: &[Consent],
    run: &Run,
    manner: &Manner,
    context: &Context,
) -> Outcome {
    if !run.scope.is_empty() {
        return Err(Failure::new("a saved plan is applied exactly as it is")
            .help("what is wanted is said to `tcloud plan --out`"));
    }
    let project = Project::open(context.path(None), context).await?;
    trust::warn_root(&context.terminal);
    let mut file = plan_file::load(&path, &project.deployment)?;
    let digest = planfile::digest(&file);
    let Prepared { text, engine } = prepare(&project, run, Access::Write, context).await?;
    if file.plan.configuration != text.program.desired().digest {
        context
            .terminal
            .note("The text changed since the plan was made; what was planned is applied.");
    }
    origin::check(&file, &scopes(&file.plan), &engine).await?;
    let interrupts = Interrupts::listen();
    let situation = Situation { plan: &digest.to_string(), consents };
    let rules = Rules::of(text.program.desired(), &project.root);
    let settled = rules.settle(&file.plan, &situation)?;
    let wishes = wishes(run, Goal::Apply);
    for decision in &mut file.plan.decisions {
        // Whatever the file says of itself: who agrees does it here, and no flag stands in for a
        // signature.
        let is_allowed = decision.approvers.is_empty() && wishes.allows(decision);
        decision.agreed = settled.signed.contains(&decision.id) || is_allowed;
    }
    show(&file.plan, &file.gaps, None, manner, context);
    signed(settled)?;
    let open: Vec<&Decision> = file.plan.decisions.iter().filter(|own| !own.agreed).collect();
    match open.is_empty() {
        true => confirm(&file.plan, manner, context).await?,
        false if manner.yes => return Err(consent::refusal(&open)),
        false => consent::decide(&open, &context.terminal).await?,
    }
    file.plan.decisions.iter_mut().for_each(|decision| decision.agreed = true);
    let plan = Arc::new(file.plan);
    let judge = |state: &State, observed: &ObservedState| {
        let input = text.input(&project, state, observed, &wishes);
        let doubts = doubts(&plan, &input);
        if doubts.is_empty() { fits(&plan, &input) } else { Err(ApplyError::Doubted(doubts)) }
    };
    let mut earlier = Earlier::default();
    let carrying = Carrying {
        project: &project,
        engine: &engine,
        interrupts: &interrupts,
        earlier: &mut earlier,
    };
    let applied = carry_out(&plan, digest, &judge, carrying, manner, context).await;
    engine.shutdown().await;
    let refused = |error| earlier.add_to(refused(error, manner, context));
    let account = applied.map_err(refused)?;
    let exit = close(account, &plan.outputs, manner, context)?;
    gaps::refuse(&file.gaps)
        .map_err(|gap| gap.help("so it was when the plan was made; plan again for the rest"))?;
    nothing_is_open(&earlier.open)?;
    Ok(exit)
}

/// A failure when something that an earlier run left open could not be settled.
fn nothing_is_open(open: &BTreeSet<ObjectId>) -> Result<(), Failure> {
    let Some(first) = open.first() else { return Ok(()) };
    let steps = match open.len() {
        1 => "1 step of an earlier run is".to_owned(),
        number => format!("{number} steps of earlier runs are"),
    };
    let objects: Vec<String> = open.iter().map(ObjectId::to_string).collect();
    Err(Failure::new(format!("{steps} still open: {}", list(&objects, 300))).help(format!(
        "the next run that reaches the host settles it; for a host that is gone for good, drop it:\n\
         tcloud state forget {}",
        quote(&first.address.to_string())
    )))
}

/// Whether no signature is missing.
fn signed(settled: Settled) -> Result<(), Failure> {
    let Settled { signed: _, missing } = settled;
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join("\n  ");
    Err(Failure::new(format!("signatures are missing; nothing was changed\n  {missing}"))
        .help(
            "tcloud plan --out PLANFILE; each of them: tcloud agree PLANFILE DECISION; then\n\
             tcloud apply PLANFILE --consent FILE",
        )
        .exit(Exit::Decision))
}

/// Asks whether to go on, unless nothing that anybody could miss is touched.
async fn confirm(plan: &Plan, manner: &Manner, context: &Context) -> Result<(), Failure> {
    let touches = plan.steps.iter().any(|step| step.operation.is_some());
    if manner.yes || !touches {
        return Ok(());
    }
    let question = match manner.command {
        "destroy" => "Take all of this down?",
        _ => "Apply this plan?",
    };
    consent::confirm(question, &context.terminal).await
}

/// Shows a plan, with what was observed where it was made now.
fn show(
    plan: &Plan,
    gaps: &Gaps,
    observed: Option<&ObservedState>,
    manner: &Manner,
    context: &Context,
) {
    if manner.json {
        context.terminal.json_text(&session::json_line(plan, !gaps.is_empty()));
        return;
    }
    let view = PlanView {
        palette: context.terminal.palette,
        everything: context.terminal.verbose > 0,
        observed,
        next: Next::Nothing,
    };
    context.terminal.print(&view.render(plan));
}

/// Gets every open decision agreed to, in this plan and in those that follow if it turns out to be
/// stale. True when somebody was asked.
async fn agree(
    plan: &mut Plan,
    wishes: &mut Wishes,
    manner: &Manner,
    context: &Context,
) -> Result<bool, Failure> {
    let open: Vec<&Decision> = plan.decisions.iter().filter(|d| !d.agreed).collect();
    if open.is_empty() {
        return Ok(false);
    }
    if manner.yes {
        return Err(consent::refusal(&open));
    }
    consent::decide(&open, &context.terminal).await?;
    for decision in plan.decisions.iter_mut().filter(|own| !own.agreed) {
        match decision.kind {
            DecisionKind::DataLoss => wishes.allow_data_loss.insert(decision.address.clone()),
            DecisionKind::Protected => wishes.allow_destroy.insert(decision.address.clone()),
            DecisionKind::Exposure => wishes.allow_exposure.insert(decision.address.clone()),
        };
        decision.agreed = true;
    }
    Ok(true)
}

/// The scopes that a run with targets is about, as its plan tells. `None` means all: without targets,
/// and when nothing can be planned before what is open was settled.
async fn concerned(
    text: &Text,
    project: &Project,
    engine: &Engine,
    wishes: &Wishes,
) -> Result<Option<BTreeSet<Scope>>, Failure> {
    if wishes.target.is_empty() {
        return Ok(None);
    }
    let (state, observed) = (engine.load().await?.state, engine.observe().await);
    let plan = text.try_plan(project, &state, &observed, wishes);
    Ok(plan.ok().map(|plan| scopes(&plan)))
}

/// Whose objects a plan changes; what all share is always among them.
fn scopes(plan: &Plan) -> BTreeSet<Scope> {
    let own = plan.changes.iter().map(|change| Scope::of(&change.object.address));
    own.chain([Scope::Shared]).collect()
}

/// Settles what earlier runs left open, and gives what became of it.
async fn recover(
    engine: &Engine,
    info: &RunInfo,
    scopes: Option<&BTreeSet<Scope>>,
    interrupts: &Interrupts,
    manner: &Manner,
    context: &Context,
) -> Result<Earlier, Failure> {
    let (control, mut events) = follow::control(interrupts);
    let mut listener = follow::Listener::new(context, manner.json, 0, manner.command);
    let concerns = |scope: &Scope| scopes.is_none_or(|scopes| scopes.contains(scope));
    let recovery = engine.recover_within(info, &control, &concerns);
    follow::follow(recovery, &mut events, &mut listener).await?;
    Ok(listener.finish())
}

/// What a plan is carried out with.
struct Carrying<'a> {
    project: &'a Project,
    engine: &'a Engine,
    interrupts: &'a Interrupts,
    /// What became of what earlier runs left open.
    earlier: &'a mut Earlier,
}

async fn carry_out(
    plan: &Arc<Plan>,
    digest: Digest,
    judge: Judge<'_>,
    Carrying { project, engine, interrupts, earlier }: Carrying<'_>,
    manner: &Manner,
    context: &Context,
) -> Result<Option<Account>, ApplyError> {
    if plan.is_empty() {
        return Ok(None);
    }
    let info = project.run(manner.command, Some(digest));
    let (control, mut events) = follow::control(interrupts);
    let mut listener =
        follow::Listener::new(context, manner.json, plan.steps.len(), manner.command);
    listener.earlier = std::mem::take(earlier);
    let applied = engine.apply_judged(plan, &info, &control, judge);
    let account = follow::follow(applied, &mut events, &mut listener).await;
    *earlier = listener.finish();
    account.map(Some)
}

/// Accounts for what was done, if anything was to be done.
fn close(
    account: Option<Account>,
    outputs: &[tcloud_model::Output],
    manner: &Manner,
    context: &Context,
) -> Outcome {
    let Some(account) = account else { return Ok(Exit::Done) };
    if !manner.json {
        let text = account::render(&account, context.terminal.palette);
        context.terminal.print(&format!("\n{text}"));
        if account.is_success() && manner.command == "apply" && !outputs.is_empty() {
            context.terminal.print(&account::outputs(outputs, context.terminal.palette));
        }
    }
    if account.is_success() { Ok(Exit::Done) } else { Err(Failure::said(Exit::Failed)) }
}

/// Why a plan was not carried out, with the exit code that scripts ask for.
fn refused(error: ApplyError, manner: &Manner, context: &Context) -> Failure {
    let stale = |lines: Vec<String>| {
        let lines = list_lines(&lines, MOST_STALE);
        let message = format!("the plan is stale, nothing was changed\n  {lines}");
        Failure::new(message).help("plan again").exit(Exit::Stale)
    };
    match error {
        ApplyError::Stale(objects) => {
            let line = |own: &StaleObject| format!("{}: {}", own.object, escape(&own.changed));
            stale(objects.iter().map(line).collect())
        }
        ApplyError::Crowded(crowded) => stale(
            crowded.iter().map(|(owner, what)| format!("{owner}: {}", escape(what))).collect(),
        ),
        ApplyError::Doubted(doubts) => {
            let lines: Vec<String> =
                doubts.iter().map(|doubt| escape(doubt).into_owned()).collect();
            let lines = list_lines(&lines, MOST_STALE);
            let message =
                format!("the plan cannot be believed, and nothing was changed\n  {lines}");
            Failure::new(message).help(
                "the file was changed, or the text that lies beside it says otherwise by now; \
                 plan again",
            )
        }
        ApplyError::NeedsDecision => Failure::from(error).exit(Exit::Decision),
        ApplyError::CutOff { account, source } => {
            // In JSON it was the last event.
            if !manner.json {
                context.terminal.print(&account::render(&account, context.terminal.palette));
            }
            Failure::from(ApplyError::CutOff { account, source })
                .help("the next apply looks at what was under way, and goes on")
        }
        ApplyError::Secret(_) => Failure::from(error).help("nothing was changed"),
        ApplyError::Malformed(_) | ApplyError::Hold(_) => error.into(),
    }
}

/// How many stale objects are named.
const MOST_STALE: usize = 20;

fn list_lines(lines: &[String], most: usize) -> String {
    let mut shown = lines.iter().take(most).cloned().collect::<Vec<_>>();
    if lines.len() > most {
        shown.push(format!("and {} more", lines.len() - most));
    }
    shown.join("\n  ")
}
