//! The filters of the libvirt provider, shown with packets from inside guests on real hosts: two
//! tenants reach their own and never the other's; a rule opens exactly one port, in running guests;
//! what is forged dies where it is sent.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tcloud_model::{Fields, Name};
use tcloud_provider_libvirt::firewall::{network_filter, nic_filter, reference};
use tcloud_tests::hosts::{Hosts, wait};
use uuid::Uuid;

/// How long a guest may need to answer, on a machine without KVM that has much to do.
const BOOT: Duration = Duration::from_secs(180);

/// A network of a tenant on a host.
struct Net {
    name: &'static str,
    host: usize,
    /// `10.21.0`: its first three numbers.
    prefix: &'static str,
    mode: &'static str,
}

const TOWN: Net = Net { name: "town", host: 1, prefix: "10.21.0", mode: "routed" };
const OTHER: Net = Net { name: "other", host: 1, prefix: "10.22.0", mode: "routed" };
const HIDDEN: Net = Net { name: "hidden", host: 1, prefix: "10.99.0", mode: "nat" };
const REMOTE: Net = Net { name: "remote", host: 2, prefix: "10.23.0", mode: "routed" };

/// A guest with one card.
struct Guest {
    name: &'static str,
    net: &'static Net,
    last: u8,
}

const A: Guest = Guest { name: "a", net: &TOWN, last: 10 };
const NEIGHBOUR: Guest = Guest { name: "neighbour", net: &TOWN, last: 11 };
const B: Guest = Guest { name: "b", net: &OTHER, last: 10 };
const H: Guest = Guest { name: "h", net: &HIDDEN, last: 10 };
const R: Guest = Guest { name: "r", net: &REMOTE, last: 10 };

impl Net {
    fn fields(&self, more: &Json) -> Fields {
        let mut all = json!({
            "cidr": { "$cidr": format!("{}.0/24", self.prefix) },
            "mode": self.mode,
            "guarded": [{ "$cidr": "10.20.0.0/14" }, { "$cidr": "10.99.0.0/24" }],
        });
        if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        serde_json::from_value(all).expect("attributes of a network")
    }

    /// Defines the filter again, as an update of the network does.
    fn filter(&self, hosts: &Hosts, more: &Json) {
        let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, self.name.as_bytes());
        let filter = network_filter(self.name, uuid, &self.fields(more));
        let xml = filter.write().expect("XML");
        hosts.define(self.host, "nwfilter-define", &xml).unwrap_or_else(|e| panic!("{e}\n{xml}"));
    }

    fn up(&self, hosts: &Hosts) {
        let Net { name, host, prefix, mode } = self;
        let mode = if *mode == "routed" { "route" } else { mode };
        self.filter(hosts, &json!({}));
        let leases =
            (10..=11).map(|last| format!("<host mac='{}' ip='{prefix}.{last}'/>", self.mac(last)));
        let xml = format!(
            "<network><name>{name}</name><forward mode='{mode}'/><bridge name='tc{name}' delay='0'/>
            <ip address='{prefix}.1' prefix='24'><dhcp><range start='{prefix}.100' end='{prefix}.199'/>
            {}</dhcp></ip></network>",
            leases.collect::<String>()
        );
        hosts.define(*host, "net-define", &xml).expect("a network");
        hosts.virsh(*host, &["net-start", name]).expect("it starts");
    }

    fn mac(&self, last: u8) -> String {
        let number = self.prefix.split('.').nth(1).and_then(|n| n.parse::<u8>().ok()).unwrap_or(0);
        format!("52:54:00:{number:02x}:00:{last:02x}")
    }
}

impl Guest {
    fn address(&self) -> String {
        format!("{}.{}", self.net.prefix, self.last)
    }

    fn nic(&self, more: &Json) -> Fields {
        let mut all = json!({ "address": { "$ip": self.address() } });
        if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        serde_json::from_value(all).expect("attributes of a NIC")
    }

