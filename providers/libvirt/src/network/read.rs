//! A network's attributes, as its definition says them.

use std::net::IpAddr;
use std::sync::Arc;

use tcloud_model::{Cidr, Fields, Name, Value};

use super::write::{PER_KILOBYTE, is_v6};
use crate::xml::Element;

/// What a definition says, as far as the language has words for it.
pub(crate) fn read(definition: &Element) -> Fields {
    let mut fields = Fields::new();
    let mode = mode(definition);
    fields.insert("mode", Value::text(mode));
    for ip in definition.elements("ip") {
        let Some((address, cidr)) = address(ip) else { continue };
        if is_v6(ip) {
            fields.insert("cidr6", Value::Cidr(cidr));
        } else {
            fields.insert("cidr", Value::Cidr(cidr));
            fields.insert("gateway", Value::Ip(address));
            if let Some(dhcp) = dhcp(ip) {
                fields.insert("dhcp", Value::map(dhcp));
            }
        }
    }
    if mode == "bridge"
        && let Some(name) = definition.find("bridge").and_then(|bridge| bridge.get("name"))
    {
        fields.insert("bridge", Value::text(name));
    }
    let number = |path: &str, name: &str| {
        definition.find(path).and_then(|own| own.get(name)).and_then(|text| text.parse().ok())
    };
    if let Some(mtu) = number("mtu", "size") {
        fields.insert("mtu", Value::Int(mtu));
    }
    if let Some(tag) = number("vlan/tag", "id") {
        fields.insert("vlan", Value::Int(tag));
    }
    let rate = number("bandwidth/inbound", "average").and_then(|n| u64::try_from(n).ok());
    if let Some(rate) = rate.and_then(|rate| rate.checked_mul(PER_KILOBYTE)) {
        fields.insert("max_rate", Value::Rate(rate));
    }
    if let Some(dns) = dns(definition) {
        fields.insert("dns", Value::map(dns));
    }
    if let Some(routes) = routes(definition) {
        fields.insert("route", Value::map(routes));
    }
    fields
}

fn mode(definition: &Element) -> &'static str {
    match definition.find("forward").map(|forward| forward.get("mode")) {
        None => "isolated",
        Some(Some("route" | "open")) => "routed",
        Some(Some("nat") | None) => "nat",
        Some(Some(_)) => "bridge",
    }
}

fn address(ip: &Element) -> Option<(IpAddr, Cidr)> {
    let address: IpAddr = ip.get("address")?.parse().ok()?;
    Some((address, Cidr::new(address, prefix(ip)?).ok()?.trunc()))
}

/// How long the prefix of an `ip` or `route` is, which may say it as a mask.
pub(crate) fn prefix(ip: &Element) -> Option<u8> {
    match (ip.get("prefix"), ip.get("netmask")) {
        (Some(prefix), _) => prefix.parse().ok(),
        (None, Some(mask)) => ipnet::ip_mask_to_prefix(mask.parse().ok()?).ok(),
        (None, None) => None,
    }
}

/// The ranges of addresses for anybody, as elements that compare.
pub(super) fn ranges(definition: &Element) -> Vec<Element> {
    let v4 = definition.elements("ip").filter(|ip| !is_v6(ip));
    v4.filter_map(|ip| ip.find("dhcp"))
        .flat_map(|dhcp| dhcp.elements("range"))
        .map(|range| {
            let mut own = Element::new("range");
            own.attributes.clone_from(&range.attributes);
            own.with(
                range.find("lease").map(|lease| Element { children: Vec::new(), ..lease.clone() }),
            )
        })
        .collect()
}

/// Several ranges have no word.
fn dhcp(ip: &Element) -> Option<Fields> {
    let mut ranges = ip.find("dhcp")?.elements("range");
    let range = ranges.next()?;
    if ranges.next().is_some() {
        return None;
    }
    let end = |name: &str| range.get(name)?.parse::<IpAddr>().ok();
    let mut fields = Fields::new();
    fields.insert("range", Value::IpRange(Arc::new((end("start")?, end("end")?))));
    if let Some(lease) = range.find("lease")
        && let Some(expiry) = lease.get("expiry").and_then(|text| text.parse::<u64>().ok())
    {
        let seconds = match lease.get("unit") {
            Some("seconds") => 1,
            Some("hours") => 3_600,
            _ => 60,
        };
        fields.insert("lease", Value::Duration(expiry.saturating_mul(seconds * 1_000)));
    }
    Some(fields)
}

fn dns(definition: &Element) -> Option<Fields> {
    let mut fields = Fields::new();
    if let Some(name) = definition.find("domain").and_then(|domain| domain.get("name")) {
        fields.insert("domain", Value::text(name));
    }
    let forwarders = definition.find("dns").into_iter().flat_map(|dns| dns.elements("forwarder"));
    let plain = forwarders.filter(|own| own.get("domain").is_none());
    let plain: Vec<Value> =
        plain.filter_map(|own| own.get("addr")?.parse().ok().map(Value::Ip)).collect();
    if !plain.is_empty() {
        fields.insert("forward", Value::list(plain));
    }
    (!fields.is_empty()).then_some(fields)
}

/// Routes have no names in libvirt; they are counted.
fn routes(definition: &Element) -> Option<Fields> {
    let mut fields = Fields::new();
    for route in definition.elements("route") {
        let parse = |name: &str| route.get(name).and_then(|text| text.parse::<IpAddr>().ok());
        let (Some(address), Some(via)) = (parse("address"), parse("gateway")) else { continue };
        let Some(to) = prefix(route).and_then(|prefix| Cidr::new(address, prefix).ok()) else {
            continue;
        };
        let mut own = Fields::new();
        own.insert("to", Value::Cidr(to.trunc()));
        own.insert("via", Value::Ip(via));
        fields.insert(Name::from(format!("route-{}", fields.len() + 1)), Value::map(own));
    }
    (!fields.is_empty()).then_some(fields)
}
