//! Making volumes: empty ones, copies of images; and growing them.

use tcloud_model::{AttrPath, Fields, Lack, Name, Operation, Stamp, Value};
use virt::domain::Domain;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt_sys::{VIR_DOMAIN_BLOCK_RESIZE_BYTES, VIR_DOMAIN_XML_INACTIVE};

use super::Found;
use super::read::{self, grain};
use crate::failure::{Absent, Failure, quoted};
use crate::image;
use crate::site::Call;
use crate::stamp::{self, Note, Place, Sealed};
use crate::users::User;
use crate::xml::Element;

/// What libvirt cannot remember about a volume, or must not be believed about it.
const KEPT: [&str; 5] = ["class", "encrypted", "format", "image", "size"];

/// Why no volume is encrypted, and what to do instead.
const UNENCRYPTED: &str = "libvirt would keep the key on the same host";
const INSTEAD: &str = "encrypt the disks below the pool, or in the guest";

/// What no host does for volumes.
pub(crate) fn lacks() -> Vec<Lack> {
    let lack = |kind| Lack {
        kind: Name::new(kind),
        attribute: Name::new("encrypted"),
        value: None,
        because: UNENCRYPTED.to_owned(),
        help: INSTEAD.to_owned(),
    };
    ["volume", "disk"].map(lack).to_vec()
}

