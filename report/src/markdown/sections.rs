//! The parts of the comment before and after the changes, each a table or a list.

use std::fmt::Write as _;

use tcloud_planner::plan::Usage;

use super::inert::{code, prose};
use super::table::table;
use super::{Detail, Page, sign};
use crate::guest::Guest;
use crate::lang::Lang;
use crate::text;

impl Page<'_> {
    pub(super) fn decisions(&self, detail: &Detail) -> String {
        let rows = self.report.plan.decisions.iter().map(|decision| {
            let state = if decision.agreed {
                ["✅ agreed", "✅ zugestimmt"]
            } else {
                ["⏳ open", "⏳ offen"]
            };
            vec![
                code(&decision.id),
                format!(
                    "🛑 **{}**: {} – {}",
                    self.lang.decision(decision.kind),
                    code(&self.label(&decision.address)),
                    prose(&self.lang.decided(decision, self.report.plan))
                ),
                prose(&self.lang.owners(decision)),
                self.lang.say(state[0], state[1]).to_owned(),
            ]
        });
        let head = match self.lang {
            Lang::English => ["", "What", "Who agrees", "State"],
            Lang::German => ["", "Was", "Wer zustimmt", "Stand"],
        };
        table(self.lang, &head, &rows.collect::<Vec<_>>(), detail.rows)
    }

    pub(super) fn running(&self, detail: &Detail) -> String {
        // Guests to which the same happens for the same reason are one row.
        let mut rows: indexmap::IndexMap<Vec<String>, Vec<String>> = indexmap::IndexMap::new();
        for guest in &self.guests {
            if guest.is_quiet() && !detail.quiet_rows {
                continue;
            }
            rows.entry(self.fate(guest)).or_default().push(self.label(&guest.told.guest));
        }
        let rows = rows.into_iter().map(|(fate, names)| {
            let shown: Vec<String> = names.iter().take(5).map(|name| code(name)).collect();
            let mut cell = shown.join(", ");
            if names.len() > 5 {
                let _ = write!(cell, " +{}", names.len() - 5);
            }
            std::iter::once(cell).chain(fate).collect()
        });
        let head = match self.lang {
            Lang::English => ["VM", "Interruption", "Down for", "Addresses", "Why"],
            Lang::German => ["VM", "Unterbrechung", "Ausfall", "Adressen", "Warum"],
        };
        table(self.lang, &head, &rows.collect::<Vec<_>>(), detail.rows)
    }

    fn fate(&self, guest: &Guest<'_>) -> Vec<String> {
        let told = guest.told;
        let impact = self.lang.notices(told, guest.worst);
        let impact = match guest.is_quiet() {
            true => format!("✅ {impact}"),
            false => format!("{} **{impact}**", sign(guest.worst)),
        };
        let mut why: Vec<String> = guest.why.iter().take(4).map(|name| code(name)).collect();
        if let Some(at) = told.causes.first() {
            let file = at.path.rsplit('/').next().unwrap_or_default();
            why.push(code(&format!("{file}:{}", at.line)));
        }
        let moved: Vec<String> =
            told.addresses.iter().map(|own| prose(&self.lang.address_change(own))).collect();
        let stay = self.lang.say("stay", "bleiben").to_owned();
        vec![
            impact,
            self.lang.downtime(told.interruption),
            if moved.is_empty() { stay } else { moved.join(", ") },
            why.join(", "),
        ]
    }

    /// What changes or is nearly full.
    pub(super) fn usage(&self, detail: &Detail) -> String {
        let usage = &self.report.plan.usage;
        let telling = usage.iter().filter(|own| own.before != own.after || is_tight(own));
        let mut rows: Vec<Vec<String>> = telling.map(|own| self.usage_row(own)).collect();
        let rest = usage.len() - rows.len();
        rows.extend(self.report.plan.reserves.iter().map(|own| {
            let [what, before, after] = self.lang.reserve(own);
            let word = match own.after {
                ..0 => self.lang.say("⚠️ does not fit", "⚠️ passt nicht"),
                0.. => "ok",
            };
            vec![prose(&what), before, after, "≥ 0".to_owned(), word.to_owned()]
        }));
        let head = match self.lang {
            Lang::English => ["", "before", "after", "limit", ""],
            Lang::German => ["", "vorher", "nachher", "Grenze", ""],
        };
        let mut text = table(self.lang, &head, &rows, detail.rows);
        if rest > 0 {
            let lines = self.lang.many(
                rest,
                ["other quota or capacity stays", "other quotas and capacities stay"],
                ["weitere Quote oder Kapazität bleibt", "weitere Quoten und Kapazitäten bleiben"],
            );
            let _ = writeln!(text, "\n{lines} {}.", self.lang.say("as before", "wie zuvor"));
        }
        text
    }

    fn usage_row(&self, usage: &Usage) -> Vec<String> {
        let amount = |n: u64| if usage.bytes { self.lang.size(n) } else { n.to_string() };
        let host = usage.host.as_ref().map(|host| format!(" ({})", code(&text::host_name(host))));
        let percent = text::percent(usage)
            .map(|percent| format!("{}{percent} %", if is_tight(usage) { "⚠️ " } else { "" }));
        let after = amount(usage.after);
        vec![
            format!(
                "{} {}{}",
                self.lang.resource(&usage.resource),
                code(&text::owner(usage)),
                host.unwrap_or_default()
            ),
            amount(usage.before),
            if usage.before == usage.after { after } else { format!("**{after}**") },
            usage.limit.map(amount).unwrap_or_default(),
            percent.unwrap_or_default(),
        ]
    }

    pub(super) fn drift(&self, detail: &Detail) -> String {
        let drift = &self.report.plan.drift;
        if drift.is_empty() {
            return String::new();
        }
        let lines = drift.iter().take(detail.rows.min(100)).map(|own| {
            let what: Vec<String> = own.attributes.iter().map(text::attribute).collect();
            let what = if own.vanished {
                self.lang.say("removed", "gelöscht").to_owned()
            } else {
                code(&what.join(", "))
            };
            format!("- {}: {what}\n", code(&self.label(&own.object.address)))
        });
        let lines: String = lines.collect();
        let title = self.lang.say("Changed by hand (drift)", "Von Hand geändert (Drift)");
        format!("<details><summary>{title}: {}</summary>\n\n{lines}\n</details>\n\n", drift.len())
    }

    /// What has waited since earlier runs.
    pub(super) fn waiting(&self, detail: &Detail) -> String {
        let pending = &self.report.plan.pending;
        if pending.is_empty() {
            return String::new();
        }
        let lines = pending.iter().take(detail.rows.min(100)).map(|own| {
            let what: Vec<String> = own.attributes.iter().map(text::attribute).collect();
            let opens = own.opens.as_ref().map(|opens| format!("; {}", self.lang.opening(opens)));
            let opens = prose(&opens.unwrap_or_default());
            format!(
                "- {}: {}{opens}\n",
                code(&self.label(&own.object.address)),
                code(&what.join(", "))
            )
        });
        let lines: String = lines.collect();
        let title = self.lang.waiting();
        format!("<details><summary>{title}: {}</summary>\n\n{lines}\n</details>\n\n", pending.len())
    }

    pub(super) fn gaps(&self, detail: &Detail) -> String {
        let unchecked = &self.report.plan.unchecked;
        let title = self.lang.say("Not checked", "Nicht geprüft");
        let lines =
            unchecked.iter().take(detail.rows).map(|gap| format!("⚠️ {title}: {}\n\n", prose(gap)));
        lines.collect()
    }
}

/// Whether little is left.
fn is_tight(usage: &Usage) -> bool {
    text::percent(usage).is_some_and(|percent| percent >= 90)
}
