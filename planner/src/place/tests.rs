//! Where things go, and that they stay there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use indexmap::IndexMap;
use tcloud_model::{
    Address, Deployment, Diagnostic, Digest, Fields, FieldsDigest, Lack, ObservedObject, Stamp,
    Value,
};

use super::{Place, PlaceInput, Placement, place};
use crate::sketch::{Sketch, address, desired, observed};

/// Two zones of one site, one host each, with a pool.
const SITE: &str = "
    site.m.zone.a
    site.m.zone.b
    site.m.host.kvm1 zone=@site.m.zone.a capacity.vcpus=8 capacity.memory=16GiB
    site.m.host.kvm2 zone=@site.m.zone.b capacity.vcpus=8 capacity.memory=32GiB
    site.m.pool.fast class=nvme capacity=100GiB
";

/// A world to place into: where things are, how large they were, who does not answer.
#[derive(Default)]
struct World {
    at: BTreeMap<Address, Place>,
    sizes: BTreeMap<Address, Arc<Fields>>,
    silent: Vec<&'static str>,
    foreign: Vec<(&'static str, ObservedObject)>,
    /// Hosts without UEFI firmware.
    plain: Vec<&'static str>,
}

impl World {
    fn place(&self, text: &str) -> Result<Placement, Vec<Diagnostic>> {
        let sketch = Sketch(desired(text));
        let mut observed = observed(&sketch.0, &self.silent);
        for (host, object) in &self.foreign {
            let of = observed.hosts.iter_mut().find(|at| at.host.name() == *host);
            of.expect("a host of the sketch").objects.push(object.clone());
        }
        for at in
            observed.hosts.iter_mut().filter(|at| self.plain.contains(&at.host.name().as_str()))
        {
            let lack = Lack {
                kind: "vm".into(),
                attribute: "firmware".into(),
                value: Some(Value::text("uefi")),
                because: "the host has no UEFI firmware".to_owned(),
                help: "install it".to_owned(),
            };
            at.facts.iter_mut().for_each(|facts| facts.lacks.push(lack.clone()));
        }
        place(&PlaceInput {
            desired: &sketch.0,
            observed: &observed,
            deployment: &Deployment::new("test"),
            adopted: &IndexMap::new(),
            current: &|address| self.at.get(address).cloned(),
            applied: &|address| self.sizes.get(address).cloned(),
            keeps: &|_| false,
            evaluator: &sketch,
        })
    }

    /// Places, and remembers where everything went and how large it is.
    fn apply(&mut self, text: &str) -> Placement {
        let placement = self.place(text).unwrap_or_else(|problems| panic!("{problems:?}"));
        self.at = placement.hosts.clone().into_iter().collect();
        let graph = desired(text);
        self.sizes = graph.resources.into_iter().map(|(a, r)| (a, r.attributes)).collect();
        placement
    }
}

/// `web[1] kvm2, root kvm2/fast`: what went where, in the order of addresses.
fn told(placement: &Placement) -> String {
    let mut text = String::new();
    for (address, place) in &placement.hosts {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{} {}", address.last_name(), place.host.name());
        if let Some(pool) = &place.pool {
            let _ = write!(text, "/{}", pool.name());
        }
    }
    text
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let placement = World::default().place(&format!("{SITE}{text}"));
    assert_eq!(told(&placement.unwrap_or_else(|problems| panic!("{problems:?}"))), expected);
}

#[track_caller]
fn check_refused(world: &World, text: &str, expected: &[&str]) {
    let problems = world.place(&format!("{SITE}{text}")).expect_err("nothing fits");
    let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told, expected);
    assert!(problems.iter().all(|problem| problem.help.is_some()));
}

#[test]
fn large_guests_are_placed_first_each_where_most_is_free() {
    check(
        "tenant.t.vm.a vcpus=1 memory=8GiB
         tenant.t.vm.b vcpus=1 memory=16GiB
         tenant.t.vm.c vcpus=1 memory=16GiB",
        "a kvm2, b kvm2, c kvm1",
    );
}

