//! What a host says must not change now: a guest whose memory is saved, a disk on a snapshot, a network
//! that somebody stays in. A plan that would change it is refused, with what to do first.

use indexmap::IndexMap;
use tcloud_model::{
    Address, AttrPath, Diagnostic, Fields, FileId, Hold, Impact, ObjectId, Span, Value, codes,
    kinds,
};

use crate::decide::Decided;
use crate::draft::{Draft, Work};
use crate::facts::{Facts, Known};
use crate::follow::each_attachment;
use crate::input::Input;
use crate::layout::Layout;
use crate::plan::{Action, AttributeChange, Drift};
use crate::select::Selection;

/// What guests hold of others, by the address and host of that.
type Attached<'f> = IndexMap<(&'f Address, &'f Address), (&'f Address, &'f Hold)>;

/// Refuses drafts that would change or remove what is held.
///
/// # Errors
/// One for each object, with what holds it.
pub(crate) fn refuse_held(
    input: &Input<'_>,
    facts: &Facts<'_>,
    layout: &Layout<'_>,
    selection: &Selection,
    Decided { drafts, drift, .. }: &Decided,
) -> Result<(), Vec<Diagnostic>> {
    let swapped = swapped(facts, drift);
    let occupied = occupied(facts, layout, selection, drafts);
    let holds_nothing = || facts.known.iter().all(|known| holds(known).is_empty());
    if swapped.is_empty() && occupied.is_empty() && holds_nothing() {
        return Ok(());
    }
    let attached = attached(facts);
    let refused = |draft: &Draft| {
        let known = draft.old.and_then(|old| facts.known.get(old))?;
        let other = swapped.get(&known.object).into_iter().flatten();
        let mut other = other.filter(|_| draft.stays() && !draft.replaces());
        if let Some((path, hold)) = other.find_map(|hold| Some((touches(draft, hold)?, hold))) {
            return Some(refusal(input, draft, path, &draft.object.address, hold));
        }
        let own = holds(known).iter().find_map(|hold| Some((touches(draft, hold)?, hold)));
        if let Some((path, hold)) = own {
            return Some(refusal(input, draft, path, &draft.object.address, hold));
        }
        let place = (&known.object.address, &known.object.host);
        if let Some(hold) = occupied.get(&place) {
            return Some(refusal(input, draft, None, &draft.object.address, hold));
        }
        let (guest, hold) = attached.get(&place).filter(|_| changes_data(draft))?;
        Some(refusal(input, draft, None, guest, hold))
    };
    let problems: Vec<Diagnostic> = drafts.iter().filter_map(refused).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Disks that somebody has put something else under: whatever the text says, what a guest wrote there
/// would be missing on another.
fn swapped<'d>(facts: &Facts<'_>, drift: &'d [Drift]) -> IndexMap<&'d ObjectId, Vec<Hold>> {
    let mut swapped: IndexMap<&ObjectId, Vec<Hold>> = IndexMap::new();
    for own in drift.iter().filter(|own| own.kind == "vm") {
        let known = facts.of(&own.object.address).iter().find(|known| known.object == own.object);
        let name = known.and_then(|known| known.live).map(|live| Value::text(&live.name));
        for AttributeChange { path, after, .. } in &own.attributes {
            let (Some(on @ Value::Text(_)), Some(name)) = (after, &name) else { continue };
            if let [block, label, attribute] = &path.names()[..]
                && *block == "disk"
                && *attribute == "volume"
            {
                swapped.entry(&own.object).or_default().push(Hold {
                    path: Some(path.clone()),
                    stays: false,
                    because: format!("its disk {label} is on {on}, which is no volume of ours"),
                    help: format!(
                        "copy it back (virsh blockcopy {name} TARGET --dest PATH --pivot), or detach \
                         it (virsh detach-disk {name} TARGET --config), or leave it: ignore = [{path}]"
                    ),
                });
            }
        }
    }
    swapped
}

/// Networks that are made anew, by their hosts, while somebody stays in them: no host takes away the
/// old one.
fn occupied<'f>(
    facts: &'f Facts<'_>,
    layout: &Layout<'_>,
    selection: &Selection,
    drafts: &[Draft],
) -> IndexMap<(&'f Address, &'f Address), Hold> {
    let known = |draft: &Draft| {
        let known = draft.old.and_then(|old| facts.known.get(old))?;
        (draft.kind() == "network" && draft.replaces() && known.live.is_some()).then_some(known)
    };
    let places = drafts.iter().filter_map(known);
    let mut places: IndexMap<(&Address, &Address), Option<Hold>> =
        places.map(|known| ((&known.object.address, &known.object.host), None)).collect();
    if places.is_empty() {
        return IndexMap::new();
    }
    let mut stay =
        |fields: &'f Fields, host: &'f Address, because: &dyn Fn() -> (String, String)| {
            each_attachment(fields, |_, _, _, network| {
                let hold = places.get_mut(&(network, host));
                if let Some(hold) = hold.filter(|hold| hold.is_none()) {
                    let (because, help) = because();
                    *hold = Some(Hold { path: None, stays: true, because, help });
                }
            });
        };
    for known in facts.known.iter().filter(|known| known.kind() == "vm" && known.live.is_some()) {
        let (address, host) = (&known.object.address, &known.object.host);
        let out = selection.leaves_out(address) || selection.forgets(address).is_some();
        let wanted = layout.wanted.contains_key(address);
        let left = || {
            let because = format!("{address} has a NIC in it, and this plan leaves it as it is");
            (because, "plan both together, or take its NIC out of the network first".to_owned())
        };
        if out || (!wanted && !selection.selects(address)) {
            known.attributes().into_iter().for_each(|fields| stay(fields, host, &left));
        }
        let later = || {
            let because = format!("{address} gets a NIC in it when it is next started");
            (because, format!("stop and start {address} first"))
        };
        if let Some(pending) = known.pending.as_ref().filter(|_| wanted || out) {
            stay(pending, host, &later);
        }
    }
    for ((host, kind, name), live) in &facts.foreign {
        if **kind == "vm" {
            stay(&live.attributes, host, &|| {
                let because = format!("the guest {name}, which is not ours, has a NIC in it");
                (because, "take its NIC out of the network first".to_owned())
            });
        }
    }
    places.into_iter().filter_map(|(place, hold)| Some((place, hold?))).collect()
}

