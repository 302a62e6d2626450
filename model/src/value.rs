//! What an attribute holds. Values are final: nothing in them is still to be computed.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use crate::{Address, Fields};

/// An IP network in canonical form (no host bits set), from the `ipnet` crate.
pub type Cidr = ipnet::IpNet;

/// A value of the language. Small (three words) and cheap to clone; lists and maps are shared.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// "Not there", of type `T?`; only `??`, `==` and optional attributes take it.
    None,
    /// `true`
    Bool(bool),
    /// `42`
    Int(i64),
    /// `1.5`, always finite.
    Float(f64),
    /// `"text"`
    Text(Arc<str>),
    /// `4GiB`, in bytes.
    Bytes(u64),
    /// `1Gbit/s`, in bits per second.
    Rate(u64),
    /// `15min`, in milliseconds.
    Duration(u64),
    /// `99.95%`, in hundredths of a percent.
    Percent(i64),
    /// `10.20.0.7`
    Ip(IpAddr),
    /// `10.20.0.0/24`
    Cidr(Cidr),
    /// `10.20.0.100..=10.20.0.199`, both ends included.
    IpRange(Arc<(IpAddr, IpAddr)>),
    /// `1..=3`, both ends included.
    Range(i64, i64),
    /// `443/tcp`
    Port(Port),
    /// `52:54:00:12:34:56`, written as a text in the language.
    Mac([u8; 6]),
    /// `2026-11-23`: year, month, day.
    Date(i16, u8, u8),
    /// `1_200 EUR`
    Money(Money),
    /// A list.
    List(Arc<[Value]>),
    /// An object or a map; also a nested block.
    Map(Arc<Fields>),
    /// A reference to an object.
    Ref(Address),
    /// A secret: where to get it, never what it is. Texts joined with a secret are secrets too, so
    /// this is a template whose parts are either text or a source.
    Secret(Arc<[SecretPart]>),
}

/// One part of a secret text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPart {
    /// A text that is not secret itself.
    Text(Arc<str>),
    /// Where the secret comes from, as written: `env:NAME`, `file:PATH`, `age:PATH#KEY`, `exec:…`.
    Source(Arc<str>),
}

/// A port with its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// The transport protocol.
    pub protocol: Protocol,
}

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Hundredths of the unit (cents).
    pub cents: i64,
    /// ISO 4217 code in capitals.
    pub currency: [u8; 3],
}

impl Value {
    /// A whole number, a size, a rate or a duration in its base unit.
    pub fn number(&self) -> Option<u64> {
        match self {
            Value::Int(n) => u64::try_from(*n).ok(),
            Value::Bytes(n) | Value::Rate(n) | Value::Duration(n) => Some(*n),
            _ => None,
        }
    }

    /// A text.
    pub fn text(text: &str) -> Value {
        Value::Text(Arc::from(text))
    }

