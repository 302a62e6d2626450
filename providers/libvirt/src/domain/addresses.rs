//! The addresses that networks keep for a guest's NICs. They come before the NIC, and go after it.

use std::net::IpAddr;

use tcloud_model::{Fields, Value};

use super::{Directory, definition};
use crate::failure::Failure;
use crate::network::Reservation;
use crate::site::Call;
use crate::xml::Element;

/// A NIC that an address is kept for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    network: String,
    mac: [u8; 6],
    address: IpAddr,
}

/// What is kept for the NICs of these attributes.
pub(super) fn of(attributes: &Fields, directory: &Directory) -> Vec<Kept> {
    let nics = attributes.map("nic").into_iter().flat_map(|nics| nics.iter());
    let kept = nics.filter_map(|(_, nic)| {
        let Value::Map(nic) = nic else { return None };
        // The networks of others keep what they like.
        let network = nic.get("network").filter(|own| own.as_ref_address().is_some())?;
        let network = directory.network(network)?.to_owned();
        match (nic.get("mac"), nic.get("address")) {
            (Some(Value::Mac(mac)), Some(Value::Ip(address))) => {
                Some(Kept { network, mac: *mac, address: *address })
            }
            _ => None,
        }
    });
    kept.collect()
}

/// What is kept for the NICs of definitions.
pub(super) fn of_definitions(definitions: &[&Element], directory: &Directory) -> Vec<Kept> {
    definitions.iter().flat_map(|own| of(&definition(own, directory), directory)).collect()
}

impl Call<'_> {
    /// Has networks keep addresses; `hostname` is what their DNS knows the guest by.
    pub(super) fn keep(&self, kept: &[Kept], hostname: Option<&str>) -> Result<(), Failure> {
        for Kept { network, mac, address } in kept {
            let name = hostname.map(str::to_owned);
            self.reserve(network, &Reservation { mac: *mac, address: *address, name })?;
        }
        Ok(())
    }

    /// Lets go of what a NIC's old MAC holds and its new one is to have.
    pub(super) fn make_way(&self, before: &[Kept], after: &[Kept]) -> Result<(), Failure> {
        let is_taken = |own: &Kept| {
            after.iter().any(|other| {
                (&own.network, own.address) == (&other.network, other.address)
                    && own.mac != other.mac
            })
        };
        for own in before.iter().filter(|own| is_taken(own)) {
            self.release(&own.network, &own.mac)?;
        }
        Ok(())
    }

    /// Gives back what was kept and is not any more. A NIC that waits for the next start of its guest
    /// still has its own.
    pub(super) fn give_back(&self, before: &[Kept], after: &[Kept]) -> Result<(), Failure> {
        let same = |own: &Kept, other: &Kept| own.network == other.network && own.mac == other.mac;
        for own in before.iter().filter(|own| !after.iter().any(|other| same(own, other))) {
            self.release(&own.network, &own.mac)?;
        }
        Ok(())
    }
}
