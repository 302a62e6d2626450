//! Resources in the tree of modules that Terraform's readers walk.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tcloud_model::Fields;

use super::address::Resource;
use super::value::{expressions, plain, sensitive};

/// Where the provider of our kinds would be found: nowhere.
pub(super) const PROVIDER: &str = "localhost/tcloud/tcloud";

/// What is in a module, by what it adds to the address.
#[derive(Default)]
pub(super) struct Module {
    resources: BTreeMap<String, Json>,
    modules: BTreeMap<String, Module>,
}

impl Module {
    /// Puts a resource with its values where it belongs.
    pub(super) fn put_values(&mut self, resource: &Resource, fields: &Fields) {
        let mut own = json!({
            "address": resource.address(),
            "mode": "managed",
            "type": resource.kind,
            "name": resource.name,
            "provider_name": PROVIDER,
            "schema_version": 0,
            "values": plain(fields),
            "sensitive_values": sensitive(fields),
        });
        if let Some(index) = &resource.index {
            own["index"] = index.clone();
        }
        let mut module = self;
        let mut address = String::new();
        for (name, key) in &resource.modules {
            if !address.is_empty() {
                address.push('.');
            }
            address.push_str("module.");
            address.push_str(name);
            if let Some(key) = key {
                address.push_str(&format!("[{key}]"));
            }
            module = module.modules.entry(address.clone()).or_default();
        }
        module.resources.insert(resource.address(), own);
    }

    /// The tree with addresses, as in `planned_values`.
    pub(super) fn values(&self) -> Json {
        let mut module = Map::new();
        if !self.resources.is_empty() {
            module.insert("resources".to_owned(), self.resources.values().cloned().collect());
        }
        if !self.modules.is_empty() {
            let each = self.modules.iter().map(|(address, inner)| {
                let mut inner = inner.values();
                inner["address"] = json!(address);
                inner
            });
            module.insert("child_modules".to_owned(), each.collect());
        }
        Json::Object(module)
    }

    /// Puts the block that declares a resource where it belongs, once for all its instances.
    pub(super) fn put_block(&mut self, resource: &Resource, fields: &Fields) {
        let mut module = self;
        for (name, _) in &resource.modules {
            module = module.modules.entry(name.clone()).or_default();
        }
        let address = format!("{}.{}", resource.kind, resource.name);
        module.resources.entry(address.clone()).or_insert_with(|| {
            json!({
                "address": address,
                "mode": "managed",
                "type": resource.kind,
                "name": resource.name,
                "provider_config_key": "tcloud",
                "schema_version": 0,
                "expressions": expressions(fields),
            })
        });
    }

    /// The tree with calls, as in `configuration`.
    pub(super) fn blocks(&self) -> Json {
        let mut module = Map::new();
        if !self.resources.is_empty() {
            module.insert("resources".to_owned(), self.resources.values().cloned().collect());
        }
        if !self.modules.is_empty() {
            let calls = self.modules.iter().map(|(name, inner)| {
                let call = json!({ "source": format!("./{name}"), "module": inner.blocks() });
                (name.clone(), call)
            });
            module.insert("module_calls".to_owned(), Json::Object(calls.collect()));
        }
        Json::Object(module)
    }
}
