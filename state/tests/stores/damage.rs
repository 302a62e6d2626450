//! Damage that somebody does to a store: it is named, and nobody writes behind it.

use std::path::Path;
use std::sync::Arc;

use crate::database::Database;
use crate::kit::*;
use crate::server::{self, Way, fresh};
use tcloud_state::verify::{Damage, Fault, Verified, verify};
use tcloud_state::{Acquired, Body, Selection, SqliteStore, Store, StoreError, Why};

/// What is done to the journal of `tenant.a`, and what is found: entry and fault. Whatever it is,
/// nobody writes behind it.
const DAMAGE: [(&str, u64, Fault); 8] = [
    ("UPDATE entries SET body = replace(body, 'erika', 'karl') WHERE serial = 3", 3, CHANGED),
    ("UPDATE entries SET generation = 9 WHERE serial = 2", 2, CHANGED),
    (
        "UPDATE entries SET body = (SELECT body FROM entries WHERE serial = 7) WHERE serial = 5",
        5,
        CHANGED,
    ),
    ("DELETE FROM entries WHERE serial = 4", 4, Fault::Missing),
    ("DELETE FROM entries WHERE serial = 1", 1, Fault::Missing),
    ("DELETE FROM entries WHERE serial = 10", 10, Fault::Missing),
    ("UPDATE entries SET body = body || ' ' WHERE serial = 10", 10, CHANGED),
    (
        "UPDATE scopes SET serial = 9, head = (SELECT hash FROM entries WHERE serial = 9)",
        10,
        BEHIND,
    ),
];
const CHANGED: Fault = Fault::Changed;
const BEHIND: Fault = Fault::BehindTheEnd;

async fn fill(store: &Arc<dyn Store>) {
    let mut run = begin(store, &["tenant.a"]).await;
    for step in 0..5 {
        run.create(step, &format!("tenant.a.vm.erika[{step}]"), 1).await;
    }
    store.release(run.id).await.expect("released");
}

async fn check(store: &dyn Store, sql: &str, serial: u64, what: Fault) {
    let Verified { damage, .. } = verify(store).await.expect("it can be read");
    assert_eq!(damage, [Damage { scope: scope("tenant.a"), serial, what }], "{sql}");
    refused(store, &format!("entry {serial} of tenant.a {}", what.words())).await;
    // Looking is as good as before, and so is what belongs to others.
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!(loaded.state.records.len(), 5, "{sql}");
    let other = store.acquire(&request(uuid::Uuid::new_v4(), &["tenant.b"], TTL)).await;
    assert!(matches!(other, Ok(Acquired::Granted(_))), "{sql}: {other:?}");
}

/// Nobody gets a lease, and is told why, however often he asks.
async fn refused(store: &dyn Store, why: &str) {
    for scopes in [&["tenant.a"][..], &["tenant.a", "tenant.c"], &["tenant.a"]] {
        let acquired = store.acquire(&request(uuid::Uuid::new_v4(), scopes, TTL)).await;
        let Err(StoreError::Damaged { what }) = acquired else { panic!("{why}: {acquired:?}") };
        assert!(what.starts_with(why) && what.contains("tcloud state rebuild"), "{what}");
    }
}

#[tokio::test]
async fn damage_to_a_file_is_named() {
    for (sql, serial, what) in DAMAGE {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).expect("opens"));
        fill(&store).await;
        edit(&path, sql);
        check(&*store, sql, serial, what).await;
    }
}

#[tokio::test]
async fn damage_to_a_database_is_named() {
    for (sql, serial, what) in DAMAGE {
        let url = fresh(Way::Pooled);
        let store: Arc<dyn Store> = Arc::new(server::open(&url).await.expect("opens"));
        fill(&store).await;
        // Only the administrator can, and only on purpose.
        let on_purpose = format!(
            "SET search_path TO {}; ALTER TABLE entries DISABLE TRIGGER only_append; {sql}",
            server::schema(&url)
        );
        Database::shared().sql("operator", &on_purpose);
        check(&*store, sql, serial, what).await;
    }
}

