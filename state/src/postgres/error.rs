//! What can go wrong with a database for teams, each with what to do about it. No password gets
//! into any of it: what the library says about a URL is never repeated.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use tokio_postgres::error::SqlState;

use super::place::Place;
use crate::StoreError;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL cannot be used.
    #[error("the URL of the state cannot be used: {help}")]
    Url {
        /// What it should be.
        help: String,
    },
    /// A password in it would be known to everybody on the machine.
    #[error("others may read the password file {path:?}; chmod 600 it")]
    OpenPasswordFile {
        /// The file.
        path: PathBuf,
    },
    /// A file that the connection needs.
    #[error("{path:?} cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate or a key.
    #[error("the certificates in {path:?} cannot be used")]
    Certificate {
        /// The file, or what else the certificates are from.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing listens there.
    #[error("cannot {action}: no PostgreSQL can be reached at {server}")]
    Unreachable {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// No answer came.
    #[error("cannot {action}: {server} did not answer in time")]
    Late {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
    },
    /// The connection broke and could not be had again.
    #[error("cannot {action}: the connection to {server} was lost")]
    Lost {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
        /// What happened.
        source: Said,
    },
    /// It broke at the very end.
    #[error(
        "the connection to {server} was lost while it was told to {action}; whether it did is not \
         known. Try again: nothing is done twice"
    )]
    InDoubt {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
    },
    /// The server does not know the user, or the password is wrong.
    #[error(
        "{server} does not let {user} in; passwords are looked for in PGPASSWORD, PGPASSFILE and \
         ~/.pgpass"
    )]
    Authentication {
        /// The server.
        server: String,
        /// The user.
        user: String,
        /// What it said.
        source: Said,
    },
    /// The server has no TLS.
    #[error(
        "{server} does not speak TLS, and what is remembered may not be read on the way; turn ssl \
         on there, or write sslmode=disable if nobody can listen in"
    )]
    NoTls {
        /// The server.
        server: String,
    },
    /// The server is not the one that it should be, or TLS failed otherwise.
    #[error(
        "{server} cannot be trusted; sslrootcert=FILE names the authority that signed its \
         certificate"
    )]
    Untrusted {
        /// The server.
        server: String,
        /// Why.
        source: Said,
    },
    /// The database does not exist.
    #[error("there is no such database: {server}; an administrator makes it with createdb")]
    NoDatabase {
        /// The server and the database.
        server: String,
    },
    /// The database has no tables of tcloud.
    #[error(
        "{server} has no tables of tcloud yet, and {user} may not make them; the owner of the \
         database makes them with the first command that writes"
    )]
    NoTables {
        /// The server and the database.
        server: String,
        /// The user.
        user: String,
    },
    /// The user may not even look.
    #[error("{user} may not use the tables of tcloud in {server}; the owner has to grant it")]
    Hidden {
        /// The server and the database.
        server: String,
        /// The user.
        user: String,
    },
    /// A right is missing.
    #[error("cannot {action}: {user} may not do that in {server}")]
    Permission {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
        /// The user.
        user: String,
        /// What the server said.
        source: Said,
    },
    /// A standby, or a database that is closed for writing.
    #[error(
        "cannot {action}: {server} only reads; it is a standby, or somebody closed it for writing"
    )]
    ReadOnly {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
    },
    /// Too old.
    #[error("{server} is PostgreSQL {found}; {oldest} or newer is needed")]
    TooOld {
        /// The server.
        server: String,
        /// Its version.
        found: i32,
        /// The oldest that serves.
        oldest: i32,
    },
    /// It cannot hold every character.
    #[error("the database {server} is encoded in {found}; it has to be UTF8")]
    Encoding {
        /// The server.
        server: String,
        /// Its encoding.
        found: String,
    },
    /// Written by a newer tcloud.
    #[error(
        "the state in {server} was written by a newer tcloud (version {found}, known is {known})"
    )]
    Newer {
        /// The server.
        server: String,
        /// Its version.
        found: i64,
        /// The newest version that this tcloud knows.
        known: i64,
    },
    /// Another deployment is remembered there.
    #[error(
        "{server} remembers another deployment, `{found}`; give each one a database of its own, or \
         a schema: postgres://…?schema=NAME"
    )]
    OtherDeployment {
        /// The server.
        server: String,
        /// The other one.
        found: String,
    },
    /// No room is left.
    #[error("cannot {action}: no space is left on the disk of {server}")]
    Full {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
    },
    /// Too many others are connected.
    #[error("cannot {action}: {server} takes no more connections")]
    Busy {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
        /// What it said.
        source: Said,
    },
    /// Anything else.
    #[error("cannot {action} in {server}")]
    Other {
        /// What was to be done.
        action: &'static str,
        /// The server.
        server: String,
        /// What happened.
        source: Said,
    },
    /// Used after it was closed.
    #[error("the state was closed already")]
    Closed,
}

/// What the server or the library said, in one line. Details of a server's message are left out,
/// since they may repeat what is stored.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

