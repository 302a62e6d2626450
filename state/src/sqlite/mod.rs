//! A store in a SQLite file: the default, for one machine. Every append is one transaction that is
//! on disk when it returns (WAL, `synchronous=FULL`).

mod append;
mod error;
mod lease;
mod open;
mod place;
mod read;

mod schema;
mod torn;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use uuid::Uuid;

use crate::store::Stored;
use crate::{
    Acquired, Append, Filter, IntentId, LeaseRequest, Loaded, Logged, OpenIntent, RecordChange,
    Scope, Selection, Store, StoreError,
};

pub use error::SqliteError;

/// A store in a SQLite file.
pub struct SqliteStore {
    database: Arc<Mutex<Option<Database>>>,
    cut_off: bool,
}

/// The open file. Used by one thread at a time.
struct Database {
    path: PathBuf,
    connection: Connection,
    /// Row numbers of the scopes, which never change once they are given.
    scopes: HashMap<Scope, i64>,
    /// What the open intents that were written here announce, which would have to be read again.
    announced: HashMap<IntentId, Vec<RecordChange>>,
}

impl SqliteStore {
    /// Opens the file, and makes it when it is not there.
    ///
    /// # Errors
    /// One for each way to fail: a network file system, a directory that cannot be written, a full
    /// disk, a file that is something else, damaged, or written by a newer tcloud.
    pub fn open(path: &Path) -> Result<SqliteStore, SqliteError> {
        let mut connection = open::open(path)?;
        let cut_off = torn::is_cut_off(&mut connection, path);
        let database = Database {
            path: path.to_owned(),
            connection,
            scopes: HashMap::new(),
            announced: HashMap::new(),
        };
        Ok(SqliteStore { database: Arc::new(Mutex::new(Some(database))), cut_off })
    }

    /// Whether a write that was cut off, as by a power cut, was dropped when the file was opened.
    /// Nobody was told that it was durable.
    pub fn was_cut_off(&self) -> bool {
        self.cut_off
    }

    /// The deployment whose objects are remembered, if there are any.
    pub fn deployment(&self) -> Option<Uuid> {
        let guard = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_ref().and_then(read::deployment)
    }

    /// Runs something with the file, on a thread that may block.
    async fn with<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.database);
        let task = tokio::task::spawn_blocking(move || {
            // A panic inside rolled its transaction back; the connection is as good as before.
            let mut guard = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let database = guard.as_mut().ok_or(SqliteError::Closed)?;
            work(database).map_err(|failure| match failure {
                Failure::Store(error) => error,
                Failure::Sqlite(source) => SqliteError::of(&database.path, action, source).into(),
            })
        });
        task.await.unwrap_or_else(|_| Err(SqliteError::Closed.into()))
    }
}

/// What can go wrong while the file is used.
enum Failure {
    Store(StoreError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

impl Failure {
    fn damaged(what: impl std::fmt::Display) -> Failure {
        Failure::Store(StoreError::Damaged { what: what.to_string() })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self, scopes: &Selection) -> Result<Loaded, StoreError> {
        let scopes = scopes.clone();
        self.with("read the state", move |database| read::load(database, &scopes)).await
    }

    async fn intents(&self, scopes: &Selection) -> Result<Vec<(Scope, OpenIntent)>, StoreError> {
        let scopes = scopes.clone();
        self.with("read the state", move |database| read::open_intents(database, &scopes)).await
    }

    async fn acquire(&self, request: &LeaseRequest) -> Result<Acquired, StoreError> {
        let request = request.clone();
        self.with("take a lease", move |database| lease::acquire(database, &request)).await
    }

    async fn renew(&self, run: Uuid, ttl: Duration) -> Result<u64, StoreError> {
        self.with("renew a lease", move |database| lease::renew(database, run, ttl)).await
    }

    async fn release(&self, run: Uuid) -> Result<(), StoreError> {
        self.with("give a lease back", move |database| lease::release(database, run)).await
    }

    async fn append(&self, run: Uuid, batch: &[Append]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        self.with("write the journal", move |database| append::append(database, run, &batch)).await
    }

    async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        let filter = filter.clone();
        self.with("read the journal", move |database| read::history(database, &filter)).await
    }

    async fn entries(
        &self,
        scope: &Scope,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        let scope = scope.clone();
        self.with("read the journal", move |database| read::entries(database, &scope, from, limit))
            .await
    }

    async fn close(&self) {
        let shared = Arc::clone(&self.database);
        let task = tokio::task::spawn_blocking(move || {
            drop(shared.lock().unwrap_or_else(PoisonError::into_inner).take());
        });
        // Dropping the connection cannot fail; a panic there would have no consequence.
        let _ = task.await;
    }
}
