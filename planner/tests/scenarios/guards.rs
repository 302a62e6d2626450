//! Drift, protection, targets, interrupted runs: S31 to S40 and S61 to S78.

use std::collections::BTreeSet;
use std::sync::Arc;

use tcloud_model::{Fields, ObjectId, Value};
use tcloud_planner::plan::{DecisionKind, Reason};
use tcloud_planner::{Goal, Wishes};

use crate::text::address;
use crate::world::{World, lines, step_names, wishes};

const NET: &str = "tenant.t.network.n cidr=10.0.0.0/24\n";
const VOLUME: &str = "tenant.t.volume.v size=10GiB\n";

fn allow_loss(text: &str) -> Wishes {
    Wishes { allow_data_loss: BTreeSet::from([address(text)]), ..wishes() }
}

fn target(text: &str) -> Wishes {
    Wishes { target: vec![text.to_owned()], ..wishes() }
}

#[test]
fn s31_a_creation_that_died_half_way_is_completed() {
    let mut world = World::new(crate::world::SITE);
    world.up("");
    let plan = world.plan(NET);
    world.apply(&plan);
    // The provider made it, and nobody wrote down that it did; one attribute is missing.
    world.state.records.retain(|id, _| id.address != address("tenant.t.network.n"));
    world.tamper("tenant.t.network.n", "dhcp", Value::None);
    world.tamper("tenant.t.network.n", "mode", Value::text("isolated"));
    let plan = world.plan(NET);
    assert_eq!(plan.changes[0].reason, Reason::Unfinished);
    world.up(NET);
}

#[test]
fn a_guest_lets_go_of_a_volume_beside_an_older_one() {
    let text = "tenant.t.volume.v size=10GiB protect=false\n\
                tenant.t.vm.g vcpus=1 memory=1GiB disk.d.volume=@tenant.t.volume.v\n";
    let mut world = World::with(text);
    let old = world.live("tenant.t.volume.v").clone();
    let mut wishes = crate::world::wishes();
    wishes.replace = vec!["tenant.t.volume.v".to_owned()];
    wishes.allow_data_loss.insert(address("tenant.t.volume.v"));
    world.up_with(text, &wishes);
    // The host said that the old one was removed, and it was not.
    let place = (address("site.m.host.h1"), old.kind.clone(), old.name.clone());
    world.objects.insert(place, old);
    world.up_with(text, &wishes);
    assert_eq!(world.objects.values().filter(|object| object.kind == "volume").count(), 1);
}

#[test]
fn a_record_of_what_is_gone_goes_although_its_successor_is_in_use() {
    let text = "tenant.t.volume.v size=10GiB\n\
                tenant.t.vm.g vcpus=1 memory=1GiB disk.d.volume=@tenant.t.volume.v\n";
    let mut world = World::with(text);
    let volume = |id: &&tcloud_model::ObjectId| id.address.kind() == "volume";
    let id = world.state.records.keys().find(volume).expect("it is recorded").clone();
    let mut record = world.state.records[&id].clone();
    let gone = tcloud_model::ObjectId { incarnation: id.incarnation + 1, ..id };
    record.identity = tcloud_model::Identity::derive(&world.deployment, &gone, false);
    record.stamp.incarnation = gone.incarnation;
    world.state.records.insert(gone.clone(), record);
    world.up(text);
    assert!(!world.state.records.contains_key(&gone));
}

#[test]
fn s34_an_old_one_that_could_not_be_removed_is_removed_later() {
    let first = "tenant.t.network.n cidr=10.0.0.0/24 create_first=true\n";
    let mut world = World::with(first);
    for run in 1..=3 {
        let text = first.replace("create_first", &format!("mtu=140{run} create_first"));
        let plan = world.plan(&text);
        // Deletions fail.
        for step in &plan.steps {
            let word = step.operation.as_ref().map_or("record", |o| o.action.word());
            if word != "delete" {
                world.step(step);
            }
        }
        let networks = world.objects.values().filter(|object| object.kind == "network").count();
        assert_eq!(networks, run + 1);
    }
    let text = first.replace("create_first", "mtu=1403 create_first");
    let plan = world.up(&text);
    assert_eq!(step_names(&plan), ["delete n", "delete n", "delete n"]);
    assert!(plan.changes.iter().all(|change| change.reason == Reason::Leftover));
}

