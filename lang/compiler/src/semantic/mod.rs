//! What has to hold between resources: addresses, quotas, tenancy. Works on the finished graph.

use tcloud_model::{Address, Catalog, DesiredGraph, Diagnostic, Span};

/// Where in the text the values of resources stand.
pub(crate) trait Places {
    /// The range of the value that the text gives an attribute: `nic.office[1].address`, with the
    /// label and key of a nested block as one step. Falls back to the head of the resource's block,
    /// also for an empty path.
    fn span(&self, address: &Address, path: &str) -> Span;
}

/// Checks everything that concerns more than one value. Sorted by place.
pub(crate) fn check(
    _graph: &DesiredGraph,
    _catalog: &Catalog,
    _places: &dyn Places,
) -> Vec<Diagnostic> {
    Vec::new()
}
