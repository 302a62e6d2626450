//! Filters from attributes. What comes first is decided by priorities: each step below has its own.

use tcloud_model::{Cidr, Fields, Name, Protocol};
use uuid::Uuid;

use super::space::{Opening, gateway, is_v6, openings, own, spaces};
use super::{network_name, nic_name};
use crate::xml::Element;

/// Whose frames they are.
const SENDER: u16 = 100;
/// Who may say which address is where.
const ARP: u16 = 110;
/// Who may give out addresses.
const DHCP: u16 = 120;
const NO_DHCP: u16 = 121;
/// Which addresses may be used.
const ADDRESS: u16 = 130;
/// Everything that is neither of the above.
const NO_FRAMES: u16 = 190;
/// Inside the network.
const OWN: u16 = 500;
/// Errors about what the guest sent.
const RELATED: u16 = 505;
/// Who may open connections.
pub(super) const ADMITS: u16 = 510;
/// What is answered may go anywhere: the receiver's filter decides.
const ANSWERED: u16 = 515;
/// Where the rest may go in guarded space,
pub(super) const REACHES: u16 = 520;
/// and nowhere else there.
pub(super) const GUARDED: u16 = 530;
/// To the world.
const WORLD: u16 = 540;
const NOTHING: u16 = 550;

/// The direction of packets, as seen by the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
    Both,
}

/// The filter of a network.
pub fn network_filter(network: &str, uuid: Uuid, attributes: &Fields) -> Element {
    let filter = filter(&network_name(network), uuid);
    let (v4, v6) = own(attributes);
    if v4.is_none() && v6.is_none() {
        // Nobody knows who belongs to it.
        return filter.with([forged_mac()]);
    }
    filter.with(rules(attributes))
}

/// The filter of a NIC for which rules hold alone.
pub fn nic_filter(vm: &str, label: &Name, uuid: Uuid, nic: &Fields, network: &str) -> Element {
    let inner = Element::new("filterref").attr("filter", network_name(network));
    filter(&nic_name(vm, label, network), uuid).with([inner]).with(opened(nic))
}

fn filter(name: &str, uuid: Uuid) -> Element {
    let filter = Element::new("filter").attr("name", name).attr("chain", "root");
    filter.child(Element::new("uuid").text(uuid))
}

/// The rules of a network without those that attributes open and close.
pub(super) fn fixed_rules(attributes: &Fields) -> Vec<Element> {
    let (v4, v6) = own(attributes);
    let mut all = vec![forged_mac()];
    if v4.is_none() && v6.is_none() {
        return all;
    }
    all.extend(v4.into_iter().flat_map(|_| frames4(attributes)));
    all.extend(v6.into_iter().flat_map(|own| frames6(own, v4.is_none())));
    all.push(drop(Way::Both, NO_FRAMES, Element::new("mac")));
    // Where all networks hide their guests, nothing is guarded, and libvirt's own rules keep them
    // apart; it would no longer look at what a filter accepts.
    if attributes.text("mode") == Some("nat") && attributes.list("guarded").is_empty() {
        return all;
    }
    all.extend(v4.into_iter().flat_map(inside4));
    all.extend(v6.into_iter().flat_map(inside6));
    for v6 in families(v4, v6) {
        if attributes.text("mode") != Some("isolated") {
            let errors = Element::new(if v6 { "icmpv6" } else { "icmp" }).attr("state", "RELATED");
            all.push(accept(Way::In, RELATED, errors));
            all.push(accept(Way::Out, ANSWERED, protocol("tcp", v6)));
            all.push(accept(Way::Out, WORLD, protocol("all", v6)));
        }
        all.push(drop(Way::Both, NOTHING, protocol("all", v6)));
    }
    all
}

fn rules(attributes: &Fields) -> Vec<Element> {
    let mut all = fixed_rules(attributes);
    all.extend(opened(attributes));
    all.extend(spaces(attributes.get("guarded")).into_iter().map(guard));
    all.sort_by_key(|rule| rule.get("priority").and_then(|p| p.parse::<u16>().ok()));
    all
}

fn families(v4: Option<Cidr>, v6: Option<Cidr>) -> impl Iterator<Item = bool> {
    v4.map(|_| false).into_iter().chain(v6.map(|_| true))
}

fn forged_mac() -> Element {
    let other = Element::new("mac").attr("match", "no").attr("srcmacaddr", "$MAC");
    drop(Way::Out, SENDER, other)
}

fn frames4(attributes: &Fields) -> Vec<Element> {
    let arp = |ip: &str| Element::new("arp").attr("arpsrcmacaddr", "$MAC").attr("arpsrcipaddr", ip);
    let ip = || Element::new("ip");
    let server = || ip().attr("protocol", "udp").attr("srcportstart", 67);
    let mut all = vec![
        accept(Way::Out, ARP, arp("$IP")),
        // To find out whether somebody has an address, a guest without one asks.
        accept(Way::Out, ARP, arp("0.0.0.0")),
        accept(Way::In, ARP, Element::new("arp")),
        drop(Way::Out, DHCP, server()),
    ];
    // On a bridge of the host's, addresses come from whoever gives them there.
    if attributes.text("mode") != Some("bridge")
        && let Some(gateway) = gateway(attributes)
    {
        let own = ip().attr("srcipaddr", gateway);
        let own = own.attr("protocol", "udp").attr("srcportstart", 67);
        all.extend([accept(Way::In, DHCP, own), drop(Way::In, NO_DHCP, server())]);
    }
    let asking = ip().attr("srcipaddr", "0.0.0.0").attr("dstipaddr", "255.255.255.255");
    let asking = asking.attr("protocol", "udp").attr("srcportstart", 68).attr("dstportstart", 67);
    all.extend([
        accept(Way::Out, ADDRESS, ip().attr("srcipaddr", "$IP")),
        accept(Way::Out, ADDRESS, asking),
        accept(Way::In, ADDRESS, ip()),
    ]);
    all
}

