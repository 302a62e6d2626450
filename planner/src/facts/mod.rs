//! What exists: records and stamped live objects, put together under the address that each has now.

mod adopt;
mod gather;
mod known;
mod names;
mod rename;
mod taken;

use indexmap::IndexMap;
use tcloud_model::{Address, ByAddress, Identity, Name, ObjectId, ObservedObject};

pub(crate) use known::Known;

use crate::input::Input;
use crate::moves::Moves;
use taken::Taken;

/// What the text calls objects, by their host, kind and name there.
pub(crate) type Called<'a> = IndexMap<(&'a Address, &'a Name, &'a Name), Address>;

/// Everything that exists.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Sorted by object.
    pub known: Vec<Known<'a>>,
    /// Which of [`Facts::known`] belong to an address.
    index: ByAddress<Address, std::ops::Range<usize>>,
    /// The statements of the text.
    pub moves: Moves,
    /// Addresses that change in this run: references to the left mean the right.
    pub renamed: IndexMap<Address, Address>,
    /// Objects that mention a renamed address in their stamp or record, and which it is now.
    pub touched: IndexMap<usize, Address>,
    /// Objects that are not ours, by host, kind and name.
    pub foreign: IndexMap<(&'a Address, &'a Name, &'a Name), &'a ObservedObject>,
    /// Objects of nobody that become ours in this run, and what they become.
    pub adopted: Called<'a>,
    /// What identities are taken, once something is created.
    taken: Option<Taken>,
}

impl<'a> Facts<'a> {
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

    /// The same with which of [`Facts::known`] belong to each.
    pub(crate) fn ranges(
        &self,
    ) -> impl ExactSizeIterator<Item = (&Address, &std::ops::Range<usize>)> {
        self.index.iter()
    }

    /// The object that is current at an address: on `host`, or on whichever host it is. An object
    /// that is there wins over one that is only remembered, and a newer incarnation over an older.
    pub(crate) fn current(&self, address: &Address, host: Option<&Address>) -> Option<&Known<'a>> {
        self.known.get(self.current_index(address, host)?)
    }

    /// Like [`Facts::current`]: the index into [`Facts::known`].
    pub(crate) fn current_index(&self, address: &Address, host: Option<&Address>) -> Option<usize> {
        self.current_among(self.range(address), host)
    }

    /// Like [`Facts::current_index`], where it is known which belong to the address.
    pub(crate) fn current_among(
        &self,
        all: std::ops::Range<usize>,
        host: Option<&Address>,
    ) -> Option<usize> {
        all.filter_map(|index| Some((index, self.known.get(index)?)))
            .filter(|(_, known)| host.is_none_or(|host| known.object.host == *host))
            .max_by_key(|(_, known)| {
                let newest = (known.object.incarnation, known.record.is_some());
                (known.live.is_some(), !known.answered, newest)
            })
            .map(|(index, _)| index)
    }

    /// A new object's identity: the first incarnation from the object's whose UUID and name are
    /// free. What it would be now may be known already.
    pub(crate) fn create(
        &mut self,
        input: &Input<'_>,
        mut object: ObjectId,
        per_host: bool,
        mut first: Option<Identity>,
    ) -> (ObjectId, Identity) {
        let mut taken = self.taken.take().unwrap_or_else(|| Taken::of(input));
        loop {
            let derived = || Identity::derive(input.deployment, &object, per_host);
            let identity = first.take().unwrap_or_else(derived);
            // A first name that others have is told; the names of later ones are nobody's choice.
            let is_free = object.incarnation == 0
                || self.foreign_at(&object.host, object.address.kind(), &identity.name).is_none();
            if is_free && taken.take(&object.host, &identity) {
                self.taken = Some(taken);
                return (object, identity);
            }
            object.incarnation = object.incarnation.saturating_add(1);
        }
    }

    /// What is not ours and has this name on a host. The disk of a guest is a volume there.
    pub(crate) fn foreign_at(
        &self,
        host: &Address,
        kind: &Name,
        name: &Name,
    ) -> Option<&'a ObservedObject> {
        let volume = (*kind == "disk").then(|| Name::new("volume"));
        self.foreign.get(&(host, volume.as_ref().unwrap_or(kind), name)).copied()
    }

    /// Forgets what only [`Facts::create`] asks for: nothing more is created.
    pub(crate) fn settle(&mut self) {
        self.taken = None;
    }

    fn now(&self, id: &ObjectId, previous: Option<&Address>) -> ObjectId {
        match self.moves.apply(&id.address, previous) {
            Some(address) => ObjectId { address, ..id.clone() },
            None => id.clone(),
        }
    }
}
