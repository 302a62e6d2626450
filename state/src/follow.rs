//! Follows a chain, or parts of it: for whoever verifies a store, and for whoever is about to write
//! behind the chain's end.

use serde::Serialize;

use crate::store::Stored;
use crate::{Head, Scope, StoreError};

/// How many entries of a scope are followed before a run writes behind them: all of most chains, and
/// a moment's work however long the journal has become.
const MOST: u64 = 4_096;

/// How many in all scopes together.
const TOGETHER: u64 = 131_072;

/// The fewest of a scope, however many scopes there are.
const FEWEST: u64 = 4;

/// The first entry of a scope that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The scope.
    pub scope: Scope,
    /// The serial of the entry.
    pub serial: u64,
    /// What is wrong with it.
    pub what: Fault,
}

/// What can be wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It is not there, though a later one or the end of the chain is.
    Missing,
    /// Its text, its generation or its place is not the one that was written.
    Changed,
    /// It fits, but nothing can be read from it.
    Unreadable,
    /// It stands behind the end of the chain.
    BehindTheEnd,
}

impl Fault {
    /// The words for it, behind `entry 7 of tenant.a`.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Missing => "is missing",
            Fault::Changed => "was changed after it was written",
            Fault::Unreadable => "cannot be read",
            Fault::BehindTheEnd => "stands behind the end of the journal",
        }
    }
}

/// A chain that is being followed.
pub(crate) struct Chain<'a> {
    scope: &'a Scope,
    /// Where it has to end.
    end: Head,
    /// As far as it is sound.
    pub(crate) at: Head,
}

impl Chain<'_> {
    /// A chain from its beginning.
    pub(crate) fn new(scope: &Scope, end: Head) -> Chain<'_> {
        Chain { scope, end, at: Head::empty(scope) }
    }

    /// Follows one more entry.
    pub(crate) fn follow(&mut self, stored: &Stored) -> Result<(), Damage> {
        let next = self.at.next(stored.generation, &stored.json);
        let what = if stored.serial != next.serial {
            Fault::Missing
        } else if next.serial > self.end.serial {
            Fault::BehindTheEnd
        } else if stored.hash != next.hash {
            Fault::Changed
        } else {
            self.at = next;
            return Ok(());
        };
        Err(self.damage(next.serial, what))
    }

    /// There are no more entries up to this one.
    pub(crate) fn finish(&self, to: u64) -> Result<(), Damage> {
        if self.at.serial < to.min(self.end.serial) {
            return Err(self.damage(self.at.serial + 1, Fault::Missing));
        }
        // The last entry fits those before it, but the end says that it was another one.
        if self.at.serial == self.end.serial && self.at != self.end {
            return Err(self.damage(self.end.serial, Fault::Changed));
        }
        Ok(())
    }

    pub(crate) fn damage(&self, serial: u64, what: Fault) -> Damage {
        Damage { scope: self.scope.clone(), serial, what }
    }
}

/// Neighbouring entries of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first that is followed.
    from: u64,
    /// The last.
    pub(crate) to: u64,
}

impl Part {
    /// What is followed of a chain before a run of so many scopes writes behind it: all of it when
    /// it is short; else its newer end, and of what is older a part that changes with every entry,
    /// so that damage anywhere is met sooner or later. Until something is written it is the same
    /// part, so that trying again does not get past what was found.
    pub(crate) fn of(head: Head, scopes: usize) -> Vec<Part> {
        let share = (TOGETHER / scopes.max(1) as u64).clamp(FEWEST, MOST);
        // What stands behind the end is damage, too.
        let to = head.serial + 1;
        if head.serial <= share {
            return vec![Part { from: 1, to }];
        }
        let half = share / 2;
        let older = head.serial - half;
        let [a, b, c, d, ..] = head.hash.0;
        let turn = u64::from(u32::from_le_bytes([a, b, c, d])) % older.div_ceil(half);
        let from = 1 + turn * half;
        vec![Part { from, to: (from + half - 1).min(older) }, Part { from: older + 1, to }]
    }

    /// All of a chain.
    pub(crate) fn all(head: Head) -> Part {
        Part { from: 1, to: head.serial + 1 }
    }

    /// The first entry that is read: the one before the part is what the part hangs on.
    pub(crate) fn first(self) -> u64 {
        (self.from - 1).max(1)
    }

    /// Follows the part.
    pub(crate) fn follow(
        self,
        scope: &Scope,
        end: Head,
        mut entries: impl Iterator<Item = Stored>,
    ) -> Result<(), Damage> {
        let mut chain = Chain::new(scope, end);
        if self.from > 1 {
            let before = entries.next().filter(|stored| stored.serial == self.first());
            let missing = || chain.damage(self.first(), Fault::Missing);
            let Stored { serial, hash, .. } = before.ok_or_else(missing)?;
            chain.at = Head { serial, hash };
        }
        entries.try_for_each(|stored| chain.follow(&stored))?;
        chain.finish(self.to)
    }
}

/// Why nothing is written behind damage.
pub(crate) fn refusal(damage: &Damage) -> StoreError {
    let Damage { scope, serial, what } = damage;
    let what = format!(
        "entry {serial} of {scope} {}, so nothing is written.\n`tcloud state verify` names \
         everything that is damaged. Put the newest sound backup back; without one,\nmove the \
         state away, and `tcloud state rebuild` makes a new one from what runs",
        what.words()
    );
    StoreError::Damaged { what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hash;

    #[test]
    fn a_long_chain_is_followed_in_parts_and_all_of_it_in_the_end() {
        let head = |serial, byte| Head { serial, hash: Hash([byte; 32]) };
        assert_eq!(Part::of(head(0, 1), 1), [Part { from: 1, to: 1 }]);
        assert_eq!(Part::of(head(MOST, 1), 1), [Part::all(head(MOST, 1))]);
        // A run of very many scopes still looks at the end of each.
        assert_eq!(Part::of(head(9, 0), 1_000_000)[1], Part { from: 8, to: 10 });
        let mut met = std::collections::BTreeSet::new();
        for byte in 0..=255 {
            let parts = Part::of(head(2 * MOST + 5, byte), 1);
            let entries: u64 = parts.iter().map(|part| part.to + 1 - part.from).sum();
            assert!(entries <= MOST + 1, "{parts:?}");
            parts.iter().for_each(|part| met.extend(part.from..=part.to));
        }
        assert_eq!(met.len() as u64, 2 * MOST + 6, "every entry, and what is behind the end");
    }
}
