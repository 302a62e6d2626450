//! Who newly reaches whom, and who no longer does.

use tcloud_planner::plan::{Exposure, Party, Way};

use super::inert::{code, prose};
use super::table::table;
use super::{Detail, Page};
use crate::lang::Lang;

/// How many guests are named at one end.
const NAMES: usize = 6;

impl Page<'_> {
    pub(super) fn exposure(&self, detail: &Detail) -> String {
        let rows: Vec<Vec<String>> =
            self.report.plan.exposure.iter().map(|own| self.opening(own)).collect();
        let head = match self.lang {
            Lang::English => ["", "Who", "reaches whom", "on", "Why"],
            Lang::German => ["", "Wer", "erreicht wen", "über", "Warum"],
        };
        table(self.lang, &head, &rows, detail.rows)
    }

    fn opening(&self, own: &Exposure) -> Vec<String> {
        let sign = match (own.way, &own.decision) {
            (Way::Opens, Some(_)) => "⚠️",
            (Way::Opens, None) => "➕",
            (Way::Closes, _) => "➖",
        };
        let decision = own.decision.as_ref().map(|id| format!(" {}", code(id)));
        let ports: Vec<String> = own.ports.iter().map(|port| code(port)).collect();
        let everything = self.lang.say("everything", "alles").to_owned();
        let place = own.causes.first().map(|at| {
            let file = at.path.rsplit('/').next().unwrap_or_default();
            code(&format!("{file}:{}", at.line))
        });
        let kept: Vec<String> = own.kept.iter().map(|place| code(&place.to_string())).collect();
        let kept = match &kept[..] {
            [] => String::new(),
            kept => format!(" · {} {}", self.lang.say("not new:", "nicht neu:"), kept.join(", ")),
        };
        vec![
            format!("{sign} {}{}", self.lang.way(own), decision.unwrap_or_default()),
            self.party(&own.from),
            self.party(&own.to),
            if ports.is_empty() { everything } else { ports.join(", ") },
            format!("{}{kept}", place.unwrap_or_default()),
        ]
    }

    /// One end of a connection; its first guests by name.
    fn party(&self, party: &Party) -> String {
        let mut text = prose(&self.lang.party(party));
        if party.guests > 1 {
            let names: Vec<String> =
                party.named.iter().take(NAMES).map(|own| code(&own.last_name())).collect();
            let more = party.guests.saturating_sub(names.len());
            let more = if more > 0 { format!(" +{more}") } else { String::new() };
            text.push_str(&format!(": {}{more}", names.join(", ")));
        }
        text
    }
}
