//! Gives every NIC its address and its MAC. An address once given stays: what other guests come
//! and go never changes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{
    Address, AttrPath, Cidr, Deployment, DesiredGraph, DesiredResource, Diagnostic, Evaluator,
    Fields, Identity, Name, Value, codes,
};

/// What allocation is a function of.
pub(crate) struct AllocateInput<'a> {
    /// What the text asks for.
    pub desired: &'a DesiredGraph,
    /// What MACs are derived from.
    pub deployment: &'a Deployment,
    /// Where attributes stand in the text, for messages.
    pub evaluator: &'a dyn Evaluator,
    /// The attributes that a VM has now, by the address that it has in the text.
    pub current: &'a dyn Fn(&Address) -> Option<Arc<Fields>>,
    /// The attributes of VMs that this run removes. Their addresses are given out again only when
    /// nothing else is left, so that no guest starts with an address that another still uses.
    pub leaving: &'a [Arc<Fields>],
}

/// What was given out.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Allocation {
    /// By the address of the NIC: its address in the network and its MAC.
    pub nics: IndexMap<Address, (IpAddr, [u8; 6])>,
}

/// Gives an address and a MAC to each NIC of a managed VM. What the text says wins; what a NIC has
/// and may keep comes next; then the lowest free address of the network.
///
/// # Errors
/// One diagnostic for each network without enough addresses.
pub(crate) fn allocate(input: &AllocateInput<'_>) -> Result<Allocation, Vec<Diagnostic>> {
    let mut networks = networks(input);
    let mut seats = seats(input, &networks);
    for seat in &mut seats {
        seat.address = seat.wanted.address;
        if let Some(address) = seat.address {
            networks[seat.network].taken.insert(address);
        }
    }
    for seat in seats.iter_mut().filter(|seat| seat.address.is_none()) {
        seat.address = seat.had.address.filter(|own| networks[seat.network].take(*own));
    }
    for seat in seats.iter_mut().filter(|seat| seat.address.is_none() && seat.managed) {
        let network = &mut networks[seat.network];
        seat.address = network.next_free();
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
    address: Option<u128>,
    mac: Option<[u8; 6]>,
}

impl Known {
    fn of(nic: &Fields) -> Known {
        Known {
            address: match nic.get("address") {
                Some(Value::Ip(ip)) => Some(number(*ip)),
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
    network: usize,
    v6: bool,
    wanted: Known,
    had: Known,
    address: Option<u128>,
}

fn seats<'a>(
    input: &AllocateInput<'a>,
    networks: &IndexMap<&'a Address, Network<'a>>,
) -> Vec<Seat<'a>> {
    let kind = Name::new("nic");
    let mut seats = Vec::new();
    for vm in input.desired.resources.values().filter(|vm| vm.address.kind() == "vm") {
        let Some(nics) = vm.attributes.map("nic") else { continue };
        let managed = !vm.lifecycle.existing;
        let current = if managed { (input.current)(&vm.address) } else { None };
        let current = current.as_ref().and_then(|fields| fields.map("nic"));
        for (label, nic) in nics.iter() {
            let Value::Map(nic) = nic else { continue };
            let Some(network) = nic.reference("network").and_then(|n| networks.get_index_of(n))
            else {
                continue;
            };
            let had = current.and_then(|nics| nics.map(label)).map(|nic| Known::of(nic));
            seats.push(Seat {
                nic: vm.address.labelled(kind.clone(), label),
                vm,
                managed,
                network,
                v6: networks[network].cidr.addr().is_ipv6(),
                wanted: Known::of(nic),
                had: had.unwrap_or_default(),
                address: None,
            });
        }
    }
    seats
}

/// MACs last: those of the text, then those that are in use, then derived ones that nobody has.
fn finish(seats: &[Seat<'_>], deployment: &Deployment) -> Allocation {
    let mut macs: IndexSet<[u8; 6]> = seats.iter().filter_map(|seat| seat.wanted.mac).collect();
    let kept: Vec<Option<[u8; 6]>> = seats
        .iter()
        .map(|seat| seat.wanted.mac.or(seat.had.mac.filter(|mac| macs.insert(*mac))))
        .collect();
    let mut nics = IndexMap::with_capacity(seats.len());
    for (seat, kept) in seats.iter().zip(kept).filter(|(seat, _)| seat.managed) {
        let mac = kept.unwrap_or_else(|| fresh_mac(deployment, &seat.nic, &mut macs));
        let Some(address) = seat.address else { continue };
        nics.insert(seat.nic.clone(), (ip(address, seat.v6), mac));
    }
    Allocation { nics }
}

fn fresh_mac(deployment: &Deployment, nic: &Address, macs: &mut IndexSet<[u8; 6]>) -> [u8; 6] {
    let mut attempts = 0..;
    loop {
        // There are 2^24 of them: the assertion needs a deployment with that many NICs.
        let attempt = attempts.next();
        let mac = Identity::mac(deployment, nic, attempt.unwrap_or(u32::MAX));
        assert!(attempt.is_some(), "BUG: no MAC address is free");
        if macs.insert(mac) {
            return mac;
        }
    }
}

/// A network while its addresses are given out. Addresses are numbers here, of either family.
struct Network<'a> {
    declared: &'a DesiredResource,
    cidr: Cidr,
    first: u128,
    last: u128,
    /// Never given: the gateway, routers, name servers.
    reserved: IndexSet<u128>,
    /// Given at run time by the network itself.
    dhcp: Option<(u128, u128)>,
    taken: IndexSet<u128>,
    leaving: IndexSet<u128>,
    /// Everything below it is in use; `None` when the network is walked through.
    cursor: Option<u128>,
    missing: Vec<&'a DesiredResource>,
}

fn networks<'a>(input: &AllocateInput<'a>) -> IndexMap<&'a Address, Network<'a>> {
    let declared = input.desired.resources.values().filter(|r| r.address.kind() == "network");
    let mut networks: IndexMap<&Address, Network<'_>> =
        declared.filter_map(|network| Some((&network.address, Network::new(network)?))).collect();
    for vm in input.leaving {
        for (_, nic) in vm.map("nic").into_iter().flat_map(|nics| nics.iter()) {
            let Value::Map(nic) = nic else { continue };
            let network = nic.reference("network").and_then(|network| networks.get_mut(network));
            if let (Some(network), Some(address)) = (network, Known::of(nic).address) {
                network.leaving.insert(address);
            }
        }
    }
    networks
}

impl<'a> Network<'a> {
    fn new(declared: &'a DesiredResource) -> Option<Network<'a>> {
        let fields = &declared.attributes;
        let Some(Value::Cidr(cidr)) = fields.get("cidr") else { return None };
        let (first, last) = hosts(*cidr);
        let mut reserved = IndexSet::new();
        let mut reserve = |value: Option<&Value>| {
            if let Some(Value::Ip(ip)) = value {
                reserved.insert(number(*ip));
            }
        };
        reserve(fields.get("gateway"));
        for (_, route) in fields.map("route").into_iter().flat_map(|routes| routes.iter()) {
            if let Value::Map(route) = route {
                reserve(route.get("via"));
            }
        }
        if let Some(dns) = fields.map("dns") {
            dns.list("forward").iter().for_each(|server| reserve(Some(server)));
        }
        let dhcp = match fields.map("dhcp").and_then(|dhcp| dhcp.get("range")) {
            Some(Value::IpRange(range)) => Some((number(range.0), number(range.1))),
            _ => None,
        };
        Some(Network {
            declared,
            cidr: *cidr,
            first,
            last,
            reserved,
            dhcp,
            taken: IndexSet::new(),
            leaving: IndexSet::new(),
            cursor: Some(first),
            missing: Vec::new(),
        })
    }

    fn in_dhcp(&self, address: u128) -> bool {
        self.dhcp.is_some_and(|(first, last)| (first..=last).contains(&address))
    }

    /// Takes this very address, if it may be given and nobody has it.
    fn take(&mut self, address: u128) -> bool {
        (self.first..=self.last).contains(&address)
            && !self.in_dhcp(address)
            && !self.reserved.contains(&address)
            && self.taken.insert(address)
    }

    /// Takes the lowest free address. The cursor only goes up, and jumps over the DHCP range, so
    /// that all calls together look at each address in use once.
    fn next_free(&mut self) -> Option<u128> {
        while let Some(address) = self.cursor.filter(|at| *at <= self.last) {
            let jump = self.dhcp.filter(|_| self.in_dhcp(address)).map_or(address, |dhcp| dhcp.1);
            self.cursor = jump.checked_add(1);
            if !self.leaving.contains(&address) && self.take(address) {
                return Some(address);
            }
        }
        self.leaving.sort_unstable_by(|a, b| b.cmp(a));
        while let Some(address) = self.leaving.pop() {
            if self.take(address) {
                return Some(address);
            }
        }
        None
    }

    fn exhausted(&self, evaluator: &dyn Evaluator) -> Diagnostic {
        let address = &self.declared.address;
        let causes = evaluator.causes(address, Some(&AttrPath::attribute("cidr")));
        let span = causes.first().copied().unwrap_or(self.declared.span);
        let inside = |range: (u128, u128)| {
            let (first, last) = (range.0.max(self.first), range.1.min(self.last));
            if first > last { 0 } else { (last - first).saturating_add(1) }
        };
        let all = inside((self.first, self.last));
        let dhcp = self.dhcp.map_or(0, inside);
        let mut reserved = self.reserved.iter().filter(|at| inside((**at, **at)) == 1);
        let reserved = reserved.by_ref().filter(|at| !self.in_dhcp(**at)).count();
        let lacking = self.missing.len();
        let cards = if lacking == 1 { "1 NIC".to_owned() } else { format!("{lacking} NICs") };
        let mut diagnostic = Diagnostic::error(
            codes::E0503,
            span,
            format!("network `{}` has no address left for {cards}", address.last_name()),
        )
        .label(format!(
            "{} has {all} addresses for guests: {} given, {dhcp} for DHCP, {reserved} reserved",
            self.cidr,
            self.taken.len(),
        ))
        .help(if dhcp > 0 {
            "make `cidr` larger, or the range of `dhcp` smaller"
        } else {
            "make `cidr` larger, or put some of the guests into another network"
        });
        for vm in self.missing.iter().take(SHOWN) {
            let text = format!("vm `{}` needs an address", vm.address.last_name());
            diagnostic = diagnostic.also(vm.span, text);
        }
        diagnostic
    }
}

/// How many of the guests without an address a message points at.
const SHOWN: usize = 3;

/// First and last address that a guest may have: in IPv4 not the network's and the broadcast
/// address, in IPv6 not the routers' anycast address; in the smallest networks every address.
fn hosts(cidr: Cidr) -> (u128, u128) {
    let (first, last) = (number(cidr.network()), number(cidr.broadcast()));
    let spare = last - first;
    match cidr {
        Cidr::V4(_) if spare > 1 => (first + 1, last - 1),
        Cidr::V6(_) if spare > 1 => (first + 1, last),
        _ => (first, last),
    }
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
