//! The sweep over everything on a host. It changes nothing, and refreshes no pool: a refresh would
//! look into every volume, also those that a guest is writing to.

mod unread;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::thread;

use tcloud_model::{
    Address, Hold, HostFacts, HostObservation, Name, ObservedObject, PoolFacts, Stamp,
};
use tokio::sync::oneshot;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::ErrorNumber;
use virt::network::Network;
use virt::nwfilter::NWFilter;
use virt::secret::Secret;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt_sys::{
    VIR_CONNECT_LIST_NETWORKS_ACTIVE, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
    VIR_STORAGE_XML_INACTIVE,
};

use crate::connection::{QUICK, dotted};
use crate::domain::{self, Backing, Census, Counted, Directory, SEEDS};
use crate::failure::{Absent, Failure, quoted};
use crate::firewall;
use crate::image;
use crate::network::{self, Definitions};
use crate::pool::{self, Power};
use crate::provider::LibvirtHost;
use crate::site::Site;
use crate::stamp::{self, Place, Seal, Sealed};
use crate::users::User;
use crate::volume::{self, Home, Owner};
use crate::xml::Element;
use unread::{Sort, Unread};

/// Pools that belong to what is in them, and are no objects of their own.
const DERIVED: [&str; 2] = [image::POOL, SEEDS];

/// From so many objects on, one more thread helps to ask for them.
const SHARE: usize = 48;

/// The most threads that ask. More are not faster: libvirtd answers few calls at once.
const ASKERS: usize = 8;

impl LibvirtHost {
    /// Everything on the host.
    pub(crate) async fn sweep(&self) -> Result<HostObservation, Failure> {
        let site = Arc::clone(&self.site);
        let facts = move |connect: &Connect| facts(connect, &site);
        // What the host has may take longer to answer than what runs on it.
        let unread = Arc::new(Unread::default());
        let (facts, objects) =
            tokio::join!(self.host.call("observe the host", QUICK, facts), self.objects(&unread));
        let mut objects = objects?;
        objects.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(HostObservation {
            host: self.site.host.clone(),
            facts: Some(facts?),
            objects,
            problems: unread.told(),
        })
    }

    /// Everything that there is on the host. Guests are asked for with all else, and are understood
    /// when it is known what they refer to.
    async fn objects(&self, unread: &Arc<Unread>) -> Result<Vec<ObservedObject>, Failure> {
        let (send, directory) = oneshot::channel();
        let noted = Arc::clone(unread);
        let guests = move |connect: &Connect| guests(connect, directory, &noted);
        // Guests are the last to be given a connection: those that they wait for have theirs.
        let guests = self.host.call("observe guests", 2 * QUICK, guests);
        let (objects, guests) = tokio::join!(self.others(send, unread), guests);
        let mut objects = objects?;
        objects.extend(guests?);
        Ok(objects)
    }

    /// Everything but guests; what those refer to goes to who reads them.
    async fn others(
        &self,
        send: oneshot::Sender<Directory>,
        unread: &Arc<Unread>,
    ) -> Result<Vec<ObservedObject>, Failure> {
        let (seals, networks, filters, pools, volumes) = tokio::join!(
            self.ask("observe stamps", unread, seals),
            self.ask("observe networks", unread, networks),
            self.ask("observe rules", unread, filters),
            self.ask("observe pools", unread, pools),
            self.ask("observe volumes", unread, volumes),
        );
        let (seals, damaged) = sorted(seals?);
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
        unread.tell(&mut directory);
        let mut places = HashMap::new();
        for pool in pools? {
            let (name, storage, object) = understood(pool, (&seals, &damaged), unread);
            places.insert(name, storage);
            objects.extend(object);
        }
        let mut found = HashSet::new();
        let volumes = looked_into(volumes?, &mut places);
        let on_top = on_top(&volumes);
        for (pool, xml) in &volumes {
            let Some(Storage { home, .. }) = places.get(pool) else { continue };
            let name = xml.content_at("name").unwrap_or_default();
            let place = Place::Volume(pool.clone(), name.clone());
            let (sealed, is_damaged) = (seals.get(&place), damaged.contains(&place));
            found.extend(sealed.map(|sealed| sealed.place.clone()));
            let address = own_address(sealed.map(|sealed| &sealed.note.stamp), deployment);
            let path = xml.content_at("target/path");
            if let (Some(path), Some(base)) = (&path, xml.content_at("backingStore/path")) {
                directory.add_layer(path.clone(), base);
            }
            let hold = path.as_ref().and_then(|path| on_top.get(path));
            for backing in backings(pool, &name, path) {
                match &address {
                    Some(address) => directory.add_backing(backing, address.clone()),
                    None if is_damaged => directory.add_hidden(backing),
                    None => directory.add_foreign(backing, &name),
                }
            }
            // Seeds belong to their guests.
            if !is_damaged && (sealed.is_some() || pool != SEEDS) {
                let mut seen = volume::observed(xml, home, sealed, self.site.deployment);
                if let Some(object) = &mut seen {
                    object.holds.extend(hold.cloned());
                }
                objects.extend(seen);
            }
        }
        let seals: Vec<Sealed> =
            seals.into_values().filter(|own| !found.contains(&own.place)).collect();
        objects.extend(without_volume(&seals, &places, deployment, &mut directory));
        hide(&damaged, &places, &mut directory);
        // Who reads the guests may have failed already.
        let _ = send.send(directory);
        Ok(objects)
    }

