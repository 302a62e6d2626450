//! What every store has to do. Each test runs on each store.

use std::sync::Arc;
use std::time::Duration;

use crate::kit::*;
use tcloud_state::{
    Acquired, Begin, Body, Filter, Folded, Head, MemoryStore, Outcome, Remembered, Scope,
    Selection, SqliteStore, StepResult, Store, StoreError, Why, Writer,
};
use uuid::Uuid;

macro_rules! on_every_store {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test] async fn $name() {
                super::$name(std::sync::Arc::new(super::MemoryStore::default())).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test] async fn $name() {
                let directory = tempfile::tempdir().expect("a directory");
                let path = directory.path().join("new/state.db");
                let store = super::SqliteStore::open(&path).expect("the store opens");
                super::$name(std::sync::Arc::new(store)).await;
            })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() {
                let url = crate::server::fresh(crate::server::Way::Direct);
                let store = crate::server::open(&url).await.expect("the store opens");
                super::$name(std::sync::Arc::new(store)).await;
            })*
        }
        mod pooled {
            $(#[tokio::test] async fn $name() {
                let url = crate::server::fresh(crate::server::Way::Pooled);
                let store = crate::server::open(&url).await.expect("the store opens");
                super::$name(std::sync::Arc::new(store)).await;
            })*
        }
    };
}

on_every_store! {
    what_is_done_is_remembered_and_what_is_open_is_found
    an_unknown_outcome_leaves_the_intent_open
    a_failed_step_remembers_what_was_found_instead
    an_object_may_move_from_one_scope_to_another
    an_older_generation_cannot_write
    a_writer_that_lost_its_place_cannot_write
    one_refused_scope_refuses_the_whole_batch
    an_entry_that_cannot_follow_leaves_nothing_behind
    a_second_run_is_told_who_holds_the_scope
    scopes_are_granted_all_or_none
    an_expired_lease_is_taken_over
    the_lease_of_a_run_that_ended_is_taken_over_at_once
    renewing_says_how_many_leases_there_are
    the_chain_can_be_followed_from_its_beginning
    folding_the_journal_gives_the_state
    history_is_filtered_and_newest_first
    loading_some_scopes_leaves_the_others_out
    a_sound_journal_is_found_sound
    the_key_is_the_same_whatever_is_read_and_written
}

type AnyStore = Arc<dyn Store>;

async fn what_is_done_is_remembered_and_what_is_open_is_found(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a"]).await;
    run.create(0, "tenant.a.vm.x", 1).await;
    let open = create(1, &object("tenant.a.vm.web[1]"), 2);
    run.write("tenant.a", vec![Body::Intent(open.clone())]).await.expect("written");
    let loaded = store.load(&Selection::All).await.expect("loaded");
    let x = object("tenant.a.vm.x");
    assert_eq!(
        loaded.state.records.into_iter().collect::<Vec<_>>(),
        [(x.clone(), (*record(&x, 1)).clone())]
    );
    assert_eq!(loaded.intents.len(), 1);
    let (scope, found) = &loaded.intents[0];
    assert_eq!((scope.to_string().as_str(), found.id.run, found.id.step), ("tenant.a", run.id, 1));
    assert_eq!(found.intent, open);
    assert_eq!(store.intents(&Selection::All).await.expect("read"), loaded.intents);
}

async fn an_unknown_outcome_leaves_the_intent_open(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a"]).await;
    let x = object("tenant.a.vm.x");
    let unknown = StepResult::Unknown { message: "no answer".to_owned() };
    let bodies = vec![
        Body::Intent(create(0, &x, 1)),
        run.outcome(0, unknown, Remembered::Instead(Vec::new())),
    ];
    run.write("tenant.a", bodies).await.expect("written");
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!((loaded.intents.len(), loaded.state.records.len()), (1, 0));

    let mut next = {
        store.release(run.id).await.expect("released");
        begin(&store, &["tenant.a"]).await
    };
    let settled = Body::Outcome(Outcome {
        intent: loaded.intents[0].1.id,
        result: StepResult::Done,
        remembered: Remembered::Planned,
    });
    next.write("tenant.a", vec![settled]).await.expect("written");
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!((loaded.intents.len(), loaded.state.records.len()), (0, 1));
}

async fn a_failed_step_remembers_what_was_found_instead(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a"]).await;
    let x = object("tenant.a.vm.x");
    let failed = StepResult::Failed { message: "half of it".to_owned() };
    let bodies = vec![
        Body::Intent(create(0, &x, 8)),
        run.outcome(0, failed, Remembered::Instead(vec![put(&x, 4)])),
    ];
    run.write("tenant.a", bodies).await.expect("written");
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!(loaded.state.records.get(&x), Some(&*record(&x, 4)));
    assert!(loaded.intents.is_empty());
}

