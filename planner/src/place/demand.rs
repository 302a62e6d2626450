//! What is placed together, and what it asks of a host.

use std::cmp::Reverse;

use tcloud_model::{Address, AttrPath, DesiredGraph, DesiredResource, Fields, Value, parallel};

use super::inventory::{Availability, Host, Inventory};
use super::{Place, PlaceInput};
use crate::size::{GUEST_SIZE, until_next_start};

/// A VM with its disks and the volumes attached to it, or a volume that no VM uses: what is always
/// together on one host. Numbers are positions in [`DesiredGraph::resources`].
pub(crate) struct Group<'a> {
    pub vm: Option<usize>,
    pub vcpus: u64,
    pub memory: u64,
    /// The vCPUs and the memory that it has already, should it stay; all where nothing was recorded.
    pub had: [u64; 2],
    pub home: Home,
    /// Largest first, so that small ones fill what is left.
    pub disks: Vec<Disk<'a>>,
}

/// A tenant and a word: guests that share them never share a host.
pub(crate) type Word<'a> = (Option<&'a Address>, &'a str);

/// Where a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// It does not exist yet.
    New,
    /// On this host.
    At(usize),
    /// On a host that the text no longer has.
    Gone(Address),
}

/// A volume or a disk.
pub(crate) struct Disk<'a> {
    pub resource: usize,
    pub size: u64,
    /// How large it is already, should it stay; as large as that where nothing was recorded.
    pub had: u64,
    pub store: Store<'a>,
    /// The pool that it lies in and may stay in.
    pub pool: Option<usize>,
    /// The host that it is on and cannot leave alone. Volumes of shared storage have none.
    pub home: Option<usize>,
}

/// Which pools a disk may lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Store<'a> {
    /// Any, or any that holds files.
    Any {
        files: bool,
    },
    /// One of a class, or one of it that holds files.
    Class {
        class: &'a str,
        files: bool,
    },
    Named(&'a Address),
}

/// What a group asks of a host apart from room; groups with equal constraints have the same hosts
/// to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Constraint<'a> {
    /// The sites of the tenant; `None` for all.
    pub sites: Option<Vec<&'a Address>>,
    /// The site that the VM names.
    pub site: Option<&'a Address>,
    /// The host that the VM names.
    pub host: Option<&'a Address>,
    /// Zones and sites that networks are in, each with the network.
    pub networks: Vec<(&'a Address, &'a Address)>,
    /// The pools that are needed, each once.
    pub stores: Vec<Store<'a>>,
    /// What it asks for of [`Inventory::lacks`].
    pub asks: Vec<usize>,
}

