//! A whole program evaluated in parts, on several threads. A part evaluates some of the blocks at
//! the top, and of the others what these ask for; so no part waits for another one, and what two of
//! them need is computed twice. A program with mistakes is evaluated as a whole: what is said of
//! it, and which limit it meets, must not depend on the number of threads.

use std::num::NonZero;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tcloud_model::{Address, ByAddress, Diagnostic};

use crate::eval::{Collected, InstanceId, State};

/// What was computed, part by part.
#[derive(Debug)]
pub(crate) struct Parts {
    states: Vec<Mutex<State>>,
    /// Which part evaluated what stands at the top; the first one where nothing is noted.
    tops: ByAddress<Address, usize>,
}

/// An instance in the state of its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    /// The part.
    pub(crate) part: usize,
    /// The instance.
    pub(crate) id: InstanceId,
}

/// Which part, and its blocks by their positions.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) part: usize,
    pub(crate) blocks: Range<u32>,
}

/// A part that was evaluated.
pub(crate) struct Done {
    pub(crate) share: Share,
    pub(crate) found: Collected,
    pub(crate) state: State,
    pub(crate) reported: Vec<Diagnostic>,
}

/// Shares out so many blocks.
pub(crate) fn shares(blocks: u32, threads: NonZero<usize>) -> Vec<Share> {
    let parts = u32::try_from(threads.get()).unwrap_or(1).clamp(1, blocks.max(1));
    let start = |part: u32| (u64::from(blocks) * u64::from(part) / u64::from(parts)) as u32;
    let share = |part: u32| Share { part: part as usize, blocks: start(part)..start(part + 1) };
    (0..parts).map(share).collect()
}

impl Parts {
    /// One part that has everything.
    pub(crate) fn whole(state: State) -> Parts {
        Parts { states: vec![Mutex::new(state)], tops: ByAddress::default() }
    }

    /// All parts put together, unless the program has mistakes.
    pub(crate) fn join(done: Vec<Done>) -> Option<(Vec<Collected>, Parts)> {
        let mut all = Vec::with_capacity(done.len());
        let mut parts = Parts { states: Vec::new(), tops: ByAddress::default() };
        for Done { share, found, state, reported } in done {
            if !reported.is_empty() {
                return None;
            }
            for top in state.addresses(State::ROOT, share.blocks) {
                // Two blocks of one name: neither part could see that.
                if parts.tops.insert(top.clone(), share.part).is_some() {
                    return None;
                }
            }
            all.push(found);
            parts.states.push(Mutex::new(state));
        }
        Some((all, parts))
    }

    /// How many parts there are.
    pub(crate) fn count(&self) -> usize {
        self.states.len()
    }

    /// The part that an address was evaluated in.
    pub(crate) fn of(&self, address: &Address) -> usize {
        self.tops.get(address.top()).copied().unwrap_or_default()
    }

    /// The state of a part.
    pub(crate) fn state(&self, part: usize) -> MutexGuard<'_, State> {
        self.states[part].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
