//! Who newly reaches whom, and what of it has to be agreed to.

use std::collections::BTreeSet;

use tcloud_planner::Wishes;
use tcloud_planner::plan::{Border, DecisionKind};

use crate::text::address;
use crate::world::{SITE, World, lines, wishes};

/// A town and a district whose networks are there.
const TWO: &str = "tenant.d
tenant.d.network.app mode=routed cidr=10.1.0.0/24
tenant.d.vm.a vcpus=1 memory=1GiB nic.n.network=@tenant.d.network.app
tenant.t.network.fach mode=routed cidr=10.2.0.0/24 expose_to=[@tenant.d]RULE
tenant.t.vm.db vcpus=1 memory=1GiB nic.n.network=@tenant.t.network.fach
";

#[test]
fn opening_a_network_to_another_tenant_needs_consent_and_closing_it_does_not() {
    let closed = TWO.replace("RULE", "");
    let open =
        TWO.replace("RULE", " allow.db.from=@tenant.d.network.app allow.db.ports=[5432/tcp]");
    let mut world = World::with(&closed);
    let plan = world.plan(&open);
    assert_eq!(lines(&plan), ["update fach: live admits"]);
    let [line] = &plan.exposure[..] else { panic!("{:?}", plan.exposure) };
    assert_eq!(line.sentence(), "d/a in d/app newly reaches t/db in t/fach on 5432/tcp");
    assert_eq!(line.decision.as_deref(), Some("D1"));
    assert_eq!(line.causes.len(), 1, "the rule");
    let [decision] = &plan.decisions[..] else { panic!("{:?}", plan.decisions) };
    assert_eq!(decision.kind, DecisionKind::Exposure);
    assert_eq!(decision.owners, [address("tenant.d"), address("tenant.t")]);
    assert!(plan.needs_decision());
    let fach = address("tenant.t.network.fach");
    world.up_with(&open, &Wishes { allow_exposure: BTreeSet::from([fach]), ..wishes() });
    let plan = world.up(&closed);
    assert_eq!(
        plan.exposure[0].sentence(),
        "d/a in d/app no longer reaches t/db in t/fach on 5432/tcp"
    );
}

#[test]
fn what_is_made_open_is_told_and_needs_no_consent() {
    let mut world = World::new(SITE);
    let rule = " allow.web.from=any allow.web.ports=[443/tcp]";
    let plan = world.up(&TWO.replace("RULE", rule));
    assert!(plan.decisions.is_empty());
    let [line] = &plan.exposure[..] else { panic!("{:?}", plan.exposure) };
    assert!(line.created && line.border == Border::World);
}

#[test]
fn a_card_that_is_held_to_no_rules_any_more_needs_consent() {
    let held = TWO.replace("RULE", "");
    let free = held.replace("tenant.t.vm.db ", "tenant.t.vm.db nic.n.filter=false ");
    let world = World::with(&held);
    let plan = world.plan(&free);
    let [line] = &plan.exposure[..] else { panic!("{:?}", plan.exposure) };
    assert_eq!(line.sentence(), "anybody newly reaches t/db in t/fach");
    assert_eq!((line.border, line.causes.len()), (Border::World, 1));
    let [decision] = &plan.decisions[..] else { panic!("{:?}", plan.decisions) };
    assert_eq!(decision.kind, DecisionKind::Exposure);
    assert!(plan.needs_decision());
}
