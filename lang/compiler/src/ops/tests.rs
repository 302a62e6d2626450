//! Operators on values and types, written as expressions of a tiny notation: literals only.

use tcloud_model::{Money, Type, Value, codes};
use tcloud_syntax::ast::{BinaryOp as B, UnaryOp};

use super::{binary, binary_type, unary, unary_type};

const GIB: u64 = 1 << 30;

fn ip(text: &str) -> Value {
    Value::Ip(text.parse().expect("an address"))
}

fn cidr(text: &str) -> Value {
    Value::Cidr(text.parse().expect("a network"))
}

fn eur(cents: i64) -> Value {
    Value::Money(Money { cents, currency: *b"EUR" })
}

#[track_caller]
fn gives(left: Value, op: B, right: Value, expected: &str) {
    let result = binary(op, &left, &right).map(|value| value.to_string());
    assert_eq!(result.as_deref(), Ok(expected), "{left} {op:?} {right}");
}

#[track_caller]
fn refuses(left: Value, op: B, right: Value, expected: &str) {
    let error = binary(op, &left, &right).expect_err("must not be computed");
    assert_eq!(format!("{}: {}", error.code, error.message), expected);
    assert!(!error.help.is_empty());
}

#[test]
fn amounts_scale_and_add_within_their_dimension() {
    gives(Value::Int(2), B::Multiply, Value::Bytes(4 * GIB), "8GiB");
    gives(Value::Bytes(4 * GIB), B::Divide, Value::Int(2), "2GiB");
    gives(Value::Bytes(4 * GIB), B::Add, Value::Bytes(GIB / 2), "4608MiB");
    gives(Value::Bytes(4 * GIB), B::Multiply, Value::Float(1.5), "6GiB");
    gives(Value::Duration(60_000), B::Multiply, Value::Int(90), "90min");
    gives(Value::Rate(1_000_000), B::Add, Value::Rate(500_000), "1500kbit/s");
    gives(Value::Bytes(8 * GIB), B::Divide, Value::Bytes(2 * GIB), "4.0");
    gives(Value::Bytes(5 * GIB), B::Remainder, Value::Bytes(2 * GIB), "1GiB");
    gives(eur(120_000), B::Add, eur(50), "1200.50 EUR");
}

#[test]
fn a_percentage_is_a_share_of_what_it_is_multiplied_with() {
    gives(Value::Bytes(4 * GIB), B::Multiply, Value::Percent(2_500), "1GiB");
    gives(Value::Percent(2_500), B::Multiply, Value::Int(10), "2.5");
    gives(Value::Percent(5_000), B::Multiply, Value::Percent(5_000), "25%");
    gives(Value::Percent(5_000), B::Divide, Value::Int(2), "25%");
    gives(eur(101), B::Multiply, Value::Percent(5_000), "0.51 EUR");
    gives(eur(-101), B::Multiply, Value::Percent(5_000), "-0.51 EUR");
}

#[test]
fn whole_numbers_stay_whole_and_fractions_spread() {
    gives(Value::Int(7), B::Divide, Value::Int(2), "3");
    gives(Value::Int(7), B::Divide, Value::Float(2.0), "3.5");
    gives(Value::Int(7), B::Remainder, Value::Int(4), "3");
    gives(Value::Int(1), B::Equal, Value::Float(1.0), "true");
    gives(Value::Int(1), B::Less, Value::Float(1.5), "true");
}

#[test]
fn addresses_move_and_measure_distance() {
    gives(ip("10.20.0.0"), B::Add, Value::Int(300), "10.20.1.44");
    gives(Value::Int(1), B::Add, ip("fd00::ffff"), "fd00::1:0");
    gives(ip("10.20.1.0"), B::Subtract, ip("10.20.0.1"), "255");
    gives(ip("10.0.0.1"), B::Range, ip("10.0.0.9"), "10.0.0.1..=10.0.0.9");
    refuses(
        ip("255.255.255.255"),
        B::Add,
        Value::Int(1),
        "E0211: 255.255.255.255 + 1 is out of range",
    );
    refuses(
        ip("10.0.0.9"),
        B::Range,
        ip("10.0.0.1"),
        "E0216: the range runs backwards, 10.0.0.1 comes before 10.0.0.9",
    );
}

#[test]
fn nothing_wraps_and_nothing_is_divided_by_zero() {
    refuses(Value::Bytes(1), B::Subtract, Value::Bytes(2), "E0211: 1B - 2B is out of range");
    refuses(
        Value::Int(i64::MAX),
        B::Add,
        Value::Int(1),
        "E0211: 9223372036854775807 + 1 is out of range",
    );
    refuses(
        Value::Bytes(u64::MAX),
        B::Multiply,
        Value::Float(1e300),
        "E0211: 18446744073709551615B * 1e300 is out of range",
    );
    refuses(Value::Int(1), B::Divide, Value::Int(0), "E0210: 1 is divided by 0");
    refuses(Value::Bytes(4), B::Remainder, Value::Bytes(0), "E0210: 4B is divided by 0B");
    refuses(Value::Float(1.0), B::Divide, Value::Float(0.0), "E0210: 1.0 is divided by 0.0");
    assert_eq!(
        unary(UnaryOp::Negate, &Value::Int(i64::MIN)).map_err(|e| e.code),
        Err(codes::E0211)
    );
}

