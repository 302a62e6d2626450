//! What happens to whom: for each guest that notices something, the worst of it.

use std::collections::BTreeMap;

use tcloud_model::{Address, Impact, Position};
use tcloud_planner::Plan;
use tcloud_planner::plan::{Action, Change};

use crate::text::clean;

/// What a guest notices.
#[derive(Clone, Debug)]
pub(crate) struct Guest<'a> {
    pub(crate) address: &'a Address,
    /// The change that does the worst to it.
    pub(crate) worst: &'a Change,
    /// The attributes behind it.
    pub(crate) why: Vec<String>,
    /// Where in the text.
    pub(crate) place: Option<&'a Position>,
}

/// Every running guest that a change concerns, the worst first.
pub(crate) fn all(plan: &Plan) -> Vec<Guest<'_>> {
    let mut worst: BTreeMap<&Address, &Change> = BTreeMap::new();
    for change in &plan.changes {
        let is_new = matches!(change.action, Action::Create);
        let own = (change.kind == "vm" && !is_new).then_some(&change.object.address);
        for guest in change.guests.iter().chain(own) {
            let known = worst.entry(guest).or_insert(change);
            if severity(change) > severity(known) {
                *known = change;
            }
        }
    }
    let mut guests: Vec<Guest<'_>> =
        worst.into_iter().map(|(address, worst)| Guest::of(address, worst)).collect();
    guests.sort_by_key(|guest| std::cmp::Reverse(severity(guest.worst)));
    guests
}

/// What waits does nothing to the guest now.
fn severity(change: &Change) -> (bool, Impact) {
    (!change.waits, change.impact)
}

impl<'a> Guest<'a> {
    fn of(address: &'a Address, worst: &'a Change) -> Guest<'a> {
        let telling = worst.attributes.iter().filter(|own| own.impact == worst.impact);
        let causes = telling.clone().flat_map(|own| &own.causes);
        Guest {
            address,
            worst,
            why: telling.map(|own| clean(&own.path.to_string())).collect(),
            place: causes.chain(&worst.causes).next(),
        }
    }

    /// Whether it runs on as if nothing had been.
    pub(crate) fn is_quiet(&self) -> bool {
        self.worst.waits || self.worst.impact <= Impact::LiveGuest
    }
}
