//! The plan as text: worst first, one line for each change and three for a dangerous one, what
//! stays, what it uses, what has to be decided, and at the end what to run next.

mod fold;
mod reach;
pub(crate) mod row;
#[cfg(test)]
mod tests;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tcloud_model::{Address, Fields, ObjectId, ObservedState, parallel};
use tcloud_planner::Plan;
use tcloud_planner::plan::{
    Action, Change, Decision, DecisionKind, GuestImpact, Interruption, Pending, Reason,
};
use tcloud_report::text as report;

use self::row::Row;
use crate::escape::escape;
use crate::terminal::{Palette, Tone, WIDTH};
use crate::view::layout::{count, list, quote, wrap};

/// How a plan is shown.
pub(crate) struct PlanView<'a> {
    /// Colours.
    pub(crate) palette: Palette,
    /// Every line, nothing folded.
    pub(crate) everything: bool,
    /// What was observed; unknown for a plan that comes from a file.
    pub(crate) observed: Option<&'a ObservedState>,
    /// What can be run next.
    pub(crate) next: Next<'a>,
}

/// What can be run next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next<'a> {
    /// The plan was only shown; this command carries it out.
    Run(&'a str),
    /// The plan was saved: the command that applies it, and the one that made it. What is agreed to
    /// is part of a plan.
    Saved { apply: &'a str, plan: &'a str },
    /// It is applied now.
    Nothing,
}

