//! The providers that a run knows, by the name that `provider = "…"` uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcloud_model::{Catalog, Name, Schema};

use crate::{Description, Extension, Provider};

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

/// A provider describes something that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider \"{}\" {message}", provider.escape_debug())]
pub struct CatalogError {
    /// The provider.
    pub provider: String,
    /// What it does, in words.
    pub message: String,
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

    /// The core kinds with what the providers add to them.
    ///
    /// # Errors
    /// When a provider adds what is there already, or to a kind that is not there.
    pub fn catalog(&self) -> Result<Catalog, CatalogError> {
        let mut catalog = Catalog::core();
        for provider in self.providers.values() {
            add(&mut catalog, provider.describe())?;
        }
        Ok(catalog)
    }
}

/// Adds what a provider describes: new kinds, and more of known ones. One provider never changes
/// what another one, or the core, has said: a host of the one must not cost what the other says.
///
/// # Errors
/// When something is there already, or a kind to extend is not.
pub fn add(catalog: &mut Catalog, description: Description) -> Result<(), CatalogError> {
    let Description { name: provider, version: _, kinds, extensions, at_once: _ } = description;
    let wrong = |message| CatalogError { provider: provider.clone(), message };
    for schema in kinds {
        if catalog.get(&schema.kind).is_some() {
            let kind = schema.kind.escape_debug();
            return Err(wrong(format!("adds the kind `{kind}`, which is there already")));
        }
        catalog.add(schema);
    }
    for Extension { kind, attributes, blocks } in extensions {
        let Some(schema) = catalog.get(&kind) else {
            return Err(wrong(format!("extends the unknown kind `{}`", kind.escape_debug())));
        };
        let mut schema = Schema::clone(schema);
        let names =
            attributes.iter().map(|own| &own.name).chain(blocks.iter().map(|own| &own.name));
        let mut new = std::collections::BTreeSet::new();
        for name in names {
            let known = schema.attribute(name).is_some() || schema.block(name).is_some();
            if known || !new.insert(name) {
                let name = name.escape_debug();
                return Err(wrong(format!("adds `{name}` to {kind}, which is there already")));
            }
        }
        schema.attributes.extend(attributes);
        schema.blocks.extend(blocks);
        catalog.add(schema);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_adds_and_never_changes() {
        let added = |json: &str| {
            let description = serde_json::from_str(json).expect(json);
            let mut catalog = Catalog::core();
            add(&mut catalog, description).map(|()| catalog).map_err(|error| error.to_string())
        };
        let block = r#"{"name":"x","version":"1","extensions":[{"kind":"vm","blocks":[
            {"name":"x","doc":"More.","adding":"live","removing":"power-cycle"}]}]}"#;
        let catalog = added(block).expect("an extension");
        assert!(catalog.get("vm").is_some_and(|vm| vm.block("x").is_some()));
        for (json, trouble) in [
            (block.replace("\"x\",\"doc\"", "\"memory\",\"doc\""), "adds `memory` to vm"),
            (block.replace("\"vm\"", "\"dragon\""), "extends the unknown kind `dragon`"),
            (
                r#"{"name":"x","version":"1","kinds":[{"kind":"vm","doc":"","role":"single",
                "removal":"none"}]}"#
                    .to_owned(),
                "adds the kind `vm`",
            ),
        ] {
            let error = added(&json).expect_err(&json);
            assert!(error.starts_with(&format!("the provider \"x\" {trouble}")), "{error}");
        }
    }

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
