//! Guests that move to another host, and what a crash in the middle leaves.

use tcloud_model::{Address, OperationKind, Value};
use tcloud_provider::conformance::{Client, with};
use tcloud_provider::{ConfiguredProvider, Retry};
use tcloud_provider_sim::{Contents, Fault, How};

use crate::rig::{DISK, IMAGE, NETWORK, POOL, Rig, VM, VOLUME, address, attributes, of};

fn other() -> Address {
    address("site.m.host.kvm2")
}

/// A guest on the first host, and what it needs on the second.
async fn prepare(rig: &Rig, first: &dyn ConfiguredProvider, second: &dyn ConfiguredProvider) {
    rig.build(&rig.client(first)).await;
    let there = Client::new(second, &other(), rig.deployment.clone());
    for place in [POOL, IMAGE, NETWORK] {
        there.create(&address(place), &of(place)).await.expect(place);
    }
}

async fn migrate(client: &Client<'_>) -> tcloud_provider::conformance::Applied {
    let (volume, disk) = (address(VOLUME), address(DISK));
    let mut operation = client.migration(&address(VM), &other(), &[&volume, &disk], &of(VM));
    let there = Client::new(client.provider, &other(), client.deployment.clone());
    for (place, identity) in &mut operation.references {
        *identity = there.identity(place);
    }
    client.provider.apply(&operation).await
}

/// Which of the guest's objects a host shows.
async fn shown(host: &dyn ConfiguredProvider) -> Vec<String> {
    let objects = host.observe().await.expect("a sweep").objects;
    let moving = objects.into_iter().filter(|o| ["vm", "disk", "volume"].contains(&&*o.kind));
    moving.map(|object| object.name.to_string()).collect()
}

const ALL: [&str; 3] = ["t.web.disk-root", "t.web", "t.volume-data"];

#[tokio::test]
async fn a_guest_moves_with_its_volumes_and_keeps_running() {
    let rig = Rig::new();
    let (first, second) = (rig.host().await, rig.host_at(&other()).await);
    prepare(&rig, &*first, &*second).await;
    let client = rig.client(&*first);
    let before = rig.listing(VM);
    for _ in 0..2 {
        let seen = migrate(&client).await.expect("a migration").expect("it is there");
        assert_eq!(*seen.attributes, of(VM));
    }
    assert!(shown(&*first).await.is_empty());
    let mut there = shown(&*second).await;
    there.sort();
    let mut all = ALL.map(str::to_owned);
    all.sort();
    assert_eq!(there, all);
    let listing = rig.control_at(&other()).list().expect("a list");
    let after = listing.into_iter().find(|own| own.object.name == "t.web").expect("it is there");
    assert_eq!((after.boots, after.object.written), (before.boots, before.object.written));
    let facts = first.observe().await.expect("a sweep").facts.expect("facts");
    assert!(facts.pools.iter().all(|pool| pool.free == pool.capacity));
}

#[tokio::test]
async fn a_migration_that_dies_is_seen_once_and_a_repeat_finishes_it() {
    let rig = Rig::new();
    let (first, second) = (rig.host().await, rig.host_at(&other()).await);
    prepare(&rig, &*first, &*second).await;
    let client = rig.client(&*first);
    let fault = Fault {
        operation: Some("migrate".to_owned()),
        kind: None,
        object: None,
        how: How::Halfway,
        message: "scripted".to_owned(),
        times: Some(1),
        chance: 100,
    };
    rig.control().break_with(&fault).expect("a script");
    let error = migrate(&client).await.expect_err("it died");
    assert_eq!(error.retry, Retry::Unknown);
    assert!(shown(&*first).await.is_empty());
    assert_eq!(shown(&*second).await.len(), 3);
    let gone = client.operation(&address(VM), OperationKind::Delete);
    assert_eq!(first.look(&gone).await.expect("a look"), None);
    migrate(&client).await.expect("a repeat").expect("it is there");
    assert!(shown(&*first).await.is_empty());
    assert_eq!(shown(&*second).await.len(), 3);
    let dump = rig.control().dump(Contents::Everything).expect("a dump");
    assert!(!dump.contains("t.web"));
}

#[tokio::test]
async fn a_migration_that_the_target_refuses_changes_nothing() {
    let rig = Rig::new();
    let (first, second) = (rig.host().await, rig.host_at(&other()).await);
    prepare(&rig, &*first, &*second).await;
    rig.control_at(&other()).set_size("memory", Some(1 << 30)).expect("a size");
    let client = rig.client(&*first);
    let before = (rig.dump(), rig.control_at(&other()).dump(Contents::Everything));
    let error = migrate(&client).await.expect_err("there is no room");
    assert_eq!(
        error.message,
        r#"guest "t.web" needs 4 GiB of memory, the host has 1 GiB left for guests"#
    );
    assert_eq!((rig.dump(), rig.control_at(&other()).dump(Contents::Everything)), before);
    let more = with(&of(VM), "hostname", Value::text("still-here"));
    client.update(&address(VM), &more, &["hostname"], false).await.expect("it can change");
}

#[tokio::test]
async fn a_volume_does_not_move_away_from_a_guest_that_stays() {
    let rig = Rig::new();
    let (first, second) = (rig.host().await, rig.host_at(&other()).await);
    prepare(&rig, &*first, &*second).await;
    let client = rig.client(&*first);
    let volume = client.migration(&address(VOLUME), &other(), &[], &of(VOLUME));
    let error = first.apply(&volume).await.expect_err("a guest uses it");
    assert_eq!(
        error.message,
        r#"volume "t.volume-data" cannot move: it is in use by guest "t.web""#
    );
    let alone = address("tenant.t.volume.alone");
    let size = attributes(r#"{"size":{"$bytes":1073741824}}"#);
    client.create(&alone, &size).await.expect("a volume");
    let moved = client.migration(&alone, &other(), &[], &size);
    first.apply(&moved).await.expect("a volume that nobody uses moves");
    assert_eq!(shown(&*second).await, ["t.volume-alone"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_that_move_guests_to_each_other_do_not_wait_for_each_other() {
    let rig = Rig::new();
    let (first, second) = (rig.host().await, rig.host_at(&other()).await);
    let (here, there) =
        (rig.client(&*first), Client::new(&*second, &other(), rig.deployment.clone()));
    let plain = attributes(r#"{"vcpus":1,"memory":{"$bytes":1073741824}}"#);
    for number in 0..10 {
        here.create(&address(&format!("tenant.a.vm.v-{number}")), &plain).await.expect("a guest");
        there.create(&address(&format!("tenant.b.vm.v-{number}")), &plain).await.expect("a guest");
    }
    for number in 0..10 {
        let (a, b) = (format!("tenant.a.vm.v-{number}"), format!("tenant.b.vm.v-{number}"));
        let forth = here.migration(&address(&a), &other(), &[], &plain);
        let back = there.migration(&address(&b), &rig.host, &[], &plain);
        let (forth, back) = tokio::join!(first.apply(&forth), second.apply(&back));
        forth.expect("a migration");
        back.expect("a migration");
    }
    assert_eq!(shown(&*first).await.len(), 10);
    assert!(shown(&*first).await.iter().all(|name| name.starts_with("b.")));
    assert!(shown(&*second).await.iter().all(|name| name.starts_with("a.")));
}
