//! Addresses of NICs, gateways and DHCP inside their networks.

use std::net::IpAddr;

use tcloud_model::{Cidr, Diagnostic, Value, codes};

use super::facts::{Facts, Network, Nic};
use crate::methods::host_bounds as hosts;

/// A static address: which network, which address, which NIC.
struct Static<'a> {
    network: usize,
    ip: IpAddr,
    nic: Nic<'a>,
}

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for network in facts.networks.values() {
        of_network(facts, network, found);
    }
    let mut taken: Vec<Static<'_>> = Vec::new();
    for nic in facts.nics() {
        let Some(ip) = nic.address() else { continue };
        let Some(target) = nic.fields.reference("network") else { continue };
        let Some((index, _, network)) = facts.networks.get_full(target) else { continue };
        // A network that may not be seen is reported, and nothing of it is told.
        if !facts.may_refer(nic.tenant, network) {
            continue;
        }
        if nic.fields.flag("dynamic") == Some(true) {
            found.push(
                Diagnostic::error(
                    codes::E0323,
                    facts.span(nic.vm, &nic.path("address")),
                    format!("nic `{}` is dynamic, and has an address", nic.label),
                )
                .label("nobody would give it this address")
                .also(facts.span(nic.vm, &nic.path("dynamic")), "dynamic")
                .help("leave one of the two out"),
            );
            continue;
        }
        of_nic(facts, &nic, ip, network, found);
        taken.push(Static { network: index, ip, nic });
    }
    twice(facts, taken, found);
}

/// The gateway, the routers and the DHCP range of a network lie in it.
fn of_network(facts: &Facts<'_>, network: &Network<'_>, found: &mut Vec<Diagnostic>) {
    let resource = network.resource;
    if let Some(gateway) = network.gateway {
        found.extend(placed(facts, network, gateway, "the gateway", "gateway"));
    }
    for (label, route) in resource.attributes.map("route").iter().flat_map(|routes| routes.iter()) {
        if let Value::Map(route) = route
            && let Some(Value::Ip(via)) = route.get("via")
        {
            let path = format!("route.{label}.via");
            found.extend(placed(facts, network, *via, "the router", &path));
        }
    }
    let Some(range) = network.dhcp else { return };
    let Some(cidr) = network.part_for(range.0) else { return };
    let (first, last) = hosts(cidr);
    let span = facts.span(resource, "dhcp.range");
    let shown = format!("{}..={}", range.0, range.1);
    if range.0 < first || last < range.1 {
        found.push(
            Diagnostic::error(
                codes::E0318,
                span,
                format!("the DHCP range {shown} is not in network `{}`", network.name()),
            )
            .label(format!("hosts of {cidr} are {first} to {last}"))
            .also(facts.span(resource, field_of(network, cidr)), "the network")
            .help(format!("keep it between {first} and {last}")),
        );
    } else if let Some(gateway) = network.gateway.filter(|ip| range.0 <= *ip && *ip <= range.1) {
        found.push(
            Diagnostic::error(
                codes::E0315,
                span,
                format!("the DHCP range {shown} holds the gateway {gateway}"),
            )
            .label("would be given to a guest")
            .also(facts.span(resource, "gateway"), format!("the gateway is {gateway}"))
            .help("leave the gateway out of the range, or give it another address"),
        );
    }
}

/// An address that has to be a host of the network.
fn placed(
    facts: &Facts<'_>,
    network: &Network<'_>,
    ip: IpAddr,
    what: &str,
    path: &str,
) -> Option<Diagnostic> {
    let cidr = network.part_for(ip)?;
    wrong_place(cidr, ip).map(|problem| {
        let span = facts.span(network.resource, path);
        describe(facts, network, cidr, problem, span, &format!("{what} {ip}"))
    })
}

/// Why an address cannot be a host's. One of another family lies outside.
enum Problem {
    Outside,
    NetworkAddress,
    Broadcast,
}

fn wrong_place(cidr: Cidr, ip: IpAddr) -> Option<Problem> {
    let (first, last) = hosts(cidr);
    if first <= ip && ip <= last {
        None
    } else if ip == cidr.network() {
        Some(Problem::NetworkAddress)
    } else if ip == cidr.broadcast() {
        Some(Problem::Broadcast)
    } else {
        Some(Problem::Outside)
    }
}