impl PlanView<'_> {
    /// The whole text.
    pub(crate) fn render(&self, plan: &Plan) -> String {
        let mut text = self.head(plan);
        text.push_str(&self.changes(plan));
        text.push_str(&self.counts(plan));
        text.push_str(&self.pending(&plan.pending));
        let usage = usage::render(&plan.usage, self.palette, self.everything);
        if !usage.is_empty() {
            let _ = write!(text, "\n{usage}");
        }
        text.push_str(&usage::reserves(&plan.reserves, self.palette, self.everything));
        for gap in &plan.unchecked {
            let word = self.palette.paint(Tone::Warning, "not checked");
            let _ = write!(text, "\n  {word}: {}\n", wrap(&escape(gap), WIDTH - 15, 15));
        }
        text.push_str(&self.decisions(&plan.decisions));
        let _ = write!(
            text,
            "\n{}\n",
            self.palette.paint(Tone::Strong, &wrap(&sentence(plan), WIDTH, 6))
        );
        text.push_str(&self.next(plan));
        text
    }

    fn head(&self, plan: &Plan) -> String {
        let hosts = self.observed.map(|observed| {
            let asked = observed.hosts.len();
            let answered = observed.hosts.iter().filter(|host| host.facts.is_some()).count();
            match asked == answered {
                true => format!(" · {} read", count(asked, "host")),
                false => format!(" · {answered} of {} read", count(asked, "host")),
            }
        });
        let name = self.palette.paint(Tone::Strong, &plan.deployment.name);
        format!("{name}{}\n", hosts.unwrap_or_default())
    }

    fn changes(&self, plan: &Plan) -> String {
        if plan.changes.is_empty() {
            return String::new();
        }
        let notices = notices(plan);
        let numbered = (0..).zip(&plan.changes).zip(plan.made());
        let numbered: Vec<((u32, &Change), Option<&Fields>)> = numbered.collect();
        let rows = parallel::each(&numbered, |&((at, change), new)| Row {
            notices: notices.get(&at),
            ..Row::of(change, new)
        });
        let mut rows: Vec<Row<'_>> = rows.collect();
        rows.sort_by_key(|row| row.rank);
        fold::merge(&mut rows);
        let rows = if self.everything { rows } else { fold::fold(rows) };
        let width = row::name_width(&rows);
        let mut text = String::from("\n");
        let (worst, rest) = rows.split_at(rows.partition_point(|row| row.rank <= row::POWER_CYCLE));
        worst.iter().for_each(|row| text.push_str(&row.render(self.palette, width)));
        text.push_str(&reach::there(&plan.exposure, self.palette, self.everything));
        rest.iter().for_each(|row| text.push_str(&row.render(self.palette, width)));
        if rows.iter().any(|row| row.folded.is_some()) {
            text.push_str("              one by one with --verbose\n");
        }
        text.push_str(&reach::made(&plan.exposure, self.palette, self.everything));
        text
    }

    fn counts(&self, plan: &Plan) -> String {
        let mut parts = vec![format!("{} unchanged", plan.unchanged)];
        if plan.left_out > 0 {
            parts.push(format!("{} left out", plan.left_out));
        }
        let asked = plan.changes.iter().filter(|_| !plan.drift.is_empty());
        let changed: BTreeSet<&ObjectId> = asked.map(|change| &change.object).collect();
        let back = plan.drift.iter().filter(|drift| changed.contains(&drift.object)).count();
        let left = plan.drift.len() - back;
        if back > 0 {
            let done = if only_records(plan) { "only remembered" } else { "set right" };
            parts.push(format!("{back} changed by hand and {done}"));
        }
        if left > 0 {
            parts.push(format!("{left} changed by hand and left alone (tcloud drift)"));
        }
        if plan.foreign > 0 {
            parts.push(format!("{} not ours, never touched", plan.foreign));
        }
        format!("\n  {}\n", parts.join(" · "))
    }

    fn pending(&self, pending: &[Pending]) -> String {
        let mut text = String::new();
        let shown = if self.everything { pending.len() } else { pending.len().min(6) };
        if !pending.is_empty() {
            let verb = if pending.len() == 1 { "waits" } else { "wait" };
            let guests = count(pending.len(), "guest");
            let _ = write!(text, "\n  {guests} {verb} for a stop and start:\n");
        }
        for guest in pending.iter().take(shown) {
            let attributes: Vec<String> = guest.attributes.iter().map(row::attribute).collect();
            let address = guest.object.address.to_string();
            let room = WIDTH.saturating_sub(6 + address.len());
            let _ = writeln!(text, "    {address}  {}", list(&attributes, room));
            if let Some(opens) = &guest.opens {
                let _ = writeln!(text, "      its window opens {opens}");
            }
        }
        if shown < pending.len() {
            let _ = writeln!(text, "    and {} more (--verbose)", pending.len() - shown);
        }
        text
    }

    fn decisions(&self, decisions: &[Decision]) -> String {
        let mut text = String::new();
        for decision in decisions {
            let tone = if decision.agreed { Tone::Good } else { Tone::Danger };
            let state = if decision.agreed { "agreed" } else { "to be decided" };
            let head = format!("{} {state}", decision.id);
            let _ = write!(
                text,
                "\n  {}: {}\n",
                self.palette.paint(tone, &head),
                wrap(&escape(&decision.message), WIDTH - 20, 6)
            );
            if !decision.agreed {
                if decision.kind == DecisionKind::Exposure && !decision.owners.is_empty() {
                    let owners: Vec<String> =
                        decision.owners.iter().map(Address::last_name).collect();
                    let _ = writeln!(text, "     who:      {}", list(&owners, WIDTH - 15));
                }
                let _ = writeln!(text, "     to agree: {}", consent(decision));
                let _ = writeln!(
                    text,
                    "     help:     {}",
                    wrap(&escape(&decision.help), WIDTH - 15, 15)
                );
            }
        }
        text
    }

    fn next(&self, plan: &Plan) -> String {
        let (apply, saved) = match self.next {
            Next::Run(apply) => (apply, None),
            Next::Saved { apply, plan } => (apply, Some(plan)),
            Next::Nothing => return String::new(),
        };
        if plan.is_empty() {
            return String::new();
        }
        let open: Vec<String> = plan.decisions.iter().filter(|d| !d.agreed).map(consent).collect();
        let apply = apply.to_owned();
        let mut lines = Vec::new();
        let worst = plan.changes.iter().min_by_key(|change| row::rank(change));
        if let Some(worst) = worst.filter(|change| row::rank(change) < row::CREATE) {
            let address = quote(&worst.object.address.to_string());
            lines.push((format!("tcloud show {address}"), "what exactly, and why"));
        }
        let signed = plan.decisions.iter().any(|d| !d.agreed && !d.approvers.is_empty());
        if open.is_empty() {
            lines.push((apply, "makes it so"));
        } else if signed {
            match saved {
                Some(_) => lines.push((apply, "when it is signed, by tcloud agree as above")),
                None => {
                    let saved =
                        apply.replacen("tcloud apply", "tcloud plan", 1) + " --out PLANFILE";
                    lines.push((saved, "to be signed, by tcloud agree, and then applied"));
                }
            }
        } else if let Some(plan) = saved.filter(|_| open.len() <= 2) {
            lines.push((apply, "asks for each name"));
            lines.push((format!("{plan} {}", open.join(" ")), "agrees in the plan, for a script"));
        } else if open.len() <= 2 {
            lines.push((apply.clone(), "asks for each name"));
            lines.push((format!("{apply} {}", open.join(" ")), "agrees in a script"));
        } else {
            lines.push((apply, "asks for each name; in a script, agree as above"));
        }
        let widest = lines.iter().map(|(command, _)| command.len()).max().unwrap_or(0).min(60);
        let mut text = String::from("\n");
        for (command, what) in lines {
            let line = format!("  {command:<widest$}   {what}");
            let _ = writeln!(
                text,
                "{}",
                if command.len() > widest { format!("  {command}") } else { line }
            );
        }
        text
    }
}

