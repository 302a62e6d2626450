//! Methods of networks and of ranges of addresses.

use std::net::IpAddr;

use tcloud_model::{Cidr, Type, Value};

use super::parts::{cidr, hosts, ip_range};
use super::table::{Method, MethodDoc, Param, Shape, bounded, misplaced, no_result};
use super::{Call, MethodError};
use crate::ops::{in_collection, shift};

pub(super) const METHODS: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "host",
            signature: "host(n: Int): Ip",
            doc: "The n-th address; negative numbers count from the end.",
            example: "10.20.0.0/24.host(10) == 10.20.0.10",
        },
        params: &[Param::new("n", Shape::Int)],
        gives: |_, _| Type::Ip,
        run: host,
    },
    Method {
        doc: MethodDoc {
            name: "subnet",
            signature: "subnet(bits: Int, n: Int): Cidr",
            doc: "Part n, counted from zero, of the parts that some more bits divide it into.",
            example: "10.20.0.0/16.subnet(8, 3) == 10.20.3.0/24",
        },
        params: &[Param::new("bits", Shape::Int), Param::new("n", Shape::Int)],
        gives: |_, _| Type::Cidr,
        run: subnet,
    },
    Method {
        doc: MethodDoc {
            name: "contains",
            signature: "contains(other: Ip | Cidr | IpRange): Bool",
            doc: "Whether an address, a network or a range lies in it.",
            example: "10.20.0.0/16.contains(10.20.3.0/24)",
        },
        params: &[Param::new("other", Shape::Inside)],
        gives: |_, _| Type::Bool,
        run: contains,
    },
    Method {
        doc: MethodDoc {
            name: "overlaps",
            signature: "overlaps(other: Cidr): Bool",
            doc: "Whether the two have an address in common.",
            example: "10.20.0.0/16.overlaps(10.20.3.0/24)",
        },
        params: &[Param::new("other", Shape::Cidr)],
        gives: |_, _| Type::Bool,
        run: |receiver, args, _| match (receiver, args) {
            (Value::Cidr(a), [Value::Cidr(b)]) => Ok(Value::Bool(a.contains(b) || b.contains(a))),
            _ => Err(misplaced()),
        },
    },
    Method {
        doc: MethodDoc {
            name: "size",
            signature: "size(): Int",
            doc: "How many addresses there are in it, with the first and the last.",
            example: "10.20.0.0/24.size() == 256",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| {
            let cidr = cidr(receiver).ok_or_else(misplaced)?;
            let bits = cidr.max_prefix_len() - cidr.prefix_len();
            if bits > 62 {
                return Err(no_result(
                    format!("{cidr} has more addresses than a number can count"),
                    "compare prefixes instead: `cidr.prefix`",
                ));
            }
            Ok(Value::Int(1 << bits))
        },
    },
];

pub(super) const RANGE_METHODS: &[Method] = &[
    Method {
        doc: MethodDoc {
            name: "contains",
            signature: "contains(ip: Ip): Bool",
            doc: "Whether an address lies in it.",
            example: "(10.0.0.5..=10.0.0.9).contains(10.0.0.7)",
        },
        params: &[Param::new("ip", Shape::Inside)],
        gives: |_, _| Type::Bool,
        run: contains,
    },
    Method {
        doc: MethodDoc {
            name: "length",
            signature: "length(): Int",
            doc: "How many addresses there are in it.",
            example: "(10.0.0.5..=10.0.0.9).length() == 5",
        },
        params: &[],
        gives: |_, _| Type::INT,
        run: |receiver, _, _| {
            let range = ip_range(receiver).ok_or_else(misplaced)?;
            let length = i64::try_from(length(range)).map_err(|_| {
                no_result(
                    "the range has more addresses than a number can count",
                    "use a smaller range",
                )
            })?;
            Ok(Value::Int(length))
        },
    },
    Method {
        doc: MethodDoc {
            name: "to_list",
            signature: "to_list(): Ip[]",
            doc: "All its addresses.",
            example: "(10.0.0.5..=10.0.0.6).to_list() == [10.0.0.5, 10.0.0.6]",
        },
        params: &[],
        gives: |_, _| Type::list(Type::Ip),
        run: |receiver, _, _| {
            let range = ip_range(receiver).ok_or_else(misplaced)?;
            let length = bounded(length(range))?;
            let ips = (0_i128..).take(length).filter_map(|offset| shift(range.0, offset));
            Ok(Value::list(ips.map(Value::Ip).collect()))
        },
    },
];

fn length(range: (IpAddr, IpAddr)) -> u128 {
    let number = |ip| match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    };
    number(range.1).saturating_sub(number(range.0)).saturating_add(1)
}

fn contains(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let other = args.first().ok_or_else(misplaced)?;
    Ok(Value::Bool(in_collection(other, receiver)?))
}

fn host(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let (Value::Cidr(cidr), [Value::Int(n)]) = (receiver, args) else { return Err(misplaced()) };
    let (first, last) = hosts(*cidr);
    let ip = if *n < 0 {
        shift(last, i128::from(*n) + 1)
    } else {
        shift(cidr.network(), i128::from(*n))
    };
    match ip {
        Some(ip) if first <= ip && ip <= last => Ok(Value::Ip(ip)),
        _ => Err(no_result(
            format!("{cidr} has no host {n}"),
            format!("its hosts run from {first} to {last}"),
        )),
    }
}

fn subnet(receiver: &Value, args: &[Value], _: &mut Call<'_>) -> Result<Value, MethodError> {
    let (Value::Cidr(cidr), [Value::Int(bits), Value::Int(n)]) = (receiver, args) else {
        return Err(misplaced());
    };
    let free = cidr.max_prefix_len() - cidr.prefix_len();
    let Some(bits) = u8::try_from(*bits).ok().filter(|bits| *bits <= free) else {
        return Err(no_result(
            format!("{cidr} cannot be divided by {bits} more bits"),
            format!("it has {free} bits left; `subnet(8, 3)` of a /16 is a /24"),
        ));
    };
    // Shifting by the width of the type is what an empty host part would ask for.
    let parts = 1_u128.checked_shl(u32::from(bits)).unwrap_or(u128::MAX);
    let Some(n) = u128::try_from(*n).ok().filter(|n| *n < parts) else {
        return Err(no_result(
            format!("{bits} more bits divide {cidr} into {parts} parts, there is no part {n}"),
            format!("parts are counted from 0 to {}", parts - 1),
        ));
    };
    let size = free - bits;
    let offset = n.checked_shl(u32::from(size)).unwrap_or(0);
    let start = match cidr.network() {
        IpAddr::V4(ip) => {
            let offset = u32::try_from(offset).unwrap_or(0);
            IpAddr::V4((u32::from(ip) | offset).into())
        }
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) | offset).into()),
    };
    Cidr::new(start, cidr.prefix_len() + bits).map(Value::Cidr).map_err(|_| misplaced())
}
