//! Gathers the facts: who is recorded, who is stamped, and who is meant to be whom.

use std::sync::Arc;

use indexmap::IndexMap;
use indexmap::map::Entry;
use tcloud_model::{
    Address, ByAddress, DesiredGraph, Diagnostic, FileId, Identity, ObjectId, ObservedObject,
    Record, Role, Span, Stamp, codes,
};

use super::{Facts, Known};
use crate::input::{Goal, Input};
use crate::moves::{Moves, imply_moves};

impl<'a> Facts<'a> {
    /// Puts records and live objects together.
    ///
    /// # Errors
    /// Statements that cannot be followed.
    pub(crate) fn gather(
        input: &Input<'a>,
        desired: &DesiredGraph,
    ) -> Result<Facts<'a>, Vec<Diagnostic>> {
        let mut problems = abandoned(input, desired);
        let facts = Facts::gather_beside(input, desired, &mut problems)?;
        if problems.is_empty() { Ok(facts) } else { Err(problems) }
    }

    /// The same for a plan that is there already, where only its hosts were asked: what is on others,
    /// and what cannot be adopted now, is not its business.
    ///
    /// # Errors
    /// Other statements that cannot be followed.
    pub(crate) fn gather_again(
        input: &Input<'a>,
        desired: &DesiredGraph,
    ) -> Result<Facts<'a>, Vec<Diagnostic>> {
        Facts::gather_beside(input, desired, &mut Vec::new())
    }

    fn gather_beside(
        input: &Input<'a>,
        desired: &DesiredGraph,
        beside: &mut Vec<Diagnostic>,
    ) -> Result<Facts<'a>, Vec<Diagnostic>> {
        let follows_text = input.wishes.goal != Goal::Refresh;
        let mut moves = Moves::default();
        if follows_text {
            moves = Moves::new(desired)?;
            imply_moves(input, desired, &mut moves);
        }
        let mut facts = Facts { moves, ..Facts::default() };
        let mut known = facts.records(input);
        facts.stamped(input, desired, &mut known);
        unread(input, &mut known);
        let mut problems = Vec::new();
        if input.wishes.goal == Goal::Apply {
            facts.adoptions(input, desired, &mut known, beside);
        }
        facts.occupied(&mut known, desired, &mut problems);
        if !problems.is_empty() {
            problems.splice(0..0, beside.drain(..));
            return Err(problems);
        }
        let mut known: Vec<Known<'a>> = known.into_values().map(|found| found.known).collect();
        known.sort_by(|a, b| a.object.cmp(&b.object));
        facts.known = known;
        facts.translate();
        facts.follow_names(input, desired);
        facts.index();
        Ok(facts)
    }

    fn records(&mut self, input: &Input<'a>) -> ByAddress<Key, Found<'a>> {
        let mut known =
            ByAddress::with_capacity_and_hasher(input.state.records.len(), Default::default());
        for (id, record) in &input.state.records {
            let object = self.now(id, record.stamp.previous.as_ref());
            let moved = object.address != id.address;
            let answered = input.observed.host(&id.host).is_some_and(|host| host.facts.is_some());
            let found = Found {
                moved_by: moved.then(|| id.address.clone()),
                known: Known {
                    previous: moved.then(|| id.address.clone()),
                    record: Some(record),
                    answered,
                    old_ids: if moved { vec![id.clone()] } else { Vec::new() },
                    applied: Some(Arc::clone(&record.attributes)),
                    ..Known::new(object.clone())
                },
            };
            insert(&mut known, Key { object, copy: 0 }, found);
        }
        known
    }

    fn stamped(
        &mut self,
        input: &Input<'a>,
        desired: &DesiredGraph,
        known: &mut ByAddress<Key, Found<'a>>,
    ) {
        let moved = if input.wishes.goal == Goal::Refresh {
            MovedRecords::new()
        } else {
            moved_records(input, desired)
        };
        for host in &input.observed.hosts {
            for live in &host.objects {
                let stamp = live.stamp.as_ref().filter(|s| s.deployment == input.deployment.id);
                let Some(stamp) = stamp else {
                    self.foreign.insert((&host.host, &live.kind, &live.name), live);
                    continue;
                };
                if is_made_anew(input, live, stamp) {
                    continue;
                }
                let stamped = ObjectId {
                    address: stamp.address.clone(),
                    host: host.host.clone(),
                    incarnation: stamp.incarnation,
                };
                let meant = moved
                    .get(&(&stamped.host, &stamp.address))
                    .filter(|(_, record)| live.is(record.kind.as_str(), &record.identity));
                let object = match meant {
                    Some((id, record)) => self.now(id, record.stamp.previous.as_ref()),
                    None => self.now(&stamped, stamp.previous.as_ref()),
                };
                self.match_live(input, known, &stamped, object, live);
            }
        }
    }

    fn match_live(
        &mut self,
        input: &Input<'a>,
        known: &mut ByAddress<Key, Found<'a>>,
        stamped: &ObjectId,
        object: ObjectId,
        live: &'a ObservedObject,
    ) {
        let moved = object.address != stamped.address;
        let key = Key { object, copy: 0 };
        let same = |found: &Found<'_>| {
            found.known.record.is_none_or(|record| live.is(record.kind.as_str(), &record.identity))
        };
        match known.get_mut(&key) {
            Some(found) if found.known.live.is_none() && same(found) => {
                found.known.see(live);
                if moved {
                    found.known.previous = Some(stamped.address.clone());
                }
            }
            // A copy of our object that somebody made by hand, stamp and all.
            Some(found) if !moved && found.moved_by.is_none() => {
                let per_host = is_per_host(input, &live.kind);
                let derived = Identity::derive(input.deployment, stamped, per_host);
                let ours = found.known.live.is_none() || live.is(&live.kind, &derived);
                let copy = if ours { found.known.live } else { Some(live) };
                if ours {
                    found.known.see(live);
                }
                if let Some(copy) = copy {
                    let host = input.observed.host(&stamped.host).map(|host| &host.host);
                    self.foreign.extend(host.map(|host| ((host, &copy.kind, &copy.name), copy)));
                }
            }
            _ => {
                let mut own = Known {
                    previous: moved.then(|| stamped.address.clone()),
                    ..Known::new(key.object.clone())
                };
                own.see(live);
                let found = Found { moved_by: moved.then(|| stamped.address.clone()), known: own };
                insert(known, key, found);
            }
        }
    }
    /// Two objects under one address: somebody moved one onto the other.
    fn occupied(
        &self,
        known: &mut ByAddress<Key, Found<'a>>,
        desired: &DesiredGraph,
        problems: &mut Vec<Diagnostic>,
    ) {
        let copies: Vec<Key> = known.keys().filter(|key| key.copy > 0).cloned().collect();
        for key in copies {
            let Some(second) = known.shift_remove(&key) else { continue };
            let Some(first) = known.get_mut(&Key { copy: 0, ..key.clone() }) else { continue };
            let (first_lives, second_lives) = (first.known.exists(), second.known.exists());
            if first_lives && second_lives {
                let address = &key.object.address;
                let from = first.moved_by.as_ref().or(second.moved_by.as_ref());
                problems.push(target_occupied(&self.moves, desired, from, address));
            } else {
                let (kept, gone) = if second_lives {
                    (second, first.known.clone())
                } else {
                    (first.clone(), second.known)
                };
                *first = kept;
                first
                    .known
                    .old_ids
                    .extend(gone.old_ids.into_iter().filter(|id| *id != first.known.object));
            }
        }
    }
}

