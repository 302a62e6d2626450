//! Many seeds: nothing is broken in any of them, and each tells the same story twice.

use tcloud_simulation::{many, simulate_twice};

/// How many seeds every run of the tests simulates.
const SEEDS: u64 = 2_000;

/// Seeds that once failed, each with a comment.
const KNOWN: &str = include_str!("../seeds.txt");

#[test]
fn no_seed_breaks_a_promise() {
    hold((0..SEEDS).collect());
}

#[test]
fn no_seed_that_once_broke_a_promise_does_so_again() {
    let lines = KNOWN.lines().filter(|line| !line.starts_with('#'));
    let seeds: Vec<u64> = lines
        .map(|line| line.split(' ').next().and_then(|seed| seed.parse().ok()).expect(line))
        .collect();
    assert!(!seeds.is_empty());
    hold(seeds);
}

fn hold(seeds: Vec<u64>) {
    let found = many::each(&seeds, |seed| simulate_twice(*seed).violations);
    let failed = seeds.iter().zip(found).filter(|(_, found)| !found.is_empty());
    let failed: Vec<String> = failed
        .map(|(seed, found)| {
            let how = format!("replay it with `cargo xtask simulate --seed {seed} --trace`");
            format!("seed {seed}, {how}: {found:#?}")
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
