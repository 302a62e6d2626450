//! The medium that a new guest reads its first settings from, as a volume on the host. It belongs to
//! its guest: it is made before it, and goes with it. It carries no stamp; its name says whose it is.

use std::net::IpAddr;

use tcloud_model::{Fields, Identity, Operation, Value};
use virt::network::Network;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt::stream::Stream;
use virt_sys::VIR_NETWORK_XML_INACTIVE;

use super::{Backing, Directory, Format, Source};
use crate::failure::{Absent, Failure};
use crate::seed::{self, Seed, SeedNic};
use crate::site::Call;
use crate::xml::Element;

/// The pool that they lie in. It is there as long as there is one.
pub(crate) const POOL: &str = "tcloud-seeds";

impl Call<'_> {
    /// Makes the seed of a new guest, if there is something to say to it.
    pub(super) fn make_seed(
        &self,
        operation: &Operation,
        attributes: &Fields,
        directory: &Directory,
    ) -> Result<Option<Source>, Failure> {
        let nics = self.seed_nics(attributes, directory)?;
        let seed = Seed::of(&operation.identity, attributes, &nics);
        let Some(seed) = seed.map_err(|error| Failure::Refused(error.to_string()))? else {
            return Ok(None);
        };
        let (name, image) = (seed::volume(&operation.identity), seed.image());
        let _guard = self.site.guards.shared(&format!("pool/{POOL}"));
        let pool = self.side_pool(POOL)?;
        // Its making may have been cut short, with other words in it.
        delete_from(&pool, &operation.identity)?;
        let size = |name: &str| Element::new(name).attr("unit", "bytes").text(image.len());
        let format = Element::new("format").attr("type", "raw");
        let mode = Element::new("permissions").child(Element::new("mode").text("0600"));
        let xml = Element::new("volume")
            .child(Element::new("name").text(&name))
            .child(size("capacity"))
            .child(size("allocation"))
            .child(Element::new("target").child(format).child(mode));
        let volume = StorageVol::create_xml(&pool, &xml.write()?, 0);
        let volume = volume.map_err(|error| Failure::from(error).in_pool(POOL))?;
        self.upload(&volume, &image)?;
        Ok(Some(Source { backing: Backing::File(volume.get_path()?), format: Format::Raw }))
    }

    fn upload(&self, volume: &StorageVol, image: &[u8]) -> Result<(), Failure> {
        let stream = Stream::new(self.connect, 0)?;
        let length = u64::try_from(image.len()).unwrap_or(u64::MAX);
        volume.upload(&stream, 0, length, 0)?;
        let mut rest = image;
        while !rest.is_empty() {
            // libvirt takes so much at once.
            let part = &rest[..rest.len().min(64 << 10)];
            match stream.send(part) {
                Ok(sent) => rest = &rest[sent.min(part.len())..],
                Err(error) => {
                    // The first error is the one that says what is wrong.
                    let _ = stream.abort();
                    return Err(error.into());
                }
            }
        }
        stream.finish()?;
        Ok(())
    }

    /// Deletes the seed of a guest. The pool goes with the last one in it.
    pub(super) fn delete_seed(&self, guest: &Identity) -> Result<(), Failure> {
        let guard = self.site.guards.shared(&format!("pool/{POOL}"));
        let Some(pool) = StoragePool::lookup_by_name(self.connect, POOL).or_absent()? else {
            return Ok(());
        };
        if !pool.is_active()? {
            return Ok(());
        }
        delete_from(&pool, guest)?;
        drop(guard);
        self.remove_side_pool(POOL)
    }

    fn seed_nics(
        &self,
        attributes: &Fields,
        directory: &Directory,
    ) -> Result<Vec<SeedNic>, Failure> {
        let mut nics = Vec::new();
        let Some(all) = attributes.map("nic") else { return Ok(nics) };
        for (label, nic) in all.iter() {
            let Value::Map(nic) = nic else { continue };
            let Some(Value::Mac(mac)) = nic.get("mac") else { continue };
            let address = match nic.get("address") {
                Some(Value::Ip(address)) => Some(*address),
                _ => None,
            };
            let name = nic.get("network").and_then(|network| directory.network(network));
            let plan = match name {
                Some(name) => self.addressing(name, address)?,
                None => Addressing::default(),
            };
            let own = address.zip(plan.prefix).filter(|_| !plan.dhcp);
            nics.push(SeedNic {
                label: label.clone(),
                mac: *mac,
                address: own,
                gateway: plan.gateway,
                dns: plan.gateway.into_iter().collect(),
            });
        }
        Ok(nics)
    }

    /// What a network says of the addresses in it.
    fn addressing(&self, network: &str, own: Option<IpAddr>) -> Result<Addressing, Failure> {
        let Some(network) = Network::lookup_by_name(self.connect, network).or_absent()? else {
            return Ok(Addressing::default());
        };
        let xml = Element::parse(&network.get_xml_desc(VIR_NETWORK_XML_INACTIVE)?)?;
        Ok(Addressing::of(&xml, own))
    }
}

/// Deletes the seed of a guest from its pool.
fn delete_from(pool: &StoragePool, guest: &Identity) -> Result<(), Failure> {
    let all = pool.list_all_volumes(0).map_err(|error| Failure::from(error).in_pool(POOL))?;
    for volume in all {
        if seed::is_of(guest, &volume.get_name()?) {
            volume.delete(0)?;
        }
    }
    Ok(())
}

/// How guests of a network come to their addresses.
#[derive(Debug, Default, PartialEq)]
struct Addressing {
    dhcp: bool,
    prefix: Option<u8>,
    gateway: Option<IpAddr>,
}

impl Addressing {
    fn of(network: &Element, own: Option<IpAddr>) -> Addressing {
        let is_six = own.is_some_and(|own| own.is_ipv6());
        let family = |ip: &&Element| (ip.get("family") == Some("ipv6")) == is_six;
        let note = crate::stamp::Note::of(network).map(|note| note.kept).unwrap_or_default();
        let kept = match note.get(if is_six { "cidr6" } else { "cidr" }) {
            Some(Value::Cidr(cidr)) => Some(cidr.prefix_len()),
            _ => None,
        };
        let Some(ip) = network.elements("ip").find(family) else {
            let gateway = match note.get("gateway") {
                Some(Value::Ip(gateway)) => Some(*gateway),
                _ => None,
            };
            return Addressing { dhcp: false, prefix: kept, gateway };
        };
        let length = crate::network::prefix(ip);
        // An isolated network leads nowhere.
        let leads = network.find("forward").is_some();
        let gateway = ip.get("address").and_then(|own| own.parse().ok()).filter(|_| leads);
        Addressing { dhcp: ip.find("dhcp").is_some(), prefix: length.or(kept), gateway }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_say_how_addresses_are_given() {
        let of = |xml: &str| Addressing::of(&Element::parse(xml).expect(xml), None);
        let nat = "<network><forward mode='nat'/><ip address='10.0.0.1' netmask='255.255.255.0'>\
                   <dhcp/></ip></network>";
        let gateway = "10.0.0.1".parse().ok();
        assert_eq!(of(nat), Addressing { dhcp: true, prefix: Some(24), gateway });
        let isolated = "<network><ip address='10.0.0.1' prefix='20'/></network>";
        assert_eq!(of(isolated), Addressing { dhcp: false, prefix: Some(20), gateway: None });
        assert_eq!(of("<network><bridge name='br0'/></network>"), Addressing::default());
        let holes = "<network><ip address='10.0.0.1' netmask='255.0.255.0'/></network>";
        assert_eq!(of(holes).prefix, None, "that is no mask");
    }
}
