//! The changes, one line each that opens, and the form that filters them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tcloud_model::Impact;
use tcloud_planner::plan::Change;

use super::inert::{code, id, prose};
use super::summary::section;
use super::{Page, class};
use crate::group::{Group, Line};
use crate::lang::Lang;
use crate::markup::escaped;
use crate::text;

/// The most entries; the others are in the plan that the page holds.
const MOST: usize = 2_000;

/// The most names in an entry for many.
const NAMES: usize = 500;

impl Page<'_> {
    pub(super) fn changes(&self) -> String {
        if self.groups.is_empty() {
            return String::new();
        }
        let mut html = self.form();
        let mut seen = BTreeSet::new();
        for group in self.groups.iter().take(MOST) {
            let mut name = self.label(&group.example().object.address);
            while !seen.insert(name.clone()) {
                name.push('~');
            }
            html.push_str(&self.entry(group, &name));
        }
        if self.groups.len() > MOST {
            let left: usize = self.groups[MOST..].iter().map(|group| group.changes.len()).sum();
            let _ = match self.lang {
                Lang::English => writeln!(
                    html,
                    "<p>{left} more changes are in the plan that this page holds.</p>"
                ),
                Lang::German => writeln!(
                    html,
                    "<p>{left} weitere Änderungen stehen im Plan, den diese Seite enthält.</p>"
                ),
            };
        }
        section("changes", self.lang.say("Changes", "Änderungen"), &html)
    }

    /// Of use only to the script, which shows it.
    fn form(&self) -> String {
        let box_of = |class: &str, words: &str| {
            format!(
                "<span><input type=\"checkbox\" id=\"show-{class}\" value=\"{class}\" checked> \
                 <label for=\"show-{class}\">{words}</label></span>\n"
            )
        };
        let search = self.lang.say("Search (key /)", "Suche (Taste /)");
        let shown = self.lang.say("shown", "gezeigt");
        format!(
            "<form id=\"filter\" hidden role=\"search\"><span><label for=\"search\">{search}</label> \
             <input type=\"search\" id=\"search\"></span>\n{}{}{}{}<span><output id=\"shown\" \
             for=\"search\"></output> {shown}</span></form>\n",
            box_of("danger", self.lang.say("data loss", "Datenverlust")),
            box_of(
                "warn",
                self.lang.say("interruption or deletion", "Unterbrechung oder Löschung")
            ),
            box_of("new", self.lang.say("new", "neu")),
            box_of("calm", self.lang.say("anything else", "alles andere")),
        )
    }

    fn entry(&self, group: &Group<'_>, name: &str) -> String {
        let change = group.example();
        let addresses = group.addresses();
        let what = match &addresses[..] {
            [one] => code(&self.label(one)),
            several => escaped(&text::count(several.len(), text::noun(&change.kind))),
        };
        let mut html = format!(
            "<details class=\"change\" id=\"{}\" data-class=\"{1}\"><summary><strong>{what}</strong> \
             <span class=\"tag {1}\">{2}</span>",
            id(name),
            class(change),
            self.lang.happens(change),
        );
        if let Some(at) = change.causes.first() {
            let place = format!("{}:{}:{}", self.report.origin.path(at), at.line, at.column);
            let _ = write!(html, " {}", code(&place));
        }
        html.push_str("</summary>\n");
        html.push_str(&self.lines(&group.lines));
        html.push_str(&self.sentences(change));
        if addresses.len() > 1 {
            let names: Vec<String> =
                addresses.iter().take(NAMES).map(|own| code(&self.label(own))).collect();
            let more = addresses.len().saturating_sub(NAMES);
            let more = if more > 0 { format!(" +{more}") } else { String::new() };
            let _ = writeln!(html, "<p>{}{more}</p>", names.join(", "));
        }
        html + "</details>\n"
    }

    fn lines(&self, lines: &[Line]) -> String {
        if lines.is_empty() {
            return String::new();
        }
        let mut html = String::from("<pre>");
        for Line { path, before, after, impact, drift, no_room } in lines {
            let mut note = String::new();
            if *impact > Impact::Live {
                let _ = write!(note, "   # {}", self.lang.impact(*impact, false));
            }
            if *drift {
                let _ =
                    write!(note, "   # {}", self.lang.say("changed by hand", "von Hand geändert"));
            }
            if *no_room {
                let _ = write!(note, "   # {}", self.lang.no_room());
            }
            let path = escaped(path);
            match (before, after) {
                (Some(before), Some(after)) if before == after => {
                    let _ = writeln!(html, "  {path} = {}{note}", escaped(after));
                }
                _ => {
                    if let Some(before) = before {
                        let _ = write!(html, "<del>- {path} = {}</del>", escaped(before));
                    }
                    if let Some(after) = after {
                        let _ = write!(html, "<ins>+ {path} = {}{note}</ins>", escaped(after));
                    }
                }
            }
        }
        html + "</pre>\n"
    }

    /// What a reader has to know besides the attributes.
    fn sentences(&self, change: &Change) -> String {
        let because = self.lang.say("Because", "Grund:");
        let mut html = format!("<p>{because} {}.", prose(&self.lang.reason(&change.reason)));
        let line = change.causes.first().and_then(|at| self.report.origin.author(at));
        if let Some(author) = line {
            let _ = write!(html, " {}.", prose(&self.lang.written(author)));
        }
        if let Some(loss) = self.lang.loss(change) {
            let _ = write!(html, " <strong>{}.</strong>", prose(&loss));
        }
        if let Some(previous) = &change.previous_address {
            let was = self.lang.say("Was", "War");
            let _ = write!(html, " {was} {}.", code(&previous.to_string()));
        }
        if let Some(previous) = &change.previous_host {
            let host = code(&change.object.host.to_string());
            let _ = write!(html, " {} → {host}.", code(&previous.to_string()));
        }
        html + "</p>\n"
    }
}
