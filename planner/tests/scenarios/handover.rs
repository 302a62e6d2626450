//! What goes from one guest to another: a volume, an address, a MAC.

use tcloud_model::Value;

use crate::world::{World, assert_order, lines, step_names, wishes};

const GROUND: &str = "tenant.t.network.n cidr=10.0.0.0/24
tenant.t.volume.v size=1GiB
tenant.t.volume.w size=1GiB
";
const V: &str = "disk.d.volume=@tenant.t.volume.v";
const W: &str = "disk.d.volume=@tenant.t.volume.w";

fn vm(name: &str, rest: &str) -> String {
    format!("tenant.t.vm.{name} vcpus=1 memory=1GiB {rest}\n")
}

fn nic(number: &str) -> String {
    format!("nic.x.network=@tenant.t.network.n nic.x.{number}")
}

fn two(a: &str, b: &str) -> String {
    format!("{GROUND}{}{}", vm("a", a), vm("b", b))
}

#[test]
fn a_volume_leaves_one_guest_before_another_takes_it() {
    for (from, to) in [("a", "b"), ("b", "a")] {
        let mut world = World::with(&format!("{GROUND}{}{}", vm(from, V), vm(to, "")));
        let plan = world.up(&format!("{GROUND}{}{}", vm(from, ""), vm(to, V)));
        assert_order(&plan, &format!("update {from} < update {to}"));
        assert_eq!(plan.steps.len(), 2);
    }
    let mut world = World::with(&format!("{GROUND}{}", vm("z", V)));
    let plan = world.up(&format!("{GROUND}{}", vm("a", V)));
    assert_order(&plan, "delete z < create a");
}

/// Both have to be without their volumes for a moment, each in a step of its own.
#[test]
fn two_guests_swap_their_volumes() {
    let now = |disk: &str| format!("restart=now {disk}");
    let mut world = World::with(&two(&now(V), &now(W)));
    let plan = world.up(&two(&now(W), &now(V)));
    let expected = ["update a: power-cycle disk.d.volume", "update b: power-cycle disk.d.volume"];
    assert_eq!(lines(&plan), expected);
    let steps = step_names(&plan);
    assert_eq!(steps, ["update a", "update b", "update a", "update b"]);
    assert_eq!(world.live("tenant.t.vm.a").running, Some(true));
}

#[test]
fn three_guests_pass_their_addresses_on() {
    let three = |numbers: [u8; 3]| {
        let [a, b, c] = numbers.map(|number| nic(&format!("address=10.0.0.{number}")));
        format!("{GROUND}{}{}{}", vm("a", &a), vm("b", &b), vm("c", &c))
    };
    let mut world = World::with(&three([5, 6, 7]));
    world.up(&three([6, 7, 5]));
    world.up(&three([7, 5, 9]));
}

/// `after` says nothing of who has a volume first.
#[test]
fn a_guest_takes_a_volume_from_one_that_needs_it() {
    let after = "after=[@tenant.t.vm.a]";
    let mut world = World::with(&two("", &format!("{V} {after}")));
    world.up(&two(V, after));
}

#[test]
fn addresses_go_from_guests_that_are_made_anew_first() {
    let anew = |number: u8, mode: u8| {
        let address = nic(&format!("address=10.0.0.{number}"));
        format!("{address} create_first replace_when=[{mode}]")
    };
    let mut world = World::with(&two(&anew(5, 1), &anew(6, 1)));
    let plan = world.up(&two(&anew(6, 2), &anew(5, 2)));
    assert_order(&plan, "delete a < create b");
    assert_order(&plan, "delete b < create a");
}

#[test]
fn what_a_guest_keeps_until_its_next_start_nobody_else_can_have() {
    let told = |what: &str, path: &str, until: &str| {
        format!(
            "E0914 `{path}` of tenant.t.vm.b cannot be had now: tenant.t.vm.a has {what} {until}"
        )
    };
    let waits = "until it is stopped and started";
    let sata = format!("{V} disk.d.bus=sata");
    let mut world = World::with(&two(&sata, ""));
    let text = two("", V);
    assert_eq!(world.refuses(&text), [told("tenant.t.volume.v", "disk.d", waits)]);
    // The same once it is taken away, and waits.
    let gone = [("disk".into(), Value::map([("d".into(), Value::None)].into_iter().collect()))];
    world.live("tenant.t.vm.a").pending = std::sync::Arc::new(gone.into_iter().collect());
    assert_eq!(world.refuses(&text), [told("tenant.t.volume.v", "disk.d", waits)]);
    world.tamper("tenant.t.vm.a", "running", Value::Bool(false));
    world.live("tenant.t.vm.a").running = Some(false);
    assert!(!world.plan(&text).is_empty(), "nobody writes to it");
    let mac = nic("mac=52:54:00:00:00:01");
    let world = World::with(&two(&mac, ""));
    let other = two(&nic("mac=52:54:00:00:00:02"), &mac);
    let what = "\"52:54:00:00:00:01\" in tenant.t.network.n";
    assert_eq!(world.refuses(&other), [told(what, "nic.x", waits)]);
    let now = other.replacen("vcpus=1", "vcpus=1 restart=now", 1);
    assert_order(&world.plan(&now), "update a < update b");
}

#[test]
fn what_a_guest_has_that_the_plan_is_not_about_nobody_else_can_have() {
    let world = World::with(&two(V, ""));
    let left_out = tcloud_planner::Wishes { exclude: vec!["tenant.t.vm.a".to_owned()], ..wishes() };
    let problems = world.try_plan(&two("", V), &left_out).expect_err("it is not to be had");
    assert!(problems[0].message.ends_with("and is not changed by this plan"), "{problems:?}");
    let forgotten = format!("{GROUND}{}forget tenant.t.vm.a\n", vm("b", V));
    assert_eq!(world.refuses(&forgotten).len(), 1);
}