#[test]
fn a_guest_and_its_disks_share_a_host() {
    check(
        "tenant.t.volume.data size=10GiB class=nvme
         tenant.t.vm.a vcpus=1 memory=1GiB disk.root.volume=@tenant.t.vm.a.disk.root disk.data.volume=@tenant.t.volume.data
         tenant.t.vm.a.disk.root size=10GiB
         tenant.t.vm.b vcpus=1 memory=20GiB",
        "a kvm1, root kvm1/fast, b kvm2, data kvm1/fast",
    );
}

#[test]
fn the_same_spread_word_means_other_hosts() {
    let two = "tenant.t.vm.a[1] vcpus=1 memory=1GiB spread=web
         tenant.t.vm.a[2] vcpus=1 memory=1GiB spread=web
         tenant.u.vm.a vcpus=1 memory=1GiB spread=web
        ";
    check(two, "a[1] kvm2, a[2] kvm1, a kvm2");
    check_refused(
        &World::default(),
        &format!("{two} tenant.t.vm.a[3] vcpus=1 memory=1GiB spread=web"),
        &["no host has room for vm `a[3]` (1 vCPU, 1 GiB of memory)\
           \n  site.m.host.kvm1: vm.a[2] is there, with the same `spread`\
           \n  site.m.host.kvm2: vm.a[1] is there, with the same `spread`"],
    );
}

#[test]
fn spread_fills_zones_evenly_before_it_looks_at_room() {
    let placement = World::default().place(
        "site.m.host.a1 zone=@site.m.zone.a capacity.vcpus=8 capacity.memory=64GiB
         site.m.host.a2 zone=@site.m.zone.a capacity.vcpus=8 capacity.memory=64GiB
         site.m.host.b1 zone=@site.m.zone.b capacity.vcpus=8 capacity.memory=8GiB
         tenant.t.vm.w[1] vcpus=1 memory=2GiB spread=w
         tenant.t.vm.w[2] vcpus=1 memory=2GiB spread=w
         tenant.t.vm.w[3] vcpus=1 memory=2GiB spread=w",
    );
    assert_eq!(told(&placement.expect("there is room")), "w[1] a1, w[2] b1, w[3] a2");
}

#[test]
fn sites_zones_hosts_and_pools_narrow_the_choice() {
    check("tenant.t.vm.a vcpus=1 memory=1GiB host=@site.m.host.kvm1", "a kvm1");
    check(
        "tenant.t.network.n cidr=10.0.0.0/24 zone=@site.m.zone.a
         tenant.t.vm.a vcpus=1 memory=1GiB nic.n.network=@tenant.t.network.n",
        "a kvm1",
    );
    check(
        "site.g.host.kvm9 capacity.vcpus=8 capacity.memory=512GiB
         tenant.t sites=[@site.m]
         tenant.t.vm.a vcpus=1 memory=1GiB
         tenant.u.vm.a vcpus=1 memory=1GiB site=@site.m
         tenant.v.vm.a vcpus=1 memory=1GiB",
        "a kvm2, a kvm1, a kvm9",
    );
    check(
        "site.m.pool.slow class=hdd capacity=1TiB hosts=[@site.m.host.kvm1]
         tenant.t.volume.v size=10GiB class=hdd",
        "v kvm1/slow",
    );
}

