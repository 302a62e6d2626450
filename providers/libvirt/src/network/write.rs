//! A network in libvirt's words.

use std::net::IpAddr;

use tcloud_model::{Cidr, Fields, Value};
use uuid::Uuid;

use crate::failure::{Failure, quoted};
use crate::xml::Element;

/// Writes attributes into a definition. What they do not speak of stays as it is.
pub(super) fn write(
    definition: &mut Element,
    uuid: Uuid,
    attributes: &Fields,
) -> Result<(), Failure> {
    let mode = attributes.text("mode").unwrap_or("nat");
    forward(definition, mode)?;
    hide6(definition, mode == "nat" && has_v6(attributes));
    bridge(definition, uuid, mode, attributes)?;
    let optional = |definition: &mut Element, element: Option<Element>, name: &str| match element {
        Some(element) => definition.put(element),
        None => definition.remove(name),
    };
    let mtu = attributes.number("mtu").map(|mtu| Element::new("mtu").attr("size", mtu));
    optional(definition, mtu, "mtu");
    let vlan = attributes.number("vlan");
    let vlan = vlan.map(|tag| Element::new("vlan").child(Element::new("tag").attr("id", tag)));
    optional(definition, vlan, "vlan");
    let dns = attributes.map("dns");
    let domain = dns
        .and_then(|dns| dns.text("domain"))
        .map(|domain| Element::new("domain").attr("name", domain).attr("localOnly", "yes"));
    optional(definition, domain, "domain");
    forwarders(definition, dns.map(|dns| dns.list("forward")).unwrap_or_default());
    let rate = attributes.number("max_rate").map(bandwidth);
    optional(definition, rate, "bandwidth");
    if mode != "bridge" {
        addresses(definition, mode, attributes)?;
        routes(definition, attributes)?;
    }
    Ok(())
}

/// How packets leave it. What a person added to it stays.
fn forward(definition: &mut Element, mode: &str) -> Result<(), Failure> {
    let word = match mode {
        "isolated" => {
            definition.remove("forward");
            return Ok(());
        }
        "nat" => "nat",
        "routed" => "route",
        "bridge" => "bridge",
        other => return Failure::refused(format!("a network has no mode {}", quoted(other))),
    };
    match definition.find_mut("forward") {
        Some(forward) => forward.set("mode", word),
        None => definition.push(Element::new("forward").attr("mode", word)),
    }
    Ok(())
}

/// Hides guests behind their host by IPv6 too: left alone, libvirt hides those of IPv4 and lets
/// everybody in by IPv6.
fn hide6(definition: &mut Element, hidden: bool) {
    let Some(forward) = definition.find_mut("forward") else { return };
    if hidden && forward.find("nat").is_none() {
        forward.push(Element::new("nat"));
    }
    let Some(nat) = forward.find_mut("nat") else { return };
    match hidden {
        true => nat.set("ipv6", "yes"),
        false => nat.unset("ipv6"),
    }
    if nat.attributes.is_empty() && nat.all().next().is_none() {
        forward.remove("nat");
    }
}

fn bridge(
    definition: &mut Element,
    uuid: Uuid,
    mode: &str,
    attributes: &Fields,
) -> Result<(), Failure> {
    let asked = attributes.text("bridge");
    if mode == "bridge" {
        let Some(name) = asked else {
            return Failure::refused("a network of mode bridge needs the name of a bridge");
        };
        if !is_interface(name) {
            return Failure::refused(format!("{} is no name of a bridge", quoted(name)));
        }
        definition.put(Element::new("bridge").attr("name", name));
    } else if let Some(name) = asked {
        return Failure::refused(format!(
            "bridge {} is for networks of mode bridge only",
            quoted(name)
        ));
    } else if definition.find("bridge").is_none() {
        let bridge = Element::new("bridge").attr("name", &bridge_names(uuid)[0]);
        definition.push(bridge.attr("stp", "on").attr("delay", "0"));
    }
    Ok(())
}

/// The names that the bridge of a network can have, in the order in which they are tried. The kernel
/// takes no more than 15 characters.
pub(super) fn bridge_names(uuid: Uuid) -> [String; 3] {
    let digits = uuid.simple().to_string();
    [0, 10, 20].map(|from| format!("tc{}", &digits[from..from + 10]))
}

fn is_interface(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && name.len() <= 15 && !name.starts_with(['-', '.']) && name.chars().all(fits)
}

fn forwarders(definition: &mut Element, asked: &[Value]) {
    let addresses = asked.iter().filter_map(|value| match value {
        Value::Ip(ip) => Some(Element::new("forwarder").attr("addr", ip)),
        _ => None,
    });
    let addresses: Vec<Element> = addresses.collect();
    if definition.find("dns").is_none() {
        if addresses.is_empty() {
            return;
        }
        definition.push(Element::new("dns"));
    }
    if let Some(dns) = definition.find_mut("dns") {
        // One for a domain is a person's.
        dns.retain(|own| own.name != "forwarder" || own.get("domain").is_some());
        addresses.into_iter().for_each(|address| dns.push(address));
        if dns.all().next().is_none() && dns.attributes.is_empty() {
            definition.remove("dns");
        }
    }
}

