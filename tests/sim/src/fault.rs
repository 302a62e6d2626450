//! The faults, by the numbers under which the book lists them.

use serde::Serialize;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Fault {
    /// A provider dies before the call.
    F1,
    /// A provider dies after the call and before its answer.
    F2,
    /// A provider answers after the time-out.
    F3,
    /// A provider does it twice, and answers twice.
    F4,
    /// A provider says error although it worked.
    F5,
    /// A provider says success although nothing happened.
    F6,
    /// A provider does half.
    F7,
    /// A provider hangs.
    F8,
    /// A provider answers something malformed or oversized.
    F9,
    /// Somebody else changes or deletes the object meanwhile.
    F10,
    /// The store refuses.
    F11,
    /// The store times out after the commit.
    F12,
    /// The connection that keeps the lease is lost.
    F13,
    /// The store is restored from an older backup.
    F14,
    /// The disk tears the last write.
    F15,
    /// The disk loses unsynced bytes.
    F16,
    /// The disk is full, or fails while it syncs.
    F17,
    /// Signals: SIGINT once and twice, SIGTERM, SIGKILL.
    F18,
    /// A pause longer than the lease.
    F19,
    /// A clock jumps an hour either way.
    F20,
}

impl Fault {
    /// What a call to a provider can meet.
    pub(crate) const OF_CALLS: [Fault; 10] = [
        Fault::F1,
        Fault::F2,
        Fault::F3,
        Fault::F4,
        Fault::F5,
        Fault::F6,
        Fault::F7,
        Fault::F8,
        Fault::F9,
        Fault::F10,
    ];
}
