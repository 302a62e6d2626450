//! How an address is called in a report: short where nothing is lost by it.

use std::collections::BTreeSet;

use tcloud_model::Address;
use tcloud_planner::Plan;

/// The tenant that all changes are about, if it is one: its name need not be said each time.
pub(crate) fn only_tenant(plan: &Plan) -> Option<&Address> {
    let tenants: BTreeSet<&Address> =
        plan.changes.iter().filter_map(|change| change.object.address.tenant()).collect();
    if tenants.len() == 1 { tenants.first().copied() } else { None }
}

/// An address, without the tenant that all have in common.
pub(crate) fn label(address: &Address, tenant: Option<&Address>) -> String {
    let parts = address.ancestry();
    let is_common = tenant.is_some() && address.depth() > 1 && address.tenant() == tenant;
    let parts = parts.iter().skip(usize::from(is_common));
    parts.map(|part| part.last_segment()).collect::<Vec<_>>().join(".")
}
