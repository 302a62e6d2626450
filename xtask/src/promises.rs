//! The book's page about what is promised, made from what the simulator measured:
//! `cargo xtask promises`.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use serde::Deserialize;

use crate::simulate;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// Make the page of what was measured before, and measure nothing
    #[arg(long)]
    measured: bool,
}

/// Where the page stands in the book.
const PAGE: &str = "book/src/promises.md";

/// What the simulator writes.
#[derive(Deserialize)]
struct Report {
    seeds: u64,
    runs: u64,
    violations: Vec<String>,
    promises: Vec<[String; 3]>,
    faults: Vec<Fault>,
    scenarios: usize,
    moments: u64,
    broken: Vec<Broken>,
}

#[derive(Deserialize)]
struct Fault {
    number: String,
    what: String,
    met: u64,
}

#[derive(Deserialize)]
struct Broken {
    what: String,
    breaks: String,
    seed: Option<u64>,
}

/// Measures, keeps the figures in `target/simulation.json`, and writes the page.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    let file = root.join("target/simulation.json");
    if !options.measured {
        measure(root, &file, options.seeds)?;
    }
    let json = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let report: Report =
        serde_json::from_str(&json).map_err(|error| format!("{}: {error}", file.display()))?;
    std::fs::write(root.join(PAGE), page(&report)).map_err(|error| format!("{PAGE}: {error}"))
}

fn measure(root: &Path, file: &Path, seeds: u64) -> Result<(), String> {
    let words = ["--seeds".to_owned(), seeds.to_string(), "--report".to_owned()];
    let words = words.into_iter().chain([file.display().to_string()]).collect();
    simulate::simulator(root, words)
}

fn page(report: &Report) -> String {
    let Report { seeds, runs, violations, promises, faults, scenarios, moments, broken } = report;
    let (seeds, stories) = (number(*seeds), number(2 * seeds));
    let (runs, moments, found) = (number(*runs), number(*moments), violations.len());
    let mut page = format!(
        "# What we promise and how it is tested

<!-- Made by `cargo xtask promises` from what it measured; edits are lost. -->

The real planner, engine, recovery and journal run over a simulated world: hosts, the store, its disk, processes and clocks. Everything
random comes from one seed, and time stands still while nothing happens. A seed tells a story: configurations that are drawn and edited;
one to three operators who plan, apply, refresh, move, adopt, forget and destroy at the same time; hosts that somebody changes by hand;
and faults. Each story is told twice and has to be the same to the byte. When its faults are over, it has to come to rest. An
oracle that shares no code with the engine watches hosts and store at every step.

    cargo xtask promises --seeds {plain}

measured this page: **{seeds} seeds, {stories} stories, {runs} runs of the tool in one telling of each; {scenarios} scenarios, killed at each
of their {moments} moments; {found} violations.** `tests/run` simulates 2,000 seeds, all scenarios and all broken engines; `cargo xtask
simulate --seeds N` any number. A seed that fails prints the command that replays it, and becomes a test (`tests/sim/seeds.txt`).

## What is promised

| | promise | how it is checked |
| --- | --- | --- |
",
        plain = seeds.replace(',', "")
    );
    for [number, what, how] in promises {
        let _ = writeln!(page, "| {number} | {what} | {how} |");
    }
    page.push_str("\n## What goes wrong\n\n| | fault | met |\n| --- | --- | ---: |\n");
    for Fault { number: own, what, met } in faults {
        let _ = writeln!(page, "| {own} | {what} | {} |", number(*met));
    }
    page.push_str(WITHOUT_CHANCE);
    page.push_str("## Engines that are broken on purpose\n\n");
    page.push_str("A test that cannot fail proves nothing. Each of these is noticed:\n\n");
    page.push_str("| an engine that … | breaks | noticed in seed |\n| --- | --- | ---: |\n");
    for Broken { what, breaks, seed } in broken {
        let seed = seed.map_or("never".to_owned(), number);
        let _ = writeln!(page, "| {what} | {breaks} | {seed} |");
    }
    page.push_str(LIMITS);
    page
}

const WITHOUT_CHANCE: &str = "
## At every moment

A scenario is one configuration over another: those of `tests/suites`, and random ones. The run that applies the second is killed at
every single moment at which it touches the outside – before and after every request to a host, before and after every commit.
What was on its way then arrives, or not. The next run settles what is open, applying gets there, and the plan after that is empty.

";

const LIMITS: &str = "
## What comes in

Each attack and each mistake that is known of is a row of `tests/bad-input.md` with the tests that fail when it does harm. What has to hold
for *every* input of the readers – text, formatter, plan file, journal, frames of plugins, settings, lock file, XML – stands in `tests/fuzz`:
`tests/run` tries any bytes, and sound input with something wrong in it, for a moment. For as long as you like, with `cargo-fuzz` and a
nightly compiler:

    cargo install cargo-fuzz --locked
    mkdir -p fuzz/corpus/grammar
    cargo +nightly fuzz run -s none grammar fuzz/corpus/grammar tests/fuzz/tests/sound

or `formatter`, `plan_file`, `journal`, `frames`, `settings`, `lock`, `xml`. An input that breaks something becomes a test of its reader.

## What is not promised

* A host does not know leases. A process that stands still in the very moment between the last look at its lease and the request to the
  host sends that request when it goes on, even if another run has taken over meanwhile. The store refuses everything that it then
  wants to write, and the next plan sees what it did.
* Room on hosts and in pools is counted when a plan is made and again under its leases, by what runs then. Two tenants who apply in the
  same moment hold different leases, and neither sees yet what the other is about to make there: a host that is almost full can be
  given more than its `capacity`, which the next plan tells. Quotas, and addresses of any network, are given out under one lease.
* While the clock of the *store* is wrong, two runs may both ask hosts; they still never both write.
* A provider that says that it deleted something, and did not, is believed until the next plan looks: it finds the object by its stamp.
* What a failing disk does inside of a state file is SQLite's and PostgreSQL's part: the simulator tears and loses what was not synced at
  the end of a log, and tests of the stores do the same to SQLite's files, sector by sector.
* A state that is restored from a backup knows less than the hosts. Plans see every object all the same, by its stamp, and get to what
  the text says; but what a guest was given after the backup they cannot tell from what somebody plugged into the same network by
  hand, and where the text has neither, both go.
";

/// `1234567` as `1,234,567`.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
