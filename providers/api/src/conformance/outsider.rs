//! What the suite needs to do to a host without the provider that it examines.

use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{Address, Deployment, Fields, Name};

use crate::ConfiguredProvider;

/// A person with a way to the hypervisor that does not go through the provider, and a second
/// deployment on the same host. Errors are words for the report.
#[async_trait]
pub trait Outsider: Send + Sync {
    /// Makes an object by hand, without a stamp. Its attributes are up to the outsider.
    async fn make(&self, kind: &str, name: &Name) -> Result<(), String>;

    /// Deletes an object by hand.
    async fn delete(&self, kind: &str, name: &Name) -> Result<(), String>;

    /// Stops and starts a guest.
    async fn power_cycle(&self, guest: &Name) -> Result<(), String>;

    /// Something that stays the same exactly as long as a guest is not interrupted, such as the id
    /// of its process with its start; `None` while it does not run.
    async fn process(&self, guest: &Name) -> Result<Option<String>, String>;

    /// The same host, as another deployment reaches it.
    async fn stranger(&self) -> Result<(Deployment, Arc<dyn ConfiguredProvider>), String>;

    /// A file on the host that an attribute of a guest can name: its `kernel`, its `initrd`.
    fn file(&self, attribute: &str) -> String {
        format!("/{attribute}")
    }

    /// The attributes that the suite asks for, made fit for this host: an image that can really be
    /// fetched, a pool whose directory exists. Nothing else may change.
    fn fit(&self, address: &Address, attributes: Fields) -> Fields {
        let _ = address;
        attributes
    }
}
