//! The volume of an identity, and its pool.

use tcloud_model::{Address, Fields, Identity, Operation, Value};
use uuid::Uuid;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt_sys::{VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, VIR_STORAGE_POOL_CREATE_NORMAL};

use super::{Home, Owner};
use crate::failure::{Absent, Failure, quoted};
use crate::image;
use crate::site::Call;
use crate::stamp::{self, Place, Sealed};
use crate::xml::Element;

/// A volume that is there.
pub(crate) struct Found {
    pub(crate) volume: StorageVol,
    pub(crate) name: String,
    pub(crate) pool_name: String,
    pub(crate) pool_uuid: Uuid,
    pub(crate) xml: Element,
    pub(crate) sealed: Option<Sealed>,
}

/// The UUID that a volume without a stamp is called by: libvirt gives it none.
pub(crate) fn of_key(pool: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&pool, name.as_bytes())
}

impl Call<'_> {
    /// The volume of an identity: the one that is stamped with it, or one without a stamp that is
    /// called so.
    pub(crate) fn find_volume(&self, identity: &Identity) -> Result<Option<Found>, Failure> {
        if let Some(sealed) = stamp::sealed_as(self.connect, identity.uuid)? {
            let Place::Volume(pool, name) = &sealed.place else { return Ok(None) };
            let Some(pool) = StoragePool::lookup_by_name(self.connect, pool).or_absent()? else {
                return Ok(None);
            };
            let name = name.clone();
            return self.volume_in(&pool, &name, Some(sealed));
        }
        let mut found = Vec::new();
        for pool in self.connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
            let Some(own) = self.volume_in(&pool, &identity.name, None)? else { continue };
            let sealed = stamp::sealed_at(
                self.connect,
                &Place::Volume(own.pool_name.clone(), own.name.clone()),
            )?;
            if sealed.is_some() {
                continue;
            }
            if of_key(own.pool_uuid, &own.name) == identity.uuid {
                return Ok(Some(own));
            }
            found.push(own);
        }
        match (found.pop(), found.pop()) {
            (Some(first), Some(second)) => Failure::refused(format!(
                "there are several volumes {}, in the pools {} and {}",
                quoted(&identity.name),
                quoted(&first.pool_name),
                quoted(&second.pool_name)
            )),
            (found, _) => Ok(found),
        }
    }

    fn volume_in(
        &self,
        pool: &StoragePool,
        name: &str,
        sealed: Option<Sealed>,
    ) -> Result<Option<Found>, Failure> {
        let Some(mut active) = pool.is_active().or_absent()? else { return Ok(None) };
        if !active && sealed.is_some() && pool.get_name()? == image::POOL {
            // It is nobody's but ours, so nobody else would start it.
            self.side_pool(image::POOL)?;
            active = pool.is_active()?;
        }
        let pool_name = pool.get_name()?;
        if !active {
            let message = format!("pool {} does not run", quoted(&pool_name));
            return if sealed.is_some() { Err(Failure::Away(message)) } else { Ok(None) };
        }
        let found = match described(pool, name).map_err(|failure| failure.in_pool(&pool_name)) {
            // Somebody has taken the pool down in which it was only looked for.
            Err(Failure::Away(_)) if sealed.is_none() => None,
            found => found?,
        };
        let Some((volume, xml)) = found else { return Ok(None) };
        Ok(Some(Found {
            volume,
            name: name.to_owned(),
            pool_name,
            pool_uuid: pool.get_uuid()?,
            xml: Element::parse(&xml)?,
            sealed,
        }))
    }

    /// The pool that a volume lies in, as its attributes name it.
    pub(crate) fn home(&self, found: &Found) -> Result<Home, Failure> {
        let place = Place::Pool(found.pool_name.clone());
        let sealed = stamp::sealed_at(self.connect, &place)?;
        Ok(Home {
            name: found.pool_name.clone(),
            uuid: found.pool_uuid,
            owner: sealed.map_or(Owner::Nobody, |sealed| Owner::Stamped(sealed.note.stamp)),
        })
    }

    /// The pool that a new volume goes into, started.
    pub(super) fn pool_for(
        &self,
        operation: &Operation,
        attributes: &Fields,
    ) -> Result<StoragePool, Failure> {
        let Some(Value::Ref(address)) = attributes.get("pool") else {
            return Failure::refused(format!("{} needs a pool", operation.object.address));
        };
        let pool = match self.referenced_identity(operation, address) {
            Some(identity) => {
                StoragePool::lookup_by_uuid(self.connect, identity.uuid).or_absent()?
            }
            None => None,
        };
        let Some(pool) = pool else {
            return Failure::refused(format!(
                "{address} is needed by {} and is not on {}",
                operation.object.address, self.site.host
            ));
        };
        if !pool.is_active()? {
            pool.create(VIR_STORAGE_POOL_CREATE_NORMAL)?;
        }
        Ok(pool)
    }

    /// How the host knows what an operation refers to.
    pub(super) fn referenced_identity<'o>(
        &self,
        operation: &'o Operation,
        address: &Address,
    ) -> Option<&'o Identity> {
        let mut all = operation.references.iter();
        all.find(|(own, _)| own == address).map(|(_, identity)| identity)
    }
}

/// A volume of a pool that runs, and its definition.
fn described(pool: &StoragePool, name: &str) -> Result<Option<(StorageVol, String)>, Failure> {
    let Some(volume) = StorageVol::lookup_by_name(pool, name).or_absent()? else {
        return Ok(None);
    };
    Ok(volume.get_xml_desc(0).or_absent()?.map(|xml| (volume, xml)))
}
