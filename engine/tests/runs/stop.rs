//! Stopping a run, once and twice.

use std::sync::Arc;
use std::time::Duration;

use tcloud_engine::{Account, Control, HoldError, Limits, Stop};
use tcloud_state::{Body, EndStatus, Filter, Selection};

use crate::plan::{from_nothing, name, plan, wanted};
use crate::world::{Fault, World, listening, run};

/// Applies and asks to stop after some time.
async fn apply_and_stop(world: &Arc<World>, text: &str, stops: &[(u64, Stop)]) -> Account {
    let (control, stopper, _heard) = listening();
    let plan = Arc::new(from_nothing(text));
    let engine = world.engine_with(Limits { parallelism: 2, ..Limits::default() });
    let run = run("apply");
    let stopping = async {
        for (after, stop) in stops {
            tokio::time::sleep(Duration::from_millis(*after)).await;
            stopper.send_replace(*stop);
        }
    };
    let (account, ()) = tokio::join!(engine.apply(&plan, &run, &control), stopping);
    account.expect("it ran")
}

async fn ended(world: &World) -> EndStatus {
    let history = world.store.history(&Filter::default()).await.expect("history");
    match &history[0].entry.body {
        Body::End(end) => end.status,
        other => panic!("the run did not end: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_stop_lets_running_steps_finish_and_begins_no_new_ones() {
    let world = World::slow();
    let text = "a 1\nb 1\nc 1\nd 1 after a";
    let account = apply_and_stop(&world, text, &[(50, Stop::Drain)]).await;
    assert_eq!((account.done, account.skipped.len()), (2, 2));
    assert!(account.interrupted && account.unknown.is_empty());
    assert_eq!(world.names(), [name("a"), name("b")]);
    assert_eq!(ended(&world).await, EndStatus::Interrupted);
    let loaded = world.store.load(&Selection::All).await.expect("loaded");
    assert_eq!((loaded.state.records.len(), loaded.intents.len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_second_stop_gives_up_what_runs_and_says_so() {
    let world = World::slow();
    let stops = [(30, Stop::Drain), (30, Stop::Now)];
    let account = apply_and_stop(&world, "a 1\nb 1\nc 1", &stops).await;
    assert_eq!((account.done, account.unknown.len(), account.skipped.len()), (0, 2, 1));
    assert_eq!(ended(&world).await, EndStatus::Interrupted);
    let open = world.store.intents(&Selection::All).await.expect("read");
    assert_eq!(open.len(), 2);
    assert_eq!(world.recover().await.findings.len(), 2);
    let state = world.store.load(&Selection::All).await.expect("loaded").state;
    let rest = plan(&wanted("a 1\nb 1\nc 1"), &world.observe().await, &state);
    assert!(world.apply(&rest).await.expect("applied").is_success());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_pause_between_attempts() {
    let world = World::new();
    for _ in 0..6 {
        world.fault("create", &name("a"), Fault::Later);
    }
    let begun = tokio::time::Instant::now();
    let account = apply_and_stop(&world, "a 1", &[(1000, Stop::Drain)]).await;
    assert_eq!(account.failed[0].reason, "busy");
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_before_its_first_step_does_nothing() {
    let world = World::new();
    let (control, stopper, _heard) = listening();
    stopper.send_replace(Stop::Drain);
    let plan = Arc::new(from_nothing("a 1\nb 1 after a"));
    let account = world.engine().apply(&plan, &run("apply"), &control).await.expect("it ran");
    assert_eq!((account.done, account.skipped.len(), account.interrupted), (0, 2, true));
    assert!(world.log().is_empty());
    assert_eq!(ended(&world).await, EndStatus::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_recovery_and_leaves_nothing_held() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::Hang);
    world.apply(&from_nothing("a 1")).await.expect("it ran");
    world.fault("look", &name("a"), Fault::Hang);
    let engine = |pid, lease_wait| {
        let limits = Limits { lease_wait, ..Limits::default() };
        world.engine_of(pid, limits, Arc::clone(&world.store))
    };
    let (control, stopper, _heard) = listening();
    let begun = tokio::time::Instant::now();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stopper.send_replace(Stop::Drain);
    };
    let (one, recovering) = (engine(1001, Duration::ZERO), run("apply"));
    let (stopped, ()) = tokio::join!(one.recover(&recovering, &control), stopping);
    assert!(matches!(stopped, Err(HoldError::Stopped)), "{stopped:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert_eq!(ended(&world).await, EndStatus::Interrupted);
    // Nobody has to wait for its lease, and what was open still is.
    let two = engine(1002, Duration::ZERO);
    let recovered = two.recover(&run("apply"), &Control::silent()).await.expect("not held");
    assert_eq!(recovered.findings.len(), 1);
}