    /// Asks for all of one sort.
    async fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        unread: &Arc<Unread>,
        read: fn(&Connect, &Unread) -> Result<Vec<T>, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let unread = Arc::clone(unread);
        self.host.call(what, QUICK, move |connect| read(connect, &unread)).await
    }
}

/// Asks for each of many objects, and reads what is sent; `None` is what went away meanwhile. libvirt
/// answers several calls of one connection at once, so that threads share it: to list everything again
/// for each costs more. They only ask: one thread that reads keeps up with them all, and nobody takes its
/// turn or its cache from it.
fn each<O: Send, S: Send, T>(
    all: Vec<O>,
    ask: impl Fn(O) -> Result<Option<S>, Failure> + Sync,
    mut read: impl FnMut(S) -> Result<Option<T>, Failure>,
) -> Result<Vec<T>, Failure> {
    let askers = all.len().div_ceil(SHARE).min(ASKERS);
    let rest = Mutex::new(all.into_iter());
    let next = || rest.lock().unwrap_or_else(PoisonError::into_inner).next();
    let sent = || std::iter::from_fn(next).filter_map(|own| ask(own).transpose());
    let mut read = |sent: Result<S, Failure>| sent.and_then(&mut read).transpose();
    if askers <= 1 {
        return sent().filter_map(read).collect();
    }
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for _ in 0..askers {
            let send = send.clone();
            // Nobody receives any more when something went wrong.
            scope.spawn(move || sent().try_for_each(|own| send.send(own)));
        }
        drop(send);
        receive.into_iter().filter_map(&mut read).collect()
    })
}

/// What was read already when it was asked for, as there are few.
fn whole<T>(read: T) -> Result<Option<T>, Failure> {
    Ok(Some(read))
}

fn parsed(sent: Result<Option<String>, Failure>) -> Result<Option<Element>, Failure> {
    Ok(sent?.map(|xml| Element::parse(&xml)).transpose()?)
}

/// What is held by volumes that are made on top of it, by its path.
fn on_top(volumes: &[(String, Element)]) -> HashMap<String, Hold> {
    let made = volumes.iter().filter_map(|(pool, xml)| {
        let (base, name) = (xml.content_at("backingStore/path")?, xml.content_at("name")?);
        let user = User::Volume { pool: pool.clone(), name: name.clone() };
        let hold = Hold {
            path: None,
            stays: true,
            because: format!("it is used by {}", user.told()),
            help: format!(
                "commit what is in it (virsh blockcommit GUEST TARGET --active --pivot), and remove \
                 it: virsh vol-delete {} --pool {}",
                quoted(&name),
                quoted(pool)
            ),
        };
        Some((base, hold))
    });
    made.collect()
}

/// The address of what is ours.
fn own_address(stamp: Option<&Stamp>, deployment: Uuid) -> Option<Address> {
    stamp.filter(|own| own.deployment == deployment).map(|own| own.address.clone())
}

/// A pool that volumes are in.
struct Storage {
    home: Home,
    /// Its directory, if it has one.
    path: Option<String>,
    runs: bool,
}

/// The volumes that could be read. A pool with others in it is as one that does not run: what is not
/// seen there is not gone.
fn looked_into(
    volumes: Vec<InPool>,
    places: &mut HashMap<String, Storage>,
) -> Vec<(String, Element)> {
    let mut seen = Vec::with_capacity(volumes.len());
    for (pool, xml) in volumes {
        match (xml, places.get_mut(&pool)) {
            (Some(xml), _) => seen.push((pool, xml)),
            (None, Some(place)) => place.runs = false,
            (None, None) => {}
        }
    }
    seen
}

