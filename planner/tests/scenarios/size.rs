//! Large texts: nothing grows faster than its input.

use std::fmt::Write as _;

use crate::world::{World, lines, step_names};

/// A chain of networks, each needing the one before.
fn chain(length: usize, rest: &str) -> String {
    let mut text = String::new();
    for at in 0..length {
        let (a, b) = (at / 250, at % 250);
        let after = match at {
            0 => String::new(),
            _ => format!("after=[@tenant.t.network.n[{}]]", at - 1),
        };
        let _ = writeln!(text, "tenant.t.network.n[{at}] cidr=10.{a}.{b}.0/24 {after} {rest}");
    }
    text
}

#[test]
fn a_chain_of_thousands_is_planned_and_taken_down() {
    let text = chain(5_000, "");
    let mut world = World::new(crate::world::SITE);
    let plan = world.plan(&text);
    assert_eq!(step_names(&plan).last().map(String::as_str), Some("create n[4999]"));
    world.apply(&plan);
    assert_eq!(lines(&world.plan(&text)), Vec::<String>::new());
    let anew = world.plan(&chain(5_000, "mtu=1400"));
    assert_eq!(anew.steps.len(), 10_000);
    let edges: usize = anew.steps.iter().map(|step| step.after.len()).sum();
    assert!(edges < 20_000, "{edges}");
}

#[test]
fn thousands_of_guests_in_one_network() {
    let mut text = "tenant.t.network.n cidr=10.0.0.0/16\n".to_owned();
    for at in 0..2_000 {
        let _ = writeln!(
            text,
            "tenant.t.vm.web[{at}] vcpus=1 memory=1MiB nic.x.network=@tenant.t.network.n disk.r.volume=@tenant.t.vm.web[{at}].disk.r\n\
             tenant.t.vm.web[{at}].disk.r size=1MiB"
        );
    }
    let mut world = World::new(BIG);
    let plan = world.plan(&text);
    world.apply(&plan);
    assert_eq!(lines(&world.plan(&text)), Vec::<String>::new());
    let anew = world.plan(&text.replace("/16", "/16 mtu=1400"));
    assert_eq!(anew.changes.len(), 2_001);
    let edges: usize = anew.steps.iter().map(|step| step.after.len()).sum();
    assert!(edges < 10_000, "{edges}");
}

const BIG: &str = "site.m
site.m.host.h1 provider=sim capacity.vcpus=100000 capacity.memory=256GiB
site.m.pool.fast type=dir path=/srv capacity=1000GiB
tenant.t
";
