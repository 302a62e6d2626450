//! What has to be known before anything else: decisions, guests, room.

use std::fmt::Write as _;

use indexmap::IndexMap;
use tcloud_planner::plan::Usage;

use super::inert::{code, id, prose, table};
use super::{Page, class};
use crate::guest::Guest;
use crate::lang::Lang;
use crate::text;

/// The most rows of a table; beyond them only the number is told.
pub(super) const MOST_ROWS: usize = 1_000;

/// The most names of guests in one row.
const NAMES: usize = 20;

impl Page<'_> {
    /// Everything before the changes.
    pub(super) fn summary(&self) -> String {
        let mut html = self.revision();
        html.push_str(&self.decisions());
        html.push_str(&self.running());
        html.push_str(&self.exposure());
        html.push_str(&self.usage());
        html
    }

    fn revision(&self) -> String {
        let plan = self.report.plan;
        let mut parts = Vec::new();
        if let Some(commit) = &self.report.origin.commit {
            parts.push(format!("Commit {}", code(commit)));
            if self.report.origin.uncommitted > 0 {
                let n = self.report.origin.uncommitted;
                let files = self.lang.many(n, ["file", "files"], ["Datei", "Dateien"]);
                let not = self.lang.say("not committed", "nicht committet");
                parts.push(format!("<strong>{files} {not}</strong>"));
            }
        }
        let unchanged = plan.unchanged;
        parts.push(self.lang.many(
            plan.changes.len(),
            ["change", "changes"],
            ["Änderung", "Änderungen"],
        ));
        parts.push(format!("{unchanged} {}", self.lang.say("unchanged", "unverändert")));
        if plan.left_out > 0 {
            let words = self.lang.say("left out", "ausgelassen");
            parts.push(format!("{} {words}", plan.left_out));
        }
        format!("<p>{}</p>\n", parts.join(" · "))
    }

    fn decisions(&self) -> String {
        let decisions = &self.report.plan.decisions;
        if decisions.is_empty() {
            return String::new();
        }
        let rows = decisions.iter().take(MOST_ROWS).map(|own| {
            let state = if own.agreed {
                self.lang.say("agreed", "zugestimmt")
            } else {
                self.lang.say("open", "offen")
            };
            vec![
                format!("<span id=\"{}\">{}</span>", id(&own.id), code(&own.id)),
                format!(
                    "<span class=\"tag danger\">{}</span> {}: {}",
                    self.lang.decision(own.kind),
                    code(&self.label(&own.address)),
                    prose(&self.lang.decided(own, self.report.plan))
                ),
                prose(&self.lang.owners(own)),
                state.to_owned(),
            ]
        });
        let title =
            self.lang.say("Decisions needed before apply", "Vor dem Anwenden zu entscheiden");
        let head = match self.lang {
            Lang::English => ["decision", "what", "who agrees", "state"],
            Lang::German => ["Entscheidung", "was", "wer zustimmt", "Stand"],
        };
        section("decisions", title, &table(title, &head, &rows.collect::<Vec<_>>()))
    }

    fn running(&self) -> String {
        if self.guests.is_empty() {
            return String::new();
        }
        // Guests to which the same happens for the same reason are one row.
        let mut fates: IndexMap<Vec<String>, Vec<String>> = IndexMap::new();
        for guest in &self.guests {
            fates.entry(self.fate(guest)).or_default().push(self.label(&guest.told.guest));
        }
        let rows = fates.into_iter().take(MOST_ROWS).map(|(fate, names)| {
            let shown: Vec<String> = names.iter().take(NAMES).map(|name| code(name)).collect();
            let mut cell = shown.join(", ");
            if names.len() > NAMES {
                let _ = write!(cell, " +{}", names.len() - NAMES);
            }
            std::iter::once(cell).chain(fate).collect()
        });
        let title = self.lang.say("What happens to running VMs", "Was mit laufenden VMs geschieht");
        let head = match self.lang {
            Lang::English => ["VM", "interruption", "down for", "addresses", "why"],
            Lang::German => ["VM", "Unterbrechung", "Ausfall", "Adressen", "warum"],
        };
        section("guests", title, &table(title, &head, &rows.collect::<Vec<_>>()))
    }

    fn fate(&self, guest: &Guest<'_>) -> Vec<String> {
        let told = guest.told;
        let impact = self.lang.notices(told, guest.worst);
        let class = if guest.is_quiet() { "calm" } else { class(guest.worst) };
        let mut why: Vec<String> = guest.why.iter().take(6).map(|name| code(name)).collect();
        if let Some(at) = told.causes.first() {
            why.push(code(&format!("{}:{}", self.report.origin.path(at), at.line)));
        }
        let moved: Vec<String> =
            told.addresses.iter().map(|own| prose(&self.lang.address_change(own))).collect();
        let stay = self.lang.say("stay", "bleiben").to_owned();
        vec![
            format!("<span class=\"tag {class}\">{impact}</span>"),
            self.lang.downtime(told.interruption),
            if moved.is_empty() { stay } else { moved.join(", ") },
            why.join(", "),
        ]
    }

    fn usage(&self) -> String {
        let usage = &self.report.plan.usage;
        if usage.is_empty() {
            return String::new();
        }
        // What changes or is nearly full stands first.
        let mut sorted: Vec<&Usage> = usage.iter().collect();
        sorted.sort_by_key(|own| (own.before == own.after, std::cmp::Reverse(text::percent(own))));
        let mut rows: Vec<Vec<String>> =
            sorted.iter().take(MOST_ROWS).map(|own| self.usage_row(own)).collect();
        rows.extend(self.report.plan.reserves.iter().map(|own| {
            let [what, before, after] = self.lang.reserve(own);
            let (class, word) = match own.after {
                ..0 => ("warn", self.lang.say("does not fit", "passt nicht")),
                0.. => ("calm", "ok"),
            };
            let word = format!("<span class=\"tag {class}\">{word}</span>");
            vec![prose(&what), before, after, "≥ 0".to_owned(), word, String::new()]
        }));
        let title = self.lang.say("Does it fit?", "Passt es?");
        let head = match self.lang {
            Lang::English => ["of what", ">before", ">after", ">limit", ">used", "bar"],
            Lang::German => ["wovon", ">vorher", ">nachher", ">Grenze", ">genutzt", "Balken"],
        };
        section("usage", title, &table(title, &head, &rows))
    }

    fn usage_row(&self, usage: &Usage) -> Vec<String> {
        let amount = |n: u64| if usage.bytes { self.lang.size(n) } else { n.to_string() };
        let host = usage.host.as_ref().map(|host| format!(" ({})", code(&text::host_name(host))));
        let percent = text::percent(usage);
        let percent = percent.map(|percent| match percent {
            90.. => format!("<span class=\"tag warn\">{percent} %</span>"),
            _ => format!("{percent} %"),
        });
        vec![
            format!(
                "{} {}{}",
                self.lang.resource(&usage.resource),
                code(&text::owner(usage)),
                host.unwrap_or_default()
            ),
            amount(usage.before),
            amount(usage.after),
            usage.limit.map(amount).unwrap_or_default(),
            percent.unwrap_or_default(),
            bar(usage),
        ]
    }

    /// What is not part of the change, and what nobody could look at.
    pub(super) fn rest(&self) -> String {
        let plan = self.report.plan;
        let mut html = String::new();
        if !plan.drift.is_empty() {
            let title = self.lang.say("Changed by hand (drift)", "Von Hand geändert (Drift)");
            let rows = plan.drift.iter().take(MOST_ROWS).map(|own| {
                let what: Vec<String> =
                    own.attributes.iter().map(|own| code(&text::attribute(own))).collect();
                let gone = self.lang.say("removed", "gelöscht").to_owned();
                vec![
                    code(&self.label(&own.object.address)),
                    if own.vanished { gone } else { what.join(", ") },
                ]
            });
            let head = [self.lang.say("object", "Objekt"), self.lang.say("what", "was")];
            html.push_str(&section(
                "drift",
                title,
                &table(title, &head, &rows.collect::<Vec<_>>()),
            ));
        }
        if !plan.pending.is_empty() {
            let rows = plan.pending.iter().take(MOST_ROWS).map(|own| {
                let what: Vec<String> =
                    own.attributes.iter().map(|own| code(&text::attribute(own))).collect();
                let opens = own.opens.as_ref().map(|opens| prose(&self.lang.opening(opens)));
                let what = what.into_iter().chain(opens).collect::<Vec<_>>();
                vec![code(&self.label(&own.object.address)), what.join(", ")]
            });
            let title = self.lang.waiting();
            let head = ["VM", self.lang.say("what", "was")];
            html.push_str(&section(
                "waiting",
                title,
                &table(title, &head, &rows.collect::<Vec<_>>()),
            ));
        }
        if !plan.unchecked.is_empty() {
            let gaps = plan.unchecked.iter().map(|gap| format!("<li>{}</li>\n", prose(gap)));
            let title = self.lang.say("Not checked", "Nicht geprüft");
            html.push_str(&section(
                "gaps",
                title,
                &format!("<ul>\n{}</ul>\n", gaps.collect::<String>()),
            ));
        }
        html
    }
}

pub(super) fn section(id: &str, title: &str, body: &str) -> String {
    format!("<section id=\"section-{id}\"><h2>{title}</h2>\n{body}</section>\n")
}

/// How full it is, before and with what is added. The numbers stand beside it.
fn bar(usage: &Usage) -> String {
    let Some(limit) = usage.limit.filter(|limit| *limit > 0) else { return String::new() };
    let part = |n: u64| u128::from(n.min(limit)) * 120 / u128::from(limit);
    let (before, after) = (part(usage.before), part(usage.after));
    format!(
        "<svg aria-hidden=\"true\" viewBox=\"0 0 120 14\" width=\"120\" height=\"14\">\
         <rect x=\"0\" y=\"0\" width=\"120\" height=\"14\"/>\
         <rect class=\"more\" x=\"0\" y=\"1\" width=\"{}\" height=\"12\"/>\
         <rect class=\"used\" x=\"0\" y=\"1\" width=\"{}\" height=\"12\"/></svg>",
        before.max(after),
        before.min(after)
    )
}
