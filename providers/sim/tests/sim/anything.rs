//! Whatever is asked in whatever order, a host stays possible: nothing beyond its size, nothing in
//! two places, no guest stopped unasked.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tcloud_model::{Fields, Value};
use tcloud_provider::ConfiguredProvider;
use tcloud_provider::conformance::{Applied, Client};
use tcloud_provider_sim::{Filling, Listing};

use crate::rig::{Rig, address, attributes};

const MEMORY: u64 = 10;
const POOL: u64 = 20;

/// One thing that is asked. Numbers are of small sets, so that requests meet.
#[derive(Clone, Debug)]
enum Act {
    Volume { number: u8, size: u64 },
    Grow { number: u8, size: u64 },
    Guest { number: u8, memory: u64, volume: u8, address: u8 },
    Change { number: u8, memory: u64, machine: bool, power_cycle: bool },
    Delete { kind: &'static str, number: u8 },
    Stop { number: u8 },
    Start { number: u8 },
}

fn act() -> impl Strategy<Value = Act> {
    let number = 0..4_u8;
    let kind = prop_oneof![Just("vm"), Just("volume"), Just("network")];
    let guest = (number.clone(), 2..8_u64, number.clone(), number.clone());
    let change = (number.clone(), 1..8_u64, any::<bool>(), any::<bool>());
    prop_oneof![
        1 => (number.clone(), 1..12_u64).prop_map(|(number, size)| Act::Volume { number, size }),
        2 => (number.clone(), 1..12_u64).prop_map(|(number, size)| Act::Grow { number, size }),
        5 => guest.prop_map(|(number, memory, volume, address)| Act::Guest {
            number,
            memory,
            volume,
            address
        }),
        3 => change.prop_map(|(number, memory, machine, power_cycle)| Act::Change {
            number,
            memory,
            machine,
            power_cycle
        }),
        1 => (kind, number.clone()).prop_map(|(kind, number)| Act::Delete { kind, number }),
        1 => number.clone().prop_map(|number| Act::Stop { number }),
        1 => number.prop_map(|number| Act::Start { number }),
    ]
}

fn volume(size: u64) -> Fields {
    attributes(&format!(r#"{{"size":{{"$bytes":{size}}}}}"#))
}

fn guest(memory: u64, machine: bool, volume: u8, nic: u8) -> Fields {
    let machine = if machine { "pc" } else { "q35" };
    attributes(&format!(
        r#"{{"vcpus":1,"memory":{{"$bytes":{memory}}},"max_memory":{{"$bytes":4}},
        "machine":"{machine}","running":true,
        "disk":{{"a":{{"volume":{{"$ref":"tenant.t.volume.v-{volume}"}}}}}},
        "nic":{{"a":{{"network":{{"$ref":"tenant.t.network.n-0"}},
        "address":{{"$ip":"10.0.0.{nic}"}}}}}}}}"#
    ))
}

async fn perform(rig: &Rig, client: &Client<'_>, act: &Act) -> Applied {
    let vm = |number: &u8| format!("tenant.t.vm.g-{number}");
    let disk = |number: &u8| address(&format!("tenant.t.volume.v-{number}"));
    match act {
        Act::Volume { number, size } => client.create(&disk(number), &volume(*size)).await,
        Act::Grow { number, size } => {
            client.update(&disk(number), &volume(*size), &["size"], false).await
        }
        Act::Guest { number, memory, volume, address: nic } => {
            client.create(&address(&vm(number)), &guest(*memory, false, *volume, *nic)).await
        }
        Act::Change { number, memory, machine, power_cycle } => {
            let wanted = guest(*memory, *machine, 0, 0);
            let changed = ["memory", "machine"];
            client.update(&address(&vm(number)), &wanted, &changed, *power_cycle).await
        }
        Act::Delete { kind, number } => {
            let prefix = kind.replace("vm", "g").chars().next().unwrap_or('x');
            client.delete(&address(&format!("tenant.t.{kind}.{prefix}-{number}"))).await
        }
        // A person may be refused as well.
        Act::Stop { number } => Ok(rig.control().stop(&vm(number)).ok().and(None)),
        Act::Start { number } => Ok(rig.control().start(&vm(number)).ok().and(None)),
    }
}

fn listing(rig: &Rig) -> Vec<Listing> {
    rig.control().list().expect("a list")
}

fn sum(objects: &[Listing], kind: &str, field: &str) -> u64 {
    let of_kind = objects.iter().filter(|own| own.object.kind == *kind);
    let counted = of_kind.filter(|own| own.object.running != Some(false));
    counted.filter_map(|own| own.object.attributes.number(field)).sum()
}

async fn check(rig: &Rig, host: &dyn ConfiguredProvider) {
    let objects = listing(rig);
    assert!(sum(&objects, "vm", "memory") <= MEMORY, "{objects:#?}");
    let facts = host.observe().await.expect("a sweep").facts.expect("facts");
    assert_eq!(facts.pools[0].capacity - facts.pools[0].free, sum(&objects, "volume", "size"));
    assert!(sum(&objects, "volume", "size") <= POOL);
    let names: BTreeSet<_> =
        objects.iter().map(|own| (&own.object.kind, &own.object.name)).collect();
    assert_eq!(names.len(), objects.len());
    let mut attached = BTreeSet::new();
    for own in objects.iter().filter(|own| own.object.running == Some(true)) {
        for (block, field) in [("disk", "volume"), ("nic", "address")] {
            for (_, item) in own.object.attributes.map(block).iter().flat_map(|map| map.iter()) {
                let Value::Map(item) = item else { continue };
                let Some(value) = item.get(field) else { continue };
                assert!(attached.insert(value.to_string()), "{value} is used twice");
            }
        }
    }
}

/// When each guest was started.
fn starts(rig: &Rig) -> BTreeMap<String, Option<u64>> {
    listing(rig).into_iter().map(|own| (own.object.name.to_string(), own.started)).collect()
}

fn may_stop(act: &Act) -> bool {
    match act {
        Act::Change { power_cycle, .. } => *power_cycle,
        Act::Volume { .. } | Act::Grow { .. } => false,
        Act::Guest { .. } | Act::Delete { .. } | Act::Stop { .. } | Act::Start { .. } => true,
    }
}

async fn run(acts: &[Act]) {
    let rig = Rig::new();
    let mut control = rig.control();
    control.set_size("memory", Some(MEMORY)).expect("a size");
    control.set_size("pool", Some(POOL)).expect("a size");
    control.fill(&Filling { guests: 1, vcpus: 1, memory: 1, volume: 1 }).expect("room");
    let foreign = |rig: &Rig| -> Vec<Listing> {
        listing(rig).into_iter().filter(|own| own.object.stamp.is_none()).collect()
    };
    let before = foreign(&rig);
    let host = rig.host().await;
    let client = rig.client(&*host);
    let network = attributes(r#"{"cidr":{"$cidr":"10.0.0.0/24"}}"#);
    client.create(&address("tenant.t.network.n-0"), &network).await.expect("a network");
    for number in 0..4 {
        let place = address(&format!("tenant.t.volume.v-{number}"));
        client.create(&place, &volume(1)).await.expect("a volume");
    }
    for act in acts {
        let was = starts(&rig);
        let answer = perform(&rig, &client, act).await;
        check(&rig, &*host).await;
        let is = starts(&rig);
        if !may_stop(act) {
            assert_eq!(is.iter().filter(|(name, _)| was.contains_key(*name)).count(), was.len());
            assert!(was.iter().all(|(name, start)| is.get(name) == Some(start)), "{act:?}");
        }
        if let Ok(Some(object)) = answer {
            let seen = client.observe_name(&object.kind, &object.name).await.expect("a sweep");
            assert_eq!(seen, Some(object), "{act:?}");
        }
        assert_eq!(foreign(&rig), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_host_stays_possible_whatever_is_asked(acts in prop::collection::vec(act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(run(&acts));
    }
}
