//! What a failure costs, and what is remembered of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tcloud_engine::{ApplyError, Finding, Limits};
use tcloud_model::{OperationKind, Value};
use tcloud_state::{Filter, Loaded, Selection};

use crate::plan::{address, from_nothing, name, plan, wanted};
use crate::world::{Fault, World, host, listening, run};

async fn loaded(world: &World) -> Loaded {
    world.store.load(&Selection::All).await.expect("loaded")
}

/// After the faults are over, the same wish is planned and applied again: then it is fulfilled, and
/// nothing more is to be done.
async fn converges(world: &std::sync::Arc<World>, text: &str) {
    world.recover().await;
    for round in 0..2 {
        let state = loaded(world).await.state;
        let next = plan(&wanted(text), &world.observe().await, &state);
        assert!(round == 0 || next.is_empty(), "{:?}", next.steps);
        let account = world.apply(&next).await.expect("applied");
        assert!(account.is_success(), "{account:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_costs_what_needs_it_and_nothing_else() {
    let text = "a 1\nb 1 after a\nc 1 after b\nd 1 after z\ny 1\nz 1 on 2";
    let world = World::new();
    world.fault("create", &name("a"), Fault::Never);
    let account = world.apply(&from_nothing(text)).await.expect("it ran");
    assert_eq!(world.names(), [name("d"), name("y"), name("z")]);
    assert_eq!(account.done, 3);
    assert_eq!(account.failed.len(), 1);
    assert_eq!(account.failed[0].reason, "no: hunter2-env:A");
    let skipped: BTreeMap<String, &str> =
        account.skipped.iter().map(|t| (t.object.address.to_string(), &*t.reason)).collect();
    let expected = ["b", "c"]
        .map(|n| (format!("tenant.t.volume.{n}"), "needs tenant.t.volume.a on site.m.host.kvm1"));
    assert_eq!(skipped, BTreeMap::from(expected));
    assert!(!account.is_success());
    converges(&world, text).await;
}

#[tokio::test(start_paused = true)]
async fn half_an_object_is_remembered_and_finished_later() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::Half);
    let account = world.apply(&from_nothing("a 1\nb 1 after a")).await.expect("it ran");
    assert_eq!((account.failed.len(), account.skipped.len()), (1, 1));
    let remembered = loaded(&world).await;
    assert!(remembered.intents.is_empty());
    let records: Vec<_> = remembered.state.records.into_iter().collect();
    assert_eq!(records.len(), 1, "it exists and is ours");
    assert!(records[0].1.attributes.get("size").is_none(), "the size was never applied");
    converges(&world, "a 1\nb 1 after a").await;
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_with_growing_pauses() {
    let world = World::new();
    for _ in 0..3 {
        world.fault("create", &name("a"), Fault::Later);
    }
    let (control, _stop, mut heard) = listening();
    let plan = std::sync::Arc::new(from_nothing("a 1"));
    let begun = tokio::time::Instant::now();
    let account = world.engine().apply(&plan, &run("apply"), &control).await.expect("it ran");
    assert!(account.is_success());
    drop(control);
    let mut told = Vec::new();
    while let Some(event) = heard.recv().await {
        let json: serde_json::Value = serde_json::from_str(&event.to_json()).expect("JSON");
        told.push(json["event"].as_str().unwrap_or_default().to_owned());
    }
    let retry = "step-retry".to_owned();
    assert_eq!(told[2..5], [retry.clone(), retry.clone(), retry]);
    assert_eq!(told[0..2], ["started", "step-started"]);
    assert_eq!(told[5..], ["step-finished", "finished"]);
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(1700) && waited < Duration::from_secs(4), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn trying_again_ends() {
    let world = World::new();
    for _ in 0..20 {
        world.fault("create", &name("a"), Fault::Later);
    }
    let account = world.apply(&from_nothing("a 1")).await.expect("it ran");
    assert_eq!(account.failed[0].reason, "busy");
    let tries = world.log().iter().filter(|line| !line.ends_with("ended")).count();
    assert_eq!(tries, Limits::default().attempts as usize);
}

#[tokio::test(start_paused = true)]
async fn what_failed_for_good_is_never_tried_again() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::Never);
    world.apply(&from_nothing("a 1")).await.expect("it ran");
    assert_eq!(world.log().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_effect_is_looked_at_before_anything_else() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::UnknownWith);
    world.fault("create", &name("b"), Fault::UnknownWithout);
    let account = world.apply(&from_nothing("a 1\nb 1")).await.expect("it ran");
    assert!(account.is_success(), "{account:?}");
    let log = world.log();
    let calls =
        |name: &str| log.iter().filter(|line| **line == format!("create t.volume-{name}")).count();
    assert_eq!((calls("a"), calls("b")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_even_where_everything_looks_as_planned() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::FailedWith);
    let account = world.apply(&from_nothing("a 1\nb 1 after a")).await.expect("it ran");
    assert_eq!((account.failed.len(), account.skipped.len()), (1, 1));
    assert_eq!(account.failed[0].reason, "failed, it says");
    let remembered = loaded(&world).await;
    assert_eq!(remembered.state.records.len(), 1, "it is there, and remembered as planned");
    assert!(remembered.intents.is_empty());
    converges(&world, "a 1\nb 1 after a").await;
}

#[tokio::test(start_paused = true)]
async fn an_error_about_what_is_gone_is_asked_about_again() {
    let most = Limits::default().attempts as usize;
    for (fault, faults, calls) in [
        (Fault::FailedWith, 1, 2),
        (Fault::UnknownWith, 1, 2),
        (Fault::FailedWith, 20, most),
        (Fault::UnknownWith, 20, most),
    ] {
        let world = World::new();
        world.apply(&from_nothing("a 1")).await.expect("applied");
        for _ in 0..faults {
            world.fault("delete", &name("a"), fault);
        }
        let state = loaded(&world).await.state;
        let next = plan(&wanted(""), &world.observe().await, &state);
        assert!(world.apply(&next).await.expect("it ran").is_success());
        let asked = world.log().iter().filter(|line| *line == "delete t.volume-a").count();
        assert_eq!(asked, calls, "{fault:?}");
        let remembered = loaded(&world).await;
        assert!(remembered.state.records.is_empty() && remembered.intents.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_unknown_until_the_next_run_looks() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::Hang);
    world.fault("create", &name("b"), Fault::HangWith);
    world.fault("create", &name("c"), Fault::HangWith);
    let account = world.apply(&from_nothing("a 1\nb 1\nc 1\nd 1 after a")).await.expect("it ran");
    assert_eq!((account.done, account.unknown.len(), account.skipped.len()), (2, 1, 1));
    let open = loaded(&world).await.intents;
    assert_eq!(open.len(), 1, "a is open");
    let found = world.recover().await.findings;
    assert!(matches!(&found[..], [(_, Finding::NotDone(_))]), "{found:?}");
    assert!(world.recover().await.findings.is_empty(), "a second recovery finds nothing");
    converges(&world, "a 1\nb 1\nc 1\nd 1 after a").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_other_than_planned_is_a_failure_and_the_object_is_kept() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::OtherSize);
    world.fault("create", &name("b"), Fault::Nothing);
    let account = world.apply(&from_nothing("a 5\nb 5\nc 5 after a")).await.expect("it ran");
    let reasons: Vec<&str> = account.failed.iter().map(|t| &*t.reason).collect();
    assert_eq!(
        reasons,
        [
            "the provider answered something else than planned: size is 1B instead of 5B",
            "the provider answered something else than planned: there is no object",
        ]
    );
    assert_eq!(world.names(), [name("a")]);
    let state = loaded(&world).await.state;
    let sizes: Vec<_> = state.records.values().map(|r| r.attributes.get("size").cloned()).collect();
    assert_eq!(sizes, [Some(Value::Bytes(1))], "what is, not what was claimed");
    converges(&world, "a 5\nb 5\nc 5 after a").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_something_else_is_looked_into_and_stops_what_needs_it() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::OtherObject);
    world.fault("create", &name("b"), Fault::OtherStamp);
    let text = "a 5\nb 5\nc 5 after b";
    let account = world.apply(&from_nothing(text)).await.expect("it ran");
    let reasons: Vec<&str> = account.failed.iter().map(|t| &*t.reason).collect();
    assert_eq!(
        reasons,
        ["the provider answered something else than planned: it carries the stamp of another \
             deployment",]
    );
    let skipped: Vec<String> =
        account.skipped.iter().map(|t| t.object.address.to_string()).collect();
    assert_eq!(skipped, ["tenant.t.volume.c"]);
    let state = loaded(&world).await.state;
    let known: Vec<String> = state.records.keys().map(|own| own.address.to_string()).collect();
    assert_eq!(known, ["tenant.t.volume.a"], "a is there under its own name, b is not ours");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_remembered_under_the_stamp_of_another_object() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::OtherAddress);
    let account = world.apply(&from_nothing("a 5")).await.expect("it ran");
    assert!(account.is_success(), "a itself is as planned: {:?}", account.failed);
    let state = loaded(&world).await.state;
    let stamped: Vec<String> =
        state.records.values().map(|own| own.stamp.address.to_string()).collect();
    assert_eq!(stamped, ["tenant.t.volume.a"]);
}

