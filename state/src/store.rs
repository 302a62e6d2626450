//! Where journal, state and leases are kept. Every store passes the same tests
//! (`tests/suite.rs`), and none of them decides anything: they compare, write and answer.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tcloud_model::{Address, SealKey, State};
use uuid::Uuid;

use crate::{Acquired, Entry, Hash, Head, LeaseRequest, OpenIntent, Scope, Sealed};

/// A place where a deployment is remembered.
#[async_trait]
pub trait Store: Send + Sync {
    /// What is remembered of these scopes, at one moment.
    ///
    /// # Errors
    /// When the store cannot be read or holds something that it cannot have written.
    async fn load(&self, scopes: &Selection) -> Result<Loaded, StoreError>;

    /// The open intents of these scopes, by scope, run and step: a part of [`Store::load`].
    ///
    /// # Errors
    /// As [`Store::load`].
    async fn intents(&self, scopes: &Selection) -> Result<Vec<(Scope, OpenIntent)>, StoreError>;

    /// Takes leases on all of the scopes, or on none. A lease that expired by the store's own
    /// clock, or whose run is known to have ended, is taken over.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn acquire(&self, request: &LeaseRequest) -> Result<Acquired, StoreError>;

    /// Renews all leases of a run; returns how many there are. Fewer than it took means that
    /// somebody took one over.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn renew(&self, run: Uuid, ttl: Duration) -> Result<u64, StoreError>;

    /// Gives all leases of a run back.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn release(&self, run: Uuid) -> Result<(), StoreError>;

    /// Appends entries and folds them into the state, durably, all or nothing. Each scope's lease
    /// has to be of the named generation and held by the run, and its chain has to end where the
    /// caller believes it does: two holders can never both write, whatever their clocks say.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when a condition does not hold; nothing was written. With any other
    /// error the entries may or may not have been written.
    async fn append(&self, run: Uuid, batch: &[Append]) -> Result<(), StoreError>;

    /// Entries, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError>;

    /// The entries of a scope as they are stored, from a serial on, at most `limit`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn entries(
        &self,
        scope: &Scope,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError>;

    /// Lets go of files and connections. Nothing may be asked afterwards.
    async fn close(&self);
}

/// Which scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every scope.
    All,
    /// Only these.
    Only(Vec<Scope>),
}

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Every record.
    pub state: State,
    /// Every open intent, by scope, run and step.
    pub intents: Vec<(Scope, OpenIntent)>,
    /// Where each scope's chain ends; a scope that nobody ever held is missing.
    pub heads: BTreeMap<Scope, Head>,
    /// The generation of each scope's newest lease.
    pub generations: BTreeMap<Scope, u64>,
    /// By what this state tells its own plans from others; the same as long as it lasts. A store
    /// that ends with the process has none.
    pub key: Option<SealKey>,
}

/// Where a scope stands.
pub(crate) struct Standing {
    pub(crate) head: Head,
    pub(crate) generation: u64,
}

impl Loaded {
    pub(crate) fn stands(&mut self, scope: Scope, Standing { head, generation }: Standing) {
        self.heads.insert(scope.clone(), head);
        self.generations.insert(scope, generation);
    }
}

/// What to append to one scope.
#[derive(Clone, Debug)]
pub struct Append {
    /// The scope.
    pub scope: Scope,
    /// The generation of the lease that it is written under.
    pub generation: u64,
    /// Where the chain has to end.
    pub after: Head,
    /// The entries, oldest first, each tied to the one before it. None at all is a mere check.
    pub entries: Vec<Sealed>,
}

/// Which entries of the history.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this scope.
    pub scope: Option<Scope>,
    /// Only this run.
    pub run: Option<Uuid>,
    /// Only entries about this address, or something inside it.
    pub address: Option<Address>,
    /// Every entry, not only those that begin, end and change records.
    pub details: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

/// An entry of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Its scope.
    pub scope: Scope,
    /// Its place in the scope's chain.
    pub serial: u64,
    /// The generation of the lease that it was written under.
    pub generation: u64,
    /// The entry.
    pub entry: Entry,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place in the scope's chain.
    pub serial: u64,
    /// The generation of the lease that it was written under.
    pub generation: u64,
    /// The hash that was stored with it.
    pub hash: Hash,
    /// Its JSON form.
    pub json: String,
}

/// What a store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another run took the scope over, or wrote to it.
    #[error("another run has taken over {scope}; nothing more was written")]
    Fenced {
        /// The scope.
        scope: Scope,
    },
    /// Something in the store cannot have been written by tcloud.
    #[error("the state is damaged: {what}")]
    Damaged {
        /// What, in words.
        what: String,
    },
    /// The store failed.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl Selection {
    /// Whether a scope is among them.
    pub fn holds(&self, scope: &Scope) -> bool {
        match self {
            Selection::All => true,
            Selection::Only(scopes) => scopes.contains(scope),
        }
    }
}

impl Filter {
    /// Whether the filter lets an entry of this scope through.
    pub(crate) fn accepts(&self, scope: &Scope, entry: &Entry) -> bool {
        let Filter { scope: only, run, address, details, limit: _ } = self;
        only.as_ref().is_none_or(|only| only == scope)
            && run.is_none_or(|run| run == entry.run)
            && (*details || address.is_some() || entry.body.is_summary())
            && address.as_ref().is_none_or(|address| entry.body.is_about(address))
    }
}
