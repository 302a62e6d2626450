//! In which order things are made, changed and removed: S01 to S27.

use crate::world::{World, assert_order, lines, step_names, wishes};
use tcloud_planner::Goal;

/// Networks, since nothing else can need each other in all ways: `mtu` makes anew, `dhcp`
/// changes in place, `after` needs.
fn net(name: &str, rest: &str) -> String {
    let number = name.bytes().map(u32::from).sum::<u32>() % 250;
    format!("tenant.t.network.{name} cidr=10.0.{number}.0/24 {rest}\n")
}

fn after(names: &[&str]) -> String {
    let all: Vec<String> = names.iter().map(|name| format!("@tenant.t.network.{name}")).collect();
    if all.is_empty() { String::new() } else { format!("after=[{}]", all.join(",")) }
}

/// Networks by `name: rest`, with what they need before a `|`.
fn nets(all: &[(&str, &[&str], &str)]) -> String {
    all.iter().map(|(name, needs, rest)| net(name, &format!("{} {rest}", after(needs)))).collect()
}

const NEW: &str = "mtu=1400";
const CHANGED: &str = "dhcp.range=10.0.0.100..=10.0.0.110";

#[test]
fn s01_what_is_needed_is_made_first() {
    let plan = World::new(crate::world::SITE).plan(&nets(&[
        ("a", &[], ""),
        ("b", &["a"], ""),
        ("c", &["b"], ""),
    ]));
    assert_order(&plan, "create a < create b < create c");
}

#[test]
fn s02_and_removed_last() {
    let text = nets(&[("a", &[], ""), ("b", &["a"], ""), ("c", &["b"], "")]);
    let mut world = World::with(&text);
    let destroy = tcloud_planner::Wishes { goal: Goal::Destroy, ..wishes() };
    let plan = world.up_with(&text, &destroy);
    assert_order(&plan, "delete c < delete b < delete a");
    assert!(world.state.records.is_empty() && world.objects.is_empty());
}

#[test]
fn s03_both_made_anew() {
    let mut world = World::with(&nets(&[("a", &[], ""), ("b", &["a"], "")]));
    let plan = world.up(&nets(&[("a", &[], NEW), ("b", &["a"], NEW)]));
    assert_order(&plan, "delete b < delete a < create a < create b");
}

#[test]
fn s04_the_needed_made_anew_the_other_changed() {
    let mut world = World::with(&nets(&[("a", &[], ""), ("b", &["a"], "")]));
    let plan = world.up(&nets(&[("a", &[], NEW), ("b", &["a"], CHANGED)]));
    assert_order(&plan, "delete a < create a < update b");
}

#[test]
fn s05_create_first_the_other_changed() {
    let first = format!("create_first {NEW}");
    let mut world = World::with(&nets(&[("a", &[], "create_first"), ("b", &["a"], "")]));
    let plan = world.up(&nets(&[("a", &[], &first), ("b", &["a"], CHANGED)]));
    assert_order(&plan, "create a < update b < delete a");
}

#[test]
fn s06_create_first_the_other_made_anew_plainly() {
    let first = format!("create_first {NEW}");
    let mut world = World::with(&nets(&[("a", &[], "create_first"), ("b", &["a"], "")]));
    let plan = world.up(&nets(&[("a", &[], &first), ("b", &["a"], NEW)]));
    assert_order(&plan, "delete b < create a < create b < delete a");
}

#[test]
fn s07_create_first_spreads_to_what_is_needed() {
    let first = format!("create_first {NEW}");
    let mut world = World::with(&nets(&[("a", &[], ""), ("b", &["a"], "create_first")]));
    let plan = world.up(&nets(&[("a", &[], NEW), ("b", &["a"], &first)]));
    assert_order(&plan, "create a < create b < delete b < delete a");
    let stamp = world.live("tenant.t.network.a").stamp.clone();
    assert!(stamp.is_some_and(|stamp| stamp.create_first), "it is remembered");
}