/// Once its record were gone and the text silent, what still carries our stamp would be deleted.
#[tokio::test(start_paused = true)]
async fn an_object_is_let_go_of_only_when_its_stamp_is_surely_gone() {
    let world = World::new();
    world.apply(&from_nothing("a 1")).await.expect("applied");
    let before = loaded(&world).await.state;
    let mut forget = plan(&wanted(""), &world.observe().await, &before);
    let operation = forget.steps[0].operation.as_mut().expect("it asks somebody");
    operation.action = OperationKind::Unstamp;
    world.fault("forget", &name("a"), Fault::Nothing);
    let account = world.apply(&forget).await.expect("it ran");
    let reasons: Vec<&str> = account.failed.iter().map(|own| &*own.reason).collect();
    assert_eq!(reasons, ["the provider answered with no object"]);
    assert_eq!(loaded(&world).await.state, before);
    assert!(world.apply(&forget).await.expect("it ran").is_success());
    assert_eq!(loaded(&world).await.state.records.len(), 0);
    assert_eq!(world.names(), [name("a")]);
}

/// A deletion that is none is seen by the next plan, since the object still carries our stamp.
#[tokio::test(start_paused = true)]
async fn what_was_not_deleted_is_still_known_by_its_stamp() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 1")).await.expect("applied");
    let delete = plan(&wanted("b 1"), &world.observe().await, &loaded(&world).await.state);
    world.fault("delete", &name("a"), Fault::Nothing);
    assert!(world.apply(&delete).await.expect("it ran").is_success());
    assert_eq!(world.names(), [name("a"), name("b")]);
    converges(&world, "b 1").await;
    assert_eq!(world.names(), [name("b")]);
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_does_besides_is_seen_by_the_next_plan_and_made_good() {
    let world = World::new();
    world.apply(&from_nothing("b 5\nc 5 on 2")).await.expect("applied");
    world.fault("create", &name("a"), Fault::More);
    let text = "a 5\nb 5\nc 5 on 2";
    let state = loaded(&world).await.state;
    let next = plan(&wanted(text), &world.observe().await, &state);
    assert!(world.apply(&next).await.expect("it ran").is_success(), "a is what was asked for");
    let state = loaded(&world).await.state;
    let next = plan(&wanted(text), &world.observe().await, &state);
    let changed: Vec<String> =
        next.changes.iter().map(|own| own.object.address.to_string()).collect();
    assert_eq!(changed, ["tenant.t.volume.b"]);
    converges(&world, text).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_keeps_the_record_and_a_failed_delete_too() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 1")).await.expect("applied");
    let before = loaded(&world).await.state;
    world.fault("update", &name("a"), Fault::Never);
    world.fault("delete", &name("b"), Fault::Never);
    let next = plan(&wanted("a 2"), &world.observe().await, &before);
    let account = world.apply(&next).await.expect("it ran");
    assert_eq!(account.failed.len(), 2);
    assert_eq!(loaded(&world).await.state, before);
    converges(&world, "a 2").await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_costs_its_own_step() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::Panic);
    let account = world.apply(&from_nothing("a 1\nb 1\nc 1 on 2")).await.expect("it ran");
    assert_eq!((account.done, account.unknown.len()), (2, 1));
    converges(&world, "a 1\nb 1\nc 1 on 2").await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_down_costs_its_own_steps() {
    let world = World::new();
    world.inner().down.push(host(2));
    let text = "a 1\nb 1 on 2\nc 1 after b";
    let account = world.apply(&from_nothing(text)).await.expect("it ran");
    assert_eq!((account.done, account.failed.len(), account.skipped.len()), (1, 1, 1));
    let reason = &account.failed[0].reason;
    assert_eq!(reason, "site.m.host.kvm2 cannot be reached: the host is down");
    let observed = world.observe().await;
    assert!(observed.hosts[0].facts.is_some() && observed.hosts[1].facts.is_none());
    assert_eq!(observed.hosts[1].problems, ["the host is down"]);
    world.inner().down.clear();
    converges(&world, text).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_open_on_a_host_that_is_down_stays_open() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::Hang);
    world.apply(&from_nothing("a 1 on 2")).await.expect("it ran");
    world.inner().down.push(host(2));
    let found = world.recover().await;
    assert!(found.is_unsettled());
    assert_eq!(loaded(&world).await.intents.len(), 1);
    world.inner().down.clear();
    converges(&world, "a 1 on 2").await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_plan_changes_nothing_and_says_what_changed() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 1\nc 1")).await.expect("applied");
    let state = loaded(&world).await.state;
    let saved = plan(&wanted("a 2\nb 2\nd 1"), &world.observe().await, &state);
    world.drift(&name("b"), |fields| {
        fields.insert("size", Value::Bytes(7));
    });
    world.apply(&from_nothing("d 9")).await.expect("applied");
    let calls = world.log().len();
    let Err(ApplyError::Stale(stale)) = world.apply(&saved).await else { panic!("it is stale") };
    let told: Vec<String> = stale.iter().map(|s| format!("{}: {}", s.object, s.changed)).collect();
    assert_eq!(
        told,
        [
            "tenant.t.volume.b on site.m.host.kvm1: it was changed after the plan was made",
            "tenant.t.volume.d on site.m.host.kvm1: a volume \"t.volume-d\" exists now, which did not \
         when the plan was made",
        ]
    );
    assert_eq!(world.log().len(), calls, "no provider was asked for anything");
}

