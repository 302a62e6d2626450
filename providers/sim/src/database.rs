//! The file that a simulated host lives in: where it is, how it is opened, what its tables are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tcloud_model::{Address, Digest};

use crate::failure::Failure;

/// The version of the tables, kept in the file's `user_version`.
const VERSION: i64 = 1;

/// How long a process waits for another one that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to sleep before SQLite is asked again for what it does not wait for itself.
const PAUSE: Duration = Duration::from_millis(5);

/// The longest name of a file without its extension, in bytes.
const LONGEST_NAME: usize = 200;

/// `usage` is kept by triggers, so that no way of changing an object can forget it.
const TABLES: &str = "
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE latency (
        operation TEXT NOT NULL, kind TEXT NOT NULL,
        milliseconds INTEGER NOT NULL, jitter INTEGER NOT NULL,
        PRIMARY KEY (operation, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE fault (
        id INTEGER PRIMARY KEY, operation TEXT, kind TEXT, object TEXT,
        how TEXT NOT NULL, message TEXT NOT NULL,
        remaining INTEGER, chance INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE call (
        serial INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, kind TEXT NOT NULL,
        name TEXT NOT NULL, address TEXT NOT NULL, outcome TEXT NOT NULL
    ) STRICT;
    CREATE TABLE object (
        id INTEGER PRIMARY KEY,
        class TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, uuid BLOB NOT NULL UNIQUE,
        deployment BLOB, address TEXT, stamp TEXT,
        attributes TEXT NOT NULL, pending TEXT,
        written INTEGER, running INTEGER, boots INTEGER NOT NULL, started INTEGER,
        pool TEXT, size INTEGER NOT NULL, memory INTEGER NOT NULL,
        leaving TEXT,
        UNIQUE (class, name)
    ) STRICT;
    CREATE INDEX object_address ON object (address) WHERE address IS NOT NULL;
    CREATE TABLE link (
        source INTEGER NOT NULL, class TEXT NOT NULL, name TEXT NOT NULL, live INTEGER NOT NULL,
        address TEXT, mac TEXT
    ) STRICT;
    CREATE INDEX link_source ON link (source);
    CREATE INDEX link_target ON link (class, name, address);
    CREATE INDEX link_mac ON link (name, mac) WHERE mac IS NOT NULL;
    CREATE TABLE usage (
        what TEXT NOT NULL, name TEXT NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (what, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER pool_filled AFTER INSERT ON object WHEN new.pool IS NOT NULL BEGIN
        INSERT INTO usage VALUES ('pool', new.pool, new.size)
            ON CONFLICT DO UPDATE SET used = used + excluded.used;
    END;
    CREATE TRIGGER pool_freed AFTER DELETE ON object WHEN old.pool IS NOT NULL BEGIN
        UPDATE usage SET used = used - old.size WHERE what = 'pool' AND name = old.pool;
    END;
    CREATE TRIGGER pool_changed AFTER UPDATE OF pool, size ON object
        WHEN old.pool IS NOT new.pool OR old.size <> new.size BEGIN
        UPDATE usage SET used = used - old.size WHERE what = 'pool' AND name = old.pool;
        INSERT INTO usage SELECT 'pool', new.pool, new.size WHERE new.pool IS NOT NULL
            ON CONFLICT DO UPDATE SET used = used + excluded.used;
    END;
    CREATE TRIGGER memory_taken AFTER INSERT ON object WHEN new.memory <> 0 BEGIN
        INSERT INTO usage VALUES ('memory', '', new.memory)
            ON CONFLICT DO UPDATE SET used = used + excluded.used;
    END;
    CREATE TRIGGER memory_freed AFTER DELETE ON object WHEN old.memory <> 0 BEGIN
        UPDATE usage SET used = used - old.memory WHERE what = 'memory';
    END;
    CREATE TRIGGER memory_changed AFTER UPDATE OF memory ON object
        WHEN old.memory <> new.memory BEGIN
        INSERT INTO usage VALUES ('memory', '', new.memory - old.memory)
            ON CONFLICT DO UPDATE SET used = used + excluded.used;
    END;
    CREATE TRIGGER links_gone AFTER DELETE ON object WHEN old.class = 'vm' BEGIN
        DELETE FROM link WHERE source = old.id;
    END;
";

/// Where the file of a host is, below the directory that providers may keep files in.
pub(crate) fn file_of(directory: &Path, host: &Address) -> PathBuf {
    let text = host.to_string();
    let mut name = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_[]".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    if name.len() > LONGEST_NAME {
        name.truncate(LONGEST_NAME - 33);
        name.push_str(&format!("~{}", Digest::of_bytes(text.as_bytes())));
    }
    directory.join("sim").join(format!("{name}.db"))
}

/// Opens the file of a host, and makes it when there is none.
pub(crate) fn open(file: &Path) -> Result<Connection, Failure> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(|cause| {
            Failure::Refused(format!("cannot make the directory {}: {cause}", directory.display()))
        })?;
    }
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else a statement that a partial index could serve is planned anew for each value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    log_ahead(&connection)?;
    // Survives the death of the process; a power failure may lose the last operations, which is
    // what a simulated host may forget.
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256;",
    )?;
    make_tables(&mut connection)?;
    Ok(connection)
}

/// Turns the write-ahead log on. SQLite does not wait for the others that have just made the file,
/// whatever its time-out is, when it needs a file for itself.
fn log_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
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

fn make_tables(connection: &mut Connection) -> Result<(), Failure> {
    if version(connection)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match version(&transaction)? {
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        VERSION => {}
        other => {
            return Failure::refused(format!(
                "the file of the simulated host has version {other}, this program knows {VERSION}"
            ));
        }
    }
    transaction.commit()?;
    Ok(())
}

fn version(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_a_file_of_its_own_inside_the_directory() {
        let file = |text: &str| {
            let host: Address = text.parse().expect(text);
            file_of(Path::new("d"), &host)
        };
        assert_eq!(file("site.m.host.kvm1"), Path::new("d/sim/site.m.host.kvm1.db"));
        assert_eq!(file("host.a[\"../x\"]"), Path::new("d/sim/host.a[%22..%2fx%22].db"));
        let long = |end| format!("host.a[\"{}{end}\"]", "x".repeat(300));
        assert_ne!(file(&long('a')), file(&long('b')));
    }
}
