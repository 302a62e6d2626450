//! One comment on a pull or merge request: what a reviewer has to know, worst first, in fewer bytes
//! than any forge takes. What does not fit is left out by whole sections, and the comment says so.

mod changes;
mod exposure;
mod inert;
mod sections;
mod table;

use std::fmt::Write as _;
use std::io;

use tcloud_model::{Address, Impact};
use tcloud_planner::plan::{Action, Change};

use crate::format::{About, Report};
use crate::group::Group;
use crate::guest::{self, Guest};
use crate::label;
use crate::lang::Lang;
use crate::text;
use inert::{code, prose};
use table::table;

/// The most bytes of a comment. GitHub takes 65,536 characters, and answers late when it is more.
const BUDGET: usize = 60_000;

/// How much is told. Each step down leaves out one thing more.
struct Detail {
    /// Attributes of what no guest notices.
    quiet_bodies: bool,
    /// Guests that notice nothing.
    quiet_rows: bool,
    /// Attributes at all.
    bodies: bool,
    /// The most rows of a table.
    rows: usize,
}

const STEPS: [Detail; 7] = [
    Detail { quiet_bodies: true, quiet_rows: true, bodies: true, rows: 500 },
    Detail { quiet_bodies: false, quiet_rows: true, bodies: true, rows: 500 },
    Detail { quiet_bodies: false, quiet_rows: false, bodies: true, rows: 500 },
    Detail { quiet_bodies: false, quiet_rows: false, bodies: false, rows: 200 },
    Detail { quiet_bodies: false, quiet_rows: false, bodies: false, rows: 60 },
    Detail { quiet_bodies: false, quiet_rows: false, bodies: false, rows: 20 },
    Detail { quiet_bodies: false, quiet_rows: false, bodies: false, rows: 5 },
];

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let page = Page::new(report);
    let mut comments = STEPS.iter().map(|detail| page.compose(detail));
    let fits = |comment: &String| comment.len() < BUDGET;
    // The last step is small whatever the plan: values and names have a largest length.
    let comment = comments.by_ref().find(fits).unwrap_or_else(|| page.headline_alone());
    to.write_all(comment.as_bytes())
}

/// What a comment is made of.
struct Page<'a> {
    report: &'a Report<'a>,
    lang: Lang,
    groups: Vec<Group<'a>>,
    guests: Vec<Guest<'a>>,
    /// The tenant that everything is about, if it is one: then its name is said once.
    tenant: Option<&'a Address>,
}

/// The first line of a deployment's comment, by which it is found again; nobody sees it.
pub fn marker(deployment: &str) -> String {
    // Names of deployments may be anything; within the marker only what cannot end it.
    let name: String = text::clean(deployment)
        .chars()
        .map(|c| if "()[]<>`\\".contains(c) { '_' } else { c })
        .collect();
    format!("[//]: # (tcloud:plan:v1 project={name})")
}

/// The comment that stands instead of a plan's when there is none: an older one would be believed.
pub fn failed(deployment: &str) -> String {
    let name = prose(&text::clean(deployment));
    format!(
        "{}\n## 🛑 There is no plan for {name}: it failed\n\nWhy is told in the log of the job. An \
         earlier plan counts no longer.\n",
        marker(deployment)
    )
}

