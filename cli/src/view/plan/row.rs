//! One change of a plan as a row: its word, its name, what happens, and where it comes from.

use std::collections::BTreeMap;

use tcloud_model::value::human_size;
use tcloud_model::{Address, AttrPath, Attribute, Fields, Impact, Name, Position, Value};
use tcloud_planner::plan::{Action, AttributeChange, Change, Reason};

use tcloud_report::text as report;
use tcloud_report::text::{host_name, reason};

use crate::escape::escape;
use crate::terminal::{Palette, Tone, WIDTH};
use crate::view::layout::{list, pad, places, shorten_middle, width};

/// How wide the first column is, the widest word and one blank.
const WORD: usize = 12;

/// The width up to which addresses stand in a column; longer ones push the rest to the right.
const COLUMN: usize = 36;

/// The most that an address takes, so that something is left for the rest.
const NAME: usize = 54;

/// One change, or many that are alike. Its words are made when they are asked for: of thousands of
/// creations only a few lines are shown.
pub(super) struct Row<'p> {
    /// The change, the first one of many.
    pub(super) change: &'p Change,
    /// The attributes that a new object gets.
    pub(super) new: Option<&'p Fields>,
    /// Where it stands among the others: worst first.
    pub(super) rank: u8,
    pub(super) tenant: Option<&'p Address>,
    /// Whether it is worth a word on which hosts it happens.
    pub(super) hosted: bool,
    /// Those beside the change's own.
    pub(super) other_hosts: Vec<&'p Address>,
    /// For how many objects it stands, which differ in their host.
    pub(super) objects: usize,
    /// What its guests notice, where one is down or found elsewhere.
    pub(super) notices: Option<&'p String>,
    /// Whether it stands alone, however many others are like it.
    pub(super) alone: bool,
    /// For a row that stands for many.
    pub(super) folded: Option<Box<Folded<'p>>>,
}

/// What a row says that stands for many.
pub(super) struct Folded<'p> {
    pub(super) whose: Whose<'p>,
    /// How many of each kind.
    pub(super) kinds: BTreeMap<&'p Name, usize>,
    /// The names of all, where there is room for them.
    pub(super) names: Vec<String>,
    /// What happens to each.
    pub(super) phrases: Vec<String>,
}

/// Whose the objects are that a row stands for.
pub(super) enum Whose<'p> {
    /// One tenant's, or nobody's.
    One(Option<&'p Address>),
    /// Those of so many tenants.
    Many(usize),
}

impl Folded<'_> {
    fn name(&self) -> String {
        match self.whose {
            Whose::One(Some(tenant)) => tenant.to_string(),
            Whose::One(None) => "shared".to_owned(),
            Whose::Many(tenants) => format!("in {tenants} tenants"),
        }
    }

    fn phrases(&self) -> Vec<String> {
        let mut kinds: Vec<(&Name, usize)> = self.kinds.iter().map(|(k, n)| (*k, *n)).collect();
        kinds.sort_by_key(|(kind, number)| (std::cmp::Reverse(*number), *kind));
        let kinds = kinds.iter();
        let mut said: Vec<String> =
            kinds.map(|(kind, number)| report::count(*number, report::noun(kind))).collect();
        if let (Some(first), [one, others @ ..]) = (said.first_mut(), &self.names[..]) {
            first.push_str(&format!(": {one}"));
            said.extend_from_slice(others);
        }
        said.extend_from_slice(&self.phrases);
        said
    }
}

