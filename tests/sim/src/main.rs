//! Simulates seeds: `--seeds N [--from S]`, or `--seed X [--trace]` for one; with `--report FILE`
//! everything that can be measured is written there, for the book.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tcloud_simulation::{many, report, simulate_twice};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| -> Option<&String> {
        let at = arguments.iter().position(|own| own == name)?;
        arguments.get(at + 1)
    };
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    let seeds = number("--seeds").unwrap_or(1_000);
    if let Some(file) = value("--report") {
        return measure(seeds, &PathBuf::from(file));
    }
    if let Some(seed) = number("--seed") {
        let simulated = simulate_twice(seed);
        if arguments.iter().any(|own| own == "--trace") {
            simulated.trace.iter().for_each(|line| say(line));
        }
        return ended(&tell(seed, &simulated.violations));
    }
    let from = number("--from").unwrap_or(0);
    let all: Vec<u64> = (from..from + seeds).collect();
    // In pieces, so that a long run tells early what it found.
    let mut failed = Vec::new();
    for piece in all.chunks(1_000) {
        let found = many::each(piece, |seed| tell(*seed, &simulate_twice(*seed).violations));
        failed.extend(found.into_iter().flatten());
    }
    say(&format!("{seeds} seeds, {} failed", failed.len()));
    ended(&failed)
}

fn measure(seeds: u64, file: &Path) -> ExitCode {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites");
    let written = report::measure(seeds, &suites).and_then(|report| {
        let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        std::fs::write(file, json).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(report.violations)
    });
    match written {
        Ok(violations) => {
            violations.iter().for_each(|line| say(line));
            ended(&violations)
        }
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says what was broken in a seed, and how to see it again.
fn tell(seed: u64, violations: &[String]) -> Vec<String> {
    if !violations.is_empty() {
        say(&format!("seed {seed} breaks a promise; replay it with"));
        say(&format!("  cargo xtask simulate --seed {seed} --trace"));
        violations.iter().for_each(|line| say(&format!("  {line}")));
    }
    violations.to_vec()
}

fn ended(failed: &[String]) -> ExitCode {
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "a task of the repository talks to its developer")]
fn say(line: &str) {
    println!("{line}");
}
