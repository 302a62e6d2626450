//! Methods by family. Their examples are evaluated by the real evaluator in `reference.rs`.

use std::collections::BTreeSet;

use tcloud_model::{Diagnostic, Name, Type, Value};

use super::{ArgType, MAX_ELEMENTS, MethodError, families, method, method_type, property};
use crate::ops::Class;

fn cidr(text: &str) -> Value {
    Value::Cidr(text.parse().expect("a network"))
}

fn numbers(items: &[i64]) -> Value {
    Value::list(items.iter().copied().map(Value::Int).collect())
}

fn texts(items: &[&str]) -> Value {
    Value::list(items.iter().map(|item| Value::text(item)).collect())
}

/// Calls a method whose function, if it takes one, is `x => -x % 3`.
fn run(receiver: &Value, name: &str, args: &[Value]) -> Result<Value, MethodError> {
    let mut call = |_: usize, value: &Value| match value {
        Value::Int(n) => Ok(Value::Int(-n % 3)),
        _ => Err(Vec::<Diagnostic>::new()),
    };
    method(receiver, name, args, &mut call)
}

#[track_caller]
fn gives(receiver: Value, name: &str, args: &[Value], expected: &str) {
    let value = run(&receiver, name, args).unwrap_or_else(|e| panic!("{receiver}.{name}: {e:?}"));
    assert_eq!(value.to_string(), expected);
}

#[track_caller]
fn refuses(receiver: Value, name: &str, args: &[Value], expected: &str) {
    match run(&receiver, name, args) {
        Err(MethodError::Failed(error)) => {
            assert_eq!(format!("{}: {}", error.code, error.message), expected);
            assert!(!error.help.is_empty());
        }
        other => panic!("{receiver}.{name} gave {other:?}"),
    }
}

#[test]
fn hosts_count_from_both_ends_and_leave_out_network_and_broadcast() {
    let net = || cidr("10.20.0.0/24");
    gives(net(), "host", &[Value::Int(10)], "10.20.0.10");
    gives(net(), "host", &[Value::Int(-1)], "10.20.0.254");
    refuses(net(), "host", &[Value::Int(0)], "E0222: 10.20.0.0/24 has no host 0");
    refuses(net(), "host", &[Value::Int(255)], "E0222: 10.20.0.0/24 has no host 255");
    refuses(
        net(),
        "host",
        &[Value::Int(i64::MIN)],
        "E0222: 10.20.0.0/24 has no host -9223372036854775808",
    );
    gives(cidr("10.0.0.0/31"), "host", &[Value::Int(0)], "10.0.0.0");
    gives(cidr("10.0.0.7/32"), "host", &[Value::Int(-1)], "10.0.0.7");
    gives(cidr("fd00::/64"), "host", &[Value::Int(-1)], "fd00::ffff:ffff:ffff:ffff");
}

#[test]
fn subnets_are_counted_from_zero_and_fit() {
    gives(cidr("10.20.0.0/16"), "subnet", &[Value::Int(8), Value::Int(3)], "10.20.3.0/24");
    gives(cidr("10.20.0.0/16"), "subnet", &[Value::Int(0), Value::Int(0)], "10.20.0.0/16");
    gives(cidr("::/0"), "subnet", &[Value::Int(128), Value::Int(1)], "::1/128");
    gives(cidr("0.0.0.0/0"), "subnet", &[Value::Int(1), Value::Int(1)], "128.0.0.0/1");
    refuses(
        cidr("10.20.0.0/24"),
        "subnet",
        &[Value::Int(9), Value::Int(0)],
        "E0222: 10.20.0.0/24 cannot be divided by 9 more bits",
    );
    refuses(
        cidr("10.20.0.0/24"),
        "subnet",
        &[Value::Int(2), Value::Int(4)],
        "E0222: 2 more bits divide 10.20.0.0/24 into 4 parts, there is no part 4",
    );
}

#[test]
fn large_numbers_that_floats_cannot_tell_apart_are_sorted() {
    let (even, odd) = (Value::Int(1 << 53), Value::Int((1 << 53) + 1));
    let float = Value::Float(9_007_199_254_740_992.0);
    // Short lists are sorted without noticing that an order is none.
    let mixed: Vec<Value> = (0..60).map(|n| [&odd, &float, &even][n * n % 7 % 3].clone()).collect();
    let mixed = Value::list(mixed);
    let sorted = run(&mixed, "sort", &[]).expect("numbers have an order");
    let Value::List(sorted) = sorted else { panic!("{sorted} is no list") };
    let first_odd = sorted.iter().position(|number| *number == odd).expect("it is in the list");
    assert!(sorted[first_odd..].iter().all(|number| *number == odd), "{sorted:?}");
    gives(mixed, "unique", &[], "[9007199254740993, 9007199254740992.0]");
}

