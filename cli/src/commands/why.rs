//! `tcloud why`: the chain of causes behind what a plan would do to one resource.

use std::collections::BTreeSet;

use tcloud_model::{Address, Evaluator, Position};
use tcloud_planner::plan::{Change, Decision, Exposure, GuestImpact, Plan, Reason};

use super::{Context, find, look};
use crate::arguments::Why;
use crate::blame;
use crate::failure::{Exit, Outcome};
use crate::view::why::Chain;

pub(super) async fn run(arguments: &Why, context: &Context) -> Outcome {
    let root = context.path(None);
    let known = look::look(root.clone(), &arguments.inputs, context).await?;
    let desired = known.text.program.desired();
    let mut all: BTreeSet<&Address> = desired.resources.keys().collect();
    all.extend(known.plan.changes.iter().map(|change| &change.object.address));
    let address = find::find(&arguments.address, all.iter().copied())?;
    let declared = desired.resources.get(address);
    let changes = chain(&known.plan, address);
    let exposure = exposure(&known.plan, address);
    let place = declared.map(|own| known.text.sources.position(own.span));
    let places: Vec<&Position> = changes
        .iter()
        .flat_map(|change| {
            change.attributes.iter().flat_map(|own| &own.causes).chain(&change.causes)
        })
        .chain(exposure.iter().flat_map(|own| &own.causes))
        .chain(&place)
        .collect();
    let authors = blame::authors(&root, None, places.iter().copied());
    let chain = Chain {
        address,
        place: place.as_ref(),
        decisions: decisions(&known.plan, &changes, &exposure),
        guests: guests(&known.plan, &changes),
        changes,
        exposure,
        needs: declared.map(|own| &own.dependencies[..]).unwrap_or_default(),
        plan: &known.plan,
        sources: &known.text.sources,
        authors: &authors,
    };
    if arguments.json {
        context.terminal.json(&chain.json());
    } else {
        context.terminal.print(&chain.text(context.terminal.palette));
    }
    Ok(Exit::Done)
}

/// The changes of an address, and after each what it follows from. A plan has no circles; should one
/// have, each change is told once.
fn chain<'p>(plan: &'p Plan, address: &Address) -> Vec<&'p Change> {
    let mut chain: Vec<&Change> = Vec::new();
    let mut next: Vec<&Address> = vec![address];
    let mut told: BTreeSet<&Address> = BTreeSet::new();
    while let Some(address) = next.pop() {
        if !told.insert(address) {
            continue;
        }
        for change in plan.changes.iter().filter(|change| change.object.address == *address) {
            chain.push(change);
            if let Reason::Follows(leader) = &change.reason {
                next.push(leader);
            }
        }
    }
    chain
}

/// Who newly reaches it, or reaches others from it.
fn exposure<'p>(plan: &'p Plan, address: &Address) -> Vec<&'p Exposure> {
    use tcloud_planner::plan::Place;
    let concerns = |place: &Place| match place {
        Place::Network(own) | Place::Guest(own) => own == address,
        Place::World | Place::Space(_) | Place::Tenant(_) => false,
    };
    let all = plan.exposure.iter();
    all.filter(|own| {
        let named = || own.from.named.iter().chain(&own.to.named).any(|vm| vm == address);
        concerns(&own.from.place) || concerns(&own.to.place) || named()
    })
    .collect()
}

fn decisions<'p>(plan: &'p Plan, changes: &[&Change], exposure: &[&Exposure]) -> Vec<&'p Decision> {
    let about = |decision: &&Decision| {
        changes.iter().any(|change| change.object.address == decision.address)
            || exposure.iter().any(|own| own.decision.as_ref() == Some(&decision.id))
    };
    plan.decisions.iter().filter(about).collect()
}

/// The guests that notice, each with the worst that happens to it.
fn guests<'p>(plan: &'p Plan, changes: &[&Change]) -> Vec<&'p GuestImpact> {
    let noticed = |guest: &Address| {
        changes
            .iter()
            .any(|change| change.guests.contains(guest) || change.object.address == *guest)
    };
    plan.guests.iter().filter(|own| noticed(&own.guest)).collect()
}
