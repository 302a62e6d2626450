//! What has to be so: plans, orders, accounts, and the worlds of the hosts.

use std::collections::{BTreeMap, BTreeSet};

use tcloud_engine::{Account, ApplyEvent};
use tcloud_model::{Address, Diagnostic, Impact};
use tcloud_planner::plan::{Action, Change, Decision, DecisionKind, Plan, Step, StepId};
use tcloud_provider_sim::{Contents, Control};

use crate::lab::Lab;
use crate::run::control;
use crate::suite::Block;

/// The pools and images of the ground are there in every scenario and expected in none.
fn is_ground(address: &Address) -> bool {
    address.to_string().starts_with("site.lab.")
}

fn same(expected: &BTreeSet<String>, found: &BTreeSet<String>) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let missing: Vec<_> = expected.difference(found).collect();
    let surplus: Vec<_> = found.difference(expected).collect();
    Err(format!("missing: {missing:#?}\nnot expected: {surplus:#?}"))
}

fn lines(block: &Block) -> BTreeSet<String> {
    block.lines().map(str::to_owned).collect()
}

/// The changes of a plan, each in a line: `update tenant.t.vm.a power-cycle waits`.
pub(crate) fn changes(block: &Block, plan: &Plan) -> Result<(), String> {
    let changes = plan.changes.iter().filter(|change| !is_ground(&change.object.address));
    let pending = plan.pending.iter().map(|pending| {
        let opens = pending.opens.as_ref().map(|opens| format!(" opens {opens}"));
        format!("pending {}{}", pending.object.address, opens.unwrap_or_default())
    });
    // An impact may be left out of a line.
    let expected = lines(block);
    let found = changes.map(|change| {
        let (short, long) = (line(change, false), line(change, true));
        if expected.contains(&short) { short } else { long }
    });
    same(&expected, &found.chain(pending).collect())
}

fn line(change: &Change, with_impact: bool) -> String {
    let mut line = format!("{} {}", change.action.word(), change.object.address);
    if with_impact && change.action != Action::Create {
        line = format!("{line} {}", change.impact);
        if change.impact == Impact::PowerCycle && change.waits {
            line.push_str(" waits");
        }
        line.extend(change.opens.as_ref().map(|opens| format!(" opens {opens}")));
        line.extend(change.until.as_ref().map(|until| format!(" until {until}")));
    }
    line
}

/// The drifted attributes of a plan: `tenant.t.vm.a autostart`.
pub(crate) fn drift(block: &Block, plan: &Plan) -> Result<(), String> {
    let found = plan.drift.iter().flat_map(|drift| {
        let address = &drift.object.address;
        drift.attributes.iter().map(move |attribute| format!("{address} {}", attribute.path))
    });
    same(&lines(block), &found.collect())
}

/// The open decisions of a plan: `data-loss tenant.t.volume.a`.
pub(crate) fn decisions(block: &Block, plan: &Plan) -> Result<(), String> {
    let open = plan.decisions.iter().filter(|decision| !decision.agreed);
    for decision in open.clone() {
        // What would be deleted can be forgotten instead; what would be made anew cannot.
        let ways_out = ["forget", "undo the change"];
        let has_way_out = ways_out.iter().any(|words| decision.help.contains(words));
        if !has_way_out {
            return Err(format!("the help does not say what to write: {}", decision.help));
        }
    }
    same(&lines(block), &open.map(decision_line).collect())
}

fn decision_line(decision: &Decision) -> String {
    let kind = match decision.kind {
        DecisionKind::DataLoss => "data-loss",
        DecisionKind::Protected => "protected",
        DecisionKind::Exposure => "exposure",
    };
    format!("{kind} {}", decision.address)
}