#[test]
fn each_host_is_named_with_the_reason() {
    let world = World { silent: vec!["kvm3"], ..World::default() };
    check_refused(
        &world,
        "site.m.host.kvm3 capacity.vcpus=8 capacity.memory=64GiB
         site.m.host.kvm4 capacity.vcpus=8 capacity.memory=64GiB drain=true
         site.g.host.kvm5 capacity.vcpus=8 capacity.memory=64GiB
         site.h.host.kvm6 capacity.vcpus=8 capacity.memory=64GiB
         tenant.t sites=[@site.m,@site.g]
         tenant.t.vm.a vcpus=9999 memory=1GiB disk.root.volume=@tenant.t.vm.a.disk.root
         tenant.t.vm.a.disk.root size=1GiB pool=@site.m.pool.fast
         tenant.t.volume.big size=200GiB class=nvme",
        &[
            "no host has room for vm `a` (9999 vCPUs, 1 GiB of memory, 1 GiB on disks)\
             \n  site.m.host.kvm1: needs 9999 vCPUs, 32 free\
             \n  site.m.host.kvm2: needs 9999 vCPUs, 32 free\
             \n  site.m.host.kvm4: drained\
             \n  site.m.host.kvm3: does not answer\
             \n  site.g.host.kvm5: does not have site.m.pool.fast\
             \n  site.h.host.kvm6: the tenant may not use site.h",
            "no host has room for volume `big` (200 GiB)\
             \n  site.m.host.kvm1: needs 200 GiB in a pool of class \"nvme\", 100 GiB free\
             \n  site.m.host.kvm2: needs 200 GiB in a pool of class \"nvme\", 100 GiB free\
             \n  site.m.host.kvm4: drained\
             \n  site.m.host.kvm3: does not answer\
             \n  site.g.host.kvm5: has no pool of class \"nvme\"\
             \n  site.h.host.kvm6: the tenant may not use site.h",
        ],
    );
}

#[test]
fn a_guest_goes_where_there_is_what_it_asks_for() {
    let guest = |name: &str, gib: u64, firmware: &str| {
        format!("tenant.t.vm.{name} vcpus=1 memory={gib}GiB firmware={firmware}\n")
    };
    let mut world = World { plain: vec!["kvm2"], ..World::default() };
    let both = guest("a", 1, "uefi") + &guest("b", 1, "bios");
    let placed = |world: &World, text: &str| {
        told(
            &world
                .place(&format!("{SITE}{text}"))
                .unwrap_or_else(|problems| panic!("{problems:?}")),
        )
    };
    assert_eq!(placed(&world, &both), "a kvm1, b kvm2");
    check_refused(
        &world,
        &guest("a", 20, "uefi"),
        &["no host has room for vm `a` (1 vCPU, 20 GiB of memory)\n  \
            site.m.host.kvm1: needs 20 GiB of memory, 16 GiB free\n  \
            site.m.host.kvm2: the host has no UEFI firmware"],
    );
    // What runs there already is left there.
    world.plain.clear();
    world.apply(&format!("{SITE}{}", guest("a", 20, "uefi")));
    world.plain = vec!["kvm2"];
    assert_eq!(placed(&world, &guest("a", 20, "uefi")), "a kvm2");
    // Who does not answer may have it.
    world.silent = vec!["kvm1"];
    check_refused(
        &world,
        &guest("b", 1, "uefi"),
        &["no host has room for vm `b` (1 vCPU, 1 GiB of memory)\n  \
            site.m.host.kvm2: the host has no UEFI firmware\n  \
            site.m.host.kvm1: does not answer"],
    );
    world.silent.clear();
    // What nobody has is not a matter of place.
    world.plain = vec!["kvm1", "kvm2"];
    assert_eq!(placed(&world, &guest("b", 1, "uefi")), "b kvm2");
}

#[test]
fn what_is_a_file_goes_into_a_pool_of_files() {
    let group = "site.m.pool.group type=lvm class=ssd capacity=1TiB\n";
    let volume = |more: &str| format!("{group}tenant.t.volume.v size=1GiB {more}");
    check(&volume("format=qcow2"), "v kvm1/fast");
    check(&volume("format=raw"), "v kvm1/group");
    check(&volume("class=ssd format=raw"), "v kvm1/group");
    let problems = World::default()
        .place(&format!("{SITE}{}", volume("class=ssd format=qcow2")))
        .expect_err("it is no device");
    assert_eq!(
        problems[0].message,
        "no host has room for volume `v` (1 GiB)\n  \
         site.m.host.kvm1: its pools of class \"ssd\" hold devices, and QCOW2 is a format of files\n  \
         site.m.host.kvm2: its pools of class \"ssd\" hold devices, and QCOW2 is a format of files"
    );
    let help = "write `format = \"raw\"`, or declare a pool of type `dir`";
    assert_eq!(problems[0].help.as_deref(), Some(help));
}