/// Records of what was moved, by their hosts and the addresses from which.
type MovedRecords<'a> = IndexMap<(&'a Address, &'a Address), (&'a ObjectId, &'a Record)>;

/// Those whose object may still carry its old stamp, because a provider only said that it put on the
/// new one: the text has the new address and no longer the old one, as the record has.
fn moved_records<'a>(input: &Input<'a>, desired: &DesiredGraph) -> MovedRecords<'a> {
    let declared = |address: &Address| desired.resources.contains_key(address);
    let moved = input.state.records.iter().filter_map(|(id, record)| {
        let previous = record.stamp.previous.as_ref()?;
        let agreed = declared(&id.address) && !declared(previous);
        agreed.then_some(((&id.host, previous), (id, record)))
    });
    moved.collect()
}

/// A host that could not read everything has not said that something is gone: what was not seen there
/// is as good as on a host that did not answer.
fn unread(input: &Input<'_>, known: &mut ByAddress<Key, Found<'_>>) {
    for Found { known, .. } in known.values_mut().filter(|found| found.known.live.is_none()) {
        let host = input.observed.host(&known.object.host);
        known.answered &= host.is_none_or(|host| host.problems.is_empty());
    }
}

/// While facts are gathered, two objects may claim one place: `copy` tells them apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) object: ObjectId,
    pub(super) copy: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    pub(super) known: Known<'a>,
    pub(super) moved_by: Option<Address>,
}

