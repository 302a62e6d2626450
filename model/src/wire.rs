//! The JSON form of values, for the plan file, the journal and the plugin protocol. Booleans,
//! numbers, texts, lists and maps are themselves; every other type is an object with one key that
//! begins with `$` and names the type. A map that would look like one is wrapped in `$map`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{MacText, SecretPart, parse_mac};
use crate::{Address, Fields, Money, Name, Port, Protocol, Value};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::None => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => tagged(serializer, "$bytes", bytes),
            Value::Rate(rate) => tagged(serializer, "$rate", rate),
            Value::Duration(duration) => tagged(serializer, "$duration", duration),
            Value::Percent(hundredths) => tagged(serializer, "$percent", hundredths),
            Value::Ip(ip) => tagged(serializer, "$ip", ip),
            Value::Cidr(cidr) => tagged(serializer, "$cidr", cidr),
            Value::IpRange(range) => tagged(serializer, "$ip_range", &**range),
            Value::Range(first, last) => tagged(serializer, "$range", &(first, last)),
            Value::Port(port) => tagged(serializer, "$port", &port.to_string()),
            Value::Mac(mac) => tagged(serializer, "$mac", &MacText(mac).to_string()),
            Value::Date(..) => tagged(serializer, "$date", &self.to_string()),
            Value::Money(money) => {
                tagged(serializer, "$money", &(money.cents, text_of(&money.currency)))
            }
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items.iter() {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Value::Map(fields) if fields.iter().any(|(name, _)| name.starts_with('$')) => {
                tagged(serializer, "$map", &**fields)
            }
            Value::Map(fields) => fields.serialize(serializer),
            Value::Ref(address) => tagged(serializer, "$ref", address),
            Value::Secret(parts) => {
                let parts: Vec<(&str, &str)> = parts
                    .iter()
                    .map(|part| match part {
                        SecretPart::Text(text) => ("text", &**text),
                        SecretPart::Source(source) => ("source", &**source),
                    })
                    .collect();
                tagged(serializer, "$secret", &parts)
            }
        }
    }
}

fn text_of(currency: &[u8; 3]) -> String {
    String::from_utf8_lossy(currency).into_owned()
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(
    serializer: S,
    tag: &'static str,
    content: &T,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, content)?;
    map.end()
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(USUAL);
                while let Some(entry) = map.next_entry::<Name, Value>()? {
                    fields.push(entry);
                }
                distinct(fields)
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Int).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(crate::sharing::text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::list(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let first = match map.next_key::<Key<'_>>()? {
            None => return Ok(Value::map(Fields::new())),
            Some(Key::Tag(tag)) => {
                let value = tagged_value(&tag, &mut map)?;
                return match map.next_key::<IgnoredAny>()? {
                    None => Ok(value),
                    Some(_) => Err(alone(&tag)),
                };
            }
            Some(Key::Name(first)) => first,
        };
        let mut fields = Vec::with_capacity(USUAL);
        fields.push((first, map.next_value()?));
        while let Some(key) = map.next_key::<Key<'_>>()? {
            match key {
                Key::Name(name) => fields.push((name, map.next_value()?)),
                Key::Tag(tag) => return Err(alone(&tag)),
            }
        }
        Ok(Value::map(distinct(fields)?))
    }
}

/// Hardly any object has more fields.
const USUAL: usize = 16;

fn alone<E: de::Error>(tag: &str) -> E {
    E::custom(format!("{tag} stands alone in its object"))
}

/// The fields, none of which may occur twice.
fn distinct<E: de::Error>(mut fields: Vec<(Name, Value)>) -> Result<Fields, E> {
    if !fields.is_sorted_by(|(a, _), (b, _)| a < b) {
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(twice) = fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(E::custom(format!("field {} occurs twice", twice[0].0)));
        }
    }
    Ok(Fields::from(fields).compact())
}

/// The key of an object that may be a value of a type with a tag.
enum Key<'de> {
    Name(Name),
    Tag(Cow<'de, str>),
}