#[test]
fn a_volume_on_a_host_without_what_its_guest_asks_for_is_told_with_its_help() {
    let volume = format!("{SITE}tenant.t.volume.v size=1GiB class=nvme\n");
    let mut world = World::default();
    let home = world.apply(&volume).hosts[&address("tenant.t.volume.v")].host.name().to_string();
    world.plain = vec![if home == "kvm1" { "kvm1" } else { "kvm2" }];
    let guest = "tenant.t.vm.a vcpus=1 memory=1GiB firmware=uefi disk.v.volume=@tenant.t.volume.v";
    let problems = world.place(&format!("{volume}{guest}")).expect_err("it cannot be there");
    assert!(problems[0].message.contains(&format!("{home}: the host has no UEFI firmware")));
    assert_eq!(problems[0].help.as_deref(), Some("install it"));
}

#[test]
fn overcommit_and_reserve_count_and_foreign_guests_too() {
    let host = "site.m.host.only capacity.vcpus=4 capacity.memory=16GiB overcommit.vcpus=2.0 reserve.memory=4GiB
        tenant.t.vm.a vcpus=8 memory=12GiB";
    assert!(World::default().place(host).is_ok());
    assert!(World::default().place(&host.replace("12GiB", "13GiB")).is_err());
    assert!(World::default().place(&host.replace("vcpus=8", "vcpus=9")).is_err());
    let guest = guest(1, None);
    let stopped = ObservedObject { running: Some(false), ..guest.clone() };
    assert!(World { foreign: vec![("only", guest)], ..World::default() }.place(host).is_err());
    assert!(World { foreign: vec![("only", stopped)], ..World::default() }.place(host).is_ok());
}

/// A running guest as it is observed: somebody else's, or ours with a stamp.
fn guest(gib: u64, ours: Option<&str>) -> ObservedObject {
    let fields = [("memory", Value::Bytes(gib << 30)), ("vcpus", Value::Int(1))];
    let stamp = ours.map(|own| Stamp {
        deployment: Deployment::new("test").id,
        address: address(own),
        incarnation: 0,
        digest: FieldsDigest::Known(Digest([0; 16])),
        protect: false,
        create_first: false,
        dependencies: Arc::default(),
        triggers: None,
        previous: None,
        generation: 0,
    });
    ObservedObject {
        kind: "vm".into(),
        name: "guest".into(),
        uuid: None,
        stamp,
        attributes: Arc::new(fields.map(|(n, v)| (n.into(), v)).into_iter().collect()),
        pending: Arc::default(),
        written: None,
        running: Some(true),
        kept: Vec::new(),
        holds: Vec::new(),
        room: None,
    }
}

#[test]
fn what_this_run_removes_holds_its_room_if_another_host_has_some() {
    let text = format!("{SITE} tenant.t.vm.a vcpus=1 memory=9GiB");
    let of = |foreign| told(&World { foreign, ..World::default() }.place(&text).expect("room"));
    assert_eq!(of(vec![("kvm2", guest(8, Some("tenant.t.vm.gone")))]), "a kvm2");
    assert_eq!(of(vec![("kvm2", guest(24, Some("tenant.t.vm.gone")))]), "a kvm1");
    assert_eq!(of(vec![("kvm2", guest(24, Some("tenant.t.vm.a")))]), "a kvm2");
    let both = vec![
        ("kvm1", guest(16, Some("tenant.t.vm.gone"))),
        ("kvm2", guest(32, Some("tenant.t.vm.gone2"))),
    ];
    assert_eq!(of(both), "a kvm2");
}

