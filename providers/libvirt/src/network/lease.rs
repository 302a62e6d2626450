//! The addresses that guests are given by their MAC. They are a part of the network for libvirt, and
//! of the NIC for us: a guest's own operations make and remove them, always for now and for later.

use std::net::IpAddr;

use virt::network::Network;
use virt_sys::{
    VIR_NETWORK_SECTION_IP_DHCP_HOST, VIR_NETWORK_UPDATE_AFFECT_CONFIG,
    VIR_NETWORK_UPDATE_AFFECT_LIVE, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
    VIR_NETWORK_UPDATE_COMMAND_DELETE, VIR_NETWORK_XML_INACTIVE,
};

use super::gives_addresses;
use super::write::is_v6;
use crate::domain::mac_text;
use crate::failure::{Absent, Failure, quoted};
use crate::site::Call;
use crate::xml::Element;

/// An address for a NIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    /// The NIC's MAC address.
    pub(crate) mac: [u8; 6],
    /// The address that it gets.
    pub(crate) address: IpAddr,
    /// The name that the network's DNS knows it by.
    pub(crate) name: Option<String>,
}

/// Which of a network's definitions a reservation is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What is in force.
    Now,
    /// What is in force from its next start on.
    Later,
    /// Both.
    Both,
}

impl Reservation {
    fn element(&self, with_name: bool) -> Element {
        let host = Element::new("host").attr("mac", mac_text(self.mac));
        let host = match &self.name {
            Some(name) if with_name => host.attr("name", name),
            _ => host,
        };
        host.attr("ip", self.address)
    }
}

impl Call<'_> {
    /// Gives a NIC its address in a network. Done twice it is done once, and another address that
    /// the NIC had there goes. A network that gives no addresses is left alone.
    ///
    /// # Errors
    /// When the address is another NIC's.
    pub(crate) fn reserve(
        &self,
        network: &str,
        wanted: &Reservation,
        side: Side,
    ) -> Result<(), Failure> {
        // Alone: whether a name is free in the DNS is looked at and then relied upon.
        let _guard = self.site.guards.exclusive(&format!("network/{network}"));
        let Some(own) = Network::lookup_by_name(self.connect, network).or_absent()? else {
            return self.site.missing("network", network);
        };
        if wanted.address.is_ipv6() {
            return Ok(());
        }
        for (affect, definition) in sides(&own, side)? {
            let hosts = hosts(&definition);
            let mac = mac_text(wanted.mac);
            let address = wanted.address.to_string();
            let taken = hosts.iter().find(|host| {
                host.get("ip") == Some(&address) && host.get("mac").is_none_or(|own| own != mac)
            });
            if let Some(other) = taken {
                return Failure::refused(format!(
                    "{address} in network {} is reserved for {}",
                    quoted(network),
                    other.get("mac").or(other.get("name")).map(quoted).unwrap_or_default()
                ));
            }
            // libvirt allows a name once; the second guest of a name has none in the DNS.
            let is_free = |name: &String| {
                !hosts.iter().any(|host| host.get("name") == Some(name) && !is_of(host, &mac))
            };
            let element = wanted.element(wanted.name.as_ref().is_some_and(is_free));
            let old: Vec<&Element> = hosts.iter().filter(|host| is_of(host, &mac)).collect();
            let same = |host: &&Element| {
                ["ip", "name"].iter().all(|name| host.get(name) == element.get(name))
            };
            if let [only] = old[..]
                && same(&only)
            {
                continue;
            }
            for host in old {
                change(&own, VIR_NETWORK_UPDATE_COMMAND_DELETE, host, affect)?;
            }
            change(&own, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, &element, affect)?;
        }
        Ok(())
    }

    /// Takes the address of a NIC back. What is gone already, or a network that is, is fine.
    pub(crate) fn release(&self, network: &str, mac: &[u8; 6], side: Side) -> Result<(), Failure> {
        let _guard = self.site.guards.shared(&format!("network/{network}"));
        let Some(own) = Network::lookup_by_name(self.connect, network).or_absent()? else {
            return Ok(());
        };
        let mac = mac_text(*mac);
        for (affect, definition) in sides(&own, side)? {
            for host in hosts(&definition).iter().filter(|host| is_of(host, &mac)) {
                change(&own, VIR_NETWORK_UPDATE_COMMAND_DELETE, host, affect)?;
            }
        }
        Ok(())
    }
}

/// The definitions of a side, each with the flag that changes it; none of a network that gives no
/// addresses.
fn sides(network: &Network, side: Side) -> Result<Vec<(u32, Element)>, Failure> {
    let later = Element::parse(&network.get_xml_desc(VIR_NETWORK_XML_INACTIVE)?)?;
    if !gives_addresses(&later) {
        return Ok(Vec::new());
    }
    let mut sides = Vec::new();
    if side != Side::Now {
        sides.push((VIR_NETWORK_UPDATE_AFFECT_CONFIG, later));
    }
    if side != Side::Later && network.is_active()? {
        let now = Element::parse(&network.get_xml_desc(0)?)?;
        sides.push((VIR_NETWORK_UPDATE_AFFECT_LIVE, now));
    }
    Ok(sides)
}

fn hosts(definition: &Element) -> Vec<Element> {
    let v4 = definition.elements("ip").filter(|ip| !is_v6(ip));
    let hosts = v4.filter_map(|ip| ip.find("dhcp")).flat_map(|dhcp| dhcp.elements("host"));
    hosts.cloned().collect()
}

fn is_of(host: &Element, mac: &str) -> bool {
    host.get("mac").is_some_and(|own| own.eq_ignore_ascii_case(mac))
}

fn change(network: &Network, command: u32, host: &Element, affect: u32) -> Result<(), Failure> {
    let section = VIR_NETWORK_SECTION_IP_DHCP_HOST;
    network.update(command, section, -1, &host.write()?, affect)?;
    Ok(())
}
