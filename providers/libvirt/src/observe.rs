//! The sweep over everything on a host. It changes nothing, and refreshes no pool: a refresh would
//! look into every volume, also those that a guest is writing to.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use tcloud_model::{Address, HostFacts, HostObservation, Name, ObservedObject, PoolFacts, Stamp};
use uuid::Uuid;
use virt::connect::Connect;
use virt::error::ErrorNumber;
use virt::nwfilter::NWFilter;
use virt_sys::{
    VIR_CONNECT_LIST_NETWORKS_ACTIVE, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
    VIR_STORAGE_XML_INACTIVE,
};

use crate::connection::{MOST, QUICK, dotted};
use crate::domain::{Backing, Census, Directory, observed_domain};
use crate::failure::{Absent, Failure};
use crate::firewall;
use crate::image;
use crate::network::{self, Definitions};
use crate::pool::{self, Power};
use crate::provider::LibvirtHost;
use crate::site::Site;
use crate::stamp::{self, Place, Sealed};
use crate::volume::{self, Home};
use crate::xml::Element;

/// Pools that belong to what is in them, and are no objects of their own.
const DERIVED: [&str; 2] = [image::POOL, SEEDS];

/// The pool of what guests read when they first start.
const SEEDS: &str = "tcloud-seeds";

/// From so many objects on, one more connection helps to read them.
const SHARE: usize = 48;

/// The part of all objects that one connection reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    number: u64,
    of: u64,
}

impl Part {
    /// Whether an object belongs to it. Lists may differ between connections, so names decide.
    pub(crate) fn has(self, name: impl AsRef<[u8]>) -> bool {
        // FNV-1a, for an even spread.
        let hash = name.as_ref().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash >> 8) % self.of == self.number
    }
}

impl LibvirtHost {
    /// Everything on the host.
    pub(crate) async fn sweep(&self) -> Result<HostObservation, Failure> {
        let site = Arc::clone(&self.site);
        let facts = move |connect: &Connect| facts(connect, &site);
        // What the host has may take longer to answer than what runs on it.
        let (facts, objects) =
            tokio::join!(self.host.call("observe the host", QUICK, facts), self.objects());
        let mut objects = objects?;
        objects.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(HostObservation {
            host: self.site.host.clone(),
            facts: Some(facts?),
            objects,
            problems: Vec::new(),
        })
    }

    /// Everything that there is on the host.
    async fn objects(&self) -> Result<Vec<ObservedObject>, Failure> {
        let (census, seals, networks, filters, pools, volumes) = tokio::join!(
            self.host.call("observe guests", QUICK, Census::of),
            self.spread("observe stamps", count_seals, seals),
            self.spread("observe networks", count_networks, networks),
            self.spread("observe rules", count_filters, filters),
            self.host.call("observe pools", QUICK, pools),
            self.spread("observe volumes", count_volumes, volumes),
        );
        let seals: HashMap<Place, Sealed> =
            seals?.into_iter().map(|sealed| (sealed.place.clone(), sealed)).collect();
        let mut objects = networks?;
        let mut directory = Directory::default();
        let deployment = self.site.deployment;
        for network in &objects {
            if let Some(address) = own_address(network.stamp.as_ref(), deployment) {
                directory.add_network(address, network.name.to_string());
            }
        }
        for (name, filter) in filters? {
            directory.add_filter(name, filter);
        }
        let mut homes = HashMap::new();
        let mut closed = HashMap::new();
        for Pool { uuid, definition, power } in pools? {
            let name = definition.content_at("name").unwrap_or_default();
            let sealed = seals.get(&Place::Pool(name.clone()));
            let stamp: Option<Stamp> = sealed.map(|sealed| sealed.note.stamp.clone());
            homes.insert(name.clone(), Home { name: name.clone(), uuid, stamp });
            if power != Power::Runs {
                closed.insert(name.clone(), definition.content_at("target/path"));
            }
            if !DERIVED.contains(&name.as_str()) {
                let note = sealed.map(|sealed| sealed.note.clone());
                objects.push(pool::observed(&definition, uuid, note, power));
            }
        }
        let mut found = HashSet::new();
        for (pool, xml) in volumes? {
            let Some(home) = homes.get(&pool) else { continue };
            let name = xml.content_at("name").unwrap_or_default();
            let sealed = seals.get(&Place::Volume(pool.clone(), name.clone()));
            found.extend(sealed.map(|sealed| sealed.place.clone()));
            let address = own_address(sealed.map(|sealed| &sealed.note.stamp), deployment);
            for backing in backings(&pool, &name, xml.content_at("target/path")) {
                match &address {
                    Some(address) => directory.add_backing(backing, address.clone()),
                    None => directory.add_foreign(backing, &name),
                }
            }
            // Seeds belong to their guests.
            if sealed.is_some() || pool != SEEDS {
                objects.extend(volume::observed(&xml, home, sealed, self.site.deployment));
            }
        }
        objects.extend(stamps_alone(&seals, &found, &closed, &homes, deployment));
        objects.extend(out_of_sight(&seals, &closed, &homes, deployment, &mut directory));
        let (directory, census) = (Arc::new(directory), Arc::new(census?));
        let many = census.len();
        let guests =
            move |connect: &Connect, part: Part| guests(connect, part, &census, &directory);
        objects.extend(self.spread_over("observe guests", many, guests).await?);
        Ok(objects)
    }