/// The diagnostics: in each line a code, and words that the message or its labels hold.
pub(crate) fn diagnostics(block: &Block, found: &[Diagnostic]) -> Result<(), String> {
    let texts: Vec<String> = found.iter().map(|diagnostic| format!("{diagnostic:?}")).collect();
    for line in block.lines() {
        let (code, words) = line.split_once(' ').unwrap_or((line, ""));
        let mut pairs = found.iter().zip(&texts);
        if !pairs.any(|(diagnostic, text)| diagnostic.code.0 == code && text.contains(words)) {
            return Err(format!("no `{line}` in {}", crate::run::in_words(found)));
        }
    }
    Ok(())
}

/// What became of the steps: `failed ADDRESS`, `skipped ADDRESS`, `unknown ADDRESS`.
pub(crate) fn account(block: &Block, account: &Account) -> Result<(), String> {
    let Account { done: _, failed, skipped, unknown, interrupted: _ } = account;
    let all = [("failed", failed), ("skipped", skipped), ("unknown", unknown)];
    let found = all.into_iter().flat_map(|(word, troubles)| {
        troubles.iter().map(move |trouble| format!("{word} {}", trouble.object.address))
    });
    same(&lines(block), &found.collect())
}

/// Chains such as `delete A < create A < update B`: each is before the next in the graph of steps.
pub(crate) fn order(block: &Block, plan: &Plan) -> Result<(), String> {
    for line in block.lines() {
        let items: Vec<&str> = line.split('<').map(str::trim).collect();
        for item in &items {
            if matching(plan, item).is_empty() {
                return Err(format!("`{item}` is not a step of {:#?}", steps(plan)));
            }
        }
        for pair in items.windows(2) {
            precedes(plan, pair[0], pair[1])?;
        }
    }
    Ok(())
}

/// Everything that waits, and for what: `create B after create A`, each line one of all.
pub(crate) fn waits(block: &Block, plan: &Plan) -> Result<(), String> {
    let name = |step: &Step| {
        let address = step_address(step).filter(|address| !is_ground(address))?;
        Some(format!("{} {address}", verb(step)?))
    };
    let found = plan.steps.iter().flat_map(|step| {
        let before = step.after.iter().map(|before| &plan.steps[before.0 as usize]);
        before.filter_map(move |before| Some(format!("{} after {}", name(step)?, name(before)?)))
    });
    same(&lines(block), &found.collect())
}

fn verb(step: &Step) -> Option<&'static str> {
    step.operation.as_ref().map(|operation| operation.action.word())
}

fn steps(plan: &Plan) -> Vec<String> {
    let name = |step: &Step| Some(format!("{} {}", verb(step)?, step_address(step)?));
    plan.steps.iter().filter_map(name).collect()
}

fn step_address(step: &Step) -> Option<&Address> {
    step.operation.as_ref().map(|operation| &operation.object.address)
}

fn matching<'a>(plan: &'a Plan, item: &str) -> Vec<&'a Step> {
    let Some((word, address)) = item.split_once(' ') else { return Vec::new() };
    let is_it = |step: &&Step| {
        verb(step) == Some(word) && step_address(step).is_some_and(|own| own.to_string() == address)
    };
    plan.steps.iter().filter(is_it).collect()
}

/// Every step that matches `second` waits for every one that matches `first`. Updates are judged
/// less strictly: a guest may let go of something in one step and take hold of it in another.
fn precedes(plan: &Plan, first: &str, second: &str) -> Result<(), String> {
    let (earlier, later) = (matching(plan, first), matching(plan, second));
    let mut pairs = later.iter().flat_map(|later| {
        let before = ancestors(plan, later.id);
        earlier.iter().map(move |step| before.contains(&step.id))
    });
    let is_update = first.starts_with("update") || second.starts_with("update");
    let holds = if is_update { pairs.any(|waits| waits) } else { pairs.all(|waits| waits) };
    if holds { Ok(()) } else { Err(format!("`{second}` does not wait for `{first}`")) }
}

fn ancestors(plan: &Plan, of: StepId) -> BTreeSet<StepId> {
    let mut seen = BTreeSet::new();
    let mut open = vec![of];
    while let Some(id) = open.pop() {
        for before in &plan.steps[id.0 as usize].after {
            if seen.insert(*before) {
                open.push(*before);
            }
        }
    }
    seen
}

