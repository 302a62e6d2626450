//! A process that runs an engine: it can be killed, stopped and asked to end at every moment at
//! which it touches the outside.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tcloud_engine::Stop;
use tcloud_state::{Process, Processes};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::fault::Fault;
use crate::world::World;

/// What becomes of a process at one of its moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// SIGKILL, or the machine loses its power.
    Killed,
    /// SIGINT or SIGTERM, once or twice.
    Asked(Stop),
    /// It stands still for so long.
    Paused(Duration),
}

/// A process.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) number: u32,
    moments: AtomicU64,
    fates: Vec<(u64, Fate)>,
    frozen: Mutex<Option<Instant>>,
    dead: AtomicBool,
    pub(crate) killed: Notify,
    pub(crate) stop: watch::Sender<Stop>,
    /// Until when its connection to the store is cut.
    cut_off: Mutex<Option<Instant>>,
    run: Mutex<Uuid>,
}

impl Simulated {
    pub(crate) fn new(number: u32, fates: Vec<(u64, Fate)>) -> Simulated {
        Simulated {
            number,
            moments: AtomicU64::new(0),
            fates,
            frozen: Mutex::new(None),
            dead: AtomicBool::new(false),
            killed: Notify::new(),
            stop: watch::channel(Stop::No).0,
            cut_off: Mutex::new(None),
            run: Mutex::new(Uuid::nil()),
        }
    }

    /// How many moments it has lived through.
    pub(crate) fn moments(&self) -> u64 {
        self.moments.load(Ordering::SeqCst)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// It ended, in whatever way.
    pub(crate) fn ended(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    /// It is killed.
    pub(crate) fn killed_now(&self) {
        self.ended();
        self.killed.notify_one();
    }

    /// The run that it is busy with.
    pub(crate) fn run(&self) -> Uuid {
        self.run.lock().map_or(Uuid::nil(), |run| *run)
    }

    /// It begins a run.
    pub(crate) fn begins(&self, own: Uuid) {
        if let Ok(mut run) = self.run.lock() {
            *run = own;
        }
    }

    /// Its connection to the store is lost for a while.
    pub(crate) fn cut_off_until(&self, time: Instant) {
        if let Ok(mut until) = self.cut_off.lock() {
            *until = Some(time);
        }
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.lock().is_ok_and(|until| until.is_some_and(|until| Instant::now() < until))
    }

    /// One of its moments. For a dead process the world stands still.
    pub(crate) async fn pass(&self, world: &World, what: &str) {
        let now = self.moments.fetch_add(1, Ordering::SeqCst) + 1;
        for (at, fate) in &self.fates {
            if *at == now {
                world.say(&format!("p{} {fate:?} at {now}: {what}", self.number));
                world.inner().meet(match fate {
                    Fate::Killed | Fate::Asked(_) => Fault::F18,
                    Fate::Paused(_) => Fault::F19,
                });
                self.meets(*fate);
            }
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
        self.thawed().await;
    }

    /// Waits until it no longer stands still.
    pub(crate) async fn thawed(&self) {
        let until = self.frozen.lock().ok().and_then(|until| *until);
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    fn meets(&self, fate: Fate) {
        match fate {
            Fate::Killed => self.killed_now(),
            Fate::Asked(stop) => {
                self.stop.send_replace(stop);
            }
            Fate::Paused(time) => {
                if let Ok(mut until) = self.frozen.lock() {
                    *until = Some(Instant::now() + time);
                }
            }
        }
    }
}

/// What one process knows of the others: all run on one machine.
pub(crate) struct Machine {
    pub(crate) own: u32,
    pub(crate) world: std::sync::Arc<World>,
}

impl Processes for Machine {
    fn own(&self) -> Option<Process> {
        let text = || "simulated".to_owned();
        let (machine, boot, namespace) = (text(), text(), text());
        Some(Process { machine, boot, namespace, pid: self.own, started: 0 })
    }

    fn is_dead(&self, process: &Process) -> bool {
        self.world.is_dead(process.pid)
    }
}
