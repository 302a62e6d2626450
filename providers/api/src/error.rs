//! What can go wrong with a provider.

use tcloud_model::ObservedObject;

/// A failed call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What went wrong, in words an operator can act on.
    pub message: String,
    /// Whether trying again can help.
    pub retry: Retry,
    /// The newest known object, if there is one.
    pub object: Option<Box<ObservedObject>>,
    /// The attribute that this host cannot make real, whatever its value: `max_rate`. Without it, the
    /// same call may succeed.
    pub lacks: Option<String>,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It failed for good: the same call will fail again. (A deletion whose object is gone is asked for
    /// again all the same: it finishes what else was left of it, or finds nothing.)
    Never,
    /// Something was busy or away; the call had no effect and may be repeated.
    Later,
    /// Nobody knows whether the call had an effect; look before doing anything.
    Unknown,
    /// It was done as asked, and what was to come of it has not come: a guest that was waited for.
    Unready,
}

impl ProviderError {
    fn new(message: impl Into<String>, retry: Retry) -> ProviderError {
        ProviderError { message: message.into(), retry, object: None, lacks: None }
    }

    /// A failure for good.
    pub fn permanent(message: impl Into<String>) -> ProviderError {
        ProviderError::new(message, Retry::Never)
    }

    /// A failure that may pass.
    pub fn transient(message: impl Into<String>) -> ProviderError {
        ProviderError::new(message, Retry::Later)
    }

    /// A failure whose effect is not known.
    pub fn unknown(message: impl Into<String>) -> ProviderError {
        ProviderError::new(message, Retry::Unknown)
    }

    /// What was done, and has not led to what it was for.
    pub fn unready(message: impl Into<String>) -> ProviderError {
        ProviderError::new(message, Retry::Unready)
    }

    /// Adds the newest known object.
    pub fn with_object(mut self, object: ObservedObject) -> ProviderError {
        self.object = Some(Box::new(object));
        self
    }

    /// Says which attribute the host cannot make real.
    #[must_use]
    pub fn lacking(mut self, attribute: &str) -> ProviderError {
        self.lacks = Some(attribute.to_owned());
        self
    }
}
