//! Who newly reaches whom, and who no longer does: what is in force before and after a plan,
//! compared as relations and not as the text of rules.
//!
//! Three things let one guest reach another: a network that both have a NIC in, an opening that a
//! network or a NIC admits (see [`crate::firewall`]), and a network that lets its guests out. Each is
//! told by groups: work and result grow with networks, NICs and openings, and never with pairs of
//! guests.

mod cover;
mod opening;
mod parties;
#[cfg(test)]
mod tests;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, Cidr, Fields, Name, Position, Value};

use crate::firewall::Ports;
use crate::reach::{Border, Exposure, Party, Place, Way};
use crate::usage::Holding;
use cover::unmatched;
use opening::{Opening, openings};
use parties::{Side, is_free, is_open, is_public, nics};

/// What the places of an exposure are asked of.
pub(crate) trait Places {
    /// Where the text opens this space to a network or a NIC.
    fn of_rule(&self, target: &Address, space: Cidr) -> Vec<Position>;
    /// Where the text joins a guest to its network, or says how a network is joined to the outside.
    fn of_attribute(&self, owner: &Address, path: &[&str]) -> Vec<Position>;
    /// The head of a block.
    fn of_block(&self, owner: &Address) -> Vec<Position>;
}

/// Compares the networks and guests that are with those that will be. The lines stand worst first, and those about what is made at
/// the end.
pub(crate) fn exposure<'a>(
    before: impl Iterator<Item = Holding<'a>>,
    after: impl Iterator<Item = Holding<'a>>,
    places: &dyn Places,
) -> Vec<Exposure> {
    let comparison = Comparison { before: Side::new(before), after: Side::new(after) };
    let mut lines = Lines::default();
    comparison.openings(&mut lines);
    comparison.newcomers(&mut lines);
    comparison.members(&mut lines);
    comparison.outside(&mut lines);
    comparison.told(lines, places)
}

/// What lines are told apart by; what else differs stands in one line.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key<'a> {
    way: Way,
    created: bool,
    from: Place,
    to: To<'a>,
    ports: Ports,
}

/// Who is reached.
#[derive(Clone, PartialEq, Eq, Hash)]
enum To<'a> {
    /// All guests of a network.
    Network(&'a Address),
    /// Some guests of a network, where it is known.
    Guests(Option<&'a Address>),
    /// Somebody outside.
    Outside(Place),
}

/// What goes into a line.
#[derive(Default)]
struct Line<'a> {
    /// Those who reach, where the place does not say.
    from: IndexSet<&'a Address>,
    /// Those who are reached, where not everybody in the network is.
    to: IndexSet<&'a Address>,
    /// Where the text says so.
    grounds: Vec<Ground<'a>>,
    kept: Vec<Place>,
}

/// What a line is there for.
enum Ground<'a> {
    Rule(Address, Cidr),
    Nic(&'a Address, &'a str),
    Free(&'a Address, &'a str),
    Attribute(&'a Address, &'static str),
    Block(&'a Address),
}

/// How many places of the text a line names.
const MOST_CAUSES: usize = 8;

type Lines<'a> = IndexMap<Key<'a>, Line<'a>>;

struct Comparison<'a> {
    before: Side<'a>,
    after: Side<'a>,
}

/// A network or NIC that admits somebody.
struct Target<'a> {
    to: To<'a>,
    /// The guest that is meant, where not everybody in the network is.
    guest: Option<&'a Address>,
    /// By which the firewall knows it.
    address: Address,
    /// The block that says what it is.
    block: &'a Address,
    /// The NIC, if it is held to no rules.
    free: Option<&'a str>,
    created: bool,
}

