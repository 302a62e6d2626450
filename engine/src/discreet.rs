//! Keeps what may be a secret from being read back: every host is asked through here.

use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{HostObservation, ObservedObject, Operation};
use tcloud_provider::{ConfiguredProvider, Discretion, ProviderError};

/// A host that tells no secrets.
pub(crate) struct Discreet {
    pub(crate) host: Arc<dyn ConfiguredProvider>,
    pub(crate) discretion: Arc<Discretion>,
}

#[async_trait]
impl ConfiguredProvider for Discreet {
    async fn observe(&self) -> Result<HostObservation, ProviderError> {
        let mut observation = self.host.observe().await?;
        observation.objects.iter_mut().for_each(|object| self.discretion.apply(object));
        Ok(observation)
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let mut found = self.host.look(operation).await?;
        found.iter_mut().for_each(|object| self.discretion.apply(object));
        Ok(found)
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let mut answer = self.host.apply(operation).await.map_err(|mut error| {
            error.object.iter_mut().for_each(|object| self.discretion.apply(object));
            error
        })?;
        answer.iter_mut().for_each(|object| self.discretion.apply(object));
        Ok(answer)
    }

    async fn shutdown(&self) {
        self.host.shutdown().await;
    }
}