async fn an_entry_that_cannot_follow_leaves_nothing_behind(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a", "tenant.b"]).await;
    run.create(0, "tenant.a.vm.x", 1).await;
    let before = store.load(&Selection::All).await.expect("loaded");
    let all = Filter { details: true, ..Filter::default() };
    let history = store.history(&all).await.expect("read");
    let (y, z) = (object("tenant.a.vm.y"), object("tenant.b.vm.z"));
    let never_intended = run.outcome(7, StepResult::Done, Remembered::Planned);
    let batch = [
        (scope("tenant.a"), Body::Intent(create(1, &y, 2))),
        (scope("tenant.b"), Body::Intent(create(2, &z, 3))),
        (scope("tenant.b"), run.outcome(2, StepResult::Done, Remembered::Planned)),
        (scope("tenant.b"), never_intended),
    ];
    let batch = batch.map(|(scope, body)| (scope, run.entry(body)));
    let error = run.writer.append(batch.into()).await.expect_err("nobody intended it");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert_eq!(store.load(&Selection::All).await.expect("loaded"), before);
    assert_eq!(store.history(&all).await.expect("read"), history);

    // Neither is anything left of what was announced, nor lost of what was announced before.
    run.write("tenant.a", vec![Body::Intent(create(1, &y, 4))]).await.expect("written");
    let (done, twice) =
        (Remembered::Planned, run.outcome(1, StepResult::Done, Remembered::Planned));
    let closing = vec![run.outcome(1, StepResult::Done, done), twice];
    run.write("tenant.a", closing).await.expect_err("it ended already");
    let closing = vec![run.outcome(1, StepResult::Done, Remembered::Planned)];
    run.write("tenant.a", closing).await.expect("written");
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!(loaded.state.records.get(&y), Some(&*record(&y, 4)));
    assert!(loaded.intents.is_empty());
}

async fn an_object_may_move_from_one_scope_to_another(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a", "tenant.b"]).await;
    run.create(0, "tenant.a.vm.x", 1).await;
    let (from, to) = (object("tenant.a.vm.x"), object("tenant.b.vm.x"));
    let mut moving = create(1, &to, 1);
    moving.records = vec![put(&to, 1), remove(&from)];
    let done = run.outcome(1, StepResult::Done, Remembered::Planned);
    run.write("tenant.b", vec![Body::Intent(moving), done]).await.expect("written");
    let of = |name: &str| Selection::Only(vec![scope(name)]);
    assert!(store.load(&of("tenant.a")).await.expect("loaded").state.records.is_empty());
    let loaded = store.load(&of("tenant.b")).await.expect("loaded");
    assert_eq!(loaded.state.records.keys().collect::<Vec<_>>(), [&to]);

    let mut only_a = begin(&store, &["tenant.c"]).await;
    let into_b = Body::Records { why: Why::Forget, changes: vec![remove(&to)] };
    let refused = only_a.write("tenant.c", vec![into_b]).await;
    assert!(
        matches!(refused, Err(StoreError::Fenced { scope }) if scope == Scope::of(&to.address))
    );
}

async fn an_older_generation_cannot_write(store: AnyStore) {
    let mut old = begin(&store, &["tenant.a"]).await;
    let mut takeover = request(Uuid::new_v4(), &["tenant.a"], TTL);
    takeover.ended = vec![old.id];
    let granted = store.acquire(&takeover).await.expect("acquired");
    assert!(matches!(granted, Acquired::Granted(_)));
    let intent = Body::Intent(create(0, &object("tenant.a.vm.x"), 1));
    let refused = old.write("tenant.a", vec![intent]).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })));
    let all = Filter { details: true, ..Filter::default() };
    assert_eq!(store.history(&all).await.expect("history"), []);
}

async fn a_writer_that_lost_its_place_cannot_write(store: AnyStore) {
    let id = Uuid::new_v4();
    let request = request(id, &["tenant.a"], TTL);
    let Acquired::Granted(leases) = store.acquire(&request).await.expect("acquired") else {
        panic!("it is free");
    };
    let mut first = Run { id, writer: Writer::new(Arc::clone(&store), id, &leases) };
    let mut second = Run { id, writer: Writer::new(Arc::clone(&store), id, &leases) };
    first.create(0, "tenant.a.vm.x", 1).await;
    let intent = Body::Intent(create(1, &object("tenant.a.vm.y"), 1));
    let refused = second.write("tenant.a", vec![intent]).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })));
}