#[test]
fn s33_when_the_new_one_cannot_be_made_the_old_one_stays_current() {
    let first = "tenant.t.network.n cidr=10.0.0.0/24 create_first=true\n";
    let world = World::with(first);
    let text = first.replace("create_first", "mtu=1400 create_first");
    let _ = world.plan(&text);
    assert_eq!(lines(&world.plan(first)), Vec::<String>::new());
    assert_eq!(step_names(&world.plan(&text)), ["create n", "delete n"]);
}

#[test]
fn s38_an_old_one_that_is_gone_already() {
    let mut world = World::with(NET);
    let (id, record) =
        world.state.records.iter().find(|(id, _)| id.address.name() == "n").expect("a record");
    let (mut id, mut record) = (id.clone(), record.clone());
    id.incarnation = 7;
    record.stamp.incarnation = 7;
    record.identity.name = tcloud_model::Name::new("t.network-n~7");
    record.identity.uuid = uuid::Uuid::from_u128(7);
    world.state.records.insert(id, record);
    let plan = world.up(NET);
    assert_eq!(step_names(&plan), ["record n"]);
}

#[test]
fn s61_s70_protection_outlives_the_block() {
    let mut world = World::with("tenant.t.network.n cidr=10.0.0.0/24 protect=true\n");
    let plan = world.plan("");
    assert_eq!(plan.decisions.len(), 1);
    assert_eq!(plan.decisions[0].kind, DecisionKind::Protected);
    assert!(plan.needs_decision() && plan.decisions[0].help.contains("forget tenant.t.network.n"));
    world.state.records.clear();
    assert!(world.plan("").needs_decision(), "also without the record");
    let agreed =
        Wishes { allow_destroy: BTreeSet::from([address("tenant.t.network.n")]), ..wishes() };
    assert!(!world.plan_with("", &agreed).needs_decision());
}

#[test]
fn protection_that_the_text_adds_is_put_on_the_object() {
    let mut world = World::with(NET);
    let plan = world.up("tenant.t.network.n cidr=10.0.0.0/24 protect=true\n");
    assert_eq!(lines(&plan), ["update n: none protect"]);
    assert!(world.plan("").needs_decision());
}

#[test]
fn data_goes_only_with_consent_that_names_it() {
    let mut world = World::with(VOLUME);
    world.live("tenant.t.volume.v").written = Some(5 << 30);
    let plan = world.plan("");
    assert_eq!(lines(&plan), ["delete v: recreate-lose"]);
    assert_eq!(plan.decisions[0].kind, DecisionKind::DataLoss);
    assert!(plan.decisions[0].message.contains("5 GiB"), "{}", plan.decisions[0].message);
    let other = allow_loss("tenant.t.volume.w");
    assert!(world.plan_with("", &other).needs_decision());
    world.up_with("", &allow_loss("tenant.t.volume.v"));
}

#[test]
fn a_smaller_size_is_a_new_volume() {
    let mut world = World::with(VOLUME);
    world.live("tenant.t.volume.v").written = None;
    let plan = world.plan(&VOLUME.replace("10GiB", "5GiB"));
    assert_eq!(lines(&plan), ["replace- v: recreate-lose size"]);
    assert!(plan.needs_decision());
    let plan = world.plan(&VOLUME.replace("10GiB", "15GiB"));
    assert_eq!(lines(&plan), ["update v: live+guest size"]);
}

