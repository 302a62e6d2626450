//! The board that groups are set on: who is where, what is left, and which host is best.

use std::cmp::Reverse;

use indexmap::IndexMap;
use tcloud_model::{Address, DesiredGraph};

use super::demand::{Constraint, Disk, Group, Home, Refusal, Store, Word};
use super::inventory::Inventory;

/// Placement while it is made.
pub(crate) struct Board<'a> {
    pub desired: &'a DesiredGraph,
    pub inventory: Inventory<'a>,
    /// By position in [`DesiredGraph::resources`].
    pub places: Vec<Option<Spot>>,
    /// The guests with a `spread` word, by the word.
    words: IndexMap<Word<'a>, Mates<'a>>,
    /// The hosts that a constraint leaves.
    candidates: IndexMap<Constraint<'a>, Vec<usize>>,
}

/// A host and, for disks, a pool, as positions in the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub host: usize,
    pub pool: Option<usize>,
}

/// Why a host that is not out of the question cannot take a group now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage<'a> {
    Vcpus {
        needs: u64,
        free: u64,
    },
    Memory {
        needs: u64,
        free: u64,
    },
    Storage {
        store: Store<'a>,
        needs: u64,
        free: u64,
    },
    /// A guest with the same `spread` word is there.
    Spread(&'a Address),
    /// A volume of the group is on another host.
    Volume {
        volume: &'a Address,
        host: &'a Address,
    },
    /// The VM runs on another host, and nothing says that it may be moved.
    Runs(&'a Address),
}

/// The guests of one `spread` word.
#[derive(Default)]
struct Mates<'a> {
    /// By host; when two share one, the second is about to be moved.
    hosts: IndexMap<usize, &'a Address>,
    /// How many there are in each zone.
    zones: IndexMap<Option<&'a Address>, usize>,
}

/// How good a host is for a group.
#[derive(Clone, Copy)]
struct Rank {
    /// Whether it is in another site than the group is now.
    far: bool,
    /// Whether there is room only when this run has removed something.
    late: bool,
    /// How many guests with the same `spread` word are in its zone.
    mates: usize,
    /// What is left when the group is there, of how much: memory for guests, storage for volumes.
    left: (u64, u64),
}

impl Rank {
    /// Whether this host is better than another whose address is smaller. Shares are compared
    /// without dividing: a/b > c/d is a·d > c·b.
    fn beats(&self, other: &Rank) -> bool {
        let share = |left: (u64, u64), of: (u64, u64)| u128::from(left.0) * u128::from(of.1.max(1));
        let shares = share(other.left, self.left).cmp(&share(self.left, other.left));
        let place = |rank: &Rank| (rank.far, rank.late, rank.mates);
        place(self).cmp(&place(other)).then(shares).is_lt()
    }
}