async fn one_refused_scope_refuses_the_whole_batch(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a", "tenant.b"]).await;
    let mut takeover = request(Uuid::new_v4(), &["tenant.b"], TTL);
    takeover.ended = vec![run.id];
    store.acquire(&takeover).await.expect("acquired");
    let entries = ["tenant.a", "tenant.b"].map(|name| {
        let why = Why::Refresh;
        (scope(name), run.entry(Body::Records { why, changes: Vec::new() }))
    });
    let refused = run.writer.append(entries.into()).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })));
    assert_eq!(store.history(&Filter::default()).await.expect("history"), []);
}

async fn a_second_run_is_told_who_holds_the_scope(store: AnyStore) {
    let first = begin(&store, &["tenant.a"]).await;
    let id = Uuid::new_v4();
    let answer = store.acquire(&request(id, &["tenant.a"], TTL)).await.expect("answered");
    let Acquired::Held { scope, holder, remaining } = answer else { panic!("{answer:?}") };
    assert_eq!((scope.to_string().as_str(), holder.run), ("tenant.a", first.id));
    assert!(remaining <= TTL && remaining > TTL / 2, "{remaining:?}");
    let other = store.acquire(&request(id, &["tenant.b"], TTL)).await.expect("answered");
    assert!(matches!(other, Acquired::Granted(_)), "another tenant is free");

    store.release(first.id).await.expect("released");
    let answer = store.acquire(&request(id, &["tenant.a"], TTL)).await.expect("answered");
    let Acquired::Granted(leases) = answer else { panic!("{answer:?}") };
    assert_eq!((leases[0].generation, &leases[0].taken_from), (2, &None));
}

async fn scopes_are_granted_all_or_none(store: AnyStore) {
    let _held = begin(&store, &["tenant.b"]).await;
    let id = Uuid::new_v4();
    let both = request(id, &["tenant.a", "tenant.b"], TTL);
    let answer = store.acquire(&both).await.expect("answered");
    assert!(matches!(answer, Acquired::Held { .. }));
    assert_eq!(store.renew(id, TTL).await.expect("renewed"), 0);
    let _free = begin(&store, &["tenant.a"]).await;
}

async fn an_expired_lease_is_taken_over(store: AnyStore) {
    let slow = Uuid::new_v4();
    let short = request(slow, &["tenant.a"], Duration::from_millis(30));
    store.acquire(&short).await.expect("acquired");
    tokio::time::sleep(Duration::from_millis(60)).await;
    let answer = store.acquire(&request(Uuid::new_v4(), &["tenant.a"], TTL)).await;
    let Ok(Acquired::Granted(leases)) = answer else { panic!("{answer:?}") };
    assert_eq!(leases[0].taken_from, Some(holder(slow)));
    assert_eq!(leases[0].generation, 2);
    assert_eq!(store.renew(slow, TTL).await.expect("renewed"), 0, "it is somebody else's now");
}

async fn the_lease_of_a_run_that_ended_is_taken_over_at_once(store: AnyStore) {
    let ended = begin(&store, &["tenant.a"]).await;
    let mut next = request(Uuid::new_v4(), &["tenant.a"], TTL);
    next.ended = vec![ended.id];
    let answer = store.acquire(&next).await.expect("answered");
    assert!(matches!(answer, Acquired::Granted(leases) if leases[0].taken_from.is_some()));
}

async fn renewing_says_how_many_leases_there_are(store: AnyStore) {
    let run = begin(&store, &["tenant.a", "tenant.b", "shared"]).await;
    assert_eq!(store.renew(run.id, TTL).await.expect("renewed"), 3);
    store.release(run.id).await.expect("released");
    assert_eq!(store.renew(run.id, TTL).await.expect("renewed"), 0);
}

async fn the_key_is_the_same_whatever_is_read_and_written(store: AnyStore) {
    let key = store.load(&Selection::All).await.expect("loaded").key;
    begin(&store, &["tenant.a"]).await.create(0, "tenant.a.vm.x", 1).await;
    let nothing = store.load(&Selection::Only(Vec::new())).await.expect("loaded");
    assert_eq!((nothing.key, nothing.heads.len()), (key, 0));
}

async fn the_chain_can_be_followed_from_its_beginning(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a"]).await;
    for step in 0..5 {
        run.create(step, &format!("tenant.a.vm.x[{step}]"), 1).await;
    }
    let entries = store.entries(&scope("tenant.a"), 1, 1000).await.expect("read");
    assert_eq!(entries.len(), 10);
    let mut head = Head::empty(&scope("tenant.a"));
    for stored in &entries {
        head = head.next(stored.generation, &stored.json);
        assert_eq!((head.serial, head.hash), (stored.serial, stored.hash));
    }
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!(loaded.heads.get(&scope("tenant.a")), Some(&head));
    assert_eq!(store.entries(&scope("tenant.a"), 3, 2).await.expect("read"), entries[2..4]);
}

