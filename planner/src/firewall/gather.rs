//! Networks, NICs and rules, as the text and the planner's assignments have them.

use std::net::IpAddr;

use indexmap::IndexMap;
use tcloud_model::{Address, Cidr, DesiredGraph, DesiredResource, Fields, Name, Value};

use super::FirewallInput;
use super::opening::{Ports, as_cidr};
use crate::allocate::Allocation;

/// A network.
#[derive(Debug)]
pub(super) struct Net<'a> {
    pub(super) address: &'a Address,
    /// Its IPv4 or first, and its IPv6 space.
    pub(super) cidrs: [Option<Cidr>; 2],
    /// Whether we run it, and may change something about it: nothing changes about what is adopted,
    /// and nothing because of it, as long as the text says `adopt`.
    pub(super) managed: bool,
    /// Whether its guests can be reached from elsewhere, and are seen there under their addresses.
    pub(super) open: bool,
    expose_to: &'a [Value],
}

impl Net<'_> {
    /// Whether all of a space is in it. What comes from there needs no rule.
    pub(super) fn holds(&self, space: Cidr) -> bool {
        self.cidrs.iter().flatten().any(|own| own.contains(&space))
    }

    pub(super) fn is_v6(&self, v6: bool) -> bool {
        self.cidrs.iter().flatten().any(|own| matches!(own, Cidr::V6(_)) == v6)
    }

    /// Whether a rule may let in what belongs to a tenant.
    fn takes(&self, guest: Option<&Address>) -> bool {
        let (Some(guest), Some(own)) = (guest, self.address.tenant()) else { return true };
        guest == own || self.expose_to.iter().any(|to| to.as_ref_address() == Some(guest))
    }
}

/// A NIC with an address.
#[derive(Clone, Debug)]
pub(super) struct Card<'a> {
    pub(super) vm: &'a Address,
    label: &'a Name,
    pub(super) network: usize,
    pub(super) ip: Option<IpAddr>,
}

impl Card<'_> {
    pub(super) fn address(&self) -> Address {
        self.vm.labelled("nic", self.label)
    }
}

/// The NICs of the guests, found when a rule asks for them.
pub(super) struct Cards<'a> {
    desired: &'a tcloud_model::DesiredGraph,
    nets: &'a IndexMap<&'a Address, Net<'a>>,
    allocation: &'a Allocation,
}

impl<'a> Cards<'a> {
    pub(super) fn new<'x: 'a>(
        input: &FirewallInput<'x>,
        nets: &'a IndexMap<&'a Address, Net<'a>>,
    ) -> Cards<'a> {
        Cards { desired: input.desired, nets, allocation: input.allocation }
    }

    /// The NICs of a guest.
    pub(super) fn of(&self, vm: &Address) -> Vec<Card<'a>> {
        let vm = self.desired.resources.get(vm);
        vm.map(|vm| self.of_resource(vm).collect()).unwrap_or_default()
    }

    /// The NICs of all guests.
    pub(super) fn all(&self) -> impl Iterator<Item = Card<'a>> {
        let vms = self.desired.resources.values().filter(|own| own.address.kind() == "vm");
        vms.flat_map(|vm| self.of_resource(vm))
    }

    fn of_resource(&self, vm: &'a DesiredResource) -> impl Iterator<Item = Card<'a>> {
        let nics = vm.attributes.map("nic").into_iter().flat_map(|nics| nics.iter());
        nics.filter_map(|(label, nic)| {
            let Value::Map(nic) = nic else { return None };
            let network = self.nets.get_index_of(nic.reference("network")?)?;
            let given = self.allocation.nics.get(&vm.address.labelled("nic", label));
            let ip = match (given, nic.get("address")) {
                (Some((ip, _)), _) => *ip,
                (None, Some(Value::Ip(ip))) => Some(*ip),
                _ => None,
            };
            Some(Card { vm: &vm.address, label, network, ip })
        })
    }
}

/// Where packets come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Any,
    Cidr(Cidr),
    Network(&'a Address),
    Vm(&'a Address),
}

impl Source<'_> {
    /// Whose it is, where that can be told.
    fn tenant(&self) -> Option<&Address> {
        match self {
            Source::Any | Source::Cidr(_) => None,
            Source::Network(address) | Source::Vm(address) => address.tenant(),
        }
    }
}