#[test]
fn s08_a_chain_all_create_first() {
    let first = format!("create_first {NEW}");
    let of = |rest| nets(&[("a", &[], rest), ("b", &["a"], rest), ("c", &["b"], rest)]);
    let mut world = World::with(&of("create_first"));
    let plan = world.up(&of(&first));
    assert_order(&plan, "create a < create b < create c < delete c < delete b < delete a");
}

#[test]
fn s09_only_the_middle_create_first() {
    let first = format!("create_first {NEW}");
    let mut world =
        World::with(&nets(&[("a", &[], ""), ("b", &["a"], "create_first"), ("c", &["b"], "")]));
    let plan = world.up(&nets(&[("a", &[], NEW), ("b", &["a"], &first), ("c", &["b"], NEW)]));
    assert_order(&plan, "delete c < create b < create c < delete b < delete a");
    assert_order(&plan, "create a < create b");
}

/// A guest with disks is there once, whatever the text says; so is what needs it.
#[test]
fn who_needs_a_guest_that_is_made_anew_goes_before_it() {
    let text = |rest: &str| {
        format!(
            "tenant.t.vm.g.disk.root size=10GiB
            tenant.t.vm.g vcpus=1 memory=1GiB disk.root.volume=@tenant.t.vm.g.disk.root
            tenant.t.network.a cidr=10.0.1.0/24 create_first after=[@tenant.t.vm.g] {rest}
            tenant.t.network.b cidr=10.0.2.0/24 create_first after=[@tenant.t.network.a] {rest}\n"
        )
    };
    let anew = tcloud_planner::Wishes { replace: vec!["tenant.t.vm.g".to_owned()], ..wishes() };
    let mut world = World::with(&text(""));
    let plan = world.up_with(&text(NEW), &anew);
    assert_order(&plan, "delete b < delete a < delete g < create g < create a < create b");
}

/// Others destroy A and then update B. Nothing may refer to what is gone here, so B lets go first.
#[test]
fn s10_who_loses_a_reference_lets_go_first() {
    let mut world = World::with(&nets(&[("a", &[], ""), ("b", &["a"], "")]));
    let plan = world.up(&nets(&[("b", &[], CHANGED)]));
    assert_order(&plan, "update b < delete a");
}

#[test]
fn s11_the_same_with_create_first() {
    let mut world = World::with(&nets(&[("a", &[], "create_first"), ("b", &["a"], "")]));
    let plan = world.up(&nets(&[("b", &[], CHANGED)]));
    assert_order(&plan, "update b < delete a");
}

#[test]
fn s12_what_goes_goes_before_what_it_used_changes() {
    let mut world = World::with(&nets(&[("a", &[], ""), ("b", &["a"], "")]));
    let plan = world.up(&nets(&[("a", &[], CHANGED)]));
    assert_order(&plan, "delete b < update a");
}

#[test]
fn s13_the_order_is_known_when_the_text_is_gone() {
    let text = nets(&[("a", &[], ""), ("b", &["a"], ""), ("c", &["b"], "")]);
    let mut world = World::with(&text);
    world.state.records.clear();
    let plan = world.up("");
    assert_order(&plan, "delete c < delete b < delete a");
}

#[test]
fn s15_the_old_one_waits_for_all_who_used_it() {
    let first = format!("create_first {NEW}");
    let of = |a, b| nets(&[("a", &[], a), ("b0", &["a"], b), ("b1", &["a"], b)]);
    let mut world = World::with(&of("create_first", ""));
    let plan = world.up(&of(&first, CHANGED));
    assert_order(&plan, "create a < update b0 < delete a");
    assert_order(&plan, "create a < update b1 < delete a");
}