/// Why an attempt did not succeed.
pub(super) enum Failure {
    /// It is of no use to try again.
    Store(StoreError),
    /// The server or the library said so.
    Server(tokio_postgres::Error),
    /// Nobody answered.
    Late,
}

/// How far an attempt came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was being connected.
    Connect,
    /// The transaction was open; it never came to be.
    Work,
    /// The transaction was being committed; nobody knows.
    Commit,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        Failure::Server(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

impl From<PostgresError> for Failure {
    fn from(error: PostgresError) -> Failure {
        Failure::Store(error.into())
    }
}

impl From<PostgresError> for StoreError {
    fn from(error: PostgresError) -> StoreError {
        StoreError::Failed(Box::new(error))
    }
}

impl Failure {
    pub(super) fn damaged(what: impl std::fmt::Display) -> Failure {
        Failure::Store(StoreError::Damaged { what: what.to_string() })
    }

    /// Whether another attempt may succeed.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Failure::Store(_) => false,
            Failure::Late => true,
            Failure::Server(error) => match error.code() {
                Some(code) => self.is_busy() || PASSING.contains(code) || is_connection(code),
                None => error.is_closed() || (io_of(error).is_some() && untrusted(error).is_none()),
            },
        }
    }

    /// Whether the server is there and only wants to be asked later.
    pub(super) fn is_busy(&self) -> bool {
        let Failure::Server(error) = self else { return false };
        error.code().is_some_and(|code| BUSY.contains(code))
    }

    /// The error for it.
    pub(super) fn explain(self, place: &Place, action: &'static str, stage: Stage) -> StoreError {
        let server = place.server.clone();
        match self {
            Failure::Store(error) => error,
            Failure::Late if stage == Stage::Commit => {
                PostgresError::InDoubt { action, server }.into()
            }
            Failure::Late => PostgresError::Late { action, server }.into(),
            Failure::Server(error) => explain(&error, place, action, stage).into(),
        }
    }
}

const BUSY: [SqlState; 2] = [SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS];

/// The server is being stopped, or had to give way.
const PASSING: [SqlState; 7] = [
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::QUERY_CANCELED,
    SqlState::LOCK_NOT_AVAILABLE,
];

/// Whether the trouble is with a connection: a pooler's, where it is not the server's own.
fn is_connection(code: &SqlState) -> bool {
    code.code().starts_with("08")
}

fn explain(
    error: &tokio_postgres::Error,
    place: &Place,
    action: &'static str,
    stage: Stage,
) -> PostgresError {
    let server = place.server.clone();
    let user = place.config.get_user().unwrap_or_default().to_owned();
    let source = said(error);
    if let Some(code) = error.code() {
        return match code.code() {
            "28P01" | "28000" => PostgresError::Authentication { server, user, source },
            "3D000" => PostgresError::NoDatabase { server },
            "42501" => PostgresError::Permission { action, server, user, source },
            "25006" => PostgresError::ReadOnly { action, server },
            "53100" => PostgresError::Full { action, server },
            "53300" | "57P03" => PostgresError::Busy { action, server, source },
            _ if stage == Stage::Commit => PostgresError::InDoubt { action, server },
            "57014" | "55P03" => PostgresError::Late { action, server },
            "57P01" | "57P02" | "25P03" => PostgresError::Lost { action, server, source },
            _ => PostgresError::Other { action, server, source },
        };
    }
    if stage == Stage::Commit {
        return PostgresError::InDoubt { action, server };
    }
    if let Some(why) = untrusted(error) {
        return PostgresError::Untrusted { server, source: Said(why) };
    }
    let text = source.0.as_str();
    if text.contains("does not support TLS") {
        return PostgresError::NoTls { server };
    }
    if text.contains("password") || text.contains("authentication") {
        return PostgresError::Authentication { server, user, source };
    }
    match io_of(error) {
        Some(io) if io.kind() == io::ErrorKind::TimedOut => PostgresError::Late { action, server },
        Some(io) if stage == Stage::Connect => {
            let source = io::Error::new(io.kind(), io.to_string());
            PostgresError::Unreachable { action, server, source }
        }
        Some(_) => PostgresError::Lost { action, server, source },
        None if error.is_closed() => PostgresError::Lost { action, server, source },
        None => PostgresError::Other { action, server, source },
    }
}

fn io_of(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source().and_then(|source| source.downcast_ref())
}

/// Why TLS does not trust the server, if that is the trouble.
fn untrusted(error: &tokio_postgres::Error) -> Option<String> {
    let inner = io_of(error)?.get_ref()?;
    Some(inner.downcast_ref::<tokio_rustls::rustls::Error>()?.to_string())
}

/// An error of the library and its cause, in one line.
fn said(error: &tokio_postgres::Error) -> Said {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => Said(format!("{} ({})", db.message(), db.code().code())),
        (None, Some(cause)) => Said(format!("{error}: {cause}")),
        (None, None) => Said(error.to_string()),
    }
}
