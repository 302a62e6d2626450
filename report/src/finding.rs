//! What in a plan deserves a reviewer's eye, one by one: for formats that list findings at places of
//! the text. Worst first.

use tcloud_model::{Address, Digest, Impact, ObjectId, Position};
use tcloud_planner::Plan;
use tcloud_planner::plan::{Change, Decision, DecisionKind, Drift, Interruption, Usage};

use crate::format::Report;
use crate::guest::Guest;
use crate::lang::Lang;
use crate::text;

/// What kind of thing was found. A closed set; names and codes stay the same between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rule {
    DataLoss,
    Exposure,
    Protected,
    Blocked,
    Interruption,
    Capacity,
    Drift,
    Waiting,
    Unchecked,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    /// Somebody has to decide, or it cannot be done.
    Error,
    /// Somebody notices.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) rule: Rule,
    pub(crate) level: Level,
    /// What it is about; `None` for what no resource stands for.
    pub(crate) address: Option<&'a Address>,
    /// One sentence.
    pub(crate) message: String,
    /// Where in the text, the most telling first; may be empty.
    pub(crate) places: &'a [Position],
    /// Which of several findings about the address, in the same words as long as it is found;
    /// may be empty.
    pub(crate) which: String,
}

impl Rule {
    /// All rules, worst first.
    pub(crate) const ALL: [Rule; 9] = [
        Rule::DataLoss,
        Rule::Exposure,
        Rule::Protected,
        Rule::Blocked,
        Rule::Interruption,
        Rule::Capacity,
        Rule::Drift,
        Rule::Waiting,
        Rule::Unchecked,
    ];

    /// Its name: `data-loss`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rule::DataLoss => "data-loss",
            Rule::Exposure => "exposure",
            Rule::Protected => "protected",
            Rule::Blocked => "blocked",
            Rule::Interruption => "interruption",
            Rule::Capacity => "capacity",
            Rule::Drift => "drift",
            Rule::Waiting => "waiting",
            Rule::Unchecked => "unchecked",
        }
    }

    /// In a few words, without an end.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Rule::DataLoss => "Change destroys data",
            Rule::Exposure => "Others newly reach what is there",
            Rule::Protected => "Change destroys something protected",
            Rule::Blocked => "Change cannot be done",
            Rule::Interruption => "Guest is interrupted",
            Rule::Capacity => "Quota or capacity is nearly used up",
            Rule::Drift => "Somebody changed it by hand",
            Rule::Waiting => "Change waits for the guest to be stopped",
            Rule::Unchecked => "Something could not be checked",
        }
    }

    /// What to do about it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Rule::DataLoss => "Keep the volume, or agree to the loss by name.",
            Rule::Exposure => "Open less, or agree by naming the network.",
            Rule::Protected => "Leave it, or agree to its end by name.",
            Rule::Blocked => "Write what can be done without a loss.",
            Rule::Interruption => "Apply while nobody needs the guest, or leave the attribute.",
            Rule::Capacity => "Ask for more, or take less.",
            Rule::Drift => "Write into the text what shall stay; an apply sets the rest right.",
            Rule::Waiting => {
                "Stop and start the guest when it suits, or write `restart = \"now\"` or a window."
            }
            Rule::Unchecked => "Plan again when it can be reached.",
        }
    }

    /// The level that its findings usually have.
    pub(crate) fn level(self) -> Level {
        match self {
            Rule::DataLoss | Rule::Exposure | Rule::Protected | Rule::Blocked => Level::Error,
            Rule::Interruption | Rule::Capacity => Level::Warning,
            Rule::Drift | Rule::Waiting | Rule::Unchecked => Level::Note,
        }
    }
}

/// A quota counts as nearly used up from here, in percent.
const NEARLY: u64 = 90;

/// Everything that was found, worst first and then in the order of the plan.
pub(crate) fn all<'a>(report: &Report<'a>) -> Vec<Finding<'a>> {
    let plan = report.plan;
    let mut found: Vec<Finding<'a>> = Vec::new();
    found.extend(plan.decisions.iter().map(|decision| decided(decision, plan)));
    found.extend(crate::guest::all(plan).iter().filter_map(noticed));
    found.extend(plan.changes.iter().filter_map(changed));
    found.extend(plan.usage.iter().filter_map(used));
    found.extend(plan.drift.iter().map(drifted));
    found.extend(
        plan.unchecked.iter().map(|words| {
            Finding::new(Rule::Unchecked, Level::Note, None, text::clean(words), words)
        }),
    );
    found.sort_by_key(|finding| (finding.level, finding.rule));
    found
}

