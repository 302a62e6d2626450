//! Room: on a host or in a pool that is full, what goes makes room before what comes takes it.

use indexmap::IndexMap;
use tcloud_model::{Address, Fields};

use super::{Builder, Parts};
use crate::draft::Draft;
use crate::graph::{Graph, Strength};
use crate::input::Input;
use crate::place::inventory::{Inventory, Room};
use crate::plan::Action;

/// Something that can be used up, on a host given by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scarce {
    Vcpus(usize),
    Memory(usize),
    Storage { host: usize, pool: usize },
}

/// Who takes of something, and who gives back.
#[derive(Debug, Default)]
struct Account {
    /// Steps that give something back, with how much.
    gives: Vec<(u32, u64)>,
    /// Steps that take, with how much.
    takes: Vec<(u32, u64)>,
}

impl Builder<'_, '_> {
    /// Lets steps that need room wait for those that make it, where there is not enough without.
    pub(super) fn room(&self, graph: &mut Graph) {
        let makes_room =
            |draft: &Draft| draft.deletes() || draft.power_cycle || draft.action == Action::Migrate;
        if !self.drafts.iter().any(makes_room) {
            return;
        }
        let desired = self.input.evaluator.desired();
        let Input { observed, deployment, .. } = self.input;
        let mut inventory = Inventory::new(desired, observed, deployment, &self.facts.adopted);
        let mut accounts: IndexMap<Scarce, Account> = IndexMap::new();
        for at in 0..self.drafts.len() {
            self.account(at, &inventory, &mut accounts);
        }
        for known in self.facts.known.iter().filter(|known| known.exists()) {
            let Some(attributes) = known.attributes() else { continue };
            let runs = known.runs();
            for (scarce, amount) in
                held(&inventory, &known.object.address, &known.object.host, attributes, runs)
            {
                if let Some(room) = room_of(&mut inventory, scarce) {
                    room.take(amount);
                }
            }
        }
        for (scarce, account) in accounts {
            let room = room_of(&mut inventory, scarce);
            if let Some(room) = room.filter(|room| room.limit.is_some()) {
                account.settle(room.free(), graph);
            }
        }
    }

    /// What the steps of one change take and give back.
    fn account(
        &self,
        at: usize,
        inventory: &Inventory<'_>,
        accounts: &mut IndexMap<Scarce, Account>,
    ) {
        let draft = &self.drafts[at];
        let Parts { adopt: _, migrate, detach: _, delete, create, update } = self.parts[at];
        let address = &draft.object.address;
        let old = self.old(draft).filter(|known| known.exists());
        let before = old
            .and_then(|known| Some((known, known.attributes()?)))
            .map(|(known, own)| held(inventory, address, &known.object.host, own, known.runs()));
        let wanted = self.layout.wanted.get(address).filter(|_| draft.stays());
        let after = wanted.map(|wanted| {
            let runs = wanted.attributes.flag("running") != Some(false);
            // What is made anew is made as the text says.
            let kept = wanted.kept.as_ref().filter(|_| !draft.replaces());
            let attributes = kept.unwrap_or(&wanted.attributes);
            held(inventory, address, &draft.object.host, attributes, runs)
        });
        let mut before: IndexMap<Scarce, u64> = before.into_iter().flatten().collect();
        let mut after: IndexMap<Scarce, u64> = after.into_iter().flatten().collect();
        if draft.action != Action::ReplaceCreateFirst {
            // What it has already it need not wait for.
            for (scarce, new) in &mut after {
                if let Some(old) = before.get_mut(scarce) {
                    let both = (*old).min(*new);
                    (*old, *new) = (*old - both, *new - both);
                }
            }
        }
        let goes = if draft.stays() && !draft.replaces() { migrate.or(update) } else { delete };
        if let Some(goes) = goes {
            for (scarce, amount) in before.into_iter().filter(|(_, amount)| *amount > 0) {
                accounts.entry(scarce).or_default().gives.push((goes, amount));
            }
        }
        if let Some(comes) = create.or(migrate).or(update) {
            for (scarce, amount) in after.into_iter().filter(|(_, amount)| *amount > 0) {
                accounts.entry(scarce).or_default().takes.push((comes, amount));
            }
        }
    }
}

impl Account {
    /// Each taker waits for the givers that it needs, each amount being given to one taker: so
    /// there are about as many orders as steps, and whoever begins finds enough.
    fn settle(self, free: u64, graph: &mut Graph) {
        let Account { gives, takes } = self;
        let mut gives = gives.into_iter();
        let mut left = free;
        // Who gave what is left.
        let mut giver = None;
        for (taker, amount) in takes {
            let mut waits: Vec<u32> = giver.filter(|_| left > 0).into_iter().collect();
            while left < amount
                && let Some((next, freed)) = gives.next()
            {
                left = left.saturating_add(freed);
                waits.push(next);
                giver = Some(next);
            }
            for first in waits {
                graph.before(first, taker, Strength::Room);
            }
            left = left.saturating_sub(amount);
        }
    }
}

/// What an object uses up: guests while they run, volumes and disks always.
fn held(
    inventory: &Inventory<'_>,
    address: &Address,
    host: &Address,
    attributes: &Fields,
    runs: bool,
) -> Vec<(Scarce, u64)> {
    let Some(host) = inventory.host(host) else { return Vec::new() };
    let number = |name| attributes.number(name).unwrap_or(0);
    match address.kind().as_str() {
        "vm" if runs => {
            vec![(Scarce::Vcpus(host), number("vcpus")), (Scarce::Memory(host), number("memory"))]
        }
        "volume" | "disk" => {
            let pool = attributes.reference("pool").and_then(|pool| inventory.pool(pool));
            pool.map(|pool| (Scarce::Storage { host, pool }, number("size"))).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn room_of<'r>(inventory: &'r mut Inventory<'_>, scarce: Scarce) -> Option<&'r mut Room> {
    match scarce {
        Scarce::Vcpus(host) => Some(&mut inventory.hosts[host].vcpus),
        Scarce::Memory(host) => Some(&mut inventory.hosts[host].memory),
        Scarce::Storage { host, pool } => inventory.store(host, pool),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The orders that come of it, as `giver<taker`.
    fn settled(free: u64, gives: &[(u32, u64)], takes: &[(u32, u64)]) -> Vec<String> {
        let nodes = gives.iter().chain(takes).map(|(node, _)| node + 1).max().unwrap_or(0);
        let mut graph = Graph::new(nodes as usize);
        Account { gives: gives.to_vec(), takes: takes.to_vec() }.settle(free, &mut graph);
        let order = graph.order().expect("no circle");
        let pairs = order.after.iter().enumerate();
        pairs
            .flat_map(|(then, all)| all.iter().map(move |first| format!("{first}<{then}")))
            .collect()
    }

    #[test]
    fn where_there_is_room_nobody_waits() {
        assert_eq!(settled(10, &[(0, 5)], &[(1, 4), (2, 6)]), [""; 0]);
    }

    #[test]
    fn each_waits_for_what_it_needs_and_no_more() {
        let gives = [(0, 4), (1, 4), (2, 4)];
        assert_eq!(settled(2, &gives, &[(3, 2), (4, 3), (5, 5)]), ["0<4", "0<5", "1<5"]);
    }

    #[test]
    fn what_never_fits_waits_for_everything() {
        assert_eq!(settled(0, &[(0, 1), (1, 1)], &[(2, 9), (3, 1)]), ["0<2", "1<2"]);
    }
}
