//! What uses which storage and networks: guests, running or not, and volumes that are made on top of
//! others. libvirt deletes and resizes a volume under its guest without a word, so we look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use virt_sys::{
    VIR_CONNECT_LIST_DOMAINS_ACTIVE, VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
    VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, VIR_DOMAIN_XML_INACTIVE,
};

use crate::failure::{Absent, Failure, quoted};
use crate::site::Call;
use crate::xml::{Element, XmlError};

/// How long an answer holds, for many deletions in a row.
const FRESH: Duration = Duration::from_secs(1);

/// What uses something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// A guest's disk, or NIC.
    Guest {
        /// The guest's name.
        name: String,
        /// The disk's target, for a guest that runs with it.
        running: Option<String>,
        /// Whether the disk writes to something else, and only lies on it or is copied to it.
        beneath: bool,
    },
    /// A volume that is made on top of it.
    Volume {
        /// The name of its pool.
        pool: String,
        /// Its name.
        name: String,
    },
}

impl User {
    /// What it is, in words.
    pub(crate) fn told(&self) -> String {
        match self {
            User::Guest { name, .. } => format!("guest {}", quoted(name)),
            User::Volume { pool, name } => {
                format!(
                    "volume {} of pool {}, which is made on top of it",
                    quoted(name),
                    quoted(pool)
                )
            }
        }
    }
}

/// The users by what they use: a path, `pool/volume`, or `network:name`.
type Known = Arc<HashMap<String, Vec<User>>>;

/// An answer, and when it was given.
type Answer = Mutex<Option<(Instant, Known)>>;

/// What is known about users.
#[derive(Debug, Default)]
pub(crate) struct Users {
    guests: Answer,
    volumes: Answer,
}

impl Users {
    /// A guest was changed.
    pub(crate) fn forget(&self) {
        *self.guests.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Call<'_> {
    /// What uses a volume.
    pub(crate) fn users(&self, path: &str, pool: &str, name: &str) -> Result<Vec<User>, Failure> {
        let guests = fresh(&self.site.users.guests, || self.all_guests())?;
        let inside = format!("{pool}/{name}");
        let by = |all: &Known, key: &str| all.get(key).cloned().unwrap_or_default();
        Ok([by(&guests, path), by(&guests, &inside), self.layers_on(path)?].concat())
    }

    /// The guests that have a NIC in a network, also those that do not run.
    pub(crate) fn network_users(&self, name: &str) -> Result<Vec<User>, Failure> {
        let guests = fresh(&self.site.users.guests, || self.all_guests())?;
        Ok(guests.get(&format!("network:{name}")).cloned().unwrap_or_default())
    }

    /// The volumes on top of another. Whoever is refused for them should not be so for one that has
    /// just been deleted.
    fn layers_on(&self, path: &str) -> Result<Vec<User>, Failure> {
        let known = &self.site.users.volumes;
        if !fresh(known, || self.all_layers())?.contains_key(path) {
            return Ok(Vec::new());
        }
        *known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(fresh(known, || self.all_layers())?.get(path).cloned().unwrap_or_default())
    }

    fn all_guests(&self) -> Result<HashMap<String, Vec<User>>, Failure> {
        let mut all = HashMap::new();
        for (list, flags, running) in [
            (VIR_CONNECT_LIST_DOMAINS_ACTIVE, 0, true),
            (VIR_CONNECT_LIST_DOMAINS_PERSISTENT, VIR_DOMAIN_XML_INACTIVE, false),
        ] {
            for domain in self.connect.list_all_domains(list)? {
                let Some(xml) = domain.get_xml_desc(flags).or_absent()? else { continue };
                let xml = Element::parse(&xml);
                let name = || domain.get_name().unwrap_or_default();
                let xml = xml.map_err(|error| unread("guest", &name(), &error))?;
                read(&xml, running, &mut all);
            }
        }
        Ok(all)
    }

    /// Volumes that others are made on top of, as far as libvirt has looked into their pools.
    fn all_layers(&self) -> Result<HashMap<String, Vec<User>>, Failure> {
        let mut all: HashMap<String, Vec<User>> = HashMap::new();
        for pool in self.connect.list_all_storage_pools(VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)? {
            let pool_name = pool.get_name()?;
            let away = |failure: Failure| failure.in_pool(&pool_name);
            let volumes = pool.list_all_volumes(0).or_absent().map_err(away)?;
            for volume in volumes.unwrap_or_default() {
                let xml = volume.get_xml_desc(0).or_absent().map_err(away)?;
                let Some(xml) = xml else { continue };
                let xml = Element::parse(&xml);
                let name = || volume.get_name().unwrap_or_default();
                let xml = xml.map_err(|error| unread("volume", &name(), &error))?;
                if let Some(base) = xml.content_at("backingStore/path") {
                    let name = xml.content_at("name").unwrap_or_default();
                    let user = User::Volume { pool: pool_name.clone(), name };
                    all.entry(base).or_default().push(user);
                }
            }
        }
        Ok(all)
    }
}

/// Nothing that something may use is taken away from it.
fn unread(what: &str, name: &str, error: &XmlError) -> Failure {
    let name = quoted(name);
    Failure::Refused(format!("{what} {name} cannot be read, and so what it uses: {error}"))
}

/// What is known, asked anew when it is old.
fn fresh(
    known: &Answer,
    ask: impl FnOnce() -> Result<HashMap<String, Vec<User>>, Failure>,
) -> Result<Known, Failure> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, all)) = known.as_ref().filter(|(when, _)| when.elapsed() < FRESH) {
        return Ok(Arc::clone(all));
    }
    let all = Arc::new(ask()?);
    *known = Some((Instant::now(), Arc::clone(&all)));
    Ok(all)
}

