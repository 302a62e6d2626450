//! Waiting for a guest: until it runs, has an address, or its agent answers. What is waited for is
//! said, and so is where an address was looked for.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tcloud_model::{Fields, Value};
use virt::domain::Domain;
use virt_sys::{VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE};

use super::nic::mac_of;
use super::power;
use crate::failure::{Failure, quoted};

/// How long a guest is waited for when nothing else is said.
const WITHIN: Duration = Duration::from_secs(300);

const TICK: Duration = Duration::from_millis(500);

/// How long the agent may take for an answer, in seconds.
const AGENT: i32 = 5;

/// Waits for what `wait_for` says.
pub(super) fn wait(domain: &Domain, attributes: &Fields) -> Result<(), Failure> {
    let within = attributes.number("wait_within").map_or(WITHIN, Duration::from_millis);
    let until = Instant::now() + within;
    let seconds = within.as_secs();
    let name = quoted(&domain.get_name()?);
    match attributes.text("wait_for") {
        None | Some("nothing") => Ok(()),
        Some("address") => {
            let Some(nic) = first_nic(attributes) else {
                return Failure::refused(format!(
                    "guest {name} has no NIC to wait for an address of"
                ));
            };
            poll(
                domain,
                until,
                || Ok(address(domain, &nic)?.is_some()),
                || {
                    let wanted =
                        nic.address.map_or_else(|| "an address".to_owned(), |own| own.to_string());
                    format!(
                        "guest {name} runs, but {wanted} of nic {} was not seen within {seconds} s: \
                     asked were the network's leases, the guest's agent and the host's neighbours",
                        nic.label
                    )
                },
            )
        }
        Some("agent") => poll(
            domain,
            until,
            || Ok(ping(domain)),
            || format!("guest {name} runs, but its agent did not answer within {seconds} s"),
        ),
        Some(_) => poll(
            domain,
            until,
            || power::is_executing(domain),
            || format!("guest {name} does not run after {seconds} s"),
        ),
    }
}

fn poll(
    domain: &Domain,
    until: Instant,
    mut done: impl FnMut() -> Result<bool, Failure>,
    trouble: impl FnOnce() -> String,
) -> Result<(), Failure> {
    loop {
        if done()? {
            return Ok(());
        }
        if !domain.is_active()? {
            let name = quoted(&domain.get_name()?);
            return Failure::refused(format!(
                "guest {name} stopped by itself while it was waited for"
            ));
        }
        if Instant::now() >= until {
            return Failure::refused(trouble());
        }
        sleep(TICK);
    }
}

struct Nic {
    label: String,
    mac: [u8; 6],
    address: Option<IpAddr>,
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

/// The address of a NIC, from the first source that names one.
fn address(domain: &Domain, nic: &Nic) -> Result<Option<IpAddr>, Failure> {
    let fits = |address: &IpAddr| match nic.address {
        Some(own) => own == *address,
        None => is_lasting(*address),
    };
    for source in [VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP]
    {
        // A network without DHCP has no leases; the other sources are still there.
        let Ok(found) = domain.interface_addresses(source, 0) else { continue };
        let own = found.into_iter().filter(|own| mac_of(&own.hwaddr) == Some(nic.mac));
        let mut all = own.flat_map(|own| own.addrs).filter_map(|own| own.addr.parse().ok());
        if let Some(address) = all.find(fits) {
            return Ok(Some(address));
        }
    }
    Ok(agent_addresses(domain, nic.mac).into_iter().find(fits))
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

/// What the guest's agent says of a NIC. It is the guest that speaks, so nothing else is believed.
fn agent_addresses(domain: &Domain, mac: [u8; 6]) -> Vec<IpAddr> {
    let command = r#"{"execute":"guest-network-get-interfaces"}"#;
    let Ok(answer) = domain.qemu_agent_command(command, AGENT, 0) else { return Vec::new() };
    addresses_in(&answer, mac)
}

fn addresses_in(answer: &str, mac: [u8; 6]) -> Vec<IpAddr> {
    let Ok(Answer { cards }) = serde_json::from_str(answer) else { return Vec::new() };
    let own = |card: &Card| card.hardware_address.as_deref().and_then(mac_of) == Some(mac);
    let all = cards.into_iter().filter(own).flat_map(|card| card.ip_addresses);
    all.filter_map(|own| own.ip_address.parse().ok()).collect()
}

fn ping(domain: &Domain) -> bool {
    domain.qemu_agent_command(r#"{"execute":"guest-ping"}"#, AGENT, 0).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_read_and_nonsense_is_not() {
        let answer = r#"{"return":[{"name":"lo","ip-addresses":[{"ip-address":"127.0.0.1"}]},
            {"name":"eth0","hardware-address":"52:54:00:00:00:01","ip-addresses":
            [{"ip-address-type":"ipv4","ip-address":"10.0.0.7","prefix":24},
            {"ip-address":"nonsense"}]}]}"#;
        let mac = [0x52, 0x54, 0, 0, 0, 1];
        assert_eq!(addresses_in(answer, mac), ["10.0.0.7".parse::<IpAddr>().expect("an address")]);
        for nonsense in ["", "{}", r#"{"return":7}"#, r#"{"return":[{"ip-addresses":{}}]}"#] {
            assert!(addresses_in(nonsense, mac).is_empty(), "{nonsense}");
        }
    }
}
