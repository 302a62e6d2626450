//! Where a guest's address is seen. The lease of an earlier run still holds when the guest is started,
//! and the host still knows its neighbour: only what is newer than the start says that it is there.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use serde::Deserialize;
use tcloud_libvirt_calls::Lease;
use tcloud_model::{Fields, Value};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::network::Network;
use virt_sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP;

use super::nic::mac_of;
use crate::failure::{Absent, Failure, quoted};
use crate::xml::Element;

/// How long the agent may take for an answer, in seconds.
pub(super) const AGENT: i32 = 5;

/// The NIC whose address is waited for.
struct Nic {
    label: String,
    mac: [u8; 6],
    address: Option<IpAddr>,
}

/// Looks for the address of a guest's first NIC.
pub(super) struct Search {
    nic: Nic,
    /// The network of libvirt's that it is in.
    network: Option<Network>,
    /// Until when the leases hold that there were before the start, by address.
    leases: HashMap<String, i64>,
    /// The neighbours that there were.
    neighbours: HashSet<IpAddr>,
}

/// What one source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// The address.
    It,
    /// The address, from before the start.
    Old,
    /// Another one.
    Other(IpAddr),
    Nothing,
}

impl Search {
    /// Begins before the guest is started; `None` when it has no NIC.
    pub(super) fn begin(
        connect: &Connect,
        definition: &Element,
        attributes: &Fields,
    ) -> Result<Option<Search>, Failure> {
        let Some(nic) = first_nic(attributes) else { return Ok(None) };
        let network = match network_of(definition, nic.mac) {
            Some(name) => Network::lookup_by_name(connect, name).or_absent()?,
            None => None,
        };
        let mut search =
            Search { nic, network, leases: HashMap::new(), neighbours: HashSet::new() };
        search.leases =
            search.own_leases().into_iter().map(|own| (own.address, own.until)).collect();
        Ok(Some(search))
    }

    /// Notes what else there is, as soon as the guest is started: nobody can be asked before.
    pub(super) fn started(&mut self, domain: &Domain) {
        self.neighbours = self.own_neighbours(domain).collect();
    }

    /// Whether the address is there.
    pub(super) fn is_seen(&self, domain: &Domain) -> bool {
        self.lease() == Says::It
            || self.neighbour(domain) == Says::It
            || self.agent(domain) == Some(Says::It)
    }

    /// What each source says, for when it is not there in time.
    pub(super) fn told(&self, domain: &Domain) -> Result<String, Failure> {
        let wanted =
            self.nic.address.map_or_else(|| "an address".to_owned(), |own| own.to_string());
        let lease = match (&self.network, self.lease()) {
            (None, _) => "no network of libvirt gives it addresses".to_owned(),
            (Some(network), says) => {
                let name = quoted(&network.get_name()?);
                match says {
                    Says::Other(other) => format!("network {name} gave it {other}"),
                    Says::Old => format!("network {name} has its lease from before the start only"),
                    Says::It | Says::Nothing => format!("network {name} gave it none"),
                }
            }
        };
        let agent = match self.agent(domain) {
            None => "its agent does not answer".to_owned(),
            Some(Says::Other(other)) => format!("its agent says {other}"),
            Some(_) => "its agent says that it has none".to_owned(),
        };
        let neighbour = match self.neighbour(domain) {
            Says::Other(other) => format!("its host sees {other} there"),
            Says::Old => "its host saw it before the start only".to_owned(),
            Says::It | Says::Nothing => "its host does not see it".to_owned(),
        };
        Ok(format!("{wanted} of nic {}: {lease}, {agent}, {neighbour}", self.nic.label))
    }

    fn own_leases(&self) -> Vec<Lease> {
        // A network without DHCP has none; the other sources are still there.
        let all = self.network.as_ref().and_then(|own| tcloud_libvirt_calls::leases(own).ok());
        let is_own = |own: &Lease| mac_of(&own.mac) == Some(self.nic.mac);
        all.into_iter().flatten().filter(is_own).collect()
    }

    fn lease(&self) -> Says {
        let leases = self.own_leases();
        let found = leases.iter().filter_map(|own| {
            // One that was there and never ends tells nothing.
            let before = self.leases.get(&own.address);
            let is_new = before.is_none_or(|before| own.until > *before);
            Some((own.address.parse().ok()?, is_new))
        });
        self.says(found)
    }

    fn own_neighbours(&self, domain: &Domain) -> impl Iterator<Item = IpAddr> {
        let found = domain.interface_addresses(VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, 0);
        let mac = self.nic.mac;
        let own = found.unwrap_or_default().into_iter();
        own.filter(move |own| mac_of(&own.hwaddr) == Some(mac))
            .flat_map(|own| own.addrs)
            .filter_map(|own| own.addr.parse().ok())
    }

