//! The sweep over everything on a host. It changes nothing, and refreshes no pool: a refresh would
//! look into every volume, also those that a guest is writing to.

use std::collections::HashMap;

use tcloud_model::{HostFacts, HostObservation, Name, ObservedObject, PoolFacts};
use virt::connect::Connect;
use virt_sys::VIR_STORAGE_XML_INACTIVE;

use crate::connection::QUICK;
use crate::failure::{Absent, Failure};
use crate::pool;
use crate::provider::LibvirtHost;
use crate::stamp::{self, Place, Sealed};
use crate::xml::Element;

impl LibvirtHost {
    /// Everything on the host.
    pub(crate) async fn sweep(&self) -> Result<HostObservation, Failure> {
        let call = self.host.call("observe", QUICK, |connect| {
            let seals = seals(connect)?;
            let mut objects = Vec::new();
            pools(connect, &seals, &mut objects)?;
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