    fn interface(&self, more: &Json) -> String {
        let label = Name::new("eth0");
        let filter = reference(self.name, &label, &self.nic(more), self.net.name);
        let filter = filter.expect("it is held to a filter");
        let parameters = filter.parameters.iter();
        let parameters: String = parameters
            .map(|(name, value)| format!("<parameter name='{name}' value='{value}'/>"))
            .collect();
        format!(
            "<interface type='network'><mac address='{}'/><source network='{}'/><model type='virtio'/>
            <filterref filter='{}'>{parameters}</filterref></interface>",
            self.net.mac(self.last),
            self.net.name,
            filter.name
        )
    }

    fn up(&self, hosts: &Hosts) {
        let xml = format!(
            "<domain type='qemu'><name>{}</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
            <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/srv/guest/kernel</kernel>
            <initrd>/srv/guest/initrd</initrd><cmdline>console=ttyS0 quiet</cmdline></os>
            <features><acpi/></features><devices>{}<serial type='pty'/></devices></domain>",
            self.name,
            self.interface(&json!({}))
        );
        hosts.define(self.net.host, "create", &xml).expect("a guest");
    }

    fn ask(&self, hosts: &Hosts, question: &str) -> String {
        let answer =
            wait(Duration::from_secs(20), || hosts.ask(self.net.host, &self.address(), question));
        answer.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// What comes of trying to reach another guest: by TCP, UDP and ICMP.
    fn reaches(&self, hosts: &Hosts, to: &Guest) -> [String; 3] {
        let to = to.address();
        ["tcp ADDRESS 7 1500", "udp ADDRESS 7 1500", "ping ADDRESS 1500"]
            .map(|question| self.ask(hosts, &question.replace("ADDRESS", &to)))
    }

    /// Whether single datagrams arrive, that nobody answers.
    fn arrives(&self, hosts: &Hosts, sent: &str, to: &Guest, token: &str) -> bool {
        assert_eq!(self.ask(hosts, &format!("{sent} {} {token}", to.address())), "sent");
        std::thread::sleep(Duration::from_millis(500));
        to.ask(hosts, &format!("seen {token}")) != "0"
    }
}

const OPEN: [&str; 3] = ["open"; 3];
const SHUT: [&str; 3] = ["timeout"; 3];

#[test]
fn tenants_are_apart_and_a_rule_opens_one_port() {
    let hosts = Hosts::start(2).expect("two hosts");
    for net in [&TOWN, &OTHER, &HIDDEN, &REMOTE] {
        net.up(&hosts);
    }
    let number = std::fs::read_to_string(hosts.directory().join("number")).expect("its number");
    for (host, to, via) in [(1, "10.23.0.0/24", 2), (2, "10.21.0.0/24", 1), (2, "10.22.0.0/24", 1)]
    {
        let via = format!("10.77.{}.{via}", number.trim());
        hosts.exec(host, &["ip", "route", "add", to, "via", &via]).expect("a route");
    }
    for guest in [&A, &NEIGHBOUR, &B, &H, &R] {
        guest.up(&hosts);
    }
    for guest in [&A, &NEIGHBOUR, &B, &H, &R] {
        hosts.facts(guest.net.host, &guest.address(), BOOT).expect("it answers");
    }
    own_guests_only(&hosts);
    forged_addresses_die(&hosts);
    let boots = [&A, &B].map(|guest| hosts.facts(1, &guest.address(), BOOT).expect("facts").boot);
    one_port_opens(&hosts);
    one_guest_alone(&hosts);
    everything_closes(&hosts);
    let after = [&A, &B].map(|guest| hosts.facts(1, &guest.address(), BOOT).expect("facts").boot);
    assert_eq!(boots, after, "nobody was started again");
}

/// Their own, and nobody else's: on the same host, on another one, from behind NAT.
fn own_guests_only(hosts: &Hosts) {
    assert_eq!(A.reaches(hosts, &NEIGHBOUR), OPEN);
    for (from, to) in [(&A, &B), (&B, &A), (&H, &A), (&A, &H), (&A, &R), (&R, &B), (&H, &R)] {
        assert_eq!(from.reaches(hosts, to), SHUT, "{} to {}", from.name, to.name);
        let plain = format!("spoof-ip {}", from.address());
        let token = format!("plain-{}-{}", from.name, to.name);
        assert!(!from.arrives(hosts, &plain, to, &token), "a datagram of {token}");
    }
}

/// Forged addresses die, inside the own network too; what is not forged arrives.
fn forged_addresses_die(hosts: &Hosts) {
    let own = A.address();
    assert!(A.arrives(hosts, &format!("spoof-ip {own}"), &NEIGHBOUR, "own"));
    assert!(!A.arrives(hosts, "spoof-ip 10.21.0.77", &NEIGHBOUR, "forged-ip"));
    assert!(!A.arrives(hosts, "spoof-ip 10.21.0.1", &NEIGHBOUR, "forged-gateway"));
    assert!(!A.arrives(hosts, "spoof-ip 10.22.0.77", &B, "forged-other"));
    let mac = format!("spoof-mac 52:54:00:00:00:99 {own}");
    assert!(!A.arrives(hosts, &mac, &NEIGHBOUR, "forged-mac"));
    A.ask(hosts, &format!("spoof-arp 10.21.0.88 {}", NEIGHBOUR.address()));
    let cache = NEIGHBOUR.ask(hosts, "run cat /proc/net/arp");
    assert!(!cache.contains("10.21.0.88"), "{cache}");
}

/// One port of TCP and one of UDP, told to the receivers and, of UDP, to the senders.
fn one_port_opens(hosts: &Hosts) {
    for question in ["listen tcp 9000", "listen tcp 9002", "listen udp 9001", "listen udp 9002"] {
        B.ask(hosts, question);
    }
    let town = json!({ "$cidr": "10.21.0.0/24" });
    OTHER.filter(
        hosts,
        &json!({ "admits": [{ "from": town, "ports": [{ "$port": "9000/tcp" }, { "$port": "9001/udp" }] }] }),
    );
    let other = json!({ "$cidr": "10.22.0.0/24" });
    TOWN.filter(
        hosts,
        &json!({ "reaches": [{ "to": other, "ports": [{ "$port": "9001/udp" }] }] }),
    );
    let b = B.address();
    let tries = |guest: &Guest, question: &str| guest.ask(hosts, &format!("{question} 1500"));
    assert_eq!(tries(&A, &format!("tcp {b} 9000")), "open");
    assert_eq!(tries(&A, &format!("udp {b} 9001")), "open");
    assert_eq!(tries(&A, &format!("tcp {b} 9002")), "timeout");
    assert_eq!(tries(&A, &format!("udp {b} 9002")), "timeout");
    assert_eq!(A.reaches(hosts, &B), SHUT);
    assert_eq!(B.reaches(hosts, &A), SHUT);
    for stranger in [&H, &R] {
        assert_eq!(tries(stranger, &format!("tcp {b} 9000")), "timeout", "{}", stranger.name);
        assert_eq!(tries(stranger, &format!("udp {b} 9001")), "timeout", "{}", stranger.name);
    }
}

/// For one guest alone: its card gets a filter of its own, while it runs.
fn one_guest_alone(hosts: &Hosts) {
    let alone = json!({ "admits": [{ "from": { "$cidr": "10.23.0.10/32" }, "ports": [{ "$port": "7/tcp" }] }] });
    let label = Name::new("eth0");
    let filter = nic_filter(A.name, &label, Uuid::nil(), &A.nic(&alone), TOWN.name);
    hosts.define(1, "nwfilter-define", &filter.write().expect("XML")).expect("a filter");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), A.interface(&alone)).expect("it is written");
    let path = file.path().display().to_string();
    hosts.virsh(1, &["update-device", A.name, &path, "--live"]).expect("the card is changed");
    assert_eq!(R.reaches(hosts, &A), ["open", "timeout", "timeout"]);
    assert_eq!(R.reaches(hosts, &NEIGHBOUR), SHUT);
}

/// Closed again at once, also for who has a connection.
fn everything_closes(hosts: &Hosts) {
    let b = B.address();
    let tries = |guest: &Guest, question: &str| guest.ask(hosts, &format!("{question} 1500"));
    OTHER.filter(hosts, &json!({}));
    TOWN.filter(hosts, &json!({}));
    assert_eq!(tries(&A, &format!("tcp {b} 9000")), "timeout");
    assert_eq!(tries(&A, &format!("udp {b} 9001")), "timeout");
}
