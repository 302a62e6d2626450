//! The real planner, engine, recovery and journal over a simulated world, from one seed. The
//! world – hosts, store, disk, processes, clocks – is simulated, time stands still while nothing
//! happens, and everything random comes from the seed, so that a seed always tells the same story.
//! The modules stand in reading order:
//!
//! * `chance`, `trace` – what is random, and what happened.
//! * [`fault`] – what goes wrong.
//! * `text` – the configuration, and its edits.
//! * `hypervisor` – the hosts; `outsider` – somebody who changes them by hand.
//! * `process` – what runs an engine, and may die at every moment.
//! * `wire`, `desk` – how it reaches hosts and the store.
//! * `disk` – what is under the store, and what a power failure leaves of it.
//! * `world` – all of that together; `backup` – a store that is restored.
//! * `oracle` – the invariants.
//! * [`broken`] – engines with a defect, which have to be noticed.
//! * `operator` – a run of the tool; `story` – a whole simulation.
//! * [`promise`] – the invariants in words; [`report`] – what was measured.
//! * [`exhaustive`] – runs that are killed at every moment; [`many`] – side by side.

mod backup;
pub mod broken;
mod chance;
mod desk;
mod disk;
pub mod exhaustive;
pub mod fault;
mod hypervisor;
pub mod many;
mod operator;
mod oracle;
mod outsider;
mod process;
pub mod promise;
pub mod report;
mod story;
mod text;
mod trace;
mod wire;
mod world;

use std::collections::BTreeMap;

use tcloud_model::Digest;

use crate::broken::Broken;
use crate::chance::Chance;
use crate::fault::Fault;
use crate::story::Story;
use crate::trace::Trace;
use crate::world::World;

/// What became of a simulation.
#[derive(Debug)]
pub struct Simulated {
    /// What was broken, with the invariant's number first.
    pub violations: Vec<String>,
    /// How often each fault was met.
    pub met: BTreeMap<Fault, u64>,
    /// How often the tool was run.
    pub runs: u64,
    /// The digest of everything that happened.
    pub digest: Digest,
    /// Everything that happened, line by line.
    pub trace: Vec<String>,
}

/// Simulates a seed once, perhaps with a broken engine.
///
/// # Panics
/// When no runtime can be made.
pub fn simulate(seed: u64, broken: Option<Broken>) -> Simulated {
    in_simulated_time(async {
        let world = World::new(Chance::of(!seed), &story::hosts(), broken);
        let ended = match Story::begin(std::sync::Arc::clone(&world), Chance::of(seed)) {
            Ok(story) => story.tell().await,
            Err(error) => Err(format!("the text is wrong: {error}")),
        };
        let mut inner = world.inner();
        let mut violations = std::mem::take(&mut inner.oracle.violations);
        violations.extend(ended.err());
        let trace = std::mem::replace(&mut inner.trace, Trace::new());
        violations.extend(trace.leaks().map(|line| format!("I10: a secret is told: {line}")));
        let (met, runs, digest) = (inner.met.clone(), inner.runs(), trace.digest());
        Simulated { violations, met, runs, digest, trace: trace.into_lines() }
    })
}

/// Simulates a seed twice: a seed that tells two stories could not be replayed.
///
/// # Panics
/// When no runtime can be made.
pub fn simulate_twice(seed: u64) -> Simulated {
    let (mut one, two) = (simulate(seed, None), simulate(seed, None));
    if one.digest != two.digest {
        let differs = one.trace.iter().zip(&two.trace).find(|(one, two)| one != two);
        one.violations.push(format!("two stories from one seed: {differs:?}"));
    }
    one
}

/// Runs something in simulated time, on one thread.
fn in_simulated_time<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(what)
}
