//! What exists: records and stamped live objects, put together under the address that each has now.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{
    Address, Deployment, DesiredGraph, Diagnostic, Fields, Identity, Name, ObjectId,
    ObservedObject, Record, Span, Stamp, Value, codes,
};
use uuid::Uuid;

use crate::input::{Goal, Input};
use crate::moves::{Moves, is_declared};

/// One object of ours, from its record, its stamp, or both.
#[derive(Clone, Debug)]
pub(crate) struct Known<'a> {
    /// Under the address that it has now.
    pub object: ObjectId,
    /// The address that it is recorded or stamped with, when a move changed it.
    pub previous: Option<Address>,
    /// What was last applied; absent after a loss of state.
    pub record: Option<&'a Record>,
    /// What is there; absent when it is gone, or its host did not answer.
    pub live: Option<&'a ObservedObject>,
    /// Whether its host answered.
    pub answered: bool,
    /// Whether it is being adopted and carries no stamp yet.
    pub adopted: bool,
    /// Keys of records that describe it, when they are not `object`.
    pub old_ids: Vec<ObjectId>,
    /// What it was last known to depend on, sorted, under their present addresses.
    pub dependencies: Vec<Address>,
    /// Attributes last applied, with references under their present addresses.
    pub applied: Option<Arc<Fields>>,
    /// Attributes in force, with references under their present addresses.
    pub found: Option<Arc<Fields>>,
}

impl Known<'_> {
    /// The stamp on the object, or the one that was last put on.
    pub(crate) fn stamp(&self) -> Option<&Stamp> {
        let live = self.live.filter(|_| !self.adopted).and_then(|live| live.stamp.as_ref());
        live.or_else(|| self.record.map(|record| &record.stamp))
    }

    /// How the hypervisor knows it.
    pub(crate) fn identity(&self, deployment: &Deployment, per_host: bool) -> Identity {
        match (self.record, self.live) {
            (_, Some(live)) => {
                let derived = || Identity::derive(deployment, &self.object, per_host).uuid;
                let recorded = self.record.map(|record| record.identity.uuid);
                let uuid = live.uuid.or(recorded).unwrap_or_else(derived);
                Identity { uuid, name: live.name.clone() }
            }
            (Some(record), None) => record.identity.clone(),
            (None, None) => Identity::derive(deployment, &self.object, per_host),
        }
    }

    /// Attributes that it has: what is live, else what was last applied.
    pub(crate) fn attributes(&self) -> Option<&Arc<Fields>> {
        self.found.as_ref().or(self.applied.as_ref())
    }

    /// Whether a guest runs in it.
    pub(crate) fn runs(&self) -> bool {
        self.live.is_some_and(|live| {
            live.running.or_else(|| live.attributes.flag("running")).unwrap_or(false)
        })
    }

    /// Whether there is something on a host, as far as anybody knows.
    pub(crate) fn exists(&self) -> bool {
        self.live.is_some() || !self.answered
    }

    /// Whether it is known to depend on exactly these, which are sorted.
    pub(crate) fn depends_on(&self, wanted: &[Address]) -> bool {
        self.dependencies == wanted
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &Name {
        self.object.address.kind()
    }
}

/// Everything that exists.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Sorted by object.
    pub known: Vec<Known<'a>>,
    /// Which of [`Facts::known`] belong to an address.
    index: IndexMap<Address, std::ops::Range<usize>>,
    /// The statements of the text.
    pub moves: Moves,
    /// Addresses that change in this run: references to the left mean the right.
    pub renamed: IndexMap<Address, Address>,
    /// Objects that mention a renamed address in their stamp or record, and which it is now.
    pub touched: IndexMap<usize, Address>,
    /// Objects that are not ours, by host, kind and name.
    pub foreign: IndexMap<(&'a Address, &'a Name, &'a Name), &'a ObservedObject>,
    /// UUIDs that are taken by recorded and observed objects.
    uuids: IndexSet<Uuid>,
    /// Names on hosts that are taken by our objects.
    names: IndexSet<(Address, Name)>,
}

