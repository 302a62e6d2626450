//! Networks. What `virNetworkUpdate` can do is done live; what would need the network to be taken
//! down under its guests is refused here, and the plan says that it is made anew.
//!
//! The modules stand in reading order:
//!
//! * `write` – a definition from attributes, or changed in place; unknown parts are kept.
//! * `read` – attributes from a definition.
//! * `kept` – what a definition holds beyond attributes.
//! * `run` – starting it, and bringing it back under guests that run.
//! * `lease` – the addresses that guests are given, by their MAC ([`Reservation`]).

mod kept;
pub(crate) mod lease;
mod read;
mod run;
mod write;

#[cfg(test)]
mod tests;

use tcloud_model::kinds::STOPPED;
use tcloud_model::{
    Address, AttrPath, Fields, Lack, Name, ObservedObject, Operation, OperationKind, Stamp, Value,
};
use uuid::Uuid;
use virt::network::Network;
use virt_sys::{
    VIR_NETWORK_SECTION_IP_DHCP_RANGE, VIR_NETWORK_UPDATE_AFFECT_CONFIG,
    VIR_NETWORK_UPDATE_AFFECT_LIVE, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
    VIR_NETWORK_UPDATE_COMMAND_DELETE, VIR_NETWORK_XML_INACTIVE,
};

use crate::connection::dotted;
use crate::failure::{Absent, Failure, quoted};
use crate::firewall;
use crate::shown::shown;
use crate::site::{Call, shown_kind};
use crate::stamp::{self, Note};
use crate::xml::Element;

pub(crate) use lease::{Reservation, Side};
pub(crate) use read::{prefix, read};
use write::write;

/// VLANs of guests on a Linux bridge are known from this version on.
const VLAN: u32 = 11_000_000;
/// What that is, and what to do without.
const TAG: &str = "a VLAN tag on a bridge";
const UNTAGGED: &str = "use a bridge that is in the VLAN itself";
/// Guests are hidden by IPv6 from this version on.
const HIDES6: u32 = 6_005_000;

/// A network's two definitions; the live one only while it is active.
#[derive(Debug)]
pub(crate) struct Definitions {
    /// What it is when it is next started.
    pub(crate) persistent: Element,
    /// What it is now.
    pub(crate) live: Option<Element>,
    /// Whether it starts with its host.
    pub(crate) autostart: bool,
}