    fn neighbour(&self, domain: &Domain) -> Says {
        let found = self.own_neighbours(domain);
        self.says(found.map(|own| (own, !self.neighbours.contains(&own))))
    }

    /// What the guest's agent says; `None` when it does not answer.
    fn agent(&self, domain: &Domain) -> Option<Says> {
        let command = r#"{"execute":"guest-network-get-interfaces"}"#;
        let answer = domain.qemu_agent_command(command, AGENT, 0).ok()?;
        Some(self.says(addresses_in(&answer, self.nic.mac).into_iter().map(|own| (own, true))))
    }

    /// What addresses mean, each with whether it is newer than the start.
    fn says(&self, found: impl Iterator<Item = (IpAddr, bool)>) -> Says {
        let mut says = Says::Nothing;
        for (address, is_new) in found.filter(|(address, _)| is_lasting(*address)) {
            let fits = self.nic.address.is_none_or(|own| own == address);
            match (fits, is_new) {
                (true, true) => return Says::It,
                (true, false) => says = Says::Old,
                (false, true) if says == Says::Nothing => says = Says::Other(address),
                (false, _) => {}
            }
        }
        says
    }
}

fn first_nic(attributes: &Fields) -> Option<Nic> {
    attributes.map("nic")?.iter().find_map(|(label, nic)| {
        let Value::Map(nic) = nic else { return None };
        let Some(Value::Mac(mac)) = nic.get("mac") else { return None };
        let address = match nic.get("address") {
            Some(Value::Ip(address)) => Some(*address),
            _ => None,
        };
        Some(Nic { label: label.to_string(), mac: *mac, address })
    })
}

/// The network that the NIC of a MAC is in.
fn network_of(definition: &Element, mac: [u8; 6]) -> Option<&str> {
    let is_it = |nic: &&Element| {
        nic.find("mac").and_then(|own| own.get("address")).and_then(mac_of) == Some(mac)
    };
    let nic = definition.find("devices")?.elements("interface").find(is_it)?;
    nic.find("source")?.get("network")
}

fn is_lasting(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local() && !address.is_loopback(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_loopback(),
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "return")]
    cards: Vec<Card>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Card {
    hardware_address: Option<String>,
    #[serde(default)]
    ip_addresses: Vec<CardAddress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CardAddress {
    ip_address: String,
}

/// What an agent says of a NIC. It is the guest that speaks, so nothing else is believed.
fn addresses_in(answer: &str, mac: [u8; 6]) -> Vec<IpAddr> {
    let Ok(Answer { cards }) = serde_json::from_str(answer) else { return Vec::new() };
    let own = |card: &Card| card.hardware_address.as_deref().and_then(mac_of) == Some(mac);
    let all = cards.into_iter().filter(own).flat_map(|card| card.ip_addresses);
    all.filter_map(|own| own.ip_address.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn an_agent_is_read_and_nonsense_is_not() {
        let answer = r#"{"return":[{"name":"lo","ip-addresses":[{"ip-address":"127.0.0.1"}]},
            {"name":"eth0","hardware-address":"52:54:00:00:00:01","ip-addresses":
            [{"ip-address-type":"ipv4","ip-address":"10.0.0.7","prefix":24},
            {"ip-address":"nonsense"}]}]}"#;
        let mac = [0x52, 0x54, 0, 0, 0, 1];
        assert_eq!(addresses_in(answer, mac), [ip("10.0.0.7")]);
        for nonsense in ["", "{}", r#"{"return":7}"#, r#"{"return":[{"ip-addresses":{}}]}"#] {
            assert!(addresses_in(nonsense, mac).is_empty(), "{nonsense}");
        }
    }

    #[test]
    fn what_was_there_before_the_start_does_not_count() {
        let search = |address: Option<&str>| Search {
            nic: Nic { label: "a".to_owned(), mac: [0; 6], address: address.map(ip) },
            network: None,
            leases: HashMap::new(),
            neighbours: HashSet::new(),
        };
        let says = |wanted, found: &[(&str, bool)]| {
            search(wanted).says(found.iter().map(|(own, is_new)| (ip(own), *is_new)))
        };
        let (it, other) = ("10.0.0.7", "10.0.0.8");
        assert_eq!(says(Some(it), &[(other, true), (it, true)]), Says::It);
        assert_eq!(says(Some(it), &[(other, true), (it, false)]), Says::Old);
        assert_eq!(says(Some(it), &[(other, true)]), Says::Other(ip(other)));
        assert_eq!(says(Some(it), &[(other, false)]), Says::Nothing);
        assert_eq!(says(None, &[(other, false), ("169.254.1.1", true)]), Says::Old);
        assert_eq!(says(None, &[(other, true)]), Says::It);
    }
}