    /// A list.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::from(items))
    }

    /// A map.
    pub fn map(fields: Fields) -> Value {
        Value::Map(Arc::new(fields.compact()))
    }

    /// The text, if the value is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The address, if the value is a reference.
    pub fn as_ref_address(&self) -> Option<&Address> {
        match self {
            Value::Ref(address) => Some(address),
            _ => None,
        }
    }

    /// Calls `visit` for each reference in the value, however deep.
    pub fn each_reference<'a>(&'a self, visit: &mut dyn FnMut(&'a Address)) {
        match self {
            Value::Ref(address) => visit(address),
            Value::List(items) => items.iter().for_each(|item| item.each_reference(visit)),
            Value::Map(fields) => fields.iter().for_each(|(_, item)| item.each_reference(visit)),
            _ => {}
        }
    }

    /// The order of two values of the same type; `None` when the type has none.
    pub fn partial_compare(&self, other: &Value) -> Option<Ordering> {
        use Value as V;
        match (self, other) {
            (V::Bool(a), V::Bool(b)) => Some(a.cmp(b)),
            (V::Int(a), V::Int(b)) | (V::Percent(a), V::Percent(b)) => Some(a.cmp(b)),
            (V::Float(a), V::Float(b)) => a.partial_cmp(b),
            (V::Int(a), V::Float(b)) => compare_with_float(*a, *b),
            (V::Float(a), V::Int(b)) => compare_with_float(*b, *a).map(Ordering::reverse),
            (V::Text(a), V::Text(b)) => Some(a.cmp(b)),
            (V::Bytes(a), V::Bytes(b))
            | (V::Rate(a), V::Rate(b))
            | (V::Duration(a), V::Duration(b)) => Some(a.cmp(b)),
            (V::Ip(a), V::Ip(b)) => Some(a.cmp(b)),
            (V::Cidr(a), V::Cidr(b)) => Some(a.cmp(b)),
            (V::Port(a), V::Port(b)) => Some(a.cmp(b)),
            (V::Date(a, b, c), V::Date(d, e, f)) => Some((a, b, c).cmp(&(d, e, f))),
            (V::Money(a), V::Money(b)) if a.currency == b.currency => Some(a.cents.cmp(&b.cents)),
            (V::Ref(a), V::Ref(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// Compares exactly. An `Int` made a `Float` loses its last digits past 2^53: two that differ would
/// both equal one `Float`, and that is no order that can be sorted by.
fn compare_with_float(int: i64, float: f64) -> Option<Ordering> {
    let towards_zero = float.trunc();
    let rest = towards_zero.partial_cmp(&float)?;
    #[expect(clippy::cast_possible_truncation, reason = "it stops at ends that no `Int` reaches")]
    let whole = towards_zero as i128;
    Some(i128::from(int).cmp(&whole).then(rest))
}

/// The value as an expression of the language. A secret shows its sources only.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Text(text) => write_quoted(f, text),
            Value::Bytes(bytes) => write_unit(f, *bytes, &SIZES),
            Value::Rate(rate) => write_unit(f, *rate, &RATES),
            Value::Duration(duration) => write_unit(f, *duration, &DURATIONS),
            Value::Percent(hundredths) => write_hundredths(f, *hundredths, "%"),
            Value::Ip(ip) => write!(f, "{ip}"),
            Value::Cidr(cidr) => write!(f, "{cidr}"),
            Value::IpRange(range) => write!(f, "{}..={}", range.0, range.1),
            Value::Range(first, last) => write!(f, "{first}..={last}"),
            Value::Port(port) => write!(f, "{port}"),
            Value::Mac(mac) => write!(f, "\"{}\"", MacText(mac)),
            Value::Date(year, month, day) => write!(f, "{year:04}-{month:02}-{day:02}"),
            Value::Money(money) => write!(f, "{money}"),
            Value::List(items) => {
                f.write_char('[')?;
                for (position, item) in items.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                f.write_char(']')
            }
            Value::Map(fields) => write_fields(f, fields),
            Value::Ref(address) => write!(f, "{address}"),
            Value::Secret(parts) => write_secret(f, parts),
        }
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &Fields) -> fmt::Result {
    if fields.is_empty() {
        return f.write_str("{}");
    }
    f.write_str("{ ")?;
    for (position, (name, value)) in fields.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        f.write_str(comma)?;
        if is_plain_key(name) {
            write!(f, "{name} = {value}")?;
        } else {
            write_quoted(f, name)?;
            write!(f, " = {value}")?;
        }
    }
    f.write_str(" }")
}

fn is_plain_key(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && !name.ends_with('-')
}

fn write_secret(f: &mut fmt::Formatter<'_>, parts: &[SecretPart]) -> fmt::Result {
    f.write_str("secret(")?;
    for (position, part) in parts.iter().enumerate() {
        let plus = if position == 0 { "" } else { " + " };
        match part {
            SecretPart::Text(_) => write!(f, "{plus}…")?,
            SecretPart::Source(source) => {
                f.write_str(plus)?;
                write_quoted(f, source)?;
            }
        }
    }
    f.write_char(')')
}

/// Writes a text in quotes. What could disturb a terminal or the eye – control characters, and the
/// invisible ones that change the direction or width of a text – is written as an escape.
pub fn write_quoted(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    f.write_char('"')?;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            '$' if rest.peek() == Some(&'{') => f.write_str("\\$")?,
            c if is_unsafe_to_print(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Whether a character may not reach a terminal or a report as it is: control characters (C0, DEL,
/// C1) and the invisible characters of "Trojan Source" (bidi controls, zero width, BOM).
pub fn is_unsafe_to_print(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{2028}' | '\u{2029}')
}

/// Reads a quoted text without interpolation at the start of `text`. Returns it and its length in
/// bytes with the quotes; `None` when it is not one.
pub fn read_quoted(text: &str) -> Option<(String, usize)> {
    let mut chars = text.char_indices();
    if chars.next()?.1 != '"' {
        return None;
    }
    let mut read = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((read, at + 1)),
            '\\' => read.push(read_escape(&mut chars)?),
            '\n' => return None,
            c => read.push(c),
        }
    }
    None
}

/// Reads what follows a backslash: `n t r " \ $` or `u{hex}`.
pub fn read_escape(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    match chars.next()?.1 {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        '"' => Some('"'),
        '\\' => Some('\\'),
        '$' => Some('$'),
        'u' => {
            if chars.next()?.1 != '{' {
                return None;
            }
            let mut code = None;
            for (_, digit) in chars.by_ref().take(7) {
                if digit == '}' {
                    return char::from_u32(code?);
                }
                let before = code.unwrap_or(0_u32);
                code = Some(before.checked_mul(16)?.checked_add(digit.to_digit(16)?)?);
            }
            None
        }
        _ => None,
    }
}

/// Units of one dimension, largest first: name and factor.
pub type Units = [(&'static str, u64)];

/// Sizes: binary and decimal (IEC 80000-13 and SI).
pub const SIZES: [(&str, u64); 11] = [
    ("PiB", 1 << 50),
    ("PB", 1_000_000_000_000_000),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// Rates in bits per second.
pub const RATES: [(&str, u64); 5] = [
    ("Tbit/s", 1_000_000_000_000),
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
];

/// Durations in milliseconds.
pub const DURATIONS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

/// Writes an amount in the largest unit that divides it.
fn write_unit(f: &mut fmt::Formatter<'_>, amount: u64, units: &Units) -> fmt::Result {
    let fitting = units.iter().find(|(_, factor)| amount != 0 && amount.is_multiple_of(*factor));
    match fitting.or(units.last()) {
        Some((unit, factor)) => write!(f, "{}{unit}", amount / factor),
        None => write!(f, "{amount}"),
    }
}

/// An amount of bytes for a reader: the nearest unit, one decimal, `7.2 TiB`.
pub fn human_size(bytes: u64) -> String {
    let binary = SIZES.iter().filter(|(unit, _)| unit.ends_with("iB"));
    for (unit, factor) in binary {
        if bytes >= *factor {
            let tenths = (u128::from(bytes) * 10 + u128::from(*factor) / 2) / u128::from(*factor);
            return if tenths % 10 == 0 {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} B")
}

fn write_hundredths(f: &mut fmt::Formatter<'_>, hundredths: i64, unit: &str) -> fmt::Result {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, rest) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    match rest {
        0 => write!(f, "{sign}{whole}{unit}"),
        r if r % 10 == 0 => write!(f, "{sign}{whole}.{}{unit}", r / 10),
        r => write!(f, "{sign}{whole}.{r:02}{unit}"),
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.cents < 0 { "-" } else { "" };
        let (whole, rest) = (self.cents.unsigned_abs() / 100, self.cents.unsigned_abs() % 100);
        write!(f, "{sign}{whole}")?;
        if rest != 0 {
            write!(f, ".{rest:02}")?;
        }
        write!(f, " {}", String::from_utf8_lossy(&self.currency))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

/// A MAC address in its usual form: `52:54:00:12:34:56`.
pub struct MacText<'a>(pub &'a [u8; 6]);

impl fmt::Display for MacText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without `write!`, which takes ten times as long where there are many.
        for (position, byte) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_char(':')?;
            }
            for digit in [byte >> 4, byte & 15] {
                f.write_char(char::from_digit(digit.into(), 16).unwrap_or('0'))?;
            }
        }
        Ok(())
    }
}

/// Reads a MAC address with colons.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next()?;
        if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_three_words() {
        assert!(size_of::<Value>() <= 24, "{}", size_of::<Value>());
    }

    #[test]
    fn amounts_are_written_in_the_largest_unit_that_divides_them() {
        assert_eq!(Value::Bytes(64 << 30).to_string(), "64GiB");
        assert_eq!(Value::Bytes(2_000_000_000_000).to_string(), "2TB");
        assert_eq!(Value::Bytes(0).to_string(), "0B");
        assert_eq!(Value::Rate(1_500_000).to_string(), "1500kbit/s");
        assert_eq!(Value::Duration(90_000).to_string(), "90s");
        assert_eq!(Value::Percent(9995).to_string(), "99.95%");
        assert_eq!(human_size(7_920_000_000_000), "7.2 TiB");
    }

    #[test]
    fn whole_numbers_and_fractions_are_compared_exactly() {
        const EXACT: i64 = 1 << 53;
        let compared = |int: i64, float: f64| {
            let (int, float) = (Value::Int(int), Value::Float(float));
            let order = int.partial_compare(&float);
            assert_eq!(float.partial_compare(&int), order.map(Ordering::reverse));
            order
        };
        for (int, float, order) in [
            (EXACT, 9_007_199_254_740_992.0, Ordering::Equal),
            (EXACT + 1, 9_007_199_254_740_992.0, Ordering::Greater),
            (EXACT - 1, 9_007_199_254_740_992.0, Ordering::Less),
            (i64::MAX, 9_223_372_036_854_775_808.0, Ordering::Less),
            (i64::MIN, -9_223_372_036_854_775_808.0, Ordering::Equal),
            (i64::MAX, f64::MAX, Ordering::Less),
            (i64::MIN, f64::NEG_INFINITY, Ordering::Greater),
            (1, 1.5, Ordering::Less),
            (2, 1.5, Ordering::Greater),
            (-1, -1.5, Ordering::Greater),
            (-2, -1.5, Ordering::Less),
            (0, -0.0, Ordering::Equal),
        ] {
            assert_eq!(compared(int, float), Some(order), "{int} and {float:?}");
        }
        assert_eq!(compared(0, f64::NAN), None);
    }

    #[test]
    fn quoted_texts_are_read_back_and_hide_nothing() {
        let text = "a\"b\\c\n${x} \u{202e}\u{1b}[2K ü";
        let mut quoted = String::new();
        write_quoted(&mut quoted, text).expect("strings take everything");
        assert!(!quoted.chars().any(is_unsafe_to_print), "{quoted}");
        assert_eq!(read_quoted(&quoted), Some((text.to_owned(), quoted.len())));
    }
}
