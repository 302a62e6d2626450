//! What takes effect at once, what waits for a power cycle, and that nothing stops a guest unasked.

use tcloud_model::Value;
use tcloud_provider::Retry;
use tcloud_provider::conformance::{fields, with};

use crate::rig::{DISK, Rig, VM, VOLUME, address, attributes, of};

#[tokio::test]
async fn a_live_change_takes_effect_and_the_guest_keeps_running() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let started = rig.started(VM);
    let more = with(&of(VM), "memory", Value::Bytes(8 << 30));
    let seen = client.update(&address(VM), &more, &["memory"], false).await.expect("a change");
    let seen = seen.expect("it is there");
    assert_eq!(*seen.attributes, more);
    assert!(seen.pending.is_empty());
    assert_eq!(rig.started(VM), started);
}

#[tokio::test]
async fn a_change_that_a_running_guest_cannot_take_waits_until_it_is_power_cycled() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let started = rig.started(VM);
    let other = with(&of(VM), "machine", Value::text("pc"));
    client.update(&address(VM), &other, &["machine"], false).await.expect("a change");
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    assert_eq!(*seen.attributes, of(VM));
    assert_eq!(*seen.pending, attributes(r#"{"machine":"pc"}"#));
    assert_eq!(*seen.persistent(), other);
    assert_eq!(rig.started(VM), started);

    rig.control().power_cycle(VM).expect("a power cycle");
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    assert_eq!(*seen.attributes, other);
    assert!(seen.pending.is_empty());
    assert_ne!(rig.started(VM), started);
}

#[tokio::test]
async fn a_power_cycle_that_is_asked_for_happens_once() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let before = rig.listing(VM).boots;
    let less = with(&of(VM), "memory", Value::Bytes(1 << 30));
    for _ in 0..2 {
        let seen = client.update(&address(VM), &less, &["memory"], true).await.expect("a change");
        assert_eq!(*seen.expect("it is there").attributes, less);
    }
    assert_eq!(rig.listing(VM).boots, before + 1);
}

#[tokio::test]
async fn a_waiting_change_that_is_taken_back_waits_no_more() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let nic = |model: &str| {
        let over = format!(r#"{{"nic":{{"office":{{"model":"{model}"}}}}}}"#);
        of(VM).overlaid(&fields(&over).expect("fields"))
    };
    let path = ["nic.office.model"];
    let seen = client.update(&address(VM), &nic("e1000e"), &path, false).await.expect("a change");
    let waits = r#"{"nic":{"office":{"model":"e1000e"}}}"#;
    assert_eq!(*seen.expect("it is there").pending, attributes(waits));
    let seen = client.update(&address(VM), &nic("virtio"), &path, false).await.expect("a change");
    assert!(seen.expect("it is there").pending.is_empty());
}

#[tokio::test]
async fn a_guest_that_is_to_stop_is_stopped_only_with_consent() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let off = with(&of(VM), "running", Value::Bool(false));
    let seen = client.update(&address(VM), &off, &["running"], false).await.expect("a change");
    assert_eq!(seen.expect("it is there").running, Some(true));
    let seen = client.update(&address(VM), &off, &["running"], true).await.expect("a change");
    assert_eq!(seen.expect("it is there").running, Some(false));
    let seen = client.update(&address(VM), &of(VM), &["running"], false).await.expect("a change");
    let seen = seen.expect("it is there");
    assert_eq!((seen.running, &*seen.attributes), (Some(true), &of(VM)));
}

#[tokio::test]
async fn volumes_grow_under_a_running_guest_and_never_shrink() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let started = rig.started(VM);
    for (place, size) in [(VOLUME, 20 << 30), (DISK, 30 << 30)] {
        let grown = with(&of(place), "size", Value::Bytes(size));
        let seen = client.update(&address(place), &grown, &["size"], false).await.expect(place);
        assert_eq!(*seen.expect(place).attributes, grown);
        let error = client.update(&address(place), &of(place), &["size"], false).await;
        let error = error.expect_err("a volume cannot shrink");
        assert_eq!(error.retry, Retry::Never);
        assert_eq!(error.object.map(|object| object.attributes), Some(grown.into()));
    }
    assert_eq!(rig.started(VM), started);
}

#[tokio::test]
async fn a_guest_writes_to_its_volumes_when_it_starts() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    let off = with(&of(VM), "running", Value::Bool(false));
    for (place, json) in &crate::rig::WORLD[..5] {
        client.create(&address(place), &attributes(json)).await.expect(place);
    }
    client.create(&address(VM), &off).await.expect("a guest that does not run");
    assert_eq!(rig.listing(VOLUME).object.written, Some(0));
    assert!(rig.listing(DISK).object.written > Some(0));
    rig.control().start(VM).expect("a start");
    assert!(rig.listing(VOLUME).object.written > Some(0));
}
