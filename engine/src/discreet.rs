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
        let objects = std::mem::take(&mut observation.objects).into_iter();
        observation.objects = objects.map(|object| self.discretion.object(object)).collect();
        Ok(observation)
    }

    async fn look(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let found = self.host.look(operation).await?;
        Ok(found.map(|object| self.discretion.object(object)))
    }

    async fn apply(&self, operation: &Operation) -> Result<Option<ObservedObject>, ProviderError> {
        let answer = self.host.apply(operation).await.map_err(|mut error| {
            let object = error.object.take();
            error.object = object.map(|object| Box::new(self.discretion.object(*object)));
            error
        })?;
        Ok(answer.map(|object| self.discretion.object(object)))
    }

    async fn shutdown(&self) {
        self.host.shutdown().await;
    }
}