impl<'a> Page<'a> {
    fn new(report: &'a Report<'a>) -> Page<'a> {
        Page {
            report,
            lang: report.lang,
            groups: Group::all(report.plan),
            guests: guest::all(report.plan),
            tenant: label::only_tenant(report.plan),
        }
    }

    fn compose(&self, detail: &Detail) -> String {
        let mut text = self.head();
        self.section(
            &mut text,
            ["Decisions needed before apply", "Vor dem Anwenden zu entscheiden"],
            self.decisions(detail),
        );
        self.section(
            &mut text,
            ["What happens to running VMs", "Was mit laufenden VMs geschieht"],
            self.running(detail),
        );
        self.section(&mut text, ["Who reaches whom", "Wer wen erreicht"], self.exposure(detail));
        self.section(&mut text, ["Does it fit?", "Passt es?"], self.usage(detail));
        self.section(&mut text, ["Changes", "Änderungen"], self.changes(detail));
        text.push_str(&self.drift(detail));
        text.push_str(&self.waiting(detail));
        text.push_str(&self.gaps(detail));
        text.push_str(&self.left_out(detail));
        text
    }

    fn section(&self, text: &mut String, title: [&str; 2], body: String) {
        if !body.is_empty() {
            let _ = write!(text, "### {}\n\n{body}\n", self.lang.say(title[0], title[1]));
        }
    }

    /// The marker by which the comment is found again, the headline, the counts.
    fn head(&self) -> String {
        let plan = self.report.plan;
        let name = text::clean(&plan.deployment.name);
        let sign = match plan.summary().impacts.keys().max() {
            _ if self.report.about == About::Drift && !plan.drift.is_empty() => "⚠️",
            _ if plan.is_empty() => "✅",
            Some(Impact::RecreateLose | Impact::Blocked) => "🛑",
            _ if text::opened(plan) > 0 => "⚠️",
            Some(Impact::PowerCycle | Impact::RecreateKeep) => "⚠️",
            _ => "✏️",
        };
        let mut text = format!("{}\n## {sign} ", marker(&self.report.plan.deployment.name));
        let about = self.report.about;
        let headline = prose(&about.headline(self.lang, plan));
        let _ = writeln!(text, "{}: {headline}\n", about.title(self.lang, &prose(&name)));
        if let Some(commit) = &self.report.origin.commit {
            let short: String = commit.chars().take(10).collect();
            let _ = write!(text, "Commit {}", code(&short));
            if self.report.origin.uncommitted > 0 {
                let n = self.report.origin.uncommitted;
                let files = self.lang.many(n, ["file", "files"], ["Datei", "Dateien"]);
                let not = self.lang.say("not committed", "nicht committet");
                let _ = write!(text, " · ⚠️ {files} {not}");
            }
            text.push_str("\n\n");
        }
        if about == About::Plan {
            text.push_str(&self.counts());
        }
        text
    }

    fn counts(&self) -> String {
        let plan = self.report.plan;
        let count = |wanted: &[Action]| {
            let n = plan.changes.iter().filter(|change| wanted.contains(&change.deed())).count();
            n.to_string()
        };
        let row = vec![
            count(&[Action::ReplaceDeleteFirst, Action::ReplaceCreateFirst]),
            count(&[Action::Update, Action::Migrate]),
            count(&[Action::Create]),
            count(&[Action::Delete]),
            count(&[Action::Adopt, Action::Move, Action::Forget]),
            plan.unchanged.to_string(),
        ];
        let head = match self.lang {
            Lang::English => {
                ["🛑 anew", "✏️ change", "➕ create", "➖ delete", "🏷️ record", "unchanged"]
            }
            Lang::German => [
                "🛑 neu erstellt",
                "✏️ geändert",
                "➕ neu",
                "➖ gelöscht",
                "🏷️ nur vermerkt",
                "unverändert",
            ],
        };
        table(self.lang, &head, &[row], 1) + "\n"
    }

    /// What this much detail has no room for.
    fn left_out(&self, detail: &Detail) -> String {
        let mut parts = Vec::new();
        let quiet = self.groups.iter().filter(|group| group.is_quiet());
        if !detail.bodies {
            let n = self.groups.len();
            parts.push(self.lang.many(
                n,
                ["description of a change", "descriptions of changes"],
                ["Beschreibung einer Änderung", "Beschreibungen von Änderungen"],
            ));
        } else if !detail.quiet_bodies {
            let n = quiet.count();
            parts.push(self.lang.many(
                n,
                ["description of a live change", "descriptions of live changes"],
                [
                    "Beschreibung einer Änderung im Betrieb",
                    "Beschreibungen von Änderungen im Betrieb",
                ],
            ));
        }
        if !detail.quiet_rows {
            let n = self.guests.iter().filter(|guest| guest.is_quiet()).count();
            parts.push(self.lang.many(
                n,
                ["VM that is not interrupted", "VMs that are not interrupted"],
                ["VM ohne Unterbrechung", "VMs ohne Unterbrechung"],
            ));
        }
        if parts.is_empty() {
            return String::new();
        }
        let words = self.lang.say(
            "Left out for length, see the full report",
            "Der Länge wegen ausgelassen, siehe den vollen Bericht",
        );
        format!("{words}: {}.\n", parts.join(", "))
    }

    fn headline_alone(&self) -> String {
        format!(
            "{}\n## 🛑 {}\n",
            marker(&self.report.plan.deployment.name),
            prose(&self.report.about.headline(self.lang, self.report.plan))
        )
    }

    /// An address, without the tenant that all have in common.
    fn label(&self, address: &Address) -> String {
        label::label(address, self.tenant)
    }
}

/// A sign for a change. It never stands without words.
fn sign(change: &Change) -> &'static str {
    let Some(impact) = change.now() else { return "⏳" };
    match (impact, change.deed()) {
        (Impact::RecreateLose | Impact::Blocked, _) => "🛑",
        (_, Action::Create) => "➕",
        (_, Action::Delete) => "➖",
        (Impact::PowerCycle | Impact::RecreateKeep, _) => "⚠️",
        (_, Action::Adopt | Action::Move | Action::Forget) => "🏷️",
        _ => "✏️",
    }
}