/// What guests notice, by the number of the change that does the worst to them: the one that is down
/// the longest stands for all.
fn notices(plan: &Plan) -> BTreeMap<u32, String> {
    let longest = |own: &GuestImpact| match own.interruption {
        Interruption::None => 0,
        Interruption::Measured { max, .. } => max,
        Interruption::Unknown | Interruption::Gone => u64::MAX,
    };
    let mut all: BTreeMap<u32, &GuestImpact> = BTreeMap::new();
    for own in plan.guests.iter().filter(|own| own.interruption != Interruption::None) {
        let known = all.entry(own.change).or_insert(own);
        if longest(own) > longest(known) {
            *known = own;
        }
    }
    let words = |own: &GuestImpact| {
        let addresses = own.addresses.iter().map(report::address_change);
        let parts = std::iter::once(report::interruption(own.interruption)).chain(addresses);
        parts.collect::<Vec<_>>().join(" · ")
    };
    all.into_iter().map(|(change, own)| (change, words(own))).collect()
}

/// What to pass to agree, or who has to sign.
pub(crate) fn consent(decision: &Decision) -> String {
    if !decision.approvers.is_empty() {
        let names = escape(&decision.approvers.join(" or ")).into_owned();
        return format!("tcloud agree PLANFILE {}, signed by {names}", decision.id);
    }
    format!("--allow {}", quote(&format!("{}={}", decision.kind.word(), decision.address)))
}

/// What the plan comes to, in one sentence.
fn sentence(plan: &Plan) -> String {
    if plan.is_empty() && plan.changes.is_empty() {
        return match (plan.unchecked.is_empty(), plan.pending.is_empty()) {
            (true, true) if plan.left_out > 0 => "Nothing to do in what is not left out.".to_owned(),
            (true, true) => "Nothing to do: what runs is what the text says.".to_owned(),
            (true, false) if plan.pending.iter().any(|own| own.opens.is_some()) => {
                "Nothing to do until what waits is stopped and started, or a window opens.".to_owned()
            }
            (true, false) => {
                "Nothing to do until what waits is stopped and started (restart = \"now\" lets apply \
                 do it)."
                    .to_owned()
            }
            (false, _) => "Nothing to do, as far as could be checked.".to_owned(),
        };
    }
    let summary = plan.summary();
    let of = |actions: &[Action]| -> usize {
        actions.iter().filter_map(|action| summary.actions.get(action)).sum()
    };
    let lost = plan.changes.iter().filter(|change| loses(change)).count();
    let stopped = plan.changes.iter().filter(|c| c.switches_off()).count();
    let cycled = plan.changes.iter().filter(|change| change.power_cycles()).count();
    let replaced = of(&[Action::ReplaceDeleteFirst, Action::ReplaceCreateFirst]);
    let counts = [
        (of(&[Action::Create]), "to create"),
        (of(&[Action::Update]), "to change"),
        (replaced, "to make anew"),
        (of(&[Action::Migrate]), "to migrate"),
        (of(&[Action::Delete]), "to delete"),
        (of(&[Action::Adopt]), "to adopt"),
        (of(&[Action::Move]), "to rename"),
        (of(&[Action::Forget]), "to forget"),
    ];
    let mut parts: Vec<String> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if only_records(plan) {
        let gone = plan.changes.iter().filter(|change| report::is_gone(change)).count();
        let written = plan.changes.len() - gone;
        parts.clear();
        parts.extend(
            (written > 0).then(|| format!("{} brought up to date", count(written, "record"))),
        );
        parts.extend((gone > 0).then(|| format!("{} forgotten", count(gone, "record"))));
        return format!("Plan: {}. No host is changed.", parts.join(", "));
    }
    let mut text = format!("Plan: {}.", parts.join(", "));
    if lost > 0 {
        let _ = match lost {
            1 => write!(text, " 1 object loses its data."),
            lost => write!(text, " {lost} objects lose their data."),
        };
    }
    if stopped > 0 {
        let _ = write!(text, " {} stopped.", count(stopped, "guest"));
    }
    if cycled > 0 {
        let _ = write!(text, " {} stopped and started.", count(cycled, "guest"));
    }
    let open = plan.decisions.iter().filter(|decision| !decision.agreed).count();
    if open > 0 {
        let _ = write!(text, " {} open.", count(open, "decision"));
    }
    text
}

/// Whether nothing is done on any host.
fn only_records(plan: &Plan) -> bool {
    let refreshed = |change: &Change| {
        report::is_gone(change)
            || (change.action == Action::Update && change.reason == Reason::Drift)
    };
    !plan.changes.is_empty()
        && plan.changes.iter().all(refreshed)
        && plan.steps.iter().all(|step| step.operation.is_none())
}

fn loses(change: &Change) -> bool {
    change.impact == tcloud_model::Impact::RecreateLose && change.written != Some(0)
}
