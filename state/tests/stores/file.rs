//! What can be wrong with the file of a SQLite store, and that it outlives the process.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::kit::*;
use tcloud_state::sqlite::SqliteError;
use tcloud_state::{Selection, SqliteStore, Store, StoreError};

fn open(path: &Path) -> Result<SqliteStore, SqliteError> {
    SqliteStore::open(path)
}

#[tokio::test]
async fn the_state_outlives_the_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    let store: Arc<dyn Store> = Arc::new(open(&path).expect("opens"));
    begin(&store, &["tenant.a"]).await.create(0, "tenant.a.vm.x", 1).await;
    store.close().await;
    assert!(matches!(store.load(&Selection::All).await, Err(StoreError::Failed(_))));

    let store = open(&path).expect("opens again");
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!(loaded.state.records.len(), 1);
}

#[tokio::test]
async fn each_state_has_a_key_of_its_own_that_lasts() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut keys = Vec::new();
    for name in ["one", "two", "one"] {
        let store = open(&directory.path().join(name)).expect("opens");
        keys.push(store.load(&Selection::All).await.expect("loaded").key.expect("a key"));
        store.close().await;
    }
    assert!(keys[0] == keys[2] && keys[0] != keys[1]);
    assert_eq!(format!("{keys:?}"), "[SealKey(..), SealKey(..), SealKey(..)]");
}

#[tokio::test]
async fn two_connections_see_each_other_and_are_fenced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    let one: Arc<dyn Store> = Arc::new(open(&path).expect("opens"));
    let two: Arc<dyn Store> = Arc::new(open(&path).expect("opens"));
    let mut old = begin(&one, &["tenant.a"]).await;
    let mut takeover = request(uuid::Uuid::new_v4(), &["tenant.a"], TTL);
    takeover.ended = vec![old.id];
    two.acquire(&takeover).await.expect("acquired");
    let intent = tcloud_state::Body::Intent(create(0, &object("tenant.a.vm.x"), 1));
    let refused = old.write("tenant.a", vec![intent]).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })));
}

#[test]
fn many_may_open_a_new_file_at_the_same_time() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state.db");
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    drop(open(&path).expect("opens"));
                });
            }
        });
    }
}

#[test]
fn an_empty_file_is_a_new_state() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    fs::write(&path, "").expect("written");
    open(&path).expect("opens");
}

#[test]
fn a_file_of_something_else_is_refused_untouched() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    fs::write(&path, "tenant a { }\n".repeat(100)).expect("written");
    assert!(matches!(open(&path), Err(SqliteError::Damaged { .. })));
    let foreign = directory.path().join("other.db");
    let other = rusqlite::Connection::open(&foreign).expect("opens");
    other.execute_batch("CREATE TABLE songs (title TEXT)").expect("made");
    drop(other);
    assert!(matches!(open(&foreign), Err(SqliteError::NotOurs { .. })));
}

#[test]
fn a_newer_state_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    drop(open(&path).expect("opens"));
    let newer = rusqlite::Connection::open(&path).expect("opens");
    newer.execute_batch("PRAGMA user_version = 99").expect("set");
    drop(newer);
    assert!(matches!(open(&path), Err(SqliteError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_not_a_wrong_answer() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    let store: Arc<dyn Store> = Arc::new(open(&path).expect("opens"));
    let mut run = begin(&store, &["tenant.a"]).await;
    for step in 0..200 {
        run.create(step, &format!("tenant.a.vm.x[{step}]"), 1).await;
    }
    store.close().await;
    let mut bytes = fs::read(&path).expect("read");
    for page in bytes.chunks_mut(4096).skip(2) {
        page[..100].fill(0xff);
    }
    fs::write(&path, bytes).expect("written");
    let loaded = match open(&path) {
        Ok(store) => store.load(&Selection::All).await,
        Err(error) => Err(error.into()),
    };
    let error = loaded.expect_err("it is damaged").to_string();
    assert!(error.contains("state rebuild"), "{error}");
}

#[test]
fn a_directory_in_the_way_is_a_clear_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "").expect("written");
    assert!(matches!(open(&file.join("state.db")), Err(SqliteError::Directory { .. })));
    let error = open(directory.path()).map(|_| ()).expect_err("it is a directory").to_string();
    assert!(error.contains("cannot open"), "{error}");
}
