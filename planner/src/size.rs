//! How much of its host a guest takes while it runs.

use tcloud_model::{Fields, Name};

/// What a guest takes of its host.
pub(crate) const GUEST_SIZE: [&str; 2] = ["vcpus", "memory"];

/// What a guest is to have, with what it has more of `now`: nothing shrinks while it runs, so it keeps
/// that until its next start. `None` when that is nothing.
pub(crate) fn until_next_start(wanted: &Fields, now: &Fields) -> Option<Fields> {
    let is_larger = |name: &&str| now.number(name) > wanted.number(name);
    let larger: Vec<&str> = GUEST_SIZE.into_iter().filter(is_larger).collect();
    if larger.is_empty() {
        return None;
    }
    let mut kept = wanted.clone();
    for name in larger {
        kept.put(&[Name::new(name)], now.get(name).cloned());
    }
    Some(kept)
}