#[test]
fn s65_what_vanished_is_made_again_as_it_was() {
    let text =
        NET.to_owned() + "tenant.t.vm.a vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n";
    let mut world = World::with(&text);
    let before = world.live("tenant.t.vm.a").clone();
    world.lose("tenant.t.vm.a");
    let plan = world.up(&text);
    assert_eq!(lines(&plan), ["create a: none"]);
    assert_eq!(plan.changes[0].reason, Reason::Vanished);
    assert!(plan.drift[0].vanished);
    assert_eq!(world.live("tenant.t.vm.a"), &before);
}

#[test]
fn s67_a_refresh_only_writes_records() {
    let mut world = World::with(VOLUME);
    world.tamper("tenant.t.volume.v", "size", Value::Bytes(12 << 30));
    let refresh = Wishes { goal: Goal::Refresh, ..wishes() };
    let plan = world.plan_with(VOLUME, &refresh);
    assert_eq!(step_names(&plan), ["record v"]);
    world.apply(&plan);
    assert!(world.plan_with(VOLUME, &refresh).is_empty());
    // It is drift still: the stamp says what was applied.
    assert_eq!(world.plan(VOLUME).changes[0].reason, Reason::Drift);
}

#[test]
fn a_refresh_finds_lost_records_again() {
    let mut world = World::with(&(NET.to_owned() + VOLUME));
    let before = world.state.clone();
    world.state.records.clear();
    let refresh = Wishes { goal: Goal::Refresh, ..wishes() };
    let plan = world.plan_with(NET, &refresh);
    world.apply(&plan);
    assert_eq!(world.state, before);
}

#[test]
fn s68_what_is_gone_and_no_longer_declared_is_only_forgotten() {
    let mut world = World::with(VOLUME);
    world.lose("tenant.t.volume.v");
    let plan = world.up("");
    assert_eq!(step_names(&plan), ["record v"]);
    assert!(!plan.needs_decision());
}

#[test]
fn s69_protection_and_a_forced_replacement() {
    let world = World::with(VOLUME);
    let replace = Wishes { replace: vec!["tenant.t.volume.v".to_owned()], ..wishes() };
    let plan = world.plan_with(VOLUME, &replace);
    assert!(plan.needs_decision());
    assert_eq!(step_names(&plan), ["delete v", "create v"]);
}

#[test]
fn s72_destroying_a_target_takes_what_depends_on_it() {
    let text = NET.to_owned()
        + VOLUME
        + "tenant.t.vm.a vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n";
    let mut world = World::with(&text);
    let destroy = Wishes { goal: Goal::Destroy, ..target("tenant.t.network.n") };
    let plan = world.up_with(&text, &destroy);
    assert_eq!(step_names(&plan), ["delete a", "delete n"]);
    let vm = plan.changes.iter().find(|change| change.kind == "vm").expect("the guest");
    assert_eq!(vm.reason, Reason::Follows(address("tenant.t.network.n")));
}

#[test]
fn s73_what_the_excluded_needs_stays_too() {
    let text = NET.to_owned()
        + "tenant.t.network.m cidr=10.1.0.0/24\n"
        + "tenant.t.vm.a vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n";
    let world = World::with(&text);
    let destroy =
        Wishes { goal: Goal::Destroy, exclude: vec!["tenant.t.vm.a".to_owned()], ..wishes() };
    let names = step_names(&world.plan_with(&text, &destroy));
    assert_eq!(names, ["delete fast", "delete m"]);
}

#[test]
fn a_target_takes_what_it_needs() {
    let text = NET.to_owned()
        + VOLUME
        + "tenant.t.vm.web[1] vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n";
    let world = World::new(crate::world::SITE);
    let named = |word: &str| step_names(&world.plan_with(&text, &target(word)));
    assert_eq!(named("tenant.t.vm.web"), ["create n", "create web[1]"]);
    assert_eq!(named("tenant.t.vm.web[1]"), ["create n", "create web[1]"]);
    assert_eq!(named("*.network.*"), ["create n"]);
    assert_eq!(named("network.n"), ["create n"]);
}