/// Why a host is out of the question, whatever runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal<'a> {
    /// The tenant may not use its site.
    TenantSite(&'a Address),
    /// The VM names another site.
    OtherSite(&'a Address),
    /// The VM names another host.
    OtherHost(&'a Address),
    /// A network keeps its guests in this zone or site.
    Network(&'a Address, &'a Address),
    /// It did not answer; why not.
    Silent(&'a str),
    /// It is being emptied.
    Drained,
    /// It has no such pool.
    NoPool(Store<'a>),
    /// It has such pools, and none of them holds files.
    NoFiles(Store<'a>),
    /// It has nothing for what the guest asks for.
    Lacks(Missing<'a>),
}

/// What a host has nothing for, in its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing<'a> {
    pub because: &'a str,
    pub help: &'a str,
}

impl<'a> Store<'a> {
    fn of(fields: &'a Fields) -> Store<'a> {
        let files = fields.text("format").is_some_and(|format| format != "raw");
        match (fields.reference("pool"), fields.text("class")) {
            (Some(pool), _) => Store::Named(pool),
            (None, Some(class)) => Store::Class { class, files },
            (None, None) => Store::Any { files },
        }
    }

    /// Whether a pool is one of them.
    pub(crate) fn admits(self, inventory: &Inventory<'_>, pool: usize) -> bool {
        let pool = &inventory.pools[pool];
        match self {
            Store::Any { files } => pool.files || !files,
            Store::Class { class, files } => pool.class == Some(class) && (pool.files || !files),
            Store::Named(address) => pool.address == address,
        }
    }

    /// The same, of files or devices.
    fn in_any_form(self) -> Store<'a> {
        match self {
            Store::Any { .. } => Store::Any { files: false },
            Store::Class { class, .. } => Store::Class { class, files: false },
            Store::Named(_) => self,
        }
    }
}

/// All groups: those of VMs in the order of their addresses, then volumes that no VM uses.
pub(crate) fn groups<'a>(input: &PlaceInput<'a>, inventory: &Inventory<'_>) -> Vec<Group<'a>> {
    let PlaceInput { desired, current, .. } = *input;
    let all = together(desired);
    parallel::each(&all, |(vm, volumes)| {
        let mut disks: Vec<Disk<'a>> =
            volumes.iter().map(|volume| Disk::new(input, *volume, inventory)).collect();
        disks.sort_by_key(|disk| (Reverse(disk.size), disk.resource));
        let machine = vm.map(|vm| &desired.resources[vm]);
        let head = machine.or_else(|| volumes.first().map(|volume| &desired.resources[*volume]));
        let home = Home::of(head.and_then(|head| current(&head.address)), inventory);
        let size = machine.map(|vm| guest_size(input, vm));
        let ([vcpus, memory], had) = size.unwrap_or_default();
        Group { vm: *vm, vcpus, memory, had, home, disks }
    })
    .collect()
}

/// The VM and the volumes of every group.
fn together(desired: &DesiredGraph) -> Vec<(Option<usize>, Vec<usize>)> {
    let mut attached = vec![false; desired.resources.len()];
    let mut all = Vec::new();
    let managed =
        || desired.resources.values().enumerate().filter(|(_, own)| !own.lifecycle.existing);
    for (at, vm) in managed().filter(|(_, own)| own.address.kind() == "vm") {
        let mut volumes = Vec::new();
        for (_, disk) in vm.attributes.map("disk").into_iter().flat_map(|disks| disks.iter()) {
            let Value::Map(disk) = disk else { continue };
            let volume = disk.reference("volume").and_then(|v| desired.resources.get_full(v));
            if let Some((volume, _, declared)) = volume
                && !declared.lifecycle.existing
                && !std::mem::replace(&mut attached[volume], true)
            {
                volumes.push(volume);
            }
        }
        all.push((Some(at), volumes));
    }
    let is_disk = |own: &DesiredResource| matches!(own.address.kind().as_str(), "volume" | "disk");
    let lone = managed().filter(|(at, own)| !attached[*at] && is_disk(own));
    all.extend(lone.map(|(at, _)| (None, vec![at])));
    all
}

/// How much something takes up, and how much of that it has now: what the text says, and where that
/// is ignored and there is more, that. What was never recorded is taken to be as it is to be.
fn size(declared: &DesiredResource, now: Option<&Fields>, name: &str) -> (u64, u64) {
    let is_ignored = |path: &AttrPath| path.first().is_some_and(|own| own == name);
    let now = now.and_then(|now| now.number(name));
    let ignored = now.filter(|_| declared.lifecycle.ignore.iter().any(is_ignored));
    let size = declared.attributes.number(name).max(ignored).unwrap_or(0);
    (size, now.map_or(size, |now| now.min(size)))
}

/// The vCPUs and the memory of a guest, and what it has of them now. What it runs with it keeps until
/// its next start.
fn guest_size(input: &PlaceInput<'_>, vm: &DesiredResource) -> ([u64; 2], [u64; 2]) {
    let now = (input.applied)(&vm.address);
    let now = now.as_deref();
    let kept = now.and_then(|now| until_next_start(&vm.attributes, now));
    let kept = kept.filter(|_| (input.keeps)(vm));
    let sizes = GUEST_SIZE.map(|name| {
        let (size, had) = size(vm, now, name);
        match kept.as_ref().and_then(|kept| kept.number(name)) {
            // It has at least that.
            Some(kept) if kept > size => (kept, kept),
            _ => (size, had),
        }
    });
    (sizes.map(|(size, _)| size), sizes.map(|(_, had)| had))
}

impl Home {
    fn of(place: Option<Place>, inventory: &Inventory<'_>) -> Home {
        match place {
            None => Home::New,
            Some(place) => inventory.host(&place.host).map_or(Home::Gone(place.host), Home::At),
        }
    }
}

impl<'a> Disk<'a> {
    fn new(input: &PlaceInput<'a>, resource: usize, inventory: &Inventory<'_>) -> Disk<'a> {
        let declared = &input.desired.resources[resource];
        let place = (input.current)(&declared.address);
        let now = (input.applied)(&declared.address);
        let (size, had) = size(declared, now.as_deref(), "size");
        let store = Store::of(&declared.attributes);
        let host = place.as_ref().and_then(|place| inventory.host(&place.host));
        let pool = place.and_then(|place| inventory.pool(&place.pool?));
        let shared = pool.is_some_and(|pool| inventory.pools[pool].shared);
        Disk {
            resource,
            size,
            had,
            store,
            pool: pool.filter(|pool| store.admits(inventory, *pool)),
            home: host.filter(|_| !shared),
        }
    }
}

impl<'a> Group<'a> {
    /// The resource that the group is named after in messages: the VM, or the lone volume.
    pub(crate) fn head<'g>(&self, desired: &'g DesiredGraph) -> Option<&'g DesiredResource> {
        let at = self.vm.or_else(|| self.disks.first().map(|disk| disk.resource))?;
        desired.resources.get_index(at).map(|(_, resource)| resource)
    }

    /// The VM.
    pub(crate) fn machine<'g>(&self, desired: &'g DesiredGraph) -> Option<&'g DesiredResource> {
        desired.resources.get_index(self.vm?).map(|(_, resource)| resource)
    }

    /// All disks together, in bytes.
    pub(crate) fn storage(&self) -> u64 {
        self.disks.iter().fold(0, |sum, disk| sum.saturating_add(disk.size))
    }

    /// The disks that are on another host than the group is, or would have to stay where they are
    /// while the group is new.
    pub(crate) fn outside(&self) -> impl Iterator<Item = (&Disk<'a>, usize)> {
        self.disks
            .iter()
            .filter_map(|disk| Some((disk, disk.home?)))
            .filter(|(_, home)| self.home != Home::At(*home))
    }

    /// The word of its VM's `spread`, with the tenant that it holds for.
    pub(crate) fn word<'g>(&self, desired: &'g DesiredGraph) -> Option<Word<'g>> {
        let vm = self.machine(desired)?;
        vm.attributes.text("spread").map(|word| (vm.address.tenant(), word))
    }

    /// What it asks of a host.
    pub(crate) fn constraint(
        &self,
        desired: &'a DesiredGraph,
        inventory: &Inventory<'a>,
    ) -> Constraint<'a> {
        let mut constraint = Constraint::default();
        let tenant = self.head(desired).and_then(|head| head.address.tenant());
        constraint.sites = tenant.and_then(|tenant| sites_of(tenant, desired));
        if let Some(vm) = self.machine(desired) {
            constraint.site = vm.attributes.reference("site");
            constraint.host = vm.attributes.reference("host");
            for network in networks_of(vm) {
                let network = desired.resources.get(network);
                constraint.networks.extend(network.into_iter().flat_map(confines));
            }
            constraint.networks.sort_unstable();
            constraint.networks.dedup();
            let lacks = inventory.lacks.iter().enumerate();
            let asked = lacks.filter(|(_, lack)| lack.is_asked_by(&vm.attributes));
            constraint.asks = asked.map(|(at, _)| at).collect();
        }
        constraint.stores = self.disks.iter().map(|disk| disk.store).collect();
        constraint.stores.sort_unstable();
        constraint.stores.dedup();
        constraint
    }
}

