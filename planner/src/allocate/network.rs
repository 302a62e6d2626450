//! A network while its addresses are given out.

use indexmap::IndexSet;
use tcloud_model::{AttrPath, Cidr, DesiredResource, Diagnostic, Evaluator, Value, codes};

use super::number;

/// A network. Addresses are numbers here, of either family.
pub(super) struct Network<'a> {
    declared: &'a DesiredResource,
    cidr: Cidr,
    first: u128,
    last: u128,
    /// Never given: the gateway, or else the host's own address; routers, name servers.
    reserved: IndexSet<u128>,
    /// Given at run time by the network itself.
    dhcp: Option<(u128, u128)>,
    pub taken: IndexSet<u128>,
    pub leaving: IndexSet<u128>,
    /// Everything below it is in use; `None` when the network is walked through.
    cursor: Option<u128>,
    pub missing: Vec<&'a DesiredResource>,
}

impl<'a> Network<'a> {
    pub(super) fn new(declared: &'a DesiredResource) -> Option<Network<'a>> {
        let fields = &declared.attributes;
        let Some(Value::Cidr(cidr)) = fields.get("cidr") else { return None };
        let (first, last) = hosts(*cidr);
        let mut reserved = IndexSet::new();
        // No way leads out of an isolated network, and yet its host has an address in it, the first:
        // it answers DHCP and names there.
        if fields.text("mode") == Some("isolated") && fields.get("gateway").is_none() {
            reserved.insert(first);
        }
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

    /// Whether its addresses are of IPv6.
    pub(super) fn is_v6(&self) -> bool {
        matches!(self.cidr, Cidr::V6(_))
    }

    fn in_dhcp(&self, address: u128) -> bool {
        self.dhcp.is_some_and(|(first, last)| (first..=last).contains(&address))
    }

    /// Takes this very address, if it may be given and nobody has it.
    pub(super) fn take(&mut self, address: u128) -> bool {
        (self.first..=self.last).contains(&address)
            && !self.in_dhcp(address)
            && !self.reserved.contains(&address)
            && self.taken.insert(address)
    }

    /// Takes the lowest free address. The cursor only goes up, and jumps over the DHCP range, so
    /// that all calls together look at each address in use once.
    pub(super) fn next_free(&mut self) -> Option<u128> {
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

    pub(super) fn exhausted(&self, evaluator: &dyn Evaluator) -> Diagnostic {
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
