//! Guests that stay where they are, and what happens when they grow there.

use super::board::{Board, Shortage};
use super::demand::{Group, Store};

/// What a group that stays needs more than it has.
pub(crate) struct Growth<'g, 'a> {
    pub group: &'g Group<'a>,
    pub host: usize,
    vcpus: u64,
    memory: u64,
    /// Positions in the group's disks, and how many bytes are added.
    disks: Vec<(usize, u64)>,
}

/// Sets a group on the host where it is, with what it has there. What it needs more is returned,
/// since it is given out only when all others have what they have.
pub(crate) fn keep<'g, 'a>(
    board: &mut Board<'a>,
    group: &'g Group<'a>,
    host: usize,
) -> Option<Growth<'g, 'a>> {
    let [vcpus, memory] = group.had;
    board.seat(group, host);
    board.take(host, vcpus, memory);
    let mut disks = Vec::new();
    for (at, disk) in group.disks.iter().enumerate() {
        let Some(pool) = disk.pool.filter(|pool| board.inventory.store(host, *pool).is_some())
        else {
            disks.push((at, disk.size));
            continue;
        };
        board.store(disk, host, pool, disk.had);
        if disk.had < disk.size {
            disks.push((at, disk.size - disk.had));
        }
    }
    let growth =
        Growth { group, host, vcpus: group.vcpus - vcpus, memory: group.memory - memory, disks };
    (growth.vcpus > 0 || growth.memory > 0 || !growth.disks.is_empty()).then_some(growth)
}

impl<'a> Growth<'_, 'a> {
    /// Gives out what the group needs more.
    ///
    /// # Errors
    /// What there is not enough of; then nothing was given out for what lacks, and other parts of
    /// the growth may have been.
    pub(crate) fn give(&self, board: &mut Board<'a>) -> Result<(), Shortage<'a>> {
        let at = &board.inventory.hosts[self.host];
        let (vcpus, memory) = (at.vcpus.free(), at.memory.free());
        if self.memory > 0 && self.memory > memory {
            return Err(Shortage::Memory { needs: self.memory, free: memory });
        }
        if self.vcpus > 0 && self.vcpus > vcpus {
            return Err(Shortage::Vcpus { needs: self.vcpus, free: vcpus });
        }
        board.take(self.host, self.vcpus, self.memory);
        for (disk, more) in &self.disks {
            let disk = &self.group.disks[*disk];
            let own = board.places[disk.resource].and_then(|spot| spot.pool);
            let room = match own {
                Some(own) => board.inventory.store(self.host, own).map(|room| (own, room.free())),
                None => board.pool_for(disk, self.host, &[]),
            };
            let (pool, free) = room.unwrap_or((0, 0));
            if *more > free {
                let store = own.map(|own| Store::Named(board.inventory.pools[own].address));
                let store = store.unwrap_or(disk.store);
                return Err(Shortage::Storage { store, needs: *more, free });
            }
            board.store(disk, self.host, pool, *more);
        }
        Ok(())
    }
}
