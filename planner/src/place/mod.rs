//! Chooses the host of every VM and volume. A guest stays where it is; what is new goes to the host
//! with the most room, and the choice is the same every time.

mod board;
mod demand;
mod explain;
pub(crate) mod inventory;
mod stay;
#[cfg(test)]
mod tests;
mod wide;

use std::cmp::Reverse;
use std::sync::Arc;

use tcloud_model::{
    Address, ByAddress, Deployment, DesiredGraph, DesiredResource, Diagnostic, Evaluator, Fields,
    ObservedState, parallel,
};

use board::Board;
use demand::{Group, Home, Refusal, groups};
use inventory::Inventory;

use crate::facts::Called;

/// What placement is a function of.
pub(crate) struct PlaceInput<'a> {
    /// What the text asks for.
    pub desired: &'a DesiredGraph,
    /// What runs, and what the hosts have.
    pub observed: &'a ObservedState,
    /// Tells our objects from those of others.
    pub deployment: &'a Deployment,
    /// Objects of others that become ours in this run.
    pub adopted: &'a Called<'a>,
    /// Where a VM, volume, disk or network is now, by the address that it has in the text.
    pub current: &'a (dyn Fn(&Address) -> Option<Place> + Sync),
    /// The attributes that a VM, volume or disk has now, to tell growth from what was there.
    pub applied: &'a (dyn Fn(&Address) -> Option<Arc<Fields>> + Sync),
    /// Whether a VM runs on with the size that it has, whatever the text says, until it is next started.
    pub keeps: &'a (dyn Fn(&DesiredResource) -> bool + Sync),
    /// Where attributes stand in the text, for messages.
    pub evaluator: &'a dyn Evaluator,
}

/// Where everything goes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Placement {
    /// VMs, volumes and disks: each on one host.
    pub hosts: ByAddress<Address, Place>,
    /// Networks, images and pools: the hosts that have them, sorted.
    pub spread: ByAddress<Address, Vec<Address>>,
}

/// Where one object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its host.
    pub host: Address,
    /// For volumes and disks: the pool that it lies in.
    pub pool: Option<Address>,
}

/// Places everything that is managed. What may stay, stays; then what has to leave its host is
/// placed, then what is new – first what has to go to its volumes, then what has few hosts to choose
/// from, then what is large.
///
/// # Errors
/// One diagnostic for each VM or volume that fits nowhere, or outgrows its host.
pub(crate) fn place(input: &PlaceInput<'_>) -> Result<Placement, Vec<Diagnostic>> {
    let mut inventory =
        Inventory::new(input.desired, input.observed, input.deployment, input.adopted);
    inventory.add_abandoned(input.desired, input.observed, input.deployment);
    let groups = groups(input, &inventory);
    let constraints = parallel::each(&groups, |group| group.constraint(input.desired, &inventory));
    let mut board = Board::new(input.desired, inventory);
    let mut problems = explain::Problems::new(input.evaluator);

    let mut waiting = Vec::new();
    let mut growing = Vec::new();
    for (group, constraint) in groups.iter().zip(constraints) {
        let candidates = board.candidates(constraint);
        match board.stays(group, candidates) {
            Some(host) => growing.extend(stay::keep(&mut board, group, host)),
            None => waiting.push((group, candidates)),
        }
    }
    for growth in &growing {
        if let Err(shortage) = growth.give(&mut board) {
            problems.outgrows(&mut board, growth, shortage);
        }
    }
    waiting.sort_by_cached_key(|(group, candidates)| {
        let few = board.hosts(*candidates).1.len();
        let size = (group.memory, group.vcpus, group.storage());
        // A guest whose disks were made before a run was cut off has no choice left: nobody may
        // take the host, or its place in a spread, from it.
        let free = pin(&board, group, *candidates) == Pin::Free;
        (group.vm.is_none(), free, group.home == Home::New, few, Reverse(size))
    });
    for (group, candidates) in waiting {
        match choose(&board, group, candidates) {
            Some((host, pools)) => board.set(group, host, &pools),
            None => problems.fits_nowhere(&board, group, candidates),
        }
    }
    problems.finish()?;
    Ok(finish(&board, input))
}

/// The best host for a group that cannot stay.
fn choose<'a>(
    board: &Board<'a>,
    group: &Group<'a>,
    candidates: usize,
) -> Option<(usize, Vec<usize>)> {
    let (_, hosts) = board.hosts(candidates);
    match pin(board, group, candidates) {
        Pin::Free => board.best(group, hosts, None),
        Pin::To(host) if hosts.contains(&host) => board.best(group, &[host], None),
        Pin::To(_) | Pin::Torn => None,
    }
}

/// What the volumes of a group leave of its choice: a volume cannot move to another host alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pin {
    /// Everything is in one place, or nothing is anywhere.
    Free,
    /// The VM has to go where its volume is.
    To(usize),
    /// Volumes are on different hosts, or the VM would have to be moved, and nobody said so.
    Torn,
}

fn pin<'a>(board: &Board<'a>, group: &Group<'a>, candidates: usize) -> Pin {
    let mut homes = group.outside().map(|(_, home)| home);
    let Some(first) = homes.next() else { return Pin::Free };
    let may_leave = match group.home {
        Home::At(home) => !matches!(
            board.hosts(candidates).0.refuses(&board.inventory, home),
            None | Some(Refusal::Silent(_) | Refusal::Lacks(_))
        ),
        Home::New | Home::Gone(_) => true,
    };
    if may_leave && homes.all(|home| home == first) { Pin::To(first) } else { Pin::Torn }
}

fn finish(board: &Board<'_>, input: &PlaceInput<'_>) -> Placement {
    let (desired, inventory) = (input.desired, &board.inventory);
    let hosts = || {
        let mut hosts = ByAddress::with_capacity_and_hasher(board.places.len(), Default::default());
        for (address, spot) in desired.resources.keys().zip(&board.places) {
            if let Some(spot) = spot {
                let host = inventory.hosts[spot.host].address.clone();
                let pool = spot.pool.map(|pool| inventory.pools[pool].address.clone());
                hosts.insert(address.clone(), Place { host, pool });
            }
        }
        hosts
    };
    let threads = parallel::threads_for(desired.resources.len());
    let (hosts, spread) = parallel::both(threads, hosts, || {
        wide::wide(desired, inventory, &board.places, input.current)
    });
    Placement { hosts, spread }
}