impl<'a> Facts<'a> {
    /// Puts records and live objects together.
    ///
    /// # Errors
    /// Statements that cannot be followed.
    pub(crate) fn gather(
        input: &Input<'a>,
        desired: &DesiredGraph,
    ) -> Result<Facts<'a>, Vec<Diagnostic>> {
        let follows_text = input.wishes.goal != Goal::Refresh;
        let mut moves = Moves::default();
        if follows_text {
            moves = Moves::new(desired)?;
            imply_moves(input, desired, &mut moves);
        }
        let mut facts = Facts { moves, ..Facts::default() };
        let mut known = facts.records(input);
        facts.stamped(input, &mut known);
        let mut problems = Vec::new();
        if input.wishes.goal == Goal::Apply {
            facts.adoptions(input, desired, &mut known, &mut problems);
        }
        facts.occupied(&mut known, desired, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut known: Vec<Known<'a>> = known.into_values().map(|found| found.known).collect();
        known.sort_by(|a, b| a.object.cmp(&b.object));
        facts.known = known;
        facts.translate();
        facts.index();
        Ok(facts)
    }

    fn records(&mut self, input: &Input<'a>) -> IndexMap<Key, Found<'a>> {
        let mut known = IndexMap::with_capacity(input.state.records.len());
        for (id, record) in &input.state.records {
            let object = self.now(id, record.stamp.previous.as_ref());
            self.uuids.insert(record.identity.uuid);
            self.names.insert((object.host.clone(), record.identity.name.clone()));
            let moved = object.address != id.address;
            let answered = input.observed.host(&id.host).is_some_and(|host| host.facts.is_some());
            let found = Found {
                moved_by: moved.then(|| id.address.clone()),
                known: Known {
                    object: object.clone(),
                    previous: moved.then(|| id.address.clone()),
                    record: Some(record),
                    live: None,
                    answered,
                    adopted: false,
                    old_ids: if moved { vec![id.clone()] } else { Vec::new() },
                    dependencies: Vec::new(),
                    applied: Some(Arc::clone(&record.attributes)),
                    found: None,
                },
            };
            insert(&mut known, Key { object, copy: 0 }, found);
        }
        known
    }

    fn stamped(&mut self, input: &Input<'a>, known: &mut IndexMap<Key, Found<'a>>) {
        for host in &input.observed.hosts {
            for live in &host.objects {
                let stamp = live.stamp.as_ref().filter(|s| s.deployment == input.deployment.id);
                let Some(stamp) = stamp else {
                    self.foreign.insert((&host.host, &live.kind, &live.name), live);
                    continue;
                };
                self.uuids.extend(live.uuid);
                self.names.insert((host.host.clone(), live.name.clone()));
                let stamped = ObjectId {
                    address: stamp.address.clone(),
                    host: host.host.clone(),
                    incarnation: stamp.incarnation,
                };
                self.match_live(input, known, &stamped, stamp, live);
            }
        }
    }

    fn match_live(
        &mut self,
        input: &Input<'a>,
        known: &mut IndexMap<Key, Found<'a>>,
        stamped: &ObjectId,
        stamp: &Stamp,
        live: &'a ObservedObject,
    ) {
        let object = self.now(stamped, stamp.previous.as_ref());
        let moved = object.address != stamped.address;
        let key = Key { object, copy: 0 };
        let same = |found: &Found<'_>| {
            found.known.record.is_none_or(|record| live.is(record.kind.as_str(), &record.identity))
        };
        match known.get_mut(&key) {
            Some(found) if found.known.live.is_none() && same(found) => {
                found.known.live = Some(live);
                found.known.found = Some(Arc::clone(&live.attributes));
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
                    found.known.live = Some(live);
                    found.known.found = Some(Arc::clone(&live.attributes));
                }
                if let Some(copy) = copy {
                    let host = input.observed.host(&stamped.host).map(|host| &host.host);
                    self.foreign.extend(host.map(|host| ((host, &copy.kind, &copy.name), copy)));
                }
            }
            _ => {
                let found = Found {
                    moved_by: moved.then(|| stamped.address.clone()),
                    known: Known {
                        object: key.object.clone(),
                        previous: moved.then(|| stamped.address.clone()),
                        record: None,
                        live: Some(live),
                        answered: true,
                        adopted: false,
                        old_ids: Vec::new(),
                        dependencies: Vec::new(),
                        applied: None,
                        found: Some(Arc::clone(&live.attributes)),
                    },
                };
                insert(known, key, found);
            }
        }
    }

    /// `adopt`: foreign objects that the text names become known.
    fn adoptions(
        &mut self,
        input: &Input<'a>,
        desired: &DesiredGraph,
        known: &mut IndexMap<Key, Found<'a>>,
        problems: &mut Vec<Diagnostic>,
    ) {
        if desired.adopted.is_empty() {
            return;
        }
        let mut ours: IndexSet<(Address, Address)> = known
            .values()
            .map(|found| (found.known.object.address.clone(), found.known.object.host.clone()))
            .collect();
        for adoption in &desired.adopted {
            let object = ObjectId {
                address: adoption.address.clone(),
                host: adoption.host.clone(),
                incarnation: 0,
            };
            // Already ours: the statement may stay in the text.
            if !ours.insert((object.address.clone(), object.host.clone())) {
                continue;
            }
            if !desired.resources.contains_key(&adoption.address) {
                problems.push(nothing_to_become(&adoption.address, adoption.span));
                continue;
            }
            let Some(host) = input.observed.host(&adoption.host).filter(|h| h.facts.is_some())
            else {
                problems.push(silent_host(&adoption.host, adoption.span));
                continue;
            };
            let is_meant = |live: &&ObservedObject| {
                live.kind == *adoption.address.kind() && live.is_called(&adoption.from)
            };
            match host.objects.iter().find(is_meant) {
                None => problems.push(not_found(adoption, &host.objects)),
                Some(live) if live.stamp.is_some() => {
                    problems.push(of_another(&adoption.from, adoption.span));
                }
                Some(live) => {
                    self.foreign.swap_remove(&(&host.host, &live.kind, &live.name));
                    let known_object = Known {
                        object: object.clone(),
                        previous: None,
                        record: None,
                        live: Some(live),
                        answered: true,
                        adopted: true,
                        old_ids: Vec::new(),
                        dependencies: Vec::new(),
                        applied: None,
                        found: Some(Arc::clone(&live.attributes)),
                    };
                    insert(
                        known,
                        Key { object, copy: 0 },
                        Found { moved_by: None, known: known_object },
                    );
                }
            }
        }
    }

    /// Two objects under one address: somebody moved one onto the other.
    fn occupied(
        &self,
        known: &mut IndexMap<Key, Found<'a>>,
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

    /// Puts present addresses into the references of attributes.
    fn translate(&mut self) {
        for known in &self.known {
            if let Some(previous) = &known.previous {
                self.renamed.insert(previous.clone(), known.object.address.clone());
            }
        }
        for known in &mut self.known {
            let Some(stamp) = known.stamp() else { continue };
            let now = |address: &Address| self.renamed.get(address).unwrap_or(address).clone();
            let mut dependencies: Vec<Address> = stamp.dependencies.iter().map(now).collect();
            if !dependencies.is_sorted() {
                dependencies.sort();
            }
            known.dependencies = dependencies;
        }
        if self.renamed.is_empty() {
            return;
        }
        for (index, known) in self.known.iter_mut().enumerate() {
            let stamp = known.stamp().into_iter().flat_map(|stamp| &stamp.dependencies);
            let mut target = stamp.filter_map(|address| self.renamed.get(address)).next().cloned();
            for fields in [&known.applied, &known.found].into_iter().flatten() {
                target = target.or_else(|| first_renamed(fields, &self.renamed));
            }
            for fields in [&mut known.applied, &mut known.found].into_iter().flatten() {
                if let Some(translated) = renamed_fields(fields, &self.renamed) {
                    *fields = Arc::new(translated);
                }
            }
            if let Some(target) = target.filter(|_| known.live.is_some()) {
                self.touched.insert(index, target);
            }
        }
    }

    fn index(&mut self) {
        let mut start = 0;
        while let Some(first) = self.known.get(start) {
            let rest = self.known[start..].iter();
            let count = rest.take_while(|k| k.object.address == first.object.address).count();
            self.index.insert(first.object.address.clone(), start..start + count);
            start += count;
        }
    }

    /// The objects of an address, by host and incarnation.
    pub(crate) fn of(&self, address: &Address) -> &[Known<'a>] {
        self.known.get(self.range(address)).unwrap_or_default()
    }

    /// Which of [`Facts::known`] belong to an address.
    pub(crate) fn range(&self, address: &Address) -> std::ops::Range<usize> {
        self.index.get(address).cloned().unwrap_or_default()
    }

    /// The addresses of everything known, sorted.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.index.keys()
    }

    /// The object that is current at an address: on `host`, or on whichever host it is. An object
    /// that is there wins over one that is only remembered, and a newer incarnation over an older.
    pub(crate) fn current(&self, address: &Address, host: Option<&Address>) -> Option<&Known<'a>> {
        self.known.get(self.current_index(address, host)?)
    }

    /// Like [`Facts::current`]: the index into [`Facts::known`].
    pub(crate) fn current_index(&self, address: &Address, host: Option<&Address>) -> Option<usize> {
        self.range(address)
            .filter_map(|index| Some((index, self.known.get(index)?)))
            .filter(|(_, known)| host.is_none_or(|host| known.object.host == *host))
            .max_by_key(|(_, known)| {
                let newest = (known.object.incarnation, known.record.is_some());
                (known.live.is_some(), !known.answered, newest)
            })
            .map(|(index, _)| index)
    }

    /// A new object's identity: the first incarnation from `least` whose UUID and name are free.
    pub(crate) fn create(
        &mut self,
        deployment: &Deployment,
        mut object: ObjectId,
        per_host: bool,
    ) -> (ObjectId, Identity) {
        loop {
            let identity = Identity::derive(deployment, &object, per_host);
            let name = (object.host.clone(), identity.name.clone());
            if !self.uuids.contains(&identity.uuid) && !self.names.contains(&name) {
                self.uuids.insert(identity.uuid);
                self.names.insert(name);
                return (object, identity);
            }
            object.incarnation = object.incarnation.saturating_add(1);
        }
    }

    fn now(&self, id: &ObjectId, previous: Option<&Address>) -> ObjectId {
        match self.moves.apply(&id.address, previous) {
            Some(address) => ObjectId { address, ..id.clone() },
            None => id.clone(),
        }
    }
}

