//! Addresses as Terraform writes them: tenants, components and what else lies around a resource
//! become modules, so that what groups by module groups by tenant. Different addresses stay different,
//! since no name of ours has an underscore.

use tcloud_model::{Address, Catalog, Key, ObjectId, Role};

/// An address in its parts.
pub(super) struct Resource {
    /// From the outside in: name, and key where there are several.
    pub(super) modules: Vec<(String, Option<serde_json::Value>)>,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) index: Option<serde_json::Value>,
}

impl Resource {
    /// The resource that an object is. What is on every host that needs it has a name for each.
    pub(super) fn of(object: &ObjectId, catalog: &Catalog) -> Resource {
        let mut resource = Resource::declared(&object.address);
        let kind = catalog.get(object.address.kind());
        if kind.is_none_or(|schema| schema.role == Role::PerHost) {
            let host = object.host.to_string();
            resource.index = Some(match object.address.key() {
                Some(key) => format!("{} on {host}", words(key)).into(),
                None => host.into(),
            });
        }
        resource
    }

    /// The resource that an address is, wherever it runs.
    pub(super) fn declared(address: &Address) -> Resource {
        let ancestry = address.ancestry();
        let around = &ancestry[..ancestry.len().saturating_sub(1)];
        let modules = around.iter().map(|part| {
            let name = match part.kind().as_str() {
                "tenant" => part.name().to_string(),
                kind => format!("{kind}_{}", part.name()),
            };
            (name, part.key().map(index))
        });
        Resource {
            modules: modules.collect(),
            kind: format!("tcloud_{}", address.kind()),
            name: address.name().to_string(),
            index: address.key().map(index),
        }
    }

    /// `module.a.module.b["c"]`; `None` at the top.
    pub(super) fn module(&self) -> Option<String> {
        let parts: Vec<String> = self
            .modules
            .iter()
            .map(|(name, key)| format!("module.{name}{}", suffix(key)))
            .collect();
        (!parts.is_empty()).then(|| parts.join("."))
    }

    /// `module.a.tcloud_vm.b[1]`.
    pub(super) fn address(&self) -> String {
        let own = format!("{}.{}{}", self.kind, self.name, suffix(&self.index));
        self.module().map_or(own.clone(), |module| format!("{module}.{own}"))
    }

    /// The address of the block that declares it, as an expression names it.
    pub(super) fn reference(&self) -> String {
        let modules = self.modules.iter().map(|(name, _)| format!("module.{name}."));
        format!("{}{}.{}", modules.collect::<String>(), self.kind, self.name)
    }
}

fn words(key: &Key) -> String {
    match key {
        Key::Int(n) => n.to_string(),
        Key::Text(text) => text.to_string(),
        Key::Ref(address) => address.to_string(),
    }
}

fn index(key: &Key) -> serde_json::Value {
    match key {
        Key::Int(n) => (*n).into(),
        Key::Text(_) | Key::Ref(_) => words(key).into(),
    }
}

fn suffix(index: &Option<serde_json::Value>) -> String {
    index.as_ref().map(|index| format!("[{index}]")).unwrap_or_default()
}
