//! The table of quotas and capacities, before and after.

use tcloud_model::{
    Address, ByAddress, Deployment, DesiredGraph, Fields, Name, ObservedState, Value, parallel,
};

use crate::facts::Called;
use crate::place::inventory::{Inventory, Room};
use crate::plan::Usage;

/// An object as it is or as it will be: a VM, a volume or a disk where room is counted, a VM or a
/// network where it is asked who reaches whom.
#[derive(Clone, Copy)]
pub(crate) struct Holding<'a> {
    /// Its address; its kind says what it takes up.
    pub address: &'a Address,
    /// Its host.
    pub host: &'a Address,
    /// Its attributes; a volume's or disk's with `pool`, a VM's with the addresses of its NICs.
    pub attributes: &'a Fields,
}

/// The lines of the table that have a limit or are in use, sorted by owner, host and resource.
/// What others run on the hosts counts for hosts and pools, before and after.
pub(crate) fn usage<'a>(
    desired: &'a DesiredGraph,
    observed: &ObservedState,
    deployment: &Deployment,
    adopted: &Called<'_>,
    before: impl Iterator<Item = Holding<'a>> + Send,
    after: impl Iterator<Item = Holding<'a>>,
) -> Vec<Usage> {
    let threads = parallel::threads_for(desired.resources.len());
    let (before, after) = parallel::both(threads, || taken(before), || taken(after));
    let mut table = Table::default();
    for (owner, sums) in before {
        let lines = table.lines(owner).iter_mut();
        lines.zip(sums).for_each(|(line, sum)| line.before = sum);
    }
    for (owner, sums) in after {
        let lines = table.lines(owner).iter_mut();
        lines.zip(sums).for_each(|(line, sum)| line.after = sum);
    }
    table.add_quotas(desired);
    table.add_capacities(&Inventory::new(desired, observed, deployment, adopted));
    table.finish()
}

/// Sums end at the largest amount: whoever asks for more than that gets no quota by going round.
fn add(sum: &mut u64, amount: u64) {
    *sum = sum.saturating_add(amount);
}

/// A tenant, a host or a pool, and for pools the host.
type Owner<'a> = (&'a Address, Option<&'a Address>);

#[derive(Default)]
struct Table<'a> {
    owners: ByAddress<Owner<'a>, Lines>,
}

/// What is counted, and whether in bytes, sorted by name.
const RESOURCES: [(&str, bool); 5] =
    [("addresses", false), ("memory", true), ("storage", true), ("vcpus", false), ("vms", false)];
const ADDRESSES: usize = 0;
const MEMORY: usize = 1;
const STORAGE: usize = 2;
const VCPUS: usize = 3;
const VMS: usize = 4;

/// How much is taken of what, in the order of [`RESOURCES`].
type Sums = [u64; RESOURCES.len()];

/// In the order of [`RESOURCES`].
type Lines = [Line; RESOURCES.len()];

#[derive(Clone, Copy, Default)]
struct Line {
    before: u64,
    after: u64,
    limit: Option<u64>,
}

/// What the holdings take up, by whose it is.
fn taken<'a>(holdings: impl Iterator<Item = Holding<'a>>) -> ByAddress<Owner<'a>, Sums> {
    let mut taken: ByAddress<Owner<'a>, Sums> = ByAddress::default();
    for Holding { address, host, attributes } in holdings {
        let tenant = address.tenant().map(|tenant| (tenant, None));
        match address.kind().as_str() {
            "vm" => {
                let number = |name| attributes.number(name).unwrap_or(0);
                let (vcpus, memory) = (number("vcpus"), number("memory"));
                let of_guest = |sums: &mut Sums| {
                    add(&mut sums[VCPUS], vcpus);
                    add(&mut sums[MEMORY], memory);
                };
                of_guest(taken.entry((host, None)).or_default());
                if let Some(tenant) = tenant {
                    let sums = taken.entry(tenant).or_default();
                    of_guest(sums);
                    add(&mut sums[VMS], 1);
                    add(&mut sums[ADDRESSES], addresses(attributes));
                }
            }
            "volume" | "disk" => {
                let size = attributes.number("size").unwrap_or(0);
                let pool = attributes.reference("pool").map(|pool| (pool, Some(host)));
                for owner in tenant.into_iter().chain(pool) {
                    add(&mut taken.entry(owner).or_default()[STORAGE], size);
                }
            }
            _ => {}
        }
    }
    taken
}

impl<'a> Table<'a> {
    fn lines(&mut self, owner: Owner<'a>) -> &mut Lines {
        self.owners.entry(owner).or_default()
    }

    fn add_quotas(&mut self, desired: &'a DesiredGraph) {
        for (tenant, declared) in desired.resources.iter().filter(|(a, _)| a.kind() == "tenant") {
            let Some(quota) = declared.attributes.map("quota") else { continue };
            for (resource, (name, _)) in RESOURCES.iter().enumerate() {
                if let Some(limit) = quota.number(name) {
                    self.lines((tenant, None))[resource].limit = Some(limit);
                }
            }
        }
    }

