//! Who newly reaches whom, and who no longer does, one line each.

use tcloud_model::Address;
use tcloud_planner::plan::{Border, Exposure, Party, Place, Way};

use super::row::{Line, spread_line};
use crate::terminal::{Palette, Tone};
use crate::view::layout::count;

/// How many lines about what is made there are at most; the plan for programs has them all.
const MOST_NEW: usize = 6;

/// How many lines about what is there already; those that need a decision are all shown.
const MOST: usize = 20;

/// What opens and closes for what is there already.
pub(super) fn there(exposure: &[Exposure], palette: Palette, everything: bool) -> String {
    let there = exposure.iter().filter(|own| !own.created);
    let (grave, mild): (Vec<&Exposure>, Vec<&Exposure>) =
        there.partition(|own| own.decision.is_some());
    let mut text: String = grave.into_iter().map(|own| line(own, palette)).collect();
    text.push_str(&some(&mild, if everything { usize::MAX } else { MOST }, palette));
    text
}

/// Who will reach what is made: the borders that it crosses, and how much else there is.
pub(super) fn made(exposure: &[Exposure], palette: Palette, everything: bool) -> String {
    let made: Vec<&Exposure> = exposure.iter().filter(|own| own.created).collect();
    some(&made, if everything { usize::MAX } else { MOST_NEW }, palette)
}

fn some(lines: &[&Exposure], most: usize, palette: Palette) -> String {
    let mut text: String = lines.iter().take(most).map(|own| line(own, palette)).collect();
    if lines.len() > most {
        let more = count(lines.len() - most, "more opening");
        text.push_str(&format!("              {more} (--verbose)\n"));
    }
    text
}

fn line(own: &Exposure, palette: Palette) -> String {
    let (word, tone) = match (own.way, own.created, &own.decision) {
        (Way::Opens, _, Some(_)) => ("EXPOSURE", Tone::Danger),
        (Way::Opens, true, None) => ("new reach", Tone::Good),
        (Way::Opens, false, None) => ("reach", Tone::Warning),
        (Way::Closes, _, _) => ("closed", Tone::Change),
    };
    let outwards = matches!(own.to.place, Place::World | Place::Space(_));
    let name = if outwards { &own.from.place } else { &own.to.place }.to_string();
    let ports = match own.ports.is_empty() {
        true => String::new(),
        false => format!(" {}", own.ports.join(" ")),
    };
    let what = [format!("{} -> {}{ports}", from(&own.from), to(&own.to))];
    // Who reaches what is made stands in the text beside what is made.
    let cause = own.causes.first().filter(|_| !own.created);
    let line = Line { word, tone, name: &name, phrases: &what, cause };
    match own.decision {
        None => spread_line(&line, palette),
        // What needs consent is said in full, and where it comes from below.
        Some(_) => {
            let details = details(own);
            let more = Line { word: "", tone, name: "", phrases: &details, cause };
            spread_line(&Line { cause: None, ..line }, palette) + &spread_line(&more, palette)
        }
    }
}

fn from(party: &Party) -> String {
    match (&party.place, party.guests) {
        (Place::World | Place::Guest(_), _) | (_, 0) => party.place.to_string(),
        (Place::Tenant(_), 1) => party.to_string(),
        (place, guests) => format!("{place} ({})", vms(guests)),
    }
}

fn to(party: &Party) -> String {
    match (&party.place, party.named.first(), party.guests) {
        (Place::Network(_), Some(guest), 1) => guest.last_name(),
        (Place::Network(_), _, guests) => vms(guests),
        (place, _, _) => place.to_string(),
    }
}

fn vms(guests: usize) -> String {
    count(guests, "VM")
}

/// Which border it crosses, who is reached by name, and what is not new.
fn details(own: &Exposure) -> Vec<String> {
    let mut details = Vec::new();
    details.extend(match own.border {
        Border::Tenant => Some("across tenants".to_owned()),
        Border::World => Some("open to the world".to_owned()),
        Border::None => None,
    });
    if !own.kept.is_empty() {
        let kept: Vec<String> = own.kept.iter().map(Place::to_string).collect();
        details.push(format!("not new: {}", kept.join(" ")));
    }
    if own.to.guests > 1 && !own.to.named.is_empty() {
        let named: Vec<String> = own.to.named.iter().map(Address::last_name).collect();
        details.push(format!("reaches {}", named.join(" ")));
    }
    details
}
