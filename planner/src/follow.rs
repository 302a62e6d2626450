//! What a change drags along: guests whose network or disk is made anew, volumes that go with
//! their guest, and replacements that have to come before deletions because others do.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, AttrPath, Diagnostic, Fields, Impact, Name, Value, kinds};

use crate::decide::Decided;
use crate::draft::{Draft, Work};
use crate::facts::{Facts, Known};
use crate::handover::hand_over;
use crate::input::Input;
use crate::layout::{Layout, Wanted};
use crate::plan::{Action, AttributeChange, Reason};
use crate::remember::{record, untouched};
use crate::select::Selection;

/// `create_first` holds for everything that the object needs as well: a new one can only stand
/// beside the old one if what it stands on does so too.
pub(crate) fn spread_create_first(layout: &mut Layout<'_>, facts: &Facts<'_>) {
    let first = layout.wanted.iter().filter(|(_, wanted)| wanted.create_first);
    let seeds: IndexSet<Address> = first.map(|(address, _)| address.clone()).collect();
    let wanted = |address: &Address| {
        let wanted = layout.wanted.get(address);
        wanted.map(|wanted| wanted.dependencies.to_vec()).unwrap_or_default()
    };
    let lasting = spread(seeds.clone(), &wanted);
    let now = spread(seeds, &|address| {
        let stored = facts.of(address).iter().flat_map(|known| &*known.dependencies).cloned();
        wanted(address).into_iter().chain(stored).collect()
    });
    for address in &now {
        if let Some(wanted) = layout.wanted.get_mut(address) {
            wanted.create_first_now = true;
            wanted.create_first = lasting.contains(address);
        }
    }
}

/// Everything that can be reached from the seeds.
fn spread(
    mut reached: IndexSet<Address>,
    needs: &dyn Fn(&Address) -> Vec<Address>,
) -> IndexSet<Address> {
    let mut next = 0;
    while let Some(address) = reached.get_index(next) {
        let needed = needs(address);
        reached.extend(needed);
        next += 1;
    }
    reached
}

/// Completes the decisions with what they drag along.
///
/// # Errors
/// What cannot go from one guest to another now.
pub(crate) fn follow<'a>(
    input: &Input<'a>,
    facts: &Facts<'a>,
    layout: &Layout<'a>,
    selection: &Selection,
    decided: &mut Decided,
) -> Result<(), Vec<Diagnostic>> {
    weigh_deletions(input, facts, &mut decided.drafts);
    hand_over(input, facts, layout, selection, &mut decided.drafts)?;
    go_with_what_is_needed(facts, layout, &mut decided.drafts);
    let remade = remade(facts, &decided.drafts);
    let users = Users::of(facts, &decided.drafts);
    drag_guests(input, facts, layout, decided, &remade, &users);
    keep_held(facts, decided, &users);
    carry_volumes(facts, &mut decided.drafts);
    for draft in &mut decided.drafts {
        draft.guests = users.guests(facts, draft);
    }
    Ok(())
}

/// What needs something that is gone for a while, before and after, goes before it and comes after
/// it, whatever the text says of its order.
fn go_with_what_is_needed(facts: &Facts<'_>, layout: &Layout<'_>, drafts: &mut [Draft]) {
    let mut users: IndexMap<&Address, Vec<usize>> = IndexMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        let old = draft.old.and_then(|old| facts.known.get(old));
        let new = layout.wanted.get(&draft.object.address);
        if draft.action == Action::ReplaceCreateFirst
            && let (Some(old), Some(new)) = (old, new)
        {
            let both = old.dependencies.iter().filter(|own| new.dependencies.contains(own));
            both.for_each(|needed| users.entry(needed).or_default().push(at));
        }
    }
    if users.is_empty() {
        return;
    }
    let gone = drafts.iter().filter(|draft| draft.action == Action::ReplaceDeleteFirst);
    let mut gone: Vec<Address> = gone.map(|draft| draft.object.address.clone()).collect();
    while let Some(needed) = gone.pop() {
        for at in users.swap_remove(&needed).unwrap_or_default() {
            drafts[at].action = Action::ReplaceDeleteFirst;
            gone.push(drafts[at].object.address.clone());
        }
    }
}

