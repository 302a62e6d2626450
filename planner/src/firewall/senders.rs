//! Where the source of a rule sends from: its addresses, and the networks and NICs behind them.

use std::cell::OnceCell;
use std::net::IpAddr;

use indexmap::IndexMap;
use tcloud_model::{Address, Cidr};

use super::gather::{Card, Cards, Net, Source};

/// Finds senders. Networks stand sorted by their space, so that those within a wider one are
/// neighbours.
pub(super) struct Senders<'a> {
    nets: &'a IndexMap<&'a Address, Net<'a>>,
    cards: &'a Cards<'a>,
    sorted: Vec<(Cidr, usize)>,
    /// All NICs by network and address; few rules ask for them.
    seated: OnceCell<Vec<(usize, IpAddr, Card<'a>)>>,
}

impl<'a> Senders<'a> {
    pub(super) fn new(
        nets: &'a IndexMap<&'a Address, Net<'a>>,
        cards: &'a Cards<'a>,
    ) -> Senders<'a> {
        let spaces = nets.values().enumerate();
        let mut sorted: Vec<(Cidr, usize)> = spaces
            .flat_map(|(index, net)| net.cidrs.iter().flatten().map(move |cidr| (*cidr, index)))
            .collect();
        sorted.sort_unstable();
        Senders { nets, cards, sorted, seated: OnceCell::new() }
    }

    /// The addresses that a source has for those who receive in `net`.
    pub(super) fn spaces(&self, source: &Source<'_>, net: &Net<'_>) -> Vec<Cidr> {
        let spaces = match source {
            Source::Any => everywhere().to_vec(),
            Source::Cidr(cidr) => vec![*cidr],
            Source::Network(address) => match self.nets.get(*address) {
                Some(from) if from.open => from.cidrs.into_iter().flatten().collect(),
                _ => Vec::new(),
            },
            Source::Vm(vm) => {
                let cards = self.cards.of(vm).into_iter().filter(|card| self.is_open(card));
                cards.filter_map(|card| card.ip.map(Cidr::from)).collect()
            }
        };
        let fits = |space: &Cidr| net.is_v6(matches!(space, Cidr::V6(_)));
        spaces.into_iter().filter(fits).collect()
    }

    /// The networks and NICs that send from there, without those in `net` itself.
    pub(super) fn of(&self, source: &Source<'_>, net: &Net<'_>) -> Vec<Address> {
        match source {
            // Everybody is told of what is open to everybody.
            Source::Any => Vec::new(),
            Source::Network(address) if *address == net.address => Vec::new(),
            Source::Network(address) => vec![(*address).clone()],
            Source::Vm(vm) => {
                let cards = self.cards.of(vm).into_iter();
                let foreign = |card: &Card<'_>| self.network_of(card) != Some(net.address);
                cards.filter(foreign).map(|card| card.address()).collect()
            }
            Source::Cidr(cidr) => self.within(*cidr, net),
        }
    }

    fn within(&self, space: Cidr, net: &Net<'_>) -> Vec<Address> {
        let start = self.sorted.partition_point(|(own, _)| *own < space);
        let inside = self.sorted.iter().skip(start).take_while(|(own, _)| space.contains(own));
        let mut senders: Vec<Address> = inside
            .filter_map(|(_, index)| self.nets.get_index(*index))
            .filter(|(address, _)| **address != net.address)
            .map(|(address, _)| (*address).clone())
            .collect();
        senders.dedup();
        // Networks that are wider than the rule: only the NICs with an address in it.
        let mut wider = space.supernet();
        while let Some(around) = wider {
            let from = self.sorted.partition_point(|(own, _)| *own < around);
            let same = self.sorted.iter().skip(from).take_while(|(own, _)| *own == around);
            for (_, index) in same {
                if self.nets.get_index(*index).is_some_and(|(own, _)| **own != *net.address) {
                    senders.extend(self.seats(*index, space));
                }
            }
            wider = around.supernet();
        }
        senders
    }

    /// The NICs of a network with an address in this space.
    fn seats(&self, network: usize, space: Cidr) -> Vec<Address> {
        let seated = self.seated.get_or_init(|| {
            let cards = self.cards.all();
            let mut all: Vec<(usize, IpAddr, Card<'a>)> =
                cards.filter_map(|card| Some((card.network, card.ip?, card))).collect();
            all.sort_unstable_by_key(|(network, ip, _)| (*network, *ip));
            all
        });
        let first = (network, space.network());
        let start = seated.partition_point(|(network, ip, _)| (*network, *ip) < first);
        let inside = seated.iter().skip(start);
        inside
            .take_while(|(own, ip, _)| *own == network && space.contains(ip))
            .map(|(_, _, card)| card.address())
            .collect()
    }

    fn network_of(&self, card: &Card<'_>) -> Option<&'a Address> {
        self.nets.get_index(card.network).map(|(address, _)| *address)
    }

    fn is_open(&self, card: &Card<'_>) -> bool {
        self.nets.get_index(card.network).is_some_and(|(_, net)| net.open)
    }
}

/// All addresses there are.
fn everywhere() -> [Cidr; 2] {
    [Cidr::V4(ipnet::Ipv4Net::default()), Cidr::V6(ipnet::Ipv6Net::default())]
}
