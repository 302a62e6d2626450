//! The changes: a line that can be opened for each, or for all that are the same.

use tcloud_model::{Address, Impact};
use tcloud_planner::plan::Change;

use super::inert::{block, html_code, prose};
use super::{Detail, Page, sign};
use crate::group::{Group, Line};
use crate::lang::Lang;

/// How many names of a group are listed.
const NAMES: usize = 40;

impl Page<'_> {
    /// The section, and how many of its entries have no body because of their number.
    pub(super) fn changes(&self, detail: &Detail) -> String {
        let mut text = String::new();
        let mut left = 0;
        for (number, group) in self.groups.iter().enumerate() {
            if number >= detail.rows {
                left += group.changes.len();
                continue;
            }
            let has_body = detail.bodies && (detail.quiet_bodies || !group.is_quiet());
            text.push_str(&self.entry(group, has_body));
        }
        if left > 0 {
            let words = self.lang.many(left, ["change", "changes"], ["Änderung", "Änderungen"]);
            text.push_str(&match self.lang {
                Lang::English => format!("{words} left out.\n"),
                Lang::German => format!("{words} ausgelassen.\n"),
            });
        }
        text
    }

    fn entry(&self, group: &Group<'_>, has_body: bool) -> String {
        let change = group.example();
        let addresses = group.addresses();
        let mut title = format!("{} ", sign(change));
        match &addresses[..] {
            [one] => title.push_str(&format!("<b>{}</b>", html_code(&self.label(one)))),
            several => {
                let noun = crate::text::count(several.len(), crate::text::noun(&change.kind));
                title.push_str(&format!("<b>{}</b>", crate::markup::escaped(&noun)));
            }
        }
        title.push_str(&format!(" {}", self.lang.happens(change)));
        if let Some(at) = change.causes.first() {
            let place = format!("{}:{}", self.report.origin.path(at), at.line);
            title.push_str(&format!(" ({})", html_code(&place)));
        }
        if !has_body {
            return format!("{title}<br>\n");
        }
        let body = self.body(group, &addresses);
        format!("<details><summary>{title}</summary>\n\n{body}\n</details>\n\n")
    }

    fn body(&self, group: &Group<'_>, addresses: &[&Address]) -> String {
        let change = group.example();
        let mut lines = Vec::new();
        for line in &group.lines {
            lines.extend(diff(line, self.lang));
        }
        let mut body = String::new();
        if !lines.is_empty() {
            body.push_str(&block("diff", &lines));
        }
        for sentence in self.sentences(change) {
            body.push_str(&format!("{sentence}  \n"));
        }
        if addresses.len() > 1 {
            let shown: Vec<String> = addresses
                .iter()
                .take(NAMES)
                .map(|own| super::inert::code(&self.label(own)))
                .collect();
            let more = addresses.len().saturating_sub(NAMES);
            let more = match (more, self.lang) {
                (0, _) => String::new(),
                (n, Lang::English) => format!(" and {n} more"),
                (n, Lang::German) => format!(" und {n} weitere"),
            };
            body.push_str(&format!("{}{more}\n", shown.join(", ")));
        }
        body
    }

    /// What a reader has to know besides the attributes.
    fn sentences(&self, change: &Change) -> Vec<String> {
        let mut sentences = Vec::new();
        let because = self.lang.say("Because", "Grund:");
        sentences.push(prose(&format!("{because} {}.", self.lang.reason(&change.reason))));
        let line = change.causes.first().and_then(|at| self.report.origin.author(at));
        if let Some(author) = line {
            sentences.push(prose(&format!("{}.", self.lang.written(author))));
        }
        if let Some(loss) = self.lang.loss(change) {
            sentences.push(format!("🛑 {}.", prose(&loss)));
        }
        if let Some(previous) = &change.previous_address {
            let was = self.lang.say("Was", "War");
            sentences.push(prose(&format!("{was} `{previous}`.")));
        }
        if let Some(previous) = &change.previous_host {
            let from = self.lang.say("From", "Von");
            sentences.push(prose(&format!("{from} `{previous}` → `{}`.", change.object.host)));
        }
        sentences
    }
}

/// An attribute before and after.
fn diff(line: &Line, lang: Lang) -> Vec<String> {
    let Line { path, before, after, impact, drift, no_room } = line;
    let mut lines = Vec::new();
    if before == after {
        // What it refers to is made anew under the same name.
        lines.extend(before.iter().map(|value| format!("  {path} = {value}")));
    } else if let Some(before) = before {
        lines.push(format!("- {path} = {before}"));
    }
    if let Some(after) = after.as_ref().filter(|_| before != after) {
        lines.push(format!("+ {path} = {after}"));
    }
    if let Some(last) = lines.last_mut() {
        if *impact > Impact::Live {
            last.push_str(&format!("   # {}", lang.impact(*impact, false)));
        }
        if *no_room {
            last.push_str(&format!("   # {}", lang.no_room()));
        }
        if *drift {
            last.push_str(&format!("   # {}", lang.say("changed by hand", "von Hand geändert")));
        }
    }
    lines
}
