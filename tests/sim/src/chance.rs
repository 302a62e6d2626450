//! Everything random in a simulation: one stream from one seed.

use std::time::Duration;

use uuid::Uuid;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    /// The stream of a seed.
    pub(crate) fn of(seed: u64) -> Chance {
        // Neighbouring seeds are to have nothing in common.
        Chance(fastrand::Rng::with_seed(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Whether something happens that happens once in `times`.
    pub(crate) fn one_in(&mut self, times: u32) -> bool {
        self.0.u32(0..times.max(1)) == 0
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn number(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high)
    }

    /// One of these; `None` when there are none.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        match from.len() {
            0 => None,
            count => from.get(self.0.usize(0..count)),
        }
    }

    /// A time of so many milliseconds.
    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.number(low, high))
    }

    /// An identifier for a run.
    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(self.0.u128(..))
    }
}