impl<'p> Row<'p> {
    /// The row of a change; `new` are the attributes that a new object gets.
    pub(super) fn of(change: &'p Change, new: Option<&'p Fields>) -> Row<'p> {
        let rank = rank(change);
        let hosted = matches!(change.action, Action::Create | Action::Delete) && rank > POWER_CYCLE;
        let tenant = change.object.address.tenant();
        let says_more = later(change).is_some() || named(change).is_some();
        Row {
            change,
            new,
            rank,
            tenant,
            hosted,
            other_hosts: Vec::new(),
            objects: 1,
            alone: rank <= POWER_CYCLE || says_more || !raw(change, new).is_empty(),
            notices: None,
            folded: None,
        }
    }

    pub(super) fn address(&self) -> &'p Address {
        &self.change.object.address
    }

    pub(super) fn kind(&self) -> &'p Name {
        &self.change.kind
    }

    /// Whether the object goes away, and nothing is lost.
    pub(super) fn is_deleted(&self) -> bool {
        self.rank == DELETE
    }

    /// Whether it says why and what stays; then it is never folded.
    pub(super) fn is_dangerous(&self) -> bool {
        self.rank <= POWER_CYCLE
    }

    /// The address, or what stands for many of them.
    pub(super) fn name(&self) -> String {
        self.folded.as_ref().map_or_else(|| self.address().to_string(), |all| all.name())
    }

    /// What happens, most important first.
    pub(super) fn phrases(&self) -> Vec<String> {
        match &self.folded {
            Some(all) => all.phrases(),
            None => phrases(self.change, self.new),
        }
    }

    /// What happens to each object, where the row stands for many; else the same.
    pub(super) fn happens(&self) -> Vec<String> {
        self.folded.as_ref().map_or_else(|| self.phrases(), |all| all.phrases.clone())
    }

    /// Whether the same happens in another row.
    pub(super) fn is_like(&self, other: &Row<'_>) -> bool {
        let same_new = self.change.deed() == Action::Create
            && other.change.deed() == Action::Create
            && self.change.reason == other.change.reason
            && TELLING.iter().all(|(name, _)| {
                let [own, others] = [self.new, other.new];
                own.and_then(|new| new.get(name)) == others.and_then(|new| new.get(name))
            });
        // Thousands of creations need no words for that.
        same_new || self.phrases() == other.phrases()
    }

    /// What the guest's window has to do with it.
    pub(super) fn window(&self) -> Option<String> {
        tcloud_report::text::window(self.change)
    }

    /// Why and what stays, for what is dangerous; when it happens, for what waits; what it was.
    fn details(&self) -> Vec<(String, Option<&'p Position>)> {
        if !self.is_dangerous() {
            let all = later(self.change).into_iter().chain(self.window());
            let all = all.chain(named(self.change));
            return all.map(|text| (text, None)).collect();
        }
        let mut details = vec![(because(self.change), self.change.causes.first())];
        details.extend(consequence(self.change).map(|text| (text, None)));
        details.extend(later(self.change).map(|text| (text, None)));
        details.extend(self.window().map(|text| (text, None)));
        details.extend(self.notices.cloned().map(|text| (text, None)));
        details.extend(named(self.change).map(|text| (text, None)));
        details
    }

    /// The lines of the row, each at most [`WIDTH`] columns wide.
    pub(super) fn render(&self, palette: Palette, name_width: usize) -> String {
        let (_, word, tone) = class(self.change);
        let word = palette.paint(tone, &pad(word, WORD - 1));
        let mut phrases = self.phrases();
        if self.hosted {
            let hosts =
                std::iter::once(&self.change.object.host).chain(self.other_hosts.iter().copied());
            let hosts: Vec<String> = hosts.map(host_name).collect();
            phrases.push(format!("on {}", hosts.join(" and ")));
        }
        let cause = self.change.causes.first();
        let cause = cause.filter(|_| !self.is_dangerous() && self.folded.is_none());
        let short = shorten_middle(&self.name(), NAME);
        let mut name = pad(&short, name_width);
        let forms = cause.map(places).unwrap_or_default();
        let right = forms.last().map_or(0, |form| 2 + width(form));
        if width(&name) + width(&phrases.join(", ")) + right > WIDTH - 2 - WORD - 2 {
            // What happens matters more than where its column begins.
            name = short;
        }
        let room = WIDTH - 2 - WORD - width(&name) - 2;
        let rest = spread(room, &phrases, cause, palette);
        let mut text = format!("  {word} {name}  {rest}");
        text.truncate(text.trim_end().len());
        for (detail, cause) in self.details() {
            let room = WIDTH - 2 - WORD;
            let rest = spread(room, &[detail], cause, palette);
            text.push('\n');
            text.push_str(&" ".repeat(2 + WORD));
            text.push_str(&rest);
        }
        text.push('\n');
        for (sign, raw) in raw(self.change, self.new) {
            for line in raw.trim_matches('\n').lines() {
                let line = format!("{sign} {}", escape(line));
                text.push_str(&" ".repeat(2 + WORD));
                text.push_str(&palette.paint(Tone::Danger, &line));
                text.push('\n');
            }
        }
        text
    }
}