/// What deletions cost: nothing for what is gone already, data for what holds it.
fn weigh_deletions(input: &Input<'_>, facts: &Facts<'_>, drafts: &mut [Draft]) {
    for draft in drafts.iter_mut().filter(|draft| draft.deletes()) {
        let Some(live) = draft.old.and_then(|old| facts.known.get(old)).and_then(|k| k.live) else {
            continue;
        };
        let removal = match input.catalog.get(draft.kind()) {
            Some(schema) => schema.removal,
            None => Impact::RecreateKeep,
        };
        let holds = kinds::HOLDS_DATA.iter().any(|kind| *draft.kind() == *kind);
        let cost = match (holds, live.written) {
            // A disk into which nobody wrote holds nothing; a volume is meant to outlive its guest.
            (true, Some(0)) if *draft.kind() == "disk" => Impact::RecreateKeep,
            (true, _) => Impact::RecreateLose,
            (false, _) => removal,
        };
        draft.written = if holds { live.written } else { None };
        draft.impact = if holds { cost } else { draft.impact.max(cost) };
    }
}

/// How an object is made anew under those that use it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remade {
    /// The old one is there until the new one is.
    CreateFirst,
    /// For a while there is none.
    DeleteFirst,
}

type Place = (Address, Address);

fn remade(facts: &Facts<'_>, drafts: &[Draft]) -> IndexMap<Place, Remade> {
    let mut remade = IndexMap::new();
    for draft in drafts.iter().filter(|d| is_attached(d.kind())) {
        let lives =
            draft.old.and_then(|old| facts.known.get(old)).is_some_and(|k| k.live.is_some());
        let how = match (draft.action, &draft.reason) {
            (Action::ReplaceDeleteFirst, _) => Remade::DeleteFirst,
            (Action::ReplaceCreateFirst, _) => Remade::CreateFirst,
            // A replacement that was not finished: nobody knows who still uses the old one.
            (Action::Delete, Reason::Leftover) if lives => Remade::CreateFirst,
            (Action::Create, Reason::Vanished) => Remade::CreateFirst,
            _ => continue,
        };
        let place = (draft.object.address.clone(), draft.object.host.clone());
        // Beside a leftover there may be one that goes first: its guest has to let go of it.
        let entry = remade.entry(place).or_insert(how);
        if how == Remade::DeleteFirst {
            *entry = how;
        }
    }
    remade
}

fn is_attached(kind: &Name) -> bool {
    matches!(kind.as_str(), "network" | "volume" | "disk")
}

/// The blocks of a VM that attach something to it, and the attribute that says what.
const ATTACHMENTS: [(&str, &str); 2] = [("nic", "network"), ("disk", "volume")];

/// Tells what guests' attributes attach to them: block, attribute, label and object.
pub(crate) fn each_attachment<'f>(
    fields: &'f Fields,
    mut visit: impl FnMut(&'static str, &'static str, &'f Name, &'f Address),
) {
    for (block, attribute) in ATTACHMENTS {
        let Some(labels) = fields.map(block) else { continue };
        for (label, value) in labels.iter() {
            if let Value::Map(inner) = value
                && let Some(address) = inner.reference(attribute)
            {
                visit(block, attribute, label, address);
            }
        }
    }
}

/// Which live guests use what changes.
struct Users {
    guests: IndexMap<Place, Vec<usize>>,
}

