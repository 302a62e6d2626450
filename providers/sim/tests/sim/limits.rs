//! What runs out, what clashes, and whose objects are left alone.

use tcloud_model::{Deployment, OperationKind, Value};
use tcloud_provider::conformance::{Client, with};
use tcloud_provider_sim::Filling;

use crate::rig::{DISK, NETWORK, POOL, Rig, VM, VOLUME, address, attributes, of};

#[tokio::test]
async fn memory_runs_out() {
    let rig = Rig::new();
    rig.control().set_size("memory", Some(6 << 30)).expect("a size");
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let facts = host.observe().await.expect("a sweep").facts.expect("facts");
    assert_eq!(facts.memory, 6 << 30);
    let more = with(&of(VM), "memory", Value::Bytes(8 << 30));
    let error = client.update(&address(VM), &more, &["memory"], false).await.expect_err("no room");
    assert_eq!(
        error.message,
        r#"guest "t.web" needs 8 GiB of memory, the host has 6 GiB left for guests"#
    );
    let other = address("tenant.t.vm.other");
    let plain = attributes(r#"{"vcpus":1,"memory":{"$bytes":4294967296}}"#);
    client.create(&other, &plain).await.expect_err("no room");
    let off = with(&plain, "running", Value::Bool(false));
    client.create(&other, &off).await.expect("a guest that does not run needs no memory");
}

#[tokio::test]
async fn pools_run_out_and_cannot_shrink_below_what_they_hold() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let huge = with(&of(VOLUME), "size", Value::Bytes(1 << 40));
    let error = client.update(&address(VOLUME), &huge, &["size"], false).await.expect_err("full");
    assert_eq!(
        error.message,
        r#"volume "t.volume-data" needs 1 TiB, pool "m.pool-fast" has 1004 GiB left"#
    );
    let small = with(&of(POOL), "capacity", Value::Bytes(1 << 30));
    client.update(&address(POOL), &small, &["capacity"], false).await.expect_err("it is fuller");
    client.delete(&address(VM)).await.expect("a guest is deleted");
    client.delete(&address(DISK)).await.expect("a disk is deleted");
    client.delete(&address(POOL)).await.expect_err("it holds a volume");
    let pools = host.observe().await.expect("a sweep").facts.expect("facts").pools;
    let fast = pools.iter().find(|pool| pool.name == "m.pool-fast").expect("a pool");
    assert_eq!(fast.capacity - fast.free, 10 << 30);
}

#[tokio::test]
async fn foreign_objects_are_seen_and_never_touched() {
    let rig = Rig::new();
    let filling = Filling { guests: 2, vcpus: 2, memory: 1 << 30, volume: 1 << 30 };
    rig.control().fill(&filling).expect("hand-made objects");
    let name = rig.identity(VM).name;
    let by_hand = attributes(r#"{"vcpus":1,"memory":{"$bytes":1024}}"#);
    rig.control().make("vm", &name, &by_hand, None).expect("a hand-made guest");
    let before = rig.dump();

    let host = rig.host().await;
    let client = rig.client(&*host);
    let observed = host.observe().await.expect("a sweep").objects;
    assert_eq!(observed.len(), 6);
    assert!(observed.iter().all(|object| object.stamp.is_none()));
    let plain = attributes(r#"{"vcpus":1,"memory":{"$bytes":1024}}"#);
    let error = client.create(&address(VM), &plain).await.expect_err("the name is taken");
    assert_eq!(
        error.message,
        r#"vm "t.web" exists on site.m.host.kvm1 and is not ours: adopt it, or choose another name"#
    );
    assert_eq!(client.delete(&address(VM)).await.expect("ours is absent"), None);
    assert_eq!(rig.dump(), before);
}

#[tokio::test]
async fn objects_of_another_deployment_are_never_touched() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let before = rig.dump();
    let other = Deployment::new("other");
    let theirs = rig.host_of(&other).await;
    let stranger = Client::new(&*theirs, &rig.host, other.clone());
    for place in [VOLUME, NETWORK, VM] {
        let place = address(place);
        let mut operation = stranger.operation(&place, OperationKind::Delete);
        operation.identity = client.identity(&place);
        theirs.apply(&operation).await.expect_err("a stamp of another deployment");
        operation.action = OperationKind::Unstamp;
        theirs.apply(&operation).await.expect_err("a stamp of another deployment");
        let stamp = stranger.stamp(&place, &of(VM));
        operation.action = OperationKind::Stamp { stamp, adopt: true };
        theirs.apply(&operation).await.expect_err("a stamp of another deployment");
        stranger.create(&place, &of(VM)).await.expect_err("the name is taken");
    }
    assert_eq!(rig.dump(), before);
}

#[tokio::test]
async fn two_guests_cannot_share_an_address_or_run_on_one_volume() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let other = address("tenant.t.vm.other");
    let guest = |rest: &str| {
        attributes(&format!(r#"{{"vcpus":1,"memory":{{"$bytes":1073741824}},{rest}}}"#))
    };
    let nic = guest(
        r#""nic":{"a":{"network":{"$ref":"tenant.t.network.office"},"address":{"$ip":"10.20.0.10"}}}"#,
    );
    let error = client.create(&other, &nic).await.expect_err("the address is taken");
    assert_eq!(
        error.message,
        r#"nic "a": address 10.20.0.10 is taken in network "t.network-office" by guest "t.web""#
    );
    let disk = guest(r#""disk":{"a":{"volume":{"$ref":"tenant.t.volume.data"}}}"#);
    let error = client.create(&other, &disk).await.expect_err("the volume is in use");
    assert_eq!(error.message, r#"volume "t.volume-data" is in use by guest "t.web""#);
    let missing = guest(r#""disk":{"a":{"volume":{"$ref":"tenant.t.volume.nope"}}}"#);
    let error = client.create(&other, &missing).await.expect_err("there is no such volume");
    assert_eq!(
        error.message,
        "tenant.t.volume.nope is needed by tenant.t.vm.other and is not on site.m.host.kvm1"
    );
}

#[tokio::test]
async fn what_is_forgotten_stays_and_can_be_adopted_again() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let network = address(NETWORK);
    let forget = client.operation(&network, OperationKind::Unstamp);
    for _ in 0..2 {
        let seen = host.apply(&forget).await.expect("it is forgotten").expect("it stays");
        assert_eq!((seen.stamp, &*seen.attributes), (None, &of(NETWORK)));
    }
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    let nic = seen.attributes.map("nic").and_then(|nics| nics.map("office")).expect("a nic");
    assert_eq!(nic.text("network"), Some("t.network-office"));
    client.delete(&network).await.expect_err("it is not ours any more");
    let stamp = client.stamp(&network, &of(NETWORK));
    let adopt = client.operation(&network, OperationKind::Stamp { stamp, adopt: true });
    for _ in 0..2 {
        host.apply(&adopt).await.expect("it is adopted");
    }
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    assert_eq!(*seen.attributes, of(VM));
}
