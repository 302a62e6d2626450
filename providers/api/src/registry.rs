//! The providers that a run knows, by the name that `provider = "…"` uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcloud_model::{Catalog, Name};

use crate::Provider;

/// The known providers.
#[derive(Clone, Default)]
pub struct Registry {
    providers: BTreeMap<Name, Arc<dyn Provider>>,
}

/// A host names a provider that nobody registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no provider \"{}\"; known are: {}", name.escape_debug(), known.join(", "))]
pub struct UnknownProvider {
    /// The name that was asked for.
    pub name: String,
    /// The names that are known, sorted.
    pub known: Vec<String>,
}

impl Registry {
    /// Knows no provider yet.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a provider under the name that it describes itself by; a later one replaces an
    /// earlier one of the same name.
    pub fn add(&mut self, provider: Arc<dyn Provider>) {
        self.providers.insert(Name::from(provider.describe().name), provider);
    }

    /// The provider of this name.
    ///
    /// # Errors
    /// When there is none; the error lists the known ones.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Provider>, UnknownProvider> {
        self.providers
            .get(name)
            .ok_or_else(|| UnknownProvider { name: name.to_owned(), known: self.names() })
    }

    /// The known names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.providers.keys().map(Name::to_string).collect()
    }

    /// The core kinds with what the providers add to them or change.
    pub fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::core();
        for provider in self.providers.values() {
            provider.describe().kinds.into_iter().for_each(|schema| catalog.add(schema));
        }
        catalog
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_provider_is_named_safely_and_the_known_ones_are_listed() {
        let error = UnknownProvider {
            name: "sm\u{1b}[2K".to_owned(),
            known: vec!["libvirt".to_owned(), "sim".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "there is no provider \"sm\\u{1b}[2K\"; known are: libvirt, sim"
        );
        assert!(Registry::new().get("sim").is_err());
    }
}
