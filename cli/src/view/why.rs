//! Why something happens: each change with the lines of the text behind it and who wrote them, what it
//! follows from, what it opens, and what has to be decided.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;
use tcloud_model::{Address, Position, SourceFile, Sources};
use tcloud_planner::Plan;
use tcloud_planner::plan::{Change, Condition, Decision, Exposure, GuestImpact, Reason};
use tcloud_report::text as report;
use tcloud_report::text::host_name;
use tcloud_report::{Author, Authors};

use crate::escape::escape;
use crate::terminal::{Palette, Tone, WIDTH};
use crate::view::layout::{shorten_end, wrap};
use crate::view::plan::consent;
use crate::view::plan::row;

/// How many guests are named.
const GUESTS: usize = 12;

/// Everything behind what happens to one resource.
pub(crate) struct Chain<'a> {
    pub(crate) address: &'a Address,
    /// Where the text declares it, if it does.
    pub(crate) place: Option<&'a Position>,
    /// Its changes, and after each what it follows from.
    pub(crate) changes: Vec<&'a Change>,
    pub(crate) exposure: Vec<&'a Exposure>,
    pub(crate) decisions: Vec<&'a Decision>,
    pub(crate) guests: Vec<&'a GuestImpact>,
    /// What it needs.
    pub(crate) needs: &'a [Address],
    pub(crate) plan: &'a Plan,
    pub(crate) sources: &'a Sources,
    pub(crate) authors: &'a Authors,
}

