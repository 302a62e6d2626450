//! Gives every NIC its address and its MAC. An address once given stays: what other guests come
//! and go never changes it.

mod network;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use indexmap::IndexSet;
use tcloud_model::{
    Address, ByAddress, Deployment, DesiredGraph, DesiredResource, Diagnostic, Evaluator, Fields,
    Identity, Name, Value,
};

use network::Network;

/// What allocation is a function of.
pub(crate) struct AllocateInput<'a> {
    /// What the text asks for.
    pub desired: &'a DesiredGraph,
    /// What MACs are derived from.
    pub deployment: &'a Deployment,
    /// Where attributes stand in the text, for messages.
    pub evaluator: &'a dyn Evaluator,
    /// The attributes that a VM has now or gets at its next start, by the address that it has in the
    /// text.
    pub current: &'a dyn Fn(&Address) -> Option<Arc<Fields>>,
    /// The attributes of VMs that this run removes. Their addresses are given out again only when
    /// nothing else is left, so that no guest starts with an address that another still uses.
    pub leaving: &'a [Arc<Fields>],
}

/// What was given out.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Allocation {
    /// By the address of the NIC: its address in the network, unless nobody gives it one, and its
    /// MAC.
    pub nics: ByAddress<Address, (Option<IpAddr>, [u8; 6])>,
}

/// Gives an address and a MAC to each NIC of a managed VM. What the text says wins; what a NIC has
/// and may keep comes next; then the lowest free address of the network.
///
/// # Errors
/// One diagnostic for each network without enough addresses.
pub(crate) fn allocate(input: &AllocateInput<'_>) -> Result<Allocation, Vec<Diagnostic>> {
    let mut networks = networks(input);
    let (mut seats, left) = seats(input, &networks);
    for (network, address) in left {
        networks[network].leaving.insert(address);
    }
    for seat in &mut seats {
        seat.address = seat.wanted.address;
        if let (Some(address), Some(network)) = (seat.address, seat.network) {
            networks[network].taken.insert(number(address));
        }
    }
    for seat in seats.iter_mut().filter(|seat| seat.address.is_none()) {
        let Some(network) = seat.network.map(|network| &mut networks[network]) else { continue };
        let own = seat.had.address.filter(|own| own.is_ipv6() == network.is_v6());
        seat.address = own.filter(|own| network.take(number(*own)));
    }
    for seat in seats.iter_mut().filter(|seat| seat.address.is_none() && seat.managed) {
        let Some(network) = seat.network.map(|network| &mut networks[network]) else { continue };
        seat.address = network.next_free().map(|free| ip(free, network.is_v6()));
        if seat.address.is_none() {
            network.missing.push(seat.vm);
        }
    }
    let problems: Vec<Diagnostic> = networks
        .values()
        .filter(|network| !network.missing.is_empty())
        .map(|network| network.exhausted(input.evaluator))
        .collect();
    if problems.is_empty() { Ok(finish(&seats, input.deployment)) } else { Err(problems) }
}

/// An address and a MAC that are known already.
#[derive(Clone, Copy, Default)]
struct Known {
    address: Option<IpAddr>,
    mac: Option<[u8; 6]>,
}

impl Known {
    fn of(nic: &Fields) -> Known {
        Known {
            address: match nic.get("address") {
                Some(Value::Ip(ip)) => Some(*ip),
                _ => None,
            },
            mac: match nic.get("mac") {
                Some(Value::Mac(mac)) => Some(*mac),
                _ => None,
            },
        }
    }
}

/// A NIC on its way to an address.
struct Seat<'a> {
    nic: Address,
    vm: &'a DesiredResource,
    managed: bool,
    /// The network that gives it an address.
    network: Option<usize>,
    wanted: Known,
    had: Known,
    address: Option<IpAddr>,
}

