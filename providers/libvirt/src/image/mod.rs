//! Images: fetched, verified, checked, and uploaded into a pool of their own. Disks are full copies
//! of them, so an image can go while its disks stay.
//!
//! The modules stand in reading order:
//!
//! * `fetch` – from a file or over https, with a digest ([`Sources`]).
//! * `header` – what an image file says about itself.

mod fetch;
mod header;
#[cfg(test)]
mod redirect;

use std::fs::File;
use std::io::{Read as _, Seek as _};

use tcloud_model::{Fields, Identity, ObservedObject, Operation, OperationKind, Stamp, Value};
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt::stream::Stream;

use crate::failure::{Absent, Failure, quoted};
use crate::site::Call;
use crate::stamp::{self, Note, Place};
use crate::volume::{self, Found};

pub(crate) use fetch::Sources;
use fetch::{Expected, Hashing};

/// The pool of images. It is there as long as there is one.
pub(crate) const POOL: &str = "tcloud-images";

/// libvirt takes so much of a stream at once.
const PART: usize = 256 << 10;

impl Call<'_> {
    /// Carries out an operation on an image.
    pub(crate) fn apply_image(
        &self,
        operation: &Operation,
    ) -> Result<Option<ObservedObject>, Failure> {
        match &operation.action {
            OperationKind::Create { attributes, stamp } => {
                self.create_image(operation, attributes, stamp)?;
            }
            OperationKind::Update { attributes, stamp, .. } => {
                let Some(found) = self.find_volume(&operation.identity)? else {
                    return self.site.missing("image", &operation.identity.name);
                };
                self.change_image(&found, attributes, stamp)?;
            }
            OperationKind::Delete => {
                self.apply_volume(operation)?;
                self.remove_side_pool(POOL)?;
            }
            OperationKind::Stamp { .. }
            | OperationKind::Unstamp
            | OperationKind::Migrate { .. } => {
                return self.apply_volume(operation);
            }
        }
        self.look_volume(operation)
    }

    fn create_image(
        &self,
        operation: &Operation,
        attributes: &Fields,
        stamp: &Stamp,
    ) -> Result<(), Failure> {
        let identity = &operation.identity;
        if stamp::sealed_as(self.connect, identity.uuid)?.is_some()
            && let Some(found) = self.find_volume(identity)?
        {
            if found.sealed.as_ref().is_some_and(|sealed| !sealed.note.unfinished) {
                return self.change_image(&found, attributes, stamp);
            }
            let old = found.sealed.as_ref().map(|sealed| &sealed.note.stamp);
            self.site.check_ours("image", &found.name, old)?;
            found.volume.delete(0)?;
        }
        let place = Place::Volume(POOL.to_owned(), identity.name.to_string());
        self.check_image_name(identity, &place)?;
        let (source, digest) = (attributes.text("source"), attributes.text("digest"));
        let expected = Expected::parse(digest.unwrap_or_default())?;
        let source = source.unwrap_or_default();
        let file = fetch::fetch(source, &expected, &self.site.directory, self.site.sources)?;
        let format = attributes.text("format").unwrap_or("qcow2");
        let wrong = |what: String| Failure::Refused(format!("image {}: {what}", quoted(source)));
        let header = header::check(&file, format).map_err(wrong)?;
        if let Some(fits) = attributes.number("min_disk")
            && header.virtual_size > fits
        {
            return Failure::refused(format!(
                "image {} needs {} bytes, and its min_disk says {fits}",
                quoted(source),
                header.virtual_size
            ));
        }
        let _guard = self.site.guards.shared(&format!("pool/{POOL}"));
        let pool = self.side_pool(POOL)?;
        let mut note = Note::new(stamp, attributes.clone());
        note.unfinished = true;
        stamp::seal(self.connect, identity.uuid, &place, &note)?;
        let made =
            self.upload_image(&pool, identity, &file, header.virtual_size, format, &expected);
        if let Err(failure) = made {
            self.unseal_unmade(&pool, &identity.name);
            return Err(failure);
        }
        note.unfinished = false;
        stamp::seal(self.connect, identity.uuid, &place, &note)
    }

    fn check_image_name(&self, identity: &Identity, place: &Place) -> Result<(), Failure> {
        let Some(pool) = StoragePool::lookup_by_name(self.connect, POOL).or_absent()? else {
            return Ok(());
        };
        if pool.is_active().or_absent()? != Some(true) {
            return Ok(());
        }
        let found = StorageVol::lookup_by_name(&pool, &identity.name).or_absent();
        if found.map_err(|failure| failure.in_pool(POOL))?.is_none() {
            return Ok(());
        }
        let other = stamp::sealed_at(self.connect, place)?;
        self.site.taken("image", &identity.name, other.as_ref().map(|own| &own.note.stamp))
    }

    /// What an image is made of cannot change; what is said about it can.
    fn change_image(
        &self,
        found: &Found,
        attributes: &Fields,
        stamp: &Stamp,
    ) -> Result<(), Failure> {
        let old = found.sealed.as_ref().map(|sealed| &sealed.note.stamp);
        self.site.check_ours("image", &found.name, old)?;
        let Some(sealed) = &found.sealed else { return Ok(()) };
        for name in ["source", "digest", "format"] {
            let set =
                |fields: &Fields| fields.get(name).filter(|own| **own != Value::None).cloned();
            let (now, asked) = (set(&sealed.note.kept), set(attributes));
            if now.is_some() && now != asked {
                return Failure::refused(format!(
                    "the {name} of an image cannot change: it has to be made anew"
                ));
            }
        }
        let note = Note::new(stamp, attributes.clone());
        if sealed.note != note {
            let place = Place::Volume(found.pool_name.clone(), found.name.clone());
            stamp::seal(self.connect, sealed.uuid, &place, &note)?;
        }
        Ok(())
    }

    fn upload_image(
        &self,
        pool: &StoragePool,
        identity: &Identity,
        file: &File,
        virtual_size: u64,
        format: &str,
        expected: &Expected,
    ) -> Result<(), Failure> {
        let xml = volume::definition(&identity.name, virtual_size, 0, format).write()?;
        let volume = StorageVol::create_xml(pool, &xml, 0);
        let volume = volume.map_err(|error| Failure::from(error).in_pool(POOL))?;
        // What we made ourselves goes again when it cannot be filled, and nothing else of its name.
        self.fill_image(&volume, file, expected).inspect_err(|_| drop(volume.delete(0)))
    }

    fn fill_image(
        &self,
        volume: &StorageVol,
        mut file: &File,
        expected: &Expected,
    ) -> Result<(), Failure> {
        let trouble = |error: std::io::Error| Failure::Away(format!("an image: {error}"));
        let length = file.metadata().map_err(trouble)?.len();
        let stream = Stream::new(self.connect, 0)?;
        volume.upload(&stream, 0, length, 0)?;
        file.rewind().map_err(trouble)?;
        // Hashed again while it goes: a file of this machine may have changed meanwhile.
        let mut from = Hashing::new(file, expected);
        let mut buffer = vec![0; PART];
        loop {
            let read = from.read(&mut buffer).map_err(trouble)?;
            if read == 0 {
                break;
            }
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                match stream.send(rest) {
                    Ok(sent) => rest = &rest[sent.min(rest.len())..],
                    Err(error) => {
                        // The first error is the one that says what is wrong.
                        let _ = stream.abort();
                        return Err(error.into());
                    }
                }
            }
        }
        stream.finish()?;
        from.check(expected, "an image, when it was read again,")
    }
}

/// Makes sure that libvirt reads an image as what it was checked to be: it looks into files when a
/// pool is started, and would follow what a header says.
pub(crate) fn check_copied(image: &Found) -> Result<(), Failure> {
    let kept =
        image.sealed.as_ref().and_then(|own| own.note.kept.text("format")).unwrap_or("qcow2");
    let probed = volume::probed_format(&image.xml);
    let refers = image.xml.find("backingStore/path").is_some();
    if probed == Some(kept) && !refers {
        return Ok(());
    }
    Failure::refused(format!(
        "image {} was fetched as {kept}, and is {} now: it is not copied",
        quoted(&image.name),
        probed.unwrap_or("something else")
    ))
}