/// A random but repeatable sequence of steps, folded again from the journal.
async fn folding_the_journal_gives_the_state(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a", "tenant.b", "shared"]).await;
    let mut random = 7_u64;
    for step in 0..200_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let name = ["tenant.a", "tenant.b", "shared"][(random >> 33) as usize % 3];
        let prefix = if name == "shared" { "site.m" } else { name };
        let object = object(&format!("{prefix}.volume.v[{}]", (random >> 40) % 9));
        let mut intent = create(step, &object, random >> 60);
        let gone = (random >> 50).is_multiple_of(4);
        if gone {
            intent.records = vec![remove(&object)];
        }
        let result = match (random >> 53) % 4 {
            0 => StepResult::Failed { message: "no".to_owned() },
            1 => StepResult::Unknown { message: "who knows".to_owned() },
            _ => StepResult::Done,
        };
        let remembered = match result {
            StepResult::Done => Remembered::Planned,
            _ => Remembered::Instead(vec![put(&object, 77)]),
        };
        let bodies = vec![Body::Intent(intent), run.outcome(step, result, remembered)];
        run.write(name, bodies).await.expect("written");
    }
    let all = Filter { details: true, ..Filter::default() };
    let mut history = store.history(&all).await.expect("history");
    history.reverse();
    let mut folded = Folded::default();
    for logged in &history {
        folded.add(&logged.entry).expect("entries follow each other");
    }
    let loaded = store.load(&Selection::All).await.expect("loaded");
    assert_eq!(loaded.state, folded.state);
    let mut intents: Vec<_> = loaded.intents.into_iter().map(|(_, open)| open).collect();
    intents.sort_by_key(|open| open.id);
    assert_eq!(intents, folded.intents.into_values().collect::<Vec<_>>());
}

async fn history_is_filtered_and_newest_first(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a", "tenant.b"]).await;
    let begins = Begin {
        command: "apply".to_owned(),
        who: "erika@rathaus".to_owned(),
        revision: Some("abc".to_owned()),
        plan: None,
        version: "0.1.0".to_owned(),
    };
    run.write("tenant.a", vec![Body::Begin(begins.clone())]).await.expect("written");
    run.write("tenant.b", vec![Body::Begin(begins)]).await.expect("written");
    run.create(0, "tenant.a.vm.x", 1).await;
    run.create(1, "tenant.a.vm.y.disk.root", 1).await;
    let count = async |filter: Filter| store.history(&filter).await.expect("history").len();
    let summary = store.history(&Filter::default()).await.expect("history");
    let scopes: Vec<String> = summary.iter().map(|logged| logged.scope.to_string()).collect();
    assert_eq!(scopes, ["tenant.b", "tenant.a"], "newest first, without the steps");
    assert_eq!(count(Filter { details: true, ..Filter::default() }).await, 6);
    assert_eq!(count(Filter { limit: Some(1), ..Filter::default() }).await, 1);
    assert_eq!(count(Filter { run: Some(Uuid::nil()), ..Filter::default() }).await, 0);
    let scope = Some(scope("tenant.b"));
    assert_eq!(count(Filter { scope, ..Filter::default() }).await, 1);
    let address = "tenant.a.vm.y".parse().ok();
    assert_eq!(count(Filter { address, ..Filter::default() }).await, 1, "the intent");
}

async fn loading_some_scopes_leaves_the_others_out(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a", "tenant.b"]).await;
    run.create(0, "tenant.a.vm.x", 1).await;
    run.create(1, "tenant.b.vm.x", 1).await;
    let only = Selection::Only(vec![scope("tenant.b"), scope("tenant.never")]);
    let loaded = store.load(&only).await.expect("loaded");
    assert_eq!(loaded.state.records.keys().collect::<Vec<_>>(), [&object("tenant.b.vm.x")]);
    assert_eq!(loaded.heads.keys().collect::<Vec<_>>(), [&scope("tenant.b")]);
}

async fn a_sound_journal_is_found_sound(store: AnyStore) {
    let mut run = begin(&store, &["tenant.a", "tenant.b"]).await;
    for step in 0..4 {
        run.create(step, &format!("tenant.a.vm.x[{step}]"), 1).await;
    }
    let (from, to) = (object("tenant.a.vm.x[0]"), object("tenant.b.vm.x"));
    let mut moving = create(4, &to, 1);
    moving.records = vec![put(&to, 1), remove(&from)];
    let done = run.outcome(4, StepResult::Done, Remembered::Planned);
    run.write("tenant.b", vec![Body::Intent(moving), done]).await.expect("written");
    run.write("tenant.b", vec![Body::Intent(create(5, &object("tenant.b.vm.y"), 1))])
        .await
        .expect("written");
    let verified = tcloud_state::verify::verify(&*store).await.expect("read");
    assert!(verified.is_sound(), "{verified:?}");
    assert_eq!((verified.scopes, verified.entries), (2, 11));
}
