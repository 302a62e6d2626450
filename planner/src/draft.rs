//! A change while the plan is made: what a view shows of it, and what the steps need.

use std::sync::Arc;

use tcloud_model::{Address, AttrPath, Identity, Impact, Moment, Name, ObjectId, Position, Record};

use crate::plan::{Action, AttributeChange, Change, Reason};

/// A change in the making.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The object as it will be, or as it was for deletions.
    pub object: ObjectId,
    /// How the hypervisor knows it, or will.
    pub identity: Identity,
    /// The object that is there now: index into the known ones.
    pub old: Option<usize>,
    /// What happens.
    pub action: Action,
    /// What is asked of the provider for an object that stays.
    pub work: Work,
    /// Why.
    pub reason: Reason,
    /// The attributes that differ.
    pub attributes: Vec<AttributeChange>,
    /// The worst of it.
    pub impact: Impact,
    /// Whether the guest has to be stopped and started.
    pub power_cycle: bool,
    /// Whether that waits for somebody to do it.
    pub waits: bool,
    /// When the guest's window opens, for what waits.
    pub opens: Option<Moment>,
    /// Until when the guest may be stopped, where only its window allows that.
    pub until: Option<Moment>,
    /// Where in the text it comes from.
    pub causes: Vec<Position>,
    /// What is remembered afterwards; nothing for deletions.
    pub record: Option<Arc<Record>>,
    /// NICs and disks that a guest is without while what they are attached to is made anew.
    pub detached: Vec<AttrPath>,
    /// The guest that takes this volume along to another host.
    pub carrier: Option<Address>,
    /// Running guests that notice.
    pub guests: Vec<Address>,
    /// Bytes that are lost.
    pub written: Option<u64>,
    /// The host that a migration comes from.
    pub previous_host: Option<Address>,
    /// The address that it had.
    pub previous_address: Option<Address>,
}

/// What is asked of a provider for an object that stays, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Only the record changes.
    Record,
    /// The stamp changes.
    Stamp,
    /// Attributes change.
    Update,
}

impl Draft {
    /// A change with nothing in it yet.
    pub(crate) fn new(
        object: ObjectId,
        identity: Identity,
        action: Action,
        reason: Reason,
    ) -> Draft {
        Draft {
            object,
            identity,
            old: None,
            action,
            work: Work::Record,
            reason,
            attributes: Vec::new(),
            impact: Impact::None,
            power_cycle: false,
            waits: false,
            opens: None,
            until: None,
            causes: Vec::new(),
            record: None,
            detached: Vec::new(),
            carrier: None,
            guests: Vec::new(),
            written: None,
            previous_host: None,
            previous_address: None,
        }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &Name {
        self.object.address.kind()
    }

    /// Whether the old object is removed and a new one is made.
    pub(crate) fn replaces(&self) -> bool {
        matches!(self.action, Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst)
    }

    /// Whether an object is removed.
    pub(crate) fn deletes(&self) -> bool {
        self.replaces() || self.action == Action::Delete
    }

    /// Whether there is an object afterwards that this change makes or changes.
    pub(crate) fn stays(&self) -> bool {
        !matches!(self.action, Action::Delete | Action::Forget)
    }

    /// What a view shows.
    pub(crate) fn into_change(self) -> Change {
        Change {
            kind: self.kind().clone(),
            object: self.object,
            action: self.action,
            impact: self.impact,
            waits: self.waits,
            opens: self.opens,
            until: self.until,
            reason: self.reason,
            attributes: self.attributes,
            causes: self.causes,
            previous_address: self.previous_address,
            previous_host: self.previous_host,
            guests: self.guests,
            written: self.written,
        }
    }
}