impl<'a> Comparison<'a> {
    /// What networks and NICs admit.
    fn openings(&self, lines: &mut Lines<'a>) {
        for (address, fields) in self.after.networks() {
            let old: Vec<Vec<&Value>> =
                self.before.of(address).map(|own| admitted(own).iter().collect()).collect();
            let target = Target {
                to: To::Network(address),
                guest: None,
                address: address.clone(),
                block: address,
                free: None,
                // A new network opens nothing but to guests that were there before it.
                created: old.is_empty()
                    && !self.after.members(address).iter().any(|vm| self.was(vm)),
            };
            self.compare(lines, &target, admitted(fields), &old);
        }
        let admits = |fields: &Fields| {
            nics(fields).any(|(_, nic)| nic.get("admits").is_some() || is_free(nic))
        };
        for (vm, fields) in self.after.guests() {
            if !admits(fields) && !self.before.of(vm).any(admits) {
                continue;
            }
            let old = self.before.of(vm).flat_map(nics).map(|(label, _)| label);
            let labels: IndexSet<&Name> = nics(fields).map(|(label, _)| label).chain(old).collect();
            for label in labels {
                self.card(lines, vm, fields, label);
            }
        }
    }

    fn card(&self, lines: &mut Lines<'a>, vm: &'a Address, fields: &'a Fields, label: &Name) {
        let old = self.before.of(vm);
        let old: Vec<Vec<&Value>> =
            old.map(|own| self.before.let_in(own, label).iter().collect()).collect();
        let own = nics(fields).find(|(own, nic)| *own == label && is_free(nic));
        let target = Target {
            to: To::Guests(self.after.network_of(fields, label)),
            guest: Some(vm),
            address: vm.labelled("nic", label),
            block: vm,
            free: own.map(|(label, _)| label.as_str()),
            created: old.is_empty(),
        };
        self.compare(lines, &target, self.after.let_in(fields, label), &old);
    }

    /// Whether it was there before.
    fn was(&self, address: &Address) -> bool {
        self.before.of(address).next().is_some()
    }

    /// What one network or NIC admits before – on every host that has it – and after.
    fn compare(&self, lines: &mut Lines<'a>, to: &Target<'a>, new: &[Value], old: &[Vec<&Value>]) {
        let same = |old: &Vec<&Value>| old.iter().copied().eq(new);
        if old.iter().all(same)
            && (new.is_empty() || !old.is_empty())
            && !self.before.differs(&self.after, new)
        {
            return;
        }
        let new = openings(new);
        let nothing = [Vec::new()];
        for old in if old.is_empty() { &nothing[..] } else { old } {
            let old = openings(old.iter().copied());
            for own in unmatched(&new, &self.after, &old, &self.before) {
                let line = self.line(lines, Way::Opens, to, &own);
                line.grounds.push(match to.free {
                    Some(label) => Ground::Free(to.block, label),
                    None => Ground::Rule(to.address.clone(), own.space),
                });
                if line.kept.is_empty() {
                    line.kept = self.kept(&old, &new);
                }
            }
            for own in unmatched(&old, &self.before, &new, &self.after) {
                let line = self.line(lines, Way::Closes, to, &own);
                line.grounds.push(Ground::Block(to.block));
            }
        }
    }