/// What is handed to a hypervisor as it is, each line with its sign.
fn raw<'p>(change: &'p Change, new: Option<&'p Fields>) -> Vec<(&'static str, &'p str)> {
    let is_raw = |path: &AttrPath| path.names().last().is_some_and(|name| *name == Attribute::RAW);
    let mut all = Vec::new();
    for own in change.attributes.iter().filter(|own| is_raw(&own.path)) {
        let texts = [("-", &own.before), ("+", &own.after)];
        let texts = texts.into_iter().filter_map(|(sign, value)| Some((sign, value.as_ref()?)));
        all.extend(texts.filter_map(|(sign, value)| Some((sign, value.as_text()?))));
    }
    let blocks = new.into_iter().flat_map(Fields::iter).filter_map(|(_, value)| match value {
        Value::Map(inner) => inner.text(Attribute::RAW),
        _ => None,
    });
    all.extend(blocks.map(|text| ("+", text)));
    all
}

/// A line that is about no single change.
pub(super) struct Line<'p> {
    pub(super) word: &'p str,
    pub(super) tone: Tone,
    pub(super) name: &'p str,
    /// What happens, most important first.
    pub(super) phrases: &'p [String],
    pub(super) cause: Option<&'p Position>,
}

/// The line, laid out as those of changes are, at most [`WIDTH`] columns wide.
pub(super) fn spread_line(line: &Line<'_>, palette: Palette) -> String {
    let Line { word, tone, name, phrases, cause } = line;
    let word = palette.paint(*tone, &pad(word, WORD - 1));
    let name = match name.is_empty() {
        true => String::new(),
        false => shorten_middle(name, COLUMN) + "  ",
    };
    let room = WIDTH - 2 - WORD - width(&name);
    let text = format!("  {word} {name}{}", spread(room, phrases, *cause, palette));
    format!("{}\n", text.trim_end())
}