fn describe(
    facts: &Facts<'_>,
    network: &Network<'_>,
    cidr: Cidr,
    problem: Problem,
    span: tcloud_model::Span,
    what: &str,
) -> Diagnostic {
    let (first, last) = hosts(cidr);
    let name = network.name();
    let (code, message) = match problem {
        Problem::Outside => (codes::E0313, format!("{what} is not in network `{name}`")),
        Problem::NetworkAddress => {
            (codes::E0314, format!("{what} is the address of network `{name}` itself"))
        }
        Problem::Broadcast => {
            (codes::E0314, format!("{what} is the broadcast address of network `{name}`"))
        }
    };
    Diagnostic::error(code, span, message)
        .label(format!("`{name}` is {cidr}, its hosts are {first} to {last}"))
        .also(facts.span(network.resource, field_of(network, cidr)), "the network")
        .help(format!(
            "use one of its hosts: `network.{name}.{}.host(10)`",
            field_of(network, cidr)
        ))
}

fn field_of(network: &Network<'_>, cidr: Cidr) -> &'static str {
    if network.cidr == Some(cidr) { "cidr" } else { "cidr6" }
}

fn of_nic(
    facts: &Facts<'_>,
    nic: &Nic<'_>,
    ip: IpAddr,
    network: &Network<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let Some(cidr) = network.part_for(ip) else { return };
    if let Some(problem) = wrong_place(cidr, ip) {
        let span = facts.span(nic.vm, &nic.path("address"));
        found.push(describe(facts, network, cidr, problem, span, &ip.to_string()));
        return;
    }
    let name = network.name();
    if network.gateway == Some(ip) {
        found.push(
            Diagnostic::error(
                codes::E0315,
                facts.span(nic.vm, &nic.path("address")),
                format!("{ip} is the gateway of network `{name}`"),
            )
            .label("taken by the gateway")
            .also(facts.span(network.resource, "gateway"), format!("the gateway is {ip}"))
            .help("choose another host of the network, or set `gateway` to another address"),
        );
    }
    if let Some((first, last)) = network.dhcp.filter(|(first, last)| *first <= ip && ip <= *last) {
        found.push(
            Diagnostic::error(
                codes::E0317,
                facts.span(nic.vm, &nic.path("address")),
                format!("{ip} lies in the DHCP range of network `{name}`"),
            )
            .label("could be given to another guest")
            .also(facts.span(network.resource, "dhcp.range"), "the range")
            .help(format!("choose an address outside {first}..={last}, or shorten the range")),
        );
    }
}

/// Two NICs of one network with one address.
fn twice(facts: &Facts<'_>, mut taken: Vec<Static<'_>>, found: &mut Vec<Diagnostic>) {
    // A stable sort: within one address the order of the resources stays.
    taken.sort_by_key(|own| (own.network, own.ip));
    for group in taken.chunk_by(|a, b| (a.network, a.ip) == (b.network, b.ip)) {
        let [_, _, ..] = group else { continue };
        let mut spans: Vec<_> = group
            .iter()
            .map(|own| (facts.span(own.nic.vm, &own.nic.path("address")), own))
            .collect();
        spans.sort_by_key(|(span, _)| *span);
        let Some(((first_span, first), rest)) = spans.split_first() else { continue };
        for (span, own) in rest {
            let vm = own.nic.vm.address.last_segment();
            let other = first.nic.vm.address.last_segment();
            let diagnostic = Diagnostic::error(
                codes::E0316,
                *span,
                format!("{} is used twice, by {other} and {vm}", own.ip),
            );
            found.push(if span == first_span {
                diagnostic
                    .label("the same for every instance")
                    .help("compute it from the loop's variable: `network.….cidr.host(10 + n)`")
            } else {
                diagnostic
                    .label("again here")
                    .also(*first_span, format!("first used by {other}"))
                    .help("choose another host, or leave `address` out: tcloud then finds one")
            });
        }
    }
}
