//! Simulates many seeds, built with optimisation: `cargo xtask simulate --seeds 100000`.

use std::path::Path;
use std::process::Command;

use clap::Args;

/// What to simulate.
#[derive(Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this seed
    #[arg(long)]
    seed: Option<u64>,
    /// Print everything that happens
    #[arg(long)]
    trace: bool,
}

/// Runs the simulator.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    let Options { seeds, from, seed, trace } = options;
    let mut words = match seed {
        Some(seed) => vec!["--seed".to_owned(), seed.to_string()],
        None => {
            let (seeds, from) = (seeds.to_string(), from.to_string());
            vec!["--seeds".to_owned(), seeds, "--from".to_owned(), from]
        }
    };
    words.extend(trace.then(|| "--trace".to_owned()));
    simulator(root, words)
}

/// Builds the simulator with optimisation, and runs it.
pub(crate) fn simulator(root: &Path, words: Vec<String>) -> Result<(), String> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--profile=simulation"])
        .args(["--package=tcloud-simulation", "--"])
        .args(words)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err("the simulation failed".to_owned()) }
}
