//! What only guests have: cards with addresses of networks, and disks that lie somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use tcloud_model::{Address, AttrPath, Cidr, Fields, Name, Value};

use super::describe::Writer;
use super::{Form, Subject, Wish};

/// What is in use already, and the networks that cards are in.
pub(super) struct Guests {
    networks: BTreeMap<Address, Arc<Fields>>,
    addresses: BTreeSet<(Address, IpAddr)>,
    macs: BTreeSet<[u8; 6]>,
    attached: BTreeSet<Address>,
    volume: Name,
    network: Name,
}

impl Guests {
    pub(super) fn new(wish: &Wish<'_>, subjects: &[Subject<'_>]) -> Guests {
        let mut guests = Guests {
            networks: BTreeMap::new(),
            addresses: BTreeSet::new(),
            macs: BTreeSet::new(),
            attached: BTreeSet::new(),
            volume: Name::new("volume"),
            network: Name::new("network"),
        };
        for (address, resource) in &wish.desired.resources {
            if *address.kind() == guests.network {
                guests.networks.insert(address.clone(), Arc::clone(&resource.attributes));
            }
            for nic in blocks(&resource.attributes, "nic") {
                guests.macs.extend(mac(nic));
                let network = nic.reference("network").cloned();
                guests.addresses.extend(network.zip(ip(nic)));
            }
            let disks = blocks(&resource.attributes, "disk");
            guests.attached.extend(disks.filter_map(|disk| disk.reference("volume").cloned()));
        }
        for subject in subjects.iter().filter(|own| own.object.kind == guests.network) {
            if subject.form != Form::Joins {
                guests.networks.insert(subject.address.clone(), subject.object.persistent());
            }
        }
        guests
    }
}

fn blocks<'f>(fields: &'f Fields, name: &str) -> impl Iterator<Item = &'f Arc<Fields>> {
    fields.map(name).into_iter().flat_map(|all| all.iter()).filter_map(|(_, one)| match one {
        Value::Map(one) => Some(one),
        _ => None,
    })
}

fn mac(nic: &Fields) -> Option<[u8; 6]> {
    match nic.get("mac") {
        Some(Value::Mac(mac)) => Some(*mac),
        _ => None,
    }
}

fn ip(nic: &Fields) -> Option<IpAddr> {
    match nic.get("address") {
        Some(Value::Ip(ip)) => Some(*ip),
        _ => None,
    }
}

impl Writer<'_> {
    /// Says of a guest's cards and disks what the language can say.
    pub(super) fn guest(&mut self, fields: &mut Fields, guests: &mut Guests) {
        self.each(fields, "nic", |writer, path, nic| writer.nic(path, nic, guests));
        self.each(fields, "disk", |writer, path, disk| writer.disk(path, disk, guests));
    }

    fn each(
        &mut self,
        fields: &mut Fields,
        block: &str,
        mut change: impl FnMut(&mut Self, &AttrPath, &mut Fields) -> bool,
    ) {
        let Some(all) = fields.map(block).cloned() else { return };
        let mut left = Fields::new();
        for (label, one) in all.iter() {
            let Value::Map(one) = one else { continue };
            let mut one = (**one).clone();
            let path = AttrPath::attribute(Name::new(block)).field(label.clone());
            if change(self, &path, &mut one) {
                left.insert(label.clone(), Value::map(one));
            }
        }
        fields.insert(Name::new(block), Value::map(left));
    }

    /// An address is written where the network leaves it to the text; else it is the guest's own.
    fn nic(&mut self, path: &AttrPath, nic: &mut Fields, guests: &mut Guests) -> bool {
        if mac(nic).is_some_and(|mac| !guests.macs.insert(mac))
            && let Some(value) = nic.remove("mac")
        {
            self.ignored.push(path.field("mac"));
            self.keep(&path.field("mac"), &value);
        }
        let network = self.target(nic, "network", &guests.network);
        let Some(network) = network else { return true };
        let about = guests.networks.get(&network).cloned().unwrap_or_default();
        let address = ip(nic);
        let writable = address.is_some_and(|ip| {
            leaves_to_the_text(&about, ip) && guests.addresses.insert((network, ip))
        });
        if !writable {
            nic.remove("address");
            if let Some(ip) = address {
                self.notes
                    .push(format!("{path} has the address {ip}, which the text does not give"));
            }
            if about.get("cidr").is_some() {
                nic.insert("dynamic", Value::Bool(true));
            }
        }
        true
    }

    /// A disk that lies in no volume, or in one that another guest has, is left as it is.
    fn disk(&mut self, path: &AttrPath, disk: &mut Fields, guests: &mut Guests) -> bool {
        let volume = self.target(disk, "volume", &guests.volume);
        let own = volume.is_some_and(|volume| guests.attached.insert(volume));
        if !own {
            self.keep(path, &Value::map(disk.clone()));
        }
        own
    }

    /// What a reference of a block means.
    fn target(&self, fields: &Fields, attribute: &str, kind: &Name) -> Option<Address> {
        match fields.get(attribute) {
            Some(Value::Ref(address)) => Some(address.clone()),
            Some(Value::Text(name)) => self.meanings.of(std::slice::from_ref(kind), name).cloned(),
            _ => None,
        }
    }
}

/// Whether a static address may stand in the text: the network has it for guests, and its DHCP does
/// not give it away.
fn leaves_to_the_text(network: &Fields, ip: IpAddr) -> bool {
    let Some(Value::Cidr(cidr)) = network.get("cidr") else { return true };
    let cidr6 = match network.get("cidr6") {
        Some(Value::Cidr(cidr)) => Some(cidr),
        _ => None,
    };
    let within = std::iter::once(cidr).chain(cidr6).find(|cidr| cidr.contains(&ip));
    let Some(within) = within else { return false };
    let dhcp = network.map("dhcp").and_then(|dhcp| match dhcp.get("range") {
        Some(Value::IpRange(range)) => Some(**range),
        _ => None,
    });
    let given = dhcp.is_some_and(|(first, last)| first <= ip && ip <= last);
    let routed = !matches!(network.text("mode"), Some("isolated" | "bridge"));
    let gateway = match network.get("gateway") {
        Some(Value::Ip(gateway)) => Some(*gateway),
        _ if routed => within.hosts().next(),
        _ => None,
    };
    !given && gateway != Some(ip) && is_host(within, ip)
}

fn is_host(cidr: &Cidr, ip: IpAddr) -> bool {
    ip != cidr.network() && (ip.is_ipv6() || ip != cidr.broadcast())
}
