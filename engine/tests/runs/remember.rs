//! What is remembered can be had again from what runs.

use std::sync::Arc;

use tcloud_engine::rebuild::{Doubtful, Rebuilt, rebuild};
use tcloud_engine::refresh::{refresh, unseen};
use tcloud_engine::{ChangeError, Control, Edit};
use tcloud_model::{Catalog, Name, ObservedState, State, Value};
use tcloud_state::{MemoryStore, RecordChange, Selection, Store, Why};

use uuid::Uuid;

use crate::plan::{from_nothing, name, plan, wanted};
use crate::world::{Fault, World, deployment, host, run};

fn rebuild_from(known: &State, observed: &ObservedState) -> Rebuilt {
    rebuild(known, observed, &deployment(), &Catalog::core())
}

fn rebuilt(known: &State, observed: &ObservedState) -> Vec<RecordChange> {
    rebuild_from(known, observed).changes
}

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
    let changes = rebuilt(&State::default(), &observed);
    let (run, silent) = (run("state rebuild"), Control::silent());
    let written = engine.edit(Edit::new(Why::Rebuild, &changes, &rebuilt), &run, &silent).await;
    assert_eq!(written.expect("written").records, changes);
    assert_eq!(state(&empty).await, before);
    assert_eq!(rebuilt(&before, &observed), [], "nothing is left to rebuild");
}

/// Between the look and the lease somebody else applies.
#[tokio::test(start_paused = true)]
async fn what_others_applied_meanwhile_is_neither_overwritten_nor_forgotten() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 1")).await.expect("applied");
    let is_a = |key: &(Name, Name)| *key.1 == *name("a");
    world.inner().hosts.values_mut().for_each(|objects| objects.retain(|key, _| !is_a(key)));
    let (known, observed) = (state(&world.store).await, world.observe().await);
    let agreed = rebuilt(&known, &observed);
    let gone: Vec<String> = agreed.iter().map(|own| own.object.address.to_string()).collect();
    assert_eq!(gone, ["tenant.t.volume.a"]);
    let wanted = wanted("a 1\nb 2\nc 3");
    world.apply(&plan(&wanted, &observed, &known)).await.expect("applied");
    let before = state(&world.store).await;
    let (engine, run, silent) = (world.engine(), run("state rebuild"), Control::silent());
    let written = engine.edit(Edit::new(Why::Rebuild, &agreed, &rebuilt), &run, &silent).await;
    assert_eq!(written.expect("written").records, []);
    assert_eq!(state(&world.store).await, before);

    world.inner().hosts.values_mut().for_each(|objects| objects.clear());
    let run = crate::world::run("state rebuild");
    let written = engine.edit(Edit::new(Why::Rebuild, &agreed, &rebuilt), &run, &silent).await;
    assert!(matches!(written, Err(ChangeError::Stale)), "nobody agreed to forget b and c");
    assert_eq!(state(&world.store).await, before);
}

/// Between the question and the lease another run leaves something open as well.
#[tokio::test(start_paused = true)]
async fn only_what_was_agreed_to_is_dropped() {
    let world = World::new();
    world.fault("create", &name("a"), Fault::Hang);
    world.apply(&from_nothing("a 1")).await.expect("it ran");
    let agreed = world.store.intents(&Selection::All).await.expect("read");
    assert_eq!(agreed.len(), 1);
    world.fault("look", &name("a"), Fault::Later);
    world.fault("create", &name("b"), Fault::Hang);
    world.apply(&from_nothing("b 1")).await.expect("it ran");
    let (engine, run, silent) = (world.engine(), run("state forget"), Control::silent());
    let nothing = |_: &State, _: &ObservedState| Vec::new();
    let edit = Edit { open: &agreed, ..Edit::new(Why::Forget, &[], &nothing) };
    let changed = engine.edit(edit, &run, &silent).await.expect("written");
    assert_eq!((changed.dropped, changed.records), (1, vec![]));
    let left = world.store.intents(&Selection::All).await.expect("read");
    let left: Vec<String> =
        left.iter().map(|(_, own)| own.intent.operation.object.address.to_string()).collect();
    assert_eq!(left, ["tenant.t.volume.b"]);
}

/// A guest that was cloned on its host, stamp and all.
#[tokio::test(start_paused = true)]
async fn a_copy_is_not_taken_for_what_it_was_made_from() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 1")).await.expect("applied");
    let before = state(&world.store).await;
    let mut observed = world.observe().await;
    let objects = &mut observed.hosts[0].objects;
    let original = objects.iter().position(|own| own.name == *name("a")).expect("it is there");
    let mut copy = objects[original].clone();
    let clone = Name::new(&format!("{}-clone", name("a")));
    (copy.name, copy.uuid) = (clone.clone(), Some(Uuid::from_u128(7)));
    objects.push(copy);
    for known in [&before, &State::default()] {
        let Rebuilt { changes, doubtful } = rebuild_from(known, &observed);
        assert_eq!(doubtful, []);
        assert!(changes.iter().all(|own| before.records.get(&own.object) == own.record.as_deref()));
    }
    // One that was adopted has a UUID that nothing follows from.
    observed.hosts[0].objects[original].uuid = Some(Uuid::from_u128(6));
    let mut adopted = before.clone();
    let object = adopted.records.keys().next().expect("of a").clone();
    let record = |uuid: u128| {
        let mut record = before.records[&object].clone();
        record.identity.uuid = Uuid::from_u128(uuid);
        record
    };
    adopted.records.insert(object.clone(), record(6));
    let Rebuilt { changes, doubtful } = rebuild_from(&adopted, &observed);
    assert_eq!((changes, doubtful), (vec![], vec![]), "the record tells");
    adopted.records.insert(object.clone(), record(5));
    let names = vec![Name::new(&name("a")), clone];
    let expected = vec![Doubtful { object, names }];
    let Rebuilt { changes, doubtful } = rebuild_from(&adopted, &observed);
    assert_eq!((changes, doubtful), (vec![], expected), "what is remembered stays");
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
    let changes = rebuilt(&before, &world.observe().await);
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
    let (engine, run, silent) = (world.engine(), run("refresh"), Control::silent());
    engine.edit(Edit::new(Why::Refresh, &changes, &refresh), &run, &silent).await.expect("written");
    let sizes: Vec<String> = state(&world.store)
        .await
        .records
        .iter()
        .map(|(object, r)| format!("{} {:?}", object.address.name(), r.attributes.get("size")))
        .collect();
    assert_eq!(sizes, ["a Some(Bytes(9))", "c Some(Bytes(3))"]);
    assert_eq!(world.log().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn what_a_host_could_not_read_is_told_from_what_it_shows() {
    let world = World::new();
    world.apply(&from_nothing("a 1\nb 2\nc 3 on 2")).await.expect("applied");
    let known = state(&world.store).await;
    let hide = |number, own: &str| {
        let mut inner = world.inner();
        let objects = inner.hosts.get_mut(&host(number)).expect("it is there");
        objects.retain(|(_, other), _| **other != *name(own));
    };
    hide(1, "b");
    assert!(unseen(&known, &world.observe().await).is_empty(), "it is gone, and that is known");
    world.inner().problems = vec!["a volume could not be read".to_owned()];
    let told: Vec<String> =
        unseen(&known, &world.observe().await).iter().map(ToString::to_string).collect();
    assert_eq!(told, ["tenant.t.volume.b on site.m.host.kvm1"]);
}