/// What stamps of volumes tell of which nothing was found. In a pool that does not run nobody can look,
/// and nothing is gone. In one that runs, the volume was begun and there is nothing else of it yet, or
/// somebody has deleted it.
fn without_volume(
    seals: &[Sealed],
    places: &HashMap<String, Storage>,
    deployment: Uuid,
    directory: &mut Directory,
) -> Vec<ObservedObject> {
    let mut all = Vec::new();
    for sealed in seals {
        let Place::Volume(pool, name) = &sealed.place else { continue };
        let Some(Storage { home, path, runs }) = places.get(pool) else { continue };
        let stamp = &sealed.note.stamp;
        if stamp.deployment == deployment {
            let path = path.as_ref().map(|path| format!("{path}/{name}"));
            for backing in backings(pool, name, path) {
                match runs {
                    true => directory.add_gone(backing, stamp.address.clone()),
                    false => directory.add_backing(backing, stamp.address.clone()),
                }
            }
        }
        all.extend(match runs {
            true if sealed.note.unfinished => volume::left(home, sealed, deployment),
            true => None,
            false => volume::remembered(name, home, sealed),
        });
    }
    all
}

/// A pool by its name, as what is in it sees it, and as an object if it is one.
fn understood(
    pool: Pool,
    (seals, damaged): (&HashMap<Place, Sealed>, &HashSet<Place>),
    unread: &Unread,
) -> (String, Storage, Option<ObservedObject>) {
    let Pool { uuid, definition, power } = pool;
    let name = definition.content_at("name").unwrap_or_default();
    let place = Place::Pool(name.clone());
    let (sealed, is_damaged) = (seals.get(&place), damaged.contains(&place));
    let owner = match sealed {
        Some(sealed) => Owner::Stamped(sealed.note.stamp.clone()),
        None if is_damaged || unread.misses_stamps() => Owner::Unknown,
        None => Owner::Nobody,
    };
    let home = Home { name: name.clone(), uuid, owner };
    let path = definition.content_at("target/path");
    let storage = Storage { home, path, runs: power == Power::Runs };
    let note = sealed.map(|sealed| sealed.note.clone());
    let is_object = !DERIVED.contains(&name.as_str()) && !is_damaged;
    let object = is_object.then(|| pool::observed(&definition, uuid, note, power));
    (name, storage, object)
}

/// The stamps by what they are of, and what has one that is damaged.
fn sorted(all: Vec<Seal>) -> (HashMap<Place, Sealed>, HashSet<Place>) {
    let (mut seals, mut damaged) = (HashMap::new(), HashSet::new());
    for seal in all {
        match seal {
            Seal::Whole(sealed) => {
                seals.insert(sealed.place.clone(), sealed);
            }
            Seal::Damaged(place, _) => {
                damaged.insert(place);
            }
        }
    }
    (seals, damaged)
}

/// Where volumes with damaged stamps lie that were not seen: their pools do not run.
fn hide(damaged: &HashSet<Place>, places: &HashMap<String, Storage>, directory: &mut Directory) {
    for place in damaged {
        let Place::Volume(pool, name) = place else { continue };
        let path = places.get(pool).and_then(|storage| storage.path.as_ref());
        let path = path.map(|path| format!("{path}/{name}"));
        backings(pool, name, path).into_iter().for_each(|own| directory.add_hidden(own));
    }
}

/// What the disks of guests may call a volume by.
fn backings(pool: &str, volume: &str, path: Option<String>) -> Vec<Backing> {
    let inside = Backing::Volume { pool: pool.to_owned(), volume: volume.to_owned() };
    let outside = path.into_iter().flat_map(|p| [Backing::File(p.clone()), Backing::Block(p)]);
    outside.chain([inside]).collect()
}

/// The stamps of pools and volumes.
fn seals(connect: &Connect, unread: &Unread) -> Result<Vec<Seal>, Failure> {
    let read = |secret: Secret| {
        let name = secret.get_uuid_string()?;
        let seal = unread.note(connect, Sort::Stamp, &name, stamp::seen(&secret))?;
        if let Some(Seal::Damaged(place, error)) = &seal {
            unread.damaged(place, error);
        }
        Ok(seal)
    };
    each(connect.list_all_secrets(0)?, read, whole)
}

fn networks(connect: &Connect, unread: &Unread) -> Result<Vec<ObservedObject>, Failure> {
    let mut active = HashSet::new();
    for network in connect.list_all_networks(VIR_CONNECT_LIST_NETWORKS_ACTIVE)? {
        active.insert(network.get_uuid()?);
    }
    let read = |network: &Network, name: &str| {
        let uuid = network.get_uuid()?;
        let Some(definitions) = Definitions::of(network, active.contains(&uuid))? else {
            return Ok(None);
        };
        definitions.check_stamp()?;
        let filter = match definitions.is_stamped() {
            true => firewall::find(connect, &firewall::network_name(name))?,
            false => None,
        };
        Ok(Some(network::observed(&definitions, uuid, filter.as_ref())))
    };
    let read = |network: Network| {
        let name = network.get_name()?;
        unread.note(connect, Sort::Network, &name, read(&network, &name))
    };
    each(connect.list_all_networks(0)?, read, whole)
}