    fn add_capacities(&mut self, inventory: &Inventory<'a>) {
        let put = |line: &mut Line, room: &Room| {
            add(&mut line.before, room.used);
            add(&mut line.after, room.used);
            line.limit = room.limit;
        };
        for host in &inventory.hosts {
            put(&mut self.lines((host.address, None))[VCPUS], &host.vcpus);
            put(&mut self.lines((host.address, None))[MEMORY], &host.memory);
            for (pool, room) in &host.stores {
                let pool = inventory.pools[*pool].address;
                put(&mut self.lines((pool, Some(host.address)))[STORAGE], room);
            }
        }
    }

    fn finish(mut self) -> Vec<Usage> {
        self.owners.sort_unstable_keys();
        let names = RESOURCES.map(|(name, bytes)| (Name::new(name), bytes));
        let matters = |line: &&Line| line.before > 0 || line.after > 0 || line.limit.is_some();
        let lines = self.owners.values().flatten().filter(matters);
        let mut table = Vec::with_capacity(lines.count());
        for ((owner, host), lines) in &self.owners {
            for ((resource, bytes), line) in names.iter().zip(lines).filter(|(_, l)| matters(l)) {
                table.push(Usage {
                    owner: (*owner).clone(),
                    host: host.cloned(),
                    resource: resource.clone(),
                    before: line.before,
                    after: line.after,
                    limit: line.limit,
                    bytes: *bytes,
                });
            }
        }
        table
    }
}

/// How many NICs of a VM have an address.
fn addresses(vm: &Fields) -> u64 {
    let nics = vm.map("nic").into_iter().flat_map(|nics| nics.iter());
    let with_address = nics.filter(|(_, nic)| match nic {
        Value::Map(nic) => matches!(nic.get("address"), Some(Value::Ip(_))),
        _ => false,
    });
    u64::try_from(with_address.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tcloud_model::value::human_size;

    use super::*;
    use crate::sketch::{address, desired, observed};

    fn holdings<'a>(
        graph: &'a DesiredGraph,
        host: &'a Address,
    ) -> impl Iterator<Item = Holding<'a>> {
        graph.resources.values().map(move |resource| Holding {
            address: &resource.address,
            host,
            attributes: &resource.attributes,
        })
    }

    #[test]
    fn what_is_too_much_to_count_is_too_much_for_any_quota() {
        let graph = desired("tenant.t quota.storage=50GiB");
        let much = desired("tenant.t.volume.a size=8388608TiB\ntenant.t.volume.b size=8388608TiB");
        let host = address("site.m.host.h");
        let table = usage(
            &graph,
            &observed(&graph, &[]),
            &Deployment::new("t"),
            &Called::new(),
            holdings(&much, &host),
            holdings(&much, &host),
        );
        assert_eq!((table[0].before, table[0].after), (u64::MAX, u64::MAX));
    }

    #[test]
    fn quotas_hosts_and_pools_are_counted_before_and_after() {
        let scope = "
            site.m.host.h capacity.vcpus=2 capacity.memory=8GiB reserve.memory=1GiB
            site.m.pool.p capacity=100GiB
            tenant.t quota.vcpus=6 quota.storage=50GiB
            tenant.t.network.n cidr=10.0.0.0/24
        ";
        let before = "tenant.t.vm.a vcpus=1 memory=1GiB nic.n.address=10.0.0.2
            tenant.gone.volume.v size=5GiB pool=@site.m.pool.p";
        let after =
            "tenant.t.vm.a vcpus=2 memory=3GiB nic.n.address=10.0.0.2 nic.o.address=10.0.0.3
            tenant.t.vm.a.disk.root size=20GiB pool=@site.m.pool.p";
        let (graph, before, after) = (desired(scope), desired(before), desired(after));
        let host = address("site.m.host.h");
        let table = usage(
            &graph,
            &observed(&graph, &[]),
            &Deployment::new("t"),
            &Called::new(),
            holdings(&before, &host),
            holdings(&after, &host),
        );
        let told: Vec<String> = table
            .iter()
            .map(|line| {
                assert!(line.host.as_ref().is_none_or(|own| *own == host));
                let amount = |n: u64| if line.bytes { human_size(n) } else { n.to_string() };
                let limit = line.limit.map_or("-".to_owned(), amount);
                let (before, after) = (amount(line.before), amount(line.after));
                format!("{} {} {before} {after} {limit}", line.owner.name(), line.resource)
            })
            .collect();
        assert_eq!(
            told,
            [
                "h memory 1 GiB 3 GiB 7 GiB",
                "h vcpus 1 2 8",
                "p storage 5 GiB 20 GiB 100 GiB",
                "gone storage 5 GiB 0 B -",
                "t addresses 1 2 -",
                "t memory 1 GiB 3 GiB -",
                "t storage 0 B 20 GiB 50 GiB",
                "t vcpus 1 2 6",
                "t vms 1 1 -",
            ]
        );
    }
}