#[test]
fn dimensions_are_not_mixed() {
    refuses(
        Value::Bytes(500 * GIB),
        B::Less,
        Value::Rate(1_000_000_000),
        "E0212: 500GiB is a size, but 1Gbit/s is a rate",
    );
    refuses(Value::Bytes(GIB), B::Add, Value::Int(2), "E0212: 1GiB is a size, but 2 is a number");
    refuses(
        eur(100),
        B::Less,
        Value::Money(Money { cents: 1, currency: *b"CHF" }),
        "E0213: 1 EUR and 0.01 CHF are in different currencies",
    );
    refuses(
        Value::Bytes(GIB),
        B::Multiply,
        Value::Bytes(GIB),
        "E0215: `*` does not work on a size and a size",
    );
    refuses(Value::Int(1), B::Equal, Value::text("1"), "E0212: 1 is a number, but \"1\" is a text");
}

#[test]
fn joining_texts_with_plus_says_how_it_is_written() {
    let error = binary(B::Add, &Value::text("web-"), &Value::Int(3)).expect_err("no text has +");
    assert_eq!(error.code, codes::E0214);
    assert_eq!(error.help, "write one text with both in it: `\"web-${3}\"`");
}

#[test]
fn membership_works_on_lists_ranges_networks_and_names() {
    gives(Value::Int(2), B::In, Value::Range(1, 3), "true");
    gives(ip("10.20.0.7"), B::In, cidr("10.20.0.0/24"), "true");
    gives(cidr("10.20.0.0/25"), B::In, cidr("10.20.0.0/24"), "true");
    gives(ip("fd00::1"), B::In, cidr("10.20.0.0/24"), "false");
    gives(Value::text("a"), B::In, Value::list(vec![Value::text("b")]), "false");
    refuses(
        Value::text("a"),
        B::In,
        Value::text("abc"),
        "E0215: `in` does not work on a text and a text",
    );
}

#[test]
fn absence_equals_only_itself() {
    gives(Value::None, B::Equal, Value::Int(1), "false");
    gives(Value::None, B::Equal, Value::None, "true");
    gives(Value::None, B::Default, Value::Int(1), "1");
    refuses(Value::None, B::Add, Value::Int(1), "E0217: none may be absent, `+` needs a value");
}

#[test]
fn a_long_list_is_not_printed_in_full() {
    let long = Value::list(vec![Value::Int(1); 100_000]);
    refuses(long, B::Add, Value::Int(1), "E0215: `+` does not work on a list and a number");
}

/// A value of every sort, with its type.
fn samples() -> Vec<(Value, Type)> {
    vec![
        (Value::Bool(true), Type::Bool),
        (Value::Int(2), Type::INT),
        (Value::Float(1.5), Type::Float),
        (Value::text("a"), Type::Text),
        (Value::Bytes(2), Type::Bytes),
        (Value::Rate(2), Type::Rate),
        (Value::Duration(2), Type::Duration),
        (Value::Percent(200), Type::Percent),
        (ip("10.0.0.1"), Type::Ip),
        (cidr("10.0.0.0/24"), Type::Cidr),
        (Value::Range(1, 2), Type::Range),
        (Value::Date(2026, 11, 23), Type::Date),
        (eur(5), Type::Money),
        (Value::Mac([2; 6]), Type::Mac),
        (Value::list(vec![Value::Int(1)]), Type::list(Type::INT)),
        (
            Value::map([("a".into(), Value::Int(1))].into_iter().collect()),
            Type::Map(Box::new(Type::INT)),
        ),
    ]
}

#[test]
fn what_the_checker_admits_can_be_computed_and_has_the_promised_type() {
    let operators = [
        B::Add,
        B::Subtract,
        B::Multiply,
        B::Divide,
        B::Remainder,
        B::Equal,
        B::NotEqual,
        B::Less,
        B::LessEqual,
        B::Greater,
        B::GreaterEqual,
        B::And,
        B::Or,
        B::Range,
        B::In,
    ];
    for (left, left_type) in samples() {
        for (right, right_type) in samples() {
            for op in operators {
                let value = binary(op, &left, &right);
                match binary_type(op, &left_type, &right_type) {
                    Ok(ty) => {
                        let value = value.unwrap_or_else(|e| {
                            panic!("{left} {op:?} {right}: admitted as {ty}, but {}", e.message)
                        });
                        assert!(ty.admits(&value), "{left} {op:?} {right} = {value}, not {ty}");
                    }
                    Err(error) => {
                        let value = value.map_err(|e| e.code);
                        assert_eq!(value, Err(error.code), "{left} {op:?} {right}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_was_reported_once_is_not_reported_again() {
    assert_eq!(binary_type(B::Add, &Type::Unknown, &Type::Bytes), Ok(Type::Unknown));
    assert_eq!(binary_type(B::Less, &Type::Unknown, &Type::Bytes), Ok(Type::Bool));
    assert_eq!(unary_type(UnaryOp::Negate, &Type::Unknown), Ok(Type::Unknown));
}

#[test]
fn one_fitting_alternative_is_enough() {
    let either = Type::Either(vec![Type::Text, Type::Bytes]);
    assert_eq!(binary_type(B::Add, &either, &Type::Bytes), Ok(Type::Bytes));
    assert!(binary_type(B::Add, &either, &Type::Bool).is_err());
}

#[test]
fn a_default_takes_the_question_mark_away() {
    let optional = Type::Optional(Box::new(Type::Bytes));
    assert_eq!(binary_type(B::Default, &optional, &Type::Bytes), Ok(Type::Bytes));
    let error = binary_type(B::Add, &optional, &Type::Bytes).expect_err("may be absent");
    assert_eq!(error.message, "the left side may be absent, `+` needs a value");
}