#[test]
fn a_word_that_names_nothing_or_several_is_refused() {
    let text = NET.to_owned() + VOLUME + "tenant.u.network.n cidr=10.9.0.0/24\n";
    let world = World::new(crate::world::SITE);
    let exclude = |word: &str| Wishes { exclude: vec![word.to_owned()], ..wishes() };
    let refusal = |wishes: &Wishes| {
        let problems = world.try_plan(&text, wishes).expect_err("refused");
        problems.into_iter().map(|own| (own.message, own.help)).collect::<Vec<_>>()
    };
    let near = "did you mean `tenant.t.volume.v`?";
    let told = |text: &str, help: &str| vec![(text.to_owned(), Some(help.to_owned()))];
    for (option, wishes) in [
        ("target", target("tenant.t.volume.w")),
        ("exclude", exclude("tenant.t.volume.w")),
        ("exclude", Wishes { goal: Goal::Destroy, ..exclude("tenant.t.volume.w") }),
    ] {
        let message = format!("`--{option} tenant.t.volume.w`: nothing is called that");
        assert_eq!(refusal(&wishes), told(&message, near));
    }
    let several = "write more of one of: tenant.t.network.n, tenant.u.network.n";
    assert_eq!(
        refusal(&exclude("network.n")),
        told("`--exclude network.n` may mean several", several)
    );
    let agreed = world.plan_with(&text, &allow_loss("tenant.t.volume.w"));
    assert_eq!(agreed.unchecked, ["--allow data-loss=tenant.t.volume.w: nothing is called that"]);
}

#[test]
fn s78_a_value_of_replace_when_makes_it_anew() {
    let text = "tenant.t.network.n cidr=10.0.0.0/24 replace_when=one\n";
    let mut world = World::with(text);
    world.state.records.clear();
    let plan = world.up(&text.replace("one", "two"));
    assert_eq!(plan.changes[0].reason, Reason::ReplaceWhen);
    assert_eq!(step_names(&plan), ["delete n", "create n"]);
    // Adding or removing the condition is no reason.
    assert_eq!(lines(&world.plan(NET)), ["update n: none replace_when"]);
}

#[test]
fn drift_is_told_and_changed_back() {
    let mut world = World::with(VOLUME);
    world.tamper("tenant.t.volume.v", "size", Value::Bytes(8 << 30));
    let plan = world.plan(VOLUME);
    assert_eq!(lines(&plan), ["update v: live+guest size"]);
    assert_eq!(plan.changes[0].reason, Reason::Drift);
    let drift = &plan.drift[0].attributes[0];
    assert_eq!(
        (&drift.before, &drift.after),
        (&Some(Value::Bytes(10 << 30)), &Some(Value::Bytes(8 << 30)))
    );
    assert!(plan.changes[0].causes.is_empty());
}

#[test]
fn ignored_drift_is_told_and_left() {
    let text = "tenant.t.volume.v size=10GiB ignore=size\n";
    let mut world = World::with(text);
    world.tamper("tenant.t.volume.v", "size", Value::Bytes(12 << 30));
    let plan = world.plan(text);
    assert!(plan.is_empty());
    assert_eq!(plan.drift.len(), 1);
}

#[test]
fn what_somebody_made_as_the_text_wants_is_only_recorded() {
    let mut world = World::with(VOLUME);
    world.tamper("tenant.t.volume.v", "size", Value::Bytes(20 << 30));
    let plan = world.up(&VOLUME.replace("10GiB", "20GiB"));
    assert_eq!(step_names(&plan), ["move v"]);
}

#[test]
fn what_the_text_never_set_is_left_alone() {
    let mut world = World::with(NET);
    world.tamper("tenant.t.network.n", "mtu", Value::Int(9000));
    let plan = world.plan(NET);
    assert!(plan.is_empty() && plan.drift.is_empty());
}

