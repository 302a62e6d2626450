//! What the hosts and pools have, and how much of it is given out.

use indexmap::{IndexMap, IndexSet};
use tcloud_model::kinds::holds_files;
use tcloud_model::{
    Address, Deployment, DesiredGraph, DesiredResource, Fields, HostObservation, Lack,
    ObservedObject, ObservedState, Stamp, Value,
};

use crate::facts::Called;

/// All hosts and pools that the text declares.
pub(crate) struct Inventory<'a> {
    /// Sorted by address; their positions stand for them everywhere in placement.
    pub hosts: Vec<Host<'a>>,
    /// Sorted by address.
    pub pools: Vec<Pool<'a>>,
    /// What hosts have for no guest, each attribute and value once.
    pub lacks: Vec<&'a Lack>,
    host_positions: IndexMap<&'a Address, usize>,
    pool_positions: IndexMap<&'a Address, usize>,
}

/// A host.
pub(crate) struct Host<'a> {
    pub address: &'a Address,
    pub zone: Option<&'a Address>,
    pub availability: Availability<'a>,
    pub vcpus: Room,
    pub memory: Room,
    /// The pools that it has: position in [`Inventory::pools`] and room, sorted by position.
    pub stores: Vec<(usize, Room)>,
    /// What it has for no guest: position in [`Inventory::lacks`], and in its own words.
    pub lacks: Vec<(usize, &'a Lack)>,
}

/// Whether something new may be placed on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability<'a> {
    Open,
    /// It is being emptied.
    Drained,
    /// It did not answer, so that nothing may be placed on it, and nothing can be moved away; why
    /// not, empty when nobody knows.
    Silent(&'a str),
}

/// An amount of something: how much of it there is, and how much is given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// The most that may be given out; `None` when it is not known.
    pub limit: Option<u64>,
    /// What is given out; more than the limit, when the limit was lowered afterwards.
    pub used: u64,
    /// What is still held by objects that this run removes.
    pub leaving: u64,
}

/// A pool.
pub(crate) struct Pool<'a> {
    pub address: &'a Address,
    pub class: Option<&'a str>,
    /// Whether its hosts see the same volumes, so that a volume is not bound to one of them.
    pub shared: bool,
    /// Whether its volumes are files.
    pub files: bool,
    /// The hosts that have it, sorted.
    pub hosts: Vec<usize>,
}

impl Room {
    fn of(limit: Option<u64>) -> Room {
        Room { limit, used: 0, leaving: 0 }
    }

    /// What is left; `u64::MAX` without a limit.
    pub(crate) fn free(&self) -> u64 {
        self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.used))
    }

    /// Gives out an amount, whether or not there is room.
    pub(crate) fn take(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
    }

    /// Counts an amount that is held until something is removed.
    fn await_removal(&mut self, amount: u64) {
        self.leaving = self.leaving.saturating_add(amount);
    }

    /// Whether there is room before anything was removed.
    pub(crate) fn fits_now(&self, amount: u64) -> bool {
        amount <= self.free().saturating_sub(self.leaving)
    }

    /// What is left when this much more is given out, and of how much.
    pub(crate) fn left_after(&self, amount: u64) -> (u64, u64) {
        (self.free().saturating_sub(amount), self.limit.unwrap_or(u64::MAX))
    }
}

