//! What is said when an operator does not fit its operands.

use tcloud_model::{Code, Value, codes};
use tcloud_syntax::ast::{BinaryOp, UnaryOp};

use super::{Class, OpError};

/// One side of an operator, as a message names it.
pub(super) struct Operand {
    /// `500GiB`, or "the left side".
    pub(super) text: String,
    /// Its sort.
    pub(super) class: Class,
    /// Whether `text` is the value itself.
    pub(super) literal: bool,
}

/// A value for a message: at most some sixty characters of it, since lists can be long.
pub(crate) fn shown(value: &Value) -> String {
    const LIMIT: usize = 60;
    match value {
        Value::List(items) if items.len() > 8 => return format!("a list of {}", items.len()),
        Value::Map(fields) if fields.len() > 8 => return format!("an object of {}", fields.len()),
        _ => {}
    }
    let text = value.to_string();
    if text.chars().count() <= LIMIT {
        return text;
    }
    text.chars().take(LIMIT).chain(['…']).collect()
}

/// How an operator is written.
pub(super) fn symbol(op: BinaryOp) -> &'static str {
    use BinaryOp as B;
    match op {
        B::Add => "+",
        B::Subtract => "-",
        B::Multiply => "*",
        B::Divide => "/",
        B::Remainder => "%",
        B::Equal => "==",
        B::NotEqual => "!=",
        B::Less => "<",
        B::LessEqual => "<=",
        B::Greater => ">",
        B::GreaterEqual => ">=",
        B::And => "&&",
        B::Or => "||",
        B::Default => "??",
        B::Range => "..=",
        B::In => "in",
    }
}

/// Two operands that do not go together, with the most telling message.
pub(super) fn mismatch(op: BinaryOp, left: &Operand, right: &Operand) -> OpError {
    use BinaryOp as B;
    for side in [left, right] {
        if side.class == Class::Absent && !matches!(op, B::Equal | B::NotEqual | B::In) {
            return absent(op, side);
        }
    }
    if op == B::Add && (left.class == Class::Text || right.class == Class::Text) {
        return join(left, right);
    }
    let measurable = |class: Class| class.is_number() || class.is_quantity();
    let comparing = matches!(
        op,
        B::Add
            | B::Subtract
            | B::Remainder
            | B::Equal
            | B::NotEqual
            | B::Less
            | B::LessEqual
            | B::Greater
            | B::GreaterEqual
    );
    if comparing && left.class != right.class && measurable(left.class) && measurable(right.class) {
        return dimension(left, right);
    }
    if left.class != right.class && matches!(op, B::Equal | B::NotEqual) {
        return OpError::new(
            codes::E0212,
            format!("{}, but {}", is(left), is(right)),
            equality_help(left, right),
        );
    }
    unfit(op, left, right)
}

fn is(operand: &Operand) -> String {
    format!("{} is {}", operand.text, operand.class.words())
}

fn dimension(left: &Operand, right: &Operand) -> OpError {
    let message = format!("{}, but {}", is(left), is(right));
    let bare = [left, right].into_iter().find(|side| side.class.is_number());
    let help = match bare {
        Some(side) => {
            let other = if std::ptr::eq(side, left) { right.class } else { left.class };
            let number = if side.literal { side.text.as_str() } else { "16" };
            format!("give the number a unit: {}", with_unit(number, other))
        }
        None => format!("{}; {}", units(left.class), units(right.class)),
    };
    OpError::new(codes::E0212, message, help)
}

fn with_unit(number: &str, class: Class) -> String {
    match class {
        Class::Bytes => format!("`{number}GiB`"),
        Class::Rate => format!("`{number}Mbit/s`"),
        Class::Duration => format!("`{number}min`"),
        Class::Percent => format!("`{number}%`"),
        _ => format!("`{number} EUR`"),
    }
}

fn units(class: Class) -> &'static str {
    match class {
        Class::Bytes => "sizes are written in MiB, GiB, TiB or MB, GB, TB",
        Class::Rate => "rates in Mbit/s, Gbit/s",
        Class::Duration => "durations in s, min, h, d",
        Class::Percent => "percentages with %",
        Class::Money => "money with its currency, `1_200 EUR`",
        _ => "numbers have no unit",
    }
}

fn equality_help(left: &Operand, right: &Operand) -> String {
    match (left.class, right.class) {
        (Class::Ip, Class::Cidr) => "ask with `in` whether the address lies in it".to_owned(),
        (_, Class::List) => "ask with `in` whether it is one of the list".to_owned(),
        (Class::Text, other) | (other, Class::Text) if other.is_scalar() => {
            "write the text without quotes, or make a text of the other: `\"${…}\"`".to_owned()
        }
        (Class::Secret, _) | (_, Class::Secret) => {
            "a secret is never looked at, so it equals nothing".to_owned()
        }
        _ => "compare values of one type".to_owned(),
    }
}

