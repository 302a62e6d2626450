//! Connections, and transactions over them. Each piece of work is one transaction that leaves
//! nothing behind in its connection, so that a pooler may give every transaction another one.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;

use super::error::{Failure, PostgresError, Stage};
use super::place::Place;
use super::tls::Tls;
use crate::StoreError;

/// How long a transaction that writes may take. A lease lasts longer.
const WRITING: Duration = Duration::from_secs(12);

/// How long one that reads may take: there may be half a million records.
const READING: Duration = Duration::from_secs(150);

/// How long the server may work on one statement: less than we wait, so that it answers.
const STATEMENT_WRITING: &str = "10s";
const STATEMENT_READING: &str = "120s";

/// How long a connection may take, beside what the URL allows for each of the hosts.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a connection that broke is tried to be had again.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two attempts at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Something that is done in one transaction. Only unnamed statements may be used in it.
pub(super) trait Work: Sync {
    /// What comes of it.
    type Output: Send;

    /// What it does, for messages: `cannot read the state`.
    const ACTION: &'static str;

    /// Whether it writes.
    const WRITES: bool;

    /// How long its transaction may take.
    const LIMIT: Duration = if Self::WRITES { WRITING } else { READING };

    /// Whether it may be done again when nobody knows whether it was done.
    const REPEATABLE: bool = true;

    /// Does it. `again` says that it may have been done already.
    fn run(
        &self,
        client: &Client,
        again: bool,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// How long to try.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// A server that is not there or broken is reported at once: somebody is waiting for it.
    Short,
    /// A run is under way, and its server may be back in a moment.
    Long,
}

/// Connections to one database.
pub(super) struct Sessions {
    pub(super) place: Place,
    tls: Tls,
    idle: Mutex<Vec<Session>>,
    closed: AtomicBool,
}

/// An open connection.
struct Session {
    client: Client,
    /// Carries what is said; ends when the client is dropped.
    driver: JoinHandle<()>,
}

impl Sessions {
    pub(super) fn new(place: Place) -> Result<Sessions, PostgresError> {
        let tls = Tls::new(&place.security)?;
        Ok(Sessions { place, tls, idle: Mutex::default(), closed: AtomicBool::new(false) })
    }

    /// Does something in one transaction, and tries again where that can help.
    pub(super) async fn run<W: Work>(
        &self,
        work: &W,
        patience: Patience,
    ) -> Result<W::Output, StoreError> {
        let mut waited = Duration::ZERO;
        let (mut pause, most) = PAUSES;
        let mut again = false;
        loop {
            let (failure, stage) = match self.attempt(work, again, &mut waited).await {
                Ok(output) => return Ok(output),
                Err(failed) => failed,
            };
            again |= stage == Stage::Commit;
            let helps = match patience {
                Patience::Long => failure.is_passing() && (W::REPEATABLE || !again),
                Patience::Short => failure.is_busy(),
            };
            if !helps || waited + pause >= PATIENCE {
                return Err(failure.explain(&self.place, W::ACTION, stage));
            }
            tracing::debug!(action = W::ACTION, "the database is tried again");
            sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(most);
        }
    }

    /// Tries once, and adds how long that took.
    async fn attempt<W: Work>(
        &self,
        work: &W,
        again: bool,
        waited: &mut Duration,
    ) -> Result<W::Output, (Failure, Stage)> {
        let begun = Instant::now();
        let session = self.session().await;
        *waited += begun.elapsed();
        let session = session.map_err(|failure| (failure, Stage::Connect))?;
        let begun = Instant::now();
        let mut stage = Stage::Work;
        let transaction = async {
            session.client.batch_execute(&self.begin::<W>()).await?;
            let output = work.run(&session.client, again).await?;
            stage = Stage::Commit;
            session.client.batch_execute("COMMIT").await?;
            Ok(output)
        };
        let answer = timeout(W::LIMIT, transaction).await;
        // A machine that slept meanwhile did not wait all that time: what it was about to write it
        // tries to write again, and learns what became of its leases.
        *waited += begun.elapsed().min(W::LIMIT);
        match answer {
            Ok(Ok(output)) => {
                self.idle().push(session);
                Ok(output)
            }
            // A connection in which anything failed is dropped, which undoes what it began.
            Ok(Err(failure)) => Err((failure, stage)),
            Err(_) => Err((Failure::Late, stage)),
        }
    }

    /// Begins a transaction. What is set in it ends with it.
    fn begin<W: Work>(&self) -> String {
        let (mode, limit) = match W::WRITES {
            true => ("READ COMMITTED", STATEMENT_WRITING),
            false => ("REPEATABLE READ READ ONLY", STATEMENT_READING),
        };
        let schema = &self.place.schema;
        // A commit that is not on disk is none, but whoever set something stronger keeps it.
        format!(
            "BEGIN ISOLATION LEVEL {mode};
             SET LOCAL search_path TO \"{schema}\", pg_temp;
             SET LOCAL statement_timeout = '{limit}';
             SET LOCAL idle_in_transaction_session_timeout = '5s';
             SELECT set_config('synchronous_commit', 'on', true)
                 WHERE current_setting('synchronous_commit') = 'off'"
        )
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        // Nothing panics while it is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that nobody uses.
    async fn session(&self) -> Result<Session, Failure> {
        if self.closed.load(Ordering::Acquire) {
            return Err(PostgresError::Closed.into());
        }
        let free = std::iter::from_fn(|| self.idle().pop()).find(|free| !free.client.is_closed());
        if let Some(free) = free {
            return Ok(free);
        }
        let config = &self.place.config;
        let each = config.get_connect_timeout().copied().unwrap_or(HANDSHAKE);
        let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1);
        let connecting = timeout(each * hosts + HANDSHAKE, config.connect(self.tls.clone()));
        let (client, connection) = connecting.await.map_err(|_| Failure::Late)??;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told the same.
            let _ = connection.await;
        });
        Ok(Session { client, driver })
    }

    /// Takes leave of the server.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let idle = std::mem::take(&mut *self.idle());
        for Session { client, driver } in idle {
            drop(client);
            // A server that does not listen is no reason to wait.
            let _ = timeout(Duration::from_millis(200), driver).await;
        }
    }
}
