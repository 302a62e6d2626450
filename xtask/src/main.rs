//! Tasks of the repository: `cargo xtask tidy`, `cargo xtask bench`, `cargo xtask reference`,
//! `cargo xtask simulate`, `cargo xtask promises`, `cargo xtask dist`.

mod bench;
mod command;
mod directory;
mod dist;
mod guided;
mod metadata;
mod promises;
mod reference;
mod shape;
mod simulate;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the tcloud repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the house rules that a program can check
    Tidy,
    /// Measure speed and memory, beside terraform where it is on the path
    Bench(bench::Options),
    /// Write the book's reference pages from the kinds, or check that they are up to date
    Reference {
        /// Change nothing, fail when a page is out of date
        #[arg(long)]
        check: bool,
    },
    /// Simulate many seeds: the real engine over a world in which everything goes wrong
    Simulate(simulate::Options),
    /// Measure with the simulator, and write the book's page about what is promised
    Promises(promises::Options),
    /// Build a release twice, compare the bytes, and write it with its bill of materials
    Dist(dist::Options),
    /// Run a command and print its time and memory as JSON (used by `bench`)
    #[command(hide = true)]
    Measure {
        /// The command with its arguments
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Tidy => tidy::run(&root()),
        Task::Bench(options) => bench::run(&root(), &options),
        Task::Reference { check } => reference::run(&root(), check),
        Task::Simulate(options) => simulate::run(&root(), &options),
        Task::Promises(options) => promises::run(&root(), &options),
        Task::Dist(options) => dist::run(&root(), &options),
        Task::Measure { command } => bench::measure::child(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            report(&message);
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    // As cargo says now: a build that was copied to another checkout would still know the old one.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().unwrap_or(&here).to_owned()
}

#[expect(clippy::print_stderr, reason = "a task of the repository talks to its developer")]
fn report(message: &str) {
    eprintln!("{message}");
}

#[expect(clippy::print_stdout, reason = "a task of the repository talks to its developer")]
fn say(message: &str) {
    println!("{message}");
}