impl Users {
    fn of(facts: &Facts<'_>, drafts: &[Draft]) -> Users {
        let changed = drafts.iter().filter(|d| is_attached(d.kind()) && d.action != Action::Move);
        let mut guests: IndexMap<Place, Vec<usize>> = changed
            .map(|draft| {
                let host = draft.previous_host.as_ref().unwrap_or(&draft.object.host);
                ((draft.object.address.clone(), host.clone()), Vec::new())
            })
            .collect();
        if guests.is_empty() {
            return Users { guests };
        }
        for (index, known) in facts.known.iter().enumerate() {
            if known.kind() != "vm" || known.live.is_none() {
                continue;
            }
            let Some(fields) = known.attributes() else { continue };
            each_attachment(fields, |_, _, _, address| {
                let place = (address.clone(), known.object.host.clone());
                if let Some(users) = guests.get_mut(&place).filter(|u| u.last() != Some(&index)) {
                    users.push(index);
                }
            });
        }
        Users { guests }
    }

    /// Running guests that notice a change.
    fn guests(&self, facts: &Facts<'_>, draft: &Draft) -> Vec<Address> {
        let notices = draft.impact >= Impact::Live
            && !matches!(draft.action, Action::Create | Action::Forget);
        if !notices {
            return Vec::new();
        }
        if draft.kind() == "vm" {
            let known = draft.old.and_then(|old| facts.known.get(old));
            return match known {
                Some(known) if known.runs() => vec![draft.object.address.clone()],
                _ => Vec::new(),
            };
        }
        let host = draft.previous_host.as_ref().unwrap_or(&draft.object.host);
        let users = self.guests.get(&(draft.object.address.clone(), host.clone()));
        let users = users.into_iter().flatten().filter_map(|index| facts.known.get(*index));
        users.filter(|vm| vm.runs()).map(|vm| vm.object.address.clone()).collect()
    }
}

/// Guests whose network or disk is made anew are changed with it.
fn drag_guests<'a>(
    input: &Input<'a>,
    facts: &Facts<'a>,
    layout: &Layout<'a>,
    decided: &mut Decided,
    remade: &IndexMap<Place, Remade>,
    users: &Users,
) {
    let mut affected: IndexSet<usize> = IndexSet::new();
    for place in remade.keys() {
        affected.extend(users.guests.get(place).into_iter().flatten().copied());
    }
    if affected.is_empty() {
        return;
    }
    let mut of_known: IndexMap<usize, usize> = IndexMap::new();
    for (at, draft) in decided.drafts.iter().enumerate() {
        of_known.extend(draft.old.filter(|_| draft.kind() == "vm").map(|old| (old, at)));
    }
    let mut added = Vec::new();
    for index in affected {
        let Some(known) = facts.known.get(index) else { continue };
        let Some(wanted) = layout.wanted.get(&known.object.address) else { continue };
        match of_known.get(&index).and_then(|at| decided.drafts.get_mut(*at)) {
            Some(draft) if draft.deletes() || !draft.stays() => {}
            Some(draft) => reattach(input, known, draft, remade),
            None => {
                let (attributes, moved) = inside(layout, known, wanted, remade);
                let mut draft = dragged(input, known, index, wanted, attributes);
                reattach(input, known, &mut draft, remade);
                if !moved.is_empty() {
                    draft.impact = draft.impact.max(Impact::LiveGuest);
                    draft.attributes.extend(moved);
                }
                if draft.work == Work::Update {
                    decided.unchanged = decided.unchanged.saturating_sub(1);
                    added.push(draft);
                }
            }
        }
    }
    decided.drafts.extend(added);
    decided.drafts.sort_by(|a, b| {
        let key = |draft: &Draft| draft.object.incarnation;
        (&a.object.address, &a.object.host)
            .cmp(&(&b.object.address, &b.object.host))
            .then_with(|| key(b).cmp(&key(a)))
    });
}

/// A guest that would not have changed on its own keeps the attributes that it has.
fn dragged<'a>(
    input: &Input<'a>,
    known: &Known<'a>,
    index: usize,
    wanted: &Wanted<'a>,
    attributes: Arc<Fields>,
) -> Draft {
    let identity = known.identity(input.deployment, false);
    let mut draft = Draft::new(known.object.clone(), identity, Action::Update, Reason::Text);
    draft.old = Some(index);
    let previous = known.stamp().and_then(|stamp| stamp.previous.clone());
    let record = record(input, wanted, &draft.object, &draft.identity, attributes, previous);
    draft.record = Some(untouched(record, known.stamp()));
    draft
}