#[cfg(test)]
mod tests {
    use tcloud_model::{AttrPath, Value};
    use tcloud_planner::Plan;
    use tcloud_planner::plan::{AttributeChange, GuestImpact, Interruption};

    use super::*;
    use crate::example;
    use crate::origin::Origin;

    fn comment(plan: &Plan, lang: Lang) -> String {
        let mut bytes = Vec::new();
        let about = About::Plan;
        let report = Report { plan, origin: &Origin::default(), lang, about, silent: false };
        write(&report, &mut bytes).expect("memory");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_report_of_drift_says_what_was_found_and_not_what_happens_to_it() {
        let plan = Plan { drift: example::plan().drift, ..example::empty() };
        let mut bytes = Vec::new();
        let (origin, lang, about) = (&Origin::default(), Lang::English, About::Drift);
        let report = Report { plan: &plan, origin, lang, about, silent: false };
        write(&report, &mut bytes).expect("memory");
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(text.contains("## ⚠️ Drift of "), "{text}");
        assert!(text.contains(": 1 object was changed by hand\n"), "{text}");
        assert!(!text.contains("left alone") && !text.contains("nothing to do"), "{text}");
        let none = About::Drift.headline(Lang::German, &example::empty());
        assert_eq!(none, "nichts wurde von Hand geändert");
    }

    #[test]
    fn what_waits_since_earlier_runs_is_listed() {
        let plan = Plan { pending: example::plan().pending, ..example::empty() };
        for (lang, words) in [
            (
                Lang::English,
                ["Waits for a stop and start: 1", "; its window opens Sat 2026-11-28 "],
            ),
            (Lang::German, ["eingeschaltet wird: 1", "; sein Fenster öffnet sich Sa 2026-11-28 "]),
        ] {
            let text = comment(&plan, lang);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
            let mut page = Vec::new();
            let about = About::Plan;
            let report =
                Report { plan: &plan, origin: &Origin::default(), lang, about, silent: false };
            crate::html::write(&report, &mut page).expect("memory");
            let page = String::from_utf8(page).expect("UTF-8");
            let own = page.split("id=\"section-waiting\"").nth(1).expect("a section");
            assert!(own.contains(words[1].trim_start_matches("; ")), "{own}");
        }
        assert!(!comment(&example::empty(), Lang::English).contains("Waits for"));
    }

    /// Many VMs that change in as many ways as are asked for.
    fn many(vms: usize, ways: usize, impact: Impact) -> Plan {
        let changes = (0..vms).map(|n| Change {
            attributes: vec![AttributeChange {
                path: AttrPath::parse("memory"),
                before: Some(Value::Bytes(4 << 30)),
                after: Some(Value::Bytes((8 << 30) + (n % ways) as u64)),
                impact,
                drift: false,
                no_room: false,
                causes: Vec::new(),
            }],
            ..example::change(&format!("tenant.t.vm.a{n}"), Action::Update, impact)
        });
        let changes: Vec<Change> = changes.collect();
        let guests = (0..).zip(&changes).map(|(number, change)| GuestImpact {
            guest: change.object.address.clone(),
            impact,
            change: number,
            interruption: Interruption::None,
            addresses: Vec::new(),
            condition: None,
            causes: Vec::new(),
        });
        Plan { guests: guests.collect(), changes, ..example::empty() }
    }

    #[test]
    fn equal_changes_are_told_once() {
        let text = comment(&many(10_000, 1, Impact::PowerCycle), Lang::English);
        assert_eq!(text.matches("<details>").count(), 1);
        assert!(text.contains("<b>10000 VMs</b> changed · interruption: stopped and started"));
        assert!(text.contains("| `vm.a0`, `vm.a1`, `vm.a2`, `vm.a3`, `vm.a4` +9995 |"), "{text}");
        assert!(!text.contains("Left out"));
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_said() {
        for (impact, said) in [
            (Impact::Live, "10000 descriptions of live changes"),
            (Impact::PowerCycle, "10000 descriptions of changes"),
        ] {
            let text = comment(&many(10_000, 10_000, impact), Lang::English);
            assert!(text.len() < BUDGET, "{}", text.len());
            assert!(text.contains("Left out for length, see the full report: "), "{text}");
            assert!(text.contains(said), "{text}");
            assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
            assert_eq!(text.matches("```").count() % 2, 0);
        }
    }

    #[test]
    fn the_marker_is_the_first_line_in_every_language() {
        for (lang, word) in [(Lang::English, "Plan for"), (Lang::German, "Plan für")] {
            let text = comment(&example::plan(), lang);
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some("[//]: # (tcloud:plan:v1 project=rz-mitte)"));
            assert!(lines.next().is_some_and(|line| line.contains(word)), "{text}");
        }
    }
}