#[test]
fn lists_sort_and_lose_repetitions_without_losing_their_order() {
    gives(numbers(&[3, 1, 2]), "sort", &[], "[1, 2, 3]");
    gives(numbers(&[3, 1, 3, 2, 1]), "unique", &[], "[3, 1, 2]");
    gives(numbers(&[1, 2, 3, 4]), "sort_by", &[Value::None], "[2, 1, 4, 3]");
    refuses(
        Value::list(vec![Value::Int(1), Value::text("a")]),
        "sort",
        &[],
        "E0215: `<` does not work on a number and a text",
    );
    gives(texts(&["b", "a"]), "join", &[Value::text("-")], "\"b-a\"");
    gives(numbers(&[1, 2, 3]), "take", &[Value::Int(9)], "[1, 2, 3]");
    gives(numbers(&[1, 2, 3]), "index_of", &[Value::Int(9)], "none");
}

#[test]
fn an_empty_list_has_no_extremes_and_no_sum_without_a_start() {
    refuses(numbers(&[]), "max", &[], "E0222: an empty list has no largest element");
    refuses(numbers(&[]), "first", &[], "E0222: an empty list has no first element");
    refuses(numbers(&[]), "sum", &[], "E0222: the sum of an empty list has no unit");
    gives(numbers(&[]), "sum", &[Value::Bytes(0)], "0B");
}

#[test]
fn nothing_grows_beyond_its_bounds() {
    let endless = Value::Range(0, i64::MAX);
    refuses(
        endless,
        "to_list",
        &[],
        "E0223: the result would be a list of 9223372036854775808 elements",
    );
    let text = Value::text(&"a".repeat(1 << 16));
    let long = Value::text(&"b".repeat(1 << 10));
    refuses(
        text,
        "replace",
        &[Value::text("a"), long],
        "E0223: the result would be a text of 67174400 bytes",
    );
    let half = numbers(&vec![0; MAX_ELEMENTS / 2 + 1]);
    refuses(
        Value::list(vec![half.clone(), half]),
        "flatten",
        &[],
        "E0223: the result would be a list of 1000002 elements",
    );
}

#[test]
fn texts_count_characters() {
    gives(Value::text("Rhön"), "length", &[], "4");
    gives(Value::text("Rhönblick"), "slice", &[Value::Int(2), Value::Int(4)], "\"ön\"");
    gives(Value::text("7"), "pad_left", &[Value::Int(3), Value::text("0")], "\"007\"");
    refuses(Value::text("x1"), "to_int", &[], "E0222: \"x1\" is not a whole number");
}

#[test]
fn maps_merge_in_one_pass() {
    let map = |items: &[(&str, i64)]| {
        Value::map(items.iter().map(|(name, n)| (Name::new(name), Value::Int(*n))).collect())
    };
    let (a, b) = (map(&[("a", 1), ("c", 2)]), map(&[("b", 3), ("c", 4)]));
    gives(a.clone(), "merge", &[b], "{ a = 1, b = 3, c = 4 }");
    gives(a, "get", &[Value::text("x")], "none");
}

#[test]
fn wrong_names_and_arguments_are_explained() {
    refuses(Value::text("a"), "uper", &[], "E0220: a text has no `uper`");
    refuses(Value::Bool(true), "host", &[], "E0220: a yes or no has no `host`");
    refuses(cidr("10.0.0.0/8"), "prefix", &[], "E0220: a whole network has no `prefix`");
    refuses(
        Value::text("a"),
        "upper",
        &[Value::Int(1)],
        "E0221: `upper` takes no arguments, here it gets 1",
    );
    refuses(
        cidr("10.0.0.0/8"),
        "host",
        &[Value::text("1")],
        "E0221: `n` of `host` takes a whole number, this is a text",
    );
    let Err(MethodError::Failed(error)) = run(&cidr("10.0.0.0/8"), "prefix", &[]) else {
        panic!("a property is no method")
    };
    assert_eq!(error.help, "it is written `prefix`");
}

#[test]
fn the_checker_knows_what_functions_give() {
    let list = Type::list(Type::Bytes);
    let to_text = |_: &Type| Type::Text;
    let result = method_type(&list, "map", &[(None, ArgType::Lambda(&to_text))]);
    assert_eq!(result, Ok(Type::list(Type::Text)));
    let error = method_type(&list, "filter", &[(None, ArgType::Lambda(&to_text))])
        .expect_err("no condition");
    assert!(error.message.starts_with("`condition` of `filter` takes a condition"));
    assert!(method_type(&list, "map", &[(None, ArgType::Plain(Type::INT))]).is_err());
    assert_eq!(method_type(&Type::Unknown, "anything", &[]), Ok(Type::Unknown));
    let optional = Type::Optional(Box::new(Type::Text));
    assert_eq!(method_type(&optional, "upper", &[]).map_err(|e| e.code.0), Err("E0217"));
}