/// The attributes that such a guest has, and what changes about them: an address that lies outside of
/// its network, which is made anew, is of no use to it.
fn inside(
    layout: &Layout<'_>,
    known: &Known<'_>,
    wanted: &Wanted<'_>,
    remade: &IndexMap<Place, Remade>,
) -> (Arc<Fields>, Vec<AttributeChange>) {
    let Some(applied) = &known.applied else { return (Arc::clone(&wanted.attributes), Vec::new()) };
    let mut attributes = Arc::clone(applied);
    let mut moved = Vec::new();
    for (label, value) in applied.map("nic").into_iter().flat_map(|nics| nics.iter()) {
        let Value::Map(had) = value else { continue };
        let new = wanted.attributes.map("nic").and_then(|nics| nics.map(label));
        let Some((network, new)) = had.reference("network").zip(new) else { continue };
        let is_remade = remade.contains_key(&(network.clone(), known.object.host.clone()));
        let network_now = layout.wanted.get(network).filter(|_| is_remade);
        let space = network_now.and_then(|own| own.attributes.get("cidr"));
        let (Some(Value::Cidr(space)), Some(Value::Ip(ip))) = (space, had.get("address")) else {
            continue;
        };
        let other = new.get("address").filter(|_| new.reference("network") == Some(network));
        if !space.contains(ip) && other.is_some_and(|other| *other != Value::Ip(*ip)) {
            let path = AttrPath::attribute("nic").field(label.clone()).field("address");
            Arc::make_mut(&mut attributes).put(&path.names(), other.cloned());
            moved.push(AttributeChange {
                path,
                before: had.get("address").cloned(),
                after: other.cloned(),
                impact: Impact::LiveGuest,
                drift: false,
                no_room: false,
                causes: Vec::new(),
            });
        }
    }
    (attributes, moved)
}

/// The guest takes the new object in the place of the old one. Where the old one goes first, the
/// guest lets go of it before: no hypervisor removes what a guest uses.
fn reattach(
    input: &Input<'_>,
    known: &Known<'_>,
    draft: &mut Draft,
    remade: &IndexMap<Place, Remade>,
) {
    let Some(fields) = known.attributes() else { return };
    let own = draft.attributes.len();
    let mut leader = None;
    let mut cycles = false;
    each_attachment(fields, |block, attribute, label, address| {
        let place = (address.clone(), known.object.host.clone());
        let Some(how) = remade.get(&place) else { return };
        let label_path = AttrPath::attribute(block).field(label.clone());
        let path = label_path.field(attribute);
        if *how == Remade::DeleteFirst {
            if !draft.detached.contains(&label_path) {
                draft.detached.push(label_path.clone());
            }
            draft.work = Work::Update;
        }
        // A guest that runs cannot be without its disk, nor without some NICs, and they cannot wait.
        let fixed = *how == Remade::DeleteFirst && !known.unplugs(input.catalog, &label_path);
        let stops = known.runs() && (block == "disk" || fixed);
        cycles |= stops;
        if draft.attributes.iter().any(|c| c.path == path || c.path == label_path) {
            return;
        }
        leader.get_or_insert_with(|| address.clone());
        let value = Some(Value::Ref(address.clone()));
        draft.attributes.push(AttributeChange {
            path,
            before: value.clone(),
            after: value,
            impact: match how {
                _ if stops => Impact::PowerCycle,
                // The NIC is plugged in anew: what the guest had set up on it is gone.
                Remade::DeleteFirst => Impact::LiveGuest,
                Remade::CreateFirst => Impact::Live,
            },
            drift: false,
            no_room: false,
            causes: Vec::new(),
        });
    });
    for change in draft.attributes.iter().skip(own) {
        draft.impact = draft.impact.max(change.impact);
        draft.work = Work::Update;
    }
    if let Some(leader) = leader.filter(|_| own == 0) {
        draft.reason = Reason::Follows(leader);
    }
    if cycles {
        // That was decided by itself, and is not held to a window.
        (draft.power_cycle, draft.waits) = (true, false);
        (draft.opens, draft.until) = (None, None);
        draft.impact = draft.impact.max(Impact::PowerCycle);
    }
}

