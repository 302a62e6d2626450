//! Attributes from filters, so that what was changed by hand is seen.

use ecow::eco_format;
use tcloud_model::{Cidr, Fields, Port, Protocol, Value};

use super::space::{Opening, value_of};
use super::write::{ADMITS, GUARDED, REACHES, fixed_rules};
use crate::xml::Element;

/// What a network's filter says, for a network with these attributes: `admits`, `reaches` and
/// `guarded`. A filter that lacks what every filter holds keeps nobody out, and is told as that.
pub fn read_network(filter: Option<&Element>, network: &Fields) -> Fields {
    let mut fields = Fields::new();
    let Some(filter) = filter else {
        for name in ["admits", "reaches", "guarded"] {
            fields.insert(name, Value::None);
        }
        return fields;
    };
    let mut guarded: Vec<Cidr> =
        rules(filter, GUARDED).filter_map(|rule| Some(opening(rule)?.space)).collect();
    guarded.sort_unstable();
    let guarded = match guarded.is_empty() {
        true => Value::None,
        false => Value::list(guarded.into_iter().map(Value::Cidr).collect()),
    };
    // What is guarded decides about other rules, and only the filter knows it.
    let mut network = network.clone();
    network.insert("guarded", guarded.clone());
    let admits = match is_whole(filter, &network) {
        true => value_of(opened(filter, ADMITS), "from"),
        false => value_of(everything(), "from"),
    };
    fields.insert("admits", admits);
    fields.insert("reaches", value_of(opened(filter, REACHES), "to"));
    fields.insert("guarded", guarded);
    fields
}

/// What a NIC's own filter says: `admits` and `reaches`.
pub fn read_nic(filter: Option<&Element>) -> Fields {
    let opened = |priority| filter.map(|own| opened(own, priority)).unwrap_or_default();
    let mut fields = Fields::new();
    fields.insert("admits", value_of(opened(ADMITS), "from"));
    fields.insert("reaches", value_of(opened(REACHES), "to"));
    fields
}

/// Whether a NIC's own filter is as we write it: the network's filter with all that every NIC is held
/// to, and nothing besides but openings.
pub fn holds_nic(filter: &Element, network: &str) -> bool {
    let read = read_nic(Some(filter));
    let sorted = |rules: &mut dyn Iterator<Item = String>| {
        let mut rules: Vec<String> = rules.collect();
        rules.sort_unstable();
        rules
    };
    let found = sorted(&mut filter.elements("rule").map(canonical));
    let ours = sorted(&mut super::write::opened(&read).iter().map(canonical));
    let inner: Vec<_> = filter.elements("filterref").map(|own| own.get("filter")).collect();
    found == ours && inner == [Some(super::network_name(network).as_str())]
}

/// Whether all that attributes cannot change is there, and nothing besides.
fn is_whole(filter: &Element, network: &Fields) -> bool {
    let open =
        |rule: &&Element| [ADMITS, REACHES, GUARDED].iter().any(|own| has_priority(rule, *own));
    let found = filter.elements("rule").filter(|rule| !open(rule));
    let mut found: Vec<String> = found.map(canonical).collect();
    let fixed = fixed_rules(network);
    let mut fixed: Vec<String> = fixed.iter().map(canonical).collect();
    found.sort_unstable();
    fixed.sort_unstable();
    found == fixed && filter.find("filterref").is_none()
}

/// A rule as one text, whatever the order in which its parts are written.
fn canonical(rule: &Element) -> String {
    let mut parts: Vec<String> = Vec::new();
    let all = std::iter::once(rule).chain(rule.all());
    for element in all {
        let values = element.attributes.iter().map(|(name, value)| {
            // Hexadecimal where we write decimal, and the other way round.
            let number = value.strip_prefix("0x").and_then(|v| u32::from_str_radix(v, 16).ok());
            let value = number.map_or_else(|| value.clone(), |number| eco_format!("{number}"));
            format!("{}.{name}={value}", element.name)
        });
        parts.push(element.name.to_string());
        parts.extend(values);
    }
    parts.sort_unstable();
    parts.join(" ")
}

fn has_priority(rule: &Element, priority: u16) -> bool {
    rule.get("priority").and_then(|own| own.parse::<u16>().ok()) == Some(priority)
}

fn rules(filter: &Element, priority: u16) -> impl Iterator<Item = &Element> {
    filter.elements("rule").filter(move |rule| has_priority(rule, priority))
}

fn opened(filter: &Element, priority: u16) -> Vec<Opening> {
    rules(filter, priority).filter_map(opening).collect()
}

fn opening(rule: &Element) -> Option<Opening> {
    let packets = rule.all().next()?;
    let (word, v6) = match packets.name.strip_suffix("-ipv6") {
        Some(word) => (word, true),
        None => (packets.name.as_str(), false),
    };
    let of = |name: &str| packets.get(&format!("src{name}")).or(packets.get(&format!("dst{name}")));
    let space = match (of("ipaddr"), of("ipmask")) {
        (Some(ip), mask) => {
            let ip = ip.parse().ok()?;
            let full = if v6 { 128 } else { 32 };
            Cidr::new(ip, mask.map_or(Some(full), |mask| mask.parse().ok())?).ok()?
        }
        (None, _) => all(v6),
    };
    let protocol = match word {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _ => None,
    };
    let ports = match (protocol, packets.get("dstportstart")) {
        (Some(protocol), Some(port)) => vec![Port { number: port.parse().ok()?, protocol }],
        _ => Vec::new(),
    };
    Some(Opening { space, ports })
}

fn everything() -> Vec<Opening> {
    [false, true].map(|v6| Opening { space: all(v6), ports: Vec::new() }).into()
}

fn all(v6: bool) -> Cidr {
    match v6 {
        true => Cidr::new_assert(std::net::Ipv6Addr::UNSPECIFIED.into(), 0),
        false => Cidr::new_assert(std::net::Ipv4Addr::UNSPECIFIED.into(), 0),
    }
}
