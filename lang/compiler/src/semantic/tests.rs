//! The checks on graphs made by hand. What the text looks like is shown by the pages of the codes,
//! whose examples are compiled in `tests/pages.rs`.

mod families;
mod forms;
mod scopes;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use indexmap::IndexSet;
use tcloud_model::{
    Address, ByAddress, Catalog, DesiredGraph, DesiredResource, Fields, FileId, Key, Lifecycle,
    Span, Value,
};

use super::{Places, check};

/// A graph, and the order of its resources as the text would have it.
#[derive(Default)]
struct Text {
    resources: ByAddress<Address, DesiredResource>,
    places: Mutex<IndexSet<(usize, String)>>,
}

const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

impl Text {
    /// Adds a resource; a dotted name makes nested blocks.
    fn with(self, address: &str, attributes: &[(&str, Value)]) -> Text {
        self.with_at(at(address), attributes)
    }

    fn with_at(mut self, address: Address, attributes: &[(&str, Value)]) -> Text {
        let mut fields = Fields::new();
        for (path, value) in attributes {
            set(&mut fields, path, value.clone());
        }
        let resource = DesiredResource {
            address: address.clone(),
            attributes: Arc::new(fields),
            dependencies: Vec::new(),
            lifecycle: Lifecycle::default(),
            deferred: false,
            span: NOWHERE,
        };
        self.resources.insert(address, resource);
        self
    }

    /// A VM with one NIC.
    fn guest(self, vm: &str, network: &str, address: &str) -> Text {
        let ip = address.parse().map(Value::Ip).expect("an address");
        self.with(vm, &[("nic.lan.network", to(network)), ("nic.lan.address", ip)])
    }

    fn graph(&self) -> DesiredGraph {
        let mut resources = self.resources.clone();
        resources.sort_unstable_keys();
        DesiredGraph { resources, ..DesiredGraph::default() }
    }

    /// Every message as `CODE place: message | other place`.
    fn messages(&self) -> Vec<String> {
        let graph = self.graph();
        let place = |span: Span| {
            let places = self.places.lock().expect("no panic");
            let (_, path) = &places[span.end as usize];
            path.clone()
        };
        let found = check(&graph, &Catalog::core(), self);
        found
            .iter()
            .map(|diagnostic| {
                assert!(diagnostic.help.is_some(), "{} has no help", diagnostic.code);
                let mut text = format!(
                    "{} {}: {}",
                    diagnostic.code,
                    place(diagnostic.primary.span),
                    diagnostic.message
                );
                for label in &diagnostic.secondary {
                    text.push_str(&format!(" | {}", place(label.span)));
                }
                text
            })
            .collect()
    }

    #[track_caller]
    fn says(&self, expected: &[&str]) {
        assert_eq!(self.messages(), expected);
    }
}

impl Places for Text {
    fn span(&self, address: &Address, path: &str) -> Span {
        let order = self.resources.get_index_of(address).expect("a declared resource");
        let dot = if path.is_empty() { "" } else { "." };
        let place = (order, format!("{address}{dot}{path}"));
        let (index, _) = self.places.lock().expect("no panic").insert_full(place);
        Span { file: FileId(0), start: order as u32, end: index as u32 }
    }
}

fn set(fields: &mut Fields, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            fields.insert(path, value);
        }
        Some((first, rest)) => {
            let mut inner = fields.map(first).map(|map| (**map).clone()).unwrap_or_default();
            set(&mut inner, rest, value);
            fields.insert(first, Value::map(inner));
        }
    }
}

fn at(address: &str) -> Address {
    address.parse().unwrap_or_else(|e| panic!("{address}: {e}"))
}

fn to(address: &str) -> Value {
    Value::Ref(at(address))
}

fn refs(addresses: &[&str]) -> Value {
    Value::list(addresses.iter().map(|address| to(address)).collect())
}

fn cidr(text: &str) -> Value {
    Value::Cidr(text.parse().expect("a network"))
}