/// A disk that a running guest goes on using until it is stopped cannot be deleted yet.
fn keep_held(facts: &Facts<'_>, decided: &mut Decided, users: &Users) {
    let guests = decided.drafts.iter().filter(|draft| draft.kind() == "vm");
    let of_guest: IndexMap<usize, &Draft> =
        guests.filter_map(|draft| Some((draft.old?, draft))).collect();
    let holder = |draft: &Draft| {
        let known = draft.old.and_then(|old| facts.known.get(old));
        let goes = draft.action == Action::Delete
            && kinds::HOLDS_DATA.contains(&&**draft.kind())
            && known.is_none_or(|known| known.exists());
        if !goes {
            return None;
        }
        let address = &draft.object.address;
        let vms = users.guests.get(&(address.clone(), draft.object.host.clone()));
        let mut holders = vms.into_iter().flatten().filter_map(|vm| {
            let known = facts.known.get(*vm)?;
            let goes = of_guest.get(vm).is_some_and(|draft| lets_go(draft, known, address));
            (!goes).then(|| known.object.address.clone())
        });
        holders.next()
    };
    let holders: Vec<Option<Address>> = decided.drafts.iter().map(holder).collect();
    let mut holders = holders.into_iter();
    let mut notes = Vec::new();
    decided.drafts.retain(|draft| {
        let Some(holder) = holders.next().flatten() else { return true };
        let address = &draft.object.address;
        notes.push(format!(
            "{address} stays until {holder}, which uses it, was stopped and started"
        ));
        false
    });
    decided.unchecked.extend(notes);
}

/// Whether a guest, as it runs, is without a disk once its change is made.
fn lets_go(draft: &Draft, known: &Known<'_>, volume: &Address) -> bool {
    if draft.deletes() || draft.action == Action::Forget {
        return draft.deletes();
    }
    let Some(fields) = known.attributes() else { return true };
    let mut lets_go = true;
    each_attachment(fields, |block, attribute, label, address| {
        let own = AttrPath::attribute(block).field(label.clone());
        let changes = |change: &AttributeChange| {
            (change.path == own || change.path == own.field(attribute))
                && (change.impact < Impact::PowerCycle || draft.power_cycle)
        };
        let goes = || draft.detached.contains(&own) || draft.attributes.iter().any(changes);
        lets_go &= address != volume || goes();
    });
    lets_go
}

/// Volumes that move in the same run from and to the same host go with their guest.
fn carry_volumes(facts: &Facts<'_>, drafts: &mut [Draft]) {
    let mut moving: IndexMap<(Address, Address, Address), usize> = IndexMap::new();
    let mut guests = Vec::new();
    for (at, draft) in drafts.iter().enumerate().filter(|(_, d)| d.action == Action::Migrate) {
        let Some(from) = &draft.previous_host else { continue };
        if draft.kind() == "vm" {
            guests.push(at);
        } else {
            let object = &draft.object;
            moving.insert((object.address.clone(), from.clone(), object.host.clone()), at);
        }
    }
    for at in guests {
        let (Some(from), to) = (drafts[at].previous_host.clone(), drafts[at].object.host.clone())
        else {
            continue;
        };
        let guest = drafts[at].object.address.clone();
        let known = drafts[at].old.and_then(|old| facts.known.get(old));
        let Some(fields) = known.and_then(|known| known.attributes()) else { continue };
        let mut carried = Vec::new();
        each_attachment(fields, |block, _, _, address| {
            if block == "disk" {
                let key = (address.clone(), from.clone(), to.clone());
                carried.extend(moving.get(&key).copied());
            }
        });
        for volume in carried {
            drafts[volume].carrier.get_or_insert_with(|| guest.clone());
        }
    }
}
