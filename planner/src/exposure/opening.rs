//! Openings, as networks and NICs have them in their `admits`.

use tcloud_model::{Cidr, Value};

use crate::firewall::Ports;

/// A space that may come in, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opening {
    pub(super) space: Cidr,
    pub(super) ports: Ports,
}

/// Reads values of `admits`: every space once, sorted.
pub(super) fn openings<'v>(admits: impl IntoIterator<Item = &'v Value>) -> Vec<Opening> {
    let all = admits.into_iter().filter_map(|item| {
        let Value::Map(item) = item else { return None };
        let Some(Value::Cidr(space)) = item.get("from") else { return None };
        Some(Opening { space: *space, ports: Ports::of(item) })
    });
    let mut all: Vec<Opening> = all.collect();
    all.sort_by_key(|own| own.space);
    all.dedup_by(|next, kept| {
        let same = next.space == kept.space;
        if same {
            kept.ports = kept.ports.with(&next.ports);
        }
        same
    });
    all
}