fn net(text: &str) -> [(&'static str, Value); 1] {
    [("cidr", cidr(text))]
}

fn gib(n: u64) -> Value {
    Value::Bytes(n << 30)
}

#[test]
fn tenants_that_never_meet_may_have_the_same_network() {
    Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.network.x", &net("10.0.0.0/24"))
        .with("tenant.b", &[])
        .with("tenant.b.network.x", &net("10.0.0.0/24"))
        .says(&[]);
}

#[test]
fn networks_that_one_tenant_sees_must_be_apart() {
    let exposed = |to: &[&str]| [("cidr", cidr("10.0.0.0/24")), ("expose_to", refs(to))];
    // Its own and one that is exposed to it.
    Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.network.x", &exposed(&["tenant.b"]))
        .with("tenant.b", &[])
        .with("tenant.b.network.y", &net("10.0.0.128/25"))
        .says(&["E0312 tenant.b.network.y.cidr: network `y` overlaps network `x` | \
                 tenant.a.network.x.cidr"]);
    // Two that are exposed to a third, who says so once.
    Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.network.x", &exposed(&["tenant.c"]))
        .with("tenant.b", &[])
        .with("tenant.b.network.y", &exposed(&["tenant.c"]))
        .with("tenant.c", &[])
        .says(&["E0312 tenant.b.network.y.cidr: network `y` overlaps network `x` | \
                 tenant.a.network.x.cidr"]);
}

#[test]
fn a_tenant_gives_way_to_the_networks_of_its_sites_only() {
    let base = |sites: &[&str]| {
        Text::default()
            .with("tenant.a", &[("sites", refs(sites))])
            .with("tenant.a.network.wide", &net("10.0.0.0/16"))
            .with("site.m", &[])
            .with("site.m.network.shared", &net("10.0.3.0/24"))
            .with("site.n", &[])
    };
    base(&["site.n"]).says(&[]);
    base(&["site.m"])
        .says(&["E0312 tenant.a.network.wide.cidr: network `wide` overlaps network `shared` | \
         site.m.network.shared.cidr"]);
}

#[test]
fn many_overlaps_with_one_network_are_one_message_each() {
    let mut text = Text::default().with("tenant.a", &[]);
    text = text.with("tenant.a.network.all", &net("10.0.0.0/8"));
    for n in 0..200 {
        text = text.with(&format!("tenant.a.network.n{n}"), &net(&format!("10.{n}.0.0/16")));
    }
    assert_eq!(text.messages().len(), 200);
}

#[test]
fn the_suggestion_is_free_and_private() {
    let text = Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.network.x", &net("10.0.0.0/24"))
        .with("tenant.a.network.y", &net("10.0.0.0/25"))
        .with("tenant.a.network.z", &net("10.0.1.0/25"));
    let found = check(&text.graph(), &Catalog::core(), &text);
    assert_eq!(found[0].help.as_deref(), Some("the next free /25 is 10.0.1.128/25"));
}

#[test]
fn hosts_have_addresses_of_hosts_in_their_network() {
    let guest = |address: &str| {
        Text::default()
            .with("tenant.a", &[])
            .with(
                "tenant.a.network.x",
                &[
                    ("cidr", cidr("10.0.0.0/24")),
                    ("gateway", Value::Ip([10, 0, 0, 1].into())),
                    (
                        "dhcp.range",
                        Value::IpRange(Arc::new(([10, 0, 0, 100].into(), [10, 0, 0, 199].into()))),
                    ),
                ],
            )
            .guest("tenant.a.vm.v", "tenant.a.network.x", address)
            .messages()
    };
    assert!(guest("10.0.0.10").is_empty());
    for (address, expected) in [
        ("10.0.1.1", "E0313 tenant.a.vm.v.nic.lan.address: 10.0.1.1 is not in network `x`"),
        ("fd00::1", "E0313 tenant.a.vm.v.nic.lan.address: fd00::1 is not in network `x`"),
        (
            "10.0.0.0",
            "E0314 tenant.a.vm.v.nic.lan.address: 10.0.0.0 is the address of network `x` itself",
        ),
        (
            "10.0.0.255",
            "E0314 tenant.a.vm.v.nic.lan.address: 10.0.0.255 is the broadcast address of network `x`",
        ),
        ("10.0.0.1", "E0315 tenant.a.vm.v.nic.lan.address: 10.0.0.1 is the gateway of network `x`"),
        (
            "10.0.0.150",
            "E0317 tenant.a.vm.v.nic.lan.address: 10.0.0.150 lies in the DHCP range of network `x`",
        ),
    ] {
        let found = guest(address);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{address}: {found:?}");
    }
}

#[test]
fn one_address_belongs_to_one_nic_of_a_network() {
    Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.network.x", &net("10.0.0.0/24"))
        .with("tenant.a.network.y", &net("10.0.1.0/24"))
        .guest("tenant.a.vm.z", "tenant.a.network.x", "10.0.0.9")
        .guest("tenant.a.vm.b", "tenant.a.network.x", "10.0.0.9")
        .guest("tenant.a.vm.c", "tenant.a.network.x", "10.0.0.9")
        .guest("tenant.a.vm.d", "tenant.a.network.y", "10.0.1.9")
        .says(&[
            "E0316 tenant.a.vm.b.nic.lan.address: 10.0.0.9 is used twice, by vm.z and vm.b | \
             tenant.a.vm.z.nic.lan.address",
            "E0316 tenant.a.vm.c.nic.lan.address: 10.0.0.9 is used twice, by vm.z and vm.c | \
             tenant.a.vm.z.nic.lan.address",
        ]);
}

#[test]
fn a_hidden_network_is_reported_once_and_nothing_of_it_is_told() {
    let text = Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.network.x", &net("10.99.0.0/24"))
        .with("tenant.b", &[])
        .guest("tenant.b.vm.v", "tenant.a.network.x", "10.0.0.9");
    text.says(&[
        "E0601 tenant.b.vm.v.nic.lan.network: network `x` belongs to tenant a and is not exposed to b",
    ]);
    let found = check(&text.graph(), &Catalog::core(), &text);
    assert!(!format!("{found:?}").contains("10.99"));
}

#[test]
fn only_networks_are_ever_exposed() {
    Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.volume.x", &[])
        .with("tenant.b", &[])
        .with("tenant.b.vm.v", &[("disk.old.volume", to("tenant.a.volume.x"))])
        .says(&["E0601 tenant.b.vm.v.disk.old.volume: volume `x` belongs to tenant a and is not \
                 exposed to b"]);
}

#[test]
fn a_rule_lets_in_only_whom_the_network_is_exposed_to() {
    let text = |expose: &[&str]| {
        Text::default()
            .with("tenant.a", &[])
            .with(
                "tenant.a.network.apps",
                &[
                    ("cidr", cidr("10.1.0.0/24")),
                    ("mode", Value::text("routed")),
                    ("expose_to", refs(&["tenant.b"])),
                ],
            )
            .with("tenant.b", &[])
            .with(
                "tenant.b.network.lan",
                &[
                    ("cidr", cidr("10.2.0.0/24")),
                    ("mode", Value::text("bridge")),
                    ("expose_to", refs(expose)),
                    ("allow.web.from", to("tenant.a.network.apps")),
                ],
            )
    };
    text(&["tenant.a"]).says(&[]);
    text(&[]).says(&[
        "E0602 tenant.b.network.lan.allow.web.from: rule `web` lets in tenant a, but network `lan` \
         is not exposed to it | tenant.b.network.lan",
    ]);
}

#[test]
fn tenants_keep_to_their_sites_but_may_let_packets_in() {
    Text::default()
        .with("site.m", &[])
        .with("site.n", &[])
        .with("site.n.pool.fast", &[])
        .with(
            "site.n.network.admin",
            &[("cidr", cidr("10.9.0.0/24")), ("mode", Value::text("routed"))],
        )
        .with("tenant.a", &[("sites", refs(&["site.m"]))])
        .with("tenant.a.volume.v", &[("pool", to("site.n.pool.fast"))])
        .with(
            "tenant.a.network.x",
            &[
                ("cidr", cidr("10.1.0.0/24")),
                ("mode", Value::text("routed")),
                ("allow.ssh.from", to("site.n.network.admin")),
            ],
        )
        .says(&["E0603 tenant.a.volume.v.pool: tenant a may not use site `n` | tenant.a.sites"]);
}

#[test]
fn the_arithmetic_of_a_quota_is_shown_largest_first() {
    let mut text = Text::default()
        .with("tenant.a", &[("quota.memory", gib(16)), ("quota.vms", Value::Int(9))])
        .with("tenant.a.vm.small", &[("memory", gib(2)), ("running", Value::Bool(false))]);
    for n in 1..=3 {
        text = text.with(&format!("tenant.a.vm.db[{n}]"), &[("memory", gib(8))]);
    }
    text.says(&["E0501 tenant.a.quota.memory: tenant a uses 26GiB of memory, its quota is 16GiB \
                 (+10GiB) | tenant.a.vm.db[1].memory | tenant.a.vm.small.memory"]);
    let found = check(&text.graph(), &Catalog::core(), &text);
    assert_eq!(found[0].secondary[0].text, "vm.db: 3 × 8GiB = 24GiB");
}

#[test]
fn a_volume_has_one_user() {
    Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.vm.thief", &[("disk.x.volume", to("tenant.a.vm.v.disk.root"))])
        .with("tenant.a.vm.v", &[("disk.root.volume", to("tenant.a.vm.v.disk.root"))])
        .with("tenant.a.vm.v.disk.root", &[("size", gib(4))])
        .says(&[
            "E0514 tenant.a.vm.thief.disk.x.volume: disk `root` is attached to vm.v and vm.thief \
                 | tenant.a.vm.v.disk.root",
        ]);
}

#[test]
fn one_vlan_on_one_site_is_one_network() {
    let vlan = |cidr_text: &str| {
        [("cidr", cidr(cidr_text)), ("vlan", Value::Int(20)), ("bridge", Value::text("br0"))]
    };
    let text = |sites: &[&str]| {
        Text::default()
            .with("site.m", &[])
            .with("site.n", &[])
            .with("tenant.a", &[("sites", refs(&["site.m"]))])
            .with("tenant.a.network.x", &vlan("10.1.0.0/24"))
            .with("tenant.b", &[("sites", refs(sites))])
            .with("tenant.b.network.y", &vlan("10.2.0.0/24"))
    };
    text(&["site.n"]).says(&[]);
    text(&["site.n", "site.m"]).says(&[
        "E0319 tenant.b.network.y.vlan: networks `x` and `y` have the same VLAN 20 on one site | \
         tenant.a.network.x.vlan",
    ]);
}

#[test]
fn names_differ_on_the_hypervisor_too() {
    Text::default()
        .with("tenant.a", &[])
        .with("tenant.a.vm.web[1]", &[])
        .with("tenant.a.vm.web[\"1\"]", &[])
        .with("tenant.a.vm.web[2]", &[])
        .with("tenant.a.vm.web-2", &[])
        .with("tenant.a.volume.web-2", &[])
        .says(&[
            "E0322 tenant.a.vm.web[\"1\"]: vm.web[\"1\"] and vm.web[1] would have the same name on a \
             hypervisor, `a.web-1` | tenant.a.vm.web[1]",
            "E0322 tenant.a.vm.web-2: vm.web-2 and vm.web[2] would have the same name on a \
             hypervisor, `a.web-2` | tenant.a.vm.web[2]",
        ]);
}

#[test]
fn facts_of_a_site_stay_in_it() {
    Text::default()
        .with("site.m", &[])
        .with("site.m.zone.a", &[])
        .with("site.n", &[])
        .with("site.n.host.k", &[("zone", to("site.m.zone.a"))])
        .with("site.n.pool.p", &[("hosts", refs(&["site.n.host.k"]))])
        .with("tenant.t", &[])
        .with("tenant.t.vm.v", &[("host", to("site.n.host.k")), ("site", to("site.m"))])
        .with("tenant.t.vm.v.disk.root", &[("pool", to("site.n.pool.p"))])
        .says(&[
            "E0515 site.n.host.k.zone: host `k` belongs to site `n`, zone `a` to site `m`",
            "E0515 tenant.t.vm.v.host: vm `v` belongs to site `m`, host `k` to site `n` | \
             tenant.t.vm.v.site",
        ]);
}

#[test]
fn sizes_keys_and_digests_are_checked() {
    Text::default()
        .with(
            "image.i",
            &[("digest", Value::text("sha256:12")), ("min_memory", gib(4)), ("min_disk", gib(9))],
        )
        .with("tenant.t", &[("key", Value::text("160660950000"))])
        .with(
            "tenant.t.vm.v",
            &[("image", to("image.i")), ("memory", gib(2)), ("max_memory", gib(1))],
        )
        .with("tenant.t.vm.v.disk.root", &[("image", to("image.i")), ("size", gib(3))])
        .says(&[
            "E0231 image.i.digest: image `i` has no valid digest",
            "E0230 tenant.t.key: \"160660950000\" is not a municipality key",
            "E0512 tenant.t.vm.v.max_memory: vm `v` has memory 2GiB, but max_memory 1GiB | \
             tenant.t.vm.v.memory",
            "E0511 tenant.t.vm.v.memory: vm `v` has 2GiB of memory, image `i` needs 4GiB | \
             image.i.min_memory",
            "E0510 tenant.t.vm.v.disk.root.size: disk `root` is 3GiB, image `i` needs 9GiB | \
             image.i.min_disk",
        ]);
}

#[test]
fn rules_that_can_let_nothing_in_are_told() {
    let net = |space: &str, mode: &str| vec![("cidr", cidr(space)), ("mode", Value::text(mode))];
    let with = |mut fields: Vec<(&'static str, Value)>, more: &[(&'static str, Value)]| {
        fields.extend_from_slice(more);
        fields
    };
    let any = ("allow.x.from", Value::text("any"));
    Text::default()
        .with("tenant.t", &[])
        .with(
            "tenant.t.network.closed",
            &with(net("10.1.0.0/24", "nat"), std::slice::from_ref(&any)),
        )
        .with(
            "tenant.t.network.inside",
            &with(net("10.2.0.0/24", "nat"), &[("allow.x.from", to("tenant.t.vm.in"))]),
        )
        .with(
            "tenant.t.network.open",
            &with(
                net("10.3.0.0/24", "routed"),
                &[
                    ("allow.w.from", Value::text("any")),
                    ("allow.w.to", to("tenant.t.vm.in")),
                    ("allow.x.from", to("tenant.t.network.closed")),
                    ("allow.y.from", to("tenant.t.vm.in")),
                    ("allow.z.from", Value::text("any")),
                ],
            ),
        )
        .with("tenant.t.vm.in", &[("nic.a.network", to("tenant.t.network.inside")), any.clone()])
        .with(
            "tenant.t.vm.both",
            &[
                ("nic.a.network", to("tenant.t.network.inside")),
                ("nic.b.network", to("tenant.t.network.open")),
                any.clone(),
            ],
        )
        .with("tenant.t.vm.none", &[any])
        .says(&[
            "E0604 tenant.t.network.closed.allow.x.from: rule `x` can let nothing in: network \
             `closed` is `nat` | tenant.t.network.closed.mode",
            "E0604 tenant.t.network.open.allow.w.to: rule `w` is for vm `in`, which is not in \
             network `open` | tenant.t.vm.in",
            "E0604 tenant.t.network.open.allow.x.from: rule `x` can let nothing in: its source is \
             `nat` | tenant.t.network.closed.mode",
            "E0604 tenant.t.network.open.allow.y.from: rule `y` can let nothing in: its source is \
             `nat` | tenant.t.network.inside.mode",
            "E0604 tenant.t.vm.in.allow.x.from: rule `x` can let nothing in: network `inside` is \
             `nat` | tenant.t.network.inside.mode",
            "E0604 tenant.t.vm.none.allow.x.from: rule `x` opens vm `none`, which has no NIC",
        ]);
}