/// A guest makes itself more addresses of IPv6 than its NIC is given, so that it is held to the
/// space of the network; only where it has no other is it held to its one address.
fn frames6(own: Cidr, alone: bool) -> Vec<Element> {
    let ip = || Element::new("ipv6");
    let from = |space: &Cidr| {
        ip().attr("srcipaddr", space.network()).attr("srcipmask", space.prefix_len())
    };
    let own = if alone { ip().attr("srcipaddr", "$IPV6") } else { from(&own) };
    let router = ip().attr("protocol", "icmpv6").attr("type", 134);
    vec![
        drop(Way::Out, DHCP, router),
        drop(Way::Out, DHCP, ip().attr("protocol", "udp").attr("srcportstart", 547)),
        accept(Way::Out, ADDRESS, own),
        accept(Way::Out, ADDRESS, from(&link_local())),
        accept(Way::Out, ADDRESS, from(&unspecified())),
        accept(Way::In, ADDRESS, ip()),
    ]
}

/// Inside the network everything goes, and connections need not be followed.
fn inside4(own: Cidr) -> Vec<Element> {
    let broadcast = Cidr::from(std::net::IpAddr::from([255, 255, 255, 255]));
    let out = [own, broadcast, multicast4()];
    let out = out.map(|space| free(Way::Out, &space));
    out.into_iter().chain([free(Way::In, &own)]).collect()
}

fn inside6(own: Cidr) -> Vec<Element> {
    let out = [own, link_local(), multicast6()].map(|space| free(Way::Out, &space));
    let into = [own, link_local(), unspecified()].map(|space| free(Way::In, &space));
    out.into_iter().chain(into).collect()
}

fn free(way: Way, space: &Cidr) -> Element {
    let packets = towards(protocol("all", is_v6(space)), way, space);
    accept(way, OWN, packets).attr("statematch", "false")
}

/// What attributes open.
pub(super) fn opened(fields: &Fields) -> Vec<Element> {
    let mut all = Vec::new();
    for (name, end, way, priority) in
        [("admits", "from", Way::In, ADMITS), ("reaches", "to", Way::Out, REACHES)]
    {
        for Opening { space, ports } in openings(fields.get(name), end) {
            let packets = |word: &str| towards(protocol(word, is_v6(&space)), way, &space);
            if ports.is_empty() {
                all.push(accept(way, priority, packets("all")));
            }
            for port in ports {
                let word = match port.protocol {
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                };
                let packets = packets(word).attr("dstportstart", port.number);
                all.push(accept(way, priority, packets));
            }
        }
    }
    all
}

fn guard(space: Cidr) -> Element {
    let packets = towards(protocol("all", is_v6(&space)), Way::Out, &space);
    drop(Way::Out, GUARDED, packets).attr("statematch", "false")
}

/// Packets of a protocol that connection tracking looks at.
fn protocol(word: &str, v6: bool) -> Element {
    Element::new(if v6 { format!("{word}-ipv6") } else { word.to_owned() })
}

/// Packets from or to a space; nothing is said of a space that is everything.
fn towards(packets: Element, way: Way, space: &Cidr) -> Element {
    if space.prefix_len() == 0 {
        return packets;
    }
    let end = if way == Way::In { "src" } else { "dst" };
    let packets = packets.attr(format!("{end}ipaddr"), space.network());
    packets.attr(format!("{end}ipmask"), space.prefix_len())
}

fn accept(way: Way, priority: u16, packets: Element) -> Element {
    rule("accept", way, priority, packets)
}

fn drop(way: Way, priority: u16, packets: Element) -> Element {
    rule("drop", way, priority, packets)
}

fn rule(action: &str, way: Way, priority: u16, packets: Element) -> Element {
    let way = match way {
        Way::In => "in",
        Way::Out => "out",
        Way::Both => "inout",
    };
    let rule = Element::new("rule").attr("action", action).attr("direction", way);
    rule.attr("priority", priority).child(packets)
}

fn multicast4() -> Cidr {
    net([224, 0, 0, 0].into(), 4)
}

fn multicast6() -> Cidr {
    net([0xff00, 0, 0, 0, 0, 0, 0, 0].into(), 8)
}

fn link_local() -> Cidr {
    net([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10)
}

fn unspecified() -> Cidr {
    net([0u16; 8].into(), 128)
}

fn net(ip: std::net::IpAddr, length: u8) -> Cidr {
    Cidr::new_assert(ip, length)
}
