//! The hosts of what exists on several of them: networks, images and pools.

use std::collections::BTreeSet;

use tcloud_model::{Address, ByAddress, DesiredGraph, DesiredResource};

use super::Place;
use super::board::Spot;
use super::demand::{confines, networks_of, sites_of};
use super::inventory::{Availability, Inventory};

/// The hosts of every managed network, image and pool, sorted: a network is where its guests are,
/// an image where disks are made from it, a pool on each of its hosts.
pub(crate) fn wide(
    desired: &DesiredGraph,
    inventory: &Inventory<'_>,
    places: &[Option<Spot>],
    current: &dyn Fn(&Address) -> Option<Place>,
) -> ByAddress<Address, Vec<Address>> {
    let used = used(desired, places);
    let name = |hosts: &mut dyn Iterator<Item = usize>| -> Vec<Address> {
        hosts.map(|host| inventory.hosts[host].address.clone()).collect()
    };
    let managed = desired.resources.values().filter(|resource| !resource.lifecycle.existing);
    let mut wide = ByAddress::default();
    for resource in managed {
        let address = &resource.address;
        let hosts = match (address.kind().as_str(), used.get(address)) {
            ("pool", _) => {
                let pool = inventory.pool(address).map(|pool| &inventory.pools[pool]);
                name(&mut pool.into_iter().flat_map(|pool| pool.hosts.iter().copied()))
            }
            ("network" | "image", Some(hosts)) => name(&mut hosts.iter().copied()),
            ("network", None) => {
                let host = unused_network(resource, desired, inventory, current(address));
                name(&mut host.into_iter())
            }
            ("image", None) => Vec::new(),
            _ => continue,
        };
        wide.insert(address.clone(), hosts);
    }
    keep_adopted(desired, inventory, &mut wide);
    wide
}

/// What the text adopts on a host stays there as long as it says so, used or not: nobody wants to
/// see deleted what was just taken over.
fn keep_adopted(
    desired: &DesiredGraph,
    inventory: &Inventory<'_>,
    wide: &mut ByAddress<Address, Vec<Address>>,
) {
    for adoption in &desired.adopted {
        let known = inventory.host(&adoption.host).is_some();
        if let Some(hosts) = wide.get_mut(&adoption.address).filter(|_| known)
            && let Err(at) = hosts.binary_search(&adoption.host)
        {
            hosts.insert(at, adoption.host.clone());
        }
    }
}

/// The hosts where guests have NICs in a network, and where disks are made from an image.
fn used<'a>(
    desired: &'a DesiredGraph,
    places: &[Option<Spot>],
) -> ByAddress<&'a Address, BTreeSet<usize>> {
    let mut used: ByAddress<&Address, BTreeSet<usize>> = ByAddress::default();
    for ((address, resource), spot) in desired.resources.iter().zip(places) {
        let Some(spot) = spot else { continue };
        if address.kind() == "vm" {
            for network in networks_of(resource) {
                used.entry(network).or_default().insert(spot.host);
            }
        } else if let Some(image) = resource.attributes.reference("image") {
            used.entry(image).or_default().insert(spot.host);
        }
    }
    used
}

/// A network without guests stays where it is, if it may; else it is on the first host that it may
/// be on, so that what is declared exists.
fn unused_network(
    network: &DesiredResource,
    desired: &DesiredGraph,
    inventory: &Inventory<'_>,
    current: Option<Place>,
) -> Option<usize> {
    let sites = network.address.tenant().and_then(|tenant| sites_of(tenant, desired));
    let allowed = |host: &usize| {
        let host = &inventory.hosts[*host];
        let in_site = |sites: &Vec<&Address>| sites.binary_search(&host.site()).is_ok();
        sites.as_ref().is_none_or(in_site)
            && confines(network).all(|(place, _)| place == host.site() || Some(place) == host.zone)
    };
    let stays = current.and_then(|place| inventory.host(&place.host)).filter(|host| {
        allowed(host) && inventory.hosts[*host].availability != Availability::Drained
    });
    let mut open = (0..inventory.hosts.len())
        .filter(|host| inventory.hosts[*host].availability == Availability::Open);
    stays.or_else(|| open.find(allowed))
}
