//! Who newly reaches whom, and who no longer does.

use tcloud_planner::plan::{Exposure, Party, Way};

use super::Page;
use super::inert::{code, prose, table};
use super::summary::{MOST_ROWS, section};
use crate::lang::Lang;

impl Page<'_> {
    pub(super) fn exposure(&self) -> String {
        let exposure = &self.report.plan.exposure;
        if exposure.is_empty() {
            return String::new();
        }
        let rows: Vec<Vec<String>> =
            exposure.iter().take(MOST_ROWS).map(|own| self.opening(own)).collect();
        let title = self.lang.say("Who reaches whom", "Wer wen erreicht");
        let head = match self.lang {
            Lang::English => ["what happens", "who", "reaches whom", "on", "why", "not new"],
            Lang::German => ["was geschieht", "wer", "erreicht wen", "über", "warum", "nicht neu"],
        };
        section("exposure", title, &table(title, &head, &rows))
    }

    fn opening(&self, own: &Exposure) -> Vec<String> {
        let class = match (own.way, &own.decision) {
            (Way::Opens, Some(_)) => "danger",
            (Way::Opens, None) => "new",
            (Way::Closes, _) => "calm",
        };
        let decision = own.decision.as_ref().map(|id| format!(" {}", code(id)));
        let ports: Vec<String> = own.ports.iter().map(|port| code(port)).collect();
        let everything = self.lang.say("everything", "alles").to_owned();
        let place = |at: &tcloud_model::Position| {
            code(&format!("{}:{}:{}", self.report.origin.path(at), at.line, at.column))
        };
        let kept: Vec<String> = own.kept.iter().map(|place| code(&place.to_string())).collect();
        vec![
            format!(
                "<span class=\"tag {class}\">{}</span>{}",
                self.lang.way(own),
                decision.unwrap_or_default()
            ),
            self.party(&own.from),
            self.party(&own.to),
            if ports.is_empty() { everything } else { ports.join(", ") },
            own.causes.first().map(place).unwrap_or_default(),
            kept.join(", "),
        ]
    }

    /// One end of a connection; its first guests by name.
    fn party(&self, party: &Party) -> String {
        let mut html = prose(&self.lang.party(party));
        if party.guests > 1 {
            let names: Vec<String> = party.named.iter().map(|own| code(&own.last_name())).collect();
            let more = party.guests.saturating_sub(names.len());
            let more = if more > 0 { format!(" +{more}") } else { String::new() };
            html.push_str(&format!(": {}{more}", names.join(", ")));
        }
        html
    }
}
