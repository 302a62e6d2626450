//! Follows the chains of a store from their beginnings: nothing in it was changed, removed, put
//! elsewhere or cut off, and what is remembered is what follows from the journal.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::Stored;
use crate::{Entry, Filter, Folded, Head, Loaded, Scope, Selection, Store, StoreError};

/// How many entries are read at a time.
const PAGE: u32 = 1000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verified {
    /// How many scopes there are.
    pub scopes: usize,
    /// How many entries were followed.
    pub entries: u64,
    /// What is wrong: for each scope at most one thing, the first.
    pub damage: Vec<Damage>,
    /// Whether what is remembered differs from what follows from the journal.
    pub remembered_differs: bool,
}

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

impl Verified {
    /// Whether everything is as it was written.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && !self.remembered_differs
    }
}

/// Follows every chain of a store. Nobody may write to it meanwhile, or the answer is of no moment
/// in particular.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify(store: &dyn Store) -> Result<Verified, StoreError> {
    let loaded = store.load(&Selection::All).await?;
    let mut verified = Verified { scopes: loaded.heads.len(), ..Verified::default() };
    for (scope, head) in &loaded.heads {
        let mut chain = Chain::new(scope, *head);
        let damage = loop {
            let page = store.entries(scope, chain.at.serial + 1, PAGE).await?;
            if let Some(found) = chain.follow(&page) {
                break found;
            }
        };
        verified.entries += chain.at.serial;
        verified.damage.extend(damage);
    }
    if verified.damage.is_empty() {
        verified.remembered_differs = !follows(store, &loaded).await?;
    }
    Ok(verified)
}

/// A chain that is being followed.
struct Chain<'a> {
    scope: &'a Scope,
    /// Where it has to end.
    end: Head,
    /// As far as it is sound.
    at: Head,
}

impl Chain<'_> {
    fn new(scope: &Scope, end: Head) -> Chain<'_> {
        Chain { scope, end, at: Head::empty(scope) }
    }

    /// Follows more entries; `None` when there may be more of them.
    fn follow(&mut self, page: &[Stored]) -> Option<Option<Damage>> {
        for stored in page {
            let next = self.at.next(stored.generation, &stored.json);
            let what = if stored.serial != next.serial {
                Fault::Missing
            } else if next.serial > self.end.serial {
                Fault::BehindTheEnd
            } else if stored.hash != next.hash {
                Fault::Changed
            } else if Entry::from_json(&stored.json).is_err() {
                Fault::Unreadable
            } else {
                self.at = next;
                continue;
            };
            return Some(Some(self.damage(next.serial, what)));
        }
        if page.len() == PAGE as usize {
            return None;
        }
        if self.at.serial < self.end.serial {
            return Some(Some(self.damage(self.at.serial + 1, Fault::Missing)));
        }
        // The last entry fits those before it, but the end says that it was another one.
        Some((self.at != self.end).then(|| self.damage(self.end.serial, Fault::Changed)))
    }

    fn damage(&self, serial: u64, what: Fault) -> Damage {
        Damage { scope: self.scope.clone(), serial, what }
    }
}

/// Whether what is remembered follows from the journal. Entries of different scopes that belong
/// together are written in one transaction and in their order.
async fn follows(store: &dyn Store, loaded: &Loaded) -> Result<bool, StoreError> {
    let filter = Filter { details: true, ..Filter::default() };
    let entries = store.history(&filter).await?;
    let mut folded = Folded::default();
    for logged in entries.iter().rev() {
        if folded.add(&logged.entry).is_err() {
            return Ok(false);
        }
    }
    let open = loaded.intents.iter().map(|(_, open)| (open.id, open.clone()));
    Ok(folded.state == loaded.state && folded.intents == open.collect::<BTreeMap<_, _>>())
}

/// Checks the end of a chain before anybody writes behind it: the last entry is there, was not
/// changed, and follows the one before it.
///
/// # Errors
/// [`StoreError::Damaged`] when it does not fit.
pub(crate) fn check_end(scope: &Scope, head: Head, last_two: &[Stored]) -> Result<(), StoreError> {
    let before = match last_two {
        [] if head == Head::empty(scope) => return Ok(()),
        [_] if head.serial == 1 => Head::empty(scope),
        [before, _] => Head { serial: before.serial, hash: before.hash },
        _ => return Err(refusal(scope, head.serial)),
    };
    let fits = last_two.last().is_some_and(|last| {
        let next = before.next(last.generation, &last.json);
        next == head && last.hash == head.hash && last.serial == head.serial
    });
    if fits { Ok(()) } else { Err(refusal(scope, head.serial)) }
}

fn refusal(scope: &Scope, serial: u64) -> StoreError {
    let what = format!(
        "entry {serial} of {scope} is not the one that was written, so nothing is written behind \
         it; `tcloud state verify` says more"
    );
    StoreError::Damaged { what }
}
