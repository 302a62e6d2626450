//! Simulates seeds: `tcloud-simulation --seeds N [--from S]`, or `--seed X [--trace]` for one.

use std::process::ExitCode;

use tcloud_simulation::simulate_twice;

#[expect(clippy::print_stdout, reason = "it talks to its developer")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> Option<u64> {
        let at = arguments.iter().position(|own| own == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let trace = arguments.iter().any(|own| own == "--trace");
    let seeds = match number("--seed") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("--from").unwrap_or(0);
            from..from + number("--seeds").unwrap_or(1_000)
        }
    };
    let mut failed = 0;
    for seed in seeds.clone() {
        let simulated = simulate_twice(seed);
        if trace {
            simulated.trace.iter().for_each(|line| println!("{line}"));
        }
        if !simulated.violations.is_empty() {
            failed += 1;
            println!("seed {seed} breaks a promise; replay it with");
            println!("  cargo xtask simulate --seed {seed} --trace");
            simulated.violations.iter().for_each(|line| println!("  {line}"));
        }
    }
    println!("{} seeds, {failed} failed", seeds.end - seeds.start);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