impl Call<'_> {
    /// Carries out an operation on a network.
    pub(crate) fn apply_network(
        &self,
        operation: &Operation,
    ) -> Result<Option<ObservedObject>, Failure> {
        let Operation { identity, action, .. } = operation;
        let _guard = self.site.guards.exclusive(&format!("network/{}", identity.name));
        match action {
            OperationKind::Create { attributes, stamp } => {
                self.create_network(operation, attributes, stamp)?;
            }
            OperationKind::Update { attributes, stamp, changed, .. } => {
                let (network, _) = self.own_network(operation)?;
                self.change_network(&network, attributes, stamp)?;
                if changed.contains(&AttrPath::attribute(Name::new(STOPPED))) {
                    self.bring_back(network)?;
                }
            }
            OperationKind::Delete => self.delete_network(operation)?,
            OperationKind::Stamp { stamp, adopt } => {
                let (network, persistent) = self.present_network(operation)?;
                let (name, note) = (network.get_name()?, Note::of(&persistent));
                let old = note.as_ref().map(|note| &note.stamp);
                match adopt {
                    true => self.site.check_adoptable("network", &name, old)?,
                    false => self.site.check_ours("network", &name, old)?,
                }
                let idle = match &note {
                    Some(note) => note.idle,
                    None => !network.is_active()? && !network.get_autostart()?,
                };
                let kept = note.map(|note| note.kept).unwrap_or_default();
                let note = Note { idle, ..Note::new(stamp, kept) };
                self.restamp(&network, Some(&note))?;
            }
            OperationKind::Unstamp => {
                if let Some(network) = self.network(identity.uuid)?
                    && Note::of(&persistent(&network)?).is_some()
                {
                    let (network, _) = self.own_network(operation)?;
                    self.restamp(&network, None)?;
                }
            }
            OperationKind::Migrate { .. } => return Failure::refused("a network does not move"),
        }
        self.look_network(identity.uuid)
    }

    /// A network as it is now.
    pub(crate) fn look_network(&self, uuid: Uuid) -> Result<Option<ObservedObject>, Failure> {
        let Some(network) = self.network(uuid)? else { return Ok(None) };
        let live = network.is_active()?;
        let Some(definitions) = Definitions::of(&network, live)? else { return Ok(None) };
        let filter = self.filter(&firewall::network_name(&network.get_name()?))?;
        Ok(Some(observed(&definitions, uuid, filter.as_ref())))
    }

    fn network(&self, uuid: Uuid) -> Result<Option<Network>, Failure> {
        Network::lookup_by_uuid(self.connect, uuid).or_absent()
    }

    fn present_network(&self, operation: &Operation) -> Result<(Network, Element), Failure> {
        match self.network(operation.identity.uuid)? {
            Some(network) => {
                let persistent = persistent(&network)?;
                Ok((network, persistent))
            }
            None => self.site.missing("network", &operation.identity.name),
        }
    }

    fn own_network(&self, operation: &Operation) -> Result<(Network, Element), Failure> {
        let (network, persistent) = self.present_network(operation)?;
        let note = Note::of(&persistent);
        let stamp = note.as_ref().map(|note| &note.stamp);
        self.site.check_ours("network", &network.get_name()?, stamp)?;
        Ok((network, persistent))
    }

    fn create_network(
        &self,
        operation: &Operation,
        attributes: &Fields,
        stamp: &Stamp,
    ) -> Result<(), Failure> {
        let identity = &operation.identity;
        let network = match self.network(identity.uuid)? {
            Some(_) => {
                let (network, _) = self.own_network(operation)?;
                self.change_network(&network, attributes, stamp)?;
                network
            }
            None => {
                if let Some(other) =
                    Network::lookup_by_name(self.connect, &identity.name).or_absent()?
                {
                    let note = Note::of(&persistent(&other)?);
                    let stamp = note.as_ref().map(|note| &note.stamp);
                    return self.site.taken("network", &identity.name, stamp);
                }
                self.check_version(attributes)?;
                let mut definition = Element::new("network")
                    .child(Element::new("name").text(&identity.name))
                    .child(Element::new("uuid").text(identity.uuid));
                write(&mut definition, identity.uuid, attributes)?;
                let note = Note::new(stamp, attributes.clone());
                stamp::put(&mut definition, Some(&note));
                self.define_network_filter(&identity.name, identity.uuid, attributes)?;
                Network::define_xml(self.connect, &definition.write()?)?
            }
        };
        self.start_network(network)
    }

    /// Older libvirt takes and ignores what it does not know: guests would be in the wrong network, or
    /// open to everybody.
    fn check_version(&self, attributes: &Fields) -> Result<(), Failure> {
        let hides6 =
            attributes.text("mode").is_none_or(|mode| mode == "nat") && write::has_v6(attributes);
        let (needed, what, instead) = if attributes.number("vlan").is_some() {
            (VLAN, TAG, UNTAGGED)
        } else if hides6 {
            (HIDES6, "hiding guests with IPv6 (mode nat)", "leave out cidr6, or route the network")
        } else {
            return Ok(());
        };
        let version = self.connect.get_lib_version()?;
        if version >= needed {
            return Ok(());
        }
        let because = too_old(what, needed, &self.site.host, version);
        Failure::refused(format!("{because}: {instead}"))
    }

    /// Changes a network in place, without touching what its guests need.
    fn change_network(
        &self,
        network: &Network,
        attributes: &Fields,
        stamp: &Stamp,
    ) -> Result<(), Failure> {
        let uuid = network.get_uuid()?;
        let before = persistent(network)?;
        let mut after = before.clone();
        write(&mut after, uuid, attributes)?;
        check_in_place(&read(&before), &read(&after))?;
        // What is refused changes no rules, and the stamp says that all is done.
        self.define_network_filter(&network.get_name()?, uuid, attributes)?;
        self.change_ranges(network, &before, &after)?;
        let old = Note::of(&before);
        let idle = old.as_ref().is_some_and(|note| note.idle);
        let note = Note { idle, ..Note::new(stamp, attributes.clone()) };
        if old.as_ref() != Some(&note) {
            self.restamp(network, Some(&note))?;
        }
        Ok(())
    }

    /// Makes the addresses that are given to anybody what they should be, at once.
    fn change_ranges(
        &self,
        network: &Network,
        before: &Element,
        after: &Element,
    ) -> Result<(), Failure> {
        let (old, new) = (read::ranges(before), read::ranges(after));
        let mut affect = VIR_NETWORK_UPDATE_AFFECT_CONFIG;
        if network.is_active()? {
            affect |= VIR_NETWORK_UPDATE_AFFECT_LIVE;
        }
        let change = |command, range: &Element| -> Result<(), Failure> {
            let section = VIR_NETWORK_SECTION_IP_DHCP_RANGE;
            Ok(network.update(command, section, -1, &range.write()?, affect).map(|_| ())?)
        };
        for range in old.iter().filter(|own| !new.contains(own)) {
            change(VIR_NETWORK_UPDATE_COMMAND_DELETE, range)?;
        }
        for range in new.iter().filter(|own| !old.contains(own)) {
            change(VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, range)?;
        }
        Ok(())
    }

    /// Defines a network again, with another stamp. What is active stays as it is. It is read again for
    /// it, since another process may have put addresses into it meanwhile.
    fn restamp(&self, network: &Network, note: Option<&Note>) -> Result<(), Failure> {
        let mut persistent = persistent(network)?;
        stamp::put(&mut persistent, note);
        Network::define_xml(self.connect, &persistent.write()?)?;
        Ok(())
    }

    fn delete_network(&self, operation: &Operation) -> Result<(), Failure> {
        if self.network(operation.identity.uuid)?.is_none() {
            // Somebody may have taken away the network alone.
            let name = &operation.identity.name;
            return match Network::lookup_by_name(self.connect, name).or_absent()? {
                Some(_) => Ok(()),
                None => self.remove_if_unused(&firewall::network_name(name)),
            };
        }
        let (network, _) = self.own_network(operation)?;
        let name = network.get_name()?;
        if let Some(user) = self.network_users(&name)?.first() {
            return Failure::refused(format!(
                "{} has a NIC in network {}: it is not taken away from it. Detach the NIC first \
                 (virsh detach-interface), or move it into another network",
                user.told(),
                quoted(&name)
            ));
        }
        if network.is_active()? {
            let live = Element::parse(&network.get_xml_desc(0)?)?;
            if let Some(users) = live.get("connections").filter(|users| *users != "0") {
                return Failure::refused(format!(
                    "network {} has {users} NICs of running guests in it: it is not taken down \
                     under them",
                    quoted(&network.get_name()?)
                ));
            }
        }
        // The network carries the stamp and goes last: nobody would look for its filter after that.
        self.remove_filter(&firewall::network_name(&name))?;
        if network.is_active()? {
            network.destroy()?;
        }
        Ok(network.undefine()?)
    }
}

