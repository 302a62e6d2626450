//! The sweep over everything on a host. It changes nothing, and refreshes no pool: a refresh would
//! look into every volume, also those that a guest is writing to.

use std::collections::HashMap;

use tcloud_model::{HostFacts, HostObservation, Name, ObservedObject, PoolFacts};
use uuid::Uuid;
use virt::connect::Connect;
use virt::error::ErrorNumber;
use virt_sys::{VIR_NETWORK_XML_INACTIVE, VIR_STORAGE_XML_INACTIVE};

use crate::connection::QUICK;
use crate::domain::{Backing, Directory, observed_domain};
use crate::failure::{Absent, Failure};
use crate::firewall;
use crate::pool;
use crate::provider::LibvirtHost;
use crate::stamp::{self, Note, Place, Sealed};
use crate::xml::Element;

impl LibvirtHost {
    /// Everything on the host.
    pub(crate) async fn sweep(&self) -> Result<HostObservation, Failure> {
        let deployment = self.site.deployment;
        let call = self.host.call("observe", QUICK, move |connect| {
            let seals = seals(connect)?;
            let mut objects = Vec::new();
            pools(connect, &seals, &mut objects)?;
            guests(connect, &directory(connect, &seals, deployment)?, &mut objects)?;
            Ok((facts(connect)?, objects))
        });
        let (facts, mut objects) = call.await?;
        objects.sort_unstable_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        Ok(HostObservation {
            host: self.site.host.clone(),
            facts: Some(facts),
            objects,
            problems: Vec::new(),
        })
    }
}

/// The stamps of pools and volumes.
fn seals(connect: &Connect) -> Result<HashMap<Place, Sealed>, Failure> {
    let mut all = HashMap::new();
    for secret in connect.list_all_secrets(0)? {
        if let Some(sealed) = stamp::read(&secret)? {
            all.insert(sealed.place.clone(), sealed);
        }
    }
    Ok(all)
}

fn pools(
    connect: &Connect,
    seals: &HashMap<Place, Sealed>,
    objects: &mut Vec<ObservedObject>,
) -> Result<(), Failure> {
    for pool in connect.list_all_storage_pools(0)? {
        let Some(xml) = pool.get_xml_desc(VIR_STORAGE_XML_INACTIVE).or_absent()? else { continue };
        let sealed = seals.get(&Place::Pool(pool.get_name()?));
        let note = sealed.map(|sealed| sealed.note.clone());
        objects.push(pool::observed(&Element::parse(&xml)?, pool.get_uuid()?, note));
    }
    Ok(())
}

/// Where references in guests' definitions lead to: our volumes and networks.
fn directory(
    connect: &Connect,
    seals: &HashMap<Place, Sealed>,
    deployment: Uuid,
) -> Result<Directory, Failure> {
    let mut directory = Directory::default();
    let mut paths = HashMap::new();
    for pool in connect.list_all_storage_pools(0)? {
        let Some(xml) = pool.get_xml_desc(VIR_STORAGE_XML_INACTIVE).or_absent()? else { continue };
        let path = Element::parse(&xml)?.content_at("target/path").unwrap_or_default();
        paths.insert(pool.get_name()?, path);
    }
    for (place, sealed) in seals.iter().filter(|(_, own)| own.note.stamp.deployment == deployment) {
        let Place::Volume(pool, volume) = place else { continue };
        let address = sealed.note.stamp.address.clone();
        let inside = Backing::Volume { pool: pool.clone(), volume: volume.clone() };
        directory.add_backing(inside, address.clone());
        if let Some(path) = paths.get(pool) {
            let path = format!("{}/{volume}", path.trim_end_matches('/'));
            directory.add_backing(Backing::File(path.clone()), address.clone());
            directory.add_backing(Backing::Block(path), address);
        }
    }
    let filters = match connect.list_all_nw_filters(0) {
        Err(error) if error.code() == ErrorNumber::NoSupport => Vec::new(),
        other => other?,
    };
    for filter in filters {
        let name = filter.get_name()?;
        if name.starts_with(firewall::NIC)
            && let Some(xml) = filter.get_xml_desc(0).or_absent()?
        {
            directory.add_filter(name, Element::parse(&xml)?);
        }
    }
    for network in connect.list_all_networks(0)? {
        let xml = network.get_xml_desc(VIR_NETWORK_XML_INACTIVE).or_absent()?;
        let Some(note) =
            xml.map(|xml| Element::parse(&xml)).transpose()?.and_then(|own| Note::of(&own))
        else {
            continue;
        };
        if note.stamp.deployment == deployment {
            directory.add_network(note.stamp.address, network.get_name()?);
        }
    }
    Ok(directory)
}

fn guests(
    connect: &Connect,
    directory: &Directory,
    objects: &mut Vec<ObservedObject>,
) -> Result<(), Failure> {
    for domain in connect.list_all_domains(0)? {
        match observed_domain(domain, directory) {
            Ok(object) => objects.push(object),
            // It went away meanwhile.
            Err(failure) if failure.is(ErrorNumber::NoDomain) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// What the host has.
fn facts(connect: &Connect) -> Result<HostFacts, Failure> {
    let node = connect.get_node_info()?;
    let mut pools = Vec::new();
    for pool in connect.list_all_storage_pools(virt_sys::VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
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
        version: version(connect)?,
        pools,
    })
}

fn version(connect: &Connect) -> Result<String, Failure> {
    use crate::connection::dotted;
    let libvirt = dotted(connect.get_lib_version()?);
    let qemu = dotted(connect.get_hyp_version()?);
    Ok(format!("libvirt {libvirt}, QEMU {qemu}"))
}