/// How wide the column of names is, for these rows.
pub(super) fn name_width(rows: &[Row<'_>]) -> usize {
    rows.iter().map(|row| width(&row.name())).max().unwrap_or(0).clamp(8, COLUMN)
}

/// What happens at the left, where it comes from at the right edge. The place gives way first, then
/// all phrases but the first, which is told whole: there is no place where it would be cut.
fn spread(room: usize, phrases: &[String], cause: Option<&Position>, palette: Palette) -> String {
    let wanted = width(&phrases.join(", "));
    let forms = cause.map(places).unwrap_or_default();
    let fitting = forms.iter().find(|form| wanted + 2 + width(form) <= room);
    let least = match phrases {
        [first, _, ..] => width(&format!("{first}, +{} more", phrases.len() - 1)),
        _ => wanted,
    };
    let squeezed = forms.last().filter(|form| least + 2 + width(form) <= room);
    let Some(right) = fitting.or(squeezed) else { return list(phrases, room) };
    let left = list(phrases, room - width(right) - 2);
    let gap = " ".repeat(room - width(&left) - width(right));
    format!("{left}{gap}{}", palette.paint(Tone::Faint, right))
}

/// The rank of the last dangerous class.
pub(super) const POWER_CYCLE: u8 = 3;
/// The rank of deletions that lose nothing.
const DELETE: u8 = 5;
/// The rank of creations, which many plans consist of.
pub(super) const CREATE: u8 = 13;

/// Where a change stands among the others: worst first.
pub(super) fn rank(change: &Change) -> u8 {
    class(change).0
}

/// Rank, word and tone.
fn class(change: &Change) -> (u8, &'static str, Tone) {
    match (change.deed(), change.impact) {
        (_, Impact::Blocked) => (0, "BLOCKED", Tone::Danger),
        (Action::Forget | Action::Adopt | Action::Move | Action::Create, _) => harmless(change),
        (_, Impact::RecreateLose) => (1, "DATA LOSS", Tone::Danger),
        (Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst, _)
        | (Action::Update, Impact::RecreateKeep) => (2, "recreate", Tone::Danger),
        (Action::Update, Impact::PowerCycle) if change.switches_off() => {
            (POWER_CYCLE, "stop", Tone::Danger)
        }
        (Action::Update, Impact::PowerCycle) if !change.waits => {
            (POWER_CYCLE, "power-cycle", Tone::Danger)
        }
        (Action::Migrate, _) => (4, "migrate", Tone::Warning),
        (Action::Delete, _) if report::is_gone(change) => (12, "record", Tone::Faint),
        (Action::Delete, _) => (DELETE, "delete", Tone::Warning),
        (Action::Update, Impact::PowerCycle) => (6, "power-cycle", Tone::Warning),
        (Action::Update, Impact::LiveGuest) => (7, "live", Tone::Change),
        (Action::Update, Impact::Live) => (8, "live", Tone::Change),
        (Action::Update, Impact::None) => (12, "record", Tone::Faint),
    }
}

fn harmless(change: &Change) -> (u8, &'static str, Tone) {
    match change.action {
        Action::Forget => (9, "forget", Tone::Change),
        Action::Adopt => (10, "adopt", Tone::Change),
        Action::Move => (11, "move", Tone::Change),
        _ => (CREATE, "create", Tone::Good),
    }
}

/// What happens, in the order in which it is dropped from the end when there is no room.
fn phrases(change: &Change, new: Option<&Fields>) -> Vec<String> {
    let host = host_name(&change.object.host);
    match change.deed() {
        Action::Create => created(change, new),
        Action::Delete if change.impact == Impact::RecreateLose => {
            vec![format!("deleted on {host}, with {}", data(change.written))]
        }
        // What is on every host that needs it does not leave, as a guest does.
        Action::Delete if change.reason == Reason::Placement => {
            vec![format!("nothing on {host} needs it any more")]
        }
        Action::Delete if report::is_gone(change) => {
            vec![format!("forgotten: {}", reason(&change.reason))]
        }
        Action::Delete => vec![reason(&change.reason)],
        Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst => {
            let order = match change.action {
                Action::ReplaceCreateFirst => "made anew before the old one is removed",
                _ => "removed and made anew",
            };
            let mut all = vec![format!("{order} on {host}")];
            if change.impact == Impact::RecreateLose {
                all.insert(0, format!("deletes {}", data(change.written)));
            }
            all
        }
        Action::Update => updated(change),
        Action::Adopt => vec![format!("becomes ours as it is, on {host}")],
        Action::Move => match &change.previous_address {
            Some(old) => vec![format!("was {old}, stays as it is")],
            None => vec!["gets its new name, stays as it is".to_owned()],
        },
        Action::Migrate => {
            let from = change.previous_host.as_ref().map(host_name);
            let from = from.map(|host| format!("{host} -> ")).unwrap_or_default();
            vec![format!("{from}{host}"), reason(&change.reason)]
        }
        Action::Forget => vec![format!("no longer ours, stays as it is on {host}")],
    }
}

/// The attributes that say what a new object is, and how they are written.
const TELLING: [(&str, &str); 5] =
    [("vcpus", " vCPU"), ("memory", ""), ("size", ""), ("cidr", ""), ("mode", "")];

fn created(change: &Change, new: Option<&Fields>) -> Vec<String> {
    let mut all = Vec::new();
    for (name, unit) in TELLING {
        if let Some(value) = new.and_then(|fields| fields.get(name)) {
            let text = value.as_text().map(|text| escape(text).into_owned());
            let text = text.unwrap_or_else(|| tcloud_report::text::value(value));
            all.push(format!("{text}{unit}"));
        }
    }
    if change.reason != Reason::New {
        all.insert(0, reason(&change.reason));
    }
    all
}

fn updated(change: &Change) -> Vec<String> {
    // What waits stands on a line of its own, below what happens now.
    let waits = |own: &AttributeChange| change.waits && own.impact >= Impact::PowerCycle;
    let own = change.attributes.iter().filter(|own| change.now().is_none() || !waits(own));
    let mut all: Vec<&AttributeChange> = own.collect();
    all.sort_by_key(|own| {
        (std::cmp::Reverse(own.impact), !report::is_remade(own), own.after.is_some())
    });
    let mut phrases: Vec<String> = all.into_iter().map(brief).collect();
    let lead = match (change.waits, change.now()) {
        (true, Some(_)) => "now: ",
        (true, None) => "at its next start: ",
        _ if change.switches_off() => "stopped, and stays so: ",
        (false, Some(Impact::PowerCycle)) => "stopped and started: ",
        (false, _) if change.impact == Impact::LiveGuest => "guest has to act: ",
        _ => "",
    };
    if let Some(first) = phrases.first_mut() {
        first.insert_str(0, lead);
    }
    if phrases.is_empty() {
        phrases.push(reason(&change.reason));
    }
    phrases
}

/// An attribute in a row, where a whole block that comes or goes is told by its name.
fn brief(change: &AttributeChange) -> String {
    let path = escape(&change.path.to_string()).into_owned();
    match (&change.before, &change.after) {
        (Some(Value::Map(_)), None) => format!("{path} removed"),
        (None, Some(Value::Map(_))) => {
            format!("{path} added{}", tcloud_report::text::no_room(change))
        }
        _ => attribute(change),
    }
}

/// What waits of a change that does something else now.
fn later(change: &Change) -> Option<String> {
    change.now().filter(|_| change.waits)?;
    let waiting = change.attributes.iter().filter(|own| own.impact >= Impact::PowerCycle);
    let waiting: Vec<String> = waiting.map(brief).collect();
    Some(format!("at its next start: {}", list(&waiting, WIDTH - 2 - WORD - 19)))
}

/// That it gets another name or becomes ours, where that is not all that happens.
fn named(change: &Change) -> Option<String> {
    match (change.action, &change.previous_address) {
        (Action::Move, _) if change.deed() == Action::Move => None,
        (_, Some(old)) => Some(format!("was {old}")),
        (Action::Adopt, None) if change.deed() != Action::Adopt => Some("becomes ours".to_owned()),
        _ => None,
    }
}

/// An attribute with what it is and what it will be.
pub(crate) fn attribute(change: &AttributeChange) -> String {
    let by_hand = if change.drift { " (by hand)" } else { "" };
    format!("{}{by_hand}", tcloud_report::text::attribute(change))
}

fn data(written: Option<u64>) -> String {
    match written {
        Some(bytes) => format!("{} of data", human_size(bytes)),
        None => "an unknown amount of data".to_owned(),
    }
}

/// Why, for what is dangerous: the attributes that force it, or the reason.
fn because(change: &Change) -> String {
    let forcing = || change.attributes.iter().filter(|a| a.impact == change.impact);
    // Other attributes would wait; a disk that is made anew cannot.
    let remade = forcing().filter(|own| report::is_remade(own));
    let remade: Vec<String> = remade.map(attribute).collect();
    let forcing = if remade.is_empty() { forcing().map(attribute).collect() } else { remade };
    match change.reason {
        Reason::Text | Reason::Drift | Reason::Statement if !forcing.is_empty() => {
            format!("because {}", forcing.join(", "))
        }
        _ => format!("because {}", reason(&change.reason)),
    }
}

/// What else a reader has to know: whom it interrupts, what stays, what is lost.
fn consequence(change: &Change) -> Option<String> {
    let guests: Vec<String> = change.guests.iter().map(Address::to_string).collect();
    let stays = match (change.impact, change.kind.as_str()) {
        (Impact::RecreateLose, "vm") => "stays: its volumes, its addresses",
        (Impact::RecreateLose, _) => "lost: everything on it, for good",
        (Impact::RecreateKeep, "vm") => "stays: its disks and volumes, its addresses",
        _ => "",
    };
    let stops = match guests.is_empty() || change.kind == "vm" {
        true => String::new(),
        false => format!("interrupts: {}", list(&guests, 60)),
    };
    let parts = [stays.to_owned(), stops].into_iter().filter(|part| !part.is_empty());
    let text = parts.collect::<Vec<_>>().join(" · ");
    (!text.is_empty()).then_some(text)
}
