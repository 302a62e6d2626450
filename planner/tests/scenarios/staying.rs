//! What stays where it is, although a plan is about something beside it.

use tcloud_model::{Impact, Name};
use tcloud_planner::plan::Interruption;

use crate::text::address;
use crate::world::{TWO_HOSTS, World, lines, wishes};

const N: &str = "tenant.t.network.n cidr=10.0.0.0/24\n";
const V: &str = "tenant.t.volume.v pool=@site.m.pool.fast size=1GiB protect=false\n";

fn vm(name: &str, rest: &str) -> String {
    format!("tenant.t.vm.{name} memory=1GiB nic.x.network=@tenant.t.network.n {rest}\n")
}

fn on(name: &str, host: &str) -> String {
    vm(name, &format!("vcpus=1 host=@site.m.host.{host}"))
}

#[test]
fn a_network_stays_under_a_guest_that_the_plan_is_not_about() {
    let mut world = World::new(TWO_HOSTS);
    world.up(&format!("{N}{}{}", on("a", "h1"), on("b", "h2")));
    let mut wishes = wishes();
    wishes.exclude = vec!["tenant.t.vm.b".to_owned()];
    for text in [on("a", "h1"), on("a", "h1") + &on("b", "h1")] {
        let plan = world.plan_with(&format!("{N}{text}"), &wishes);
        assert!(plan.is_empty(), "{:?}", lines(&plan));
        let told = "tenant.t.network.n stays on site.m.host.h2, where tenant.t.vm.b uses it";
        assert_eq!(plan.unchecked, [told]);
    }
}

#[test]
fn a_network_stays_under_a_guest_that_is_forgotten() {
    let mut world = World::new(TWO_HOSTS);
    world.up(&format!("{N}{}{}", on("a", "h1"), on("b", "h2")));
    let text = format!("{N}{}forget tenant.t.vm.b\n", on("a", "h1"));
    let plan = world.plan(&text);
    assert_eq!(lines(&plan), ["forget b: none"]);
    world.apply(&plan);
    for text in [text, format!("{N}{}", on("a", "h1"))] {
        let plan = world.plan(&text);
        assert!(plan.is_empty(), "{:?}", lines(&plan));
        assert!(plan.unchecked[0].contains("which is not ours, uses it"), "{:?}", plan.unchecked);
    }
}

#[test]
fn a_network_is_not_made_anew_under_who_stays_in_it() {
    let mut world = World::with(&format!("{N}{}{}", vm("a", "vcpus=1"), vm("b", "vcpus=1")));
    let anew = N.replace("/24", "/24 mtu=1400");
    let text = format!("{anew}{}{}", vm("a", "vcpus=1"), vm("b", "vcpus=1"));
    let told = |because: &str| format!("E0914 tenant.t.network.n cannot be removed now: {because}");
    let left = [told("tenant.t.vm.b has a NIC in it, and this plan leaves it as it is")];
    let refused = |world: &World, text: &str, wishes: &tcloud_planner::Wishes| {
        let problems = world.try_plan(text, wishes).expect_err("refused");
        problems.iter().map(|own| format!("{} {}", own.code, own.message)).collect::<Vec<_>>()
    };
    let mut without_b = wishes();
    without_b.exclude = vec!["tenant.t.vm.b".to_owned()];
    assert_eq!(refused(&world, &text, &without_b), left);
    without_b.exclude.push("tenant.t.network.n".to_owned());
    assert!(world.plan_with(&text, &without_b).is_empty());
    let forgotten = format!("{anew}{}forget tenant.t.vm.b\n", vm("a", "vcpus=1"));
    assert_eq!(world.refuses(&forgotten), left);
    let mut only = wishes();
    only.target = vec!["tenant.t.network.n".to_owned()];
    assert_eq!(refused(&world, &format!("{anew}{}", vm("a", "vcpus=1")), &only), left);
    world.live("tenant.t.vm.b").stamp = None;
    world.state.records.retain(|id, _| id.address != address("tenant.t.vm.b"));
    let text = format!("{anew}{}", vm("a", "vcpus=1"));
    let theirs = told("the guest t.b, which is not ours, has a NIC in it");
    assert_eq!(world.refuses(&text), [theirs]);
}

#[test]
fn a_network_is_not_made_anew_while_a_nic_in_it_waits() {
    let mut world = World::with(&format!("{N}tenant.t.vm.a vcpus=1 memory=1GiB\n"));
    let own = [("network".into(), tcloud_model::Value::Ref(address("tenant.t.network.n")))];
    let nic = [("x".into(), tcloud_model::Value::map(own.into_iter().collect()))];
    let later = [("nic".into(), tcloud_model::Value::map(nic.into_iter().collect()))];
    world.live("tenant.t.vm.a").pending = std::sync::Arc::new(later.into_iter().collect());
    let told = "E0914 tenant.t.network.n cannot be removed now: tenant.t.vm.a gets a NIC in it when \
                it is next started";
    let text = format!("{}{}", N.replace("/24", "/24 mtu=1400"), vm("a", "vcpus=1"));
    assert_eq!(world.refuses(&text), [told]);
}