impl<'a> Board<'a> {
    pub(crate) fn new(desired: &'a DesiredGraph, inventory: Inventory<'a>) -> Board<'a> {
        Board {
            desired,
            places: vec![None; desired.resources.len()],
            inventory,
            words: IndexMap::new(),
            candidates: IndexMap::new(),
        }
    }

    /// Which list of hosts a constraint leaves, for [`Board::hosts`].
    pub(crate) fn candidates(&mut self, constraint: Constraint<'a>) -> usize {
        if let Some(at) = self.candidates.get_index_of(&constraint) {
            return at;
        }
        let those = |wanted: fn(Option<Refusal<'_>>) -> bool| -> Vec<usize> {
            let all = 0..self.inventory.hosts.len();
            all.filter(|host| wanted(constraint.refuses(&self.inventory, *host))).collect()
        };
        let mut left = those(|refusal| refusal.is_none());
        let is_silent = |refusal: Option<Refusal<'_>>| matches!(refusal, Some(Refusal::Silent(_)));
        if left.is_empty() && those(is_silent).is_empty() {
            // What no host has is said once for all that ask for it, when all else is decided.
            left = those(|refusal| matches!(refusal, Some(Refusal::Lacks(_))));
        }
        self.candidates.insert_full(constraint, left).0
    }

    /// A list of hosts, and the constraint that leaves it.
    pub(crate) fn hosts(&self, candidates: usize) -> (&Constraint<'a>, &[usize]) {
        self.candidates
            .get_index(candidates)
            .map(|(constraint, hosts)| (constraint, hosts.as_slice()))
            .expect("BUG: a list of candidates that was never made")
    }

    /// The host that a group stays on, if it may.
    pub(crate) fn stays(&self, group: &Group<'a>, candidates: usize) -> Option<usize> {
        let Home::At(home) = group.home else { return None };
        let (constraint, _) = self.hosts(candidates);
        let allowed = match constraint.refuses(&self.inventory, home) {
            // What does not answer cannot be emptied either, and a volume cannot be moved without
            // a guest that writes to it.
            // What runs on a host, runs there whatever the host has nothing for now.
            None | Some(Refusal::Silent(_) | Refusal::Lacks(_)) => true,
            Some(Refusal::Drained) => group.vm.is_none(),
            Some(_) => false,
        };
        let alone = self.mate(group, home).is_none() && group.outside().next().is_none();
        (allowed && alone).then_some(home)
    }

    /// The best host for a group out of a list, but not `except`, with a pool for each disk.
    pub(crate) fn best(
        &self,
        group: &Group<'a>,
        hosts: &[usize],
        except: Option<usize>,
    ) -> Option<(usize, Vec<usize>)> {
        let near = match &group.home {
            Home::New => None,
            Home::At(home) => Some(self.inventory.hosts[*home].site()),
            Home::Gone(host) => host.parent(),
        };
        let mates = self.mates(group);
        let mut best: Option<(Rank, usize, Vec<usize>)> = None;
        for &host in hosts.iter().filter(|host| Some(**host) != except) {
            let at = &self.inventory.hosts[host];
            let in_zone = mates.and_then(|mates| mates.zones.get(&at.zone));
            let rank = Rank {
                far: near.is_some_and(|near| near != at.site()),
                late: !(at.vcpus.fits_now(group.vcpus) && at.memory.fits_now(group.memory)),
                mates: in_zone.copied().unwrap_or(0),
                left: match group.vm {
                    Some(_) => at.memory.left_after(group.memory),
                    None => (self.most(group, host), 1),
                },
            };
            // The comparison is cheap and the test for room is not.
            if best.as_ref().is_none_or(|(best, ..)| rank.beats(best))
                && let Ok(pools) = self.room(group, host, mates)
            {
                best = Some((rank, host, pools));
            }
        }
        best.map(|(_, host, pools)| (host, pools))
    }

    /// The most room of a pool for a lone volume.
    fn most(&self, group: &Group<'a>, host: usize) -> u64 {
        let pools = group.disks.iter().filter_map(|disk| self.pool_for(disk, host, &[]));
        pools.map(|(_, free)| free).max().unwrap_or(0)
    }

    /// Whether there is room for a group on a host: a pool for each of its disks.
    pub(crate) fn fits(&self, group: &Group<'a>, host: usize) -> Result<Vec<usize>, Shortage<'a>> {
        self.room(group, host, self.mates(group))
    }

    fn room(
        &self,
        group: &Group<'a>,
        host: usize,
        mates: Option<&Mates<'a>>,
    ) -> Result<Vec<usize>, Shortage<'a>> {
        if let Some(mate) = mates.and_then(|mates| mates.hosts.get(&host)) {
            return Err(Shortage::Spread(mate));
        }
        let at = &self.inventory.hosts[host];
        let (vcpus, memory) = (at.vcpus.free(), at.memory.free());
        if group.memory > memory {
            return Err(Shortage::Memory { needs: group.memory, free: memory });
        }
        if group.vcpus > vcpus {
            return Err(Shortage::Vcpus { needs: group.vcpus, free: vcpus });
        }
        let mut planned: Vec<(usize, u64)> = Vec::new();
        for disk in &group.disks {
            let (pool, free) = self.pool_for(disk, host, &planned).unwrap_or((usize::MAX, 0));
            if pool == usize::MAX || disk.size > free {
                return Err(Shortage::Storage { store: disk.store, needs: disk.size, free });
            }
            planned.push((pool, disk.size));
        }
        Ok(planned.into_iter().map(|(pool, _)| pool).collect())
    }

    /// The pool of a host for a disk, with what is free in it: the one that it has, if that has
    /// room, else the one with the most. `planned` is on its way into the pools as well.
    pub(crate) fn pool_for(
        &self,
        disk: &Disk<'a>,
        host: usize,
        planned: &[(usize, u64)],
    ) -> Option<(usize, u64)> {
        let stores = self.inventory.hosts[host].stores.iter();
        let admitted = stores.filter(|(pool, _)| disk.store.admits(&self.inventory, *pool));
        let with_room = admitted.map(|(pool, room)| {
            let coming = planned.iter().filter(|(other, _)| other == pool).map(|(_, size)| size);
            let coming = coming.fold(0_u64, |sum, size| sum.saturating_add(*size));
            let late = !room.fits_now(disk.size.saturating_add(coming));
            (*pool, room.free().saturating_sub(coming), late)
        });
        let best = with_room.min_by_key(|(pool, free, late)| {
            let own = disk.pool == Some(*pool) && disk.size <= *free;
            (!own, *late, Reverse(*free), *pool)
        });
        best.map(|(pool, free, _)| (pool, free))
    }

    /// Sets a group on a host and gives out what it needs.
    pub(crate) fn set(&mut self, group: &Group<'a>, host: usize, pools: &[usize]) {
        self.seat(group, host);
        self.take(host, group.vcpus, group.memory);
        for (disk, pool) in group.disks.iter().zip(pools) {
            self.store(disk, host, *pool, disk.size);
        }
    }

    /// Sets a group on a host without giving out anything.
    pub(crate) fn seat(&mut self, group: &Group<'a>, host: usize) {
        let desired = self.desired;
        if let (Some(word), Some(vm)) = (group.word(desired), group.machine(desired)) {
            let zone = self.inventory.hosts[host].zone;
            let mates = self.words.entry(word).or_default();
            mates.hosts.insert(host, &vm.address);
            *mates.zones.entry(zone).or_default() += 1;
        }
        if let Some(vm) = group.vm {
            self.places[vm] = Some(Spot { host, pool: None });
        }
    }

    /// Gives out vCPUs and memory of a host.
    pub(crate) fn take(&mut self, host: usize, vcpus: u64, memory: u64) {
        let at = &mut self.inventory.hosts[host];
        at.vcpus.take(vcpus);
        at.memory.take(memory);
    }

    /// Puts a disk into a pool and gives out this much of it.
    pub(crate) fn store(&mut self, disk: &Disk<'a>, host: usize, pool: usize, size: u64) {
        self.places[disk.resource] = Some(Spot { host, pool: Some(pool) });
        if let Some(room) = self.inventory.store(host, pool) {
            room.take(size);
        }
    }

    /// The guests that must not share a host with the group.
    fn mates(&self, group: &Group<'a>) -> Option<&Mates<'a>> {
        self.words.get(&group.word(self.desired)?)
    }

    /// The guest on this host that must not share a host with the group.
    fn mate(&self, group: &Group<'a>, host: usize) -> Option<&'a Address> {
        self.mates(group)?.hosts.get(&host).copied()
    }
}