impl Call<'_> {
    /// Takes the stamp off what could not be made. What is left of it and could not be deleted again
    /// stays known as unfinished. The failure before is the one to tell.
    pub(crate) fn unseal_unmade(&self, pool: &StoragePool, name: &str) {
        if let (Ok(None), Ok(pool_name)) =
            (StorageVol::lookup_by_name(pool, name).or_absent(), pool.get_name())
        {
            let _ = stamp::unseal(self.connect, &Place::Volume(pool_name, name.to_owned()));
        }
    }

    /// Makes a volume, or makes one of ours what it should be. A new one is given back as it is.
    pub(super) fn create_volume(
        &self,
        operation: &Operation,
        attributes: &Fields,
        stamp: &Stamp,
    ) -> Result<Option<Found>, Failure> {
        let identity = &operation.identity;
        if stamp::sealed_as(self.connect, identity.uuid)?.is_some()
            && let Some(found) = self.find_volume(identity)?
        {
            self.site.check_ours(&operation.kind, &found.name, found.stamp())?;
            if found.sealed.as_ref().is_some_and(|sealed| !sealed.note.unfinished) {
                self.change_volume(&found, attributes, None, stamp)?;
                return Ok(None);
            }
            // It broke off: there is nothing in it that anybody could want.
            found.volume.delete(0)?;
        }
        let pool = self.pool_for(operation, attributes)?;
        let pool_name = pool.get_name()?;
        let _guard = self.site.guards.shared(&format!("pool/{pool_name}"));
        let place = Place::Volume(pool_name.clone(), identity.name.to_string());
        if StorageVol::lookup_by_name(&pool, &identity.name).or_absent()?.is_some() {
            let other = stamp::sealed_at(self.connect, &place)?;
            let stamp = other.as_ref().map(|sealed| &sealed.note.stamp);
            return self.site.taken(&operation.kind, &identity.name, stamp);
        }
        let plan = self.plan_volume(operation, attributes, &pool)?;
        let mut note = Note::new(stamp, keep(attributes));
        note.unfinished = true;
        stamp::seal(self.connect, identity.uuid, &place, &note)?;
        let made = plan.carry_out(&pool, &identity.name);
        let volume = made.inspect_err(|_| self.unseal_unmade(&pool, &identity.name))?;
        note.unfinished = false;
        stamp::seal_again(self.connect, identity.uuid, &place, &note)?;
        Ok(Some(Found {
            xml: Element::parse(&volume.get_xml_desc(0)?)?,
            volume,
            name: identity.name.to_string(),
            pool_name,
            pool_uuid: pool.get_uuid()?,
            sealed: Some(Sealed { uuid: identity.uuid, place, note }),
        }))
    }

    /// What has to be done for a new volume.
    fn plan_volume(
        &self,
        operation: &Operation,
        attributes: &Fields,
        pool: &StoragePool,
    ) -> Result<Plan, Failure> {
        let own = &operation.object.address;
        if attributes.flag("encrypted") == Some(true) {
            return Failure::refused(format!(
                "{own} cannot be encrypted: {UNENCRYPTED}; {INSTEAD}"
            ));
        }
        let kind = Element::parse(&pool.get_xml_desc(0)?)?;
        let in_files = matches!(kind.get("type"), Some("dir" | "fs" | "netfs"));
        let format = attributes.text("format").unwrap_or("qcow2");
        if !in_files && format != "raw" {
            return Failure::refused(format!(
                "pool {} holds no files, so {own} needs format = \"raw\"",
                quoted(&pool.get_name()?)
            ));
        }
        let source = match attributes.get("image") {
            Some(Value::Ref(address)) => {
                let identity = self.referenced_identity(operation, address);
                let found = identity.map(|identity| self.find_volume(identity)).transpose()?;
                match found.flatten() {
                    Some(found) => Some(found),
                    None => {
                        return Failure::refused(format!(
                            "{address} is needed by {own} and is not on {}",
                            self.site.host
                        ));
                    }
                }
            }
            _ => None,
        };
        let filled = source.as_ref().map(|found| read::capacity(&found.xml));
        let size = match (attributes.number("size"), filled) {
            (Some(size), Some(filled)) if size < filled => {
                return Failure::refused(format!(
                    "{own} has {size} bytes, and its image needs {filled}"
                ));
            }
            (Some(size), _) => size,
            (None, Some(filled)) => filled,
            (None, None) => return Failure::refused(format!("{own} needs a size")),
        };
        let sparse = in_files || kind.get("type") == Some("rbd");
        Ok(Plan { size, format: format.to_owned(), sparse, source })
    }

    /// Changes a volume in place: it grows, or only its stamp is new.
    pub(super) fn change_volume(
        &self,
        found: &Found,
        attributes: &Fields,
        changed: Option<&[AttrPath]>,
        stamp: &Stamp,
    ) -> Result<(), Failure> {
        let Some(sealed) = &found.sealed else {
            return self.site.missing("volume", &found.name);
        };
        self.check_same_volume(found, attributes, changed)?;
        if let Some(size) = attributes.number("size") {
            self.grow(found, size)?;
        }
        let note = Note::new(stamp, keep(attributes));
        if sealed.note != note {
            stamp::seal(self.connect, sealed.uuid, &found.place(), &note)?;
        }
        Ok(())
    }

    /// Refuses what would need the volume to be made anew: among what is said to change, or among
    /// what is known about one that is there already.
    fn check_same_volume(
        &self,
        found: &Found,
        attributes: &Fields,
        changed: Option<&[AttrPath]>,
    ) -> Result<(), Failure> {
        let home = self.home(found)?;
        let now = super::observed(&found.xml, &home, found.sealed.as_ref(), self.site.deployment);
        let now = now.map(|object| object.attributes).unwrap_or_default();
        for name in ["pool", "class", "image", "format", "encrypted"] {
            let asked = attributes.get(name).filter(|value| **value != Value::None);
            let is_meant = match changed {
                Some(paths) => {
                    paths.iter().any(|path| path.first().is_some_and(|own| *own == name))
                }
                None => asked.is_some() && now.get(name).is_some(),
            };
            if is_meant && now.get(name) != asked {
                return Failure::refused(format!(
                    "the {name} of a volume cannot change: it has to be made anew"
                ));
            }
        }
        Ok(())
    }

    fn grow(&self, found: &Found, size: u64) -> Result<(), Failure> {
        let now = read::size(&found.xml, found.sealed.as_ref());
        let grain = grain(&found.xml);
        if size < now && now - size >= grain {
            return Failure::refused(format!(
                "volume {} has {now} bytes and cannot shrink to {size}",
                quoted(&found.name)
            ));
        }
        if size <= now {
            return Ok(());
        }
        let kept = found.sealed.as_ref().and_then(|sealed| sealed.note.kept.text("format"));
        let probed = read::probed_format(&found.xml);
        if let (Some(kept), Some(probed)) = (kept, probed)
            && kept != probed
        {
            return Failure::refused(format!(
                "volume {} is {kept}, but its guest made it look like {probed}: it is not resized",
                quoted(&found.name)
            ));
        }
        if let Some(hold) = read::fixed(&found.xml) {
            return Failure::refused(format!("{}: {}", hold.because, hold.help));
        }
        match self.guest_to_grow(found)? {
            Some((domain, target)) => {
                domain.block_resize(&target, size, VIR_DOMAIN_BLOCK_RESIZE_BYTES)?;
            }
            None => {
                found.volume.resize(size, 0)?;
            }
        }
        Ok(())
    }

    /// The running guest that has to be told when a volume grows, with the disk's target there.
    /// Refuses where others would notice, or it would not be this volume that grows.
    fn guest_to_grow(&self, found: &Found) -> Result<Option<(Domain, String)>, Failure> {
        let refuse = |why: String| {
            Failure::refused(format!("volume {} does not grow: {why}", quoted(&found.name)))
        };
        let mut grows: Option<(Domain, String)> = None;
        self.site.users.forget();
        for user in self.users(&found.volume.get_path()?, &found.pool_name, &found.name)? {
            let told = user.told();
            let User::Guest { name, running, beneath } = user else {
                return refuse(format!("it is used by {told}"));
            };
            if beneath {
                return refuse(format!(
                    "{told} has a snapshot or a copy of it. Commit the snapshot first: virsh \
                     blockcommit {} TARGET --active --pivot",
                    quoted(&name)
                ));
            }
            let Some(domain) = Domain::lookup_by_name(self.connect, &name).or_absent()? else {
                continue;
            };
            let Some(target) = running else {
                if !domain.is_active()? && domain.has_managed_save(0)? {
                    return refuse(format!(
                        "the memory of {told} is saved. Start it (virsh start {name}), or give its \
                         memory up (virsh managedsave-remove {name})",
                        name = quoted(&name)
                    ));
                }
                continue;
            };
            let persistent = domain.is_persistent()?;
            let flags = if persistent { VIR_DOMAIN_XML_INACTIVE } else { 0 };
            let note = Note::of(&Element::parse(&domain.get_xml_desc(flags)?)?);
            self.site.check_ours("vm", &name, note.as_ref().map(|note| &note.stamp))?;
            if let Some((other, _)) = &grows {
                return refuse(format!(
                    "{told} and guest {} run with it, and only one of them can be told: stop one",
                    quoted(&other.get_name()?)
                ));
            }
            grows = Some((domain, target));
        }
        Ok(grows)
    }
}

