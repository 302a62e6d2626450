//! Makes a plan: the order of the planner's work.

use std::collections::BTreeSet;
use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Cidr, DesiredGraph, DesiredResource, Diagnostic, Fields, Name, Output,
    Position, parallel,
};

use crate::check::check;
use crate::consent::{decide_exposure, decisions};
use crate::decide::{Decided, decide};
use crate::draft::Draft;
use crate::exposure::{Places, exposure};
use crate::facts::{Facts, Known};
use crate::follow::{follow, spread_create_first};
use crate::guest::guests;
use crate::held::refuse_held;
use crate::input::{Goal, Input};
use crate::lack::refuse_lacking;
use crate::layout::{Chosen, Layout, causes, lay_out};
use crate::plan::{Change, Exposure, Pending, Plan, Usage};
use crate::refresh::refresh;
use crate::reserve::reserves;
use crate::same::Existing;
use crate::select::Selection;
use crate::steps::ordered;
use crate::usage::{Holding, usage};

/// Makes the plan for these facts and wishes: the same every time. It may hold open decisions; the
/// caller refuses to apply it then.
///
/// # Errors
/// What keeps a truthful plan from being made: text that cannot be followed, what fits nowhere,
/// failed checks.
///
/// # Panics
/// When the finished plan breaks an invariant, which is a bug.
pub fn plan(input: &Input<'_>) -> Result<Plan, Vec<Diagnostic>> {
    let plan = match input.wishes.goal {
        Goal::Refresh => refresh(input)?,
        Goal::Apply | Goal::Destroy => make(input)?,
    };
    let broken = check(&plan, input);
    assert!(broken.is_empty(), "BUG: the plan breaks its own rules: {}", broken.join("; "));
    Ok(plan)
}

fn make(input: &Input<'_>) -> Result<Plan, Vec<Diagnostic>> {
    let desired = input.evaluator.desired();
    let mut facts = Facts::gather(input, desired)?;
    let mut layout = lay_out(input, &facts)?;
    spread_create_first(&mut layout, &facts);
    let selection = Selection::new(input, &facts, &layout)?;
    let existing = existing(desired);
    let mut decided = decide(input, &mut facts, &layout, &selection, &existing)?;
    follow(input, &facts, &layout, &selection, &mut decided)?;
    refuse_held(input, &facts, &layout, &selection, &decided)?;
    refuse_lacking(input, &layout, &decided.drafts)?;
    let mut decisions = decisions(input, &facts, &layout, &decided.drafts);
    let outputs = outputs(input, &layout);
    layout.chosen = Chosen::default(); // Nobody asks for it any more.
    let (mut exposure, (ordered, usage)) = parallel::both(
        parallel::threads_for(decided.drafts.len()),
        || exposed(input, &facts, &layout, &selection, &decided.drafts),
        || {
            let usage = fill_levels(input, &facts, &layout, &selection, &decided.drafts);
            (ordered(input, &facts, &layout, &existing, &decided.drafts), usage)
        },
    );
    let steps = ordered.steps()?;
    decide_exposure(input, &mut exposure, &mut decisions);
    let reserves = reserves(&usage, desired, input.observed);
    let outputs = outputs?;
    let foreign = facts.foreign.len();
    let Decided { drafts, drift, pending, unchanged, left_out, mut unchecked } = decided;
    unchecked.extend(selection.notes);
    unchecked.extend(partly_read(input));
    let pending = still_pending(pending, &drafts);
    let mut changes: Vec<Change> = drafts.into_iter().map(Draft::into_change).collect();
    changes.shrink_to_fit(); // They took the place of the drafts, which are larger.
    Ok(Plan {
        guests: guests(&changes),
        deployment: input.deployment.clone(),
        configuration: desired.digest,
        changes,
        drift,
        decisions,
        exposure,
        steps,
        usage,
        reserves,
        pending,
        outputs,
        unchanged,
        left_out,
        foreign,
        unchecked,
    })
}

/// Names on the hypervisors of what the text only refers to.
fn existing(desired: &DesiredGraph) -> Existing {
    let declared = desired.resources.iter().filter(|(_, resource)| resource.lifecycle.existing);
    declared
        .map(|(address, resource)| (address.clone(), name_of_existing(address, resource)))
        .collect()
}

/// The name on its hosts of an object that the text only refers to.
pub(crate) fn name_of_existing(address: &Address, resource: &DesiredResource) -> Name {
    let name = resource.attributes.text("name");
    name.map_or_else(|| Name::from(address.last_name()), Name::new)
}

fn outputs(input: &Input<'_>, layout: &Layout<'_>) -> Result<Vec<Output>, Vec<Diagnostic>> {
    if input.wishes.goal == Goal::Destroy {
        return Ok(Vec::new());
    }
    let outputs = input.evaluator.outputs(&layout.chosen)?;
    let checks = input.evaluator.checks(&layout.chosen);
    let failures: Vec<Diagnostic> = checks.into_iter().flat_map(|check| check.failures).collect();
    if failures.is_empty() { Ok(outputs) } else { Err(failures) }
}

