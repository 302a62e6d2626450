//! Whether what is remembered is older than what runs: after an older backup was put back, objects
//! carry stamps that the state does not know, of generations that it has not come to yet.

use std::collections::BTreeSet;

use tcloud_model::{Address, ByAddress, Deployment, ObjectId, ObservedState, Record};
use tcloud_state::{Loaded, Scope};

/// The addresses of our objects whose stamps are not the remembered ones and were written under the
/// newest lease that the state knows of their scope, or a later one; in order. What an earlier lease
/// wrote was forgotten since, or comes from a run that had lost its lease: the state is not older
/// for it. Objects with an open intent do not count: nobody knows yet what became of them. Nothing
/// is old that remembers nothing at all.
pub fn unknown(
    loaded: &Loaded,
    observed: &ObservedState,
    deployment: &Deployment,
) -> BTreeSet<Address> {
    let records = &loaded.state.records;
    if records.is_empty() {
        return BTreeSet::new();
    }
    let open: BTreeSet<&ObjectId> = loaded
        .intents
        .iter()
        .flat_map(|(_, open)| {
            let changed = open.intent.records.iter().map(|change| &change.object);
            changed.chain([&open.intent.operation.object])
        })
        .collect();
    let records: ByAddress<&ObjectId, &Record> = records.iter().collect();
    let mut found = BTreeSet::new();
    for host in &observed.hosts {
        let stamps = host.objects.iter().filter_map(|object| object.stamp.as_ref());
        for stamp in stamps.filter(|stamp| stamp.deployment == deployment.id) {
            let (address, incarnation) = (stamp.address.clone(), stamp.incarnation);
            let id = ObjectId { address, host: host.host.clone(), incarnation };
            let known = records.get(&&id).is_some_and(|record| record.stamp == *stamp);
            if !known && !open.contains(&id) && is_newer(stamp.generation, &id.address, loaded) {
                found.insert(id.address);
            }
        }
    }
    found
}

fn is_newer(generation: u64, address: &Address, loaded: &Loaded) -> bool {
    let reached = loaded.generations.get(&Scope::of(address)).copied().unwrap_or(0);
    generation > 0 && generation >= reached
}
