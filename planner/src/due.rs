//! What a finished plan asks people to agree to, told from its steps and from what is there: a plan
//! that was read from a file says of itself whatever somebody wrote into it.

use indexmap::IndexMap;
use tcloud_model::{
    Address, Cidr, Diagnostic, Name, Operation, OperationKind, Position, Role, kinds,
};
use uuid::Uuid;

use crate::check::check;
use crate::consent::decide_exposure;
use crate::exposure::{Places, exposure};
use crate::facts::{Facts, Known};
use crate::input::Input;
use crate::layout::protects;
use crate::make::reaches;
use crate::outcome::Outcome;
use crate::plan::{Decision, DecisionKind, Plan, Reason, Step};

/// A decision that a plan has to have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// What it is about.
    pub address: Address,
    /// What is at stake.
    pub kind: DecisionKind,
    /// Who has to agree, sorted.
    pub owners: Vec<Address>,
}

/// What keeps a plan that somebody else may have written from being believed, in words: rules that
/// it breaks, steps that touch another object than they say, and decisions that it leaves out. The
/// text is the one that it is applied with. Stale plans are to be sorted out before.
pub fn doubts(plan: &Plan, input: &Input<'_>) -> Vec<String> {
    let mut doubts = check(plan, input);
    let facts = match Facts::gather_again(input, input.evaluator.desired()) {
        Ok(facts) => facts,
        Err(diagnostics) => {
            doubts.extend(diagnostics.into_iter().map(|diagnostic| diagnostic.message));
            return doubts;
        }
    };
    let lives = Lives::of(&facts);
    for operation in plan.steps.iter().filter_map(|step| step.operation.as_ref()) {
        let object = &operation.object;
        for known in lives.meant(operation).filter(|own| own.object.address != object.address) {
            doubts.push(format!("what it calls {object} is {}", known.object));
        }
    }
    for own in all_due(plan, input, &facts) {
        if !plan.decisions.iter().any(|decision| own.is_met_by(decision)) {
            let (kind, address) = (own.kind.word(), own.address);
            doubts.push(format!("it has no decision `{kind}` about {address}, which it needs"));
        }
    }
    doubts
}

/// The decisions that a plan has to have, sorted.
///
/// # Errors
/// Statements of the text that cannot be followed.
pub fn due(plan: &Plan, input: &Input<'_>) -> Result<Vec<Due>, Vec<Diagnostic>> {
    let facts = Facts::gather_again(input, input.evaluator.desired())?;
    Ok(all_due(plan, input, &facts))
}

fn all_due(plan: &Plan, input: &Input<'_>, facts: &Facts<'_>) -> Vec<Due> {
    let lives = Lives::of(facts);
    let mut due: IndexMap<&Address, Due> = IndexMap::new();
    for step in &plan.steps {
        let Some(operation) = &step.operation else { continue };
        for known in lives.meant(operation) {
            let address = &known.object.address;
            let Some(kind) = stake(plan, input, step, operation, known) else { continue };
            let owners = address.tenant().cloned().into_iter().collect();
            due.entry(address).or_insert_with(|| Due { address: address.clone(), kind, owners });
        }
    }
    let mut due: Vec<Due> = due.into_values().collect();
    due.extend(openings(plan, input, facts));
    due.sort();
    due
}

impl Due {
    fn is_met_by(&self, decision: &Decision) -> bool {
        // Who agrees to the loss of the data agrees to the loss of the object.
        let covers = decision.kind == self.kind
            || (self.kind, decision.kind) == (DecisionKind::Protected, DecisionKind::DataLoss);
        covers && decision.address == self.address && decision.owners == self.owners
    }
}

/// What is there and ours, by all that a provider may find it by.
struct Lives<'f, 'a> {
    by_name: IndexMap<(&'f Address, &'f Name, &'f Name), &'f Known<'a>>,
    by_uuid: IndexMap<(&'f Address, Uuid), &'f Known<'a>>,
}

impl<'f, 'a> Lives<'f, 'a> {
    fn of(facts: &'f Facts<'a>) -> Lives<'f, 'a> {
        let mut lives = Lives { by_name: IndexMap::new(), by_uuid: IndexMap::new() };
        for known in &facts.known {
            let Some(live) = known.live.filter(|live| !live.is_unfinished()) else { continue };
            let host = &known.object.host;
            lives.by_name.insert((host, &live.kind, &live.name), known);
            lives.by_uuid.extend(live.uuid.map(|uuid| ((host, uuid), known)));
        }
        lives
    }

    /// Every object that an operation may mean, whatever it says of its address.
    fn meant(&self, operation: &Operation) -> impl Iterator<Item = &'f Known<'a>> + use<'f, 'a> {
        let (host, identity) = (&operation.object.host, &operation.identity);
        let named = self.by_name.get(&(host, &operation.kind, &identity.name)).copied();
        let numbered = self.by_uuid.get(&(host, identity.uuid)).copied();
        named.into_iter().chain(numbered)
    }
}

/// What a deletion puts at stake.
fn stake(
    plan: &Plan,
    input: &Input<'_>,
    step: &Step,
    operation: &Operation,
    known: &Known<'_>,
) -> Option<DecisionKind> {
    let live = known.live.filter(|_| matches!(operation.action, OperationKind::Delete))?;
    let empty = live.kind == "disk" && live.written == Some(0);
    if kinds::HOLDS_DATA.iter().any(|kind| live.kind == *kind) && !empty {
        return Some(DecisionKind::DataLoss);
    }
    let schema = input.catalog.get(&live.kind);
    let declared = input.evaluator.desired().resources.get(&known.object.address);
    // A host that no longer needs a network loses its copy; the network stays.
    let per_host = schema.is_some_and(|schema| schema.role == Role::PerHost);
    let reason = plan.changes.get(step.change as usize).map(|change| &change.reason);
    if per_host && declared.is_some() && reason == Some(&Reason::Placement) {
        return None;
    }
    let protected = match declared {
        Some(declared) => declared
            .lifecycle
            .protect
            .unwrap_or_else(|| schema.is_some_and(|schema| protects(schema))),
        None => {
            let stamped = known.stamp().is_some_and(|stamp| stamp.protect);
            stamped || known.record.is_some_and(|record| record.stamp.protect)
        }
    };
    protected.then_some(DecisionKind::Protected)
}

/// What becomes open, when the networks and guests of the steps are what they say.
fn openings(plan: &Plan, input: &Input<'_>, facts: &Facts<'_>) -> Vec<Due> {
    let outcome = Outcome::of(plan, facts, reaches);
    if outcome.is_only_less() {
        return Vec::new();
    }
    let mut lines = exposure(outcome.before(), outcome.after(), &Nowhere);
    let mut decisions = Vec::new();
    decide_exposure(input, &mut lines, &mut decisions);
    let due = decisions.into_iter().map(|decision| {
        let Decision { address, kind, owners, .. } = decision;
        Due { address, kind, owners }
    });
    due.collect()
}

/// Nobody asks where in the text it stands.
struct Nowhere;

impl Places for Nowhere {
    fn of_rule(&self, _: &Address, _: Cidr) -> Vec<Position> {
        Vec::new()
    }

    fn of_attribute(&self, _: &Address, _: &[&str]) -> Vec<Position> {
        Vec::new()
    }

    fn of_block(&self, _: &Address) -> Vec<Position> {
        Vec::new()
    }
}
