//! Which guests use which storage, running or not. libvirt deletes and resizes a volume under its
//! guest without a word, so we look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use virt_sys::{
    VIR_CONNECT_LIST_DOMAINS_ACTIVE, VIR_CONNECT_LIST_DOMAINS_PERSISTENT, VIR_DOMAIN_XML_INACTIVE,
};

use crate::failure::{Absent, Failure};
use crate::site::Call;
use crate::xml::Element;

/// How long an answer holds, for many deletions in a row.
const FRESH: Duration = Duration::from_secs(1);

/// A guest's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The guest's name.
    pub(crate) guest: String,
    /// The disk's target, for a guest that runs with it.
    pub(crate) running: Option<String>,
}

/// The users by the source of their disks: a path, or `pool/volume`.
type Known = Arc<HashMap<String, Vec<User>>>;

/// What is known about users.
#[derive(Debug, Default)]
pub(crate) struct Users {
    known: Mutex<Option<(Instant, Known)>>,
}

impl Users {
    /// A guest was changed.
    pub(crate) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Call<'_> {
    /// The guests that use a volume.
    pub(crate) fn users(&self, path: &str, pool: &str, name: &str) -> Result<Vec<User>, Failure> {
        let mut known = self.site.users.known.lock().unwrap_or_else(PoisonError::into_inner);
        let all = match &*known {
            Some((when, all)) if when.elapsed() < FRESH => Arc::clone(all),
            _ => {
                let all = Arc::new(self.all_users()?);
                *known = Some((Instant::now(), Arc::clone(&all)));
                all
            }
        };
        let by = |key: &str| all.get(key).into_iter().flatten().cloned();
        Ok(by(path).chain(by(&format!("{pool}/{name}"))).collect())
    }

    fn all_users(&self) -> Result<HashMap<String, Vec<User>>, Failure> {
        let mut all = HashMap::new();
        for (list, flags, running) in [
            (VIR_CONNECT_LIST_DOMAINS_ACTIVE, 0, true),
            (VIR_CONNECT_LIST_DOMAINS_PERSISTENT, VIR_DOMAIN_XML_INACTIVE, false),
        ] {
            for domain in self.connect.list_all_domains(list)? {
                let Some(xml) = domain.get_xml_desc(flags).or_absent()? else { continue };
                read(&Element::parse(&xml)?, running, &mut all);
            }
        }
        Ok(all)
    }
}

fn read(domain: &Element, running: bool, all: &mut HashMap<String, Vec<User>>) {
    let guest = domain.content_at("name").unwrap_or_default();
    let disks = domain.find("devices").into_iter().flat_map(|own| own.elements("disk"));
    for disk in disks {
        let Some(source) = disk.find("source") else { continue };
        let key = match (source.get("file").or(source.get("dev")), source.get("pool")) {
            (Some(path), _) => path.to_owned(),
            (None, Some(pool)) => format!("{pool}/{}", source.get("volume").unwrap_or_default()),
            (None, None) => continue,
        };
        let target = disk.find("target").and_then(|target| target.get("dev")).unwrap_or_default();
        let running = running.then(|| target.to_owned());
        all.entry(key).or_default().push(User { guest: guest.clone(), running });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_found_however_they_name_their_source() {
        let domain = Element::parse(
            "<domain><name>web</name><devices>\
             <disk type='file'><source file='/a/x'/><target dev='vda'/></disk>\
             <disk type='volume'><source pool='p' volume='v'/><target dev='vdb'/></disk>\
             <disk type='block'><source dev='/dev/vg/y'/><target dev='vdc'/></disk>\
             <disk device='cdrom'><target dev='sda'/></disk></devices></domain>",
        );
        let mut all = HashMap::new();
        read(&domain.expect("XML"), true, &mut all);
        let target = |key: &str| all.get(key).and_then(|users| users[0].running.clone());
        assert_eq!(target("/a/x").as_deref(), Some("vda"));
        assert_eq!(target("p/v").as_deref(), Some("vdb"));
        assert_eq!(target("/dev/vg/y").as_deref(), Some("vdc"));
        assert_eq!(all.len(), 3);
    }
}
