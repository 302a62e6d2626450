//! What can happen to a database for teams: rights, poolers, other deployments, and what is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::database::Database;
use crate::kit::*;
use tcloud_state::postgres::{Opening, PostgresError};
use tcloud_state::{Body, PostgresStore, Selection, Store, StoreError, Why};

/// How the server is reached.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Direct,
    Pooled,
}

/// A URL with a schema that nothing is in yet.
pub(crate) fn fresh(way: Way) -> String {
    static USED: AtomicUsize = AtomicUsize::new(0);
    let number = USED.fetch_add(1, Ordering::Relaxed);
    let rest = format!("operator?schema=test{number}");
    match way {
        Way::Direct => Database::shared().url(&rest),
        Way::Pooled => Database::shared().pooled(&rest),
    }
}

pub(crate) fn schema(url: &str) -> &str {
    url.rsplit('=').next().expect("it names one")
}

pub(crate) async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(Opening { url, deployment: "test" }).await
}

/// Why it does not open.
async fn refusal(url: &str) -> PostgresError {
    match open(url).await.map(|_| ()).expect_err(url) {
        StoreError::Failed(error) => match error.downcast::<PostgresError>() {
            Ok(error) => *error,
            Err(error) => panic!("{error}"),
        },
        error => panic!("{error}"),
    }
}

async fn shared(url: &str) -> Arc<dyn Store> {
    Arc::new(open(url).await.expect("it opens"))
}

#[tokio::test]
async fn each_schema_has_a_key_of_its_own_that_lasts() {
    let (one, two) = (fresh(Way::Direct), fresh(Way::Direct));
    let mut keys = Vec::new();
    for url in [&one, &two, &one] {
        let loaded = shared(url).await.load(&Selection::All).await.expect("loaded");
        keys.push(loaded.key.expect("a key"));
    }
    assert!(keys[0] == keys[2] && keys[0] != keys[1]);
}

#[tokio::test]
async fn many_may_make_the_tables_at_the_same_time() {
    let url = fresh(Way::Pooled);
    let all = (0..12).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await.map(|_| ()) })
    });
    for opened in all.collect::<Vec<_>>() {
        opened.await.expect("no panic").expect("it opens");
    }
}

#[tokio::test]
async fn two_connections_see_each_other_and_are_fenced() {
    let url = fresh(Way::Pooled);
    let (one, two) = (shared(&url).await, shared(&url).await);
    let mut old = begin(&one, &["tenant.a"]).await;
    let mut takeover = request(uuid::Uuid::new_v4(), &["tenant.a"], TTL);
    takeover.ended = vec![old.id];
    two.acquire(&takeover).await.expect("acquired");
    let intent = Body::Intent(create(0, &object("tenant.a.vm.x"), 1));
    let refused = old.write("tenant.a", vec![intent]).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })));
}

#[tokio::test]
async fn only_reading_makes_no_tables() {
    let url = fresh(Way::Direct);
    let opening = Opening { url: &url, deployment: "test" };
    assert!(PostgresStore::open_to_read(opening).await.expect("answered").is_none());
    let store = shared(&url).await;
    begin(&store, &["tenant.a"]).await.create(0, "tenant.a.vm.x", 1).await;
    let reader = PostgresStore::open_to_read(opening).await.expect("answered").expect("there");
    assert_eq!(reader.load(&Selection::All).await.expect("loaded").state.records.len(), 1);
    reader.close().await;
    assert!(matches!(reader.load(&Selection::All).await, Err(StoreError::Failed(_))));
}

#[tokio::test]
async fn another_deployment_and_a_newer_state_are_refused() {
    let url = fresh(Way::Direct);
    drop(open(&url).await.expect("it opens"));
    let other = PostgresStore::open(Opening { url: &url, deployment: "other" }).await;
    let error = other.map(|_| ()).expect_err("it is somebody else's").to_string();
    assert!(error.contains("remembers another deployment, `test`"), "{error}");
    let update = format!("UPDATE {}.about SET version = 99", schema(&url));
    Database::shared().sql("operator", &update);
    assert!(matches!(refusal(&url).await, PostgresError::Newer { found: 99, .. }));
}

