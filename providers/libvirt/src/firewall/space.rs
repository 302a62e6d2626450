//! Addresses and openings, as attributes have them.

use std::net::IpAddr;

use tcloud_model::{Cidr, Fields, Name, Port, Value};

/// A space with ports in it; without any, everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// The space.
    pub space: Cidr,
    /// The ports, sorted.
    pub ports: Vec<Port>,
}

/// The IPv4 and the IPv6 space of a network.
pub(super) fn own(network: &Fields) -> (Option<Cidr>, Option<Cidr>) {
    let spaces: Vec<Cidr> =
        ["cidr", "cidr6"].iter().filter_map(|name| cidr(network.get(name)?)).collect();
    let of = |v6: bool| spaces.iter().find(|own| is_v6(own) == v6).copied();
    (of(false), of(true))
}

/// Whether a space is of IPv6.
pub(super) fn is_v6(space: &Cidr) -> bool {
    matches!(space, Cidr::V6(_))
}

/// The host's own IPv4 address in a network.
pub(super) fn gateway(network: &Fields) -> Option<IpAddr> {
    match network.get("gateway") {
        Some(Value::Ip(ip)) => Some(*ip).filter(IpAddr::is_ipv4),
        _ => own(network).0?.hosts().next(),
    }
}

/// A list of openings; `end` is `from` or `to`.
pub(super) fn openings(value: Option<&Value>, end: &str) -> Vec<Opening> {
    let Some(Value::List(items)) = value else { return Vec::new() };
    let opening = |item: &Value| {
        let Value::Map(item) = item else { return None };
        let ports = item.list("ports").iter().filter_map(|port| match port {
            Value::Port(port) => Some(*port),
            _ => None,
        });
        Some(Opening { space: cidr(item.get(end)?)?, ports: ports.collect() })
    };
    items.iter().filter_map(opening).collect()
}

/// Spaces that stand in a list.
pub(super) fn spaces(value: Option<&Value>) -> Vec<Cidr> {
    match value {
        Some(Value::List(items)) => items.iter().filter_map(cidr).collect(),
        _ => Vec::new(),
    }
}

/// Openings as an attribute, in the form in which the planner writes them.
pub(super) fn value_of(mut openings: Vec<Opening>, end: &str) -> Value {
    openings.sort();
    let mut items: Vec<Opening> = Vec::new();
    for Opening { space, ports } in openings {
        match items.last_mut() {
            Some(last) if last.space == space => {
                let all = last.ports.is_empty() || ports.is_empty();
                last.ports = if all { Vec::new() } else { [last.ports.clone(), ports].concat() };
            }
            _ => items.push(Opening { space, ports }),
        }
    }
    let item = |Opening { space, mut ports }: Opening| {
        let mut fields = Fields::new();
        fields.insert(Name::new(end), Value::Cidr(space));
        ports.sort_unstable();
        ports.dedup();
        if !ports.is_empty() {
            let ports = ports.into_iter().map(Value::Port).collect();
            fields.insert("ports", Value::list(ports));
        }
        Value::map(fields)
    };
    match items.is_empty() {
        true => Value::None,
        false => Value::list(items.into_iter().map(item).collect()),
    }
}

fn cidr(value: &Value) -> Option<Cidr> {
    match value {
        Value::Cidr(cidr) => Some(*cidr),
        _ => None,
    }
}