/// The sites that a tenant may use; `None` for all.
pub(crate) fn sites_of<'a>(
    tenant: &Address,
    desired: &'a DesiredGraph,
) -> Option<Vec<&'a Address>> {
    let tenant = desired.resources.get(tenant)?;
    tenant.attributes.get("sites")?;
    let sites = tenant.attributes.list("sites").iter();
    let mut sites: Vec<&Address> = sites.filter_map(Value::as_ref_address).collect();
    sites.sort_unstable();
    sites.dedup();
    Some(sites)
}

/// The networks that a VM has NICs in.
pub(crate) fn networks_of(vm: &DesiredResource) -> impl Iterator<Item = &Address> {
    let nics = vm.attributes.map("nic").into_iter().flat_map(|nics| nics.iter());
    nics.filter_map(|(_, nic)| match nic {
        Value::Map(nic) => nic.reference("network"),
        _ => None,
    })
}

/// The zone and the site that a network keeps its guests in, with the network.
pub(crate) fn confines(network: &DesiredResource) -> impl Iterator<Item = (&Address, &Address)> {
    let zone = network.attributes.reference("zone");
    let site = network.address.parent().filter(|scope| scope.kind() == "site");
    zone.into_iter().chain(site).map(|place| (place, &network.address))
}

impl<'a> Constraint<'a> {
    /// Why the host is out of the question; `None` when only room decides. Drained and silent hosts
    /// and what a host has nothing for are told last: they are the ones that the text allows.
    pub(crate) fn refuses(&self, inventory: &Inventory<'a>, host: usize) -> Option<Refusal<'a>> {
        let at = &inventory.hosts[host];
        let availability = || match at.availability {
            Availability::Open => None,
            Availability::Drained => Some(Refusal::Drained),
            Availability::Silent(why) => Some(Refusal::Silent(why)),
        };
        self.refuses_place(at)
            .or_else(|| self.lacks_pool(inventory, host))
            .or_else(availability)
            .or_else(|| self.misses(at))
    }

    fn misses(&self, host: &Host<'a>) -> Option<Refusal<'a>> {
        let (_, lack) = host.lacks.iter().find(|(at, _)| self.asks.contains(at))?;
        Some(Refusal::Lacks(Missing { because: &lack.because, help: &lack.help }))
    }

    fn refuses_place(&self, host: &Host<'a>) -> Option<Refusal<'a>> {
        let site = host.site();
        if self.sites.as_ref().is_some_and(|sites| sites.binary_search(&site).is_err()) {
            return Some(Refusal::TenantSite(site));
        }
        if let Some(wanted) = self.site.filter(|wanted| *wanted != site) {
            return Some(Refusal::OtherSite(wanted));
        }
        if let Some(wanted) = self.host.filter(|wanted| *wanted != host.address) {
            return Some(Refusal::OtherHost(wanted));
        }
        let outside = |place: &Address| match place.kind().as_str() {
            "site" => site != place,
            _ => host.zone != Some(place),
        };
        let confined = self.networks.iter().find(|(place, _)| outside(place));
        confined.map(|(place, network)| Refusal::Network(place, network))
    }

    fn lacks_pool(&self, inventory: &Inventory<'a>, host: usize) -> Option<Refusal<'a>> {
        let stores = &inventory.hosts[host].stores;
        let has = |store: Store<'_>| stores.iter().any(|(pool, _)| store.admits(inventory, *pool));
        let lacking = self.stores.iter().copied().find(|store| !has(*store))?;
        match has(lacking.in_any_form()) {
            true => Some(Refusal::NoFiles(lacking)),
            false => Some(Refusal::NoPool(lacking)),
        }
    }
}