#[tokio::test(start_paused = true)]
async fn plans_about_different_objects_both_apply() {
    let world = World::new();
    let (one, two) = (from_nothing("a 1"), from_nothing("b 1"));
    assert!(world.apply(&two).await.expect("applied").is_success());
    assert!(world.apply(&one).await.expect("applied").is_success());
    let again = world.apply(&one).await;
    assert!(matches!(again, Err(ApplyError::Stale(_))), "but not the same one twice");
}

#[tokio::test(start_paused = true)]
async fn secrets_reach_the_provider_and_nothing_else() {
    let world = World::new();
    let secret: Value = serde_json::from_str(r#"{"$secret":[["text","x-"],["source","env:A"]]}"#)
        .expect("a secret");
    let mut plan = from_nothing("a 1");
    let mut attributes = (*wanted("a 1").values().next().expect("a").attributes).clone();
    attributes.insert("password", secret);
    let attributes = std::sync::Arc::new(attributes);
    if let Some(operation) = &mut plan.steps[0].operation
        && let tcloud_model::OperationKind::Create { attributes: planned, .. } =
            &mut operation.action
    {
        *planned = std::sync::Arc::clone(&attributes);
    }
    world.fault("create", &name("a"), Fault::Never);
    let account = world.apply(&plan).await.expect("it ran");
    assert_eq!(account.failed[0].reason, "no: (secret)");
    let account = world.apply(&plan).await.expect("it ran");
    assert!(account.is_success(), "{account:?}");
    assert_eq!(world.inner().revealed, [Value::text("x-hunter2-env:A")]);
    let details = Filter { details: true, ..Filter::default() };
    let history = world.store.history(&details).await.expect("history");
    let written: String = history.iter().map(|logged| logged.entry.to_json()).collect();
    assert!(written.contains("env:A") && !written.contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_had_ends_the_run_before_anything_is_changed() {
    let world = World::new();
    let secret: Value =
        serde_json::from_str(r#"{"$secret":[["source","nowhere:A"]]}"#).expect("a secret");
    let mut plan = from_nothing("a 1\nb 1");
    let step = plan.steps.iter_mut().find(|step| step.records[0].0.address == address("b"));
    let operation = step.and_then(|step| step.operation.as_mut()).expect("b is made");
    if let tcloud_model::OperationKind::Create { attributes, .. } = &mut operation.action {
        std::sync::Arc::make_mut(attributes).insert("password", secret);
    }
    let refused = world.apply(&plan).await;
    let Err(ApplyError::Secret(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.source_name, "nowhere:A");
    assert!(world.names().is_empty(), "not even what needs no secret");
    assert!(world.log().is_empty());
    converges(&world, "a 1\nb 1").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_empty_and_is_filled_during_a_run_is_not_deleted() {
    let world = World::new();
    world.apply(&from_nothing("b 1\na 1 after b")).await.expect("applied");
    let state = loaded(&world).await.state;
    let next = plan(&wanted(""), &world.observe().await, &state);
    world.fault("delete", &name("a"), Fault::Fills);
    let account = world.apply(&next).await.expect("it ran");
    let reasons: Vec<&str> = account.failed.iter().map(|trouble| &*trouble.reason).collect();
    assert_eq!(reasons, ["it was empty when the plan was made, and holds data now; plan again"]);
    assert_eq!(world.names(), [name("b")]);
}

#[tokio::test(start_paused = true)]
async fn what_is_filled_between_two_attempts_is_not_deleted() {
    let world = World::new();
    world.apply(&from_nothing("b 1")).await.expect("applied");
    let state = loaded(&world).await.state;
    let next = plan(&wanted(""), &world.observe().await, &state);
    world.fault("delete", &name("b"), Fault::LaterFilled);
    let account = world.apply(&next).await.expect("it ran");
    let reasons: Vec<&str> = account.failed.iter().map(|trouble| &*trouble.reason).collect();
    assert_eq!(reasons, ["it was empty when the plan was made, and holds data now; plan again"]);
    assert_eq!(world.names(), [name("b")]);
}

#[tokio::test(start_paused = true)]
async fn what_was_empty_and_is_filled_and_changed_otherwise_is_not_deleted() {
    let world = World::slow();
    world.apply(&from_nothing("b 1\na 1 after b")).await.expect("applied");
    let state = loaded(&world).await.state;
    let next = plan(&wanted(""), &world.observe().await, &state);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        for object in world.inner().hosts.values_mut().flat_map(|own| own.values_mut()) {
            object.written = Some(1);
            object.attributes = Arc::default();
        }
    };
    let (account, ()) = tokio::join!(world.apply(&next), meanwhile);
    let account = account.expect("it ran");
    let reasons: Vec<&str> = account.failed.iter().map(|trouble| &*trouble.reason).collect();
    assert_eq!(reasons, ["it was empty when the plan was made, and holds data now; plan again"]);
    assert_eq!(world.names(), [name("b")]);
}

#[tokio::test(start_paused = true)]
async fn what_was_empty_and_cannot_be_looked_at_is_not_deleted() {
    let world = World::new();
    world.apply(&from_nothing("b 1")).await.expect("applied");
    let state = loaded(&world).await.state;
    let next = plan(&wanted(""), &world.observe().await, &state);
    for _ in 0..6 {
        world.fault("look", &name("b"), Fault::Later);
    }
    let account = world.apply(&next).await.expect("it ran");
    assert_eq!((account.done, account.failed.len()), (0, 1), "{account:?}");
    assert_eq!(account.failed[0].reason, "busy");
    assert!(!world.log().iter().any(|line| line.starts_with("delete")), "{:?}", world.log());
    // A look that fails once is repeated.
    world.fault("look", &name("b"), Fault::Later);
    assert_eq!(world.apply(&next).await.expect("it ran").done, 1);
    assert!(world.names().is_empty());
}
