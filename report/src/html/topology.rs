//! What stands where, before and after: hosts, in them tenants, in them what changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tcloud_model::Address;
use tcloud_planner::plan::{Action, Change};

use super::inert::{code, label, picture, table};
use super::{Page, class};
use crate::lang::Lang;
use crate::markup::escaped;
use crate::text;

/// More objects than this are counted by host, tenant and kind.
const MOST_BOXES: usize = 150;
/// More than this are not told apart by host either.
const MOST_COUNTED: usize = 1_000;

const WIDTH: usize = 1_080;
const CELL: [usize; 2] = [250, 24];
const COLUMNS: usize = 4;

/// Something in a tenant on a host, or many of the same.
struct Node {
    name: String,
    word: &'static str,
    class: &'static str,
    before: bool,
    after: bool,
    count: usize,
}

/// Host, tenant, what is there.
type Boxes = BTreeMap<String, BTreeMap<String, Vec<Node>>>;

pub(super) fn render(page: &Page<'_>) -> String {
    let boxes = boxes(page);
    if boxes.is_empty() {
        return String::new();
    }
    let lang = page.lang;
    let title = lang.say("What stands where", "Was wo steht");
    let legend = lang.say("Show", "Zeigen");
    let (before, after) = (lang.say("before", "vorher"), lang.say("after", "nachher"));
    let mut html = format!(
        "<section id=\"topology\"><h2>{title}</h2>\n<fieldset><legend>{legend}</legend>\
         <span><input type=\"radio\" name=\"when\" id=\"when-before\"> \
         <label for=\"when-before\">{before}</label></span><span><input type=\"radio\" name=\"when\" \
         id=\"when-after\" checked> <label for=\"when-after\">{after}</label></span></fieldset>\n"
    );
    html.push_str(&draw(&boxes, "before", &format!("{title}: {before}"), lang, |node| node.before));
    html.push_str(&draw(&boxes, "after", &format!("{title}: {after}"), lang, |node| node.after));
    let unchanged = page.report.plan.unchanged;
    let _ = match lang {
        Lang::English => writeln!(
            html,
            "<p class=\"muted\">Only what changes is drawn; {unchanged} objects stay as they are.</p>"
        ),
        Lang::German => writeln!(
            html,
            "<p class=\"muted\">Gezeigt ist nur, was sich ändert; {unchanged} Objekte bleiben, wie sie sind.</p>"
        ),
    };
    html.push_str(&format!(
        "<details><summary>{}</summary>\n",
        lang.say("As a table", "Als Tabelle")
    ));
    html.push_str(&twin(&boxes, title, lang));
    html + "</details></section>\n"
}

fn boxes(page: &Page<'_>) -> Boxes {
    let changes = &page.report.plan.changes;
    let mut boxes = Boxes::new();
    for change in changes {
        for (host, sides) in sides(change) {
            let tenant = change.object.address.tenant();
            let shared = page.lang.say("shared", "gemeinsam");
            let tenant = tenant.map_or(shared.to_owned(), |own| text::clean(&own.last_name()));
            let everywhere = page.lang.say("all hosts", "alle Hosts").to_owned();
            let host = if changes.len() > MOST_COUNTED {
                everywhere
            } else {
                text::clean(&text::host_name(host))
            };
            let own = boxes.entry(host).or_default().entry(tenant).or_default();
            put(own, change, sides, page, changes.len() > MOST_BOXES);
        }
    }
    boxes
}

/// On which host it is before and after.
fn sides(change: &Change) -> Vec<(&Address, [bool; 2])> {
    let host = &change.object.host;
    match (change.action, &change.previous_host) {
        (Action::Migrate, Some(previous)) => vec![(previous, [true, false]), (host, [false, true])],
        (Action::Create, _) => vec![(host, [false, true])],
        (Action::Delete, _) => vec![(host, [true, false])],
        _ => vec![(host, [true, true])],
    }
}

