//! A store in a PostgreSQL database, for teams. Each operation is one transaction that any
//! connection may carry out, so a pooler may stand before the server. A connection that breaks is
//! had again, and what was written before it broke is found out and never written twice.

mod append;
mod error;
mod lease;
mod password;
mod place;
mod read;
mod schema;
mod session;
mod tls;

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::store::Stored;
use crate::{
    Acquired, Append, Filter, LeaseRequest, Loaded, Logged, OpenIntent, Scope, Selection, Store,
    StoreError,
};

pub use error::{PostgresError, Said};
pub use place::without_password;

use append::AppendAll;
use lease::{Acquire, Release, Renew};
use place::Place;
use read::{Entries, History, Intents, Load};
use schema::{Check, Claim, Found, Migrate};
use session::{Patience, Sessions};

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    sessions: Sessions,
}

/// What a database is opened for.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Where it is: `postgres://USER@HOST:PORT/DATABASE`.
    pub url: &'a str,
    /// The deployment that is remembered there.
    pub deployment: &'a str,
}

/// Whether a URL is one of a PostgreSQL database.
pub fn is_url(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

impl PostgresStore {
    /// Connects for writing, and makes or updates the tables where that is needed.
    ///
    /// # Errors
    /// One for each way to fail, see [`PostgresError`].
    pub async fn open(opening: Opening<'_>) -> Result<PostgresStore, StoreError> {
        let (store, found) = PostgresStore::connect(opening).await?;
        let Place { server, schema, config, .. } = &store.sessions.place;
        if !found.writable {
            let server = server.clone();
            return Err(PostgresError::ReadOnly { action: "open the state", server }.into());
        }
        if found.is_old() {
            let made = store.sessions.run(&Migrate { schema }, Patience::Short).await;
            made.map_err(|error| match error {
                StoreError::Failed(cause) if is_permission(&*cause) && found.version == 0 => {
                    let user = config.get_user().unwrap_or_default().to_owned();
                    PostgresError::NoTables { server: server.clone(), user }.into()
                }
                error => error,
            })?;
        }
        let whose = match found.deployment {
            Some(whose) => whose,
            None => {
                let claim = Claim { deployment: opening.deployment };
                store.sessions.run(&claim, Patience::Short).await?
            }
        };
        store.belongs(&whose, opening)?;
        Ok(store)
    }

    /// Connects for reading alone; `None` when there are no tables yet.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_to_read(opening: Opening<'_>) -> Result<Option<PostgresStore>, StoreError> {
        let (store, found) = PostgresStore::connect(opening).await?;
        if found.version == 0 {
            return Ok(None);
        }
        store.belongs(found.deployment.as_deref().unwrap_or(opening.deployment), opening)?;
        Ok(Some(store))
    }

    async fn connect(opening: Opening<'_>) -> Result<(PostgresStore, Found), StoreError> {
        let place = Place::parse(opening.url, &|name| std::env::var(name).ok())?;
        let store = PostgresStore { sessions: Sessions::new(place)? };
        let Place { server, schema, .. } = &store.sessions.place;
        let found = store.sessions.run(&Check { server, schema }, Patience::Short).await?;
        Ok((store, found))
    }

    /// Refuses the state of another deployment: its objects would look like ones to take down.
    fn belongs(&self, found: &str, opening: Opening<'_>) -> Result<(), PostgresError> {
        if found == opening.deployment {
            return Ok(());
        }
        let server = self.sessions.place.server.clone();
        Err(PostgresError::OtherDeployment { server, found: found.to_owned() })
    }
}

fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(PostgresError::Permission { .. }))
}

#[async_trait]
impl Store for PostgresStore {
    async fn load(&self, scopes: &Selection) -> Result<Loaded, StoreError> {
        self.sessions.run(&Load(scopes), Patience::Long).await
    }

    async fn intents(&self, scopes: &Selection) -> Result<Vec<(Scope, OpenIntent)>, StoreError> {
        self.sessions.run(&Intents(scopes), Patience::Long).await
    }

    async fn acquire(&self, request: &LeaseRequest) -> Result<Acquired, StoreError> {
        self.sessions.run(&Acquire(request), Patience::Long).await
    }

    async fn renew(&self, run: Uuid, ttl: Duration) -> Result<u64, StoreError> {
        // Who renews tries again himself.
        self.sessions.run(&Renew { run, ttl }, Patience::Short).await
    }

    async fn release(&self, run: Uuid) -> Result<(), StoreError> {
        self.sessions.run(&Release(run), Patience::Long).await
    }

    async fn append(&self, run: Uuid, batch: &[Append]) -> Result<(), StoreError> {
        self.sessions.run(&AppendAll { run, batch }, Patience::Long).await
    }

    async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        self.sessions.run(&History(filter), Patience::Long).await
    }

    async fn entries(
        &self,
        scope: &Scope,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        self.sessions.run(&Entries { scope, from, limit }, Patience::Long).await
    }

    async fn close(&self) {
        self.sessions.close().await;
    }
}