/// A volume that is to be made.
struct Plan {
    size: u64,
    format: String,
    sparse: bool,
    source: Option<Found>,
}

impl Plan {
    fn carry_out(&self, pool: &StoragePool, name: &str) -> Result<StorageVol, Failure> {
        let Plan { size, format, sparse, source } = self;
        let allocation = if *sparse { 0 } else { *size };
        let xml = definition(name, *size, allocation, format).write()?;
        let volume = match source {
            Some(source) => {
                image::check_copied(source)?;
                StorageVol::create_xml_from(pool, &xml, &source.volume, 0)?
            }
            None => StorageVol::create_xml(pool, &xml, 0)?,
        };
        // A copy is as large as what it was made from.
        let grown = match source {
            Some(_) => volume.get_info().and_then(|info| match info.capacity < *size {
                true => volume.resize(*size, 0).map(|_| ()),
                false => Ok(()),
            }),
            None => Ok(()),
        };
        // What is left of it is in nobody's way, but should not stay. It is this one, whatever else
        // may have its name by now.
        grown.inspect_err(|_| drop(volume.delete(0)))?;
        Ok(volume)
    }
}

/// A volume in libvirt's words.
pub(crate) fn definition(name: &str, size: u64, allocation: u64, format: &str) -> Element {
    let bytes = |name: &str, bytes: u64| Element::new(name).attr("unit", "bytes").text(bytes);
    Element::new("volume")
        .child(Element::new("name").text(name))
        .child(bytes("capacity", size))
        .child(bytes("allocation", allocation))
        .child(Element::new("target").child(Element::new("format").attr("type", format)))
}

fn keep(attributes: &Fields) -> Fields {
    let kept = attributes
        .iter()
        .filter(|(name, value)| KEPT.contains(&name.as_str()) && **value != Value::None);
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}
