//! What goes wrong, as a script says: faults, time, unreachable hosts, calls that are given up.

use std::time::Duration;

use tcloud_model::{AttrPath, OperationKind, Value};
use tcloud_provider::conformance::with;
use tcloud_provider::{Provider, Retry};
use tcloud_provider_sim::{Fault, How, Latency, SimProvider};

use crate::rig::{NETWORK, Rig, VM, VOLUME, address, attributes, of};

fn fault(how: How) -> Fault {
    Fault {
        operation: Some("create".to_owned()),
        kind: Some("network".to_owned()),
        object: Some("tenant.t.*".to_owned()),
        how,
        message: "scripted".to_owned(),
        times: Some(1),
        chance: 100,
    }
}

#[tokio::test]
async fn each_fault_happens_as_often_as_it_says_and_leaves_what_it_says() {
    for (how, retry, done) in [
        (How::Permanent, Some(Retry::Never), false),
        (How::Transient, Some(Retry::Later), false),
        (How::Unknown, Some(Retry::Unknown), false),
        (How::Lost, Some(Retry::Unknown), true),
        (How::Lie, None, false),
    ] {
        let rig = Rig::new();
        rig.control().break_with(&fault(how)).expect("a script");
        let host = rig.host().await;
        let client = rig.client(&*host);
        let network = address(NETWORK);
        let answer = client.create(&network, &of(NETWORK)).await;
        assert_eq!(answer.as_ref().err().map(|error| error.retry), retry, "{how:?}");
        let seen = client.observe(&network).await.expect("a sweep");
        assert_eq!(seen.is_some(), done, "{how:?}");
        match answer {
            Ok(claimed) => assert!(claimed.is_some(), "a lie looks like success"),
            Err(error) => assert_eq!(error.object.map(|object| *object), seen, "{how:?}"),
        }
        client.create(&network, &of(NETWORK)).await.expect("the fault is used up");
        let outcomes: Vec<String> =
            rig.control().calls().expect("a log").into_iter().map(|call| call.outcome).collect();
        let first = if how == How::Lie { "ok" } else { "scripted" };
        assert_eq!(outcomes, [first, "ok"]);
    }
}

#[tokio::test]
async fn a_call_that_hangs_can_be_given_up_and_the_host_lives_on() {
    let rig = Rig::new();
    rig.control().break_with(&fault(How::Hang)).expect("a script");
    let host = rig.host().await;
    let client = rig.client(&*host);
    let network = address(NETWORK);
    let attributes = of(NETWORK);
    let hangs = client.create(&network, &attributes);
    tokio::time::timeout(Duration::from_millis(50), hangs).await.expect_err("no answer comes");
    assert_eq!(client.observe(&network).await.expect("a sweep"), None);
    client.create(&network, &of(NETWORK)).await.expect("the fault is used up");
}

#[tokio::test]
async fn an_operation_that_dies_halfway_is_seen_as_it_is_and_a_repeat_finishes_it() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    client.delete(&address(VM)).await.expect("a guest is deleted");
    let half = Fault { kind: Some("vm".to_owned()), ..fault(How::Halfway) };
    rig.control().break_with(&half).expect("a script");
    let error = client.create(&address(VM), &of(VM)).await.expect_err("it died");
    assert_eq!(error.retry, Retry::Unknown);
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    assert_eq!((seen.running, seen.attributes.flag("running")), (Some(false), Some(false)));
    let seen = client.create(&address(VM), &of(VM)).await.expect("a repeat").expect("it is there");
    assert_eq!((seen.running, &*seen.attributes), (Some(true), &of(VM)));
}

