//! Quotas and capacities as bars.

use tcloud_model::value::SIZES;
use tcloud_planner::plan::{Reserve, Usage};
use tcloud_report::text::host_name;

use crate::terminal::{Palette, Tone, WIDTH};
use crate::view::layout::{pad, shorten_middle, width};

/// How many cells a bar has.
const CELLS: u64 = 24;

/// From how many percent on a line is shown although the plan does not touch it.
const WORTH_SHOWING: u64 = 80;

/// From how many percent on a line is marked.
const WORTH_MARKING: u64 = 90;

/// How many lines there are at most, fullest first, unless everything is asked for.
const LINES: usize = 16;

/// The lines of what the plan touches or what is nearly full.
pub(super) fn render(usage: &[Usage], palette: Palette, everything: bool) -> String {
    let mut shown: Vec<&Usage> =
        usage.iter().filter(|line| line.limit.is_some() && is_worth(line, everything)).collect();
    let left_out = shown.len().saturating_sub(if everything { usize::MAX } else { LINES });
    if left_out > 0 {
        let mut fullest = shown.clone();
        fullest.sort_by_key(|line| std::cmp::Reverse(percent(line)));
        let floor = fullest.get(LINES - 1).map_or(0, |line| percent(line));
        let mut room = LINES;
        shown.retain(|line| {
            let keep = percent(line) >= floor && room > 0;
            room -= usize::from(keep);
            keep
        });
    }
    let owners: Vec<String> = shown.iter().map(|line| owner(line)).collect();
    let name_width = owners.iter().map(|name| width(name)).max().unwrap_or(0).min(18);
    let mut text = String::new();
    let mut last = None;
    for (line, owner) in shown.iter().zip(&owners) {
        let name = if last == Some(owner) { "" } else { owner };
        last = Some(owner);
        text.push_str(&row(line, &pad(&shorten_middle(name, name_width), name_width), palette));
    }
    if left_out > 0 {
        text.push_str(&format!("  and {left_out} more, less full (--verbose)\n"));
    }
    text
}

/// What is left when a host fails, where the plan changes it or it does not fit.
pub(super) fn reserves(reserves: &[Reserve], palette: Palette, everything: bool) -> String {
    let worth = |own: &&Reserve| everything || own.before != own.after || own.after < 0;
    let shown = reserves.iter().filter(worth).map(|own| {
        let text = format!("{}: {}", own.site.last_name(), tcloud_report::text::reserve(own));
        let text = shorten_middle(&text, WIDTH - 8);
        match own.after < 0 {
            true => format!("  {}\n", palette.paint(Tone::Warning, &format!("{text}  !"))),
            false => format!("  {text}\n"),
        }
    });
    shown.collect()
}

fn is_worth(line: &Usage, everything: bool) -> bool {
    everything || line.before != line.after || percent(line) > WORTH_SHOWING
}

fn owner(line: &Usage) -> String {
    match &line.host {
        Some(host) => host_name(host),
        None if line.owner.kind() == "host" => host_name(&line.owner),
        None => line.owner.last_name(),
    }
}

/// How full it is; beyond everything when nothing is allowed and something is used.
fn percent(line: &Usage) -> u64 {
    let beyond = if line.after == 0 { 0 } else { 999 };
    tcloud_report::text::percent(line).unwrap_or(beyond).min(999)
}

fn row(line: &Usage, name: &str, palette: Palette) -> String {
    let limit = line.limit.unwrap_or(0);
    let percent = percent(line);
    let filled = (percent * CELLS / 100).min(CELLS);
    let bar: String = (0..CELLS).map(|cell| if cell < filled { '#' } else { '-' }).collect();
    let tone = match percent {
        p if p > 100 => Tone::Danger,
        p if p >= WORTH_MARKING => Tone::Warning,
        _ => Tone::Good,
    };
    let what = match &line.host {
        Some(host) if *host != line.owner => line.owner.name().to_string(),
        _ => line.resource.to_string(),
    };
    let (amount, unit) = amounts(&[line.after, limit], line.bytes, limit);
    let delta = match line.after.cmp(&line.before) {
        std::cmp::Ordering::Equal => String::new(),
        order => {
            let change = line.after.abs_diff(line.before);
            let (change, unit) = amounts(&[change], line.bytes, change);
            let sign = if order.is_gt() { '+' } else { '-' };
            format!("({sign}{change}{unit})")
        }
    };
    let mark = match percent {
        p if p > 100 => "OVER",
        p if p >= WORTH_MARKING => "!",
        _ => "",
    };
    let text = format!(
        "  {name}  {}  [{}]  {} {percent:>4} %  {} {mark}",
        pad(&shorten_middle(&what, 9), 9),
        palette.paint(tone, &bar),
        pad(&format!("{amount}{unit}"), 14),
        pad(&delta, 10),
    );
    format!("{}\n", text.trim_end())
}

/// Amounts joined by a slash, in the unit that suits the largest.
fn amounts(all: &[u64], bytes: bool, largest: u64) -> (String, String) {
    let binary = SIZES.iter().filter(|(unit, _)| unit.ends_with("iB"));
    let unit = if bytes { binary.clone().find(|(_, factor)| largest >= *factor) } else { None };
    let (name, factor) = unit.copied().unwrap_or(("", 1));
    let texts: Vec<String> = all.iter().map(|amount| tenths(*amount, factor)).collect();
    let name = if name.is_empty() { String::new() } else { format!(" {name}") };
    (texts.join("/"), name)
}

/// The nearest tenth; what is there at all is never nothing.
fn tenths(amount: u64, factor: u64) -> String {
    let tenths = (u128::from(amount) * 10 + u128::from(factor) / 2) / u128::from(factor);
    match tenths % 10 {
        _ if tenths == 0 && amount > 0 => "<0.1".to_owned(),
        0 => format!("{}", tenths / 10),
        rest => format!("{}.{rest}", tenths / 10),
    }
}
