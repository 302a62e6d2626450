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
    VIR_CONNECT_LIST_DOMAINS_TRANSIENT, VIR_DOMAIN_XML_INACTIVE, VIR_DOMAIN_XML_SECURE,
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
        Ok(Guest { saved, ..Guest::definitions(domain, flags, persistent, active)? })
    }

    fn definitions(
        domain: Domain,
        flags: u32,
        persistent: bool,
        active: bool,
    ) -> Result<Guest, Failure> {
        let parsed = |flags| {
            Ok::<_, Failure>(Element::parse(&tcloud_libvirt_calls::definition(&domain, flags)?)?)
        };
        let persistent = persistent.then(|| parsed(VIR_DOMAIN_XML_INACTIVE | flags)).transpose()?;
        let live = active.then(|| parsed(flags)).transpose()?;
        Ok(Guest { domain, live, persistent, saved: false })
    }

    /// The stamp; in the running guest and in its persistent definition it is the same.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let own = [self.persistent.as_ref(), self.live.as_ref()];
        own.into_iter().flatten().find_map(Note::of).map(|note| note.stamp)
    }
}

/// What a list of guests does not say: three questions for a host instead of four for each guest.
/// Whether one runs is in the list.
pub(crate) struct Census {
    transient: HashSet<Uuid>,
    autostart: HashSet<Uuid>,
    saved: HashSet<Uuid>,
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
        })
    }
}

/// A guest as it is seen in a sweep; nothing when nobody says what it refers to, which is asked when
/// its definitions are there.
pub(crate) fn observed_domain<'d>(
    domain: Domain,
    census: &Census,
    directory: impl FnOnce() -> Option<&'d Directory>,
) -> Result<Option<ObservedObject>, Failure> {
    let uuid = domain.get_uuid()?;
    // libvirt numbers what runs.
    let active = domain.get_id().is_some();
    let persistent = !active || !census.transient.contains(&uuid);
    let mut guest = Guest::definitions(domain, 0, persistent, active)?;
    guest.saved = !active && census.saved.contains(&uuid);
    let autostart = persistent && census.autostart.contains(&uuid);
    directory().map(|directory| shown(&guest, uuid, autostart, directory)).transpose()
}

pub(super) fn observed(guest: &Guest, directory: &Directory) -> Result<ObservedObject, Failure> {
    // A guest that libvirt forgets when it stops cannot start with its host.
    let autostart = guest.persistent.is_some() && guest.domain.get_autostart()?;
    shown(guest, guest.domain.get_uuid()?, autostart, directory)
}

fn shown(
    guest: &Guest,
    uuid: Uuid,
    autostart: bool,
    directory: &Directory,
) -> Result<ObservedObject, Failure> {
    let (live, persistent) = (guest.live.as_ref(), guest.persistent.as_ref());
    let executing = live.is_some() && power::is_executing(&guest.domain)?;
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
