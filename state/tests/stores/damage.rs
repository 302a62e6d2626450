//! Damage that somebody does to a store: it is named, and nobody writes behind it.

use std::path::Path;
use std::sync::Arc;

use crate::database::Database;
use crate::kit::*;
use crate::server::{self, Way, fresh};
use tcloud_state::verify::{Damage, Fault, Verified, verify};
use tcloud_state::{SqliteStore, Store, StoreError};

/// What is done to the journal of `tenant.a`, and what is found: entry, fault, and whether the next
/// run is refused because it would write behind it.
const DAMAGE: [(&str, u64, Fault, bool); 7] = [
    (
        "UPDATE entries SET body = replace(body, 'erika', 'karl') WHERE serial = 3",
        3,
        CHANGED,
        false,
    ),
    ("UPDATE entries SET generation = 9 WHERE serial = 2", 2, CHANGED, false),
    ("DELETE FROM entries WHERE serial = 4", 4, Fault::Missing, false),
    ("DELETE FROM entries WHERE serial = 1", 1, Fault::Missing, false),
    ("DELETE FROM entries WHERE serial = 10", 10, Fault::Missing, true),
    ("UPDATE entries SET body = body || ' ' WHERE serial = 10", 10, CHANGED, true),
    (
        "UPDATE scopes SET serial = 9, head = (SELECT hash FROM entries WHERE serial = 9)",
        10,
        BEHIND,
        true,
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

async fn check(store: &dyn Store, sql: &str, serial: u64, what: Fault, refused: bool) {
    let Verified { damage, .. } = verify(store).await.expect("it can be read");
    assert_eq!(damage, [Damage { scope: scope("tenant.a"), serial, what }], "{sql}");
    let acquired = store.acquire(&request(uuid::Uuid::new_v4(), &["tenant.a"], TTL)).await;
    match acquired {
        Err(StoreError::Damaged { what }) if refused => {
            assert!(what.contains("of tenant.a"), "{what}");
        }
        Ok(_) if !refused => {}
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test]
async fn damage_to_a_file_is_named() {
    for (sql, serial, what, refused) in DAMAGE {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).expect("opens"));
        fill(&store).await;
        edit(&path, sql);
        check(&*store, sql, serial, what, refused).await;
    }
}

#[tokio::test]
async fn damage_to_a_database_is_named() {
    for (sql, serial, what, refused) in DAMAGE {
        let url = fresh(Way::Pooled);
        let store: Arc<dyn Store> = Arc::new(server::open(&url).await.expect("opens"));
        fill(&store).await;
        // Only the administrator can, and only on purpose.
        let on_purpose = format!(
            "SET search_path TO {}; ALTER TABLE entries DISABLE TRIGGER only_append; {sql}",
            server::schema(&url)
        );
        Database::shared().sql("operator", &on_purpose);
        check(&*store, sql, serial, what, refused).await;
    }
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

fn edit(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).expect("opens");
    let changed = connection.execute(sql, []).expect(sql);
    assert_eq!(changed, 1, "{sql}");
}
