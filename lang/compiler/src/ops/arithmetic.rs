//! `+ - * / %` and `..=` on values: checked, and with units.

use std::net::IpAddr;
use std::sync::Arc;

use tcloud_model::{Money, Value};
use tcloud_syntax::ast::BinaryOp;

use super::class::arithmetic_class;
use super::{Class, OpError, errors};

/// Hundredths of a percent in the whole.
const WHOLE: i128 = 10_000;

/// Computes an arithmetic operator.
pub(super) fn compute(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, OpError> {
    let (a, b) = (Class::of(left), Class::of(right));
    let Some(class) = arithmetic_class(op, a, b) else {
        return Err(errors::mismatch(op, &a.operand(left), &b.operand(right)));
    };
    if let (Value::Money(a), Value::Money(b)) = (left, right)
        && a.currency != b.currency
    {
        return Err(errors::currencies(left, right));
    }
    if matches!(op, BinaryOp::Divide | BinaryOp::Remainder) && is_zero(right) {
        return Err(errors::division(left, right));
    }
    let result = if a == Class::Ip || b == Class::Ip {
        with_address(op, left, right)
    } else if class == Class::Float || a == Class::Float || b == Class::Float {
        with_fraction(op, class, left, right)
    } else {
        exact(op, left, right).and_then(|amount| build(class, amount, money_of(left, right)))
    };
    result.ok_or_else(|| errors::out_of_range(op, left, right, class))
}

/// `-n`
pub(super) fn negate(value: &Value) -> Result<Value, OpError> {
    let class = Class::of(value);
    amount(value)
        .and_then(|amount| build(class, -amount, money_of(value, value)))
        .ok_or_else(|| errors::overflow(&format!("-({})", errors::shown(value)), class))
}

/// `a..=b`
pub(super) fn range(left: &Value, right: &Value) -> Result<Value, OpError> {
    match (left, right) {
        // An empty range is meant: `for n in 1..=replicas` with no replicas.
        (Value::Int(first), Value::Int(last)) => Ok(Value::Range(*first, *last)),
        (Value::Ip(first), Value::Ip(last)) if first.is_ipv4() != last.is_ipv4() => {
            Err(errors::backwards(
                format!("{first} and {last} are not of one family"),
                "both ends of a range are IPv4, or both are IPv6",
            ))
        }
        (Value::Ip(first), Value::Ip(last)) if first > last => Err(errors::backwards(
            format!("the range runs backwards, {last} comes before {first}"),
            &format!("write `{last}..={first}`"),
        )),
        (Value::Ip(first), Value::Ip(last)) => Ok(Value::IpRange(Arc::new((*first, *last)))),
        _ => {
            let (a, b) = (Class::of(left).operand(left), Class::of(right).operand(right));
            Err(errors::mismatch(BinaryOp::Range, &a, &b))
        }
    }
}

/// The address that lies `offset` after this one, in the same family.
pub(crate) fn shift(ip: IpAddr, offset: i128) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(ip) => {
            let number = i128::from(u32::from(ip)).checked_add(offset)?;
            u32::try_from(number).ok().map(|number| IpAddr::V4(number.into()))
        }
        IpAddr::V6(ip) => {
            let number = u128::from(ip);
            let shifted = match u128::try_from(offset) {
                Ok(offset) => number.checked_add(offset)?,
                Err(_) => number.checked_sub(offset.unsigned_abs())?,
            };
            Some(IpAddr::V6(shifted.into()))
        }
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Float(number) => *number == 0.0,
        other => amount(other) == Some(0),
    }
}

/// A whole amount in its base unit.
fn amount(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) | Value::Percent(number) => Some(i128::from(*number)),
        Value::Bytes(number) | Value::Rate(number) | Value::Duration(number) => {
            Some(i128::from(*number))
        }
        Value::Money(money) => Some(i128::from(money.cents)),
        _ => None,
    }
}

fn money_of(left: &Value, right: &Value) -> [u8; 3] {
    match (left, right) {
        (Value::Money(money), _) | (_, Value::Money(money)) => money.currency,
        _ => *b"EUR",
    }
}

