//! Everything that the simulator can measure, as one JSON document: the book's page is made of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::broken::Broken;
use crate::exhaustive::{kill_everywhere, scenarios};
use crate::fault::Fault;
use crate::promise::PROMISES;
use crate::{many, simulate, simulate_twice};

/// Within so many seeds a broken engine has to be noticed.
const NOTICED_WITHIN: u64 = 1_000;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Seeds, each simulated twice.
    pub seeds: u64,
    /// Runs of the tool in them.
    pub runs: u64,
    /// What was broken, with the seed or the scenario.
    pub violations: Vec<String>,
    promises: Vec<[&'static str; 3]>,
    faults: Vec<FaultReport>,
    scenarios: usize,
    moments: u64,
    broken: Vec<BrokenReport>,
}

#[derive(Debug, Serialize)]
struct FaultReport {
    number: Fault,
    what: &'static str,
    met: u64,
}

#[derive(Debug, Serialize)]
struct BrokenReport {
    what: &'static str,
    breaks: &'static str,
    /// The first seed in which it is noticed.
    seed: Option<u64>,
}

/// Simulates seeds `0..seeds`, kills every scenario of the suites at every moment, and tries all
/// broken engines.
///
/// # Errors
/// When the suites cannot be read.
pub fn measure(seeds: u64, suites: &Path) -> Result<Report, String> {
    let all: Vec<u64> = (0..seeds).collect();
    let simulated = many::each(&all, |seed| {
        let own = simulate_twice(*seed);
        (own.violations, own.met, own.runs)
    });
    let mut met: BTreeMap<Fault, u64> = BTreeMap::new();
    let (mut runs, mut violations) = (0, Vec::new());
    for (seed, (found, faults, own)) in all.iter().zip(simulated) {
        runs += own;
        violations.extend(found.into_iter().map(|what| format!("seed {seed}: {what}")));
        faults.into_iter().for_each(|(fault, times)| *met.entry(fault).or_default() += times);
    }
    let scenarios = scenarios(suites)?;
    let ended = many::each(&scenarios, kill_everywhere);
    let moments = ended.iter().map(|own| own.moments).sum();
    violations.extend(ended.into_iter().flat_map(|own| own.violations));
    let faults = Fault::ALL.map(|(number, what)| FaultReport {
        number,
        what,
        met: met.get(&number).copied().unwrap_or(0),
    });
    Ok(Report {
        seeds,
        runs,
        violations,
        promises: PROMISES.iter().map(|own| [own.number, own.what, own.how]).collect(),
        faults: faults.into(),
        scenarios: scenarios.len(),
        moments,
        broken: many::each(&Broken::ALL, |broken| BrokenReport {
            what: broken.describe(),
            breaks: broken.breaks(),
            seed: noticed(*broken),
        }),
    })
}

/// The first seed in which a broken engine is noticed, for the promise that it breaks.
pub fn noticed(broken: Broken) -> Option<u64> {
    (0..NOTICED_WITHIN).find(|seed| {
        let violations = simulate(*seed, Some(broken)).violations;
        violations.iter().any(|own| own.starts_with(&format!("{}:", broken.breaks())))
    })
}