impl<'de> Key<'de> {
    fn of(text: Cow<'de, str>) -> Key<'de> {
        if text.starts_with('$') { Key::Tag(text) } else { Key::Name(Name::shared(&text)) }
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'de>, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key::of(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key::of(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

fn tagged_value<'de, A: MapAccess<'de>>(tag: &str, map: &mut A) -> Result<Value, A::Error> {
    Ok(match tag {
        "$bytes" => Value::Bytes(map.next_value()?),
        "$rate" => Value::Rate(map.next_value()?),
        "$duration" => Value::Duration(map.next_value()?),
        "$percent" => Value::Percent(map.next_value()?),
        "$ip" => Value::Ip(map.next_value()?),
        "$cidr" => Value::Cidr(map.next_value()?),
        "$ip_range" => Value::IpRange(Arc::new(map.next_value()?)),
        "$range" => {
            let (first, last) = map.next_value()?;
            Value::Range(first, last)
        }
        "$port" => Value::Port(map.next_value::<String>()?.parse().map_err(de::Error::custom)?),
        "$mac" => {
            let text: String = map.next_value()?;
            Value::Mac(parse_mac(&text).ok_or_else(|| de::Error::custom("not a MAC address"))?)
        }
        "$date" => {
            let text: String = map.next_value()?;
            parse_date(&text).ok_or_else(|| de::Error::custom("not a date"))?
        }
        "$money" => {
            let (cents, currency): (i64, String) = map.next_value()?;
            let currency = <[u8; 3]>::try_from(currency.as_bytes()).map_err(de::Error::custom)?;
            Value::Money(Money { cents, currency })
        }
        "$map" => Value::Map(Arc::new(map.next_value()?)),
        "$ref" => Value::Ref(map.next_value::<Address>()?),
        "$secret" => {
            let parts: Vec<(String, String)> = map.next_value()?;
            Value::Secret(parts.into_iter().map(secret_part).collect::<Result<_, _>>()?)
        }
        other => return Err(de::Error::custom(format!("unknown type of value {other}"))),
    })
}

fn secret_part<E: de::Error>((kind, text): (String, String)) -> Result<SecretPart, E> {
    match kind.as_str() {
        "text" => Ok(SecretPart::Text(text.into())),
        "source" => Ok(SecretPart::Source(text.into())),
        other => Err(E::custom(format!("unknown part of a secret {other}"))),
    }
}

/// Reads `YYYY-MM-DD`, checking that the day exists.
pub fn parse_date(text: &str) -> Option<Value> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if (year.len(), month.len(), day.len()) != (4, 2, 2) || parts.next().is_some() {
        return None;
    }
    let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=days).contains(&day).then_some(Value::Date(year, month, day))
}

impl std::str::FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Port, String> {
        let (number, protocol) =
            text.split_once('/').ok_or("a port names its protocol, as in 443/tcp")?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => return Err(format!("`{other}` is not a protocol with ports: tcp or udp")),
        };
        match number.parse() {
            Ok(number) if number > 0 => Ok(Port { number, protocol }),
            _ => Err(format!("`{number}` is not a port: 1 to 65535")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_json() {
        let money = Money { cents: 120_050, currency: *b"EUR" };
        let tricky: Fields = [(Name::new("$bytes"), Value::Int(1))].into_iter().collect();
        let all = Value::list(vec![
            Value::None,
            Value::Bool(true),
            Value::Int(-3),
            Value::Float(1.5),
            Value::text("ü"),
            Value::Bytes(u64::MAX),
            Value::Rate(1),
            Value::Duration(1),
            Value::Percent(9995),
            Value::Ip("fd00::1".parse().expect("an address")),
            Value::Cidr("10.0.0.0/8".parse().expect("a network")),
            Value::IpRange(Arc::new((
                "10.0.0.1".parse().expect("an address"),
                "10.0.0.9".parse().expect("an address"),
            ))),
            Value::Range(1, 3),
            Value::Port("443/tcp".parse().expect("a port")),
            Value::Mac([0x52, 0x54, 0, 1, 2, 3]),
            Value::Date(2024, 2, 29),
            Value::Money(money),
            Value::map(tricky),
            Value::Ref("tenant.a.vm.b[1]".parse().expect("an address")),
            Value::Secret(Arc::from([
                SecretPart::Text("x".into()),
                SecretPart::Source("env:A".into()),
            ])),
        ]);
        let json = serde_json::to_string(&all).expect("values are JSON");
        assert_eq!(serde_json::from_str::<Value>(&json).expect(&json), all);
    }

    #[test]
    fn damaged_values_are_errors() {
        for json in [
            r#"{"$nope":1}"#,
            r#"{"$bytes":-1}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"$bytes":2}"#,
            r#"{"$date":"2023-02-29"}"#,
            r#"{"$port":"0/tcp"}"#,
        ] {
            assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
        }
    }
}