impl Definitions {
    /// Whether it is somebody's who uses tcloud.
    pub(crate) fn is_stamped(&self) -> bool {
        Note::of(&self.persistent).is_some()
    }

    /// Looks at its stamp.
    ///
    /// # Errors
    /// When it has one, and that cannot be read.
    pub(crate) fn check_stamp(&self) -> Result<(), Failure> {
        Note::check(&self.persistent)
    }

    /// Reads a network; `None` when it is gone by now.
    pub(crate) fn of(network: &Network, live: bool) -> Result<Option<Definitions>, Failure> {
        let persistent = network.get_xml_desc(VIR_NETWORK_XML_INACTIVE).or_absent()?;
        let Some(persistent) = persistent else { return Ok(None) };
        let live = match live {
            true => network.get_xml_desc(0).or_absent()?,
            false => None,
        };
        let live = live.map(|xml| Element::parse(&xml)).transpose()?;
        // It is asked for only where it matters: that is one more question for each network.
        let autostart = live.is_some() || network.get_autostart().or_absent()? == Some(true);
        Ok(Some(Definitions { persistent: Element::parse(&persistent)?, live, autostart }))
    }
}

/// What a host with this version of libvirt cannot do for any network.
pub(crate) fn lack(host: &Address, version: u32) -> Option<Lack> {
    (version < VLAN).then(|| Lack {
        kind: Name::new("network"),
        attribute: Name::new("vlan"),
        value: None,
        because: too_old(TAG, VLAN, host, version),
        help: UNTAGGED.to_owned(),
    })
}

