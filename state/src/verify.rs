//! Follows the chains of a store from their beginnings: nothing in it was changed, removed, put
//! elsewhere or cut off, and what is remembered is what follows from the journal.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::follow::Chain;
pub use crate::follow::{Damage, Fault};
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
        let (sound, damage) = follow(store, scope, *head).await?;
        verified.entries += sound;
        verified.damage.extend(damage);
    }
    if verified.damage.is_empty() {
        verified.remembered_differs = !follows(store, &loaded).await?;
    }
    Ok(verified)
}

/// Follows a whole chain. Returns how many entries are sound, and the first that is not.
async fn follow(
    store: &dyn Store,
    scope: &Scope,
    end: Head,
) -> Result<(u64, Option<Damage>), StoreError> {
    let mut chain = Chain::new(scope, end);
    loop {
        let page = store.entries(scope, chain.at.serial + 1, PAGE).await?;
        for stored in &page {
            let readable = Entry::from_json(&stored.json).is_ok();
            let followed = match chain.follow(stored) {
                Ok(()) if !readable => Err(chain.damage(stored.serial, Fault::Unreadable)),
                followed => followed,
            };
            if let Err(damage) = followed {
                return Ok((damage.serial.saturating_sub(1), Some(damage)));
            }
        }
        if page.len() < PAGE as usize {
            return Ok((chain.at.serial, chain.finish(end.serial).err()));
        }
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
