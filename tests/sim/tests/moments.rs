//! Every scenario, killed at every single moment, recovers.

use std::path::Path;

use tcloud_simulation::exhaustive::{kill_everywhere, scenarios};
use tcloud_simulation::many;

#[test]
fn a_run_may_die_at_every_moment() {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites");
    let all = scenarios(&suites).expect("the suites");
    assert_eq!(all.len(), 200);
    let ended = many::each(&all, kill_everywhere);
    let moments: u64 = ended.iter().map(|own| own.moments).sum();
    let found: Vec<_> = ended.into_iter().flat_map(|own| own.violations).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(moments > 5_000, "there are many moments: {moments}");
}