pub(super) fn insert<'a>(known: &mut ByAddress<Key, Found<'a>>, mut key: Key, found: Found<'a>) {
    loop {
        match known.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(found);
                return;
            }
            Entry::Occupied(entry) => {
                let taken = entry.key();
                key = Key { object: taken.object.clone(), copy: taken.copy + 1 };
            }
        }
    }
}

/// Hosts that objects are remembered on, and that nobody can ask: the text declares them no longer.
/// What runs there must not be passed over in silence.
fn abandoned(input: &Input<'_>, desired: &DesiredGraph) -> Vec<Diagnostic> {
    let mut hosts: IndexMap<&Address, Vec<&Address>> = IndexMap::new();
    for id in input.state.records.keys() {
        if input.observed.host(&id.host).is_none() {
            hosts.entry(&id.host).or_default().push(&id.address);
        }
    }
    hosts.sort_unstable_keys();
    let told = |(host, objects): (&Address, Vec<&Address>)| {
        let scope = host.parent().and_then(|scope| desired.resources.get(scope));
        let at = scope.map_or(Span::new(FileId(0), 0, 0), |scope| scope.span);
        let remembered = match objects.len() {
            1 => "1 object is remembered".to_owned(),
            count => format!("{count} objects are remembered"),
        };
        let message = format!("`{host}` is no longer in the text, and {remembered} on it");
        let example = objects.iter().find(|own| own.kind() == "vm").or(objects.first());
        let example = example.map(|own| own.to_string()).unwrap_or_default();
        Diagnostic::error(codes::E0913, at, message).help(format!(
            "put it back; to give it up, `drain = true` moves its guests away first; what is not \
             to be looked after any more is dropped by `tcloud state forget {example}` and the like"
        ))
    };
    hosts.into_iter().map(told).collect()
}

/// Whether it is unfinished, and made from the beginning: what is not wanted any more is removed.
pub(super) fn is_made_anew(input: &Input<'_>, live: &ObservedObject, stamp: &Stamp) -> bool {
    live.is_unfinished()
        && match input.wishes.goal {
            Goal::Apply => input.evaluator.desired().resources.contains_key(&stamp.address),
            Goal::Destroy => false,
            Goal::Refresh => true,
        }
}

fn is_per_host(input: &Input<'_>, kind: &str) -> bool {
    input.catalog.get(kind).is_some_and(|schema| schema.role == Role::PerHost)
}
fn target_occupied(
    moves: &Moves,
    desired: &DesiredGraph,
    from: Option<&Address>,
    to: &Address,
) -> Diagnostic {
    let declared = desired.resources.get(to).map(|resource| resource.span);
    let span = moves.span_to(to).or(declared).unwrap_or(Span::new(FileId(0), 0, 0));
    let from = from.map_or_else(String::new, |from| format!("`{from}` cannot move: "));
    Diagnostic::error(codes::E0905, span, format!("{from}`{to}` exists already")).help(format!(
        "remove the `moved`, or write `forget` or another `moved` for what is at `{to}`"
    ))
}