fn absent(op: BinaryOp, side: &Operand) -> OpError {
    OpError::new(
        codes::E0217,
        format!("{} may be absent, `{}` needs a value", side.text, symbol(op)),
        "say what holds when it is absent: `(value ?? other)`",
    )
}

fn join(left: &Operand, right: &Operand) -> OpError {
    let part = |side: &Operand| match side.literal {
        true if side.class == Class::Text => side.text.trim_matches('"').to_owned(),
        true => format!("${{{}}}", side.text),
        false if std::ptr::eq(side, left) => "${a}".to_owned(),
        false => "${b}".to_owned(),
    };
    OpError::new(
        codes::E0214,
        "texts are not joined with `+`",
        format!("write one text with both in it: `\"{}{}\"`", part(left), part(right)),
    )
}

/// An operator that has no meaning for these operands.
pub(super) fn unfit(op: BinaryOp, left: &Operand, right: &Operand) -> OpError {
    use {BinaryOp as B, Class as C};
    let message = format!(
        "`{}` does not work on {} and {}",
        symbol(op),
        left.class.words(),
        right.class.words()
    );
    let help = match (op, left.class, right.class) {
        (B::And | B::Or, ..) => "both sides have to be conditions, such as `a == b`".to_owned(),
        (B::Add, C::List, C::List) => "join lists with `[a, b].flatten()`".to_owned(),
        (B::Add, C::Map, C::Map) => "join objects with `a.merge(b)`".to_owned(),
        (B::Multiply, a, b) if a.is_quantity() && b.is_quantity() => {
            "one of the two has to be a plain number or a percentage".to_owned()
        }
        (B::In, C::Text, C::Text) => "ask the text: `text.contains(\"part\")`".to_owned(),
        (B::In, ..) => {
            "`in` takes a list, a range, a network, or the names of an object; the left \
                        side has to be of the type of its elements"
                .to_owned()
        }
        (B::Range, ..) => "a range runs between two whole numbers or two IP addresses".to_owned(),
        (_, C::Secret, _) | (_, _, C::Secret) => {
            "a secret can only be put into a text: `\"${secret}\"`".to_owned()
        }
        (B::Less | B::LessEqual | B::Greater | B::GreaterEqual, ..) => {
            "numbers, sizes, rates, durations, texts, dates and addresses have an order".to_owned()
        }
        _ => "arithmetic works on numbers and on amounts with units".to_owned(),
    };
    OpError::new(codes::E0215, message, help)
}

/// An operator before an operand that it has no meaning for.
pub(super) fn unfit_unary(op: UnaryOp, operand: &Operand) -> OpError {
    if operand.class == Class::Absent {
        return OpError::new(
            codes::E0217,
            format!("{} may be absent", operand.text),
            "say what holds when it is absent: `(value ?? other)`",
        );
    }
    let (symbol, help) = match op {
        UnaryOp::Not => ("!", "compare it with something, for example `a != b`"),
        UnaryOp::Negate => ("-", "only numbers, percentages and money can be below zero"),
    };
    OpError::new(
        codes::E0215,
        format!("`{symbol}` does not work on {}", operand.class.words()),
        help,
    )
}

/// A result that its type cannot hold.
pub(super) fn out_of_range(op: BinaryOp, left: &Value, right: &Value, class: Class) -> OpError {
    let expression = format!("{} {} {}", shown(left), symbol(op), shown(right));
    overflow(&expression, class)
}

/// A computed amount that its type cannot hold.
pub(super) fn overflow(expression: &str, class: Class) -> OpError {
    let limits = match class {
        Class::Bytes => "sizes reach from 0B to 16EiB",
        Class::Rate => "rates reach from 0bit/s to about 18 billion Gbit/s",
        Class::Duration => "durations are never below zero",
        Class::Ip => "addresses end at 255.255.255.255, and at ffff:…:ffff for IPv6",
        _ => "whole numbers have 64 bits",
    };
    OpError::new(codes::E0211, format!("{expression} is out of range"), limits)
}

/// A division by zero.
pub(super) fn division(left: &Value, right: &Value) -> OpError {
    let (left, right): (String, String) = (shown(left), shown(right));
    OpError::new(
        codes::E0210,
        format!("{left} is divided by {right}"),
        "guard it: `if n == 0 then … else a / n`",
    )
}

/// Two amounts in different currencies.
pub(super) fn currencies(left: &Value, right: &Value) -> OpError {
    OpError::new(
        codes::E0213,
        format!("{} and {} are in different currencies", shown(left), shown(right)),
        "there are no exchange rates here: keep each currency apart, or convert by hand",
    )
}

/// An address range whose end comes before its start, or whose ends are of different families.
pub(super) fn backwards(message: String, help: &str) -> OpError {
    let code: Code = codes::E0216;
    OpError::new(code, message, help)
}
