//! What guests use: the volumes and networks that they are attached to, so that "in use by guest x"
//! is one look-up.

use rusqlite::{Connection, OptionalExtension, params};
use tcloud_model::{Address, Fields, Name, Value};

use crate::class::Class;
use crate::failure::{Failure, quoted};
use crate::object::Object;
use crate::reference::held;

/// One attachment of a guest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    /// The sort of what it is attached to: a volume or a network.
    pub(crate) class: Class,
    /// Its name on the host.
    pub(crate) target: Name,
    /// The label of the disk or NIC.
    pub(crate) label: Name,
    /// The NIC's address.
    pub(crate) address: Option<String>,
    /// The NIC's MAC.
    pub(crate) mac: Option<String>,
}

/// The attachments in a guest's fields.
pub(crate) fn links(fields: &Fields) -> Vec<Link> {
    let mut all = Vec::new();
    for (block, class, attribute) in
        [("disk", Class::Volume, "volume"), ("nic", Class::Network, "network")]
    {
        for (label, item) in fields.map(block).iter().flat_map(|map| map.iter()) {
            let Value::Map(item) = item else { continue };
            let target = match item.get(attribute) {
                Some(Value::Ref(to)) => held(to).map(|held| held.name.clone()),
                Some(Value::Text(name)) => Some(Name::new(name)),
                _ => None,
            };
            let Some(target) = target else { continue };
            let text = |name| item.get(name).map(Value::to_string);
            let (address, mac) = (text("address"), text("mac"));
            all.push(Link { class, target, label: label.clone(), address, mac });
        }
    }
    all
}

/// Writes down the attachments of a guest, in force and waiting.
pub(crate) fn write(file: &Connection, guest: &Object, fresh: bool) -> Result<(), Failure> {
    if !fresh {
        file.prepare_cached("DELETE FROM link WHERE source = ?1")?.execute([guest.id])?;
    }
    let live = links(&guest.live);
    let waiting = if guest.pending.is_empty() { Vec::new() } else { links(&guest.persistent()) };
    let waiting = waiting.iter().filter(|link| !live.contains(link)).map(|link| (link, false));
    let mut insert = file.prepare_cached("INSERT INTO link VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (link, in_force) in live.iter().map(|link| (link, true)).chain(waiting) {
        insert.execute(params![
            guest.id,
            link.class.word(),
            link.target.as_str(),
            in_force,
            link.address,
            link.mac,
        ])?;
    }
    Ok(())
}

/// A guest that is attached to something; with `running`, only one that runs and is attached now.
pub(crate) fn user(
    file: &Connection,
    class: Class,
    target: &str,
    running: bool,
) -> Result<Option<Name>, Failure> {
    let sql = "SELECT o.name FROM link l JOIN object o ON o.id = l.source
        WHERE l.class = ?1 AND l.name = ?2 AND (NOT ?3 OR (l.live AND o.running = 1)) LIMIT 1";
    let mut statement = file.prepare_cached(sql)?;
    let name = statement
        .query_row(params![class.word(), target, running], |row| row.get::<_, String>(0))
        .optional()?;
    Ok(name.map(Name::from))
}

/// Refuses what two guests cannot both have: a volume while both run, an address or a MAC in one
/// network. A successor of the same resource may have what its predecessor has in a network.
pub(crate) fn check(file: &Connection, guest: &Object) -> Result<(), Failure> {
    for link in links(&guest.persistent()) {
        match link.class {
            Class::Volume if guest.runs() => check_volume(file, guest, &link)?,
            Class::Network => check_nic(file, guest, &link)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_volume(file: &Connection, guest: &Object, link: &Link) -> Result<(), Failure> {
    let sql = "SELECT o.name FROM link l JOIN object o ON o.id = l.source
        WHERE l.class = 'volume' AND l.name = ?1 AND l.live AND o.running = 1 AND o.id <> ?2
        LIMIT 1";
    let mut statement = file.prepare_cached(sql)?;
    let other = statement
        .query_row(params![link.target.as_str(), guest.id], |row| row.get::<_, String>(0))
        .optional()?;
    match other {
        Some(other) => Failure::refused(format!(
            "volume {} is in use by guest {}",
            quoted(&link.target),
            quoted(&other)
        )),
        None => Ok(()),
    }
}

fn check_nic(file: &Connection, guest: &Object, link: &Link) -> Result<(), Failure> {
    for (column, value) in [("address", &link.address), ("mac", &link.mac)] {
        let Some(value) = value else { continue };
        let sql = if column == "address" { SAME_ADDRESS } else { SAME_MAC };
        let mut statement = file.prepare_cached(sql)?;
        let mut rows = statement.query(params![link.target.as_str(), value, guest.id])?;
        while let Some(row) = rows.next()? {
            let (name, deployment, address): (String, Option<[u8; 16]>, Option<String>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if !succeeds(guest, deployment, address.as_deref()) {
                return Failure::refused(format!(
                    "nic {}: {column} {value} is taken in network {} by guest {}",
                    quoted(&link.label),
                    quoted(&link.target),
                    quoted(&name)
                ));
            }
        }
    }
    Ok(())
}

const SAME_ADDRESS: &str = "SELECT o.name, o.deployment, o.address FROM link l
    JOIN object o ON o.id = l.source
    WHERE l.class = 'network' AND l.name = ?1 AND l.address = ?2 AND o.id <> ?3";

const SAME_MAC: &str = "SELECT o.name, o.deployment, o.address FROM link l
    JOIN object o ON o.id = l.source
    WHERE l.class = 'network' AND l.name = ?1 AND l.mac = ?2 AND o.id <> ?3";

/// Whether a guest is another incarnation of the resource that has this stamp.
fn succeeds(guest: &Object, deployment: Option<[u8; 16]>, address: Option<&str>) -> bool {
    guest.stamp.as_ref().is_some_and(|stamp| {
        deployment == Some(*stamp.deployment.as_bytes())
            && address.and_then(|text| text.parse::<Address>().ok()).as_ref()
                == Some(&stamp.address)
    })
}
