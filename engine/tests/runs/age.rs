//! What tells an older state and an older plan from what runs by now.

use std::collections::BTreeMap;

use tcloud_engine::age::unknown;
use tcloud_engine::{ApplyError, Control, Edit};
use tcloud_model::{Address, ObservedState, State};
use tcloud_state::{Loaded, RecordChange, Selection, Why};

use crate::plan::{address, plan, wanted};
use crate::world::{World, deployment, run};

async fn loaded(world: &World) -> Loaded {
    world.store.load(&Selection::All).await.expect("loaded")
}

async fn reach(world: &std::sync::Arc<World>, text: &str) {
    let state = loaded(world).await.state;
    let plan = plan(&wanted(text), &world.observe().await, &state);
    world.apply(&plan).await.expect("applied");
}

async fn generations(world: &std::sync::Arc<World>) -> BTreeMap<Address, u64> {
    let observed = world.observe().await;
    let stamps = observed.hosts.iter().flat_map(|host| &host.objects);
    let stamps = stamps.filter_map(|object| object.stamp.clone());
    stamps.map(|stamp| (stamp.address, stamp.generation)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_run_writes_carries_the_generation_of_its_lease() {
    let world = World::new();
    reach(&world, "a 1\nb 1").await;
    reach(&world, "a 2\nb 1\nother/c 1").await;
    let expected = [("a", 2), ("b", 1), ("other/c", 1)];
    let expected = expected.map(|(name, generation)| (address(name), generation));
    assert_eq!(generations(&world).await, BTreeMap::from(expected));
    for (object, record) in loaded(&world).await.state.records {
        assert_eq!(Some(&record.stamp.generation), generations(&world).await.get(&object.address));
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_state_is_told_from_one_that_forgot() {
    let world = World::new();
    reach(&world, "a 1\nb 1").await;
    let backup = loaded(&world).await;
    reach(&world, "a 2\nb 1\nc 1\nother/d 1").await;
    let observed = world.observe().await;
    let unknown = |loaded: &Loaded| unknown(loaded, &observed, &deployment());
    let newer = ["a", "c", "other/d"].map(address);
    assert_eq!(unknown(&backup).into_iter().collect::<Vec<_>>(), {
        let mut newer = newer.to_vec();
        newer.sort();
        newer
    });
    let mut now = loaded(&world).await;
    assert!(unknown(&now).is_empty());
    let forget = |state: &State, _: &ObservedState| -> Vec<RecordChange> {
        let own = state.records.keys().filter(|object| object.address == address("b"));
        own.map(|object| RecordChange { object: object.clone(), record: None }).collect()
    };
    let (agreed, engine) = (forget(&now.state, &observed), world.engine());
    let (info, silent) = (run("state forget"), Control::silent());
    let forgotten = engine.edit(Edit::new(Why::Forget, &agreed, &forget), &info, &silent).await;
    assert_eq!(forgotten.expect("written").records, agreed);
    now = loaded(&world).await;
    assert_eq!(now.state.records.len(), 3);
    assert!(unknown(&now).is_empty(), "it is not older for what it was told to forget");
}

/// A plan that only writes records is made before another run changes what they tell of.
#[tokio::test(start_paused = true)]
async fn a_late_record_is_stale() {
    let world = World::new();
    reach(&world, "a 1").await;
    let remembered = loaded(&world).await.state;
    let writes = plan(&wanted("a 1"), &world.observe().await, &State::default());
    assert!(writes.steps.iter().all(|step| step.operation.is_none()) && !writes.is_empty());
    reach(&world, "").await;
    let removes = plan(&wanted(""), &world.observe().await, &remembered);
    assert!(removes.steps.iter().all(|step| step.operation.is_none()) && !removes.is_empty());
    let Err(ApplyError::Stale(stale)) = world.apply(&writes).await else { panic!("it applies") };
    assert_eq!(stale[0].changed, "it is gone");
    world.inner().problems.push("a guest could not be read".to_owned());
    let Err(ApplyError::Stale(stale)) = world.apply(&writes).await else { panic!("it applies") };
    assert_eq!(stale[0].changed, "it could not be read");
    world.inner().problems.clear();
    assert!(loaded(&world).await.state.records.is_empty());
    reach(&world, "a 1").await;
    let Err(ApplyError::Stale(stale)) = world.apply(&removes).await else { panic!("it applies") };
    assert_eq!(stale[0].changed, "it exists again");
    assert_eq!(loaded(&world).await.state.records.len(), 1);
}