/// While facts are gathered, two objects may claim one place: `copy` tells them apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    object: ObjectId,
    copy: u32,
}

#[derive(Clone, Debug)]
struct Found<'a> {
    known: Known<'a>,
    moved_by: Option<Address>,
}

fn insert<'a>(known: &mut IndexMap<Key, Found<'a>>, mut key: Key, found: Found<'a>) {
    while known.contains_key(&key) {
        key.copy += 1;
    }
    known.insert(key, found);
}

fn is_per_host(input: &Input<'_>, kind: &str) -> bool {
    input.catalog.get(kind).is_some_and(|schema| schema.role == tcloud_model::Role::PerHost)
}

/// The fields with references under their new addresses; `None` when there is nothing to change.
pub(crate) fn renamed_fields(
    fields: &Fields,
    renamed: &IndexMap<Address, Address>,
) -> Option<Fields> {
    let mut affected = false;
    for (_, value) in fields.iter() {
        value.each_reference(&mut |address| affected |= renamed.contains_key(address));
    }
    affected.then(|| {
        fields.iter().map(|(name, value)| (name.clone(), renamed_value(value, renamed))).collect()
    })
}

fn first_renamed(fields: &Fields, renamed: &IndexMap<Address, Address>) -> Option<Address> {
    let mut first = None;
    for (_, value) in fields.iter() {
        value.each_reference(&mut |address| {
            if first.is_none() {
                first = renamed.get(address).cloned();
            }
        });
    }
    first
}