/// No step began before everything that it waits for was finished (I7).
pub(crate) fn order_of_events(plan: &Plan, events: &[ApplyEvent]) -> Result<(), String> {
    let mut finished = BTreeSet::new();
    for event in events {
        match event {
            ApplyEvent::StepStarted { step, object, .. } => {
                let step = &plan.steps[*step as usize];
                if step.after.iter().any(|before| !finished.contains(&before.0)) {
                    return Err(format!("{object} began before what it waits for was finished"));
                }
            }
            ApplyEvent::StepFinished { step, .. } => {
                finished.insert(*step);
            }
            _ => {}
        }
    }
    Ok(())
}

/// An object with attributes: `tenant.t.vm.a memory=4GiB boots=1 running=true`.
pub(crate) fn world(lab: &Lab, line: &str) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let address = words.next().ok_or("an address is missing")?;
    let mut found = false;
    for host in lab.hosts() {
        for listing in control(lab, &host.to_string())?.list().map_err(|e| e.to_string())? {
            let stamp = listing.object.stamp.as_ref();
            if stamp.is_none_or(|stamp| stamp.address.to_string() != address) {
                continue;
            }
            found = true;
            let mut facts = BTreeMap::from([("boots".to_owned(), listing.boots.to_string())]);
            for (name, value) in listing.object.attributes.iter() {
                facts.insert(name.to_string(), value.to_string());
            }
            facts.insert("running".into(), listing.object.running.unwrap_or(false).to_string());
            for word in words.clone() {
                let (name, value) = word.split_once('=').ok_or("a fact is name=value")?;
                let own = facts.get(name).map_or("not set", String::as_str);
                if own != value {
                    return Err(format!("{address}: {name} is {own} and not {value}"));
                }
            }
        }
    }
    if found { Ok(()) } else { Err(format!("{address} is on no host")) }
}

/// An object without our stamp: `vm handmade on site.lab.host.one`.
pub(crate) fn foreign(lab: &Lab, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, name, "on", host] = words.as_slice() else {
        return Err("a line is `KIND NAME on HOST`".to_owned());
    };
    let all = control(lab, host)?.list().map_err(|error| error.to_string())?;
    let is_it = |object: &tcloud_model::ObservedObject| {
        object.kind == **kind && object.name == **name && object.stamp.is_none()
    };
    match all.iter().any(|listing| is_it(&listing.object)) {
        true => Ok(()),
        false => Err(format!("there is no foreign {kind} {name}")),
    }
}

/// Where objects are: `A != B`, `A == site.m.host.one`.
pub(crate) fn hosts(lab: &Lab, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [left, relation, right] = words.as_slice() else {
        return Err("a line is `A != B` or `A == B`".to_owned());
    };
    let (left, right) = (host_of(lab, left)?, host_of(lab, right)?);
    match (*relation, left == right) {
        ("==", true) | ("!=", false) => Ok(()),
        _ => Err(format!("not so: {left} {relation} {right}")),
    }
}

fn host_of(lab: &Lab, address: &str) -> Result<String, String> {
    for host in lab.hosts() {
        let text = host.to_string();
        if text == address || has(&mut control(lab, &text)?, address)? {
            return Ok(text);
        }
    }
    Err(format!("{address} is on no host"))
}

/// Whether a host has an object with the stamp of an address.
pub(crate) fn has(control: &mut Control, address: &str) -> Result<bool, String> {
    let all = control.list().map_err(|error| error.to_string())?;
    let stamps = all.iter().filter_map(|listing| listing.object.stamp.as_ref());
    Ok(stamps.into_iter().any(|stamp| stamp.address.to_string() == address))
}

/// Every world, as text.
pub(crate) fn dump(lab: &Lab) -> Result<String, String> {
    let hosts = lab.hosts();
    let dumps = hosts.iter().map(|host| {
        let mut control = control(lab, &host.to_string())?;
        control.dump(Contents::Stable).map_err(|error| error.to_string())
    });
    dumps.collect()
}
