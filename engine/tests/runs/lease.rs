//! Two runs at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tcloud_engine::{ApplyError, ApplyEvent, Control, HoldError, Limits, Stop};
use tcloud_model::{Address, Identity, ObjectId};
use tcloud_state::{Body, Filter, MemoryStore, Selection, SqliteStore, Store};

use crate::plan::{from_nothing, plan, wanted};
use crate::world::{World, deployment, host, listening, run};

fn patient() -> Limits {
    Limits { lease_wait: Duration::from_secs(60), ..Limits::default() }
}

#[tokio::test(start_paused = true)]
async fn a_second_run_waits_for_the_first_and_says_for_whom() {
    let world = World::slow();
    let (first, second) = (Arc::new(from_nothing("a 1")), Arc::new(from_nothing("b 1")));
    let one = world.engine_of(1001, patient(), Arc::clone(&world.store));
    let two = world.engine_of(1002, patient(), Arc::clone(&world.store));
    let (control, _stop, mut heard) = listening();
    let (first_run, second_run) = (run("apply"), run("destroy"));
    let silent = Control::silent();
    let later = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        two.apply(&second, &second_run, &control).await
    };
    let (a, b) = tokio::join!(one.apply(&first, &first_run, &silent), later);
    assert!(a.expect("applied").is_success() && b.expect("applied").is_success());
    let event = heard.recv().await.expect("it waited");
    assert!(matches!(event, ApplyEvent::LeaseWait { holder, .. } if holder.run == first_run.id));
    let begins = |line: &String| !line.ends_with("ended");
    assert_eq!(world.log().iter().filter(|l| begins(l)).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn runs_in_different_tenants_do_not_wait() {
    let world = World::slow();
    let (first, second) = (Arc::new(from_nothing("a/x 1")), Arc::new(from_nothing("b/x 1")));
    let one = world.engine_of(1001, patient(), Arc::clone(&world.store));
    let two = world.engine_of(1002, patient(), Arc::clone(&world.store));
    let (silent, r1, r2) = (Control::silent(), run("apply"), run("apply"));
    let begun = tokio::time::Instant::now();
    let (a, b) = tokio::join!(one.apply(&first, &r1, &silent), two.apply(&second, &r2, &silent));
    assert!(a.expect("applied").is_success() && b.expect("applied").is_success());
    assert_eq!(begun.elapsed(), Duration::from_millis(100));
}

/// A network that is exposed has one list of addresses for all who use it.
#[tokio::test(start_paused = true)]
async fn runs_that_plug_guests_into_the_same_network_wait() {
    let world = World::slow();
    let network: Address = "tenant.c.network.n".parse().expect("an address");
    let object = ObjectId { address: network.clone(), host: host(1), incarnation: 0 };
    let identity = Identity::derive(&deployment(), &object, true);
    let [first, second] = ["a/x 1", "b/x 1"].map(|text| {
        let mut plan = from_nothing(text);
        let operation = plan.steps[0].operation.as_mut().expect("it asks");
        operation.references.push((network.clone(), identity.clone()));
        Arc::new(plan)
    });
    let one = world.engine_of(1001, patient(), Arc::clone(&world.store));
    let two = world.engine_of(1002, patient(), Arc::clone(&world.store));
    let (silent, r1, r2) = (Control::silent(), run("apply"), run("apply"));
    let (a, b) = tokio::join!(one.apply(&first, &r1, &silent), two.apply(&second, &r2, &silent));
    assert!(a.expect("applied").is_success() && b.expect("applied").is_success());
    let log = world.log();
    let overlaps = log
        .iter()
        .zip(&log[1..])
        .any(|(one, next)| !one.ends_with("ended") && !next.ends_with("ended"));
    assert!(!overlaps, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_by_a_stop_or_after_its_time() {
    let world = World::with(Arc::new(MemoryStore::default()), Duration::from_secs(3600));
    let plan = Arc::new(from_nothing("a 1"));
    let one = world.engine_of(1001, patient(), Arc::clone(&world.store));
    let two = world.engine_of(1002, patient(), Arc::clone(&world.store));
    let (silent, r1, r2) = (Control::silent(), run("apply"), run("apply"));
    let (control, stopper, _heard) = listening();
    tokio::select! {
        _ = one.apply(&plan, &r1, &silent) => panic!("it takes an hour"),
        () = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let waited = two.apply(&plan, &r2, &silent).await;
            assert!(matches!(waited, Err(ApplyError::Hold(HoldError::Held { .. }))));
            stopper.send_replace(Stop::Drain);
            let waited = two.apply(&plan, &r2, &control).await;
            assert!(matches!(waited, Err(ApplyError::Hold(HoldError::Stopped))));
        } => {}
    }
}

/// The first run stands still in the middle of a call, for longer than its lease lasts, while a
/// second one takes over; when it goes on, it cannot write any more.
async fn a_run_that_stood_still_is_fenced(store: Arc<dyn Store>) {
    let world = World::with(store, Duration::from_secs(2));
    let plan_a = Arc::new(from_nothing("a 1\nb 1 after a"));
    let one = world.engine_of(500, patient(), Arc::clone(&world.store));
    let silent = Control::silent();
    let (r1, r2) = (run("apply"), run("apply"));
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // For this engine process 500 does not live any more.
        let two = world.engine_of(501, patient(), Arc::clone(&world.store));
        let found = two.recover(&r2, &silent).await.expect("recovered");
        assert_eq!(found.findings.len(), 1, "what the first was doing");
    };
    let (first, ()) = tokio::join!(one.apply(&plan_a, &r1, &silent), second);
    let Err(ApplyError::CutOff { account, source }) = first else { panic!("{first:?}") };
    assert!(matches!(source, tcloud_state::StoreError::Fenced { .. }), "{source}");
    assert_eq!(account.done, 0, "what is not durable is not told as done");
    let history = world.store.history(&Filter::default()).await.expect("history");
    let taken = |body: &Body| matches!(body, Body::Takeover(t) if t.from.run == r1.id);
    assert!(history.iter().any(|logged| taken(&logged.entry.body)));

    let state = world.store.load(&Selection::All).await.expect("loaded").state;
    let rest = plan(&wanted("a 1\nb 1 after a"), &world.observe().await, &state);
    assert!(world.apply(&rest).await.expect("applied").is_success());
    let creates = world.log().iter().filter(|line| *line == "create t.volume-a ended").count();
    assert_eq!(creates, 1, "nothing was made twice");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_asks_no_host_before_it_has_asked_the_store() {
    let world = World::with(Arc::new(MemoryStore::default()), Duration::from_secs(2));
    let plan = Arc::new(from_nothing("a 1\nb 1 after a"));
    let (engine, info, silent) = (world.engine(), run("apply"), Control::silent());
    let sleep = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.slept.store(60, Ordering::SeqCst);
    };
    let (account, ()) = tokio::join!(engine.apply(&plan, &info, &silent), sleep);
    let account = account.expect("it ran");
    assert_eq!((account.done, account.unknown.len()), (1, 1), "{account:?}");
    assert!(!world.log().iter().any(|line| line.contains("volume-b")));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_stood_still_is_fenced_in_memory() {
    a_run_that_stood_still_is_fenced(Arc::new(MemoryStore::default())).await;
}

#[tokio::test]
async fn a_run_that_stood_still_is_fenced_in_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(&directory.path().join("state.db")).expect("opens");
    a_run_that_stood_still_is_fenced(Arc::new(store)).await;
}

/// A store whose leases expire by the test's own clock.
fn clocked() -> Arc<dyn Store> {
    let begun = tokio::time::Instant::now();
    let now = move || jiff::Timestamp::UNIX_EPOCH + begun.elapsed();
    Arc::new(MemoryStore::new(Arc::new(now)))
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_keeps_a_lease_for_as_long_as_a_step_takes() {
    let world = World::with(clocked(), Duration::from_secs(95));
    let plan = Arc::new(from_nothing("a 1"));
    let one = world.engine_of(1001, patient(), Arc::clone(&world.store));
    let two = world.engine_of(1002, patient(), Arc::clone(&world.store));
    let (silent, r1, r2) = (Control::silent(), run("apply"), run("apply"));
    let (first, second) =
        tokio::join!(one.apply(&plan, &r1, &silent), two.apply(&plan, &r2, &silent));
    assert!(first.expect("applied").is_success());
    assert!(matches!(second, Err(ApplyError::Hold(HoldError::Held { .. }))), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_without_a_heartbeat_expires_even_if_nobody_knows_whether_its_process_lives() {
    let world = World::with(clocked(), Duration::from_secs(5));
    let plan = Arc::new(from_nothing("a 1"));
    let one = world.engine_of(1001, patient(), Arc::clone(&world.store));
    let (silent, r1) = (Control::silent(), run("apply"));
    let cut = tokio::time::timeout(Duration::from_secs(1), one.apply(&plan, &r1, &silent)).await;
    assert!(cut.is_err(), "it is cut off in the middle of its step");
    let begun = tokio::time::Instant::now();
    let two = world.engine_of(1002, patient(), Arc::clone(&world.store));
    let account = two.apply(&plan, &run("apply"), &silent).await.expect("applied");
    assert!(account.is_success());
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}