    fn line<'l>(
        &self,
        lines: &'l mut Lines<'a>,
        way: Way,
        target: &Target<'a>,
        opening: &Opening,
    ) -> &'l mut Line<'a> {
        let from = self.side(way).place(opening.space);
        let (to, ports) = (target.to.clone(), opening.ports.clone());
        let line = lines.entry(Key { way, created: target.created, from, to, ports }).or_default();
        line.to.extend(target.guest);
        line
    }

    /// The time at which somebody reaches somebody.
    fn side(&self, way: Way) -> &Side<'a> {
        match way {
            Way::Opens => &self.after,
            Way::Closes => &self.before,
        }
    }

    /// Who reaches it before and after.
    fn kept(&self, old: &[Opening], new: &[Opening]) -> Vec<Place> {
        let old: IndexSet<Place> = old.iter().map(|own| self.before.place(own.space)).collect();
        let new: IndexSet<Place> = new.iter().map(|own| self.after.place(own.space)).collect();
        new.into_iter().filter(|place| old.contains(place)).take(Party::NAMED).collect()
    }

    /// Networks that come to lie in a space that was open before them.
    fn newcomers(&self, lines: &mut Lines<'a>) {
        let new: Vec<(&'a Address, Cidr)> = self.after.spaces_not_in(&self.before);
        if new.is_empty() {
            return;
        }
        let mut admitting: IndexMap<Cidr, Vec<(&'a Address, Ports)>> = IndexMap::new();
        for (address, fields) in self.after.networks().filter(|(address, _)| self.was(address)) {
            let old = openings(self.before.of(address).flat_map(admitted));
            let was = |own: &Opening| old.binary_search_by_key(&own.space, |old| old.space).is_ok();
            for own in openings(admitted(fields)).into_iter().filter(was) {
                admitting.entry(own.space).or_default().push((address, own.ports));
            }
        }
        for (network, cidr) in new {
            // What is open to everybody is no news.
            let wider = std::iter::successors(cidr.supernet(), Cidr::supernet);
            for space in wider.filter(|space| space.prefix_len() > 0) {
                for (target, ports) in admitting.get(&space).into_iter().flatten() {
                    let (from, to) = (Place::Network(network.clone()), To::Network(target));
                    let (way, created, ports) = (Way::Opens, false, ports.clone());
                    let line = lines.entry(Key { way, created, from, to, ports }).or_default();
                    line.grounds.push(Ground::Attribute(network, "cidr"));
                    line.grounds.push(Ground::Rule((*target).clone(), space));
                }
            }
        }
    }

    /// Guests that join or leave a network that stays.
    fn members(&self, lines: &mut Lines<'a>) {
        for (way, other) in [(Way::Opens, &self.before), (Way::Closes, &self.after)] {
            for (vm, fields) in self.side(way).guests() {
                let stays = other.of(vm).next().is_some();
                for (label, nic) in nics(fields) {
                    let Some(network) = nic.reference("network") else { continue };
                    let crosses = network.tenant().is_some() && network.tenant() != vm.tenant();
                    let lasts = self.was(network) && self.after.of(network).next().is_some();
                    if lasts && (stays || crosses) && !other.joins(vm, network) {
                        self.member(lines, way, (vm, network), label);
                    }
                }
            }
        }
    }

    fn member(
        &self,
        lines: &mut Lines<'a>,
        way: Way,
        (vm, network): (&'a Address, &'a Address),
        label: &'a Name,
    ) {
        let from = match vm.tenant() {
            Some(tenant) => Place::Tenant(tenant.clone()),
            None => Place::Guest(vm.clone()),
        };
        let (to, ports) = (To::Network(network), Ports::default());
        let others = if way == Way::Opens { &self.before } else { &self.after };
        let meets = self.side(way).members(network).iter().any(|own| *own != vm);
        if meets && !others.members(network).is_empty() {
            let key = Key { way, created: false, from, to, ports };
            let line = lines.entry(key).or_default();
            line.from.insert(vm);
            line.grounds.push(match way {
                Way::Opens => Ground::Nic(vm, label),
                Way::Closes => Ground::Block(vm),
            });
        }
        if way == Way::Closes || !self.was(vm) {
            return;
        }
        // Whoever reaches the network reaches a guest that did not stand there before.
        let around = |fields: &'a Fields| {
            let networks = nics(fields).filter_map(|(_, nic)| nic.reference("network"));
            networks.flat_map(|network| self.before.of(network)).flat_map(admitted)
        };
        let old: Vec<&Value> = self.before.of(vm).flat_map(around).collect();
        let new = self.after.of(network).next().map(admitted).unwrap_or_default();
        let target = Target {
            to: To::Guests(Some(network)),
            guest: Some(vm),
            address: network.clone(),
            block: vm,
            free: None,
            created: false,
        };
        let old = openings(old);
        for own in unmatched(&openings(new), &self.after, &old, &self.before) {
            let line = self.line(lines, Way::Opens, &target, &own);
            line.grounds.push(Ground::Nic(vm, label));
        }
    }

    /// Networks whose guests are let out, or no longer.
    fn outside(&self, lines: &mut Lines<'a>) {
        for (address, fields) in self.after.networks() {
            let Some(old) = self.before.of(address).next() else { continue };
            let mut tell = |way, to: Place, attribute| {
                let (from, to) = (Place::Network(address.clone()), To::Outside(to));
                let key = Key { way, created: false, from, to, ports: Ports::default() };
                let ground = Ground::Attribute(address, attribute);
                lines.entry(key).or_default().grounds.push(ground);
            };
            match (is_let_out(old), is_let_out(fields)) {
                (false, true) => tell(Way::Opens, Place::World, "mode"),
                (true, false) => tell(Way::Closes, Place::World, "mode"),
                _ => {}
            }
            let (old, new) = (routes(old), routes(fields));
            new.difference(&old).for_each(|to| tell(Way::Opens, Place::Space(*to), "route"));
            old.difference(&new).for_each(|to| tell(Way::Closes, Place::Space(*to), "route"));
        }
    }

    fn told(&self, lines: Lines<'a>, places: &dyn Places) -> Vec<Exposure> {
        let lines = lines.into_iter();
        let mut all: Vec<Exposure> =
            lines.map(|(key, line)| line.told(self.side(key.way), key, places)).collect();
        let rank = |own: &Exposure| (own.created, own.way, std::cmp::Reverse(own.border));
        all.sort_by(|a, b| {
            let ends = (&a.to.place, &a.from.place, &a.ports);
            rank(a).cmp(&rank(b)).then_with(|| ends.cmp(&(&b.to.place, &b.from.place, &b.ports)))
        });
        all
    }
}

