//! A guest on a host: its definitions as they are read, alone or in a sweep over all.

use std::collections::HashSet;
use std::sync::Arc;

use tcloud_model::kinds::TRANSIENT;
use tcloud_model::{Name, ObservedObject, Stamp, Value};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys::{
    VIR_CONNECT_LIST_DOMAINS_AUTOSTART, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
    VIR_CONNECT_LIST_DOMAINS_RUNNING, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, VIR_DOMAIN_XML_INACTIVE,
    VIR_DOMAIN_XML_SECURE,
};

use super::held::holds;
use super::kept::kept;
use super::{Definitions, Directory, power, room};
use crate::failure::Failure;
use crate::site::shown_kind;
use crate::stamp::Note;
use crate::xml::Element;

/// A guest as it is on the host.
pub(super) struct Guest {
    pub(super) domain: Domain,
    pub(super) live: Option<Element>,
    pub(super) persistent: Option<Element>,
    /// Whether its memory is saved on the host, to go on with at its next start.
    pub(super) saved: bool,
}

impl Guest {
    /// Reads both definitions, as everybody may see them.
    pub(super) fn of(domain: Domain) -> Result<Guest, Failure> {
        Guest::read(domain, 0)
    }

    /// Reads both with the passwords in them, which would be lost if they were written without.
    pub(super) fn whole(domain: Domain) -> Result<Guest, Failure> {
        Guest::read(domain, VIR_DOMAIN_XML_SECURE)
    }

    fn read(domain: Domain, flags: u32) -> Result<Guest, Failure> {
        let (persistent, active) = (domain.is_persistent()?, domain.is_active()?);
        let saved = !active && domain.has_managed_save(0)?;
        Sent { saved, ..Sent::definitions(domain, flags, persistent, active)? }.read()
    }

    /// The stamp; in the running guest and in its persistent definition it is the same.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let own = [self.persistent.as_ref(), self.live.as_ref()];
        own.into_iter().flatten().find_map(Note::of).map(|note| note.stamp)
    }
}

/// What libvirt sent of a guest, which nobody has read yet.
struct Sent {
    domain: Domain,
    live: Option<String>,
    persistent: Option<String>,
    saved: bool,
}

impl Sent {
    fn definitions(
        domain: Domain,
        flags: u32,
        persistent: bool,
        active: bool,
    ) -> Result<Sent, Failure> {
        let definition = |flags| tcloud_libvirt_calls::definition(&domain, flags);
        let inactive = VIR_DOMAIN_XML_INACTIVE | flags;
        let persistent = persistent.then(|| definition(inactive)).transpose()?;
        let live = active.then(|| definition(flags)).transpose()?;
        Ok(Sent { domain, live, persistent, saved: false })
    }

    fn read(self) -> Result<Guest, Failure> {
        let Sent { domain, live, persistent, saved } = self;
        let read = |text: Option<String>| text.map(|text| Element::parse(&text)).transpose();
        Ok(Guest { domain, live: read(live)?, persistent: read(persistent)?, saved })
    }
}

/// What a list of guests does not say: four questions for a host instead of five for each guest.
/// Whether one runs is in the list, which has to be older: so whatever is in it is counted here too.
pub(crate) struct Census {
    transient: HashSet<Uuid>,
    autostart: HashSet<Uuid>,
    saved: HashSet<Uuid>,
    executing: HashSet<Uuid>,
}

impl Census {
    /// Asks a host.
    pub(crate) fn of(connect: &Connect) -> Result<Census, Failure> {
        let those = |flag| -> Result<HashSet<Uuid>, Failure> {
            let all = connect.list_all_domains(flag)?;
            Ok(all.iter().map(Domain::get_uuid).collect::<Result<_, _>>()?)
        };
        Ok(Census {
            transient: those(VIR_CONNECT_LIST_DOMAINS_TRANSIENT)?,
            autostart: those(VIR_CONNECT_LIST_DOMAINS_AUTOSTART)?,
            saved: those(VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)?,
            executing: those(VIR_CONNECT_LIST_DOMAINS_RUNNING)?,
        })
    }
}

/// A guest in a sweep.
pub(crate) struct Counted {
    sent: Sent,
    uuid: Uuid,
    autostart: bool,
    executing: bool,
}

impl Counted {
    /// Asks for the definitions of one from a list that is older than the census.
    pub(crate) fn of(domain: Domain, census: &Census) -> Result<Counted, Failure> {
        let uuid = domain.get_uuid()?;
        // libvirt numbers what runs.
        let active = domain.get_id().is_some();
        let persistent = !active || !census.transient.contains(&uuid);
        let saved = !active && census.saved.contains(&uuid);
        Ok(Counted {
            sent: Sent { saved, ..Sent::definitions(domain, 0, persistent, active)? },
            uuid,
            autostart: persistent && census.autostart.contains(&uuid),
            executing: census.executing.contains(&uuid),
        })
    }

    /// What it is.
    pub(crate) fn read(self, directory: &Directory) -> Result<ObservedObject, Failure> {
        let Counted { sent, uuid, autostart, executing } = self;
        let guest = sent.read()?;
        [&guest.live, &guest.persistent].into_iter().flatten().try_for_each(Note::check)?;
        shown(&guest, uuid, autostart, executing, directory)
    }
}

pub(super) fn observed(guest: &Guest, directory: &Directory) -> Result<ObservedObject, Failure> {
    // A guest that libvirt forgets when it stops cannot start with its host.
    let autostart = guest.persistent.is_some() && guest.domain.get_autostart()?;
    let executing = guest.live.is_some() && power::is_executing(&guest.domain)?;
    shown(guest, guest.domain.get_uuid()?, autostart, executing, directory)
}

fn shown(
    guest: &Guest,
    uuid: Uuid,
    autostart: bool,
    executing: bool,
    directory: &Directory,
) -> Result<ObservedObject, Failure> {
    let (live, persistent) = (guest.live.as_ref(), guest.persistent.as_ref());
    let reading = super::read(&Definitions { live, persistent, autostart, executing }, directory);
    let stamp = guest.stamp();
    let foreign = stamp.is_none();
    let mut attributes = reading.attributes;
    if persistent.is_none() && !foreign {
        Arc::make_mut(&mut attributes).insert(TRANSIENT, Value::Bool(true));
    }
    Ok(ObservedObject {
        kind: shown_kind(stamp.as_ref(), "vm"),
        name: Name::from(guest.domain.get_name()?),
        uuid: Some(uuid),
        stamp,
        attributes,
        pending: reading.pending,
        written: None,
        running: Some(live.is_some()),
        kept: persistent.or(live).map_or_else(Vec::new, |own| kept(own, foreign)),
        holds: holds(guest, directory)?,
        room: live.and_then(room::of),
    })
}