#[tokio::test]
async fn nobody_changes_the_journal() {
    let url = fresh(Way::Direct);
    let store = shared(&url).await;
    begin(&store, &["tenant.a"]).await.create(0, "tenant.a.vm.x", 1).await;
    let schema = schema(&url);
    for change in ["UPDATE", "DELETE", "TRUNCATE"] {
        let statement = match change {
            "UPDATE" => format!("UPDATE {schema}.entries SET body = ''"),
            "DELETE" => format!("DELETE FROM {schema}.entries"),
            _ => format!("TRUNCATE {schema}.entries"),
        };
        let check = format!(
            "DO $$ BEGIN {statement}; RAISE 'it was changed'; \
             EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"
        );
        Database::shared().sql("operator", &check);
    }
}

#[tokio::test]
async fn each_failure_has_its_own_words() {
    let database = Database::shared();
    let port = database.port();
    let directory = database.directory().display();
    let of = async |url: String| refusal(&url).await;
    let error = of("postgres://operator@127.0.0.1:1/operator".to_owned()).await;
    assert!(matches!(error, PostgresError::Unreachable { .. }), "{error}");
    let error = of(format!("postgres://nobody@127.0.0.1:{port}/operator")).await;
    assert!(matches!(error, PostgresError::Authentication { .. }), "{error}");
    let wrong = of(format!("postgres://stranger:wr0ng@127.0.0.1:{port}/operator")).await;
    assert!(matches!(wrong, PostgresError::Authentication { .. }), "{wrong}");
    assert!(!format!("{wrong:?}").contains("wr0ng"), "{wrong:?}");
    let error = of(format!("postgres://stranger@127.0.0.1:{port}/operator")).await;
    assert!(matches!(error, PostgresError::Authentication { .. }), "{error}");
    let error = of(format!("postgres://operator@127.0.0.1:{port}/nothing")).await;
    assert!(matches!(error, PostgresError::NoDatabase { .. }), "{error}");
    let error = of(format!("postgres://stranger:hunter2@127.0.0.1:{port}/operator")).await;
    assert!(matches!(error, PostgresError::NoTables { .. }), "{error}");
    let error = of("postgres://operator@/operator?host=/nowhere".to_owned()).await;
    assert!(matches!(error, PostgresError::Unreachable { .. }), "{error}");

    let tls = |parameters: &str| {
        format!("postgres://operator@localhost:{port}/operator?schema=tls&{parameters}")
    };
    for fine in [
        "sslmode=require".to_owned(),
        format!("sslmode=verify-full&sslrootcert={directory}/root.crt"),
    ] {
        open(&tls(&fine)).await.map(|_| ()).unwrap_or_else(|e| panic!("{fine}: {e}"));
    }
    let stranger = format!("sslmode=verify-full&sslrootcert={directory}/stranger.crt");
    for untrusted in ["sslmode=verify-full".to_owned(), stranger] {
        let error = of(tls(&untrusted)).await;
        assert!(matches!(error, PostgresError::Untrusted { .. }), "{error}");
    }
    // The certificate is for localhost, not for the address.
    let at = format!("postgres://operator@127.0.0.1:{port}/operator?schema=tls");
    let of_name = |mode: &str| format!("{at}&sslmode={mode}&sslrootcert={directory}/root.crt");
    let error = of(of_name("verify-full")).await;
    assert!(matches!(error, PostgresError::Untrusted { .. }), "{error}");
    open(&of_name("verify-ca")).await.map(|_| ()).expect("it was signed by the right one");
    let error = of(tls("sslrootcert=/nowhere&sslmode=verify-full")).await;
    assert!(matches!(error, PostgresError::Certificate { .. }), "{error}");
}

#[tokio::test]
async fn a_database_that_only_reads_is_read() {
    let database = Database::shared();
    database.sql("postgres", "CREATE DATABASE closed OWNER operator");
    let url = database.url("closed");
    let store = shared(&url).await;
    begin(&store, &["tenant.a"]).await.create(0, "tenant.a.vm.x", 1).await;
    database.sql("postgres", "ALTER DATABASE closed SET default_transaction_read_only = on");
    assert!(matches!(refusal(&url).await, PostgresError::ReadOnly { .. }));
    let opening = Opening { url: &url, deployment: "test" };
    let reader = PostgresStore::open_to_read(opening).await.expect("answered").expect("there");
    assert_eq!(reader.load(&Selection::All).await.expect("loaded").state.records.len(), 1);
}

