//! What happens to whom: each guest that notices something, with the change that does it.

use tcloud_model::Impact;
use tcloud_planner::Plan;
use tcloud_planner::plan::{Change, Condition, GuestImpact};

use crate::text::clean;

/// What a guest notices.
#[derive(Clone, Debug)]
pub(crate) struct Guest<'a> {
    pub(crate) told: &'a GuestImpact,
    /// The change that does the worst to it.
    pub(crate) worst: &'a Change,
    /// The attributes behind it.
    pub(crate) why: Vec<String>,
}

/// Every running guest that a change concerns, the worst first.
pub(crate) fn all(plan: &Plan) -> Vec<Guest<'_>> {
    let guests = plan.guests.iter().filter_map(|told| {
        let worst = plan.changes.get(told.change as usize)?;
        let telling = worst.attributes.iter().filter(|own| own.impact == told.impact);
        let why = telling.map(|own| clean(&own.path.to_string())).collect();
        Some(Guest { told, worst, why })
    });
    guests.collect()
}

impl Guest<'_> {
    /// Whether it runs on as if nothing had been.
    pub(crate) fn is_quiet(&self) -> bool {
        self.told.condition == Some(Condition::NextStart) || self.told.impact <= Impact::LiveGuest
    }
}