#[test]
fn what_only_a_kernel_reads_needs_one() {
    Text::default()
        .with("tenant.t", &[])
        .with("tenant.t.vm.a", &[("boot.initrd", Value::text("/srv/a.cpio"))])
        .with("tenant.t.vm.b", &[("boot.kernel", Value::text("vmlinuz"))])
        .with("tenant.t.vm.c", &[("boot.kernel", Value::text("/boot/vmlinuz"))])
        .says(&[
            "E0516 tenant.t.vm.a.boot.initrd: vm `a` has a `boot.initrd`, but no kernel that would \
             use it",
            "E0516 tenant.t.vm.b.boot.kernel: `boot.kernel` of vm `b` is not an absolute path",
        ]);
}

#[test]
fn a_mac_is_used_once() {
    let nic = |mac: [u8; 6]| [("nic.lan.mac", Value::Mac(mac))];
    Text::default()
        .with("tenant.t", &[])
        .with("tenant.t.vm.a", &nic([0x52, 0, 0, 0, 0, 1]))
        .with("tenant.t.vm.b", &nic([0x52, 0, 0, 0, 0, 1]))
        .says(&[
            "E0320 tenant.t.vm.b.nic.lan.mac: MAC address 52:00:00:00:00:01 is used twice, by vm.a \
             and vm.b | tenant.t.vm.a.nic.lan.mac",
        ]);
}

