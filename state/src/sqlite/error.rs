//! What can go wrong with the state's file, each with what to do about it.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::StoreError;

/// A failure of the state's file.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// The SQLite that tcloud was linked with has a known error in its write-ahead log.
    #[error("SQLite {found} is too old for the state: 3.51.3 or newer is needed")]
    TooOld {
        /// Its version.
        found: &'static str,
    },
    /// Locks do not work reliably there.
    #[error(
        "the state cannot be kept at {path:?}: this is a network file system ({kind}), where two \
         runs could write at the same time; keep it on a local disk"
    )]
    Network {
        /// The file.
        path: PathBuf,
        /// The file system.
        kind: &'static str,
    },
    /// The directory cannot be made or used.
    #[error("the directory of the state, {path:?}, cannot be used")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be opened.
    #[error("the state {path:?} cannot be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A database, but of another program.
    #[error("{path:?} is not a state of tcloud; it belongs to another program")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer tcloud.
    #[error("the state {path:?} was written by a newer tcloud (version {found}, known is {known})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this tcloud knows.
        known: i64,
    },
    /// It belongs to somebody else.
    #[error("cannot {action}: this account may not read and write {path:?}")]
    Denied {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It may only be read.
    #[error("cannot {action}: {path:?} or its directory is read-only")]
    ReadOnly {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// No room is left.
    #[error("cannot {action}: no space is left on the disk of {path:?}")]
    Full {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another process does not let go of it.
    #[error("cannot {action}: another program keeps {path:?} locked")]
    Busy {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// It is no database, or a damaged one.
    #[error(
        "{path:?} is damaged or not a state of tcloud; move it away, and \
         `tcloud state rebuild` makes a new one from what runs"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Anything else.
    #[error("cannot {action} in {path:?}")]
    Other {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Used after it was closed.
    #[error("the state was closed already")]
    Closed,
}

impl SqliteError {
    /// The error for what SQLite said.
    pub(super) fn of(path: &Path, action: &'static str, source: rusqlite::Error) -> SqliteError {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                // SQLite does not tell a disk that is read-only from a file of somebody else's.
                match OpenOptions::new().read(true).write(true).open(&path) {
                    Err(source) if source.kind() == ErrorKind::PermissionDenied => {
                        SqliteError::Denied { action, path, source }
                    }
                    _ => SqliteError::ReadOnly { action, path, source },
                }
            }
            Some(ErrorCode::DiskFull) => SqliteError::Full { action, path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                SqliteError::Busy { action, path, source }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                SqliteError::Damaged { path, source }
            }
            _ => SqliteError::Other { action, path, source },
        }
    }
}

impl From<SqliteError> for StoreError {
    fn from(error: SqliteError) -> StoreError {
        StoreError::Failed(Box::new(error))
    }
}
