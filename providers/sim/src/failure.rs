//! Why the simulated host could not do what was asked.

use tcloud_model::Value;
use tcloud_provider::ProviderError;

/// A failed call, before it is told to the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It cannot be done, now or later, as things stand.
    #[error("{0}")]
    Refused(String),
    /// Something is busy or away.
    #[error("{0}")]
    Away(String),
    /// Nobody knows whether it was done.
    #[error("{0}")]
    Unknown(String),
    /// The host's file could not be used.
    #[error("the file of the simulated host cannot be used")]
    File(#[from] rusqlite::Error),
    /// What is in the host's file cannot be understood.
    #[error("the file of the simulated host is damaged")]
    Damaged(#[from] serde_json::Error),
}

impl Failure {
    /// A refusal.
    pub(crate) fn refused<T>(message: impl Into<String>) -> Result<T, Failure> {
        Err(Failure::Refused(message.into()))
    }

    /// What the caller is told.
    pub(crate) fn told(self) -> ProviderError {
        match self {
            Failure::Refused(message) => ProviderError::permanent(message),
            Failure::Away(message) => ProviderError::transient(message),
            Failure::Unknown(message) => ProviderError::unknown(message),
            Failure::File(ref cause) if is_busy(cause) => {
                ProviderError::transient(format!("{self}: {cause}"))
            }
            Failure::File(ref cause) => ProviderError::permanent(format!("{self}: {cause}")),
            Failure::Damaged(ref cause) => ProviderError::permanent(format!("{self}: {cause}")),
        }
    }
}

fn is_busy(cause: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// A name from outside in a message: in quotes, with what could disturb a terminal escaped.
pub(crate) fn quoted(text: &str) -> String {
    Value::text(text).to_string()
}
