//! The contract between tcloud and what runs virtual machines.
//!
//! A provider describes, observes and acts; it never decides. It is not trusted: what it answers is
//! compared with what was planned, and a failed call still reports the newest known object.

pub mod conformance;
mod discretion;
mod error;
pub mod registry;
pub mod request;

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tcloud_model::{
    Address, Attribute, Block, Fields, HostObservation, Name, ObservedObject, Operation, Schema,
};
use uuid::Uuid;

pub use discretion::Discretion;
pub use error::{ProviderError, Retry};
pub use registry::{CatalogError, Registry, UnknownProvider};

/// What a provider is and can, without any connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The name that `provider = "…"` uses.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// Kinds that it adds to the core kinds.
    #[serde(default)]
    pub kinds: Vec<Schema>,
    /// What it adds to kinds that are there.
    #[serde(default)]
    pub extensions: Vec<Extension>,
    /// How many operations each of its hosts works on well at the same time. Without a number all its hosts
    /// together get no more than 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<NonZeroUsize>,
}

/// What a provider adds to a kind that is there already.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The kind.
    pub kind: Name,
    /// More attributes.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// More nested blocks.
    #[serde(default)]
    pub blocks: Vec<Block>,
}

/// A host as the text describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostConfig {
    /// Its address in the text: `site.meiningen.host.kvm1`.
    pub host: Address,
    /// Whose run this is: only objects with a stamp of this deployment may be changed.
    pub deployment: Uuid,
    /// The attributes of its block.
    pub attributes: Arc<Fields>,
    /// Where the provider may keep its own files, below the deployment's directory.
    pub directory: std::path::PathBuf,
}

/// Something that can reach one sort of host.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What it is and can. Static: the same answer every time.
    fn describe(&self) -> Description;

    /// Reaches a host.
    ///
    /// # Errors
    /// One clear message for each way to fail: unreachable, refused, too old, missing right.
    async fn configure(
        &self,
        host: &HostConfig,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError>;
}

/// A host that was reached.
#[async_trait]
pub trait ConfiguredProvider: Send + Sync {
    /// Everything on the host in one sweep: ours with stamps, foreign objects by name and size.
    /// Changes nothing. What could not be read is named in [`HostObservation::problems`].
    ///
    /// # Errors
    /// When nothing could be read at all.
    async fn observe(&self) -> Result<HostObservation, ProviderError>;

    /// The newest truth about one object, found by its identity; `None` when it is absent.
    /// Recovery asks this for each open intent.
    ///
    /// # Errors
    /// When the host could not be asked.
    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError>;

    /// Carries out one operation and answers with the object as it then is; `None` after a delete.
    /// Idempotent under the same identity: doing it twice is doing it once. Refuses to touch an
    /// object that does not carry this deployment's stamp, unless it adopts.
    ///
    /// # Errors
    /// What failed, whether trying again can help, and the newest known object.
    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError>;

    /// Lets go of the host; leaves nothing half-done that `observe` cannot see.
    async fn shutdown(&self);
}
