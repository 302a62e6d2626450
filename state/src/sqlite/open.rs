//! Opens the file: checks where it is and what it is, and brings it to the newest version.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error::SqliteError;
use super::place::network_file_system;
use super::schema::{APPLICATION_ID, MIGRATIONS, VERSION};

/// The oldest SQLite whose write-ahead log is sound (3.51.3).
const OLDEST: i32 = 3_051_003;

/// How long to wait for another process that writes. A transaction takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to sleep before SQLite is asked again for what it does not wait for itself.
const PAUSE: Duration = Duration::from_millis(5);

/// How many prepared statements are kept.
const STATEMENTS: usize = 64;

pub(super) fn open(path: &Path) -> Result<Connection, SqliteError> {
    if rusqlite::version_number() < OLDEST {
        return Err(SqliteError::TooOld { found: rusqlite::version() });
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&directory)
        .map_err(|source| SqliteError::Directory { path: directory.clone(), source })?;
    if let Some(kind) = network_file_system(&directory) {
        return Err(SqliteError::Network { path: path.to_owned(), kind });
    }
    create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(opening(path))?;
    prepare(&mut connection, path)?;
    Ok(connection)
}

/// Makes an empty file that only its owner may read: the journal tells a lot about a network.
fn create(path: &Path) -> Result<(), SqliteError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(SqliteError::Open { path: path.to_owned(), source: Box::new(source) }),
    }
}

fn opening(path: &Path) -> impl Fn(rusqlite::Error) -> SqliteError {
    move |source| SqliteError::of(path, "open the state", source)
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), SqliteError> {
    connection.busy_timeout(PATIENCE).map_err(opening(path))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    check_kind(connection, path)?;
    log_ahead(connection).map_err(opening(path))?;
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -512;
             PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;",
        )
        .map_err(opening(path))?;
    migrate(connection).map_err(opening(path))
}

/// Turns the write-ahead log on. SQLite needs the file for itself to do that and does not wait for
/// it, whatever its time-out is: two processes that open a new file at the same time meet here.
fn log_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < PATIENCE =>
            {
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

/// Refuses databases of other programs and of newer versions before anything is written to them.
/// It sees one moment of the file: another process may be making it right now.
fn check_kind(connection: &mut Connection, path: &Path) -> Result<(), SqliteError> {
    let moment = connection.transaction().map_err(opening(path))?;
    let number = |pragma: &str| -> Result<i64, SqliteError> {
        moment.query_row(pragma, [], |row| row.get(0)).map_err(opening(path))
    };
    let application = number("PRAGMA application_id")?;
    let found = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_master")?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(SqliteError::NotOurs { path: path.to_owned() });
    }
    if found > VERSION {
        return Err(SqliteError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

/// Runs the scripts that the file has not had yet. Two processes may try it at the same time.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let version = |c: &Connection| c.query_row("PRAGMA user_version", [], |row| row.get(0));
    if version(connection)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = version(&transaction)?;
    for script in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(script)?;
    }
    transaction.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
    ))?;
    transaction.commit()
}
