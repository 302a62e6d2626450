//! The tables, as the steps from each version of the file to the next.

/// One script for each version; the file's `user_version` says how many of them it has had. A
/// script that was released is never edited.
pub(super) const MIGRATIONS: [&str; 2] = [
    // Times are milliseconds since 1970 by this database's clock. `head` and `hash` are BLAKE3.
    // Bodies are JSON. A table of large rows with a key of its own is kept in that key's order,
    // so that the records of a scope lie together.
    "CREATE TABLE scopes (
         id INTEGER PRIMARY KEY,
         name TEXT NOT NULL UNIQUE,
         generation INTEGER NOT NULL,
         serial INTEGER NOT NULL,
         head BLOB NOT NULL,
         run BLOB,
         holder TEXT,
         expires INTEGER
     ) STRICT;
     CREATE INDEX scopes_held ON scopes (run) WHERE run IS NOT NULL;
     CREATE TABLE entries (
         seq INTEGER PRIMARY KEY,
         scope INTEGER NOT NULL REFERENCES scopes,
         serial INTEGER NOT NULL,
         generation INTEGER NOT NULL,
         run BLOB NOT NULL,
         summary INTEGER NOT NULL,
         hash BLOB NOT NULL,
         body TEXT NOT NULL,
         UNIQUE (scope, serial)
     ) STRICT;
     CREATE INDEX entries_summary ON entries (seq) WHERE summary = 1;
     CREATE TABLE intents (
         scope INTEGER NOT NULL REFERENCES scopes,
         run BLOB NOT NULL,
         step INTEGER NOT NULL,
         body TEXT NOT NULL,
         PRIMARY KEY (run, step)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE records (
         scope INTEGER NOT NULL REFERENCES scopes,
         address TEXT NOT NULL,
         host TEXT NOT NULL,
         incarnation INTEGER NOT NULL,
         body TEXT NOT NULL,
         PRIMARY KEY (scope, address, host, incarnation)
     ) STRICT, WITHOUT ROWID;",
    // What plan files are sealed with.
    "CREATE TABLE about (key BLOB NOT NULL) STRICT;
     INSERT INTO about VALUES (randomblob(32));",
];

/// Marks the file as a state of tcloud ("tcld").
pub(super) const APPLICATION_ID: i64 = 0x7463_6c64;

/// The version that this tcloud writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;
