//! A run that is cut off at every single moment, before and after everything that leaves a trace:
//! the next one settles what is open, and the one after that has nothing to do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tcloud_engine::{Control, Limits};
use tcloud_model::ObjectId;
use tcloud_state::store::Stored;
use tcloud_state::{
    Acquired, Append, Filter, LeaseRequest, Loaded, Logged, OpenIntent, Scope, Selection,
    SqliteStore, Store, StoreError,
};
use uuid::Uuid;

use crate::plan::{plan, wanted};
use crate::world::{World, run};

/// A store in which a run can be cut off before and after each call.
struct Cuttable {
    world: Arc<World>,
}

#[async_trait]
impl Store for Cuttable {
    async fn load(&self, scopes: &Selection) -> Result<Loaded, StoreError> {
        self.world.store.load(scopes).await
    }
    async fn intents(&self, scopes: &Selection) -> Result<Vec<(Scope, OpenIntent)>, StoreError> {
        self.world.store.intents(scopes).await
    }
    async fn acquire(&self, request: &LeaseRequest) -> Result<Acquired, StoreError> {
        self.world.points.pass().await;
        let answer = self.world.store.acquire(request).await;
        self.world.points.pass().await;
        answer
    }
    async fn renew(&self, run: Uuid, ttl: Duration) -> Result<u64, StoreError> {
        self.world.store.renew(run, ttl).await
    }
    async fn release(&self, run: Uuid) -> Result<(), StoreError> {
        self.world.points.pass().await;
        self.world.store.release(run).await
    }
    async fn append(&self, run: Uuid, batch: &[Append]) -> Result<(), StoreError> {
        self.world.points.pass().await;
        let answer = self.world.store.append(run, batch).await;
        self.world.points.pass().await;
        answer
    }
    async fn history(&self, filter: &Filter) -> Result<Vec<Logged>, StoreError> {
        self.world.store.history(filter).await
    }
    async fn entries(&self, scope: &Scope, from: u64, n: u32) -> Result<Vec<Stored>, StoreError> {
        self.world.store.entries(scope, from, n).await
    }
    async fn close(&self) {}
}

const BEFORE: &str = "a 1\nb 1 after a\nold 1\nolder 1 after old\nother/x 1";
const AFTER: &str = "a 2\nb 1 after a\nnew 3 on 2\nnewer 3 after new\nother/x 1\nother/y 2 after a";

async fn planned(world: &Arc<World>, text: &str) -> Arc<tcloud_planner::Plan> {
    let state = world.store.load(&Selection::All).await.expect("loaded").state;
    Arc::new(plan(&wanted(text), &world.observe().await, &state))
}

/// Recovers, plans and applies until it ends or is cut off; whether it ended.
async fn attempt(world: &Arc<World>, text: &str, cut_at: usize, pid: u32) -> bool {
    world.points.passed.store(0, Ordering::SeqCst);
    world.points.cut_at.store(cut_at, Ordering::SeqCst);
    let store = Arc::new(Cuttable { world: Arc::clone(world) });
    let engine = world.engine_of(pid, Limits { parallelism: 3, ..Limits::default() }, store);
    let work = async {
        let silent = Control::silent();
        engine.recover(&run("apply"), &silent).await.expect("recovered");
        let plan = planned(world, text).await;
        let account = engine.apply(&plan, &run("apply"), &silent).await.expect("applied");
        assert!(account.is_success(), "{account:?}");
    };
    let ended = tokio::select! {
        () = work => true,
        () = world.points.cut.notified() => false,
    };
    world.points.cut_at.store(0, Ordering::SeqCst);
    ended
}

/// Everything of ours that runs is remembered or intended (I4).
async fn nothing_is_lost(world: &Arc<World>) {
    let loaded = world.store.load(&Selection::All).await.expect("loaded");
    let mut known: BTreeSet<ObjectId> = loaded.state.records.into_keys().collect();
    known.extend(loaded.intents.into_iter().map(|(_, open)| open.intent.operation.object));
    for host in world.observe().await.hosts {
        for object in host.objects {
            let stamp = object.stamp.expect("everything here is ours");
            let (address, incarnation) = (stamp.address, stamp.incarnation);
            let object = ObjectId { address, host: host.host.clone(), incarnation };
            assert!(known.contains(&object), "{object} is lost");
        }
    }
}

/// What is wanted runs, exactly once, and nothing is left to do (I5, I6).
async fn all_is_well(world: &Arc<World>, text: &str, at: &str) {
    assert_eq!(world.recover().await.findings, [], "{at}");
    let again = planned(world, text).await;
    assert!(again.is_empty(), "{at}: {:?}", again.steps);
    assert_eq!(world.names().len(), wanted(text).len(), "{at}");
}

async fn cut_everywhere(new: impl Fn() -> Arc<World>) {
    let mut cut_at = 1;
    loop {
        let world = new();
        assert!(attempt(&world, BEFORE, 0, 1).await);
        let ended = attempt(&world, AFTER, cut_at, 2).await;
        nothing_is_lost(&world).await;
        // The second attempt is cut off too, a little later each time.
        attempt(&world, AFTER, 1 + cut_at % 7, 3).await;
        nothing_is_lost(&world).await;
        assert!(attempt(&world, AFTER, 0, 4).await);
        all_is_well(&world, AFTER, &format!("cut off at {cut_at}")).await;
        if ended {
            break;
        }
        cut_at += 1;
    }
    assert!(cut_at > 20, "there are many moments: {cut_at}");
}

#[tokio::test(start_paused = true)]
async fn whenever_a_run_is_cut_off_the_next_one_gets_there() {
    cut_everywhere(World::new).await;
}

#[tokio::test(start_paused = true)]
async fn whenever_a_run_with_slow_calls_is_cut_off_the_next_one_gets_there() {
    cut_everywhere(World::slow).await;
}

#[tokio::test]
async fn whenever_a_run_is_cut_off_a_file_is_enough_for_the_next_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let count = std::cell::Cell::new(0);
    cut_everywhere(|| {
        count.set(count.get() + 1);
        let path = directory.path().join(format!("{}.db", count.get()));
        let store = SqliteStore::open(&path).expect("opens");
        World::with(Arc::new(store), Duration::ZERO)
    })
    .await;
}