impl<'a> Inventory<'a> {
    /// Reads the hosts and pools of the text. What others run on the hosts is given out already,
    /// except what is adopted: that is placed with what is ours.
    pub(crate) fn new(
        desired: &'a DesiredGraph,
        observed: &'a ObservedState,
        deployment: &Deployment,
        adopted: &Called<'_>,
    ) -> Inventory<'a> {
        let of_kind = |kind: &'static str| {
            desired.resources.values().filter(move |r| r.address.kind() == kind)
        };
        let mut hosts: Vec<Host<'a>> =
            of_kind("host").map(|host| Host::new(host, observed.host(&host.address))).collect();
        let host_positions: IndexMap<&Address, usize> =
            hosts.iter().enumerate().map(|(at, host)| (host.address, at)).collect();
        let mut of_site: IndexMap<&Address, Vec<usize>> = IndexMap::new();
        for (at, host) in hosts.iter().enumerate() {
            of_site.entry(host.site()).or_default().push(at);
        }
        let mut pools = Vec::new();
        for (at, declared) in of_kind("pool").enumerate() {
            let pool = Pool::new(declared, &host_positions, &of_site);
            for host in &pool.hosts {
                let limit = declared.attributes.number("capacity");
                hosts[*host].stores.push((at, Room::of(limit)));
            }
            pools.push(pool);
        }
        let pool_positions =
            pools.iter().enumerate().map(|(at, pool)| (pool.address, at)).collect();
        let lacks = Vec::new();
        let mut inventory = Inventory { hosts, pools, lacks, host_positions, pool_positions };
        for observation in &observed.hosts {
            if let Some(host) = inventory.host(&observation.host) {
                inventory.miss(host, observation);
                let names = inventory.names(host, observation, deployment);
                inventory.measure(host, &names, observation);
                for object in &observation.objects {
                    let place = (&observation.host, &object.kind, &object.name);
                    if stamp(object, deployment).is_none() && !adopted.contains_key(&place) {
                        inventory.hold(host, &names, object, Room::take);
                    }
                }
            }
        }
        inventory
    }

    /// Notes what a host has for no guest.
    fn miss(&mut self, host: usize, observation: &'a HostObservation) {
        let lacks = observation.facts.iter().flat_map(|facts| &facts.lacks);
        for lack in lacks.filter(|lack| lack.kind == "vm") {
            let is_same =
                |own: &&Lack| (&own.attribute, &own.value) == (&lack.attribute, &lack.value);
            let at = self.lacks.iter().position(is_same).unwrap_or_else(|| {
                self.lacks.push(lack);
                self.lacks.len() - 1
            });
            self.hosts[host].lacks.push((at, lack));
        }
    }

    /// Counts what of ours is on the hosts and no longer in the text: what is forgotten stays, and
    /// everything else holds its room until it is removed.
    pub(crate) fn add_abandoned(
        &mut self,
        desired: &DesiredGraph,
        observed: &ObservedState,
        deployment: &Deployment,
    ) {
        let forgotten: IndexSet<&Address> = desired.forgotten.iter().map(|f| &f.address).collect();
        let moved: IndexSet<&Address> = desired.moved.iter().map(|moved| &moved.from).collect();
        let within = |address: &Address, scopes: &IndexSet<&Address>| {
            !scopes.is_empty() && address.ancestry().iter().any(|scope| scopes.contains(*scope))
        };
        for observation in &observed.hosts {
            let Some(host) = self.host(&observation.host) else { continue };
            let names = self.names(host, observation, deployment);
            for object in &observation.objects {
                let Some(stamp) = stamp(object, deployment) else { continue };
                let address = &stamp.address;
                if within(address, &forgotten) {
                    self.hold(host, &names, object, Room::take);
                } else if !desired.resources.contains_key(address) && !within(address, &moved) {
                    self.hold(host, &names, object, Room::await_removal);
                }
            }
        }
    }

    /// What the pools of a host are called there: like the object with the pool's stamp. A pool
    /// that is somebody else's, or is still to be made, goes by its name in the text.
    fn names<'o>(
        &self,
        host: usize,
        observation: &'o HostObservation,
        deployment: &Deployment,
    ) -> IndexMap<&'o str, usize>
    where
        'a: 'o,
    {
        let stores = self.hosts[host].stores.iter();
        let by_word = stores.map(|(pool, _)| (self.pools[*pool].address.name().as_str(), *pool));
        let mut names: IndexMap<&str, usize> = by_word.collect();
        for object in observation.objects.iter().filter(|object| object.kind == "pool") {
            let pool = stamp(object, deployment).and_then(|stamp| self.pool(&stamp.address));
            if let Some(pool) = pool {
                names.insert(&object.name, pool);
            }
        }
        names
    }

    /// Pools without a capacity in the text are as large as their host says.
    fn measure(
        &mut self,
        host: usize,
        names: &IndexMap<&str, usize>,
        observation: &HostObservation,
    ) {
        for facts in observation.facts.iter().flat_map(|facts| &facts.pools) {
            let pool = names.get(facts.name.as_str());
            if let Some(room) = pool.and_then(|pool| self.store(host, *pool)) {
                room.limit = room.limit.or(Some(facts.capacity));
            }
        }
    }

    /// The position of a host.
    pub(crate) fn host(&self, address: &Address) -> Option<usize> {
        self.host_positions.get(address).copied()
    }

    /// The position of a pool.
    pub(crate) fn pool(&self, address: &Address) -> Option<usize> {
        self.pool_positions.get(address).copied()
    }

    /// What a pool has on a host; `None` when the host does not have the pool.
    pub(crate) fn store(&mut self, host: usize, pool: usize) -> Option<&mut Room> {
        let stores = &mut self.hosts[host].stores;
        let at = stores.binary_search_by_key(&pool, |(pool, _)| *pool).ok()?;
        Some(&mut stores[at].1)
    }

    /// Counts an object that is on a host: guests while they run, volumes always.
    fn hold(
        &mut self,
        host: usize,
        names: &IndexMap<&str, usize>,
        object: &ObservedObject,
        count: fn(&mut Room, u64),
    ) {
        let fields = &object.attributes;
        match object.kind.as_str() {
            "vm" if object.running != Some(false) => {
                count(&mut self.hosts[host].vcpus, fields.number("vcpus").unwrap_or(0));
                count(&mut self.hosts[host].memory, fields.number("memory").unwrap_or(0));
            }
            "volume" | "disk" => {
                let pool = match fields.get("pool") {
                    Some(Value::Ref(address)) => self.pool(address),
                    Some(Value::Text(name)) => names.get(&**name).copied(),
                    _ => None,
                };
                if let Some(room) = pool.and_then(|pool| self.store(host, pool)) {
                    count(room, fields.number("size").unwrap_or(0));
                }
            }
            _ => {}
        }
    }
}

