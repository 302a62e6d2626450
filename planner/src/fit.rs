//! Whether a plan that was made earlier still fits: what others have made since takes room, addresses
//! and MACs too.

use std::net::IpAddr;

use indexmap::IndexMap;
use tcloud_model::value::human_size;
use tcloud_model::{Address, Diagnostic, Name, Value};

use crate::facts::Facts;
use crate::input::Input;
use crate::make::takes_room;
use crate::outcome::Outcome;
use crate::plan::{Plan, Usage};
use crate::usage::{Holding, usage};

/// What no longer fits: whose room or which network it is, and what took it, in words.
pub type Crowded = (Address, String);

/// What a plan makes or grows and does not fit any more, beside what is there now.
///
/// # Errors
/// Statements of the text that cannot be followed.
pub fn crowded(plan: &Plan, input: &Input<'_>) -> Result<Vec<Crowded>, Vec<Diagnostic>> {
    let makes = plan.steps.iter().filter_map(|step| step.operation.as_ref());
    if !makes.into_iter().any(|operation| takes_room(&operation.object.address)) {
        return Ok(Vec::new());
    }
    let facts = Facts::gather_again(input, input.evaluator.desired())?;
    let outcome = Outcome::of(plan, &facts, takes_room);
    if outcome.is_only_less() {
        return Ok(Vec::new());
    }
    let mut crowded = full(plan, input, &facts, &outcome);
    crowded.extend(given_twice(&outcome));
    Ok(crowded)
}

/// Quotas, hosts and pools that would be given out beyond their limit, and further than the plan told.
fn full(plan: &Plan, input: &Input<'_>, facts: &Facts<'_>, outcome: &Outcome<'_>) -> Vec<Crowded> {
    let table = usage(
        input.evaluator.desired(),
        input.observed,
        input.deployment,
        &facts.adopted,
        outcome.before(),
        outcome.after(),
    );
    let told: IndexMap<Line<'_>, u64> =
        plan.usage.iter().map(|line| (key(line), line.after)).collect();
    let mut crowded = Vec::new();
    for line in &table {
        let Some(limit) = line.limit.filter(|limit| line.after > *limit) else { continue };
        let planned = told.get(&key(line)).copied().unwrap_or(0);
        if line.after <= planned.max(line.before) {
            continue;
        }
        let amount = |amount: u64| if line.bytes { human_size(amount) } else { amount.to_string() };
        let (would, limit) = (amount(line.after), amount(limit));
        let since = amount(line.after - planned);
        let what = format!(
            "{would} {} of {limit} would be in use: {since} more than when the plan was made{}",
            line.resource,
            holders(line, outcome)
        );
        crowded.push((line.owner.clone(), what));
    }
    crowded
}

type Line<'a> = (&'a Address, Option<&'a Address>, &'a Name);

fn key(line: &Usage) -> Line<'_> {
    (&line.owner, line.host.as_ref(), &line.resource)
}

/// How many of those who have the room are named.
const NAMED: usize = 5;

/// Who has the room beside the plan.
fn holders(line: &Usage, outcome: &Outcome<'_>) -> String {
    let storage = line.resource == "storage";
    let counts = |held: &Holding<'_>| {
        let is_volume = held.address.kind() != "vm";
        let of_pool = held.attributes.reference("pool") == Some(&line.owner)
            && line.host.as_ref() == Some(held.host);
        let owns = held.address.tenant() == Some(&line.owner) || *held.host == line.owner;
        is_volume == storage && (owns || of_pool)
    };
    let all: Vec<String> =
        outcome.kept().filter(counts).map(|held| held.address.to_string()).collect();
    match all.len() {
        0 => String::new(),
        more if more > NAMED => {
            format!("; it is held by {} and {} more", all[..NAMED].join(", "), more - NAMED)
        }
        _ => format!("; it is held by {}", all.join(", ")),
    }
}

/// Addresses and MACs that the plan gives and somebody has by now.
fn given_twice(outcome: &Outcome<'_>) -> Vec<Crowded> {
    // Most plans are small beside what is there, and the first one is about everything.
    let few_made = outcome.made().count() < outcome.kept().count();
    let shared = match few_made {
        true => shared(outcome.made(), outcome.kept()),
        false => shared(outcome.kept(), outcome.made()),
    };
    let told = shared.into_iter().map(|Shared { network, value, one, other }| {
        let (own, holder) = if few_made { (one, other) } else { (other, one) };
        (network.clone(), format!("{own} would get {value}, which {holder} has by now"))
    });
    told.collect()
}

/// An address or a MAC that two guests have.
struct Shared<'a> {
    network: &'a Address,
    value: &'a Value,
    one: &'a Address,
    other: &'a Address,
}

fn shared<'a>(
    few: impl Iterator<Item = Holding<'a>>,
    many: impl Iterator<Item = Holding<'a>>,
) -> Vec<Shared<'a>> {
    let mut given: IndexMap<(&Address, Number), &Address> = IndexMap::new();
    for held in few {
        for (network, number, _) in numbers(&held) {
            given.insert((network, number), held.address);
        }
    }
    let mut shared = Vec::new();
    for held in many.filter(|_| !given.is_empty()) {
        for (network, number, value) in numbers(&held) {
            let other = held.address;
            if let Some(one) = given.get(&(network, number)).filter(|one| **one != other) {
                shared.push(Shared { network, value, one, other });
            }
        }
    }
    shared
}

/// What no two guests of a network may have.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Number {
    Address(IpAddr),
    Mac([u8; 6]),
}

/// The addresses and MACs of a guest, each with its network.
fn numbers<'a>(held: &Holding<'a>) -> Vec<(&'a Address, Number, &'a Value)> {
    let mut numbers = Vec::new();
    for (_, nic) in held.attributes.map("nic").into_iter().flat_map(|nics| nics.iter()) {
        let Value::Map(nic) = nic else { continue };
        let Some(network) = nic.reference("network") else { continue };
        for value in [nic.get("address"), nic.get("mac")].into_iter().flatten() {
            match value {
                Value::Ip(ip) => numbers.push((network, Number::Address(*ip), value)),
                Value::Mac(mac) => numbers.push((network, Number::Mac(*mac), value)),
                _ => {}
            }
        }
    }
    numbers
}