#[test]
fn a_spread_word_that_comes_later_moves_the_second_guest() {
    let mut world = World::default();
    let text = format!(
        "{SITE} tenant.t.vm.a vcpus=1 memory=1GiB WORD
         tenant.t.vm.b vcpus=1 memory=16GiB
         tenant.t.vm.c vcpus=1 memory=1GiB WORD"
    );
    assert_eq!(told(&world.apply(&text.replace("WORD", ""))), "a kvm1, b kvm2, c kvm1");
    let placement = world.apply(&text.replace("WORD", "spread=w"));
    assert_eq!(told(&placement), "a kvm1, b kvm2, c kvm2");
}

#[test]
fn a_guest_stays_until_its_host_is_drained_removed_or_forbidden() {
    let guest = "tenant.t.vm.a vcpus=1 memory=1GiB disk.root.volume=@tenant.t.vm.a.disk.root
         tenant.t.vm.a.disk.root size=1GiB
         ";
    let mut world = World::default();
    let text = format!("{SITE}{guest}");
    assert_eq!(told(&world.apply(&text)), "a kvm2, root kvm2/fast");
    let moved = "a kvm1, root kvm1/fast";
    let small = text.replace("memory=32GiB", "memory=1MiB");
    for (text, expected) in [
        (small, "a kvm2, root kvm2/fast"),
        (text.replace("memory=32GiB", "memory=32GiB drain=true"), moved),
        (text.replace("site.m.host.kvm2", "site.other.host.kvm2"), moved),
        (text.replace("memory=1GiB", "memory=1GiB host=@site.m.host.kvm1"), moved),
    ] {
        assert_eq!(told(&world.place(&text).expect("there is room")), expected);
    }
    world.silent.push("kvm2");
    let silent = text.replace("memory=32GiB", "memory=32GiB drain=true");
    assert_eq!(told(&world.place(&silent).expect("it stays")), "a kvm2, root kvm2/fast");
}

#[test]
fn growth_that_does_not_fit_is_reported_and_moves_nobody() {
    let mut world = World::default();
    let guests = "tenant.t.vm.a vcpus=1 memory=10GiB host=@site.m.host.kvm1
         tenant.t.vm.b vcpus=1 memory=4GiB host=@site.m.host.kvm1
         tenant.t.volume.v size=10GiB
         ";
    world.apply(&format!("{SITE}{guests}"));
    let grown =
        guests.replace("memory=4GiB", "memory=7GiB").replace("host=@site.m.host.kvm1\n", "\n");
    check_refused(
        &world,
        &grown,
        &["vm `b` outgrows its host\n  site.m.host.kvm1: needs 3 GiB more of memory, 2 GiB free"],
    );
    let problems = world.place(&format!("{SITE}{grown}")).expect_err("it does not fit");
    let help = problems[0].help.as_deref();
    assert!(help.is_some_and(|help| help.starts_with("`host = site.m.host.kvm2`")), "{help:?}");
    check_refused(
        &world,
        &guests.replace("size=10GiB", "size=101GiB"),
        &[
            "volume `v` outgrows its host\n  site.m.host.kvm1: needs 91 GiB more in site.m.pool.fast, 90 GiB free",
        ],
    );
}

#[test]
fn a_guest_is_not_moved_to_a_volume_without_a_word() {
    let mut world = World::default();
    let apart = "tenant.t.vm.a vcpus=1 memory=1GiB host=@site.m.host.kvm1
         tenant.t.vm.b vcpus=1 memory=1GiB
         tenant.t.volume.v size=1GiB
        ";
    assert_eq!(told(&world.apply(&format!("{SITE}{apart}"))), "a kvm1, b kvm2, v kvm1/fast");
    let attached = apart.replace("vm.b ", "vm.b disk.v.volume=@tenant.t.volume.v ");
    check_refused(
        &world,
        &attached,
        &["no host has room for vm `b` (1 vCPU, 1 GiB of memory, 1 GiB on disks)\
           \n  site.m.host.kvm1: the guest runs on site.m.host.kvm2\
           \n  site.m.host.kvm2: volume.v is on site.m.host.kvm1"],
    );
    let told_so = attached.replace("vm.b ", "vm.b host=@site.m.host.kvm1 ");
    let placement = world.place(&format!("{SITE}{told_so}")).expect("it is told to move");
    assert_eq!(told(&placement), "a kvm1, b kvm1, v kvm1/fast");
}

