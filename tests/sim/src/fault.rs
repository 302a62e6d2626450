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
    /// The disk loses what was not synced.
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
    /// All of them, with what they do in words.
    pub const ALL: [(Fault, &str); 20] = [
        (Fault::F1, "a provider dies before the call"),
        (Fault::F2, "a provider dies after the call and before its answer"),
        (Fault::F3, "a provider answers after the time-out; the host did it before or after"),
        (
            Fault::F4,
            "a provider does it twice; its second answer is taken for that of another call",
        ),
        (Fault::F5, "a provider says error although it worked"),
        (Fault::F6, "a provider says success although nothing happened"),
        (Fault::F7, "a provider does half"),
        (Fault::F8, "a provider hangs, before or after it did it"),
        (Fault::F9, "a provider answers something malformed or oversized"),
        (Fault::F10, "somebody else changes or deletes the object meanwhile"),
        (Fault::F11, "the store refuses"),
        (Fault::F12, "the store times out after the commit"),
        (Fault::F13, "the connection that keeps the lease is lost, up to a minute"),
        (Fault::F14, "the store is restored from an older backup"),
        (
            Fault::F15,
            "the power fails for all runs at once, and the store's disk tears the last write",
        ),
        (Fault::F16, "the power fails, and the disk loses what was not synced"),
        (Fault::F17, "the store's disk is full, or fails while it syncs a commit"),
        (Fault::F18, "SIGINT once and twice, SIGTERM, SIGKILL at any moment"),
        (Fault::F19, "a process stands still, up to three times as long as its lease lasts"),
        (
            Fault::F20,
            "a clock jumps an hour either way: that of the journal, or that of the leases",
        ),
    ];

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