fn holds<'f>(known: &Known<'f>) -> &'f [Hold] {
    known.live.map_or(&[], |live| &live.holds)
}

/// The volumes and disks under guests that are held with them.
fn attached<'f>(facts: &'f Facts<'_>) -> Attached<'f> {
    let mut attached = Attached::new();
    for known in facts.known.iter().filter(|known| known.kind() == "vm") {
        let own: Vec<&Hold> = holds(known).iter().filter(|hold| hold.stays).collect();
        let sides = [&known.found, &known.applied].into_iter().flatten();
        for fields in sides.filter(|_| !own.is_empty()) {
            each_attachment(fields, |block, attribute, label, address| {
                let path = AttrPath::attribute(block).field(label.clone()).field(attribute);
                let held = own.iter().find(|hold| hold.covers(&path));
                if let Some(hold) = held.filter(|_| kinds::HOLDS_DATA.contains(&&**address.kind()))
                {
                    let place = (address, &known.object.host);
                    attached.insert(place, (&known.object.address, hold));
                }
            });
        }
    }
    attached
}

/// Whether a draft does something to the data of a volume.
fn changes_data(draft: &Draft) -> bool {
    draft.deletes() || (draft.work == Work::Update && differs(draft).next().is_some())
}

/// The attributes that differ on the host, and not only in the record or the stamp.
fn differs(draft: &Draft) -> impl Iterator<Item = &AttributeChange> {
    draft.attributes.iter().filter(|change| change.impact != Impact::None)
}

/// The attribute of a draft that is held, or none where the object goes; `None` where it is free.
fn touches<'d>(draft: &'d Draft, hold: &Hold) -> Option<Option<&'d AttrPath>> {
    if draft.deletes() || draft.action == Action::Migrate {
        return hold.stays.then_some(None);
    }
    if draft.work != Work::Update {
        return None;
    }
    let starts = |change: &AttributeChange| {
        change.path == AttrPath::attribute("running") && change.after == Some(Value::Bool(true))
    };
    let paths = differs(draft).filter(|change| !starts(change)).map(|change| &change.path);
    paths.chain(&draft.detached).find(|path| hold.covers(path)).map(Some)
}

fn refusal(
    input: &Input<'_>,
    draft: &Draft,
    path: Option<&AttrPath>,
    holder: &Address,
    hold: &Hold,
) -> Diagnostic {
    let address = &draft.object.address;
    let spans = match path {
        Some(path) => input.evaluator.causes(address, Some(path)),
        None => Vec::new(),
    };
    let declared = || Some(input.evaluator.desired().resources.get(address)?.span);
    let span = spans.first().copied().or_else(declared).unwrap_or(Span::new(FileId(0), 0, 0));
    let what = match path {
        Some(path) => format!("`{path}` of {address} cannot change now"),
        None if draft.deletes() => format!("{address} cannot be removed now"),
        None => format!("{address} cannot change now"),
    };
    let whose = if holder == address { String::new() } else { format!("{holder}: ") };
    Diagnostic::error(codes::E0914, span, format!("{what}: {whose}{}", hold.because))
        .label(format!("on {}", draft.previous_host.as_ref().unwrap_or(&draft.object.host)))
        .help(&hold.help)
}
