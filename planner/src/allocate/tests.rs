//! Which addresses are given, and that they stay.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tcloud_model::value::MacText;

use super::*;
use crate::sketch::{Sketch, address, desired};

type Current = BTreeMap<Address, Arc<Fields>>;

fn run(text: &str, current: &Current, leaving: &str) -> Result<Allocation, Vec<Diagnostic>> {
    let sketch = Sketch(desired(text));
    let leaving = desired(leaving).resources.into_values().map(|vm| vm.attributes);
    allocate(&AllocateInput {
        desired: &sketch.0,
        deployment: &Deployment::new("test"),
        evaluator: &sketch,
        current: &|vm| current.get(vm).cloned(),
        leaving: &leaving.collect::<Vec<_>>(),
    })
}

fn current(text: &str) -> Current {
    desired(text).resources.into_iter().map(|(vm, at)| (vm, at.attributes)).collect()
}

/// What a record of the VMs says after an allocation was applied.
fn applied(text: &str, allocation: &Allocation) -> Current {
    let mut current = Current::new();
    for (vm, resource) in desired(text).resources {
        let mut fields = (*resource.attributes).clone();
        let Some(Value::Map(nics)) = fields.remove("nic") else { continue };
        let mut nics = Arc::unwrap_or_clone(nics);
        let labels: Vec<Name> = nics.iter().map(|(label, _)| label.clone()).collect();
        for label in labels {
            let (ip, mac) = allocation.nics[&vm.labelled("nic", &label)];
            let Some(Value::Map(nic)) = nics.remove(&label) else { continue };
            let mut nic = Arc::unwrap_or_clone(nic);
            nic.insert("address", Value::Ip(ip.expect("an address")));
            nic.insert("mac", Value::Mac(mac));
            nics.insert(label, Value::map(nic));
        }
        fields.insert("nic", Value::map(nics));
        current.insert(vm, Arc::new(fields));
    }
    current
}

#[track_caller]
fn check(text: &str, had: &str, expected: &str) {
    let allocation = run(text, &current(had), "").unwrap_or_else(|e| panic!("{e:?}"));
    let told: Vec<String> = allocation
        .nics
        .iter()
        .map(|(nic, (ip, _))| {
            let ip = ip.map_or("none".to_owned(), |ip| ip.to_string());
            let vm = nic.parent().expect("a NIC lies in a VM");
            format!("{}.{} {ip}", vm.last_name(), nic.last_name())
        })
        .collect();
    assert_eq!(told.join(", "), expected);
}

const NETWORK: &str = "tenant.t.network.n cidr=10.0.0.0/29 gateway=10.0.0.1 ";

#[test]
fn a_dynamic_card_and_one_in_a_network_without_addresses_get_none() {
    check(
        &format!(
            "{NETWORK} dhcp.range=10.0.0.2..=10.0.0.6
             tenant.t.network.lan mode=bridge
             tenant.t.vm.a nic.x.network=@tenant.t.network.n nic.x.dynamic=true
             tenant.t.vm.b nic.y.network=@tenant.t.network.lan"
        ),
        "",
        "a.x none, b.y none",
    );
}

#[test]
fn the_lowest_free_address_is_given() {
    check(
        &format!(
            "{NETWORK} dhcp.range=10.0.0.3..=10.0.0.4 route.r.via=10.0.0.2
             tenant.t.vm.a nic.x.network=@tenant.t.network.n
             tenant.t.vm.b[1] nic.y[1].network=@tenant.t.network.n"
        ),
        "",
        "a.x 10.0.0.5, b[1].y[1] 10.0.0.6",
    );
    check(
        "tenant.t.network.n cidr=fd00:1::/64 gateway=fd00:1::1
         tenant.t.vm.a nic.x.network=@tenant.t.network.n",
        "",
        "a.x fd00:1::2",
    );
    check(
        "tenant.t.network.n cidr=10.0.0.8/32
         tenant.t.vm.a nic.x.network=@tenant.t.network.n",
        "",
        "a.x 10.0.0.8",
    );
    check(
        "tenant.t.network.n cidr=10.0.0.0/29 mode=isolated
         tenant.t.vm.a nic.x.network=@tenant.t.network.n",
        "",
        "a.x 10.0.0.2",
    );
}

