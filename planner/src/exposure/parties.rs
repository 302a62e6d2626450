//! Who is where, before or after: networks by their space, guests by their address and network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, Cidr, Fields, Name, Value};

use super::opening::openings;
use crate::reach::{Party, Place};
use crate::usage::Holding;

/// All networks and guests at one time.
#[derive(Default)]
pub(super) struct Side<'a> {
    networks: IndexMap<&'a Address, Told<'a>>,
    guests: IndexMap<&'a Address, Told<'a>>,
    /// Networks whose guests are seen under their addresses, by their space; `None` where two have
    /// the same, so that nobody can tell them apart.
    spaces: IndexMap<Cidr, Option<&'a Address>>,
    /// The same, sorted.
    sorted: Vec<(Cidr, &'a Address)>,
    /// Guests of networks, sorted.
    members: IndexMap<&'a Address, Vec<&'a Address>>,
    /// Guests by their address, where somebody asks for it alone.
    hosts: IndexMap<IpAddr, Option<&'a Address>>,
}

/// What hosts say of one network or guest. Most are on one host, and there may be half a million.
struct Told<'a> {
    first: &'a Fields,
    more: Vec<&'a Fields>,
}

impl<'a> Told<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a Fields> + '_ {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

impl<'a> Side<'a> {
    pub(super) fn new(all: impl Iterator<Item = Holding<'a>>) -> Side<'a> {
        let mut side = Side::default();
        for Holding { address, attributes, host: _ } in all {
            let group = match address.kind().as_str() {
                "network" => &mut side.networks,
                "vm" => &mut side.guests,
                _ => continue,
            };
            match group.get_mut(address) {
                Some(told) => told.more.push(attributes),
                None => {
                    group.insert(address, Told { first: attributes, more: Vec::new() });
                }
            }
        }
        for (address, told) in &side.networks {
            for fields in told.iter().filter(|fields| is_open(fields)) {
                for cidr in spaces(fields) {
                    let of = side.spaces.entry(cidr).or_insert(Some(address));
                    *of = of.filter(|of| of == address);
                }
            }
        }
        side.sorted =
            side.spaces.iter().filter_map(|(cidr, network)| Some((*cidr, (*network)?))).collect();
        side.sorted.sort_unstable();
        side.index_guests();
        side
    }

    fn index_guests(&mut self) {
        let alone = |list: &'a [Value]| openings(list).into_iter().map(|own| own.space);
        let networks = self.networks.values().flat_map(Told::iter);
        let networks = networks.flat_map(|own| alone(own.list("admits")));
        let all = self.guests.values().flat_map(Told::iter).flat_map(nics);
        let all = all.flat_map(|(_, nic)| alone(nic.list("admits"))).chain(networks);
        let single = |space: &Cidr| space.prefix_len() == space.max_prefix_len();
        let asked: IndexSet<IpAddr> = all.filter(single).map(|space| space.network()).collect();
        for (vm, told) in &self.guests {
            for (_, nic) in told.iter().flat_map(nics) {
                if let Some(network) = nic.reference("network") {
                    let members = self.members.entry(network).or_default();
                    if members.last() != Some(vm) {
                        members.push(vm);
                    }
                }
                if let Some(Value::Ip(ip)) = nic.get("address")
                    && asked.contains(ip)
                {
                    let of = self.hosts.entry(*ip).or_insert(Some(vm));
                    *of = of.filter(|of| of == vm);
                }
            }
        }
        self.members.values_mut().for_each(|members| {
            members.sort_unstable();
            members.dedup();
        });
    }

    /// All networks, with what the first host says of each.
    pub(super) fn networks(&self) -> impl Iterator<Item = (&'a Address, &'a Fields)> + '_ {
        self.networks.iter().map(|(address, told)| (*address, told.first))
    }

    /// All guests.
    pub(super) fn guests(&self) -> impl Iterator<Item = (&'a Address, &'a Fields)> + '_ {
        self.guests.iter().map(|(address, told)| (*address, told.first))
    }

    /// What is known of a network or guest, on every host that has it.
    pub(super) fn of(&self, address: &Address) -> impl Iterator<Item = &'a Fields> + '_ {
        let all = self.networks.get(address).or_else(|| self.guests.get(address));
        all.into_iter().flat_map(Told::iter)
    }

