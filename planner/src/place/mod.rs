//! Chooses the host of every VM and volume. A guest stays where it is; what is new goes to the host
//! with the most room, and the choice is the same every time.

use std::sync::Arc;

use indexmap::IndexMap;
use tcloud_model::{
    Address, Catalog, Deployment, DesiredGraph, Diagnostic, Evaluator, Fields, ObservedState,
};

/// What placement is a function of.
pub(crate) struct PlaceInput<'a> {
    /// What the text asks for.
    pub desired: &'a DesiredGraph,
    /// What runs, and what the hosts have.
    pub observed: &'a ObservedState,
    /// Tells our objects from those of others.
    pub deployment: &'a Deployment,
    /// Where a VM, volume, disk or network is now, by the address that it has in the text.
    pub current: &'a dyn Fn(&Address) -> Option<Place>,
    /// The attributes that a VM, volume or disk has now, to tell growth from what was there.
    pub applied: &'a dyn Fn(&Address) -> Option<Arc<Fields>>,
    /// What the kinds are.
    pub catalog: &'a Catalog,
    /// Where attributes stand in the text, for messages.
    pub evaluator: &'a dyn Evaluator,
}

/// Where everything goes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Placement {
    /// VMs, volumes and disks: each on one host.
    pub hosts: IndexMap<Address, Place>,
    /// Networks, images and pools: the hosts that have them, sorted.
    pub spread: IndexMap<Address, Vec<Address>>,
}

/// Where one object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its host.
    pub host: Address,
    /// For volumes and disks: the pool that it lies in.
    pub pool: Option<Address>,
}

/// Places everything that is managed.
///
/// # Errors
/// One diagnostic for each VM or volume that fits nowhere.
pub(crate) fn place(input: &PlaceInput<'_>) -> Result<Placement, Vec<Diagnostic>> {
    let _ = (input.observed, input.deployment, input.applied, input.catalog, input.evaluator);
    let resources = &input.desired.resources;
    let of_kind = |kind: &'static str| resources.keys().filter(move |a| a.kind() == kind);
    let (Some(host), pool) = (of_kind("host").next(), of_kind("pool").next()) else {
        return Ok(Placement::default());
    };
    let mut placement = Placement::default();
    for (address, resource) in resources.iter().filter(|(_, r)| !r.lifecycle.existing) {
        let _ = resource;
        match address.kind().as_str() {
            "vm" | "volume" | "disk" => {
                let pool = pool.filter(|_| address.kind() != "vm").cloned();
                let fallback = || Place { host: host.clone(), pool };
                let place = (input.current)(address).unwrap_or_else(fallback);
                placement.hosts.insert(address.clone(), place);
            }
            "network" | "image" | "pool" => {
                placement.spread.insert(address.clone(), vec![host.clone()]);
            }
            _ => {}
        }
    }
    Ok(placement)
}
