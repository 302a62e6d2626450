//! What a change does to a running guest.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a change costs, ordered from harmless to impossible. The classes are a promise: a change
/// announced as [`Impact::Live`] or less never interrupts the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// Only a record changes: a title, a stamp.
    None,
    /// Applied to the running guest, which notices nothing or new hardware.
    Live,
    /// Applied live, but the guest has to act to profit: grow a file system, bring a CPU online.
    #[serde(rename = "live+guest")]
    LiveGuest,
    /// The guest has to be stopped and started; a reboot inside the guest is not enough, because
    /// the new definition is read at start.
    PowerCycle,
    /// The object is made anew or moved, its data is kept.
    RecreateKeep,
    /// The object is made anew or deleted, and data goes with it.
    RecreateLose,
    /// It cannot be done safely and is refused.
    Blocked,
}

impl Impact {
    /// All classes, harmless first.
    pub const ALL: [Impact; 7] = [
        Impact::None,
        Impact::Live,
        Impact::LiveGuest,
        Impact::PowerCycle,
        Impact::RecreateKeep,
        Impact::RecreateLose,
        Impact::Blocked,
    ];

    /// The word for it, used on the command line, in JSON and in the book.
    pub fn word(self) -> &'static str {
        match self {
            Impact::None => "none",
            Impact::Live => "live",
            Impact::LiveGuest => "live+guest",
            Impact::PowerCycle => "power-cycle",
            Impact::RecreateKeep => "recreate-keep",
            Impact::RecreateLose => "recreate-lose",
            Impact::Blocked => "blocked",
        }
    }

    /// Whether the object has to be made anew.
    pub fn is_replacement(self) -> bool {
        matches!(self, Impact::RecreateKeep | Impact::RecreateLose)
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
