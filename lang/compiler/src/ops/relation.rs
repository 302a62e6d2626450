//! Equality, order and membership.

use std::cmp::Ordering;
use std::net::IpAddr;

use tcloud_model::{Type, Value};
use tcloud_syntax::ast::BinaryOp;

use super::{Class, OpError, errors};

/// Whether two sorts may be compared at all.
pub(crate) fn comparable(left: Class, right: Class) -> bool {
    let secret = left == Class::Secret || right == Class::Secret;
    let absent = left == Class::Absent || right == Class::Absent;
    !secret
        && (absent
            || left == right
            || (left.is_number() && right.is_number())
            // MAC addresses are written as texts.
            || matches!((left, right), (Class::Mac, Class::Text) | (Class::Text, Class::Mac)))
}

/// Whether two values are the same.
pub(crate) fn equal(left: &Value, right: &Value) -> Result<bool, OpError> {
    let (a, b) = (Class::of(left), Class::of(right));
    if !comparable(a, b) {
        return Err(errors::mismatch(BinaryOp::Equal, &a.operand(left), &b.operand(right)));
    }
    Ok(same(left, right))
}

/// Equality as `==` sees it: `1 == 1.0`, in lists and objects too.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => {
            left.partial_compare(right) == Some(Ordering::Equal)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b.iter()).all(|((m, a), (n, b))| m == n && same(a, b))
        }
        (Value::Mac(mac), Value::Text(text)) | (Value::Text(text), Value::Mac(mac)) => {
            tcloud_model::value::parse_mac(text) == Some(*mac)
        }
        _ => left == right,
    }
}

/// The order of two values of one sort.
pub(crate) fn ordered(left: &Value, right: &Value) -> Result<Ordering, OpError> {
    let (a, b) = (Class::of(left), Class::of(right));
    if let (Value::Money(a), Value::Money(b)) = (left, right)
        && a.currency != b.currency
    {
        return Err(errors::currencies(left, right));
    }
    let order = if a.has_order() && b.has_order() { left.partial_compare(right) } else { None };
    order.ok_or_else(|| errors::mismatch(BinaryOp::Less, &a.operand(left), &b.operand(right)))
}

/// `element in collection`
pub(crate) fn in_collection(element: &Value, collection: &Value) -> Result<bool, OpError> {
    let found = match (element, collection) {
        (_, Value::List(items)) => {
            let class = Class::of(element);
            if items.iter().any(|item| !comparable(class, Class::of(item))) {
                let (a, b) = (class.operand(element), Class::List.operand(collection));
                return Err(errors::mismatch(BinaryOp::In, &a, &b));
            }
            items.iter().any(|item| same(element, item))
        }
        (Value::Int(number), Value::Range(first, last)) => (first..=last).contains(&number),
        (Value::Ip(ip), Value::Cidr(cidr)) => cidr.contains(ip),
        (Value::Cidr(inner), Value::Cidr(outer)) => outer.contains(inner),
        (Value::Ip(ip), Value::IpRange(range)) => in_range(*ip, range),
        (Value::IpRange(range), Value::Cidr(cidr)) => {
            cidr.contains(&range.0) && cidr.contains(&range.1)
        }
        (Value::Text(key), Value::Map(fields)) => fields.get(key).is_some(),
        _ => {
            let (a, b) = (Class::of(element), Class::of(collection));
            let (a, b) = (a.operand(element), b.operand(collection));
            return Err(errors::mismatch(BinaryOp::In, &a, &b));
        }
    };
    Ok(found)
}

/// Whether an address lies in a range, of the same family.
pub(crate) fn in_range(ip: IpAddr, range: &(IpAddr, IpAddr)) -> bool {
    ip.is_ipv4() == range.0.is_ipv4() && range.0 <= ip && ip <= range.1
}

/// Whether `in` has a meaning for an element and a collection of these types.
pub(crate) fn may_contain(element: &Type, collection: &Type) -> bool {
    let Some(class) = Class::of_type(element) else { return true };
    match collection {
        Type::List(of) => Class::of_type(of).is_none_or(|of| comparable(class, of)),
        Type::Range => class == Class::Int,
        Type::Cidr => matches!(class, Class::Ip | Class::Cidr | Class::IpRange),
        Type::IpRange => class == Class::Ip,
        Type::Map(_) | Type::Object(_) => class == Class::Text,
        _ => false,
    }
}
