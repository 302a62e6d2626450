//! Engines that are broken on purpose are noticed, each for the promise that it breaks.

use tcloud_simulation::broken::Broken;
use tcloud_simulation::{many, report};

#[test]
fn every_broken_engine_is_noticed_within_a_thousand_seeds() {
    let noticed = many::each(&Broken::ALL, |broken| (*broken, report::noticed(*broken)));
    for (broken, seed) in noticed {
        assert!(seed.is_some(), "nobody noticed that an engine {}", broken.describe());
    }
}
