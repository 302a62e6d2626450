//! Numbers, numbers with a unit, percentages and money.

use tcloud_model::{Money, Value, codes};

use super::Fault;
use super::units::{self, OVERVIEW};

/// A decimal number: `digits` divided by ten to the power of `decimals`.
struct Decimal {
    digits: u128,
    decimals: u32,
}

/// Reads `42`, `1_000`, `1.5`, `80%`, `4GiB`, `1Gbit/s`, `15min`.
pub(super) fn read(text: &str) -> Result<Value, Box<Fault>> {
    let length = text.bytes().position(|b| !matches!(b, b'0'..=b'9' | b'_' | b'.'));
    let (number, unit) = text.split_at(length.unwrap_or(text.len()));
    if let Some(fault) = other_notation(text, number, unit) {
        return Err(fault);
    }
    let decimal = decimal(text, number)?;
    match unit {
        "" if decimal.decimals == 0 => whole(text, &decimal).map(Value::Int),
        "" => fraction(text, number),
        "%" => hundredths(text, &decimal, "percentages").map(Value::Percent),
        unit => with_unit(text, &decimal, number.len(), unit),
    }
}

/// Reads `1_200 EUR`.
pub(super) fn money(text: &str, number: &str, currency: &str) -> Result<Value, Box<Fault>> {
    let range = number.len() + 1..text.len();
    if let Some(unit) = units::meant(currency) {
        let message = format!("`{currency}` is not a unit");
        let fault = Fault::at(codes::E0020, range, message).label(format!("write `{unit}`"));
        return Err(fault
            .help("units follow the number without a space, in their usual spelling")
            .instead(format!("{number}{unit}")));
    }
    let plain = number.bytes().all(|b| matches!(b, b'0'..=b'9' | b'_' | b'.'));
    let &[a, b, c] = currency.as_bytes() else {
        return Err(not_a_number(text));
    };
    if !plain {
        return Err(not_a_number(text));
    }
    let cents = hundredths(text, &decimal(text, number)?, "amounts of money")?;
    Ok(Value::Money(Money { cents, currency: [a, b, c] }))
}

fn not_a_number(text: &str) -> Box<Fault> {
    let message = format!("`{text}` is not an amount of money");
    Fault::at(codes::E0021, 0..text.len(), message).help("write it like `1_200 EUR` or `9.50 EUR`")
}

/// Hexadecimal and scientific notation, and operators written without spaces.
fn other_notation(text: &str, number: &str, unit: &str) -> Option<Box<Fault>> {
    let range = 0..text.len();
    let rest = unit.get(1..).unwrap_or("");
    if number == "0" && matches!(unit.get(..1), Some("x" | "o" | "b" | "X")) && !rest.is_empty() {
        let radix = match unit.get(..1) {
            Some("o") => 8,
            Some("b") => 2,
            _ => 16,
        };
        let value = i64::from_str_radix(&rest.replace('_', ""), radix).ok();
        let fault = Fault::at(codes::E0021, range, "numbers are written in decimal".to_owned());
        return Some(match value {
            Some(value) => fault.help(format!("write `{value}`")).instead(value.to_string()),
            None => fault.help("use the digits 0 to 9 only"),
        });
    }
    if matches!(unit.get(..1), Some("e" | "E")) && rest.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("`{text}` is in scientific notation");
        let fault = Fault::at(codes::E0021, range, message);
        return Some(fault.help("write the number out; `_` may group its digits: `1_000_000`"));
    }
    let (left, operator, right) = split_operator(unit)?;
    let message = format!("`{operator}` between numbers needs spaces around it");
    let spaced = format!("{number}{left} {operator} {right}");
    Some(Fault::at(codes::E0014, range, message).help(format!("write `{spaced}`")).instead(spaced))
}

/// `GiB/2` or `%3`: a unit, an operator and a number.
fn split_operator(unit: &str) -> Option<(&str, &str, &str)> {
    let (at, operator) = unit.char_indices().find(|(_, c)| matches!(c, '/' | '%'))?;
    let (left, right) = (&unit[..at], &unit[at + operator.len_utf8()..]);
    let number = right.starts_with(|c: char| c.is_ascii_digit());
    (number && (left.is_empty() || units::find(left).is_some())).then_some((
        left,
        if operator == '/' { "/" } else { "%" },
        right,
    ))
}

/// Checks digits, separators and leading zeros.
fn decimal(text: &str, number: &str) -> Result<Decimal, Box<Fault>> {
    let all = 0..number.len();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let separated =
        |part: &str| part.ends_with('_') || part.contains("__") || part.starts_with('_');
    if separated(whole) || separated(decimals) {
        let fault = Fault::at(codes::E0021, all, "`_` stands between two digits".to_owned());
        let clean: String = text.chars().filter(|c| *c != '_').collect();
        return Err(fault.help(format!("for example `{clean}`")).instead(clean));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        let rest = text.trim_start_matches(['0', '_']);
        let digit = rest.starts_with(|c: char| c.is_ascii_digit());
        let clean = if digit { rest.to_owned() } else { format!("0{rest}") };
        let fault = Fault::at(codes::E0021, all, "a number does not begin with 0".to_owned());
        return Err(fault
            .label("leading zero")
            .help(format!("write `{clean}`; there are no octal numbers"))
            .instead(clean));
    }
    let mut digits = 0_u128;
    for digit in number.bytes().filter(u8::is_ascii_digit) {
        let next = digits.checked_mul(10).and_then(|n| n.checked_add(u128::from(digit - b'0')));
        digits = next.ok_or_else(|| too_large(text, "a number"))?;
    }
    let decimals = decimals.bytes().filter(u8::is_ascii_digit).count();
    let decimals = u32::try_from(decimals).map_err(|_| too_large(text, "a number"))?;
    Ok(Decimal { digits, decimals })
}

