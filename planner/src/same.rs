//! Whether two values mean the same. What a hypervisor writes differently, or in another order
//! where order means nothing, is no difference.

use std::cmp::Ordering;

use indexmap::IndexMap;
use tcloud_model::{Address, Name, Value};

/// What is known about names: objects of others that the text refers to as `existing`, with their
/// names on the hypervisors.
pub(crate) type Existing = IndexMap<Address, Name>;

/// Whether `wanted` and `found` mean the same.
pub(crate) fn same(wanted: &Value, found: &Value, existing: &Existing) -> bool {
    match (wanted, found) {
        (Value::List(a), Value::List(b)) if is_set(a) && is_set(b) => {
            let within = |a: &[Value], b: &[Value]| {
                a.iter().all(|one| b.iter().any(|other| same(one, other, existing)))
            };
            if a.len() > FEW || b.len() > FEW {
                return sorted(a) == sorted(b);
            }
            within(a, b) && within(b, a)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b, existing))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b.iter()).all(|((a, x), (b, y))| a == b && same(x, y, existing))
        }
        (Value::Ref(address), Value::Text(name)) => {
            existing.get(address).is_some_and(|own| own == &**name)
        }
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => {
            wanted.partial_compare(found) == Some(Ordering::Equal)
        }
        _ => wanted == found,
    }
}

/// Up to here, comparing each with each is cheaper than sorting.
const FEW: usize = 16;

/// Lists of references and of ports are sets: their order means nothing to a hypervisor.
fn is_set(items: &[Value]) -> bool {
    items.iter().all(|item| matches!(item, Value::Ref(_) | Value::Port(_)))
}

fn sorted(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<&Value> = items.iter().collect();
    items.sort_by(|a, b| a.partial_compare(b).unwrap_or(Ordering::Equal));
    items.dedup();
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_matters_only_where_it_means_something() {
        let refs = |names: &[&str]| {
            Value::list(
                names.iter().map(|n| Value::Ref(Address::root("tenant", *n, None))).collect(),
            )
        };
        let texts = |names: &[&str]| Value::list(names.iter().map(|n| Value::text(n)).collect());
        let none = Existing::new();
        assert!(same(&refs(&["a", "b"]), &refs(&["b", "a"]), &none));
        assert!(!same(&refs(&["a", "b"]), &refs(&["b"]), &none));
        assert!(!same(&texts(&["a", "b"]), &texts(&["b", "a"]), &none));
        assert!(same(&Value::Int(4), &Value::Float(4.0), &none));
    }

    #[test]
    fn a_foreign_network_is_known_by_its_name() {
        let lan = Address::root("network", "lan", None);
        let existing = Existing::from([(lan.clone(), Name::new("lan"))]);
        assert!(same(&Value::Ref(lan.clone()), &Value::text("lan"), &existing));
        assert!(!same(&Value::Ref(lan), &Value::text("wan"), &existing));
    }
}