/// All NICs, and the addresses that they had in networks and have no longer: until this run is over
/// a guest has them still.
fn seats<'a>(
    input: &AllocateInput<'a>,
    networks: &ByAddress<&'a Address, Network<'a>>,
) -> (Vec<Seat<'a>>, Vec<(usize, u128)>) {
    let kind = Name::new("nic");
    let mut seats = Vec::with_capacity(input.desired.resources.len());
    let mut left = Vec::new();
    for vm in input.desired.resources.values().filter(|vm| vm.address.kind() == "vm") {
        let Some(nics) = vm.attributes.map("nic") else { continue };
        let managed = !vm.lifecycle.existing;
        let current = if managed { (input.current)(&vm.address) } else { None };
        let current = current.as_ref().and_then(|fields| fields.map("nic"));
        for (label, nic) in current.into_iter().flat_map(|nics| nics.iter()) {
            let Value::Map(had) = nic else { continue };
            let network = had.reference("network").and_then(|own| networks.get_index_of(own));
            let stays = nics.map(label).is_some_and(|own| keeps(own, had));
            if let (Some(network), Some(address), false) = (network, Known::of(had).address, stays)
            {
                left.push((network, number(address)));
            }
        }
        for (label, nic) in nics.iter() {
            let Value::Map(nic) = nic else { continue };
            let network = nic.reference("network").filter(|_| nic.flag("dynamic") != Some(true));
            let network = network.and_then(|network| networks.get_index_of(network));
            let had = current.and_then(|nics| nics.map(label)).map(|nic| Known::of(nic));
            seats.push(Seat {
                nic: vm.address.labelled(kind.clone(), label),
                vm,
                managed,
                network,
                wanted: Known::of(nic),
                had: had.unwrap_or_default(),
                address: None,
            });
        }
    }
    (seats, left)
}

/// Whether a NIC may keep the address that it had.
fn keeps(nic: &Fields, had: &Fields) -> bool {
    let wanted = Known::of(nic).address;
    nic.reference("network") == had.reference("network")
        && nic.flag("dynamic") != Some(true)
        && (wanted.is_none() || wanted == Known::of(had).address)
}

/// MACs last: those of the text, then those that are in use, then derived ones that nobody has.
fn finish(seats: &[Seat<'_>], deployment: &Deployment) -> Allocation {
    let mut macs: IndexSet<[u8; 6]> = IndexSet::with_capacity(seats.len());
    macs.extend(seats.iter().filter_map(|seat| seat.wanted.mac));
    let kept: Vec<Option<[u8; 6]>> = seats
        .iter()
        .map(|seat| seat.wanted.mac.or(seat.had.mac.filter(|mac| macs.insert(*mac))))
        .collect();
    let mut nics = ByAddress::with_capacity_and_hasher(seats.len(), Default::default());
    for (seat, kept) in seats.iter().zip(kept).filter(|(seat, _)| seat.managed) {
        let mac = kept.unwrap_or_else(|| fresh_mac(deployment, &seat.nic, &mut macs));
        nics.insert(seat.nic.clone(), (seat.address, mac));
    }
    Allocation { nics }
}

fn fresh_mac(deployment: &Deployment, nic: &Address, macs: &mut IndexSet<[u8; 6]>) -> [u8; 6] {
    let mut attempts = (0..=u32::MAX).map(|attempt| Identity::mac(deployment, nic, attempt));
    attempts.find(|mac| macs.insert(*mac)).expect("BUG: there are fewer NICs than MAC addresses")
}

fn networks<'a>(input: &AllocateInput<'a>) -> ByAddress<&'a Address, Network<'a>> {
    let declared = input.desired.resources.values().filter(|r| r.address.kind() == "network");
    let mut networks: ByAddress<&Address, Network<'_>> =
        declared.filter_map(|network| Some((&network.address, Network::new(network)?))).collect();
    for vm in input.leaving {
        for (_, nic) in vm.map("nic").into_iter().flat_map(|nics| nics.iter()) {
            let Value::Map(nic) = nic else { continue };
            let network = nic.reference("network").and_then(|network| networks.get_mut(network));
            if let (Some(network), Some(address)) = (network, Known::of(nic).address) {
                network.leaving.insert(number(address));
            }
        }
    }
    networks
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn ip(number: u128, v6: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(bits) if !v6 => Ipv4Addr::from_bits(bits).into(),
        _ => Ipv6Addr::from_bits(number).into(),
    }
}
