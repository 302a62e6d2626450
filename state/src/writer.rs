//! Appends entries to the scopes that a run holds: ties each to the one before it and lets the
//! store write them all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::{Append, Entry, Head, Lease, Scope, Store, StoreError};

/// The writing end of a run. Entries that are given together become durable together, at the cost
/// of one commit: whoever has many steps under way collects what they have to say.
pub struct Writer {
    store: Arc<dyn Store>,
    run: Uuid,
    held: BTreeMap<Scope, (u64, Head)>,
}

impl Writer {
    /// Writes for a run under its leases.
    pub fn new(store: Arc<dyn Store>, run: Uuid, leases: &[Lease]) -> Writer {
        let held = leases
            .iter()
            .map(|lease| (lease.scope.clone(), (lease.generation, lease.head)))
            .collect();
        Writer { store, run, held }
    }

    /// The run.
    pub fn run(&self) -> Uuid {
        self.run
    }

    /// Whether the run holds this scope.
    pub fn holds(&self, scope: &Scope) -> bool {
        self.held.contains_key(scope)
    }

    /// The generation of the run's lease on a scope.
    pub fn generation(&self, scope: &Scope) -> Option<u64> {
        self.held.get(scope).map(|(generation, _)| *generation)
    }

    /// The scopes that the run holds.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.held.keys()
    }

    /// Appends entries, in this order within each scope. They are durable when this returns. A
    /// scope in which an entry changes records is checked too, if it is another than the entry's.
    ///
    /// # Errors
    /// As [`Store::append`]; also [`StoreError::Fenced`] when a scope is not held.
    pub async fn append(&mut self, entries: Vec<(Scope, Entry)>) -> Result<(), StoreError> {
        let batch = self.seal(entries)?;
        if batch.is_empty() {
            return Ok(());
        }
        self.store.append(self.run, &batch).await?;
        for Append { scope, entries, .. } in &batch {
            if let (Some((_, head)), Some(last)) = (self.held.get_mut(scope), entries.last()) {
                *head = last.head;
            }
        }
        Ok(())
    }

    /// Makes sure that all scopes are still held; writes nothing.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn check(&self) -> Result<(), StoreError> {
        let held = self.held.iter().map(|(scope, (generation, head))| Append {
            scope: scope.clone(),
            generation: *generation,
            after: *head,
            entries: Vec::new(),
        });
        self.store.append(self.run, &held.collect::<Vec<_>>()).await
    }

    fn seal(&self, entries: Vec<(Scope, Entry)>) -> Result<Vec<Append>, StoreError> {
        let mut batch: BTreeMap<Scope, Append> = BTreeMap::new();
        for (scope, entry) in entries {
            for change in entry.body.changes() {
                self.part(&mut batch, &Scope::of(&change.object.address))?;
            }
            let append = self.part(&mut batch, &scope)?;
            let head = append.entries.last().map_or(append.after, |last| last.head);
            append.entries.push(head.seal(append.generation, entry));
        }
        Ok(batch.into_values().collect())
    }

    fn part<'a>(
        &self,
        batch: &'a mut BTreeMap<Scope, Append>,
        scope: &Scope,
    ) -> Result<&'a mut Append, StoreError> {
        if !batch.contains_key(scope) {
            let (generation, after) =
                *self.held.get(scope).ok_or_else(|| StoreError::Fenced { scope: scope.clone() })?;
            let part = Append { scope: scope.clone(), generation, after, entries: Vec::new() };
            batch.insert(scope.clone(), part);
        }
        let part = batch.get_mut(scope);
        Ok(part.unwrap_or_else(|| unreachable!("BUG: it was put there above")))
    }
}