#[test]
fn what_the_text_no_longer_sets_goes() {
    let text = "tenant.t.vm.a vcpus=1 memory=1GiB running=false boot.order=[disk]\n";
    let mut world = World::with(text);
    let plan = world.up("tenant.t.vm.a vcpus=1 memory=1GiB running=false\n");
    assert_eq!(lines(&plan), ["update a: live boot"]);
    assert_eq!(plan.changes[0].attributes[0].after, None);
    assert_eq!(world.live("tenant.t.vm.a").attributes.get("boot"), None);
}

#[test]
fn a_host_that_does_not_answer_keeps_what_it_has() {
    let mut world = World::with(&(NET.to_owned() + VOLUME));
    world.silent.insert(address("site.m.host.h1"));
    for text in [NET.to_owned() + VOLUME, NET.replace("network.n", "network.o"), String::new()] {
        let Ok(plan) = world.try_plan(&text, &wishes()) else { continue };
        assert!(plan.is_empty(), "{:?}", lines(&plan));
        assert!(plan.unchecked[0].contains("did not answer"), "{:?}", plan.unchecked);
    }
}

#[test]
fn a_host_that_left_the_text_is_not_passed_over() {
    let mut world = World::with(&(NET.to_owned() + VOLUME));
    world.objects.clear();
    let site = crate::world::SITE.replace("host.h1", "host.h2");
    world.site = Box::leak(site.into_boxed_str());
    let told = "`site.m.host.h1` is no longer in the text, and 3 objects are remembered on it";
    for goal in [Goal::Apply, Goal::Destroy, Goal::Refresh] {
        let problems = world.try_plan(NET, &Wishes { goal, ..wishes() }).expect_err("refused");
        let problems: Vec<_> = problems.iter().map(|own| (own.code.0, &*own.message)).collect();
        assert_eq!(problems, [("E0913", told)], "{goal:?}");
    }
    let statement = "moved site.m.host.h1 -> site.m.host.h2\n".to_owned() + NET;
    assert_eq!(
        world.refuses(&statement),
        ["E0901 `site.m.host.h1` is a host, and cannot be moved"]
    );
    world.state.records.clear();
    assert_eq!(step_names(&world.plan(VOLUME)), ["create fast", "create v"]);
}

#[test]
fn others_are_counted_and_left() {
    let mut world = World::with(VOLUME);
    world.live("tenant.t.volume.v").stamp.as_mut().expect("a stamp").deployment = uuid::Uuid::nil();
    world.state.records.clear();
    assert_eq!(world.plan("").foreign, 1);
    assert!(world.plan("").is_empty());
}

#[test]
fn the_type_of_a_pool_cannot_change() {
    let mut world = World::with(VOLUME);
    let site = crate::world::SITE.replace("type=dir", "type=nfs");
    world.site = Box::leak(site.into_boxed_str());
    assert_eq!(world.refuses(VOLUME), ["E0908 `type` of pool `fast` cannot change"]);
}

/// A run that was to let go of a disk and take it again was interrupted between the two. It is the same
/// where neither host nor record tell of something, and the stamp alone says that it was asked for.
#[test]
fn a_disk_that_only_the_record_lacks_is_recorded() {
    let text = "tenant.t.vm.a.disk.root size=10GiB\n\
                tenant.t.vm.a vcpus=1 memory=1GiB title=secret disk.r.volume=@tenant.t.vm.a.disk.root\n";
    for (left, unread) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = World::with(text);
        let of_guest = |id: &&ObjectId| id.address == address("tenant.t.vm.a");
        let id = world.state.records.keys().find(of_guest).expect("it is remembered").clone();
        let mut record = world.state.records[&id].clone();
        let known = Arc::make_mut(&mut record.attributes);
        known.remove("disk");
        if left {
            known.insert("disk", Value::map(Fields::new()));
        }
        if unread {
            known.remove("title");
            Arc::make_mut(&mut world.live("tenant.t.vm.a").attributes).remove("title");
        }
        world.state.records.insert(id, record);
        let plan = world.up(text);
        assert_eq!(step_names(&plan), ["record a"], "{left} {unread}");
    }
}
