//! Who may write to a scope, and for how long. A lease makes two runs wait for each other; what
//! makes them safe is that every append names the generation of its lease (see
//! [`crate::Store::append`]).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Head, Process, Scope};

/// How long a lease lasts when nobody renews it.
pub const TTL: Duration = Duration::from_secs(30);

/// How often a holder renews its leases.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: Uuid,
    /// Who started it, as `user@machine`.
    pub who: String,
    /// The command.
    pub command: String,
    /// The process, so that its death can be noticed before its leases expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// What a run wants to hold.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// The scopes: all of them or none are granted, so that no two runs wait for each other.
    pub scopes: Vec<Scope>,
    /// Who wants them.
    pub holder: Holder,
    /// How long they last.
    pub ttl: Duration,
    /// Runs that are known to have ended; their leases count as expired.
    pub ended: Vec<Uuid>,
}

impl LeaseRequest {
    /// Whether a lease of this holder that has not expired keeps the request waiting.
    pub(crate) fn waits_for(&self, other: &Holder) -> bool {
        other.run != self.holder.run && !self.ended.contains(&other.run)
    }
}

/// The answer to a [`LeaseRequest`].
#[derive(Clone, Debug, PartialEq)]
pub enum Acquired {
    /// The leases, in the order of the request.
    Granted(Vec<Lease>),
    /// Somebody else holds one of the scopes.
    Held {
        /// Which scope.
        scope: Scope,
        /// Who.
        holder: Holder,
        /// How long the lease still lasts, unless it is renewed.
        remaining: Duration,
    },
}

/// The right to write to a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The scope.
    pub scope: Scope,
    /// Raised with every lease of the scope; an append under an older one is refused.
    pub generation: u64,
    /// Where the scope's chain ended when the lease was granted.
    pub head: Head,
    /// Whose lease expired, or who ended without giving it back.
    pub taken_from: Option<Holder>,
}