/// The stamp of an object of ours.
fn stamp<'o>(object: &'o ObservedObject, deployment: &Deployment) -> Option<&'o Stamp> {
    object.stamp.as_ref().filter(|stamp| stamp.deployment == deployment.id)
}

impl<'a> Host<'a> {
    fn new(declared: &'a DesiredResource, observation: Option<&'a HostObservation>) -> Host<'a> {
        let fields = &declared.attributes;
        let facts = observation.and_then(|observation| observation.facts.as_ref());
        let (capacity, overcommit) = (fields.map("capacity"), fields.map("overcommit"));
        let has = |name: &str, measured: Option<u64>| {
            capacity.and_then(|capacity| capacity.number(name)).or(measured)
        };
        let vcpus = has("vcpus", facts.map(|facts| u64::from(facts.vcpus)));
        let memory = has("memory", facts.map(|facts| facts.memory));
        let reserve = fields.map("reserve").and_then(|reserve| reserve.number("memory"));
        let vcpus = vcpus.map(|vcpus| times(vcpus, overcommit.map(|o| &**o), "vcpus", 4.0));
        let memory = memory
            .map(|memory| times(memory, overcommit.map(|o| &**o), "memory", 1.0))
            .map(|memory| memory.saturating_sub(reserve.unwrap_or(0)));
        let availability = match (facts, fields.flag("drain")) {
            (None, _) => {
                let problems = observation.map(|own| own.problems.as_slice()).unwrap_or_default();
                Availability::Silent(problems.first().map(String::as_str).unwrap_or_default())
            }
            (Some(_), Some(true)) => Availability::Drained,
            (Some(_), _) => Availability::Open,
        };
        Host {
            address: &declared.address,
            zone: fields.reference("zone"),
            availability,
            vcpus: Room::of(vcpus),
            memory: Room::of(memory),
            stores: Vec::new(),
            lacks: Vec::new(),
        }
    }

    /// The site that it stands in.
    pub(crate) fn site(&self) -> &'a Address {
        self.address.parent().unwrap_or(self.address)
    }
}

impl<'a> Pool<'a> {
    fn new(
        declared: &'a DesiredResource,
        positions: &IndexMap<&'a Address, usize>,
        of_site: &IndexMap<&'a Address, Vec<usize>>,
    ) -> Pool<'a> {
        let fields = &declared.attributes;
        let mut hosts: Vec<usize> = match fields.get("hosts") {
            Some(Value::List(named)) => {
                let named = named.iter().filter_map(Value::as_ref_address);
                named.filter_map(|host| positions.get(host).copied()).collect()
            }
            _ => {
                let site = declared.address.parent();
                site.and_then(|site| of_site.get(site)).cloned().unwrap_or_default()
            }
        };
        hosts.sort_unstable();
        hosts.dedup();
        Pool {
            address: &declared.address,
            class: fields.text("class"),
            shared: matches!(fields.text("type"), Some("nfs" | "rbd")),
            files: fields.text("type").is_none_or(holds_files),
            hosts,
        }
    }
}

/// An amount times its overcommit, rounded down.
fn times(amount: u64, overcommit: Option<&Fields>, name: &str, default: f64) -> u64 {
    let factor = match overcommit.and_then(|overcommit| overcommit.get(name)) {
        Some(Value::Float(factor)) => *factor,
        #[expect(clippy::cast_precision_loss, reason = "factors are small")]
        Some(Value::Int(factor)) => *factor as f64,
        _ => default,
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "amounts stay exact below 8 PiB, and the cast back saturates"
    )]
    let product = (amount as f64 * factor) as u64;
    product
}
