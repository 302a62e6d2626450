//! What a plan says of rules that open and close.

use tcloud_model::{Impact, Value};

use crate::text::address;
use crate::world::{World, lines};

const NETS: &str = "tenant.t.network.n cidr=10.1.0.0/24 mode=routed
tenant.t.network.m cidr=10.2.0.0/24 mode=routed
tenant.t.vm.a vcpus=1 memory=1GiB nic.n.network=@tenant.t.network.n
tenant.t.vm.b vcpus=1 memory=1GiB nic.m.network=@tenant.t.network.m
";

fn with_rule(rule: &str) -> String {
    NETS.replace("tenant.t.network.n cidr", &format!("tenant.t.network.n {rule} cidr"))
}

#[test]
fn what_opens_names_the_rule_and_the_running_guests() {
    let mut world = World::with(NETS);
    let open = with_rule("allow.ssh.from=@tenant.t.network.m");
    let plan = world.up(&open);
    assert_eq!(lines(&plan), ["update m: live reaches", "update n: live admits"]);
    let guests: Vec<_> = plan.changes.iter().map(|change| change.guests.clone()).collect();
    assert_eq!(guests, [[address("tenant.t.vm.b")], [address("tenant.t.vm.a")]]);
    assert!(plan.changes.iter().all(|change| !change.causes.is_empty()));
    let plan = world.up(NETS);
    assert_eq!(lines(&plan), ["update m: live reaches", "update n: live admits"]);
}

#[test]
fn an_address_that_changes_is_let_in_under_the_new_one() {
    let text = with_rule("allow.ssh.from=@tenant.t.vm.b");
    let mut world = World::with(&text);
    let moved = text.replace("nic.m.network", "nic.m.address=10.2.0.77 nic.m.network");
    let plan = world.up(&moved);
    let admits = plan.changes.iter().find(|change| change.kind == "network").expect("a network");
    assert_eq!((admits.impact, admits.attributes.len()), (Impact::Live, 1));
    let after = admits.attributes[0].after.as_ref().map(Value::to_string);
    assert_eq!(after.as_deref(), Some("[{ from = 10.2.0.77/32 }]"));
}

#[test]
fn what_was_opened_by_hand_is_closed_again() {
    let mut world = World::with(NETS);
    let open = r#"[{"from":{"$cidr":"0.0.0.0/0"}}]"#;
    let open: Value = serde_json::from_str(open).expect("a value");
    world.tamper("tenant.t.network.n", "admits", open);
    let plan = world.up(NETS);
    assert_eq!(lines(&plan), ["update n: live admits"]);
    assert!(plan.changes[0].attributes[0].drift);
    assert_eq!(world.live("tenant.t.network.n").attributes.get("admits"), None);
}
