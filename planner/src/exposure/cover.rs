//! Which openings are not among others: by who is behind them, and by address.

use indexmap::IndexMap;
use tcloud_model::Cidr;

use super::opening::Opening;
use super::parties::Side;
use crate::firewall::Ports;
use crate::reach::Place;

/// What of `these` is not in `those`. A network or guest that keeps its name and gets another
/// address is still itself, and one that takes the address of another is not.
pub(super) fn unmatched(
    these: &[Opening],
    here: &Side<'_>,
    those: &[Opening],
    there: &Side<'_>,
) -> Vec<Opening> {
    let mut named: IndexMap<Place, Vec<&Ports>> = IndexMap::new();
    for own in those {
        named.entry(there.place(own.space)).or_default().push(&own.ports);
    }
    let mut found = Vec::new();
    for own in these {
        let place = here.place(own.space);
        let mut same = named.get(&place).into_iter().flatten().copied();
        let Some(rest) = same.try_fold(own.ports.clone(), |rest, ports| rest.without(ports)) else {
            continue;
        };
        let Some(ports) = uncovered(own.space, rest, &place, those, there) else { continue };
        found.push(Opening { space: own.space, ports });
    }
    found
}

/// The ports at which a space is not let in, or not all of it.
fn uncovered(
    space: Cidr,
    ports: Ports,
    place: &Place,
    those: &[Opening],
    there: &Side<'_>,
) -> Option<Ports> {
    // A network's or guest's space that belonged to another one lets nobody new in.
    let counts = |own: &Opening| match there.place(own.space) {
        Place::World | Place::Space(_) => true,
        other => other == *place,
    };
    let mut rest = ports;
    let mut around = Some(space);
    while let Some(wide) = around {
        if let Ok(at) = those.binary_search_by_key(&wide, |own| own.space)
            && let Some(own) = those.get(at).filter(|own| counts(own))
        {
            rest = rest.without(&own.ports)?;
        }
        around = wide.supernet();
    }
    let start = those.partition_point(|own| own.space < space);
    let inside: Vec<&Opening> = those
        .iter()
        .skip(start)
        .take_while(|own| space.contains(&own.space))
        .filter(|own| counts(own))
        .collect();
    if inside.len() < 2 {
        return Some(rest);
    }
    rest.kept(|port| {
        let open = inside.iter().filter(|own| own.ports.admit(port)).map(|own| own.space);
        !Cidr::aggregate(&open.collect()).iter().any(|own| own.contains(&space))
    })
}