impl Chain<'_> {
    /// As text.
    pub(crate) fn text(&self, palette: Palette) -> String {
        let mut text = format!("{}\n", palette.paint(Tone::Strong, &self.address.to_string()));
        for component in self.components() {
            let _ = writeln!(text, "  made by {component}");
        }
        if self.changes.is_empty() {
            text.push_str("\nA plan would change nothing here.\n");
            self.places(&mut text, self.place, palette);
        }
        for change in &self.changes {
            self.change(&mut text, change, palette);
        }
        self.opens(&mut text, palette);
        self.noticed(&mut text);
        for decision in &self.decisions {
            self.decision(&mut text, decision, palette);
        }
        text
    }

    /// The components that it is a part of, outermost first.
    fn components(&self) -> Vec<&Address> {
        let all = self.address.ancestry();
        let known = ["tenant", "site", "vm"];
        let inner = all.into_iter().filter(|own| *own != self.address);
        inner.filter(|own| !known.contains(&own.kind().as_str())).collect()
    }

    fn change(&self, text: &mut String, change: &Change, palette: Palette) {
        let object = &change.object;
        let head = match object.address == *self.address {
            true => format!("{} on {}", change.action.word(), host_name(&object.host)),
            false => format!("{}: {}", object.address, change.action.word()),
        };
        let waits = match (change.waits, change.now()) {
            (true, Some(_)) => ", that at its next start",
            (true, None) => ", at its next start",
            (false, _) => "",
        };
        let _ =
            write!(text, "\n{} ({}{waits})\n", palette.paint(Tone::Strong, &head), change.impact);
        let reason = format!("because {}", report::reason(&change.reason));
        let _ = writeln!(text, "  {}", wrap(&reason, WIDTH - 2, 4));
        if let Some(window) = report::window(change) {
            let _ = writeln!(text, "  {window}");
        }
        let mut told: BTreeSet<&Position> = BTreeSet::new();
        for attribute in &change.attributes {
            let line = format!("{}: {}", row::attribute(attribute), attribute.impact);
            let _ = writeln!(text, "  {}", wrap(&escape(&line), WIDTH - 2, 4));
            told.extend(&attribute.causes);
            self.places(text, &attribute.causes, palette);
        }
        self.places(text, change.causes.iter().filter(|own| !told.contains(own)), palette);
        if change.action == tcloud_planner::plan::Action::Create {
            self.made_before(text);
        }
    }

    /// What has to be there first, and changes as well.
    fn made_before(&self, text: &mut String) {
        let changes =
            |own: &&Address| self.plan.changes.iter().any(|change| change.object.address == **own);
        for needed in self.needs.iter().filter(changes) {
            let _ = writeln!(text, "  after {needed}");
        }
    }

    /// Places with the line that stands there and who wrote it.
    fn places<'p>(
        &self,
        text: &mut String,
        places: impl IntoIterator<Item = &'p Position>,
        palette: Palette,
    ) {
        for place in places {
            let author = self.authors.get(&(place.path.to_string(), place.line)).map(author);
            let author = author.map(|author| format!("   {author}")).unwrap_or_default();
            let line = shorten_end(&escape(&format!("{place}{author}")), WIDTH - 6);
            let _ = writeln!(text, "      {}", palette.paint(Tone::Faint, &line));
            if let Some(line) = self.line(place) {
                let _ = writeln!(text, "        | {}", shorten_end(&escape(line), WIDTH - 10));
            }
        }
    }

    fn line(&self, place: &Position) -> Option<&str> {
        let file = self.sources.iter().map(|(_, file)| file).find(|own| own.path == place.path)?;
        let number = usize::try_from(place.line.checked_sub(1)?).ok()?;
        let line = SourceFile::line_range(file, number);
        file.text.get(line).map(str::trim).filter(|line| !line.is_empty())
    }

    fn opens(&self, text: &mut String, palette: Palette) {
        for own in &self.exposure {
            let tone = if own.decision.is_some() { Tone::Danger } else { Tone::Strong };
            let _ = write!(text, "\n{}\n", wrap(&palette.paint(tone, &own.sentence()), WIDTH, 2));
            self.places(text, &own.causes, palette);
        }
    }

    fn noticed(&self, text: &mut String) {
        if !self.guests.is_empty() {
            text.push_str("\nnoticed by\n");
        }
        for own in self.guests.iter().take(GUESTS) {
            let mut parts = vec![report::interruption(own.interruption)];
            parts.extend(own.condition.map(|own| match own {
                Condition::NextStart => "what changes waits for its next start".to_owned(),
                own => report::condition(own).to_owned(),
            }));
            parts.extend(own.addresses.iter().map(report::address_change));
            let who = match own.guest == *self.address {
                true => "the guest itself".to_owned(),
                false => own.guest.to_string(),
            };
            let _ = writeln!(text, "  {who}: {}", parts.join(", "));
        }
        if self.guests.len() > GUESTS {
            let _ = writeln!(text, "  and {} more", self.guests.len() - GUESTS);
        }
    }

    fn decision(&self, text: &mut String, decision: &Decision, palette: Palette) {
        let state = if decision.agreed { "agreed" } else { "to be decided" };
        let head = format!("{} {state}", decision.id);
        let message = wrap(&escape(&decision.message), WIDTH - 20, 4);
        let _ = write!(text, "\n{}: {message}\n", palette.paint(Tone::Danger, &head));
        let owners: Vec<String> = decision.owners.iter().map(Address::last_name).collect();
        if !owners.is_empty() {
            let _ = writeln!(text, "  who agrees: {}", owners.join(", "));
        }
        let _ = writeln!(text, "  to agree:   {}", consent(decision));
        let _ = writeln!(text, "  help:       {}", wrap(&escape(&decision.help), WIDTH - 14, 14));
    }

    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let place = |own: &Position| {
            let author = self.authors.get(&(own.path.to_string(), own.line));
            json!({ "path": own.path, "line": own.line, "column": own.column,
                "text": self.line(own), "author": author })
        };
        let places = |all: &[Position]| all.iter().map(place).collect::<Vec<_>>();
        let changes = self.changes.iter().map(|change| {
            let attributes = change.attributes.iter().map(|own| {
                json!({ "path": own.path, "impact": own.impact, "text": report::attribute(own),
                    "causes": places(&own.causes) })
            });
            let follows = match &change.reason {
                Reason::Follows(address) => Some(address),
                _ => None,
            };
            json!({ "address": change.object.address, "host": change.object.host,
                "action": change.action, "impact": change.impact, "waits": change.waits,
                "opens": change.opens, "until": change.until,
                "because": report::reason(&change.reason), "follows": follows,
                "attributes": attributes.collect::<Vec<_>>(), "causes": places(&change.causes) })
        });
        let exposure = self.exposure.iter().map(|own| {
            json!({ "text": own.sentence(), "decision": own.decision, "causes": places(&own.causes) })
        });
        let guests = self.guests.iter().map(|own| {
            json!({ "guest": own.guest, "impact": own.impact,
                "text": report::interruption(own.interruption) })
        });
        json!({
            "format": "tcloud-why/1",
            "address": self.address,
            "place": self.place.map(place),
            "components": self.components(),
            "changes": changes.collect::<Vec<_>>(),
            "exposure": exposure.collect::<Vec<_>>(),
            "guests": guests.collect::<Vec<_>>(),
            "decisions": self.decisions,
        })
    }
}

/// `a1b2c3d4e5 Erika Muster: Open the database`.
fn author(own: &Author) -> String {
    match &own.commit {
        Some(commit) => format!("{commit} {}: {}", own.name, own.summary),
        None => "not committed".to_owned(),
    }
}
