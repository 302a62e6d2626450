//! A network between a run and its database that breaks at the worst moments: what was written is
//! found out, and nothing is written twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::database::Database;
use crate::kit::*;
use crate::server::{self, Way, fresh};
use tcloud_state::verify::verify;
use tcloud_state::{Filter, Scope, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How a connection breaks when a transaction is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// The server never hears of it.
    Before,
    /// The server did it, and its answer gets lost.
    After,
    /// The server never hears of it, and nobody notices: the connection stays open.
    SilentlyBefore,
    /// The server did it, and nobody notices that its answer gets lost.
    SilentlyAfter,
}

/// A network in which every so many commits break, in a way.
struct Network {
    way: Break,
    /// Every how many commits; 0 for none.
    every: AtomicUsize,
    commits: AtomicUsize,
    broken: AtomicUsize,
    /// Nothing gets through any more.
    parted: AtomicBool,
}

impl Network {
    /// The URL of a database behind it.
    async fn before(way: Break) -> (Arc<Network>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let network = Arc::new(Network {
            way,
            every: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            parted: AtomicBool::new(false),
        });
        let own = Arc::clone(&network);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&own).carry(near));
            }
        });
        let url = fresh(Way::Direct);
        let (_, rest) = url.rsplit_once('/').expect("it names a database");
        (network, format!("postgres://operator@127.0.0.1:{port}/{rest}&sslmode=disable"))
    }

    async fn carry(self: Arc<Network>, mut near: TcpStream) {
        let port = Database::shared().port();
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.expect("the server is there");
        let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            tokio::select! {
                read = near.read(&mut up) => {
                    let Ok(length @ 1..) = read else { return };
                    let commit = up[..length].windows(7).any(|window| window == b"COMMIT\0");
                    if !(commit && self.breaks()) {
                        self.pass(&mut far, &up[..length]).await;
                        continue;
                    }
                    if matches!(self.way, Break::After | Break::SilentlyAfter) {
                        far.write_all(&up[..length]).await.expect("the server listens");
                        // The answer has come when the server has done it.
                        let answer = far.read(&mut down).await.expect("the server answers");
                        assert!(answer > 0, "the server answers");
                    }
                    if matches!(self.way, Break::SilentlyBefore | Break::SilentlyAfter) {
                        std::future::pending::<()>().await;
                    }
                    return;
                }
                read = far.read(&mut down) => {
                    let Ok(length @ 1..) = read else { return };
                    self.pass(&mut near, &down[..length]).await;
                }
            }
        }
    }

    async fn pass(&self, to: &mut TcpStream, bytes: &[u8]) {
        while self.parted.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ = to.write_all(bytes).await;
    }

    fn breaks(&self) -> bool {
        let (number, every) =
            (self.commits.fetch_add(1, Ordering::AcqRel), self.every.load(Ordering::Acquire));
        let breaks = every > 0 && number % every == every - 1;
        self.broken.fetch_add(usize::from(breaks), Ordering::AcqRel);
        breaks
    }
}

/// Writes steps and looks whether each entry is there once.
async fn write_and_check(way: Break, every: usize, steps: u32) {
    let (network, url) = Network::before(way).await;
    let store: Arc<dyn Store> = Arc::new(server::open(&url).await.expect("it opens"));
    let mut run = begin(&store, &["tenant.a"]).await;
    network.every.store(every, Ordering::Release);
    for step in 0..steps {
        run.create(step, &format!("tenant.a.vm.x[{step}]"), 1).await;
    }
    network.every.store(0, Ordering::Release);
    assert!(network.broken.load(Ordering::Acquire) > 0, "nothing broke");
    let verified = verify(&*store).await.expect("read");
    assert!(verified.is_sound(), "{verified:?}");
    assert_eq!(verified.entries, 2 * u64::from(steps), "{way:?}");
    assert_eq!(store.renew(run.id, TTL).await.expect("renewed"), 1);
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_made_again() {
    write_and_check(Break::Before, 3, 30).await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_made_again() {
    write_and_check(Break::After, 3, 30).await;
}

#[tokio::test]
async fn a_silence_is_waited_for_no_longer_than_needed() {
    tokio::join!(
        write_and_check(Break::SilentlyBefore, 2, 1),
        write_and_check(Break::SilentlyAfter, 2, 1),
    );
}

/// The server is killed again and again while many write. Whoever was told that an entry is
/// durable finds it, and nobody finds one twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_mid_commit_loses_nothing() {
    let database = Arc::new(tokio::task::spawn_blocking(Database::start).await.expect("started"));
    let url = database.pooled("operator");
    let store: Arc<dyn Store> = Arc::new(server::open(&url).await.expect("it opens"));
    let done = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..6_u32)
        .map(|number| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            let written = Arc::clone(&written);
            tokio::spawn(async move {
                let name = format!("tenant.t{number}");
                let mut run = begin(&store, &[&name]).await;
                let mut step = 0;
                while !done.load(Ordering::Acquire) {
                    run.create(step, &format!("{name}.vm.x[{step}]"), 1).await;
                    step += 1;
                    written.fetch_add(2, Ordering::AcqRel);
                }
                (name, step)
            })
        })
        .collect();
    for pause in [300, 150, 420, 90, 250] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let database = Arc::clone(&database);
        let again = tokio::task::spawn_blocking(move || {
            database.tell("kill");
            database.tell("start");
        });
        again.await.expect("it starts again");
    }
    let before = written.load(Ordering::Acquire);
    while written.load(Ordering::Acquire) < before + 100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    done.store(true, Ordering::Release);
    let mut all = 0;
    for writer in writers {
        let (name, steps) = writer.await.expect("every entry was written");
        let scope: Scope = name.parse().expect("a scope");
        let filter = Filter { scope: Some(scope), details: true, ..Filter::default() };
        let entries = store.history(&filter).await.expect("read");
        assert_eq!(entries.len(), 2 * steps as usize, "{name}");
        all += entries.len() as u64;
    }
    let verified = verify(&*store).await.expect("read");
    assert!(verified.is_sound() && verified.entries == all, "{verified:?}, {all}");
}

/// A network that is parted for a while is waited for.
#[tokio::test]
async fn a_parted_network_is_waited_for() {
    let (network, url) = Network::before(Break::Before).await;
    let store: Arc<dyn Store> = Arc::new(server::open(&url).await.expect("it opens"));
    let mut run = begin(&store, &["tenant.a"]).await;
    network.parted.store(true, Ordering::Release);
    let healing = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        network.parted.store(false, Ordering::Release);
    };
    tokio::join!(run.create(0, "tenant.a.vm.x", 1), healing);
    let verified = verify(&*store).await.expect("read");
    assert!(verified.is_sound() && verified.entries == 2, "{verified:?}");
}
