//! A guest is stopped only while its window is open, however late its step comes.

use std::sync::Arc;
use std::time::Duration;

use tcloud_engine::{ApplyError, Limits};
use tcloud_model::OperationKind;
use tcloud_planner::plan::Plan;
use tcloud_state::{MemoryStore, Selection};

use crate::plan::{from_nothing, name, plan, wanted};
use crate::world::{Fault, World, run};

/// A world in which each call takes so many seconds, with objects of size 1 in it.
async fn world(seconds: u64, text: &str) -> Arc<World> {
    let world = World::with(Arc::new(MemoryStore::default()), Duration::from_secs(seconds));
    assert!(world.apply(&from_nothing(text)).await.expect("applied").is_success());
    world.inner().log.clear();
    world
}

/// The plan that brings them to another size, where the step on `stops` stops a guest until so many
/// seconds after the plan was made.
async fn planned(world: &Arc<World>, text: &str, stops: &str, seconds: u64) -> Plan {
    let state = world.store.load(&Selection::All).await.expect("loaded").state;
    let mut plan = plan(&wanted(text), &world.observe().await, &state);
    let step = plan.steps.iter_mut().find(|step| {
        step.operation.as_ref().is_some_and(|operation| operation.identity.name == *name(stops))
    });
    let step = step.expect("a step");
    if let Some(OperationKind::Update { power_cycle, .. }) =
        step.operation.as_mut().map(|operation| &mut operation.action)
    {
        *power_cycle = true;
    }
    let until = world.now() + Duration::from_secs(seconds);
    let until = format!("\"{until}[UTC]\"").replace('Z', "+00:00");
    plan.changes[step.change as usize].until = serde_json::from_str(&until).expect(&until);
    plan
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_window_has_closed_is_stale_as_a_whole() {
    let world = world(1, "a 1\nb 1").await;
    let plan = planned(&world, "a 2\nb 2", "a", 60).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let Err(ApplyError::Stale(stale)) = world.apply(&plan).await else { panic!("it was applied") };
    assert_eq!(stale.len(), 1);
    assert_eq!(stale[0].object.address, crate::plan::address("a"));
    assert_eq!(world.log(), [""; 0], "nobody was asked for anything");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_begins_in_the_window_may_end_after_it() {
    let world = world(120, "a 1").await;
    let plan = planned(&world, "a 2", "a", 1).await;
    assert!(world.apply(&plan).await.expect("applied").is_success());
    assert_eq!(world.log().len(), 2);
}

/// `a` takes until the window of `b` is closed. What has nothing to do with `b` goes on.
#[tokio::test(start_paused = true)]
async fn a_step_whose_window_closes_before_it_begins_is_left_out_with_what_needs_it() {
    let text = |size| format!("a {size}\nb {size} after a\nc {size} after b\nd {size} after a");
    let world = world(120, &text(1)).await;
    let plan = planned(&world, &text(2), "b", 60).await;
    let account = world.apply(&plan).await.expect("it ran");
    let skipped: Vec<String> =
        account.skipped.iter().map(|own| own.object.address.last_name()).collect();
    assert_eq!((account.done, account.failed.len(), skipped), (2, 0, vec!["b".into(), "c".into()]));
    let log = world.log();
    let asked = |volume: &str| log.contains(&format!("update {}", name(volume)));
    assert_eq!(["a", "b", "c", "d"].map(asked), [true, false, false, true]);
    let loaded = world.store.load(&Selection::All).await.expect("loaded");
    assert!(loaded.intents.is_empty(), "nothing is left open");
    // Planned again without a window, it is finished.
    let next = crate::plan::plan(&wanted(&text(2)), &world.observe().await, &loaded.state);
    assert_eq!(next.steps.len(), 2);
    assert!(world.apply(&next).await.expect("applied").is_success());
}

#[tokio::test(start_paused = true)]
async fn what_failed_in_the_window_is_not_tried_again_after_it() {
    let world = world(20, "a 1").await;
    let plan = Arc::new(planned(&world, "a 2", "a", 60).await);
    world.fault("update", &name("a"), Fault::Later);
    world.fault("update", &name("a"), Fault::Later);
    let limits = Limits { pause: Duration::from_secs(30), attempts: 9, ..Limits::default() };
    let engine = world.engine_with(limits);
    let silent = tcloud_engine::Control::silent();
    let account = engine.apply(&plan, &run("apply"), &silent).await.expect("it ran");
    assert_eq!((account.done, account.failed.len()), (0, 1), "{account:?}");
    let begun = world.log().iter().filter(|line| !line.ends_with("ended")).count();
    assert_eq!(begun, 2, "{:?}", world.log());
    let loaded = world.store.load(&Selection::All).await.expect("loaded");
    assert!(loaded.intents.is_empty(), "nothing is left open");
}
