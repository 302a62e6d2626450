//! A whole program evaluated in parts, on several threads. A part evaluates some of the blocks at
//! the top, and of the others what these ask for; so no part waits for another one, and what two of
//! them need is computed twice. A program with mistakes is evaluated as a whole: what is said of
//! it, and which limit it meets, must not depend on the number of threads, or on which of them is
//! faster.

use std::num::NonZero;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tcloud_model::{Address, ByAddress, DesiredResource, Diagnostic};

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

/// The blocks at the top that no part has taken yet, by their positions. Each part takes some when
/// it is done with those that it has, so that all end at nearly the same time.
pub(crate) struct Waiting {
    left: Mutex<Range<u32>>,
    /// How many are taken at once.
    turn: u32,
}

/// A part that was evaluated.
pub(crate) struct Done {
    /// Its resources, sorted.
    pub(crate) resources: Vec<DesiredResource>,
    /// What else was found, by the blocks that were taken together.
    pub(crate) found: Vec<(Range<u32>, Collected)>,
    pub(crate) state: State,
    pub(crate) reported: Vec<Diagnostic>,
}

/// The resources of each part, sorted; what else was found, in the order of the text; the parts; and
/// what is wrong.
pub(crate) type Evaluated = (Vec<Vec<DesiredResource>>, Collected, Parts, Vec<Diagnostic>);

/// How often a part takes blocks, if all are equally fast.
const TURNS: u32 = 16;

impl Waiting {
    /// So many blocks, for so many parts.
    pub(crate) fn new(blocks: u32, parts: NonZero<usize>) -> Waiting {
        let turns = u32::try_from(parts.get()).unwrap_or(u32::MAX).saturating_mul(TURNS);
        Waiting { left: Mutex::new(0..blocks), turn: blocks.div_ceil(turns).max(1) }
    }

    /// The next ones.
    pub(crate) fn take(&self) -> Option<Range<u32>> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let end = left.end.min(left.start.saturating_add(self.turn));
        let taken = left.start..end;
        left.start = end;
        (!taken.is_empty()).then_some(taken)
    }
}

impl Parts {
    /// One part that has everything.
    pub(crate) fn whole(state: State) -> Parts {
        Parts { states: vec![Mutex::new(state)], tops: ByAddress::default() }
    }

    /// All parts put together, unless the program has mistakes or the parts more resources than this.
    pub(crate) fn join(done: Vec<Done>, most: usize) -> Option<Evaluated> {
        if done.iter().map(|part| part.state.addressed).sum::<usize>() > most {
            return None;
        }
        let (mut all, mut beside) = (Vec::with_capacity(done.len()), Vec::new());
        let mut parts = Parts { states: Vec::new(), tops: ByAddress::default() };
        for (part, Done { resources, found, state, reported }) in done.into_iter().enumerate() {
            if !reported.is_empty() {
                return None;
            }
            for (blocks, _) in &found {
                for top in state.addresses(State::ROOT, blocks.clone()) {
                    // Two blocks of one name: neither part could see that.
                    if parts.tops.insert(top.clone(), part).is_some() {
                        return None;
                    }
                }
            }
            all.push(resources);
            beside.extend(found);
            parts.states.push(Mutex::new(state));
        }
        beside.sort_unstable_by_key(|(blocks, _)| blocks.start);
        let mut found = Collected::default();
        beside.into_iter().for_each(|(_, own)| found.append(own));
        Some((all, found, parts, Vec::new()))
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