/// Hundreds of thousands of resources are right for each one that is wrong, so texts and places are
/// only made for what is wrong.
#[test]
fn places_are_only_asked_for_when_something_is_wrong() {
    let graph = large(50);
    let visits = AtomicUsize::new(0);
    assert!(check(&graph, &Catalog::core(), &Counted { visits: &visits }).is_empty());
    assert_eq!(visits.into_inner(), 0);
}

/// So many tenants, each with a network and twenty guests.
fn large(tenants: u32) -> DesiredGraph {
    let mut text = Text::default();
    for t in 0..tenants {
        let tenant = Address::root("tenant", format!("t{t}"), None);
        text = text.with_at(tenant.clone(), &[("quota.vms", Value::Int(1_000))]);
        let network = tenant.child("network", "lan", None);
        text = text.with_at(network.clone(), &net("10.0.0.0/24"));
        for v in 1..=20_u8 {
            let vm = tenant.child("vm", "web", Some(Key::Int(v.into())));
            let disk = vm.child("disk", "root", None);
            let [_, _, high, low] = t.to_be_bytes();
            text = text.with_at(
                vm,
                &[
                    ("nic.lan.network", Value::Ref(network.clone())),
                    ("nic.lan.address", Value::Ip([10, 0, 0, v + 1].into())),
                    ("nic.lan.mac", Value::Mac([0x52, 0x54, 0, high, low, v])),
                    ("disk.root.volume", Value::Ref(disk.clone())),
                    ("memory", gib(4)),
                ],
            );
            text = text.with_at(disk, &[("size", gib(20))]);
        }
    }
    text.graph()
}

struct Counted<'a> {
    visits: &'a AtomicUsize,
}

impl Places for Counted<'_> {
    fn span(&self, _: &Address, _: &str) -> Span {
        self.visits.fetch_add(1, Ordering::Relaxed);
        NOWHERE
    }
}
