//! The rules of networks and NICs as nwfilters of libvirt. What is in force in running guests
//! changes at once when a filter is defined again.
//!
//! A network has one filter, which all its NICs refer to with their own addresses as parameters. A
//! NIC has a filter of its own, with the network's in it, only when rules hold for it alone. They
//! carry no stamp: named after their owner, they come and go with it. The host's stock filters are
//! not used, so that nobody can change what ours mean.
//!
//! What libvirt can do decides how (see also `planner::firewall`):
//!
//! * Frames pass ebtables, which holds a guest to its own MAC and addresses. It knows no connections.
//! * Packets pass iptables with connection tracking: all that a guest sends, but of what is sent to
//!   it only what is bridged. When the host itself routes a packet to a guest, no rule sees it. So a
//!   connection that nobody admits is stopped at the guest's answer, whose direction (`ctdir`) shows
//!   that it is one; and what is not answered is stopped where it is sent.
//! * libvirt lets pass what a filter of the sender's has accepted, also into a `nat` network, whose own
//!   rules would turn it away. So there is a rule about connections only where guests are guarded.
//!
//! * [`space`] – addresses and openings, from and to attributes.
//! * `write` – filters from attributes; `read` – attributes from filters.

mod read;
pub mod space;
mod write;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use tcloud_model::{Fields, Identity, Name, Value};
use uuid::Uuid;
use virt::connect::Connect;
use virt::error::ErrorNumber;
use virt::network::Network;
use virt::nwfilter::NWFilter;
use virt_sys::VIR_NETWORK_XML_INACTIVE;

use crate::failure::{Absent, Failure};
use crate::site::Call;
use crate::stamp::Note;
use crate::xml::Element;

pub use read::{holds_nic, read_network, read_nic};
pub use write::{network_filter, nic_filter};

/// What our filters' names begin with.
pub const PREFIX: &str = "tcloud-";
/// What the names of NICs' own filters begin with.
pub const NIC: &str = "tcloud-nic-";

/// How a NIC refers to its filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The filter's name.
    pub name: String,
    /// Its parameters: `("IP", "10.20.0.10")`.
    pub parameters: Vec<(String, String)>,
}

/// The name of a network's filter.
pub fn network_name(network: &str) -> String {
    format!("{PREFIX}net-{}", plain(network))
}

/// The name of a NIC's own filter in a network: another one for each network, so that a NIC that moves
/// takes the other network's rules in the moment in which it moves, and not before. The label comes
/// first, as it holds no dot; of the network there is only a digest, since names of files are short.
pub fn nic_name(vm: &str, label: &str, network: &str) -> String {
    let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, network.as_bytes()).simple().to_string();
    format!("{NIC}{}.{}_{}", plain(label), plain(vm), &digest[..8])
}

/// Filters' names hold letters, digits and some signs; every other character is written as its
/// code.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        match c {
            '.' | ':' | '-' => plain.push(c),
            c if c.is_ascii_alphanumeric() => plain.push(c),
            // Writing to a text cannot fail.
            c => drop(write!(plain, "_{:x}_", u32::from(c))),
        }
    }
    plain
}

/// Whether rules hold for a NIC alone.
pub fn has_own(nic: &Fields) -> bool {
    ["admits", "reaches"].iter().any(|name| !nic.list(name).is_empty())
}

/// How a NIC of a guest refers to its filter; `None` when it is not held to any.
pub fn reference(vm: &str, label: &Name, nic: &Fields, network: &str) -> Option<Reference> {
    if nic.flag("filter") == Some(false) {
        return None;
    }
    let name = match has_own(nic) {
        true => nic_name(vm, label, network),
        false => network_name(network),
    };
    let parameter = match nic.get("address") {
        Some(Value::Ip(ip)) if ip.is_ipv6() => ("IPV6".to_owned(), ip.to_string()),
        Some(Value::Ip(ip)) => ("IP".to_owned(), ip.to_string()),
        // What a guest chooses itself is learnt from its first packet, and then holds.
        _ => ("CTRL_IP_LEARNING".to_owned(), "any".to_owned()),
    };
    Some(Reference { name, parameters: vec![parameter] })
}