/// Why a host has not what only newer ones have.
fn too_old(what: &str, needed: u32, host: &Address, version: u32) -> String {
    format!("{what} needs libvirt {}, and {host} runs {}", dotted(needed), dotted(version))
}

fn persistent(network: &Network) -> Result<Element, Failure> {
    Ok(Element::parse(&network.get_xml_desc(VIR_NETWORK_XML_INACTIVE)?)?)
}

/// Refuses what libvirt could only do by taking the network down under its guests.
fn check_in_place(before: &Fields, after: &Fields) -> Result<(), Failure> {
    let mut names: Vec<&str> = before.iter().chain(after.iter()).map(|(name, _)| &**name).collect();
    names.retain(|name| *name != "dhcp");
    let lease = |fields: &Fields| fields.map("dhcp").and_then(|dhcp| dhcp.number("lease"));
    let changed = names.into_iter().find(|name| before.get(name) != after.get(name));
    let changed = changed.or_else(|| {
        let (old, new) = (lease(before), lease(after));
        (old.is_some() && new.is_some() && old != new).then_some("dhcp.lease")
    });
    match changed {
        Some(name) => Failure::refused(format!(
            "the {name} of a network cannot change under its guests: it has to be made anew"
        )),
        None => Ok(()),
    }
}

/// A network as it is seen. Only a network of ours has a filter.
pub(crate) fn observed(
    definitions: &Definitions,
    uuid: Uuid,
    filter: Option<&Element>,
) -> ObservedObject {
    let Definitions { persistent, live, autostart } = definitions;
    let note = Note::of(persistent);
    let is_to_run = note.as_ref().is_some_and(|note| *autostart || !note.idle);
    let asked = note.as_ref().map(|note| {
        let mut definition = Element::new("network");
        // What was asked was written once, so it can be written again.
        let _ = write(&mut definition, uuid, &note.kept);
        read(&definition)
    });
    let seen = |definition: &Element| match (&note, &asked) {
        (Some(note), Some(asked)) if !note.kept.is_empty() => {
            shown(&note.kept, asked, &read(definition))
        }
        _ => read(definition),
    };
    let ours = note.is_some();
    let ruled = |definition: &Element| {
        let mut fields = seen(definition);
        let rules = firewall::read_network(filter, &fields);
        for (name, value) in rules.iter().filter(|_| ours) {
            fields.insert(name.clone(), value.clone());
        }
        fields
    };
    let kept = kept::kept(persistent, !ours);
    let next = ruled(persistent);
    let mut now = live.as_ref().map_or_else(|| next.clone(), ruled);
    let pending = match now == next {
        true => Fields::new(),
        false => now.difference(&next),
    };
    if live.is_none() && is_to_run {
        now.insert(STOPPED, Value::Bool(true));
    }
    let stamp = note.map(|note| note.stamp);
    ObservedObject {
        kind: shown_kind(stamp.as_ref(), "network"),
        name: persistent.content_at("name").unwrap_or_default().into(),
        uuid: Some(uuid),
        stamp,
        attributes: now.compact().into(),
        pending: pending.compact().into(),
        written: None,
        running: None,
        kept,
        holds: Vec::new(),
        room: None,
    }
}

/// Whether libvirt makes the bridge of a network, and takes it down with it.
fn has_own_bridge(definition: &Element) -> bool {
    read(definition).get("mode") != Some(&Value::text("bridge"))
}

/// Whether libvirt gives addresses of IPv4 in a network.
fn gives_addresses(definition: &Element) -> bool {
    has_own_bridge(definition) && definition.elements("ip").any(|ip| !write::is_v6(ip))
}