fn put(nodes: &mut Vec<Node>, change: &Change, sides: [bool; 2], page: &Page<'_>, counted: bool) {
    let word = page.lang.action(change.deed());
    let [before, after] = sides;
    let mut node =
        Node { name: String::new(), word, class: class(change), before, after, count: 1 };
    if !counted {
        let address = &change.object.address;
        let within = address.ancestry();
        let names = within.iter().skip(usize::from(address.tenant().is_some()));
        let names: Vec<String> = names.map(|part| part.last_segment()).collect();
        node.name = text::clean(&names.join("."));
        nodes.push(node);
        return;
    }
    node.name = text::noun(&change.kind).to_owned();
    let same = nodes.iter_mut().find(|own| {
        own.name == node.name && own.word == word && own.class == node.class && own.before == before
    });
    match same {
        Some(own) => own.count += 1,
        None => nodes.push(node),
    }
}

impl Node {
    fn text(&self) -> String {
        match self.count {
            1 => self.name.clone(),
            n => format!("{n} × {}", self.name),
        }
    }
}

fn draw(
    boxes: &Boxes,
    when: &str,
    title: &str,
    lang: Lang,
    is_there: impl Fn(&Node) -> bool,
) -> String {
    let word =
        if when == "before" { lang.say("Before", "Vorher") } else { lang.say("After", "Nachher") };
    let mut inner = label([0, 14], "muted", word, 20);
    let mut y = 22;
    for (host, tenants) in boxes {
        let top = y;
        let mut body = String::new();
        y += 26;
        for (tenant, nodes) in tenants {
            let there: Vec<&Node> = nodes.iter().filter(|node| is_there(node)).collect();
            let height = 28 + there.len().div_ceil(COLUMNS).max(1) * (CELL[1] + 6);
            let _ = write!(
                body,
                "<rect x=\"8\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>",
                WIDTH - 16
            );
            body.push_str(&label([16, y + 18], "muted", tenant, 100));
            for (number, node) in there.iter().enumerate() {
                let x = 16 + (number % COLUMNS) * (CELL[0] + 10);
                cell([x, y + 26 + (number / COLUMNS) * (CELL[1] + 6)], node, &mut body);
            }
            if there.is_empty() {
                body.push_str(&label([16, y + 44], "muted", lang.say("nothing", "nichts"), 40));
            }
            y += height + 6;
        }
        let _ =
            write!(inner, "<rect x=\"0\" y=\"{top}\" width=\"{WIDTH}\" height=\"{}\"/>", y - top);
        inner.push_str(&label([8, top + 18], "", host, 100));
        inner.push_str(&body);
        inner.push('\n');
        y += 8;
    }
    let words = lang.say(
        "Hosts as boxes, in them tenants, in them what changes. The table has the same.",
        "Hosts als Kästen, darin Mandanten, darin was sich ändert. Die Tabelle sagt dasselbe.",
    );
    picture(&format!("topology-{when}"), when, [WIDTH, y], [title, words], &inner)
}

fn cell(at: [usize; 2], node: &Node, body: &mut String) {
    let [x, y] = at;
    let text = node.text();
    let _ = write!(
        body,
        "<g><title>{}: {}</title><rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"3\"/>",
        escaped(&text),
        node.word,
        node.class,
        CELL[0],
        CELL[1]
    );
    // From behind, where names differ, and with room for the word.
    let room = 31_usize.saturating_sub(node.word.chars().count());
    let from = text.chars().count().saturating_sub(room);
    let short = match text.char_indices().nth(from) {
        Some((start, _)) if from > 0 => format!("…{}", &text[start..]),
        _ => text,
    };
    body.push_str(&label([x + 6, y + 17], node.class, &format!("{short} · {}", node.word), 60));
    body.push_str("</g>");
}

fn twin(boxes: &Boxes, title: &str, lang: Lang) -> String {
    let side = |there: bool| if there { lang.say("yes", "ja") } else { lang.say("no", "nein") };
    let mut rows = Vec::new();
    for (host, tenants) in boxes {
        for (tenant, nodes) in tenants {
            rows.extend(nodes.iter().map(|node| {
                vec![
                    code(&node.text()),
                    code(host),
                    code(tenant),
                    node.word.to_owned(),
                    side(node.before).to_owned(),
                    side(node.after).to_owned(),
                ]
            }));
        }
    }
    let head = match lang {
        Lang::English => ["what", "host", "tenant", "change", "there before", "there after"],
        Lang::German => ["was", "Host", "Mandant", "Änderung", "vorher da", "nachher da"],
    };
    table(title, &head, &rows)
}