#[test]
fn a_guest_that_is_dragged_along_gets_an_address_of_its_network() {
    let mut world = World::with(&format!("{N}{}", vm("a", "vcpus=1")));
    let text = format!("{}{}", N.replace("10.0.0.", "10.9.0."), vm("a", "vcpus=1 title=x"));
    let mut only = wishes();
    only.target = vec!["tenant.t.network.n".to_owned()];
    let plan = world.up_with(&text, &only);
    let expected =
        ["replace- n: recreate-keep cidr", "update a: live+guest nic.x.network,nic.x.address"];
    assert_eq!(lines(&plan), expected);
    let given = plan.guests[0].addresses.first().and_then(|own| own.after.clone());
    assert!(given.is_some_and(|own| own.to_string().starts_with("10.9.0.")), "{:?}", plan.guests);
    assert_eq!(lines(&world.plan(&text)), ["update a: live title"]);
}

#[test]
fn a_network_that_stays_and_is_known_only_by_its_stamp_is_remembered() {
    let mut world = World::new(TWO_HOSTS);
    world.up(&format!("{N}{}{}", on("a", "h1"), on("b", "h2")));
    let on_h2 = |id: &tcloud_model::ObjectId| {
        id.address == address("tenant.t.network.n") && id.host == address("site.m.host.h2")
    };
    world.state.records.retain(|id, _| !on_h2(id));
    let mut wishes = wishes();
    wishes.exclude = vec!["tenant.t.vm.b".to_owned()];
    let text = format!("{N}{}", on("a", "h1"));
    let plan = world.plan_with(&text, &wishes);
    world.apply(&plan);
    assert!(world.state.records.keys().any(on_h2), "{:?}", lines(&plan));
    assert!(world.plan_with(&text, &wishes).is_empty());
}

#[test]
fn a_guest_is_not_made_anew_where_its_disk_cannot_follow_it() {
    let mut world = World::new(TWO_HOSTS);
    let at = |host: &str| {
        format!(
            "{N}tenant.t.vm.a.disk.root size=10GiB\n{}",
            vm(
                "a",
                &format!(
                    "vcpus=1 disk.root.volume=@tenant.t.vm.a.disk.root host=@site.m.host.{host}"
                )
            )
        )
    };
    world.up(&at("h1"));
    world.fixed = [address("site.m.host.h1"), address("site.m.host.h2")].into();
    let mut wishes = wishes();
    wishes.replace = vec!["tenant.t.vm.a".to_owned()];
    let problems = world.try_plan(&at("h2"), &wishes).expect_err("refused");
    let codes: Vec<&str> = problems.iter().map(|own| own.code.0).collect();
    assert_eq!(codes, ["E0912"]);
    let guest = world.live("tenant.t.vm.a").clone();
    world.objects.retain(|_, own| own.uuid != guest.uuid);
    let refused = "E0912 vm `a` cannot be moved from site.m.host.h1 to site.m.host.h2";
    assert_eq!(world.refuses(&at("h2")), [refused]);
}

#[test]
fn the_name_of_a_replacement_is_not_one_that_others_have() {
    let mut world = World::with(N);
    let mut other = world.live("tenant.t.network.n").clone();
    other.name = Name::new(&format!("{}~1", other.name));
    (other.uuid, other.stamp) = (Some(uuid::Uuid::nil()), None);
    let place = (address("site.m.host.h1"), other.kind.clone(), other.name.clone());
    world.objects.insert(place, other);
    let plan = world.up("tenant.t.network.n cidr=10.0.0.0/24 mtu=1400\n");
    assert_eq!(lines(&plan).len(), 1);
    assert!(world.live("tenant.t.network.n").name.ends_with("~2"));
}

#[test]
fn a_guest_that_moves_is_down_whatever_waits_for_its_next_start() {
    let mut world = World::new(TWO_HOSTS);
    let at = |rest: &str| format!("{N}{}", vm("a", rest));
    world.up(&at("vcpus=1 host=@site.m.host.h1"));
    let plan = world.plan(&at("vcpus=2 host=@site.m.host.h2"));
    let guest = &plan.guests[0];
    assert_eq!((guest.impact, guest.condition), (Impact::RecreateKeep, None));
    assert_eq!(guest.interruption, Interruption::Unknown);
}

#[test]
fn what_is_dragged_along_keeps_what_its_stamp_says_of_its_life() {
    let lasting = "protect=true replace_when=[x]";
    let mut world = World::with(&format!("{N}{}", vm("a", &format!("vcpus=1 {lasting}"))));
    let text = format!(
        "tenant.t.network.n cidr=10.0.0.0/24 mtu=1400\n{}",
        vm("a", "vcpus=1 protect=false replace_when=[y]")
    );
    let mut only = wishes();
    only.target = vec!["tenant.t.network.n".to_owned()];
    let before = world.live("tenant.t.vm.a").stamp.clone().expect("a stamp");
    world.up_with(&text, &only);
    let after = world.live("tenant.t.vm.a").stamp.clone().expect("a stamp");
    assert_eq!((after.protect, after.triggers), (before.protect, before.triggers));
}

#[test]
fn a_guest_that_changes_otherwise_has_not_let_go_of_its_disk() {
    let with = |rest: &str| format!("{N}{V}{}", vm("a", rest));
    let world = World::with(&with("vcpus=1 disk.d.volume=@tenant.t.volume.v disk.d.bus=sata"));
    let mut wishes = wishes();
    wishes.allow_data_loss.insert(address("tenant.t.volume.v"));
    for (rest, changed) in [
        ("vcpus=1", "update a: power-cycle waits disk.d"),
        ("vcpus=1 title=x", "update a: power-cycle waits title,disk.d"),
    ] {
        let text = format!("{N}{}", vm("a", rest));
        let plan = world.plan_with(&text, &wishes);
        assert_eq!(lines(&plan), [changed]);
        assert!(plan.unchecked[0].contains("tenant.t.volume.v stays"), "{:?}", plan.unchecked);
    }
}