#[test]
fn arguments_go_by_name_to_their_parameters() {
    let text = Value::text("abc");
    let order = |method: &str, names: &[Option<&str>]| super::order(&text, method, names);
    assert_eq!(order("replace", &[Some("new"), Some("old")]), Ok(vec![1, 0]));
    assert_eq!(order("replace", &[None, Some("new")]), Ok(vec![0, 1]));
    assert_eq!(order("slice", &[Some("from")]), Ok(vec![0]));
    let refused = |method: &str, names: &[Option<&str>]| {
        let error = order(method, names).expect_err("a wrong call");
        assert_eq!(error.code.0, "E0221");
        error.message
    };
    assert_eq!(refused("split", &[Some("at")]), "`split` takes no argument `at`");
    let twice = "`replace` gets its argument `old` twice";
    assert_eq!(refused("replace", &[None, Some("old")]), twice);
    assert_eq!(refused("replace", &[Some("old"), Some("old")]), twice);
    assert_eq!(refused("slice", &[Some("to")]), "`slice` lacks `from`");
    let text = |name| (Some(name), ArgType::Plain(Type::Text));
    let number = |name| (Some(name), ArgType::Plain(Type::INT));
    let padded = [text("with"), number("width")];
    assert_eq!(method_type(&Type::Text, "pad_left", &padded), Ok(Type::Text));
    assert!(method_type(&Type::Text, "pad_left", &[number("with"), text("width")]).is_err());
}

#[test]
fn parts_need_no_parentheses() {
    assert_eq!(property(&cidr("10.20.0.0/24"), "prefix"), Some(Value::Int(24)));
    assert_eq!(property(&cidr("10.20.0.0/24"), "host"), None);
}

#[test]
fn every_method_is_documented_and_no_name_is_given_twice() {
    for (title, docs) in families() {
        let names: BTreeSet<&str> = docs.iter().map(|doc| doc.name).collect();
        assert_eq!(names.len(), docs.len(), "{title} has a name twice");
        for doc in docs {
            assert!(doc.signature.starts_with(doc.name), "{title}: {}", doc.name);
            assert!(
                doc.doc.ends_with('.') && doc.example.contains(doc.name),
                "{title}: {}",
                doc.name
            );
        }
    }
    assert!(Class::of_type(&Type::Unknown).is_none());
}

/// Values at the edges of their types.
fn extremes() -> Vec<Value> {
    let ip = |text: &str| Value::Ip(text.parse().expect("an address"));
    vec![
        Value::None,
        Value::Bool(false),
        Value::Int(i64::MIN),
        Value::Int(-1),
        Value::Int(0),
        Value::Int(i64::MAX),
        Value::Float(f64::MAX),
        Value::Float(f64::MIN_POSITIVE),
        Value::Float(-0.0),
        Value::text(""),
        Value::text("ö"),
        Value::Bytes(0),
        Value::Bytes(u64::MAX),
        Value::Rate(u64::MAX),
        Value::Duration(u64::MAX),
        Value::Percent(i64::MIN),
        Value::Percent(i64::MAX),
        ip("0.0.0.0"),
        ip("255.255.255.255"),
        ip("::"),
        ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        cidr("0.0.0.0/0"),
        cidr("255.255.255.255/32"),
        cidr("::/0"),
        cidr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"),
        Value::IpRange(std::sync::Arc::new((
            "::".parse().expect("an address"),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().expect("an address"),
        ))),
        Value::Range(i64::MIN, i64::MAX),
        Value::Range(1, 0),
        Value::Date(i16::MIN, 1, 1),
        Value::Money(tcloud_model::Money { cents: i64::MIN, currency: *b"EUR" }),
        Value::list(Vec::new()),
        numbers(&[i64::MAX, i64::MAX]),
        Value::list(vec![Value::None, Value::text("a"), Value::Int(1)]),
        Value::map(tcloud_model::Fields::new()),
    ]
}

#[test]
fn no_operator_and_no_method_panics_at_the_edges() {
    use tcloud_syntax::ast::BinaryOp as B;
    let operators = [B::Add, B::Subtract, B::Multiply, B::Divide, B::Remainder, B::Less, B::In];
    let values = extremes();
    for receiver in &values {
        for first in &values {
            for op in operators {
                let _ = crate::ops::binary(op, receiver, first);
            }
            let _ = crate::ops::binary(B::Range, receiver, first);
        }
        for doc in super::docs(Class::of(receiver)) {
            let _ = property(receiver, doc.name);
            let _ = run(receiver, doc.name, &[]);
            for first in &values {
                let _ = run(receiver, doc.name, std::slice::from_ref(first));
                for second in &values {
                    let _ = run(receiver, doc.name, &[first.clone(), second.clone()]);
                }
            }
        }
    }
}