    /// Reads many objects with as many connections as help.
    pub(crate) async fn spread<T: Send + 'static>(
        &self,
        what: &str,
        count: fn(&Connect) -> Result<usize, Failure>,
        read: impl Fn(&Connect, Part) -> Result<Vec<T>, Failure> + Clone + Send + 'static,
    ) -> Result<Vec<T>, Failure> {
        let first = read.clone();
        let counted = self.host.call(what, QUICK, move |connect| match count(connect)? {
            few if few <= SHARE => Ok(Err(first(connect, Part { number: 0, of: 1 })?)),
            many => Ok(Ok(many)),
        });
        let many = match counted.await? {
            Ok(many) => many,
            Err(all) => return Ok(all),
        };
        self.spread_over(what, many, read).await
    }

    /// The same, where it is known about how many there are.
    async fn spread_over<T: Send + 'static>(
        &self,
        what: &str,
        many: usize,
        read: impl Fn(&Connect, Part) -> Result<Vec<T>, Failure> + Clone + Send + 'static,
    ) -> Result<Vec<T>, Failure> {
        let of = many.div_ceil(SHARE).clamp(1, MOST) as u64;
        let parts = (0..of).map(|number| {
            let read = read.clone();
            self.host.call(what, QUICK, move |connect| read(connect, Part { number, of }))
        });
        let mut all = Vec::with_capacity(many);
        for part in futures_util::future::join_all(parts).await {
            all.extend(part?);
        }
        Ok(all)
    }
}

/// The address of what is ours.
fn own_address(stamp: Option<&Stamp>, deployment: Uuid) -> Option<Address> {
    stamp.filter(|own| own.deployment == deployment).map(|own| own.address.clone())
}

/// Stamps of volumes that were begun and of which there is nothing else yet.
fn stamps_alone(
    seals: &HashMap<Place, Sealed>,
    found: &HashSet<Place>,
    closed: &HashMap<String, Option<String>>,
    homes: &HashMap<String, Home>,
    deployment: Uuid,
) -> Vec<ObservedObject> {
    let alone = seals.values().filter(|own| own.note.unfinished && !found.contains(&own.place));
    let seen = alone.filter_map(|sealed| {
        let Place::Volume(pool, _) = &sealed.place else { return None };
        let home = homes.get(pool).filter(|_| !closed.contains_key(pool))?;
        volume::left(home, sealed, deployment)
    });
    seen.collect()
}

/// What is in pools that do not run cannot be looked at, and is not gone. `closed` has the directory
/// of each of them.
fn out_of_sight(
    seals: &HashMap<Place, Sealed>,
    closed: &HashMap<String, Option<String>>,
    homes: &HashMap<String, Home>,
    deployment: Uuid,
    directory: &mut Directory,
) -> Vec<ObservedObject> {
    let mut all = Vec::new();
    for sealed in seals.values() {
        let Place::Volume(pool, name) = &sealed.place else { continue };
        let Some((path, home)) = closed.get(pool).zip(homes.get(pool)) else { continue };
        let stamp = &sealed.note.stamp;
        if stamp.deployment == deployment {
            let path = path.as_ref().map(|path| format!("{path}/{name}"));
            for backing in backings(pool, name, path) {
                directory.add_backing(backing, stamp.address.clone());
            }
        }
        all.extend(volume::remembered(name, home, sealed));
    }
    all
}

/// What the disks of guests may call a volume by.
fn backings(pool: &str, volume: &str, path: Option<String>) -> Vec<Backing> {
    let inside = Backing::Volume { pool: pool.to_owned(), volume: volume.to_owned() };
    let outside = path.into_iter().flat_map(|p| [Backing::File(p.clone()), Backing::Block(p)]);
    outside.chain([inside]).collect()
}

fn count_seals(connect: &Connect) -> Result<usize, Failure> {
    Ok(connect.list_all_secrets(0)?.len())
}

/// The stamps of pools and volumes.
fn seals(connect: &Connect, part: Part) -> Result<Vec<Sealed>, Failure> {
    let mut all = Vec::new();
    for secret in connect.list_all_secrets(0)? {
        if part.has(secret.get_uuid()?) {
            all.extend(stamp::read(&secret)?);
        }
    }
    Ok(all)
}

fn count_networks(connect: &Connect) -> Result<usize, Failure> {
    Ok(connect.list_all_networks(0)?.len())
}