/// An `allow` of a network or a VM.
pub(super) struct Rule<'a> {
    pub(super) owner: &'a Address,
    pub(super) label: &'a Name,
    pub(super) source: Source<'a>,
    pub(super) ports: Ports,
    to: Option<&'a Address>,
}

/// What a rule opens: a network as a whole, or one NIC in it.
pub(super) struct Target<'a> {
    pub(super) net: &'a Net<'a>,
    card: Option<Card<'a>>,
}

impl Target<'_> {
    /// The network or NIC.
    pub(super) fn address(&self) -> Address {
        match &self.card {
            Some(card) => card.address(),
            None => self.net.address.clone(),
        }
    }

    /// Where it can be reached.
    pub(super) fn spaces(&self) -> impl Iterator<Item = Cidr> {
        let card = self.card.as_ref().map(|card| card.ip.map(Cidr::from));
        let [first, second] = self.net.cidrs;
        let spaces = match card {
            Some(own) => [own, None],
            None => [first, second],
        };
        spaces.into_iter().flatten()
    }
}

/// All networks.
pub(super) fn networks<'a>(input: &FirewallInput<'a>) -> IndexMap<&'a Address, Net<'a>> {
    let all = input.desired.resources.values().filter(|own| own.address.kind() == "network");
    all.map(|network| {
        let fields: &Fields = &network.attributes;
        let mode = fields.text("mode");
        let existing = network.lifecycle.existing;
        let net = Net {
            address: &network.address,
            cidrs: ["cidr", "cidr6"].map(|name| fields.get(name).and_then(as_cidr)),
            managed: !existing && !is_adopted(input.desired, &network.address),
            open: existing || matches!(mode, Some("routed" | "bridge")),
            expose_to: fields.list("expose_to"),
        };
        (&network.address, net)
    })
    .collect()
}

/// Whether the text says of an object that others made it.
pub(super) fn is_adopted(desired: &DesiredGraph, address: &Address) -> bool {
    desired.adopted.iter().any(|adoption| adoption.address == *address)
}

/// All rules of managed networks and guests, in the order of their owners.
pub(super) fn rules<'a>(input: &FirewallInput<'a>) -> Vec<Rule<'a>> {
    let mut rules = Vec::new();
    for (owner, resource) in &input.desired.resources {
        if resource.lifecycle.existing || !matches!(owner.kind().as_str(), "network" | "vm") {
            continue;
        }
        let Some(fields) = (input.attributes)(owner) else { continue };
        for (label, rule) in fields.map("allow").into_iter().flat_map(|rules| rules.iter()) {
            if let Value::Map(rule) = rule
                && let Some(source) = source(rule)
            {
                let (ports, to) = (Ports::of(rule), rule.reference("to"));
                rules.push(Rule { owner, label, source, ports, to });
            }
        }
    }
    rules
}

fn source(rule: &Fields) -> Option<Source<'_>> {
    match rule.get("from")? {
        Value::Text(_) => Some(Source::Any),
        Value::Cidr(cidr) => Some(Source::Cidr(*cidr)),
        Value::Ref(address) if address.kind() == "network" => Some(Source::Network(address)),
        Value::Ref(address) => Some(Source::Vm(address)),
        _ => None,
    }
}

/// What a rule opens. Networks that nothing can reach are left out.
pub(super) fn targets<'a>(
    rule: &Rule<'_>,
    nets: &'a IndexMap<&'a Address, Net<'a>>,
    cards: &Cards<'a>,
) -> Vec<Target<'a>> {
    let of_card = |card: Card<'a>| {
        let net = nets.get_index(card.network)?.1;
        Some(Target { net, card: Some(card) })
    };
    let own = nets.get(rule.owner);
    let targets: Vec<Target<'a>> = match (own, rule.to) {
        (Some(net), None) => vec![Target { net, card: None }],
        (Some(net), Some(vm)) => {
            let cards = cards.of(vm).into_iter().filter_map(of_card);
            cards.filter(|target| target.net.address == net.address).collect()
        }
        (None, _) => {
            let cards = cards.of(rule.owner).into_iter().filter_map(of_card);
            cards.filter(|target| target.net.takes(rule.source.tenant())).collect()
        }
    };
    targets.into_iter().filter(|target| target.net.open).collect()
}