#[test]
fn s16_many_used_by_many() {
    let first = format!("create_first {NEW}");
    let of = |a, b| {
        nets(&[("a0", &[], a), ("a1", &[], a), ("b0", &["a0", "a1"], b), ("b1", &["a0", "a1"], b)])
    };
    let mut world = World::with(&of("create_first", ""));
    let plan = world.up(&of(&first, CHANGED));
    for a in ["a0", "a1"] {
        for b in ["b0", "b1"] {
            assert_order(&plan, &format!("create {a} < update {b} < delete {a}"));
        }
    }
}

#[test]
fn s17_a_plain_one_between_two_create_first() {
    let of =
        |b| nets(&[("a", &[], "create_first"), ("b", &["a"], b), ("c", &["b"], "create_first")]);
    let mut world = World::with(&of(""));
    let plan = world.up(&of(NEW));
    assert_order(&plan, "create b < delete b");
    assert_eq!(lines(&plan), ["replace+ b: recreate-keep mtu"]);
}

#[test]
fn s18_fewer_instances_below_a_create_first_chain() {
    let first = format!("create_first {NEW}");
    let mut world = World::with(&nets(&[
        ("a", &[], ""),
        ("b0", &["a"], ""),
        ("b1", &["a"], ""),
        ("c", &["b0", "b1"], "create_first"),
    ]));
    let plan = world.up(&nets(&[("a", &[], NEW), ("b0", &["a"], NEW), ("c", &["b0"], &first)]));
    assert_order(&plan, "create a < create b0 < create c < delete c < delete b0 < delete a");
    assert_order(&plan, "create c < delete b1 < delete a");
}

#[test]
fn s18_the_same_without_create_first() {
    let mut world = World::with(&nets(&[
        ("a", &[], ""),
        ("b0", &["a"], ""),
        ("b1", &["a"], ""),
        ("c", &["b0", "b1"], ""),
    ]));
    let plan =
        world.up(&nets(&[("a", &[], NEW), ("b0", &["a"], CHANGED), ("c", &["b0"], CHANGED)]));
    assert_order(&plan, "delete b1 < delete a < create a < update b0 < update c");
}

#[test]
fn s21_who_has_nothing_to_do_with_it_stays_plain() {
    let first = format!("create_first {NEW}");
    let mut world =
        World::with(&nets(&[("a", &[], ""), ("b", &["a"], "create_first"), ("z", &[], "")]));
    let plan = world.up(&nets(&[("a", &[], NEW), ("b", &["a"], &first), ("z", &[], NEW)]));
    assert_order(&plan, "delete z < create z");
}

#[test]
fn s24_a_full_graph_becomes_a_chain() {
    let names: Vec<String> = (0..30).map(|n| format!("n{n:02}")).collect();
    let text: String = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let needs: Vec<&str> = names[..at].iter().map(String::as_str).collect();
            net(name, &after(&needs)).replace(".0/24", &format!(".{at}/32"))
        })
        .collect();
    let plan = World::new(crate::world::SITE).plan(&text);
    let names = step_names(&plan);
    for (step, name) in plan.steps.iter().zip(&names).filter(|(_, name)| name.contains(" n")) {
        assert_eq!(step.after.len(), usize::from(name != "create n00"), "{names:?}");
    }
}

/// A needed B; now B needs A. Stamps and text disagree, and there is an order all the same.
#[test]
fn s27_needs_that_turned_round() {
    let mut world = World::with(&nets(&[("a", &["b"], "create_first"), ("b", &[], "")]));
    let first = format!("create_first {NEW}");
    let plan = world.up(&nets(&[("a", &[], &first), ("b", &["a"], NEW)]));
    assert_order(&plan, "create a < create b");
}

#[test]
fn a_change_of_order_alone_is_remembered() {
    let mut world = World::with(&nets(&[("a", &[], ""), ("b", &[], "")]));
    let plan = world.up(&nets(&[("a", &[], ""), ("b", &["a"], "")]));
    assert_eq!(lines(&plan), ["update b: none after"]);
    assert_eq!(step_names(&plan), ["move b"]);
}