/// libvirt counts kilobytes per second.
pub(super) const PER_KILOBYTE: u64 = 8_000;

fn bandwidth(rate: u64) -> Element {
    let average = rate.div_ceil(PER_KILOBYTE).max(1);
    let way = |name: &str| Element::new(name).attr("average", average);
    Element::new("bandwidth").child(way("inbound")).child(way("outbound"))
}

/// Whether guests have addresses of IPv6 in it.
pub(super) fn has_v6(attributes: &Fields) -> bool {
    let is_v6 = |name| matches!(attributes.get(name), Some(Value::Cidr(Cidr::V6(_))));
    is_v6("cidr") || is_v6("cidr6")
}

fn addresses(definition: &mut Element, mode: &str, attributes: &Fields) -> Result<(), Failure> {
    let mut own: Vec<(IpAddr, &Cidr)> = Vec::new();
    match attributes.get("cidr") {
        Some(Value::Cidr(cidr)) => {
            let gateway = match attributes.get("gateway") {
                Some(Value::Ip(ip)) => *ip,
                _ => first(cidr),
            };
            if !cidr.contains(&gateway) {
                return Failure::refused(format!("the gateway {gateway} is not in {cidr}"));
            }
            own.push((gateway, cidr));
        }
        // A wire that only its guests are on.
        _ if mode == "isolated" => {}
        _ => return Failure::refused("a network needs a cidr"),
    }
    if let Some(Value::Cidr(cidr)) = attributes.get("cidr6") {
        own.push((first(cidr), cidr));
    }
    let has = |v6: bool| own.iter().any(|(address, _)| address.is_ipv6() == v6);
    definition.retain(|ip| ip.name != "ip" || has(is_v6(ip)));
    for (address, cidr) in own {
        put_address(definition, address, cidr);
    }
    if let Some(ip) = definition.elements_mut("ip").find(|own| !is_v6(own)) {
        ranges(ip, attributes.map("dhcp"));
    }
    Ok(())
}

/// The first address that a host can have. The very first of IPv6 means any router (RFC 4291, 2.6.1).
fn first(cidr: &Cidr) -> IpAddr {
    let mut hosts = cidr.hosts().filter(|own| own.is_ipv4() || *own != cidr.network());
    hosts.next().unwrap_or_else(|| cidr.addr())
}

fn put_address(definition: &mut Element, address: IpAddr, cidr: &Cidr) {
    let v6 = address.is_ipv6();
    if !definition.elements("ip").any(|own| is_v6(own) == v6) {
        let ip = Element::new("ip");
        definition.push(if v6 { ip.attr("family", "ipv6") } else { ip });
    }
    if let Some(ip) = definition.elements_mut("ip").find(|own| is_v6(own) == v6) {
        ip.set("address", address);
        ip.unset("netmask");
        ip.set("prefix", cidr.prefix_len());
    }
}

pub(super) fn is_v6(ip: &Element) -> bool {
    ip.get("family") == Some("ipv6")
}

/// Only addresses for anybody; those that guests have for themselves stay, and so do several ranges
/// of a person as long as no other is asked for.
fn ranges(ip: &mut Element, asked: Option<&std::sync::Arc<Fields>>) {
    let range = asked.and_then(|dhcp| match dhcp.get("range") {
        Some(Value::IpRange(range)) => {
            let own = Element::new("range").attr("start", range.0).attr("end", range.1);
            Some(match dhcp.number("lease") {
                Some(lease) => own.child(
                    Element::new("lease")
                        .attr("expiry", lease.div_ceil(1_000).max(120))
                        .attr("unit", "seconds"),
                ),
                None => own,
            })
        }
        _ => None,
    });
    if ip.find("dhcp").is_none() {
        if range.is_none() {
            return;
        }
        ip.push(Element::new("dhcp"));
    }
    if let Some(dhcp) = ip.find_mut("dhcp") {
        if range.is_none() && dhcp.elements("range").count() > 1 {
            return;
        }
        dhcp.remove("range");
        if let Some(range) = range {
            dhcp.push(range);
        }
        if dhcp.all().next().is_none() {
            ip.remove("dhcp");
        }
    }
}

fn routes(definition: &mut Element, attributes: &Fields) -> Result<(), Failure> {
    definition.remove("route");
    let Some(routes) = attributes.map("route") else { return Ok(()) };
    for (label, value) in routes.iter() {
        let Value::Map(route) = value else { continue };
        let (Some(Value::Cidr(to)), Some(Value::Ip(via))) = (route.get("to"), route.get("via"))
        else {
            return Failure::refused(format!("route {} has no `to` or no `via`", quoted(label)));
        };
        let route = Element::new("route");
        let route = if to.addr().is_ipv6() { route.attr("family", "ipv6") } else { route };
        let route = route.attr("address", to.network()).attr("prefix", to.prefix_len());
        definition.push(route.attr("gateway", via));
    }
    Ok(())
}
