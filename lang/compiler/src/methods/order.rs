//! A total order of values of any type, so that duplicates are found in n log n steps.

use std::cmp::Ordering;

use tcloud_model::Value;

use crate::ops::{same, shown};

/// Values that `==` calls equal stand next to each other in this order. Between different types it
/// means nothing.
pub(super) fn total(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::List(a), Value::List(b)) => {
            let differing = a.iter().zip(b.iter()).map(|(a, b)| total(a, b)).find(|o| o.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Map(a), Value::Map(b)) => {
            let pairs = a.iter().zip(b.iter());
            let mut differing = pairs.map(|((m, a), (n, b))| m.cmp(n).then_with(|| total(a, b)));
            differing.find(|o| o.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Mac(a), Value::Mac(b)) => a.cmp(b),
        (Value::Range(a, b), Value::Range(c, d)) => (a, b).cmp(&(c, d)),
        (Value::IpRange(a), Value::IpRange(b)) => a.cmp(b),
        (Value::Money(a), Value::Money(b)) => (a.currency, a.cents).cmp(&(b.currency, b.cents)),
        _ => left.partial_compare(right).unwrap_or_else(|| {
            let sorts = rank(left).cmp(&rank(right));
            // Secrets: rare, and compared by their sources.
            sorts.then_with(|| {
                if same(left, right) { Ordering::Equal } else { shown(left).cmp(&shown(right)) }
            })
        }),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::None => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Text(_) => 3,
        Value::Bytes(_) => 4,
        Value::Rate(_) => 5,
        Value::Duration(_) => 6,
        Value::Percent(_) => 7,
        Value::Ip(_) => 8,
        Value::Cidr(_) => 9,
        Value::IpRange(_) => 10,
        Value::Range(..) => 11,
        Value::Port(_) => 12,
        Value::Mac(_) => 13,
        Value::Date(..) => 14,
        Value::Money(_) => 15,
        Value::List(_) => 16,
        Value::Map(_) => 17,
        Value::Ref(_) => 18,
        Value::Secret(_) => 19,
    }
}