fn networks(connect: &Connect, part: Part) -> Result<Vec<ObservedObject>, Failure> {
    let mut active = HashSet::new();
    for network in connect.list_all_networks(VIR_CONNECT_LIST_NETWORKS_ACTIVE)? {
        active.insert(network.get_uuid()?);
    }
    let mut all = Vec::new();
    for network in connect.list_all_networks(0)? {
        let uuid = network.get_uuid()?;
        if part.has(network.get_name()?)
            && let Some(definitions) = Definitions::of(&network, active.contains(&uuid))?
        {
            let filter = match definitions.is_stamped() {
                true => firewall::find(connect, &firewall::network_name(&network.get_name()?))?,
                false => None,
            };
            all.push(network::observed(&definitions, uuid, filter.as_ref()));
        }
    }
    Ok(all)
}

/// A pool that was found.
struct Pool {
    uuid: Uuid,
    definition: Element,
    power: Power,
}

fn pools(connect: &Connect) -> Result<Vec<Pool>, Failure> {
    let mut active = HashSet::new();
    for pool in connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
        active.insert(pool.get_uuid()?);
    }
    let mut all = Vec::new();
    for pool in connect.list_all_storage_pools(0)? {
        let uuid = pool.get_uuid()?;
        if let Some(xml) = pool.get_xml_desc(VIR_STORAGE_XML_INACTIVE).or_absent()? {
            let power = Power::of(&pool, active.contains(&uuid))?;
            all.push(Pool { uuid, definition: Element::parse(&xml)?, power });
        }
    }
    Ok(all)
}

fn count_volumes(connect: &Connect) -> Result<usize, Failure> {
    let mut count = 0;
    for pool in connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
        count += usize::try_from(pool.num_of_volumes()?).unwrap_or_default();
    }
    Ok(count)
}

/// Volumes, each with the name of its pool.
fn volumes(connect: &Connect, part: Part) -> Result<Vec<(String, Element)>, Failure> {
    let mut all = Vec::new();
    for pool in connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
        let pool_name = pool.get_name()?;
        let Some(volumes) = pool.list_all_volumes(0).or_absent()? else { continue };
        for volume in volumes {
            if part.has(volume.get_name()?)
                && let Some(xml) = volume.get_xml_desc(0).or_absent()?
            {
                all.push((pool_name.clone(), Element::parse(&xml)?));
            }
        }
    }
    Ok(all)
}

/// The rules of NICs, by the names of their filters. A host may not have any such thing.
fn filters(connect: &Connect, part: Part) -> Result<Vec<(String, Element)>, Failure> {
    let mut all = Vec::new();
    for filter in named_filters(connect)? {
        let name = filter.get_name()?;
        if part.has(&name)
            && let Some(xml) = filter.get_xml_desc(0).or_absent()?
        {
            all.push((name, Element::parse(&xml)?));
        }
    }
    Ok(all)
}

fn count_filters(connect: &Connect) -> Result<usize, Failure> {
    Ok(named_filters(connect)?.len())
}

fn named_filters(connect: &Connect) -> Result<Vec<NWFilter>, Failure> {
    let mut filters = match connect.list_all_nw_filters(0) {
        Err(error) if error.code() == ErrorNumber::NoSupport => Vec::new(),
        other => other?,
    };
    filters.retain(|own| own.get_name().is_ok_and(|name| name.starts_with(firewall::NIC)));
    Ok(filters)
}

fn guests(
    connect: &Connect,
    part: Part,
    census: &Census,
    directory: &Directory,
) -> Result<Vec<ObservedObject>, Failure> {
    let mut all = Vec::new();
    for domain in connect.list_all_domains(0)? {
        if !part.has(domain.get_uuid()?) {
            continue;
        }
        match observed_domain(domain, census, directory) {
            Ok(object) => all.push(object),
            // It went away meanwhile.
            Err(failure) if failure.is(ErrorNumber::NoDomain) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(all)
}

/// What the host has.
fn facts(connect: &Connect, site: &Site) -> Result<HostFacts, Failure> {
    let node = connect.get_node_info()?;
    let mut pools = Vec::new();
    for pool in connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
        let Some(info) = pool.get_info().or_absent()? else { continue };
        pools.push(PoolFacts {
            name: Name::from(pool.get_name()?),
            capacity: info.capacity,
            free: info.available,
        });
    }
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(HostFacts {
        vcpus: node.cpus,
        memory: node.memory * 1024,
        version: version(connect, site)?,
        pools,
        migrates: false,
    })
}

/// The versions, asked once: libvirt may start QEMU to answer.
fn version(connect: &Connect, site: &Site) -> Result<String, Failure> {
    let mut known = site.version.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = &*known {
        return Ok(version.clone());
    }
    let libvirt = dotted(connect.get_lib_version()?);
    let qemu = dotted(connect.get_hyp_version()?);
    Ok(known.insert(format!("libvirt {libvirt}, QEMU {qemu}")).clone())
}
