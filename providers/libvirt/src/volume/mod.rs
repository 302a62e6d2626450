//! Volumes, and the disks of guests: the same for libvirt. A volume is stamped before it is made,
//! and its stamp says "unfinished" until it is complete; what broke off is made anew.
//!
//! The modules stand in reading order:
//!
//! * `find` – the volume of an identity, and its pool.
//! * `make` – empty ones, copies of images, and growing.
//! * `read` – attributes from a definition ([`observed`]).

mod find;
mod make;
mod read;

use tcloud_model::{ObservedObject, Operation, OperationKind};

use crate::failure::{Failure, quoted};
use crate::site::Call;
use crate::stamp::{self, Note, Place, Sealed};

pub(crate) use find::{Found, of_key};
pub(crate) use make::{definition, lacks};
pub(crate) use read::{Home, Owner, left, observed, probed_format, remembered};

impl Call<'_> {
    /// Carries out an operation on a volume.
    pub(crate) fn apply_volume(
        &self,
        operation: &Operation,
    ) -> Result<Option<ObservedObject>, Failure> {
        let identity = &operation.identity;
        match &operation.action {
            OperationKind::Create { attributes, stamp } => {
                if let Some(new) = self.create_volume(operation, attributes, stamp)? {
                    return self.shown_volume(&new);
                }
            }
            OperationKind::Update { attributes, changed, stamp, .. } => {
                let found = self.own_volume(operation)?;
                self.change_volume(&found, attributes, Some(changed), stamp)?;
            }
            OperationKind::Delete => self.delete_volume(operation)?,
            OperationKind::Stamp { stamp, adopt } => {
                let Some(found) = self.find_volume(identity)? else {
                    return self.site.missing(&operation.kind, &identity.name);
                };
                let old = found.stamp();
                match adopt {
                    true => self.site.check_adoptable(&operation.kind, &found.name, old)?,
                    false => self.site.check_ours(&operation.kind, &found.name, old)?,
                }
                let kept = found.sealed.as_ref().map(|sealed| sealed.note.kept.clone());
                let note = Note::new(stamp, kept.unwrap_or_else(|| read::kept_of(&found)));
                stamp::seal(self.connect, identity.uuid, &found.place(), &note)?;
            }
            OperationKind::Unstamp => {
                if let Some(found) = self.find_volume(identity)?
                    && found.sealed.is_some()
                {
                    let found = self.own_volume(operation)?;
                    stamp::unseal(self.connect, &found.place())?;
                }
            }
            OperationKind::Migrate { .. } => {
                return Failure::refused("a volume moves with its guest only");
            }
        }
        self.look_volume(operation)
    }

    /// A volume as it is now.
    pub(crate) fn look_volume(
        &self,
        operation: &Operation,
    ) -> Result<Option<ObservedObject>, Failure> {
        match self.find_volume(&operation.identity)? {
            Some(found) => self.shown_volume(&found),
            None => Ok(None),
        }
    }

    fn shown_volume(&self, found: &Found) -> Result<Option<ObservedObject>, Failure> {
        let home = self.home(found)?;
        let seen = observed(&found.xml, &home, found.sealed.as_ref(), self.site.deployment);
        Ok(seen.filter(|own| !own.is_unfinished()))
    }

    /// The volume of an operation, which has to be there and ours.
    fn own_volume(&self, operation: &Operation) -> Result<Found, Failure> {
        let Some(found) = self.find_volume(&operation.identity)? else {
            return self.site.missing(&operation.kind, &operation.identity.name);
        };
        self.site.check_ours(&operation.kind, &found.name, found.stamp())?;
        Ok(found)
    }

    fn delete_volume(&self, operation: &Operation) -> Result<(), Failure> {
        if self.find_volume(&operation.identity)?.is_none() {
            // Its stamp may have been left over.
            return match stamp::sealed_as(self.connect, operation.identity.uuid)? {
                Some(Sealed { place, note, .. }) => {
                    self.site.check_ours(
                        &operation.kind,
                        &operation.identity.name,
                        Some(&note.stamp),
                    )?;
                    stamp::unseal(self.connect, &place)
                }
                None => Ok(()),
            };
        }
        let found = self.own_volume(operation)?;
        let path = found.volume.get_path();
        let path = path.map_err(|error| Failure::from(error).in_pool(&found.pool_name))?;
        if let Some(user) = self.users(&path, &found.pool_name, &found.name)?.first() {
            return Failure::refused(format!(
                "{} {} is used by {}: it is not deleted under it",
                operation.kind,
                quoted(&found.name),
                user.told()
            ));
        }
        let _guard = self.site.guards.shared(&format!("pool/{}", found.pool_name));
        found.volume.delete(0)?;
        stamp::unseal(self.connect, &found.place())
    }
}

impl Found {
    fn place(&self) -> Place {
        Place::Volume(self.pool_name.clone(), self.name.clone())
    }

    fn stamp(&self) -> Option<&tcloud_model::Stamp> {
        self.sealed.as_ref().map(|sealed| &sealed.note.stamp)
    }
}
