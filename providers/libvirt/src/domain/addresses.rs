//! The addresses that networks keep for a guest's NICs. They come before the NIC, and go after it.

use std::net::IpAddr;

use tcloud_model::{Fields, Name, Value};

use super::{Directory, definition};
use crate::failure::Failure;
use crate::network::{Reservation, Side};
use crate::site::Call;
use crate::xml::Element;

/// A NIC that an address is kept for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    label: Name,
    network: String,
    mac: [u8; 6],
    address: IpAddr,
}

/// What is kept for the NICs of these attributes.
pub(super) fn of(attributes: &Fields, directory: &Directory) -> Vec<Kept> {
    let nics = attributes.map("nic").into_iter().flat_map(|nics| nics.iter());
    let kept = nics.filter_map(|(label, nic)| {
        let Value::Map(nic) = nic else { return None };
        // The networks of others keep what they like.
        let network = nic.get("network").filter(|own| own.as_ref_address().is_some())?;
        let network = directory.network(network)?.to_owned();
        match (nic.get("mac"), nic.get("address")) {
            (Some(Value::Mac(mac)), Some(Value::Ip(address))) => {
                Some(Kept { label: label.clone(), network, mac: *mac, address: *address })
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

/// What changes about the addresses of a guest's NICs.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    /// What is kept for it before, in both definitions.
    pub(super) before: &'a [Kept],
    /// What is to be kept for it.
    pub(super) after: &'a [Kept],
    /// What networks' DNS knows it by.
    pub(super) hostname: Option<&'a str>,
}

impl Call<'_> {
    /// Has networks keep addresses; `hostname` is what their DNS knows the guest by.
    pub(super) fn keep(&self, kept: &[Kept], hostname: Option<&str>) -> Result<(), Failure> {
        kept.iter().try_for_each(|own| self.keep_one(own, hostname, Side::Both))
    }

    fn keep_one(&self, kept: &Kept, hostname: Option<&str>, side: Side) -> Result<(), Failure> {
        let Kept { label: _, network, mac, address } = kept;
        let name = hostname.map(str::to_owned);
        self.reserve(network, &Reservation { mac: *mac, address: *address, name }, side)
    }

    /// Lets go of what a NIC's old MAC holds and its new one is to have, and keeps that for it. A card
    /// of a running guest (`live`) goes on with its old MAC until the next start: until then its
    /// network goes on giving it its address.
    pub(super) fn exchange(&self, exchange: &Exchange<'_>, live: &[Kept]) -> Result<(), Failure> {
        let Exchange { before, after, hostname } = exchange;
        let same = |own: &Kept, other: &Kept| {
            (&own.network, own.address) == (&other.network, other.address) && own.mac != other.mac
        };
        let card = |own: &Kept| {
            live.iter().find(|live| live.label == own.label).filter(|live| live.mac != own.mac)
        };
        for own in before.iter() {
            let Some(other) = after.iter().find(|other| same(own, other)) else { continue };
            let waits = card(other).is_some_and(|live| live.mac == own.mac);
            self.release(&own.network, &own.mac, if waits { Side::Later } else { Side::Both })?;
        }
        for own in after.iter() {
            match card(own) {
                Some(live) => {
                    self.keep_one(own, *hostname, Side::Later)?;
                    self.keep_one(&Kept { mac: live.mac, ..own.clone() }, *hostname, Side::Now)?;
                }
                None => self.keep_one(own, *hostname, Side::Both)?,
            }
        }
        Ok(())
    }

    /// Gives back what was kept and is not any more. A NIC that waits for the next start of its guest
    /// still has its own.
    pub(super) fn give_back(&self, before: &[Kept], after: &[Kept]) -> Result<(), Failure> {
        let same = |own: &Kept, other: &Kept| own.network == other.network && own.mac == other.mac;
        for own in before.iter().filter(|own| !after.iter().any(|other| same(own, other))) {
            self.release(&own.network, &own.mac, Side::Both)?;
        }
        Ok(())
    }
}
