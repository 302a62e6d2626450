//! How what is known differs from what the text wants: the part of a decision that needs no other.

use tcloud_model::{Digest, Role};

use super::Table;
use crate::diff::{Context, Difference, Sides, Unread, diff};
use crate::facts::{Facts, Known};
use crate::input::Goal;
use crate::layout::Wanted;
use crate::lifecycle::lifecycle;
use crate::plan::AttributeChange;
use crate::release::Released;
use crate::restart::Restart;

/// How what is known differs.
pub(super) struct Compared {
    /// In its attributes.
    pub(super) difference: Difference,
    /// In what its stamp says besides.
    pub(super) lifecycle: Vec<AttributeChange>,
}

impl<'a> Table<'_, 'a> {
    /// How what is known differs from what the text wants, when it is there and selected.
    pub(super) fn compared(&self, facts: &Facts<'a>, known: &Known<'a>) -> Option<Compared> {
        let address = &known.object.address;
        let lives = known.answered && known.live.is_some();
        if !lives || self.input.wishes.goal == Goal::Destroy || !self.selection.selects(address) {
            return None;
        }
        Some(self.compare(facts, self.layout.wanted.get(address)?, known))
    }

    pub(super) fn compare(
        &self,
        facts: &Facts<'a>,
        wanted: &Wanted<'a>,
        known: &Known<'a>,
    ) -> Compared {
        let difference = self.difference(facts, wanted, known);
        let lifecycle = lifecycle(wanted, known, !difference.changes.is_empty());
        Compared { difference, lifecycle }
    }

    fn difference(&self, facts: &Facts<'a>, wanted: &Wanted<'a>, known: &Known<'a>) -> Difference {
        let released = Released::of((facts, self.layout, self.selection), wanted, known);
        let restarts = || {
            let restart = Restart::of(&wanted.resource.attributes, self.input.now);
            matches!(restart, Restart::Now(_))
        };
        let per_host = wanted.schema.role == Role::PerHost;
        let mut context = Context {
            existing: self.existing,
            ignore: &wanted.resource.lifecycle.ignore,
            unread: Unread::Unset,
            restart_now: known.pending.is_some() && known.runs() && restarts(),
            adopted: &|| known.is_made_by_others(self.input.deployment, per_host),
            released: &|address| released.holds(address),
        };
        let mut sides = Sides {
            wanted: Some(&wanted.attributes),
            applied: known.applied.as_deref(),
            found: known.found.as_deref(),
            pending: known.pending.as_deref(),
        };
        let quick = diff(wanted.schema, sides, &context);
        if quick.changes.is_empty() && sides.applied.is_some() {
            return quick;
        }
        // Now it pays to know what the stamp vouches for, and how complete the record is.
        let complete = known.record.is_some_and(|record| {
            record.stamp.digest.get() == Digest::of_fields(&record.attributes)
        });
        if complete {
            return quick;
        }
        let vouched = known.stamp().map(|stamp| stamp.digest.get());
        if known.adopted {
            context.unread = Unread::AsWanted;
        } else if vouched == Some(Digest::of_fields(&wanted.attributes)) {
            sides.applied = Some(&wanted.attributes);
        } else {
            context.unread = Unread::AsWantedIfCostly;
        }
        let mut difference = diff(wanted.schema, sides, &context);
        // What a stamp vouches for is so; it does not say that the record knows it.
        difference.stale |= quick.stale;
        difference
    }
}
