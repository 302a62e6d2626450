//! Maps by address that take the hash which every address brings along.

use std::hash::{BuildHasherDefault, Hasher};

use indexmap::IndexMap;

/// A map whose keys are addresses, or references to them. Hashing them anew would take longer than
/// anything else that is done with most of these maps.
pub type ByAddress<K, T> = IndexMap<K, T, BuildHasherDefault<Precomputed>>;

/// Takes the hash that an [`Address`](crate::Address) was built with as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Precomputed(u64);

impl Hasher for Precomputed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 ^= hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