/// The rights that the book gives to operators are enough, and let nobody change the journal; those
/// of auditors let them read.
#[tokio::test]
async fn the_rights_in_the_book_are_the_right_ones() {
    let page = include_str!("../../../book/src/operations/teams.md");
    let (_, rest) = page.split_once("```sql\n").expect("the page has a script");
    let (script, _) = rest.split_once("```").expect("it ends");
    let database = Database::shared();
    database.sql("postgres", "CREATE DATABASE rights OWNER operator");
    drop(open(&database.url("rights")).await.expect("the owner makes the tables"));
    database.sql("rights", script);
    database.sql(
        "rights",
        "CREATE ROLE erika LOGIN IN ROLE tcloud_operators; \
         CREATE ROLE karl LOGIN IN ROLE tcloud_auditors; CREATE ROLE max LOGIN; \
         ALTER TABLE tcloud.entries DISABLE TRIGGER only_append",
    );
    let of = |user: &str| database.url("rights").replace("operator", user);

    let store = shared(&of("erika")).await;
    let mut run = begin(&store, &["tenant.a", "shared"]).await;
    run.create(0, "tenant.a.vm.x", 1).await;
    let forgotten =
        Body::Records { why: Why::Forget, changes: vec![remove(&object("tenant.a.vm.x"))] };
    run.write("tenant.a", vec![forgotten]).await.expect("written");
    run.create(1, "tenant.a.vm.x", 1).await;
    run.create(2, "tenant.a.vm.x", 2).await;
    assert_eq!(store.renew(run.id, TTL).await.expect("renewed"), 2);
    store.release(run.id).await.expect("released");
    assert!(tcloud_state::verify::verify(&*store).await.expect("read").is_sound());
    for change in ["UPDATE tcloud.entries SET body = ''", "DELETE FROM tcloud.entries"] {
        let check = format!(
            "SET ROLE erika; DO $$ BEGIN {change}; RAISE 'it was changed'; \
             EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"
        );
        database.sql("rights", &check);
    }

    let (url, deployment) = (of("karl"), "test");
    let reader = PostgresStore::open_to_read(Opening { url: &url, deployment }).await;
    let reader = reader.expect("answered").expect("there");
    assert_eq!(reader.load(&Selection::All).await.expect("loaded").state.records.len(), 1);
    let auditor = shared(&url).await;
    let refused = auditor.acquire(&request(run.id, &["tenant.a"], TTL)).await;
    let error = refused.expect_err("it may only read").to_string();
    assert!(error.contains("karl may not do that"), "{error}");
    let error = refusal(&of("max")).await;
    assert!(matches!(error, PostgresError::Hidden { .. }), "{error}");
}

#[tokio::test]
async fn a_standby_is_read_and_whoever_writes_finds_the_server_that_can_be_written() {
    let database = Database::start();
    let store = shared(&database.url("operator")).await;
    begin(&store, &["tenant.a"]).await.create(0, "tenant.a.vm.x", 1).await;
    database.tell("standby");
    let (first, second) = (database.standby(), database.port());
    let url = format!("postgres://operator@127.0.0.1:{first}/operator");
    let error = refusal(&url).await;
    assert!(matches!(error, PostgresError::ReadOnly { .. }), "{error}");
    let opening = Opening { url: &url, deployment: "test" };
    let reader = PostgresStore::open_to_read(opening).await.expect("answered").expect("there");
    assert_eq!(reader.load(&Selection::All).await.expect("loaded").state.records.len(), 1);
    let both = format!(
        "postgres://operator@127.0.0.1:{first},127.0.0.1:{second}/operator\
         ?target_session_attrs=read-write"
    );
    let store = shared(&both).await;
    begin(&store, &["tenant.b"]).await.create(0, "tenant.b.vm.x", 1).await;
}