/// An amount as a value; `None` when its type cannot hold it.
fn build(class: Class, amount: i128, currency: [u8; 3]) -> Option<Value> {
    Some(match class {
        Class::Int => Value::Int(i64::try_from(amount).ok()?),
        Class::Percent => Value::Percent(i64::try_from(amount).ok()?),
        Class::Bytes => Value::Bytes(u64::try_from(amount).ok()?),
        Class::Rate => Value::Rate(u64::try_from(amount).ok()?),
        Class::Duration => Value::Duration(u64::try_from(amount).ok()?),
        Class::Money => Value::Money(Money { cents: i64::try_from(amount).ok()?, currency }),
        _ => return None,
    })
}

/// Whole numbers: products of two 64-bit amounts fit into 128 bits.
fn exact(op: BinaryOp, left: &Value, right: &Value) -> Option<i128> {
    let (a, b) = (amount(left)?, amount(right)?);
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => {
            let product = a.checked_mul(b)?;
            let share = matches!(left, Value::Percent(_)) || matches!(right, Value::Percent(_));
            Some(if share { round_share(product) } else { product })
        }
        BinaryOp::Divide => a.checked_div(b),
        BinaryOp::Remainder => a.checked_rem(b),
        _ => None,
    }
}

/// Divides by the whole and rounds half away from zero.
fn round_share(product: i128) -> i128 {
    let half = if product < 0 { -WHOLE / 2 } else { WHOLE / 2 };
    (product + half) / WHOLE
}

#[expect(clippy::cast_precision_loss, reason = "fractions are inexact, and are meant to be")]
fn fraction(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        other => amount(other).map(|amount| amount as f64),
    }
}

/// Arithmetic in which a number with a fraction takes part, or which gives one.
#[expect(clippy::cast_possible_truncation, reason = "bounds are checked before")]
#[expect(clippy::cast_precision_loss, reason = "fractions are inexact, and are meant to be")]
fn with_fraction(op: BinaryOp, class: Class, left: &Value, right: &Value) -> Option<Value> {
    let (mut a, mut b) = (fraction(left)?, fraction(right)?);
    // A share of a number: 25% counts as 0.25. A percentage that is only scaled stays one.
    if op == BinaryOp::Multiply && class == Class::Float {
        for (side, value) in [(&mut a, left), (&mut b, right)] {
            if matches!(value, Value::Percent(_)) {
                *side /= WHOLE as f64;
            }
        }
    }
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Subtract => a - b,
        BinaryOp::Multiply => a * b,
        BinaryOp::Divide => a / b,
        BinaryOp::Remainder => a % b,
        _ => return None,
    };
    if !result.is_finite() {
        return None;
    }
    if class == Class::Float {
        return Some(Value::Float(result));
    }
    let rounded = result.round();
    (rounded.abs() < 1e30)
        .then_some(rounded as i128)
        .and_then(|amount| build(class, amount, money_of(left, right)))
}

/// `ip + n`, `ip - n`, `ip - ip`
fn with_address(op: BinaryOp, left: &Value, right: &Value) -> Option<Value> {
    match (op, left, right) {
        (BinaryOp::Add, Value::Ip(ip), Value::Int(n))
        | (BinaryOp::Add, Value::Int(n), Value::Ip(ip)) => {
            shift(*ip, i128::from(*n)).map(Value::Ip)
        }
        (BinaryOp::Subtract, Value::Ip(ip), Value::Int(n)) => {
            shift(*ip, -i128::from(*n)).map(Value::Ip)
        }
        (BinaryOp::Subtract, Value::Ip(IpAddr::V4(a)), Value::Ip(IpAddr::V4(b))) => {
            Some(Value::Int(i64::from(u32::from(*a)) - i64::from(u32::from(*b))))
        }
        (BinaryOp::Subtract, Value::Ip(IpAddr::V6(a)), Value::Ip(IpAddr::V6(b))) => {
            let (a, b) = (u128::from(*a), u128::from(*b));
            let distance = i64::try_from(a.abs_diff(b)).ok()?;
            Some(Value::Int(if a < b { -distance } else { distance }))
        }
        _ => None,
    }
}
