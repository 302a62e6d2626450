//! What outlives a process, and what several processes do to one host at once.

use std::sync::Arc;

use tcloud_model::Value;
use tcloud_provider::conformance::with;

use crate::rig::{NETWORK, Rig, VM, VOLUME, address, attributes, of};

#[tokio::test]
async fn the_world_is_still_there_when_it_is_opened_again() {
    let rig = Rig::new();
    let host = rig.host().await;
    rig.build(&rig.client(&*host)).await;
    let before = rig.dump();
    let started = rig.started(VM);
    drop(host);
    let host = rig.host().await;
    assert_eq!(rig.dump(), before);
    assert_eq!(rig.started(VM), started);
    let seen = rig.client(&*host).observe(&address(VM)).await.expect("a sweep");
    assert_eq!(*seen.expect("it is there").attributes, of(VM));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_handles_at_once_lose_nothing_and_never_exceed_a_limit() {
    let rig = Arc::new(Rig::new());
    rig.control().set_size("pool", Some(50 << 30)).expect("a size");
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let rig = Arc::clone(&rig);
        tasks.push(tokio::spawn(async move {
            let host = rig.host().await;
            let client = rig.client(&*host);
            let mut made = 0;
            for number in 0..20 {
                let place = address(&format!("tenant.t.volume.v-{writer}-{number}"));
                let size = attributes(r#"{"size":{"$bytes":1073741824}}"#);
                made += usize::from(client.create(&place, &size).await.is_ok());
            }
            made
        }));
    }
    let mut made = 0;
    for task in tasks {
        made += task.await.expect("a writer");
    }
    assert_eq!(made, 50);
    let observed = rig.host().await.observe().await.expect("a sweep");
    assert_eq!(observed.objects.len(), 50);
    assert_eq!(observed.facts.expect("facts").pools[0].free, 0);
}

#[tokio::test]
async fn a_call_that_is_given_up_is_done_or_not_done_and_the_next_look_says_which() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    for number in 0..50 {
        let place = address(&format!("tenant.t.network.n-{number}"));
        let json = attributes(r#"{"cidr":{"$cidr":"10.0.0.0/8"}}"#);
        let call = client.create(&place, &json);
        // Given up after its first poll: it may be under way.
        let _ = tokio::time::timeout(std::time::Duration::ZERO, call).await;
        let seen = client.observe(&place).await.expect("a sweep");
        let made = rig.control().list().expect("a list");
        let name = client.identity(&place).name;
        assert_eq!(seen.is_some(), made.iter().any(|listing| listing.object.name == name));
        client.create(&place, &json).await.expect("a repeat");
    }
    assert_eq!(host.observe().await.expect("a sweep").objects.len(), 50);
}

#[tokio::test]
async fn a_moved_address_is_seen_wherever_it_is_referred_to() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let mut renamed = client.operation(
        &address(NETWORK),
        tcloud_model::OperationKind::Stamp {
            stamp: client.stamp(&address("tenant.t.network.rooms"), &of(NETWORK)),
            adopt: false,
        },
    );
    renamed.object.address = address("tenant.t.network.rooms");
    host.apply(&renamed).await.expect("a move");
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    let nic = seen.attributes.map("nic").and_then(|nics| nics.map("office")).expect("a nic");
    assert_eq!(nic.reference("network"), Some(&address("tenant.t.network.rooms")));
}

#[tokio::test]
async fn the_same_seed_and_calls_make_the_same_world() {
    let world = || async {
        let rig = Rig::new();
        rig.control().set_seed(7).expect("a seed");
        let host = rig.host().await;
        let client = rig.client(&*host);
        rig.build(&client).await;
        let grown = with(&of(VOLUME), "size", Value::Bytes(20 << 30));
        client.update(&address(VOLUME), &grown, &["size"], false).await.expect("a change");
        rig.dump()
    };
    assert_eq!(world().await, world().await);
}