    /// The network of a guest's NIC, if it is one of ours.
    pub(super) fn network_of(&self, vm: &'a Fields, label: &Name) -> Option<&'a Address> {
        let nic = nics(vm).find(|(own, _)| *own == label)?.1;
        self.networks.get_key_value(nic.reference("network")?).map(|(address, _)| *address)
    }

    /// What a guest's NIC admits: everything, where it is held to no rules and its network hides it from
    /// nobody.
    pub(super) fn let_in(&self, vm: &'a Fields, label: &Name) -> &'a [Value] {
        let Some((_, nic)) = nics(vm).find(|(own, _)| *own == label) else { return &[] };
        if !is_free(nic) {
            return nic.list("admits");
        }
        let network = nic.reference("network").and_then(|network| self.of(network).next());
        if network.is_none_or(is_open) { &*EVERYBODY } else { &[] }
    }

    /// Who sends from a space.
    pub(super) fn place(&self, space: Cidr) -> Place {
        if space.prefix_len() == 0 {
            return Place::World;
        }
        if let Some(Some(network)) = self.spaces.get(&space) {
            return Place::Network((*network).clone());
        }
        match self.hosts.get(&space.network()) {
            Some(Some(vm)) if space.prefix_len() == space.max_prefix_len() => {
                Place::Guest((*vm).clone())
            }
            _ => Place::Space(space),
        }
    }

    /// Whether the spaces that a value of `admits` names belong to others on the other side.
    pub(super) fn differs(&self, other: &Side<'a>, admits: &[Value]) -> bool {
        openings(admits).iter().any(|own| self.place(own.space) != other.place(own.space))
    }

    /// The spaces of networks that are not at the same place on the other side.
    pub(super) fn spaces_not_in(&self, other: &Side<'a>) -> Vec<(&'a Address, Cidr)> {
        let new = self.sorted.iter().filter(|(cidr, network)| {
            other.spaces.get(cidr).is_none_or(|of| of.is_none_or(|of| of != *network))
        });
        new.map(|(cidr, network)| (*network, *cidr)).collect()
    }

    /// Whether a guest is in a network, by any of its NICs.
    pub(super) fn joins(&self, vm: &Address, network: &Address) -> bool {
        self.of(vm)
            .any(|fields| nics(fields).any(|(_, nic)| nic.reference("network") == Some(network)))
    }

    /// The guests of a network, sorted.
    pub(super) fn members(&self, network: &Address) -> &[&'a Address] {
        self.members.get(network).map(Vec::as_slice).unwrap_or_default()
    }

    /// Who is at a place.
    pub(super) fn party(&self, place: Place) -> Party {
        match &place {
            Place::World | Place::Tenant(_) => {
                let tenants = match &place {
                    Place::Tenant(tenant) => vec![tenant.clone()],
                    _ => Vec::new(),
                };
                Party { place, tenants, guests: 0, named: Vec::new() }
            }
            Place::Guest(vm) => Side::party_of(place.clone(), std::iter::once(vm)),
            Place::Network(network) => self.in_network(network, None),
            Place::Space(space) => self.within(*space),
        }
    }

    /// Who is in a network, but for one.
    pub(super) fn in_network(&self, network: &Address, but: Option<&Address>) -> Party {
        let all = self.members(network).iter().copied();
        let others = all.clone().filter(|vm| Some(*vm) != but);
        let place = Place::Network(network.clone());
        // Whose the network is does not depend on who asks.
        let tenants = match network.tenant() {
            Some(tenant) => vec![tenant.clone()],
            None => Side::party_of(place.clone(), all).tenants,
        };
        Party { tenants, ..Side::party_of(place, others) }
    }

    /// Networks within a space, and the one around it.
    fn within(&self, space: Cidr) -> Party {
        let start = self.sorted.partition_point(|(own, _)| *own < space);
        let inside = self.sorted.iter().skip(start).take_while(|(own, _)| space.contains(own));
        let mut party =
            Party { place: Place::Space(space), tenants: Vec::new(), guests: 0, named: Vec::new() };
        let mut add = |network: &Address| {
            let members = self.members(network);
            party.guests += members.len();
            let room = Party::NAMED.saturating_sub(party.named.len());
            party.named.extend(members.iter().take(room).map(|vm| (*vm).clone()));
            add_tenant(&mut party.tenants, network.tenant());
        };
        inside.for_each(|(_, network)| add(network));
        let mut around = space.supernet();
        while let Some(wide) = around {
            if let Some(Some(network)) = self.spaces.get(&wide) {
                // Which of its guests are meant is not counted.
                add_tenant(&mut party.tenants, network.tenant());
            }
            around = wide.supernet();
        }
        party
    }

    /// These guests, which are at this place.
    pub(super) fn party_of<'v>(place: Place, guests: impl Iterator<Item = &'v Address>) -> Party {
        let mut party = Party { place, tenants: Vec::new(), guests: 0, named: Vec::new() };
        for vm in guests {
            party.guests += 1;
            add_tenant(&mut party.tenants, vm.tenant());
            if party.named.len() < Party::NAMED {
                party.named.push(vm.clone());
            }
        }
        party
    }
}

fn add_tenant(tenants: &mut Vec<Address>, tenant: Option<&Address>) {
    if let Some(tenant) = tenant
        && tenants.len() < Party::NAMED
        && let Err(at) = tenants.binary_search(tenant)
    {
        tenants.insert(at, tenant.clone());
    }
}

/// The NICs of a guest.
pub(super) fn nics(vm: &Fields) -> impl Iterator<Item = (&Name, &Fields)> {
    let nics = vm.map("nic").into_iter().flat_map(|nics| nics.iter());
    nics.filter_map(|(label, nic)| match nic {
        Value::Map(nic) => Some((label, &**nic)),
        _ => None,
    })
}

/// What a NIC admits that is held to no rules.
static EVERYBODY: LazyLock<[Value; 2]> = LazyLock::new(|| {
    [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()].map(|own: IpAddr| {
        let mut opening = Fields::new();
        opening.insert("from", Value::Cidr(Cidr::new_assert(own, 0)));
        Value::map(opening)
    })
});

/// Whether a NIC is held to no rules.
pub(super) fn is_free(nic: &Fields) -> bool {
    nic.flag("filter") == Some(false)
}

/// Whether the guests of a network can be reached from elsewhere, and are seen there under their
/// addresses.
pub(super) fn is_open(network: &Fields) -> bool {
    matches!(network.text("mode"), Some("routed" | "bridge"))
}

fn spaces(network: &Fields) -> impl Iterator<Item = Cidr> {
    ["cidr", "cidr6"].into_iter().filter_map(|name| match network.get(name) {
        Some(Value::Cidr(cidr)) => Some(*cidr),
        _ => None,
    })
}

/// Spaces that nobody on the Internet has: private, shared, link-local, loopback, unique local.
const PRIVATE: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
];

/// Whether machines on the Internet may have an address in it.
pub(super) fn is_public(space: Cidr) -> bool {
    let private = PRIVATE.iter().filter_map(|text| text.parse::<Cidr>().ok());
    !private.into_iter().any(|own| own.contains(&space))
}
