//! Attributes by their paths.

use tcloud_model::{AttrPath, Fields};
use tcloud_provider::request::without_none;

/// Fields as they shall be: those that there are, with the changed ones as they are given.
pub(super) fn changed(now: &Fields, given: &Fields, paths: &[AttrPath]) -> Fields {
    let given = without_none(given);
    let mut wanted = now.clone();
    for path in paths {
        let path = path.names();
        wanted.put(&path, given.at(&path).cloned());
        let Some(top) = path.first() else { continue };
        if given.get(top).is_none() && wanted.map(top).is_some_and(|map| map.is_empty()) {
            wanted.remove(top);
        }
    }
    wanted
}