#[tokio::test]
async fn a_host_that_does_something_else_tells_so() {
    let rig = Rig::new();
    let wrong = Fault { kind: Some("volume".to_owned()), ..fault(How::Wrong) };
    rig.control().break_with(&wrong).expect("a script");
    let host = rig.host().await;
    let client = rig.client(&*host);
    let asked = attributes(r#"{"size":{"$bytes":1073741824}}"#);
    let told = client.create(&address(VOLUME), &asked).await.expect("a volume").expect("of ours");
    assert_eq!(told.attributes.number("size"), Some((1 << 30) + 1));
    assert_eq!(client.observe(&address(VOLUME)).await.expect("a sweep"), Some(told));
}

#[tokio::test]
async fn chances_come_from_the_seed() {
    let outcomes = |seed| async move {
        let rig = Rig::new();
        rig.control().set_seed(seed).expect("a seed");
        let often = Fault { times: None, chance: 50, ..fault(How::Transient) };
        rig.control().break_with(&often).expect("a script");
        let host = rig.host().await;
        let client = rig.client(&*host);
        let mut failed = Vec::new();
        for _ in 0..40 {
            failed.push(client.create(&address(NETWORK), &of(NETWORK)).await.is_err());
        }
        failed
    };
    let first = outcomes(1).await;
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(first, outcomes(1).await);
    assert_ne!(first, outcomes(2).await);
}

#[tokio::test(start_paused = true)]
async fn calls_take_the_time_that_the_script_says() {
    let rig = Rig::new();
    let latency = Latency {
        operation: Some("create".to_owned()),
        kind: Some("network".to_owned()),
        milliseconds: 4_000,
        jitter: 25,
    };
    rig.control().set_latencies(&[latency]).expect("a script");
    let host = rig.host().await;
    let client = rig.client(&*host);
    let start = tokio::time::Instant::now();
    client.create(&address(NETWORK), &of(NETWORK)).await.expect("a network");
    let taken = start.elapsed();
    assert!((3_000..=5_001).contains(&taken.as_millis()), "{taken:?}");
    client.create(&address(VOLUME), &attributes(r#"{"size":{"$bytes":1}}"#)).await.expect("quick");
    assert_eq!(start.elapsed(), taken);
}

#[tokio::test]
async fn an_unreachable_host_says_why() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.control().set_unreachable(Some("no route to host")).expect("a script");
    let message = "the host cannot be reached: no route to host";
    let error = host.observe().await.expect_err("it is away");
    assert_eq!((error.message.as_str(), error.retry), (message, Retry::Later));
    let error = client.create(&address(NETWORK), &of(NETWORK)).await.expect_err("it is away");
    assert_eq!((error.message.as_str(), error.retry), (message, Retry::Later));
    let config = rig.config(&rig.host, &rig.deployment);
    let error = SimProvider::new().configure(&config).await.err().expect("it is away");
    assert_eq!((error.message.as_str(), error.retry), (message, Retry::Later));
    rig.control().set_unreachable(None).expect("a script");
    assert!(host.observe().await.is_ok());
}

#[tokio::test]
async fn what_a_person_changes_by_hand_is_seen() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let started = rig.started(VM);
    let drift = |path: &str, value| {
        rig.control().drift(VM, &AttrPath::parse(path), value).expect(path);
    };
    drift("memory", Some(Value::Bytes(2 << 30)));
    drift("hostname", None);
    drift("nic.office", None);
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    assert_eq!(seen.attributes.number("memory"), Some(2 << 30));
    assert_eq!(seen.attributes.get("hostname"), Some(&Value::None));
    assert_eq!(seen.attributes.map("nic").map(|nics| nics.len()), Some(0));
    assert_eq!(rig.started(VM), started);
    let paths = ["memory", "hostname", "nic.office"];
    let seen = client.update(&address(VM), &of(VM), &paths, false).await.expect("a repair");
    assert_eq!(*seen.expect("it is there").attributes, of(VM));

    rig.control().delete(NETWORK).expect("a deletion");
    assert_eq!(client.observe(&address(NETWORK)).await.expect("a sweep"), None);
    let seen = client.observe(&address(VM)).await.expect("a sweep").expect("it is there");
    assert_eq!(*seen.attributes, of(VM));
    rig.control().stop(VM).expect("a stop");
    let error = rig.control().start(VM).expect_err("its network is gone");
    assert_eq!(
        error.to_string(),
        r#"guest "t.web" cannot start: there is no network "t.network-office" on the host"#
    );
}

#[tokio::test]
async fn malformed_requests_are_errors_and_change_nothing() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    let before = rig.dump();
    for (place, json, message) in [
        ("tenant.t.vm.x", r#"{"vcpus":1}"#, "vm: memory is missing"),
        ("tenant.t.vm.x", r#"{"spread":"a"}"#, r#"vm: "spread" is nothing that a host knows"#),
        (
            "tenant.t.network.x",
            r#"{"cidr":"10.0.0.0/8"}"#,
            r#"network: "cidr" takes Cidr, not "10.0.0.0/8""#,
        ),
        (
            "tenant.t.network.x",
            r#"{"cidr":{"$cidr":"10.0.0.0/8"},"route":{"a":{"to":{"$cidr":"10.0.0.0/8"}}}}"#,
            r#"network: "route.a.via" is missing"#,
        ),
        ("tenant.t", "{}", r#"a host has no objects of kind "tenant""#),
    ] {
        let error = client.create(&address(place), &attributes(json)).await.expect_err(json);
        assert_eq!((error.message.as_str(), error.retry), (message, Retry::Never));
    }
    for name in ["", "../x", ".hidden", "a\nb"] {
        let mut operation = client.creation(&address("tenant.t.network.x"), &of(NETWORK));
        operation.identity.name = name.into();
        host.apply(&operation).await.expect_err(name);
    }
    let mut elsewhere = client.operation(&address(VM), OperationKind::Delete);
    elsewhere.object.host = address("site.m.host.other");
    host.apply(&elsewhere).await.expect_err("another host");
    let huge = with(&of(VOLUME), "size", Value::Bytes(u64::MAX));
    client.create(&address("tenant.t.volume.x"), &huge).await.expect_err("no pool is that large");
    assert_eq!(rig.dump(), before);
}
