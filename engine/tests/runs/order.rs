//! In which order, and how many at once.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tcloud_engine::{ApplyError, Control, Limits};
use tcloud_planner::plan::{Decision, DecisionKind, StepId};
use tcloud_state::{Filter, Selection};

use crate::plan::{address, from_nothing, plan, wanted};
use crate::world::{World, run};

#[tokio::test(start_paused = true)]
async fn what_is_needed_is_made_first_and_deleted_last() {
    let world = World::slow();
    let account =
        world.apply(&from_nothing("c 1 after b\nb 1 after a\na 1")).await.expect("applied");
    assert_eq!(account.done, 3);
    let state = world.store.load(&Selection::All).await.expect("loaded").state;
    let delete = plan(&wanted(""), &world.observe().await, &state);
    world.apply(&delete).await.expect("applied");
    let order = [
        "create t.volume-a",
        "create t.volume-a ended",
        "create t.volume-b",
        "create t.volume-b ended",
        "create t.volume-c",
        "create t.volume-c ended",
        "delete t.volume-c",
        "delete t.volume-c ended",
        "delete t.volume-b",
        "delete t.volume-b ended",
        "delete t.volume-a",
        "delete t.volume-a ended",
    ];
    assert_eq!(world.log(), order);
    let loaded = world.store.load(&Selection::All).await.expect("loaded");
    assert!(loaded.state.records.is_empty() && loaded.intents.is_empty());
}

#[tokio::test(start_paused = true)]
async fn independent_steps_run_at_once_within_the_limits() {
    let text: String = (0..40).map(|n| format!("v{n} 1 on {}\n", n % 2 + 1)).collect();
    let plan = Arc::new(from_nothing(&text));
    // Of a provider that says nothing, both hosts together get as many as one.
    for (at_once, rounds) in [(None, 10), (Some(10), 2), (Some(1), 20)] {
        let world = World::slow();
        world.inner().at_once = at_once.and_then(NonZeroUsize::new);
        let limits = Limits { parallelism: 100, per_provider: 4, ..Limits::default() };
        let begun = tokio::time::Instant::now();
        let engine = world.engine_with(limits);
        engine.apply(&plan, &run("apply"), &Control::silent()).await.expect("applied");
        let most = world.inner().most_running;
        assert!(most <= at_once.unwrap_or(4), "{most} at once on one host, not {at_once:?}");
        assert_eq!(begun.elapsed().as_millis() / 100, rounds, "40 steps, 100 ms each");
    }
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_is_the_order_of_the_plan_over_all_hosts() {
    let world = World::new();
    let limits = Limits { parallelism: 1, ..Limits::default() };
    let plan = Arc::new(from_nothing("a 1\nb 1 on 2\nc 1\nd 1 on 2"));
    let engine = world.engine_with(limits);
    engine.apply(&plan, &run("apply"), &Control::silent()).await.expect("applied");
    let begun: Vec<String> =
        world.log().into_iter().filter(|line| !line.ends_with("ended")).collect();
    assert_eq!(
        begun,
        ["create t.volume-a", "create t.volume-b", "create t.volume-c", "create t.volume-d"]
    );
}

#[tokio::test]
async fn a_long_chain_and_many_independent_steps_are_all_carried_out() {
    let mut chain = "v00000 1\n".to_owned();
    for n in 1..5_000 {
        chain.push_str(&format!("v{n:05} 1 after v{:05}\n", n - 1));
    }
    let wide: String = (0..30_000).map(|n| format!("w/v{n} 1 on {}\n", n % 2 + 1)).collect();
    for (text, steps) in [(chain, 5_000), (wide, 30_000)] {
        let world = World::new();
        let mut plan = from_nothing(&linear(&text));
        relink(&mut plan, &text);
        let account = world.apply(&plan).await.expect("applied");
        assert_eq!(account.done, steps);
    }
}

/// The small planner orders by rounds, which is slow for a chain: it plans without the needs, and
/// [`relink`] puts them in.
fn linear(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.split(" after").next().unwrap_or(line))).collect()
}

fn relink(plan: &mut tcloud_planner::Plan, text: &str) {
    for (at, line) in text.lines().enumerate() {
        if line.contains(" after ") {
            plan.steps[at].after = vec![StepId(at as u32 - 1)];
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_run_stands_in_the_history_of_each_tenant_that_it_touched() {
    let world = World::new();
    world.apply(&from_nothing("a/x 1\nb/x 1 after a/x")).await.expect("applied");
    let history = world.store.history(&Filter::default()).await.expect("history");
    let told: Vec<String> =
        history.iter().rev().map(|l| format!("{} {}", l.scope, l.entry.body.word())).collect();
    assert_eq!(told, ["tenant.a begin", "tenant.b begin", "tenant.a end", "tenant.b end"]);
    let of_object = Filter { address: Some(address("b/x")), ..Filter::default() };
    assert_eq!(world.store.history(&of_object).await.expect("history").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_undecided_or_damaged_plan_does_nothing() {
    let world = World::new();
    let mut undecided = from_nothing("a 1");
    undecided.decisions.push(Decision {
        id: "D1".to_owned(),
        kind: DecisionKind::DataLoss,
        owners: Vec::new(),
        approvers: Vec::new(),
        address: address("a"),
        message: String::new(),
        help: String::new(),
        agreed: false,
    });
    assert!(matches!(world.apply(&undecided).await, Err(ApplyError::NeedsDecision)));
    let mut cycle = from_nothing("a 1\nb 1 after a");
    cycle.steps[0].after = vec![StepId(1)];
    assert!(matches!(world.apply(&cycle).await, Err(ApplyError::Malformed(_))));
    let mut outside = from_nothing("a 1");
    outside.steps[0].after = vec![StepId(7)];
    assert!(matches!(world.apply(&outside).await, Err(ApplyError::Malformed(_))));
    assert!(world.log().is_empty());
    assert!(world.store.history(&Filter::default()).await.expect("history").is_empty());
}
