//! Asks a provider for things as a run does: identities derived, stamps filled in, references named.

use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Catalog, Deployment, Digest, Fields, FieldsDigest, HostTarget, Identity,
    Name, ObjectId, ObservedObject, Operation, OperationKind, Role, Stamp, Value,
};

use crate::{ConfiguredProvider, ProviderError};

/// What an operation comes to.
pub type Applied = Result<Option<ObservedObject>, ProviderError>;

/// A deployment that asks one host for things.
pub struct Client<'a> {
    /// The host.
    pub provider: &'a dyn ConfiguredProvider,
    /// Its address.
    pub host: Address,
    /// Who asks.
    pub deployment: Deployment,
    /// The kinds.
    pub catalog: Catalog,
}

impl<'a> Client<'a> {
    /// A client of the core kinds.
    pub fn new(
        provider: &'a dyn ConfiguredProvider,
        host: &Address,
        deployment: Deployment,
    ) -> Client<'a> {
        Client { provider, host: host.clone(), deployment, catalog: Catalog::core() }
    }

    /// The first incarnation of an address on this host.
    pub fn object(&self, address: &Address) -> ObjectId {
        ObjectId { address: address.clone(), host: self.host.clone(), incarnation: 0 }
    }

    /// How the host knows an address.
    pub fn identity(&self, address: &Address) -> Identity {
        let role = self.catalog.get(address.kind()).map(|schema| schema.role);
        Identity::derive(&self.deployment, &self.object(address), role == Some(Role::PerHost))
    }

    /// The stamp for an address with these attributes.
    pub fn stamp(&self, address: &Address, attributes: &Fields) -> Stamp {
        Stamp {
            deployment: self.deployment.id,
            address: address.clone(),
            incarnation: 0,
            digest: FieldsDigest::Known(Digest::of_fields(attributes)),
            protect: false,
            create_first: false,
            dependencies: self.referenced(attributes).into(),
            triggers: None,
            previous: None,
            generation: 7,
        }
    }

    /// The objects on hosts that attributes refer to, sorted.
    fn referenced(&self, attributes: &Fields) -> Vec<Address> {
        let mut all = Vec::new();
        for (_, value) in attributes.iter() {
            value.each_reference(&mut |address| {
                let schema = self.catalog.get(address.kind());
                if schema.is_some_and(|schema| schema.role.is_managed()) {
                    all.push(address.clone());
                }
            });
        }
        all.sort();
        all.dedup();
        all
    }

    /// An operation on the first incarnation of an address.
    pub fn operation(&self, address: &Address, action: OperationKind) -> Operation {
        let referenced = action.attributes().map(|attributes| self.referenced(attributes));
        let named = |to: Address| (to.clone(), self.identity(&to));
        Operation {
            object: self.object(address),
            kind: address.kind().clone(),
            identity: self.identity(address),
            action,
            references: referenced.unwrap_or_default().into_iter().map(named).collect(),
        }
    }

    /// The operation that creates an object.
    pub fn creation(&self, address: &Address, attributes: &Fields) -> Operation {
        let stamp = self.stamp(address, attributes);
        let attributes = Arc::new(attributes.clone());
        self.operation(address, OperationKind::Create { attributes, stamp })
    }

    /// The operation that makes an object what these attributes say.
    pub fn change(
        &self,
        address: &Address,
        attributes: &Fields,
        changed: &[&str],
        power_cycle: bool,
    ) -> Operation {
        let stamp = self.stamp(address, attributes);
        let attributes = Arc::new(attributes.clone());
        let changed = changed.iter().map(|path| AttrPath::parse(path)).collect();
        let action = OperationKind::Update { attributes, changed, power_cycle, stamp };
        self.operation(address, action)
    }

    /// The operation that moves an object with some volumes to another host.
    pub fn migration(
        &self,
        address: &Address,
        to: &Address,
        volumes: &[&Address],
        attributes: &Fields,
    ) -> Operation {
        let volume = |volume: &&Address| (self.object(volume), self.identity(volume));
        let action = OperationKind::Migrate {
            to: HostTarget { host: to.clone(), uri: String::new() },
            volumes: volumes.iter().map(volume).collect(),
            attributes: Arc::new(attributes.clone()),
            stamp: self.stamp(address, attributes),
        };
        self.operation(address, action)
    }

    /// Creates an object.
    ///
    /// # Errors
    /// What the provider answers.
    pub async fn create(&self, address: &Address, attributes: &Fields) -> Applied {
        self.provider.apply(&self.creation(address, attributes)).await
    }

    /// Changes an object in place.
    ///
    /// # Errors
    /// What the provider answers.
    pub async fn update(
        &self,
        address: &Address,
        attributes: &Fields,
        changed: &[&str],
        power_cycle: bool,
    ) -> Applied {
        self.provider.apply(&self.change(address, attributes, changed, power_cycle)).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// What the provider answers.
    pub async fn delete(&self, address: &Address) -> Applied {
        self.provider.apply(&self.operation(address, OperationKind::Delete)).await
    }

    /// The object as a sweep shows it.
    ///
    /// # Errors
    /// When the host could not be observed.
    pub async fn observe(&self, address: &Address) -> Applied {
        let name = self.identity(address).name;
        self.observe_name(address.kind(), &name).await
    }

    /// The object of a name, as a sweep shows it.
    ///
    /// # Errors
    /// When the host could not be observed.
    pub async fn observe_name(&self, kind: &str, name: &Name) -> Applied {
        let observation = self.provider.observe().await?;
        let mut objects = observation.objects.into_iter();
        Ok(objects.find(|object| object.kind == *kind && object.name == *name))
    }
}

/// Fields from their JSON form.
///
/// # Errors
/// When the text is no such form.
pub fn fields(json: &str) -> Result<Fields, serde_json::Error> {
    serde_json::from_str(json)
}

/// These fields with one of them changed.
pub fn with(fields: &Fields, name: &str, value: Value) -> Fields {
    let mut fields = fields.clone();
    fields.insert(name, value);
    fields
}
