//! The apply as a timeline: which step waits for which, and which of them interrupts a guest. It has
//! an order and no clock: how long a step takes is not known.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tcloud_planner::plan::{Change, Plan};

use super::inert::{code, label, picture, table};
use super::{Page, class};
use crate::lang::Lang;
use crate::markup::escaped;
use crate::text;

/// More steps than this are counted by tenant and kind.
const MOST_ROWS: usize = 150;

/// Steps that are shown as one bar in one row.
struct Bar {
    name: String,
    class: &'static str,
    interrupts: bool,
    count: usize,
}

pub(super) fn render(page: &Page<'_>) -> String {
    let plan = page.report.plan;
    if plan.steps.is_empty() {
        return String::new();
    }
    let lang = page.lang;
    let waves = waves(plan);
    let bars = bars(plan, &waves, lang);
    let title = lang.say("The order of the apply", "Der Ablauf");
    let mut html = format!("<section id=\"timeline\"><h2>{title}</h2>\n<p class=\"muted\">{}</p>\n", lang.say(
        "What stands in one column can run at the same time; what is further right waits for something on its left. How long it takes is not shown.",
        "Was in einer Spalte steht, kann gleichzeitig laufen; was weiter rechts steht, wartet auf etwas links davon. Wie lange es dauert, ist nicht dargestellt.",
    ));
    html.push_str(&draw(&bars, title, lang));
    html.push_str(&format!(
        "<details><summary>{}</summary>\n",
        lang.say("As a table", "Als Tabelle")
    ));
    html.push_str(&twin(&bars, title, lang));
    html + "</details></section>\n"
}

/// For each step, how many have to be finished one after another before it.
fn waves(plan: &Plan) -> Vec<usize> {
    let mut waves = vec![0; plan.steps.len()];
    // Steps may stand before what they wait for: repeated until nothing moves. A plan has no circle.
    for _ in 0..plan.steps.len() {
        let mut moved = false;
        for (number, step) in plan.steps.iter().enumerate() {
            let after = step.after.iter().filter_map(|first| waves.get(first.0 as usize));
            let wave = after.max().map_or(0, |wave| wave + 1);
            moved |= wave > waves[number];
            waves[number] = wave.max(waves[number]);
        }
        if !moved {
            break;
        }
    }
    waves
}

/// The bars by column and name.
fn bars(plan: &Plan, waves: &[usize], lang: Lang) -> BTreeMap<(usize, String), Bar> {
    let counted = plan.steps.len() > MOST_ROWS;
    let mut bars: BTreeMap<(usize, String), Bar> = BTreeMap::new();
    for (step, wave) in plan.steps.iter().zip(waves) {
        let Some(change) = plan.changes.get(step.change as usize) else { continue };
        let word = step
            .operation
            .as_ref()
            .map_or(lang.say("record", "vermerken"), |own| own.action.word());
        let name = if counted {
            let tenant = change.object.address.tenant();
            let tenant =
                tenant.map_or(lang.say("shared", "gemeinsam").to_owned(), |own| own.last_name());
            format!("{word} {} · {tenant}", text::noun(&change.kind))
        } else {
            format!("{word} {} · {}", change.object.address, text::host_name(&change.object.host))
        };
        let own = bars.entry((*wave, text::clean(&name))).or_insert_with_key(|(_, name)| Bar {
            name: name.clone(),
            class: class(change),
            interrupts: false,
            count: 0,
        });
        own.count += 1;
        own.interrupts |= interrupts(change);
    }
    bars
}

fn interrupts(change: &Change) -> bool {
    change.interrupts() && !change.guests.is_empty()
}

impl Bar {
    fn text(&self) -> String {
        match self.count {
            1 => self.name.clone(),
            n => format!("{n} × {}", self.name),
        }
    }
}

const WIDTH: usize = 1_080;
const NAMES: usize = 520;
const ROW: usize = 22;

fn draw(bars: &BTreeMap<(usize, String), Bar>, title: &str, lang: Lang) -> String {
    let columns = bars.keys().map(|(wave, _)| wave + 1).max().unwrap_or(1);
    let room = (WIDTH - NAMES) / columns;
    let mut inner = String::new();
    for (row, ((wave, _), bar)) in bars.iter().enumerate() {
        let y = row * ROW;
        inner.push_str(&label([0, y + 15], "", &bar.text(), 72));
        let x = NAMES + wave * room;
        let _ = write!(
            inner,
            "<g><title>{}</title><rect class=\"{}\" x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\"/></g>",
            escaped(&bar.text()),
            if bar.interrupts { "danger" } else { bar.class },
            y + 3,
            room.max(3) - 2,
            ROW - 6
        );
        if bar.interrupts {
            let word = lang.say("interrupts", "unterbricht");
            inner.push_str(&label([(x + 4).min(WIDTH - 80), y + 15], "danger", word, 20));
        }
        inner.push('\n');
    }
    let words = lang.say(
        "A row for each step, a column for each turn. The table has the same.",
        "Eine Zeile je Schritt, eine Spalte je Runde. Die Tabelle sagt dasselbe.",
    );
    picture("timeline-bars", "bars", [WIDTH, bars.len() * ROW + 4], [title, words], &inner)
}

fn twin(bars: &BTreeMap<(usize, String), Bar>, title: &str, lang: Lang) -> String {
    let rows = bars.iter().map(|((wave, _), bar)| {
        let notice = if bar.interrupts { lang.say("yes", "ja") } else { lang.say("no", "nein") };
        vec![code(&bar.text()), (wave + 1).to_string(), notice.to_owned()]
    });
    let head = match lang {
        Lang::English => ["step", ">turn", "interrupts a guest"],
        Lang::German => ["Schritt", ">Runde", "unterbricht einen Gast"],
    };
    table(title, &head, &rows.collect::<Vec<_>>())
}