#[test]
fn the_text_wins_and_what_a_guest_has_it_keeps_where_that_is_possible() {
    let text = format!(
        "{NETWORK}
         tenant.t.vm.a nic.x.network=@tenant.t.network.n
         tenant.t.vm.b nic.x.network=@tenant.t.network.n nic.x.address=10.0.0.2
         tenant.t.vm.c nic.x.network=@tenant.t.network.n
         tenant.t.vm.d existing nic.x.network=@tenant.t.network.n nic.x.address=10.0.0.3"
    );
    for (had, expected) in [
        ("", "a.x 10.0.0.4, b.x 10.0.0.2, c.x 10.0.0.5"),
        ("tenant.t.vm.c nic.x.address=10.0.0.4", "a.x 10.0.0.5, b.x 10.0.0.2, c.x 10.0.0.4"),
        ("tenant.t.vm.c nic.x.address=10.0.0.2", "a.x 10.0.0.4, b.x 10.0.0.2, c.x 10.0.0.5"),
        ("tenant.t.vm.a nic.x.address=10.9.0.2", "a.x 10.0.0.4, b.x 10.0.0.2, c.x 10.0.0.5"),
        ("tenant.t.vm.a nic.x.address=10.0.0.7", "a.x 10.0.0.4, b.x 10.0.0.2, c.x 10.0.0.5"),
    ] {
        check(&text, had, expected);
    }
}

#[test]
fn an_address_that_is_being_given_up_is_given_out_last() {
    let guests = |count: usize| {
        let guest = |n| format!("tenant.t.vm.a[{n}] nic.x.network=@tenant.t.network.n\n");
        format!("{NETWORK}\n{}", (1..=count).map(guest).collect::<String>())
    };
    let leaving = "tenant.t.vm.old nic.x.network=@tenant.t.network.n nic.x.address=10.0.0.2";
    let given = |count| -> Vec<String> {
        let allocation = run(&guests(count), &Current::new(), leaving).expect("enough");
        allocation.nics.values().filter_map(|(ip, _)| Some(ip.as_ref()?.to_string())).collect()
    };
    assert_eq!(given(1), ["10.0.0.3"]);
    assert_eq!(given(5), ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"]);
}

#[test]
fn an_exhausted_network_is_one_message() {
    let text = "tenant.t.network.n cidr=10.0.0.0/29 gateway=10.0.0.1 dhcp.range=10.0.0.3..=10.0.0.6
         tenant.t.vm.a nic.x.network=@tenant.t.network.n
         tenant.t.vm.b nic.x.network=@tenant.t.network.n
         tenant.t.vm.c nic.x.network=@tenant.t.network.n";
    let problems = run(text, &Current::new(), "").expect_err("there is one address");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "network `n` has no address left for 2 NICs");
    assert_eq!(
        problems[0].primary.text,
        "10.0.0.0/29 has 6 addresses for guests: 1 given, 4 for DHCP, 1 reserved"
    );
    assert_eq!(problems[0].secondary.len(), 2);
}

#[test]
fn macs_are_unique_and_those_in_use_stay() {
    let text = "tenant.t.network.n cidr=10.0.0.0/29
         tenant.t.vm.a nic.x.network=@tenant.t.network.n
         tenant.t.vm.b nic.x.network=@tenant.t.network.n
         tenant.t.vm.c nic.x.network=@tenant.t.network.n nic.x.mac=52:54:00:00:00:01";
    let derived = Identity::mac(&Deployment::new("test"), &address("tenant.t.vm.a.nic.x"), 0);
    let had = format!("tenant.t.vm.b nic.x.mac={}", MacText(&derived));
    let macs = |had: &str| -> Vec<[u8; 6]> {
        let allocation = run(text, &current(had), "").expect("enough");
        allocation.nics.values().map(|(_, mac)| *mac).collect()
    };
    assert_eq!(macs("")[0], derived);
    let [a, b, c] = macs(&had)[..] else { panic!("three NICs") };
    assert_eq!((b, c), (derived, [0x52, 0x54, 0, 0, 0, 1]));
    assert!(a != b, "the second attempt is another address");
    assert_ne!(macs("tenant.t.vm.b nic.x.mac=52:54:00:00:00:01")[1], c);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Guests come and go: nobody else's address or MAC ever changes, none is given twice, and
    /// the same question has the same answer.
    #[test]
    fn addresses_once_given_stay(steps in prop::collection::vec((0_u8..10, any::<bool>()), 1..60)) {
        let (mut guests, mut had) = (std::collections::BTreeSet::new(), Current::new());
        for (number, two) in steps {
            if !guests.remove(&(number, two)) {
                guests.insert((number, two));
            }
            let mut text = String::from("tenant.t.network.n cidr=10.0.0.0/27 gateway=10.0.0.1\n");
            for (number, two) in &guests {
                let name = if *two { "b" } else { "a" };
                text.push_str(&format!("tenant.t.vm.{name}[{number}] nic.x.network=@tenant.t.network.n\n"));
            }
            let allocation = run(&text, &had, "").expect("the network is large enough");
            prop_assert_eq!(&run(&text, &had, "").expect("as before"), &allocation);
            let distinct: IndexSet<_> = allocation.nics.values().map(|(ip, _)| ip).collect();
            prop_assert_eq!(distinct.len(), guests.len());
            let now = applied(&text, &allocation);
            for (vm, fields) in &had {
                prop_assert!(now.get(vm).is_none_or(|now| now == fields));
            }
            had = now;
        }
    }
}
