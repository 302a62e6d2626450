//! What guests hold without anybody remembering it, and have to let go of all the same: the host is
//! the truth.

use tcloud_model::{Address, Digest};

use crate::facts::{Facts, Known};
use crate::layout::{Layout, Wanted};
use crate::select::Selection;

/// Tells of one guest which of its attachments go, though neither text nor record knows them.
pub(crate) struct Released<'r, 'a> {
    facts: &'r Facts<'a>,
    layout: &'r Layout<'a>,
    selection: &'r Selection,
    known: &'r Known<'a>,
    outdated: bool,
}

impl<'r, 'a> Released<'r, 'a> {
    /// Of a guest that stays.
    pub(crate) fn of(
        (facts, layout, selection): (&'r Facts<'a>, &'r Layout<'a>, &'r Selection),
        wanted: &Wanted<'a>,
        known: &'r Known<'a>,
    ) -> Released<'r, 'a> {
        let recorded = known.record.map(|record| record.stamp.digest.get());
        let stamped = known.stamp().map(|stamp| stamp.digest.get());
        let outdated =
            recorded != stamped && stamped != Some(Digest::of_fields(&wanted.attributes));
        Released { facts, layout, selection, known, outdated }
    }

    /// Whether it lets go of the object: it goes away from the guest's host, where it could not
    /// while the guest has it; or the stamp knows that the guest was given it, and the record is an
    /// older one.
    pub(crate) fn holds(&self, address: &Address) -> bool {
        let given = self.outdated && self.known.dependencies.binary_search(address).is_ok();
        given || self.goes(address)
    }

    fn goes(&self, address: &Address) -> bool {
        let host = &self.known.object.host;
        let stays = |wanted: &Wanted<'_>| wanted.hosts.contains(host);
        self.selection.selects(address)
            && self.selection.forgets(address).is_none()
            && self.facts.current(address, Some(host)).is_some()
            && !self.layout.wanted.get(address).is_some_and(stays)
    }
}
