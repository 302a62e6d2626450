//! What the engine needs of the outside besides stores and providers. Pauses and deadlines go
//! through tokio's clock, which a test can stop and turn.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, as it is written into the journal, for people. Only whether the window of
    /// a guest has closed is decided by it.
    fn now(&self) -> Timestamp;

    /// How long the machine has been up, also while it slept: by this a run knows for how long its
    /// leases are surely its own.
    fn uptime(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn uptime(&self) -> Duration {
        // Elsewhere the monotonic clock does not stand still either.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const CLOCK: ClockId = ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const CLOCK: ClockId = ClockId::Monotonic;
        let Timespec { tv_sec, tv_nsec } = clock_gettime(CLOCK);
        Duration::new(tv_sec.unsigned_abs(), tv_nsec.unsigned_abs() as u32)
    }
}

/// Finds out what a secret is, when a plan that needs it is carried out.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// What a source (`env:NAME`, `file:PATH`, …) holds.
    ///
    /// # Errors
    /// Why it cannot be had; never with the secret itself.
    async fn resolve(&self, source: &str) -> Result<SecretText, SecretError>;

    /// The text without the secrets that were found out. Everything that providers say passes here
    /// before it is remembered or told.
    fn scrub(&self, text: &str) -> String;
}

/// A secret. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Wraps a secret.
    pub fn new(text: String) -> SecretText {
        SecretText(text)
    }

    /// The secret itself, for the call to the provider.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Why a secret cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret \"{source_name}\" cannot be had: {message}")]
pub struct SecretError {
    /// Its source, as written in the text.
    pub source_name: String,
    /// Why.
    pub message: String,
}

/// Has no secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn resolve(&self, source: &str) -> Result<SecretText, SecretError> {
        let message = "this run cannot read secrets".to_owned();
        Err(SecretError { source_name: source.to_owned(), message })
    }

    fn scrub(&self, text: &str) -> String {
        text.to_owned()
    }
}
