//! Starting networks, and bringing one back that was stopped under its guests.

use virt::domain::Domain;
use virt::error::Error;
use virt::network::Network;
use virt_sys::{VIR_CONNECT_LIST_DOMAINS_ACTIVE, VIR_DOMAIN_AFFECT_LIVE, VIR_DOMAIN_XML_INACTIVE};

use super::{has_own_bridge, persistent, write};
use crate::failure::{Absent, Failure, quoted};
use crate::site::Call;
use crate::stamp::Note;
use crate::xml::Element;

impl Call<'_> {
    /// Starts what a guest is about to be in and does not run: it may have been stopped by somebody,
    /// or what made it was cut off. Networks of others are theirs.
    pub(crate) fn start_networks_of(&self, guest: &Element) -> Result<(), Failure> {
        let nics = guest.find("devices").into_iter().flat_map(|all| all.elements("interface"));
        for name in nics.filter_map(|nic| nic.find("source")?.get("network")) {
            // Of one that is missing libvirt tells when the guest is started.
            let Some(network) = Network::lookup_by_name(self.connect, name).or_absent()? else {
                continue;
            };
            if network.is_active()? {
                continue;
            }
            let note = Note::of(&persistent(&network)?);
            if note.is_some_and(|note| note.stamp.deployment == self.site.deployment) {
                self.start_network(network)?;
            }
        }
        Ok(())
    }

    /// Starts a network, now and with its host. That it starts with its host is said first, since
    /// nobody could see later that it is missing.
    pub(super) fn start_network(&self, mut network: Network) -> Result<(), Failure> {
        if !network.get_autostart()? {
            network.set_autostart(true)?;
        }
        while !network.is_active()? {
            let Err(error) = network.create() else { return Ok(()) };
            network = match self.with_other_bridge(&network, &error)? {
                Some(other) => other,
                // Somebody else may have been quicker.
                None if network.is_active()? => break,
                None => return Err(left_behind(&network, &error)?.unwrap_or_else(|| error.into())),
            };
        }
        Ok(())
    }

    /// The network with another name for its bridge, when there is a bridge of that name: a daemon
    /// that is killed while it starts a network leaves it behind, and no call removes it.
    fn with_other_bridge(
        &self,
        network: &Network,
        error: &Error,
    ) -> Result<Option<Network>, Failure> {
        let taken = network.get_bridge_name()?;
        let said = error.message();
        if !(said.contains(&taken) && said.contains("File exists")) {
            return Ok(None);
        }
        let names = write::bridge_names(network.get_uuid()?);
        let Some(at) = names.iter().position(|own| *own == taken) else { return Ok(None) };
        match names.get(at + 1) {
            Some(next) => self.on_bridge(network, next).map(Some),
            None => Ok(None),
        }
    }

    fn on_bridge(&self, network: &Network, name: &str) -> Result<Network, Failure> {
        let mut definition = persistent(network)?;
        if let Some(bridge) = definition.find_mut("bridge") {
            bridge.set("name", name);
        }
        Ok(Network::define_xml(self.connect, &definition.write()?)?)
    }

    /// Starts a network that somebody has stopped. Its bridge went with it, and the NICs of running
    /// guests are joined to nothing: libvirt joins them only to a bridge of another name.
    pub(super) fn bring_back(&self, network: Network) -> Result<(), Failure> {
        let (name, definition) = (network.get_name()?, persistent(&network)?);
        let has_bridge = has_own_bridge(&definition) && !network.is_active()?;
        let cut_off = if has_bridge { self.cut_off(&name)? } else { Vec::new() };
        if cut_off.is_empty() {
            return self.start_network(network);
        }
        let names = write::bridge_names(network.get_uuid()?);
        let now = definition.find("bridge").and_then(|bridge| bridge.get("name"));
        let Some(at) = names.iter().position(|own| Some(own.as_str()) == now) else {
            self.start_network(network)?;
            return Err(Failure::Unready(format!(
                "network {} runs again, but its bridge keeps its name, and the NICs that {} had in \
                 it stay cut off until the guests are stopped and started",
                quoted(&name),
                guests(&cut_off)?
            )));
        };
        self.start_network(self.on_bridge(&network, &names[(at + 1) % names.len()])?)?;
        for (domain, nic) in cut_off {
            domain.update_device_flags(&nic.write()?, VIR_DOMAIN_AFFECT_LIVE)?;
        }
        Ok(())
    }

    /// The NICs that our running guests have in a network.
    fn cut_off(&self, network: &str) -> Result<Vec<(Domain, Element)>, Failure> {
        let mut all = Vec::new();
        for domain in self.connect.list_all_domains(VIR_CONNECT_LIST_DOMAINS_ACTIVE)? {
            let Some(xml) = domain.get_xml_desc(0).or_absent()? else { continue };
            let live = Element::parse(&xml)?;
            let Some(later) = domain.get_xml_desc(VIR_DOMAIN_XML_INACTIVE).or_absent()? else {
                continue;
            };
            let note = Note::of(&Element::parse(&later)?);
            if note.is_none_or(|note| note.stamp.deployment != self.site.deployment) {
                continue;
            }
            let nics = live.find("devices").into_iter().flat_map(|own| own.elements("interface"));
            let is_in = |nic: &&Element| {
                nic.find("source").and_then(|source| source.get("network")) == Some(network)
            };
            all.extend(nics.filter(is_in).map(|nic| (domain.clone(), nic.clone())));
        }
        Ok(all)
    }
}

fn guests(cut_off: &[(Domain, Element)]) -> Result<String, Failure> {
    let mut names = Vec::new();
    for (domain, _) in cut_off {
        names.push(quoted(&domain.get_name()?));
    }
    names.dedup();
    Ok(names.join(", "))
}

/// What to do where the bridge of this network was left behind with its addresses on it: libvirt then
/// starts the network on no other bridge. The name is the network's own, so that the bridge is nobody
/// else's.
fn left_behind(network: &Network, error: &Error) -> Result<Option<Failure>, Failure> {
    let names = write::bridge_names(network.get_uuid()?);
    let in_use = error.message().split_once("already in use by interface ");
    let bridge = in_use.and_then(|(_, name)| names.into_iter().find(|own| own == name.trim()));
    let name = network.get_name()?;
    Ok(bridge.map(|bridge| {
        Failure::Refused(format!(
            "network {} cannot be started: its bridge {bridge} is there already, left behind by a \
             daemon that was ended while it started the network, and belongs to nobody. Run \
             `ip link delete {bridge}` on the host, and apply again",
            quoted(&name)
        ))
    }))
}