fn renamed_value(value: &Value, renamed: &IndexMap<Address, Address>) -> Value {
    match value {
        Value::Ref(address) => Value::Ref(renamed.get(address).unwrap_or(address).clone()),
        Value::List(items) => {
            Value::list(items.iter().map(|item| renamed_value(item, renamed)).collect())
        }
        Value::Map(fields) => renamed_fields(fields, renamed)
            .map_or_else(|| Value::Map(Arc::clone(fields)), Value::map),
        other => other.clone(),
    }
}

/// A block that gets or loses its `for` keeps its object: `vm.web` becomes the first instance.
fn imply_moves(input: &Input<'_>, desired: &DesiredGraph, moves: &mut Moves) {
    let stamped = input.observed.hosts.iter().flat_map(|host| &host.objects);
    let stamps = stamped
        .filter_map(|live| live.stamp.as_ref())
        .filter(|stamp| stamp.deployment == input.deployment.id)
        .map(|stamp| &stamp.address);
    let mut known: IndexSet<&Address> = IndexSet::new();
    for address in input.state.records.keys().map(|id| &id.address).chain(stamps) {
        known.extend(address.ancestry());
    }
    if known.iter().all(|address| is_declared(desired, address)) {
        return;
    }
    let mut first: IndexMap<Address, (&Address, Span)> = IndexMap::new();
    for (address, resource) in &desired.resources {
        for segment in address.ancestry().into_iter().filter(|s| s.key().is_some()) {
            let plain = sibling(segment);
            first.entry(plain).or_insert((segment, resource.span));
        }
    }
    let known_at = |scope: &Address| known.contains(scope);
    for (plain, (instance, span)) in first {
        if known_at(&plain) && !known_at(instance) && !is_declared(desired, &plain) {
            moves.imply(plain, instance.clone(), span);
        }
    }
}