/// A pool that was found.
struct Pool {
    uuid: Uuid,
    definition: Element,
    power: Power,
}

fn pools(connect: &Connect, unread: &Unread) -> Result<Vec<Pool>, Failure> {
    let mut active = HashSet::new();
    for pool in connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
        active.insert(pool.get_uuid()?);
    }
    let read = |pool: &StoragePool| {
        let uuid = pool.get_uuid()?;
        let Some(xml) = pool.get_xml_desc(VIR_STORAGE_XML_INACTIVE).or_absent()? else {
            return Ok(None);
        };
        let power = Power::of(pool, active.contains(&uuid))?;
        Ok(Some(Pool { uuid, definition: Element::parse(&xml)?, power }))
    };
    let read = |pool: StoragePool| unread.note(connect, Sort::Pool, &pool.get_name()?, read(&pool));
    each(connect.list_all_storage_pools(0)?, read, whole)
}

/// A volume with the name of its pool; none for what is there and could not be read.
type InPool = (String, Option<Element>);

/// Volumes, each with the name of its pool.
fn volumes(connect: &Connect, unread: &Unread) -> Result<Vec<InPool>, Failure> {
    let mut all = Vec::new();
    let mut blind = Vec::new();
    for pool in connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
        let name = pool.get_name()?;
        let listed = pool.list_all_volumes(0).or_absent();
        blind.extend(listed.is_err().then(|| (name.clone(), None)));
        let listed = unread.note(connect, Sort::Volumes, &name, listed)?;
        all.extend(listed.into_iter().flatten().map(|volume| (name.clone(), volume)));
    }
    let ask = |(pool, volume): (String, StorageVol)| {
        Ok(Some((pool, volume.get_name()?, volume.get_xml_desc(0).or_absent())))
    };
    let mut seen = each(all, ask, |(pool, name, sent)| {
        let xml = parsed(sent);
        let is_blind = xml.is_err();
        let xml = unread.note(connect, Sort::Volume, &name, xml)?;
        Ok((xml.is_some() || is_blind).then_some((pool, xml)))
    })?;
    seen.extend(blind);
    Ok(seen)
}

/// The rules of NICs, by the names of their filters. A host may not have any such thing.
fn filters(connect: &Connect, unread: &Unread) -> Result<Vec<(String, Element)>, Failure> {
    let mut filters = match connect.list_all_nw_filters(0) {
        Err(error) if error.code() == ErrorNumber::NoSupport => Vec::new(),
        other => other?,
    };
    filters.retain(|own| own.get_name().is_ok_and(|name| name.starts_with(firewall::NIC)));
    let ask = |filter: NWFilter| Ok(Some((filter.get_name()?, filter.get_xml_desc(0).or_absent())));
    each(filters, ask, |(name, sent)| {
        let seen = unread.note(connect, Sort::Filter, &name, parsed(sent))?;
        Ok(seen.map(|xml| (name, xml)))
    })
}

fn guests(
    connect: &Connect,
    directory: oneshot::Receiver<Directory>,
    unread: &Unread,
) -> Result<Vec<ObservedObject>, Failure> {
    let all = connect.list_all_domains(0)?;
    let census = Census::of(connect)?;
    let ask = |domain: Domain| Ok(Some((domain.get_name()?, Counted::of(domain, &census))));
    // Nobody tells when all that the guests could refer to is not known.
    let directory = LazyLock::new(|| directory.blocking_recv().ok());
    each(all, ask, |(name, guest)| {
        let seen = match (guest, directory.as_ref()) {
            // It went away meanwhile.
            (Err(failure), _) if failure.is(ErrorNumber::NoDomain) => Ok(None),
            (Ok(guest), Some(directory)) => guest.read(directory).map(Some),
            (Ok(_), None) => Ok(None),
            (Err(failure), _) => Err(failure),
        };
        unread.note(connect, Sort::Guest, &name, seen)
    })
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
    let mut lacks = volume::lacks();
    lacks.extend(domain::lacks(connect, site));
    lacks.extend(network::lack(&site.host, connect.get_lib_version()?));
    Ok(HostFacts {
        vcpus: node.cpus,
        memory: node.memory * 1024,
        version: version(connect, site)?,
        pools,
        migrates: false,
        lacks,
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
