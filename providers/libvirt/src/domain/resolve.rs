//! What a guest's references lead to, asked of the host.

use tcloud_model::{Address, Identity};
use virt::network::Network;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;

use super::guest::Guest;
use super::{Backing, Directory, Format, Source};
use crate::failure::{Absent, Failure};
use crate::firewall;
use crate::site::Call;
use crate::stamp::{self, Note, Place, Sealed};
use crate::volume;
use crate::xml::Element;

impl Call<'_> {
    /// What an operation's attributes refer to.
    pub(super) fn referenced(
        &self,
        references: &[(Address, Identity)],
    ) -> Result<Directory, Failure> {
        let mut directory = Directory::default();
        for (address, identity) in references {
            match address.kind().as_str() {
                "volume" | "disk" => {
                    let sealed = stamp::sealed_as(self.connect, identity.uuid)?;
                    let Some(sealed) = sealed else { continue };
                    if let Some(source) = self.source(&sealed)? {
                        directory.add_volume(address.clone(), source);
                    }
                }
                "network" => {
                    let network = Network::lookup_by_uuid(self.connect, identity.uuid);
                    if let Some(network) = network.or_absent()? {
                        directory.add_network(address.clone(), network.get_name()?);
                    }
                }
                _ => {}
            }
        }
        Ok(directory)
    }

    /// What an operation's attributes refer to, and what a guest has already.
    pub(super) fn directory(
        &self,
        references: &[(Address, Identity)],
        guest: &Guest,
    ) -> Result<Directory, Failure> {
        self.completed(self.referenced(references)?, guest)
    }

    /// What is known already, and what a guest has besides.
    pub(super) fn completed(
        &self,
        mut directory: Directory,
        guest: &Guest,
    ) -> Result<Directory, Failure> {
        for domain in [&guest.live, &guest.persistent].into_iter().flatten() {
            let Some(devices) = domain.find("devices") else { continue };
            for backing in devices.elements("disk").flat_map(Backing::all_of) {
                if !directory.knows_volume(&backing) {
                    self.add_backing(&mut directory, backing)?;
                }
            }
            for name in firewall::own_names(domain) {
                if let Some(filter) = self.filter(&name)? {
                    directory.add_filter(name, filter);
                }
            }
            for nic in devices.elements("interface") {
                let name = nic.find("source").and_then(|source| source.get("network"));
                if let Some(name) = name.filter(|name| !directory.knows_network(name)) {
                    self.add_named_network(&mut directory, name)?;
                }
            }
        }
        Ok(directory)
    }

    fn add_backing(&self, directory: &mut Directory, backing: Backing) -> Result<(), Failure> {
        let mut base = None;
        let (pool, volume) = match &backing {
            Backing::Volume { pool, volume } => (pool.clone(), volume.clone()),
            Backing::File(path) | Backing::Block(path) => {
                let Some(volume) = StorageVol::lookup_by_path(self.connect, path).or_absent()?
                else {
                    return Ok(());
                };
                let xml = Element::parse(&volume.get_xml_desc(0)?)?;
                base = xml.content_at("backingStore/path").map(|base| (path.clone(), base));
                (StoragePool::lookup_by_volume(&volume)?.get_name()?, volume.get_name()?)
            }
        };
        let sealed = stamp::sealed_at(self.connect, &Place::Volume(pool, volume))?;
        let ours = sealed.filter(|own| own.note.stamp.deployment == self.site.deployment);
        if let Some(sealed) = ours
            && let Some(source) = self.source(&sealed)?
        {
            directory.add_volume(sealed.note.stamp.address, Source { backing, ..source });
        } else if let Some((path, base)) = base.filter(|(_, base)| !directory.has_layer(base)) {
            directory.add_layer(path, base.clone());
            self.add_backing(directory, Backing::File(base))?;
        }
        Ok(())
    }

    fn add_named_network(&self, directory: &mut Directory, name: &str) -> Result<(), Failure> {
        let Some(network) = Network::lookup_by_name(self.connect, name).or_absent()? else {
            return Ok(());
        };
        let xml = network.get_xml_desc(virt_sys::VIR_NETWORK_XML_INACTIVE)?;
        let note = Note::of(&Element::parse(&xml)?);
        if let Some(note) = note.filter(|own| own.stamp.deployment == self.site.deployment) {
            directory.add_network(note.stamp.address, name.to_owned());
        }
        Ok(())
    }

    /// A volume of ours, as guests are given it.
    fn source(&self, sealed: &Sealed) -> Result<Option<Source>, Failure> {
        let Place::Volume(pool, volume) = &sealed.place else { return Ok(None) };
        let Some(from) = StoragePool::lookup_by_name(self.connect, pool).or_absent()? else {
            return Ok(None);
        };
        let Some(own) = StorageVol::lookup_by_name(&from, volume).or_absent()? else {
            return Ok(None);
        };
        let xml = Element::parse(&own.get_xml_desc(0)?)?;
        let path = own.get_path()?;
        let backing = match xml.get("type") {
            Some("block") => Backing::Block(path),
            Some("network") => Backing::Volume { pool: pool.clone(), volume: volume.clone() },
            _ => Backing::File(path),
        };
        // What we made it as, if we did: a guest can write a header that makes libvirt, which looks
        // into volumes, believe something else.
        let kept = sealed.note.kept.text("format");
        let format = match kept.or(volume::probed_format(&xml)) {
            Some("qcow2") => Format::Qcow2,
            _ => Format::Raw,
        };
        Ok(Some(Source { backing, format }))
    }
}