/// The address without the key of its last segment.
fn sibling(address: &Address) -> Address {
    match address.parent() {
        Some(parent) => parent.child(address.kind().clone(), address.name().clone(), None),
        None => Address::root(address.kind().clone(), address.name().clone(), None),
    }
}

fn nothing_to_become(address: &Address, span: Span) -> Diagnostic {
    Diagnostic::error(codes::E0904, span, format!("`{address}` is adopted, and not declared"))
        .help("declare a block of this address that says how the object is to be")
}

fn silent_host(host: &Address, span: Span) -> Diagnostic {
    Diagnostic::error(
        codes::E0904,
        span,
        format!("`{host}` did not answer, nothing can be adopted"),
    )
    .help("adopt when the host answers")
}

fn not_found(adoption: &tcloud_model::Adoption, objects: &[ObservedObject]) -> Diagnostic {
    let kind = adoption.address.kind();
    let free = objects.iter().filter(|live| live.kind == *kind && live.stamp.is_none());
    let names: Vec<&str> = free.map(|live| live.name.as_str()).collect();
    let near = tcloud_model::diagnostic::nearest(&adoption.from, names.iter().copied());
    let help = match (near, names.is_empty()) {
        (Some(near), _) => format!("did you mean {}?", Value::text(near)),
        (None, true) => format!("there is no {kind} on it that is not managed already"),
        (None, false) => {
            let some: Vec<String> =
                names.iter().take(5).map(|name| Value::text(name).to_string()).collect();
            format!("it has {}", some.join(", "))
        }
    };
    let from = Value::text(&adoption.from);
    let message = format!("there is no {kind} {from} on {}", adoption.host);
    Diagnostic::error(codes::E0904, adoption.span, message).help(help)
}

fn of_another(name: &str, span: Span) -> Diagnostic {
    let name = Value::text(name);
    Diagnostic::error(codes::E0904, span, format!("{name} belongs to something else already"))
        .help("an object has one owner: forget it there first")
}

fn target_occupied(
    moves: &Moves,
    desired: &DesiredGraph,
    from: Option<&Address>,
    to: &Address,
) -> Diagnostic {
    let declared = desired.resources.get(to).map(|resource| resource.span);
    let span = moves.span_to(to).or(declared).unwrap_or(Span::new(tcloud_model::FileId(0), 0, 0));
    let from = from.map_or_else(String::new, |from| format!("`{from}` cannot move: "));
    Diagnostic::error(codes::E0905, span, format!("{from}`{to}` exists already")).help(format!(
        "remove the `moved`, or write `forget` or another `moved` for what is at `{to}`"
    ))
}