fn too_large(text: &str, what: &str) -> Box<Fault> {
    let message = format!("{what} cannot be as large as this");
    let fault = Fault::at(codes::E0021, 0..text.len(), message);
    fault.help(format!("whole numbers end at {}, sizes at 16383PiB", i64::MAX))
}

fn whole(text: &str, number: &Decimal) -> Result<i64, Box<Fault>> {
    i64::try_from(number.digits).map_err(|_| too_large(text, "a whole number"))
}

fn fraction(text: &str, number: &str) -> Result<Value, Box<Fault>> {
    let clean: String = number.chars().filter(|c| *c != '_').collect();
    match clean.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Float(value)),
        _ => Err(too_large(text, "a number")),
    }
}

fn hundredths(text: &str, number: &Decimal, what: &str) -> Result<i64, Box<Fault>> {
    if number.decimals > 2 {
        let message = format!("{what} have at most two decimals");
        let fault = Fault::at(codes::E0021, 0..text.len(), message);
        return Err(fault.help("round it to two decimals"));
    }
    let value = number.digits.checked_mul(10_u128.pow(2 - number.decimals));
    value.and_then(|value| i64::try_from(value).ok()).ok_or_else(|| too_large(text, "an amount"))
}

fn with_unit(text: &str, number: &Decimal, at: usize, unit: &str) -> Result<Value, Box<Fault>> {
    let Some((dimension, factor)) = units::find(unit) else {
        return Err(unknown_unit(text, at, unit));
    };
    let amount = number.digits.checked_mul(u128::from(factor));
    let amount = amount.ok_or_else(|| too_large(text, "an amount"))?;
    let divisor = 10_u128.checked_pow(number.decimals);
    let divisor = divisor.ok_or_else(|| too_large(text, "an amount"))?;
    if amount % divisor != 0 {
        let message = format!("`{text}` is not a whole number of {}s", dimension.base());
        let fault = Fault::at(codes::E0021, 0..text.len(), message);
        return Err(fault.help("use fewer decimals or a smaller unit"));
    }
    let amount = u64::try_from(amount / divisor).map_err(|_| too_large(text, "an amount"))?;
    Ok(dimension.value(amount))
}

fn unknown_unit(text: &str, at: usize, unit: &str) -> Box<Fault> {
    let fault = Fault::at(codes::E0020, at..text.len(), format!("`{unit}` is not a unit"));
    let number = &text[..at];
    match (unit, units::meant(unit)) {
        ("m" | "M", _) => fault
            .label("minutes or megabytes?")
            .help(format!("write `{number}min` for minutes, `{number}MiB` for a size")),
        (_, Some(meant)) if unit.contains('B') && unit.ends_with("/s") => {
            fault.label(format!("a rate counts bits: {meant}")).help("one byte is 8 bits")
        }
        (_, Some(meant)) => fault
            .label(format!("did you mean `{meant}`?"))
            .help(format!("{}{number}{meant}; {OVERVIEW}", "write "))
            .instead(format!("{number}{meant}")),
        (_, None) => fault.help(OVERVIEW),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[track_caller]
    fn says(text: &str, value: &str) {
        assert_eq!(read(text).map(|v| v.to_string()), Ok(value.to_owned()), "{text}");
    }

    #[track_caller]
    fn fails(text: &str, message: &str, instead: Option<&str>) {
        let fault = read(text).expect_err(text);
        assert_eq!(
            (fault.message.as_str(), fault.instead.as_deref()),
            (message, instead),
            "{text}"
        );
    }

    #[test]
    fn numbers_and_amounts_are_read_exactly() {
        says("1_000", "1000");
        says("1.5", "1.5");
        says("0", "0");
        says("1.5TiB", "1536GiB");
        says("2TB", "2TB");
        says("10Gbit/s", "10Gbit/s");
        says("15min", "15min");
        says("35d", "35d");
        says("99.95%", "99.95%");
        says("1_200 EUR", "1200 EUR");
        says("9.5 EUR", "9.50 EUR");
        says("9223372036854775807", "9223372036854775807");
    }

    #[test]
    fn a_wrong_unit_is_named_with_the_right_one() {
        fails("16Gib", "`Gib` is not a unit", Some("16GiB"));
        fails("16GIB", "`GIB` is not a unit", Some("16GiB"));
        fails("16 GIB", "`GIB` is not a unit", Some("16GiB"));
        fails("1gbps", "`gbps` is not a unit", Some("1Gbit/s"));
        fails("6hours", "`hours` is not a unit", Some("6h"));
        fails("5m", "`m` is not a unit", None);
        fails("5MB/s", "`MB/s` is not a unit", None);
        fails("5lightyears", "`lightyears` is not a unit", None);
    }

    #[test]
    fn a_wrong_number_says_why() {
        fails("08", "a number does not begin with 0", Some("8"));
        fails("00", "a number does not begin with 0", Some("0"));
        fails("1__0", "`_` stands between two digits", Some("10"));
        fails("0x1F", "numbers are written in decimal", Some("31"));
        fails("1e400", "`1e400` is in scientific notation", None);
        fails("18446744073709551616", "a whole number cannot be as large as this", None);
        fails("1_000_000_000TiB", "an amount cannot be as large as this", None);
        fails("0.3B", "`0.3B` is not a whole number of bytes", None);
        fails("1.234%", "percentages have at most two decimals", None);
        fails("4GiB/2", "`/` between numbers needs spaces around it", Some("4GiB / 2"));
        fails("10%3", "`%` between numbers needs spaces around it", Some("10 % 3"));
    }
}