fn read(domain: &Element, running: bool, all: &mut HashMap<String, Vec<User>>) {
    let guest = domain.content_at("name").unwrap_or_default();
    let devices = || domain.find("devices").into_iter();
    for disk in devices().flat_map(|own| own.elements("disk")) {
        let target = disk.find("target").and_then(|target| target.get("dev")).unwrap_or_default();
        let mut sources = Vec::new();
        collect(disk, false, &mut sources);
        for (key, beneath) in sources {
            let running = running.then(|| target.to_owned());
            let user = User::Guest { name: guest.clone(), running, beneath };
            all.entry(key).or_default().push(user);
        }
    }
    for nic in devices().flat_map(|own| own.elements("interface")) {
        if let Some(name) = nic.find("source").and_then(|source| source.get("network")) {
            let user = User::Guest { name: guest.clone(), running: None, beneath: false };
            all.entry(format!("network:{name}")).or_default().push(user);
        }
    }
}

/// The sources of a disk: what it writes to, what that lies on, and what it is copied to.
fn collect(disk: &Element, beneath: bool, all: &mut Vec<(String, bool)>) {
    if let Some(source) = disk.find("source") {
        match (source.get("file").or(source.get("dev")), source.get("pool")) {
            (Some(path), _) => all.push((path.to_owned(), beneath)),
            (None, Some(pool)) => {
                let volume = source.get("volume").unwrap_or_default();
                all.push((format!("{pool}/{volume}"), beneath));
            }
            (None, None) => {}
        }
    }
    for deeper in ["backingStore", "mirror"].iter().filter_map(|name| disk.find(name)) {
        collect(deeper, true, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_found_however_they_name_their_source() {
        let domain = Element::parse(
            "<domain><name>web</name><devices>\
             <disk type='file'><source file='/a/top'/><backingStore type='file'>\
             <source file='/a/mid'/><backingStore type='file'><source file='/a/x'/>\
             <backingStore/></backingStore></backingStore><mirror><source file='/a/copy'/></mirror>\
             <target dev='vda'/></disk>\
             <disk type='volume'><source pool='p' volume='v'/><target dev='vdb'/></disk>\
             <disk type='block'><source dev='/dev/vg/y'/><target dev='vdc'/></disk>\
             <disk device='cdrom'><target dev='sda'/></disk>\
             <interface type='network'><source network='lan'/></interface></devices></domain>",
        );
        let mut all = HashMap::new();
        read(&domain.expect("XML"), true, &mut all);
        let found = |key: &str| match all.get(key).and_then(|users| users.first()) {
            Some(User::Guest { name, running, beneath }) if name == "web" => {
                Some((running.clone()?, *beneath))
            }
            _ => None,
        };
        for (key, target, beneath) in [
            ("/a/top", "vda", false),
            ("/a/mid", "vda", true),
            ("/a/x", "vda", true),
            ("/a/copy", "vda", true),
            ("p/v", "vdb", false),
            ("/dev/vg/y", "vdc", false),
        ] {
            assert_eq!(found(key), Some((target.to_owned(), beneath)), "{key}");
        }
        assert!(all.contains_key("network:lan"));
        assert_eq!(all.len(), 7);
    }
}