impl<'a> Line<'a> {
    fn told(self, side: &Side<'a>, key: Key<'a>, places: &dyn Places) -> Exposure {
        let Key { way, created, from, to, ports } = key;
        let from = match self.from.is_empty() {
            false => Side::party_of(from, self.from.iter().copied()),
            true => side.party(from),
        };
        let guests = self.to.iter().copied();
        let to = match to {
            To::Network(network) => {
                // Who joins or leaves alone does not reach itself.
                let alone = self.from.first().filter(|_| self.from.len() == 1).copied();
                side.in_network(network, alone)
            }
            To::Guests(Some(network)) => Side::party_of(Place::Network(network.clone()), guests),
            To::Guests(None) => {
                let first = self.to.first().map(|vm| Place::Guest((*vm).clone()));
                Side::party_of(first.unwrap_or(Place::World), guests)
            }
            To::Outside(place) => side.party(place),
        };
        Exposure {
            way,
            border: border(&from, &to),
            from,
            to,
            ports: ports.texts(),
            created,
            kept: self.kept,
            decision: None,
            causes: causes(self.grounds, places),
        }
    }
}

fn causes(grounds: Vec<Ground<'_>>, places: &dyn Places) -> Vec<Position> {
    let mut causes: IndexSet<Position> = IndexSet::new();
    for ground in grounds {
        causes.extend(match ground {
            Ground::Rule(target, space) => places.of_rule(&target, space),
            Ground::Nic(vm, label) => places.of_attribute(vm, &["nic", label, "network"]),
            Ground::Free(vm, label) => places.of_attribute(vm, &["nic", label, "filter"]),
            Ground::Attribute(owner, name) => places.of_attribute(owner, &[name]),
            Ground::Block(owner) => places.of_block(owner),
        });
        if causes.len() >= MOST_CAUSES {
            break;
        }
    }
    causes.into_iter().take(MOST_CAUSES).collect()
}

/// What a network admits; nothing can come into one that hides its guests.
fn admitted(fields: &Fields) -> &[Value] {
    if is_open(fields) { fields.list("admits") } else { &[] }
}

fn routes(network: &Fields) -> IndexSet<Cidr> {
    let routes = network.map("route").into_iter().flat_map(|routes| routes.iter());
    let to = routes.filter_map(|(_, route)| match route {
        Value::Map(route) => route.get("to"),
        _ => None,
    });
    let spaces = to.filter_map(|to| match to {
        Value::Cidr(to) => Some(*to),
        _ => None,
    });
    spaces.collect()
}

fn is_let_out(network: &Fields) -> bool {
    network.text("mode") != Some("isolated")
}

fn border(from: &Party, to: &Party) -> Border {
    let public = |party: &Party| match &party.place {
        Place::World => true,
        Place::Space(space) => is_public(*space),
        Place::Network(_) | Place::Guest(_) | Place::Tenant(_) => false,
    };
    if public(from) || public(to) {
        return Border::World;
    }
    let strange = |tenant: &Address| !to.tenants.contains(tenant);
    match !to.tenants.is_empty() && from.tenants.iter().any(strange) {
        true => Border::Tenant,
        false => Border::None,
    }
}