/// Of a journal too long to be followed whenever somebody writes, its newer part is followed, and
/// of the older one another part each time.
#[tokio::test]
async fn damage_to_a_long_journal_is_met_in_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).expect("opens"));
    let mut run = begin(&store, &["tenant.a"]).await;
    let nothing = || Body::Records { why: Why::Refresh, changes: Vec::new() };
    for _ in 0..5 {
        run.write("tenant.a", (0..2_000).map(|_| nothing()).collect()).await.expect("written");
    }
    store.release(run.id).await.expect("released");
    edit(
        &path,
        "UPDATE entries SET body = replace(body, 'refresh', 'rebuild') WHERE serial = 9000",
    );
    refused(&*store, "entry 9000 of tenant.a was changed").await;
    edit(
        &path,
        "UPDATE entries SET body = replace(body, 'rebuild', 'refresh') WHERE serial = 9000",
    );
    edit(&path, "UPDATE entries SET body = replace(body, 'refresh', 'rebuild') WHERE serial = 77");
    for _ in 0..100 {
        let asked = request(uuid::Uuid::new_v4(), &["tenant.a"], TTL);
        let granted = match store.acquire(&asked).await {
            Ok(Acquired::Granted(leases)) => leases,
            Err(StoreError::Damaged { .. }) => {
                return refused(&*store, "entry 77 of tenant.a was changed").await;
            }
            other => panic!("{other:?}"),
        };
        let run = asked.holder.run;
        let writer = tcloud_state::Writer::new(Arc::clone(&store), run, &granted);
        let mut run = Run { id: run, writer };
        run.write("tenant.a", vec![nothing()]).await.expect("written");
        store.release(run.id).await.expect("released");
    }
    panic!("nobody noticed");
}

#[tokio::test]
async fn records_that_do_not_follow_from_the_journal_are_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).expect("opens"));
    fill(&store).await;
    edit(&path, "DELETE FROM records WHERE address = 'tenant.a.vm.erika[2]'");
    let verified = verify(&*store).await.expect("it can be read");
    assert!(verified.damage.is_empty() && verified.remembered_differs, "{verified:?}");
}

/// A write that the disk tore at the end is dropped, and all before it is sound.
#[tokio::test]
async fn a_torn_tail_is_dropped() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).expect("opens"));
    let mut run = begin(&store, &["tenant.a"]).await;
    run.create(0, "tenant.a.vm.x", 1).await;
    let whole = std::fs::metadata(directory.path().join("state.db-wal")).expect("a log").len();
    run.create(1, "tenant.a.vm.y", 1).await;
    // The machine goes down: another one finds the files as they are, with half of the last write.
    let after = tempfile::tempdir().expect("a directory");
    for name in ["state.db", "state.db-wal"] {
        std::fs::copy(directory.path().join(name), after.path().join(name)).expect("copied");
    }
    let log = std::fs::OpenOptions::new().write(true).open(after.path().join("state.db-wal"));
    log.expect("opens").set_len(whole + 2000).expect("cut");
    let store = SqliteStore::open(&after.path().join("state.db")).expect("opens");
    assert!(store.was_cut_off());
    let verified = verify(&store).await.expect("it can be read");
    assert!(verified.is_sound() && verified.entries == 2, "{verified:?}");
    store.acquire(&request(run.id, &["tenant.a"], TTL)).await.expect("it can be written");
    store.close().await;
    let again = SqliteStore::open(&after.path().join("state.db")).expect("opens");
    assert!(!again.was_cut_off(), "it is told once");
}

/// What a power failure did to a sector of the log that was not synced yet.
const FAILURES: [fn(&mut Vec<u8>, usize); 3] = [
    |log, at| log.truncate(at),
    |log, at| log[at..].iter_mut().take(SECTOR).for_each(|byte| *byte = 0),
    |log, at| log[at + 7] ^= 0x10,
];
const SECTOR: usize = 512;

/// Sectors that are lost, cut off or garbled, in whatever order they were written: what was said to
/// be durable is there, and of what was not, all of a commit or nothing.
#[tokio::test]
async fn whatever_a_power_failure_leaves_is_sound() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).expect("opens"));
    let mut run = begin(&store, &["tenant.a"]).await;
    run.create(0, "tenant.a.vm.x", 1).await;
    let log = directory.path().join("state.db-wal");
    let durable = std::fs::read(&log).expect("a log").len();
    run.create(1, "tenant.a.vm.y", 1).await;
    let (file, log) = (std::fs::read(&path).expect("a file"), std::fs::read(&log).expect("a log"));
    let mut dropped = 0;
    for at in (durable..log.len()).step_by(3 * SECTOR) {
        for failure in FAILURES {
            let after = tempfile::tempdir().expect("a directory");
            let mut log = log.clone();
            failure(&mut log, at);
            std::fs::write(after.path().join("state.db"), &file).expect("written");
            std::fs::write(after.path().join("state.db-wal"), log).expect("written");
            let store = SqliteStore::open(&after.path().join("state.db")).expect("opens");
            let verified = verify(&store).await.expect("it can be read");
            assert!(verified.is_sound() && (2..=4).contains(&verified.entries), "{verified:?}");
            dropped += 4 - verified.entries;
            store.acquire(&request(run.id, &["tenant.a"], TTL)).await.expect("it can be written");
        }
    }
    assert!(dropped > 0, "nothing was torn");
}

fn edit(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    let changed = connection.execute(sql, []).expect(sql);
    assert_eq!(changed, 1, "{sql}");
}