#[test]
fn a_guest_whose_disk_was_made_already_is_placed_before_those_that_are_free() {
    let text = format!(
        "{SITE}tenant.t.vm.a[1] vcpus=1 memory=8GiB spread=a
         tenant.t.vm.a[2] vcpus=1 memory=1GiB spread=a disk.root.volume=@tenant.t.vm.a[2].disk.root
         tenant.t.vm.a[2].disk.root size=1GiB"
    );
    let mut world = World::default();
    let kvm2 = Place { host: address("site.m.host.kvm2"), pool: Some(address("site.m.pool.fast")) };
    world.at.insert(address("tenant.t.vm.a[2].disk.root"), kvm2);
    let placement = world.place(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(told(&placement), "a[1] kvm1, a[2] kvm2, root kvm2/fast");
}

#[test]
fn networks_and_images_are_where_they_are_used() {
    let placement = World::default().place(&format!(
        "{SITE}image.d source=x digest=y
         image.unused source=x digest=y
         tenant.t.network.n cidr=10.0.0.0/24
         tenant.t.network.empty cidr=10.1.0.0/24
         tenant.t.network.theirs cidr=10.2.0.0/24 existing
         tenant.t.vm.a vcpus=1 memory=1GiB host=@site.m.host.kvm2 nic.n.network=@tenant.t.network.n disk.r.volume=@tenant.t.vm.a.disk.r
         tenant.t.vm.a.disk.r size=1GiB image=@image.d
         tenant.t.vm.b vcpus=1 memory=1GiB host=@site.m.host.kvm1 nic.n.network=@tenant.t.network.n"
    ));
    let spread = placement.expect("there is room").spread;
    let told: Vec<String> = spread
        .iter()
        .map(|(address, hosts)| {
            let hosts: Vec<&str> = hosts.iter().map(|host| host.name().as_str()).collect();
            format!("{} {}", address.name(), hosts.join("+"))
        })
        .collect();
    assert_eq!(told, ["d kvm2", "unused ", "fast kvm1+kvm2", "empty kvm1", "n kvm1+kvm2"]);
}

#[test]
fn without_any_host_the_message_says_so() {
    let problems = World::default().place("tenant.t.vm.a vcpus=1 memory=1GiB");
    let problems = problems.expect_err("there is no host");
    assert_eq!(problems[0].message, "vm `a` cannot run anywhere: no host is declared");
}

#[test]
fn what_every_host_lacks_is_what_the_help_is_about() {
    let told = |world: &World, text: &str| {
        let problems = world.place(text).expect_err("nothing fits");
        let head = problems[0].message.lines().next().unwrap_or_default().to_owned();
        (head, problems[0].help.clone().unwrap_or_default())
    };
    let host = "site.m.host.kvm1 capacity.vcpus=8 capacity.memory=64GiB";
    let silent = World { silent: vec!["kvm1"], ..World::default() };
    let (head, help) = told(&silent, &format!("{host}\ntenant.t.vm.a vcpus=1 memory=1GiB"));
    assert_eq!(head, "vm `a` cannot be placed: its only host does not answer");
    assert!(help.starts_with("bring a host back"), "{help}");
    let (head, help) = told(&World::default(), &format!("{host}\ntenant.t.volume.v size=1GiB"));
    assert_eq!(head, "no host has room for volume `v` (1 GiB)");
    assert!(help.starts_with("declare a pool"), "{help}");
}

mod properties {
    use proptest::prelude::*;
    use tcloud_model::Fields;

    use super::*;

    const HOSTS: [u64; 4] = [16, 24, 32, 64];

    /// A guest: GiB of memory, GiB of disk, whether it is spread.
    type Guest = (u64, u64, bool);

    fn text(guests: &BTreeMap<u8, Guest>) -> String {
        let mut text = String::from("site.m.pool.p capacity=200GiB\n");
        for (number, memory) in HOSTS.iter().enumerate() {
            let zone = if number % 2 == 0 { "a" } else { "b" };
            let _ = writeln!(
                text,
                "site.m.host.h{number} zone=@site.m.zone.{zone} capacity.vcpus=64 capacity.memory={memory}GiB"
            );
        }
        for (number, (memory, disk, spread)) in guests {
            let vm = format!("tenant.t.vm.g[{number}]");
            let spread = if *spread { "spread=w" } else { "" };
            let _ = writeln!(
                text,
                "{vm} vcpus=1 memory={memory}GiB disk.r.volume=@{vm}.disk.r {spread}\n{vm}.disk.r size={disk}GiB"
            );
        }
        text
    }

    fn check_capacity(placement: &Placement, guests: &BTreeMap<u8, Guest>) {
        let mut used: BTreeMap<&Address, (u64, u64, u64)> = BTreeMap::new();
        for (number, (memory, disk, spread)) in guests {
            let vm = address(&format!("tenant.t.vm.g[{number}]"));
            let place = &placement.hosts[&vm];
            let root = &placement.hosts[&address(&format!("{vm}.disk.r"))];
            assert_eq!(place.host, root.host);
            let of = used.entry(&place.host).or_default();
            *of = (of.0 + memory, of.1 + disk, of.2 + u64::from(*spread));
        }
        for (host, (memory, disk, spread)) in used {
            let number: usize = host.name()[1..].parse().expect("a number");
            assert!(memory <= HOSTS[number] && disk <= 200 && spread <= 1, "{host}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Guests come and go; those that stay keep their hosts, no host is ever overfull, and the
        /// same question has the same answer.
        #[test]
        fn guests_stay_while_others_come_and_go(
            steps in prop::collection::vec((0_u8..12, 1_u64..24, 1_u64..90, any::<bool>(), any::<bool>()), 1..40)
        ) {
            let mut world = World::default();
            let mut guests: BTreeMap<u8, Guest> = BTreeMap::new();
            for (number, memory, disk, spread, remove) in steps {
                let mut next = guests.clone();
                if remove {
                    next.remove(&number);
                } else {
                    next.entry(number).or_insert((memory, disk, spread));
                }
                let text = text(&next);
                let Ok(placement) = world.place(&text) else { continue };
                prop_assert_eq!(&world.place(&text).expect("as before"), &placement);
                check_capacity(&placement, &next);
                for (address, place) in &world.at {
                    if let Some(now) = placement.hosts.get(address) {
                        prop_assert_eq!(now, place);
                    }
                }
                world.at = placement.hosts.into_iter().collect();
                world.sizes = desired(&text).resources.into_iter().map(|(a, r)| (a, r.attributes)).collect();
                guests = next;
            }
        }

        /// Growing guests are refused or fit; they never push a host over its limit.
        #[test]
        fn growth_never_overfills_a_host(grown in prop::collection::vec((1_u64..16, 1_u64..16), 1..8)) {
            let mut world = World::default();
            let before: BTreeMap<u8, Guest> =
                (0..).zip(&grown).map(|(n, (memory, _))| (n, (*memory, 10, false))).collect();
            world.apply(&text(&before));
            let after: BTreeMap<u8, Guest> =
                (0..).zip(&grown).map(|(n, (memory, more))| (n, (memory + more, 10, false))).collect();
            if let Ok(placement) = world.place(&text(&after)) {
                check_capacity(&placement, &after);
                for (address, place) in &world.at {
                    prop_assert_eq!(&placement.hosts[address], place);
                }
            }
        }
    }

    #[test]
    fn fields_of_a_sketch_are_what_they_say() {
        let graph = desired("tenant.t.vm.a memory=4GiB nic.x.address=10.0.0.7");
        let fields: &Fields = &graph.resources[0].attributes;
        assert_eq!(fields.number("memory"), Some(4 << 30));
        assert!(matches!(
            fields.map("nic").expect("a map").map("x").expect("x").get("address"),
            Some(Value::Ip(_))
        ));
    }
}