impl Call<'_> {
    /// Makes a network's filter what it should be; running guests are held to it at once.
    pub(crate) fn define_network_filter(
        &self,
        network: &str,
        uuid: Uuid,
        attributes: &Fields,
    ) -> Result<(), Failure> {
        self.define_filter(&network_filter(network, derived(uuid, "network"), attributes))
    }

    /// Makes what a NIC of a guest will refer to: its network's filter, which an adopted network
    /// lacks, and its own, if it needs one.
    pub(crate) fn define_nic_filter(
        &self,
        vm: &Identity,
        label: &Name,
        nic: &Fields,
        network: &str,
    ) -> Result<(), Failure> {
        if nic.flag("filter") == Some(false) {
            return Ok(());
        }
        self.ensure_network_filter(network)?;
        if has_own(nic) {
            let uuid = derived(vm.uuid, &format!("{label}/{network}"));
            self.define_filter(&nic_filter(&vm.name, label, uuid, nic, network))?;
        }
        Ok(())
    }

    fn ensure_network_filter(&self, name: &str) -> Result<(), Failure> {
        if NWFilter::lookup_by_name(self.connect, &network_name(name)).or_absent()?.is_some() {
            return Ok(());
        }
        let network = Network::lookup_by_name(self.connect, name).or_absent()?;
        let Some(network) = network else { return Ok(()) };
        let definition = Element::parse(&network.get_xml_desc(VIR_NETWORK_XML_INACTIVE)?)?;
        self.define_network_filter(name, network.get_uuid()?, &crate::network::read(&definition))
    }

    fn define_filter(&self, filter: &Element) -> Result<(), Failure> {
        NWFilter::define_xml(self.connect, &filter.write()?)?;
        Ok(())
    }

    /// Removes a filter that nothing refers to any more; absent already is fine.
    pub(crate) fn remove_filter(&self, name: &str) -> Result<(), Failure> {
        match lookup(self.connect, name)? {
            Some(filter) => Ok(filter.undefine()?),
            None => Ok(()),
        }
    }

    /// Removes the filters that only a guest with this definition can have: its NICs' own.
    pub(crate) fn remove_own(&self, definition: &Element) -> Result<(), Failure> {
        own_names(definition).iter().try_for_each(|name| self.remove_if_unused(name))
    }

    /// Removes the filters that a guest referred to, by its definitions `before`, and does not any more:
    /// NICs' own, and those of networks of others. One that a running guest still has until its next
    /// start is left.
    pub(crate) fn remove_unused(
        &self,
        before: &[&Element],
        after: Option<&Element>,
    ) -> Result<(), Failure> {
        let gone = |of: fn(&Element) -> Vec<String>| {
            let kept = after.map(of).unwrap_or_default();
            let mut gone: Vec<String> = before.iter().flat_map(|own| of(own)).collect();
            gone.retain(|name| !kept.contains(name));
            gone
        };
        for name in gone(own_names) {
            self.remove_if_unused(&name)?;
        }
        for network in gone(filtered_networks) {
            self.remove_filter_of_others(&network)?;
        }
        Ok(())
    }

    /// The same; one that a guest still has is left.
    pub(crate) fn remove_if_unused(&self, name: &str) -> Result<(), Failure> {
        match self.remove_filter(name) {
            Err(failure) if failure.is(ErrorNumber::OperationInvalid) => Ok(()),
            other => other,
        }
    }

    /// Removes the filter that was made for guests of ours in a network of others, when there is none
    /// left. libvirt counts only the guests that run.
    fn remove_filter_of_others(&self, network: &str) -> Result<(), Failure> {
        let filter = network_name(network);
        let _guard = self.site.guards.exclusive(&filter);
        if let Some(own) = Network::lookup_by_name(self.connect, network).or_absent()? {
            let definition = Element::parse(&own.get_xml_desc(VIR_NETWORK_XML_INACTIVE)?)?;
            if Note::of(&definition).is_some() {
                return Ok(());
            }
        }
        self.site.users.forget();
        match self.network_users(network)?.is_empty() {
            true => self.remove_if_unused(&filter),
            false => Ok(()),
        }
    }

    /// The definition of a filter.
    pub(crate) fn filter(&self, name: &str) -> Result<Option<Element>, Failure> {
        find(self.connect, name)
    }
}

/// The definition of a filter.
pub(crate) fn find(connect: &Connect, name: &str) -> Result<Option<Element>, Failure> {
    match lookup(connect, name)? {
        Some(filter) => Ok(Some(Element::parse(&filter.get_xml_desc(0)?)?)),
        None => Ok(None),
    }
}

/// A filter. A host may not have any such thing.
fn lookup(connect: &Connect, name: &str) -> Result<Option<NWFilter>, Failure> {
    match NWFilter::lookup_by_name(connect, name).or_absent() {
        Err(failure) if failure.is(ErrorNumber::NoSupport) => Ok(None),
        found => found,
    }
}

/// NICs' own filters that a guest's definition refers to.
pub(crate) fn own_names(domain: &Element) -> Vec<String> {
    let names = held(domain).map(|(_, filter)| filter).filter(|name| name.starts_with(NIC));
    names.map(str::to_owned).collect()
}

/// The networks in which NICs of a guest are held to a filter of ours.
fn filtered_networks(domain: &Element) -> Vec<String> {
    let networks = held(domain).filter(|(_, filter)| filter.starts_with(PREFIX));
    networks.filter_map(|(nic, _)| Some(nic.find("source")?.get("network")?.to_owned())).collect()
}

/// The NICs of a guest that have a filter, with its name.
fn held(domain: &Element) -> impl Iterator<Item = (&Element, &str)> {
    let devices = domain.find("devices").into_iter();
    let nics = devices.flat_map(|devices| devices.elements("interface"));
    nics.filter_map(|nic| Some((nic, nic.find("filterref")?.get("filter")?)))
}

/// The UUID of an owner's filter.
fn derived(owner: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&owner, format!("nwfilter/{what}").as_bytes())
}
