//! Other values for an attribute, made from its type.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tcloud_model::{Address, Fields, Name, Type, Value};

/// What references may lead to: every object of the world, and those that the attributes name now.
pub(crate) struct Targets<'a> {
    pub(crate) world: &'a [Address],
    pub(crate) taken: &'a [Address],
}

impl Targets<'_> {
    /// Something of one of these kinds, if possible not what is referred to already.
    fn pick(&self, kinds: &[Name]) -> Option<Address> {
        let fits = |address: &&Address| kinds.contains(address.kind());
        let mut all: Vec<&Address> = self.world.iter().filter(fits).collect();
        all.sort_by_key(|address| self.taken.contains(address));
        match all.first() {
            Some(address) => Some((*address).clone()),
            None => kinds.first().map(|kind| Address::root(kind.clone(), "conformance-b", None)),
        }
    }

    /// Values of the type that differ from the present one: for types with an order larger ones
    /// first, then a smaller one. None for what cannot be made up.
    pub(crate) fn others(&self, ty: &Type, now: Option<&Value>) -> Vec<Value> {
        let scaled = |amount: u64, make: fn(u64) -> Value| {
            vec![make(amount * 2), make(amount * 8), make(amount / 2)]
        };
        let made = match (ty, now) {
            (Type::Bool, Some(Value::Bool(flag))) => vec![Value::Bool(!flag)],
            (Type::Int { .. }, Some(Value::Int(number))) => {
                [number + 1, number + 4, number - 1].map(Value::Int).into()
            }
            (Type::Bytes, Some(Value::Bytes(bytes))) => scaled(*bytes, Value::Bytes),
            (Type::Rate, Some(Value::Rate(rate))) => scaled(*rate, Value::Rate),
            (Type::Duration, Some(Value::Duration(time))) => scaled(*time, Value::Duration),
            (Type::OneOf(texts), _) => texts.iter().map(|text| Value::text(text)).collect(),
            (ty, _) => self.sample(ty).into_iter().collect(),
        };
        made.into_iter().filter(|value| Some(value) != now && ty.admits(value)).collect()
    }

    /// Some value of the type.
    pub(crate) fn sample(&self, ty: &Type) -> Option<Value> {
        Some(match ty {
            Type::Bool => Value::Bool(true),
            Type::Int { min, max } => {
                Value::Int(min.map_or(7, |min| min + 1).min(max.unwrap_or(7)))
            }
            Type::Float => Value::Float(1.5),
            Type::Text => Value::text("other"),
            Type::Bytes => Value::Bytes(1 << 30),
            Type::Rate => Value::Rate(100_000_000),
            Type::Duration => Value::Duration(60_000),
            Type::Percent => Value::Percent(5_000),
            Type::Ip => Value::Ip(ip(77)),
            Type::Cidr => Value::Cidr("10.215.0.0/24".parse().ok()?),
            Type::IpRange => Value::IpRange(Arc::new((ip(160), ip(170)))),
            Type::Range => Value::Range(1, 3),
            Type::Port => Value::Port("8080/tcp".parse().ok()?),
            Type::Mac => Value::Mac([0x52, 0x54, 0, 0xc0, 0xf0, 0x77]),
            Type::Window => Value::text("daily 03:00-05:00 UTC"),
            Type::OneOf(texts) => Value::text(texts.last()?),
            Type::List(of) => Value::list(vec![self.sample(of)?]),
            Type::Map(of) => {
                Value::map([(Name::new("other"), self.sample(of)?)].into_iter().collect())
            }
            Type::Object(fields) => {
                let sample = |field: &tcloud_model::Field| {
                    Some((field.name.clone(), self.sample(&field.ty)?))
                };
                Value::map(fields.iter().filter_map(sample).collect::<Fields>())
            }
            Type::Optional(of) => self.sample(of)?,
            Type::Ref(kinds) => Value::Ref(self.pick(kinds)?),
            Type::Either(types) => types.iter().find_map(|ty| self.sample(ty))?,
            Type::Date | Type::Money | Type::Secret(_) | Type::Unknown => return None,
        })
    }
}

/// An address in the first network of the world.
fn ip(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 213, 0, last))
}
