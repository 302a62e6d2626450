//! Pools of our own that no text declares: for images, and for the first settings of guests. One is
//! made when it is needed and goes with the last volume in it.

use virt::storage_pool::StoragePool;
use virt_sys::VIR_STORAGE_POOL_CREATE_NORMAL;

use crate::failure::{Absent, Failure};
use crate::site::Call;
use crate::xml::Element;

/// What such pools are directories in.
const ABOVE: &str = "/var/lib/libvirt/images";

impl Call<'_> {
    /// The pool of this name, made and started if need be. Whoever puts something into it shares its
    /// guard, so that it is not taken away meanwhile.
    pub(crate) fn side_pool(&self, name: &str) -> Result<StoragePool, Failure> {
        // Another process may be taking it away.
        self.running_pool(name).map_err(|failure| failure.in_pool(name))
    }

    fn running_pool(&self, name: &str) -> Result<StoragePool, Failure> {
        let pool = match StoragePool::lookup_by_name(self.connect, name).or_absent()? {
            Some(pool) => pool,
            None => {
                let path = Element::new("path").text(format!("{ABOVE}/{name}"));
                let xml = Element::new("pool")
                    .attr("type", "dir")
                    .child(Element::new("name").text(name))
                    .child(Element::new("target").child(path));
                match StoragePool::define_xml(self.connect, &xml.write()?, 0) {
                    Ok(pool) => pool,
                    // Another call was quicker.
                    Err(error) => match StoragePool::lookup_by_name(self.connect, name) {
                        Ok(pool) => pool,
                        Err(_) => return Err(error.into()),
                    },
                }
            }
        };
        if !pool.is_active()? {
            let started = pool.build(0).and_then(|_| pool.create(VIR_STORAGE_POOL_CREATE_NORMAL));
            if let Err(error) = started
                && !pool.is_active()?
            {
                return Err(error.into());
            }
            pool.set_autostart(true)?;
        }
        Ok(pool)
    }

    /// Takes the pool away when it is empty, with its directory, which is ours and empty then.
    pub(crate) fn remove_side_pool(&self, name: &str) -> Result<(), Failure> {
        let _guard = self.site.guards.exclusive(&format!("pool/{name}"));
        let Some(pool) = StoragePool::lookup_by_name(self.connect, name).or_absent()? else {
            return Ok(());
        };
        if !pool.is_active()? || pool.num_of_volumes()? > 0 {
            return Ok(());
        }
        pool.destroy()?;
        match pool.delete(0) {
            Ok(_) => Ok(pool.undefine()?),
            // Something is in the directory that libvirt does not count as a volume.
            Err(_) => {
                pool.create(VIR_STORAGE_POOL_CREATE_NORMAL)?;
                Ok(())
            }
        }
    }
}
