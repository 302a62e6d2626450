//! What changes, and what it is joined with: its networks, disks, images.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tcloud_model::Address;

use super::inert::{code, label, picture, table};
use super::{Page, class};
use crate::lang::Lang;

/// More changes than this are no picture any more.
const MOST: usize = 60;

pub(super) fn render(page: &Page<'_>) -> String {
    let joined = joined(page);
    let lang = page.lang;
    if joined.is_empty() {
        return String::new();
    }
    let title =
        lang.say("What is joined with what changes", "Was mit dem verbunden ist, was sich ändert");
    let mut html = format!("<section id=\"neighbours\"><h2>{title}</h2>\n");
    if joined.len() > MOST {
        let _ = match lang {
            Lang::English => writeln!(
                html,
                "<p class=\"muted\">{} changes are too many for a picture.</p></section>",
                joined.len()
            ),
            Lang::German => writeln!(
                html,
                "<p class=\"muted\">{} Änderungen sind zu viele für ein Bild.</p></section>",
                joined.len()
            ),
        };
        return html;
    }
    html.push_str(&draw(&joined, page, title));
    html.push_str(&format!(
        "<details><summary>{}</summary>\n",
        lang.say("As a table", "Als Tabelle")
    ));
    let rows = joined.iter().map(|(own, others)| {
        let others: Vec<String> = others.iter().map(|other| code(&page.label(other))).collect();
        vec![code(&page.label(own)), others.join(", ")]
    });
    let head = match lang {
        Lang::English => ["what changes", "joined with"],
        Lang::German => ["was sich ändert", "verbunden mit"],
    };
    html.push_str(&table(title, &head, &rows.collect::<Vec<_>>()));
    html + "</details></section>\n"
}

/// By what changes: what it refers to afterwards.
fn joined<'a>(page: &Page<'a>) -> BTreeMap<&'a Address, BTreeSet<&'a Address>> {
    let plan = page.report.plan;
    let mut joined: BTreeMap<&Address, BTreeSet<&Address>> = BTreeMap::new();
    for step in &plan.steps {
        let Some(change) = plan.changes.get(step.change as usize) else { continue };
        let records = step.records.iter().filter(|(object, _)| *object == change.object);
        for record in records.filter_map(|(_, record)| record.as_ref()) {
            for (_, value) in record.attributes.iter() {
                value.each_reference(&mut |to| {
                    joined.entry(&change.object.address).or_default().insert(to);
                });
            }
        }
    }
    joined
}

const WIDTH: usize = 1_080;
const ROW: usize = 30;
const BOX: usize = 440;

fn draw(joined: &BTreeMap<&Address, BTreeSet<&Address>>, page: &Page<'_>, title: &str) -> String {
    let others: BTreeSet<&Address> = joined.values().flatten().copied().collect();
    let places: BTreeMap<&Address, usize> =
        others.iter().enumerate().map(|(row, other)| (*other, row * ROW)).collect();
    let classes: BTreeMap<&Address, &str> =
        page.report.plan.changes.iter().map(|own| (&own.object.address, class(own))).collect();
    let right = WIDTH - BOX;
    let mut inner = String::new();
    for (row, others) in joined.values().enumerate() {
        for other in others {
            let (from, to) = (row * ROW + 13, places[other] + 13);
            let _ = write!(
                inner,
                "<path d=\"M{BOX} {from} C{x} {from} {x} {to} {right} {to}\"/>",
                x = WIDTH / 2
            );
        }
    }
    for (row, own) in joined.keys().enumerate() {
        node([0, row * ROW], own, page, classes.get(own).copied(), &mut inner);
    }
    for (other, y) in &places {
        node([right, *y], other, page, classes.get(other).copied(), &mut inner);
    }
    let height = joined.len().max(others.len()) * ROW;
    let words = page.lang.say(
        "On the left what changes, on the right what it refers to. The table has the same.",
        "Links, was sich ändert, rechts, worauf es sich bezieht. Die Tabelle sagt dasselbe.",
    );
    picture("neighbours-graph", "graph", [WIDTH, height], [title, words], &inner)
}

fn node(
    at: [usize; 2],
    address: &Address,
    page: &Page<'_>,
    class: Option<&str>,
    inner: &mut String,
) {
    let [x, y] = at;
    let class = class.unwrap_or("");
    let _ = write!(
        inner,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{BOX}\" height=\"26\" rx=\"3\"/>"
    );
    inner.push_str(&label([x + 8, y + 18], class, &page.label(address), 60));
    inner.push('\n');
}
