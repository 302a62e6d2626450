//! What is remembered can be had again from what runs.

use std::sync::Arc;

use tcloud_engine::Control;
use tcloud_engine::rebuild::rebuild;
use tcloud_engine::refresh::refresh;
use tcloud_model::{Catalog, State, Value};
use tcloud_state::{MemoryStore, RecordChange, Selection, Store, Why};

use crate::plan::{from_nothing, name};
use crate::world::{World, deployment, host, run};

async fn state(store: &Arc<dyn Store>) -> State {
    store.load(&Selection::All).await.expect("loaded").state
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_is_rebuilt_from_what_runs() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 2 on 2 after a\nother/c 3")).await.expect("applied");
    let before = state(&world.store).await;
    assert_eq!(before.records.len(), 3);
    let empty: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let engine = world.engine_of(7, tcloud_engine::Limits::default(), Arc::clone(&empty));
    let observed = engine.observe().await;
    let changes = rebuild(&State::default(), &observed, &deployment(), &Catalog::core());
    let (run, silent) = (run("state rebuild"), Control::silent());
    engine.change_records(Why::Rebuild, changes, &run, &silent).await.expect("written");
    assert_eq!(state(&empty).await, before);
    let again = rebuild(&before, &observed, &deployment(), &Catalog::core());
    assert_eq!(again, [], "nothing is left to rebuild");
}

#[tokio::test(start_paused = true)]
async fn rebuilding_forgets_what_is_gone_unless_its_host_is_silent() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 2 on 2")).await.expect("applied");
    let before = state(&world.store).await;
    let foreign = |world: &World| {
        let mut inner = world.inner();
        inner.hosts.values_mut().for_each(|objects| objects.clear());
    };
    foreign(&world);
    world.inner().down.push(host(2));
    let changes = rebuild(&before, &world.observe().await, &deployment(), &Catalog::core());
    let gone: Vec<String> = changes
        .iter()
        .map(|RecordChange { object, record }| format!("{object} {}", record.is_none()))
        .collect();
    assert_eq!(gone, ["tenant.t.volume.a on site.m.host.kvm1 true"]);
}

#[tokio::test(start_paused = true)]
async fn refreshing_takes_drift_for_applied_and_asks_nobody_to_change() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 2\nc 3 on 2")).await.expect("applied");
    world.drift(&name("a"), |fields| {
        fields.insert("size", Value::Bytes(9));
    });
    world
        .inner()
        .hosts
        .get_mut(&host(1))
        .expect("it is there")
        .retain(|(_, n), _| **n != *name("b"));
    world.inner().down.push(host(2));
    let calls = world.log().len();
    let before = state(&world.store).await;
    let changes = refresh(&before, &world.observe().await);
    let (run, silent) = (run("refresh"), Control::silent());
    world.engine().change_records(Why::Refresh, changes, &run, &silent).await.expect("written");
    let sizes: Vec<String> = state(&world.store)
        .await
        .records
        .iter()
        .map(|(object, r)| format!("{} {:?}", object.address.name(), r.attributes.get("size")))
        .collect();
    assert_eq!(sizes, ["a Some(Bytes(9))", "c Some(Bytes(3))"]);
    assert_eq!(world.log().len(), calls);
}