/// Guests whose changes go on waiting: not those that this plan stops and starts, or removes.
fn still_pending(pending: Vec<Pending>, drafts: &[Draft]) -> Vec<Pending> {
    let touched: indexmap::IndexSet<&Address> = drafts
        .iter()
        .filter(|draft| draft.power_cycle || draft.deletes())
        .map(|draft| &draft.object.address)
        .collect();
    pending.into_iter().filter(|own| !touched.contains(&own.object.address)).collect()
}

/// Hosts that answered and could not read everything.
fn partly_read(input: &Input<'_>) -> Vec<String> {
    let answered = input.observed.hosts.iter().filter(|host| host.facts.is_some());
    answered
        .flat_map(|host| host.problems.iter().map(|problem| format!("{}: {problem}", host.host)))
        .collect()
}

fn fill_levels(
    input: &Input<'_>,
    facts: &Facts<'_>,
    layout: &Layout<'_>,
    selection: &Selection,
    drafts: &[Draft],
) -> Vec<Usage> {
    let anew = drafts.iter().filter(|draft| draft.replaces());
    let anew: BTreeSet<&Address> = anew.map(|draft| &draft.object.address).collect();
    let Sides { before, after } = sides(input, facts, layout, (selection, &anew), takes_room);
    usage(
        input.evaluator.desired(),
        input.observed,
        input.deployment,
        &facts.adopted,
        before,
        after,
    )
}

/// Who reaches whom matters only where something changes, and is nobody's question when everything
/// is taken down.
fn exposed(
    input: &Input<'_>,
    facts: &Facts<'_>,
    layout: &Layout<'_>,
    selection: &Selection,
    drafts: &[Draft],
) -> Vec<Exposure> {
    let matters = |draft: &Draft| reaches(&draft.object.address);
    if input.wishes.goal == Goal::Destroy || !drafts.iter().any(matters) {
        return Vec::new();
    }
    let anew = BTreeSet::new();
    let Sides { before, after } = sides(input, facts, layout, (selection, &anew), reaches);
    exposure(before, after, &Text { input, layout })
}

struct Text<'t, 'a> {
    input: &'t Input<'a>,
    layout: &'t Layout<'a>,
}

impl Places for Text<'_, '_> {
    fn of_rule(&self, target: &Address, space: Cidr) -> Vec<Position> {
        let rules = self.layout.firewall.rules(target, space);
        rules.flat_map(|(owner, path)| causes(self.input, owner, Some(path))).collect()
    }

    fn of_attribute(&self, owner: &Address, path: &[&str]) -> Vec<Position> {
        let mut names = path.iter();
        let first = AttrPath::attribute(*names.next().unwrap_or(&""));
        causes(self.input, owner, Some(&names.fold(first, |path, name| path.field(*name))))
    }

    fn of_block(&self, owner: &Address) -> Vec<Position> {
        causes(self.input, owner, None)
    }
}

/// What there is before and after the plan.
struct Sides<B, A> {
    before: B,
    after: A,
}

fn sides<'s>(
    input: &'s Input<'_>,
    facts: &'s Facts<'_>,
    layout: &'s Layout<'_>,
    (selection, anew): (&'s Selection, &'s BTreeSet<&Address>),
    counts: fn(&Address) -> bool,
) -> Sides<impl Iterator<Item = Holding<'s>>, impl Iterator<Item = Holding<'s>>> {
    let destroys = input.wishes.goal == Goal::Destroy;
    let held = move |known: &'s Known<'_>| -> Option<Holding<'s>> {
        let attributes: &Arc<Fields> = known.attributes()?;
        let (address, host) = (&known.object.address, &known.object.host);
        (known.exists() && counts(address)).then_some(Holding { address, host, attributes })
    };
    let before = facts.known.iter().filter_map(held);
    let stays =
        |address: &Address| !selection.selects(address) || selection.forgets(address).is_some();
    // Nearly always all hosts answer, and then nobody needs to be asked about.
    let silent = facts.known.iter().any(|known| !known.answered);
    let unseen = move |address: &Address| silent && is_silent(facts, address);
    let kept = facts
        .known
        .iter()
        .filter(move |known| !known.answered || stays(&known.object.address))
        .filter_map(held);
    let made = layout.wanted.iter().filter(move |(address, _)| {
        !destroys && counts(address) && !stays(address) && !unseen(address)
    });
    let made = made.filter_map(|(address, wanted)| {
        let host = wanted.hosts.first()?;
        // What is made anew is made as the text says.
        let kept = wanted.kept.as_ref().filter(|_| !anew.contains(address));
        let attributes = kept.unwrap_or(&wanted.attributes);
        Some(Holding { address, host, attributes })
    });
    Sides { before, after: kept.chain(made) }
}

fn is_silent(facts: &Facts<'_>, address: &Address) -> bool {
    facts.current(address, None).is_some_and(|known| !known.answered)
}

pub(crate) fn takes_room(address: &Address) -> bool {
    matches!(address.kind().as_str(), "vm" | "volume" | "disk")
}

/// Whether it has to do with who reaches whom.
pub(crate) fn reaches(address: &Address) -> bool {
    matches!(address.kind().as_str(), "vm" | "network")
}
