//! One mistake must not hide another: files with broken items keep every intact one, and most of
//! what is broken is reported and keeps its name and body.

mod support;

use support::{Random, Writer, shape};
use tcloud_model::FileId;
use tcloud_syntax::ast::{File, Statement};
use tcloud_syntax::parse;

const FILES: u64 = 20;
const ITEMS: usize = 400;
const DAMAGED: usize = 20;

#[derive(Default, Debug)]
struct Counts {
    damaged: usize,
    reported: usize,
    named: usize,
    intact: usize,
    kept: usize,
    blamed: usize,
}

/// Breaks an item in one of ways; `None` when the item has nothing to break in this way.
fn damage(item: &str, way: usize, random: &mut Random) -> Option<String> {
    let remove = |sign: char, random: &mut Random| {
        let places: Vec<usize> = item.match_indices(sign).map(|(at, _)| at).collect();
        let at = *places.get(random.below(places.len().max(1)))?;
        let mut text = item.to_owned();
        text.remove(at);
        Some(text)
    };
    match way {
        0 => remove('}', random),
        1 => remove('{', random),
        2 => remove('"', random),
        3 => remove('=', random),
        4 => remove(']', random),
        5 => remove('(', random),
        6 => {
            // A value that is still to be typed.
            let at = item.find(" = ")? + 3;
            let end = item[at..].find(['\n', ','])? + at;
            (!item[at..end].contains(['{', '[', '(', '"']))
                .then(|| item[..at].to_owned() + &item[end..])
        }
        7 => {
            // A word that is half typed, on a line of its own.
            let at = item.find('\n')?;
            Some(format!("{}\n  mem{}", &item[..at], &item[at..]))
        }
        8 => {
            let at = item.find(" = ")? + 3;
            let sign = random.pick(&["@", "^", "~", "`"]);
            Some(format!("{}{sign}{}", &item[..at], &item[at..]))
        }
        _ => {
            let at = item.find(" {")?;
            Some(format!("{} %{}", &item[..at], &item[at..]))
        }
    }
}

fn name(statement: &Statement) -> Option<(&str, bool)> {
    Some(match statement {
        Statement::Block(block) => (&*block.name.as_ref()?.name, !block.body.is_empty()),
        Statement::Component(component) => (&*component.name.name, !component.body.is_empty()),
        Statement::Let(one) => (&*one.name.name, true),
        Statement::Param(one) => (&*one.name.name, true),
        Statement::Output(one) => (&*one.name.name, true),
        Statement::Function(one) => (&*one.name.name, true),
        Statement::TypeAlias(one) => (&*one.name.name, true),
        Statement::Bad(bad) => (&*bad.name.as_ref()?.name, false),
        _ => return None,
    })
}

fn run(seed: u64, counts: &mut Counts) {
    let mut writer = Writer::new(seed, false);
    let mut random = Random::new(seed + 1000);
    let items: Vec<String> = (0..ITEMS).map(|number| writer.item(number)).collect();
    let mut texts = items.clone();
    let mut broken = vec![false; ITEMS];
    for number in 0..DAMAGED {
        loop {
            let at = random.below(ITEMS);
            if broken[at] {
                continue;
            }
            if let Some(text) = damage(&items[at], number % 10, &mut random) {
                texts[at] = text;
                broken[at] = true;
                break;
            }
        }
    }
    let mut text = String::new();
    let mut ranges = Vec::new();
    for item in &texts {
        ranges.push(text.len()..text.len() + item.len() + 1);
        text.push_str(item);
        text.push_str("\n\n");
    }
    let parsed = parse(FileId(0), &text);
    let mut blamed = vec![false; ITEMS];
    for diagnostic in &parsed.diagnostics {
        let at = diagnostic.primary.span.start as usize;
        if let Some(item) = ranges.iter().position(|range| range.contains(&at)) {
            blamed[item] = true;
        }
    }
    for number in 0..ITEMS {
        let wanted = format!("x{number}");
        let found =
            parsed.file.statements.iter().find(|s| name(s).is_some_and(|(n, _)| n == wanted));
        if broken[number] {
            counts.damaged += 1;
            counts.reported += usize::from(blamed[number]);
            counts.named += usize::from(found.and_then(name).is_some_and(|(_, body)| body));
        } else {
            counts.intact += 1;
            counts.blamed += usize::from(blamed[number]);
            let alone = parse(FileId(0), &items[number]).file;
            let kept = found.is_some_and(|found| {
                let file = File { scope: None, statements: vec![found.clone()] };
                shape(&file) == shape(&alone)
            });
            counts.kept += usize::from(kept);
        }
    }
}

#[test]
fn one_mistake_does_not_hide_another() {
    let mut counts = Counts::default();
    for seed in 0..FILES {
        run(seed, &mut counts);
    }
    let percent = |part: usize, whole: usize| part as f64 * 100.0 / whole as f64;
    let reported = percent(counts.reported, counts.damaged);
    let named = percent(counts.named, counts.damaged);
    let blamed = percent(counts.blamed, counts.intact);
    assert_eq!(counts.kept, counts.intact, "{counts:?}");
    assert!(reported >= 93.0, "{reported:.1} % of the damaged items are reported: {counts:?}");
    assert!(named >= 74.0, "{named:.1} % of the damaged items keep name and body: {counts:?}");
    assert!(blamed <= 0.5, "{blamed:.2} % of the intact items are blamed: {counts:?}");
}
