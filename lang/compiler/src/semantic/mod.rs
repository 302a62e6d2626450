//! What has to hold between resources: addresses, sizes, sites, tenancy, quotas. Works on the
//! finished graph, in time that grows like n log n; texts are only made for what is wrong.

mod addresses;
mod attachment;
mod beside;
mod facts;
mod least;
mod machine;
mod names;
mod openings;
mod overlap;
mod quota;
mod sites;
mod sources;
mod tenancy;
mod vlan;

use tcloud_model::{Address, Catalog, DesiredGraph, Diagnostic, Span, parallel};

pub(crate) use facts::tenant_of;
pub(crate) use tenancy::hidden;

use facts::Facts;

/// Where in the text the values of resources stand.
pub(crate) trait Places: Sync {
    /// The range of the value that the text gives an attribute: `nic.office[1].address`, with the
    /// label and key of a nested block as one step. Falls back to the head of the resource's block,
    /// also for an empty path.
    fn span(&self, address: &Address, path: &str) -> Span;
}

/// Checks everything that concerns more than one value. Sorted by place.
pub(crate) fn check(
    graph: &DesiredGraph,
    catalog: &Catalog,
    places: &dyn Places,
) -> Vec<Diagnostic> {
    let facts = Facts::collect(graph, catalog, places);
    let checks: Vec<fn(&Facts<'_>, &mut Vec<Diagnostic>)> = vec![
        tenancy::check,
        openings::check,
        sites::check,
        overlap::check,
        addresses::check,
        vlan::check,
        names::check,
        least::check,
        machine::check,
        attachment::check,
        beside::check,
        sources::check,
        quota::check,
    ];
    let threads = parallel::threads_for(graph.resources.len());
    let found = parallel::map(threads, checks, |check| {
        let mut found = Vec::new();
        check(&facts, &mut found);
        found
    });
    let mut found: Vec<Diagnostic> = found.into_iter().flatten().collect();
    found.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
    found
}

#[cfg(test)]
mod tests;
