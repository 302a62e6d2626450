//! The part of a deployment that one run holds at a time: a tenant, or everything without one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tcloud_model::{Address, AddressError};

/// A unit of leases and of journal chains. Two runs in different scopes never wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything that belongs to no tenant.
    Shared,
    /// Everything inside this tenant.
    Tenant(Address),
}

/// How [`Scope::Shared`] is written; no address is a single word.
const SHARED: &str = "shared";

impl Scope {
    /// The scope that an address belongs to.
    pub fn of(address: &Address) -> Scope {
        let mut found = None;
        let mut at = Some(address);
        while let Some(here) = at {
            if here.kind() == "tenant" {
                found = Some(here);
            }
            at = here.parent();
        }
        found.map_or(Scope::Shared, |tenant| Scope::Tenant(tenant.clone()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Shared => f.write_str(SHARED),
            Scope::Tenant(address) => write!(f, "{address}"),
        }
    }
}

impl FromStr for Scope {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Scope, AddressError> {
        if text == SHARED { Ok(Scope::Shared) } else { text.parse().map(Scope::Tenant) }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_its_outermost_tenant_or_to_the_shared_scope() {
        let of = |text: &str| Scope::of(&text.parse().expect(text)).to_string();
        assert_eq!(of("tenant.a.citizen-portal.main.vm.app[1]"), "tenant.a");
        assert_eq!(of("tenant.a"), "tenant.a");
        assert_eq!(of("site.m.pool.fast"), "shared");
        assert_eq!("shared".parse::<Scope>(), Ok(Scope::Shared));
    }
}
