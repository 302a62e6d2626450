//! References, as the host keeps them: by the target's name on the host, as libvirt does, with the
//! address that was asked for beside it. So a target that gets another address is shown with it.

use std::sync::Arc;

use tcloud_model::{Address, Fields, Key, Name, Value};

use crate::class::Class;
use crate::failure::Failure;

/// The kind of the segment that marks a kept reference; no kind of the language has this name.
const MARK: &str = "held-as";

/// A reference as the host keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held<'a> {
    /// What sort of object it leads to.
    pub(crate) class: Class,
    /// The name of the target on the host.
    pub(crate) name: &'a Name,
    /// The address that was asked for; foreign objects have none.
    pub(crate) asked: Option<&'a Address>,
}

/// Writes a reference as the host keeps it.
pub(crate) fn hold(asked: Option<&Address>, class: Class, name: &Name) -> Address {
    let key = Some(Key::Text(name.clone()));
    match asked {
        Some(asked) => asked.child(MARK, class.word(), key),
        None => Address::root(MARK, class.word(), key),
    }
}

/// Reads a reference as the host keeps it; `None` when it leads to nothing on this host.
pub(crate) fn held(address: &Address) -> Option<Held<'_>> {
    match address.key() {
        Some(Key::Text(name)) if *address.kind() == MARK => {
            let class = Class::of(address.name())?;
            Some(Held { class, name, asked: address.parent() })
        }
        _ => None,
    }
}

/// The address of a reference as it was asked for.
pub(crate) fn asked(address: &Address) -> Option<&Address> {
    match held(address) {
        Some(held) => held.asked,
        None => Some(address),
    }
}

/// Replaces every reference in fields.
pub(crate) fn map_fields(
    fields: &Fields,
    map: &mut dyn FnMut(&Address) -> Result<Value, Failure>,
) -> Result<Fields, Failure> {
    fields.iter().map(|(name, value)| Ok((name.clone(), map_value(value, map)?))).collect()
}

/// Replaces every reference in a value. What has none is shared, not copied.
pub(crate) fn map_value(
    value: &Value,
    map: &mut dyn FnMut(&Address) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    match value {
        Value::Ref(address) => map(address),
        Value::List(_) | Value::Map(_) if !has_reference(value) => Ok(value.clone()),
        Value::List(items) => {
            items.iter().map(|item| map_value(item, map)).collect::<Result<_, _>>().map(Value::list)
        }
        Value::Map(fields) => Ok(Value::Map(Arc::new(map_fields(fields, map)?))),
        other => Ok(other.clone()),
    }
}

fn has_reference(value: &Value) -> bool {
    let mut found = false;
    value.each_reference(&mut |_| found = true);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_reference_survives_its_text_form() {
        let asked: Address = "tenant.a.network.office".parse().expect("an address");
        let name = Name::new("a.network-office");
        for original in [Some(&asked), None] {
            let kept = hold(original, Class::Network, &name);
            let read: Address = kept.to_string().parse().expect("a kept reference is an address");
            let expected = Held { class: Class::Network, name: &name, asked: original };
            assert_eq!(held(&read), Some(expected));
        }
        assert_eq!(held(&asked), None);
    }
}