fn decided<'a>(decision: &'a Decision, plan: &'a Plan) -> Finding<'a> {
    let rule = match decision.kind {
        DecisionKind::DataLoss => Rule::DataLoss,
        DecisionKind::Protected => Rule::Protected,
        DecisionKind::Exposure => Rule::Exposure,
    };
    let level = if decision.agreed { Level::Warning } else { Level::Error };
    let mut message = format!("{}: {}", decision.id, text::clean(&decision.message));
    if decision.agreed {
        message.push_str(" (agreed)");
    }
    let change = plan.changes.iter().find(|change| change.object.address == decision.address);
    let change = change.map(|change| &change.causes[..]);
    // The rule that opens it tells more than the network that it stands in.
    let opening = plan.exposure.iter().find(|own| own.decision.as_ref() == Some(&decision.id));
    let causes = opening.map(|own| &own.causes[..]).or(change);
    Finding::new(rule, level, Some(&decision.address), message, "").at(causes.unwrap_or_default())
}

fn noticed<'a>(guest: &Guest<'a>) -> Option<Finding<'a>> {
    let Guest { told, worst, why: _ } = *guest;
    if told.interruption == Interruption::None {
        return None;
    }
    let mut parts = vec![Lang::English.notices(told, worst), text::interruption(told.interruption)];
    parts.extend(told.addresses.iter().map(text::address_change));
    let message = format!("{}: {}", told.guest, parts.join("; "));
    let rule = Rule::Interruption;
    Some(Finding::new(rule, rule.level(), Some(&told.guest), message, "").at(&told.causes))
}

fn changed(change: &Change) -> Option<Finding<'_>> {
    let address = &change.object.address;
    let rule = match change.impact {
        Impact::Blocked => Rule::Blocked,
        _ if change.waits => Rule::Waiting,
        _ => return None,
    };
    let message = format!("{address}: {}", text::change(change));
    Some(
        Finding::new(rule, rule.level(), Some(address), message, &whereabouts(&change.object))
            .at(&change.causes),
    )
}

fn used(usage: &Usage) -> Option<Finding<'_>> {
    let percent = text::percent(usage).filter(|percent| *percent >= NEARLY)?;
    // What was nearly full before and does not become fuller is not about this change.
    if usage.after <= usage.before && percent <= 100 {
        return None;
    }
    let host = usage.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
    let message = format!("{}{host}: {}", usage.owner, text::usage(usage));
    let which = format!("{}{host}", usage.resource);
    Some(Finding::new(Rule::Capacity, Level::Warning, Some(&usage.owner), message, &which))
}

fn drifted(drift: &Drift) -> Finding<'_> {
    let address = &drift.object.address;
    let what: Vec<String> = drift.attributes.iter().map(text::attribute).collect();
    let what = if drift.vanished { "removed".to_owned() } else { what.join(", ") };
    let message = format!("{address}: changed by hand: {what}");
    Finding::new(Rule::Drift, Level::Note, Some(address), message, &whereabouts(&drift.object))
}

/// Which of the objects of an address it is.
fn whereabouts(object: &ObjectId) -> String {
    format!("on {}", object.host)
}

impl<'a> Finding<'a> {
    fn new(
        rule: Rule,
        level: Level,
        address: Option<&'a Address>,
        message: String,
        which: &str,
    ) -> Finding<'a> {
        Finding { rule, level, address, message, places: &[], which: text::clean(which) }
    }

    fn at(self, places: &'a [Position]) -> Finding<'a> {
        Finding { places, ..self }
    }

    /// The same for the same finding in the next plan, whatever line it moved to.
    pub(crate) fn fingerprint(&self) -> String {
        let address = self.address.map(ToString::to_string).unwrap_or_default();
        let parts = [self.rule.name(), &address, &self.which];
        Digest::of_bytes(parts.join("\0").as_bytes()).to_string()
    }

    /// The tenant that it is about.
    pub(crate) fn tenant(&self) -> Option<&'a Address> {
        self.address.and_then(Address::tenant)
    }
}
