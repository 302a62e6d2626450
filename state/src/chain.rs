//! How each entry is tied to the one before it, so that no entry can be changed, removed or put
//! elsewhere without being noticed.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Entry, Scope};

/// A BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The end of a scope's chain: how many entries there are, and the hash of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The serial of the last entry; 0 when there is none.
    pub serial: u64,
    /// Its hash; for an empty chain, a hash of the scope.
    pub hash: Hash,
}

/// An entry with its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The entry.
    pub entry: Entry,
    /// Its JSON form: the bytes that are stored and hashed.
    pub json: String,
    /// Where the chain ends with this entry.
    pub head: Head,
}

impl Head {
    /// The head of an empty chain.
    pub fn empty(scope: &Scope) -> Head {
        let mut hasher = blake3::Hasher::new_derive_key("tcloud journal 2026 scope");
        hasher.update(scope.to_string().as_bytes());
        Head { serial: 0, hash: Hash(*hasher.finalize().as_bytes()) }
    }

    /// The head after an entry of this JSON form, written under a lease of this generation.
    pub fn next(&self, generation: u64, json: &str) -> Head {
        let serial = self.serial + 1;
        let mut hasher = blake3::Hasher::new_derive_key("tcloud journal 2026 entry");
        hasher.update(&self.hash.0);
        hasher.update(&serial.to_le_bytes());
        hasher.update(&generation.to_le_bytes());
        hasher.update(json.as_bytes());
        Head { serial, hash: Hash(*hasher.finalize().as_bytes()) }
    }

    /// Ties an entry to this head.
    pub fn seal(&self, generation: u64, entry: Entry) -> Sealed {
        let json = entry.to_json();
        let head = self.next(generation, &json);
        Sealed { entry, json, head }
    }
}
