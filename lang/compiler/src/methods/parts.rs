//! Properties: parts of a value that are always there, written without parentheses.

use std::net::IpAddr;

use tcloud_model::{Cidr, Protocol, Value};

use super::table::{MethodDoc, Property};
use crate::ops::Class;

pub(super) const CIDR: &[Property] = &[
    Property {
        doc: MethodDoc {
            name: "prefix",
            signature: "prefix: Int",
            doc: "How many leading bits are fixed.",
            example: "10.20.0.0/24.prefix == 24",
        },
        class: Class::Int,
        get: |value| cidr(value).map(|cidr| Value::Int(i64::from(cidr.prefix_len()))),
    },
    Property {
        doc: MethodDoc {
            name: "netmask",
            signature: "netmask: Ip",
            doc: "The prefix as an address.",
            example: "10.20.0.0/24.netmask == 255.255.255.0",
        },
        class: Class::Ip,
        get: |value| cidr(value).map(|cidr| Value::Ip(cidr.netmask())),
    },
    Property {
        doc: MethodDoc {
            name: "first",
            signature: "first: Ip",
            doc: "The first address that a host can have.",
            example: "10.20.0.0/24.first == 10.20.0.1",
        },
        class: Class::Ip,
        get: |value| cidr(value).map(|cidr| Value::Ip(hosts(cidr).0)),
    },
    Property {
        doc: MethodDoc {
            name: "last",
            signature: "last: Ip",
            doc: "The last address that a host can have.",
            example: "10.20.0.0/24.last == 10.20.0.254",
        },
        class: Class::Ip,
        get: |value| cidr(value).map(|cidr| Value::Ip(hosts(cidr).1)),
    },
];

pub(super) const IP_RANGE: &[Property] = &[
    Property {
        doc: MethodDoc {
            name: "first",
            signature: "first: Ip",
            doc: "Its first address.",
            example: "(10.0.0.5..=10.0.0.9).first == 10.0.0.5",
        },
        class: Class::Ip,
        get: |value| ip_range(value).map(|range| Value::Ip(range.0)),
    },
    Property {
        doc: MethodDoc {
            name: "last",
            signature: "last: Ip",
            doc: "Its last address.",
            example: "(10.0.0.5..=10.0.0.9).last == 10.0.0.9",
        },
        class: Class::Ip,
        get: |value| ip_range(value).map(|range| Value::Ip(range.1)),
    },
];

pub(super) const RANGE: &[Property] = &[
    Property {
        doc: MethodDoc {
            name: "first",
            signature: "first: Int",
            doc: "Its first number.",
            example: "(2..=5).first == 2",
        },
        class: Class::Int,
        get: |value| match value {
            Value::Range(first, _) => Some(Value::Int(*first)),
            _ => None,
        },
    },
    Property {
        doc: MethodDoc {
            name: "last",
            signature: "last: Int",
            doc: "Its last number.",
            example: "(2..=5).last == 5",
        },
        class: Class::Int,
        get: |value| match value {
            Value::Range(_, last) => Some(Value::Int(*last)),
            _ => None,
        },
    },
];

pub(super) const PORT: &[Property] = &[
    Property {
        doc: MethodDoc {
            name: "number",
            signature: "number: Int",
            doc: "The port without its protocol.",
            example: "443/tcp.number == 443",
        },
        class: Class::Int,
        get: |value| match value {
            Value::Port(port) => Some(Value::Int(i64::from(port.number))),
            _ => None,
        },
    },
    Property {
        doc: MethodDoc {
            name: "protocol",
            signature: "protocol: String",
            doc: "`\"tcp\"` or `\"udp\"`.",
            example: "443/tcp.protocol == \"tcp\"",
        },
        class: Class::Text,
        get: |value| match value {
            Value::Port(port) => Some(Value::text(match port.protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
            })),
            _ => None,
        },
    },
];

pub(super) const DATE: &[Property] = &[
    Property {
        doc: MethodDoc {
            name: "year",
            signature: "year: Int",
            doc: "The year.",
            example: "2026-11-23.year == 2026",
        },
        class: Class::Int,
        get: |value| date(value).map(|(year, _, _)| Value::Int(i64::from(year))),
    },
    Property {
        doc: MethodDoc {
            name: "month",
            signature: "month: Int",
            doc: "The month, 1 to 12.",
            example: "2026-11-23.month == 11",
        },
        class: Class::Int,
        get: |value| date(value).map(|(_, month, _)| Value::Int(i64::from(month))),
    },
    Property {
        doc: MethodDoc {
            name: "day",
            signature: "day: Int",
            doc: "The day of the month.",
            example: "2026-11-23.day == 23",
        },
        class: Class::Int,
        get: |value| date(value).map(|(_, _, day)| Value::Int(i64::from(day))),
    },
];

/// The first and last address that a host can have: without the network's own address and without
/// the broadcast address, where there are such.
pub(crate) fn hosts(cidr: Cidr) -> (IpAddr, IpAddr) {
    let (first, last) = (cidr.network(), cidr.broadcast());
    let room = cidr.max_prefix_len() - cidr.prefix_len();
    if room < 2 {
        return (first, last);
    }
    let shift = |ip, by| crate::ops::shift(ip, by).unwrap_or(ip);
    // IPv6 has no broadcast; its first address is the routers' anycast address.
    let last = if last.is_ipv4() { shift(last, -1) } else { last };
    (shift(first, 1), last)
}

pub(super) fn cidr(value: &Value) -> Option<Cidr> {
    match value {
        Value::Cidr(cidr) => Some(*cidr),
        _ => None,
    }
}

pub(super) fn ip_range(value: &Value) -> Option<(IpAddr, IpAddr)> {
    match value {
        Value::IpRange(range) => Some(**range),
        _ => None,
    }
}

fn date(value: &Value) -> Option<(i16, u8, u8)> {
    match value {
        Value::Date(year, month, day) => Some((*year, *month, *day)),
        _ => None,
    }
}
