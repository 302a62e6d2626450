//! Moves, removal, adoption: S49 to S64.

use tcloud_model::{Impact, Name, Value};
use tcloud_planner::plan::{Action, Reason};

use crate::text::address;
use crate::world::{World, lines, step_names, wishes};

const NET: &str = "tenant.t.network.n cidr=10.0.0.0/24\n";

fn vm(name: &str) -> String {
    format!("tenant.t.vm.{name} vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n")
}

fn volume(name: &str, rest: &str) -> String {
    format!("tenant.t.volume.{name} size=10GiB {rest}\n")
}

fn moved(from: &str, to: &str) -> String {
    format!("moved tenant.t.{from} -> tenant.t.{to}\n")
}

#[test]
fn s49_a_chain_of_moves_is_one_move() {
    let mut world = World::with(&volume("a", ""));
    let uuid = world.live("tenant.t.volume.a").uuid;
    let text = volume("c", "") + &moved("volume.a", "volume.b") + &moved("volume.b", "volume.c");
    let plan = world.up(&text);
    assert_eq!(lines(&plan), ["move c: none"]);
    assert_eq!(plan.changes[0].previous_address, Some(address("tenant.t.volume.a")));
    assert_eq!(world.live("tenant.t.volume.c").uuid, uuid);
    world.up(&volume("c", ""));
}

#[test]
fn s50_moves_in_a_circle_are_refused() {
    let world = World::with(&volume("a", ""));
    let text = volume("a", "") + &moved("volume.a", "volume.b") + &moved("volume.b", "volume.a");
    let problems = world.refuses(&text);
    assert!(problems[0].starts_with("E0902 these moves go round in a circle"), "{problems:?}");
}

#[test]
fn s51_an_occupied_target_is_refused() {
    let world = World::with(&(volume("a", "") + &volume("b", "")));
    let problems = world.refuses(&(volume("b", "") + &moved("volume.a", "volume.b")));
    assert_eq!(
        problems,
        ["E0905 `tenant.t.volume.a` cannot move: `tenant.t.volume.b` exists already"]
    );
}

#[test]
fn s52_two_objects_swap_their_addresses_once() {
    let both = volume("a", "") + &volume("b", "");
    let mut world = World::with(&both);
    let (a, b) = (world.live("tenant.t.volume.a").uuid, world.live("tenant.t.volume.b").uuid);
    let text = both.clone() + &moved("volume.a", "volume.b") + &moved("volume.b", "volume.a");
    let plan = world.up(&text);
    assert_eq!(lines(&plan), ["move a: none", "move b: none"]);
    assert_eq!(world.live("tenant.t.volume.a").uuid, b);
    assert_eq!(world.live("tenant.t.volume.b").uuid, a);
    world.up(&both);
}

#[test]
fn s52_a_swap_that_died_half_way_is_finished() {
    let both = volume("a", "") + &volume("b", "");
    let mut world = World::with(&both);
    let a = world.live("tenant.t.volume.a").uuid;
    let text = both + &moved("volume.a", "volume.b") + &moved("volume.b", "volume.a");
    let plan = world.plan(&text);
    world.apply_some(&plan, 1);
    world.up(&text);
    assert_eq!(world.live("tenant.t.volume.b").uuid, a);
}

#[test]
fn s53_ambiguous_moves_are_refused() {
    let world = World::with(&volume("a", ""));
    let text = volume("b", "") + &moved("volume.a", "volume.b") + &moved("volume.a", "volume.c");
    assert_eq!(world.refuses(&text), ["E0901 two moves lead from `tenant.t.volume.a`"]);
    let text = volume("c", "") + &moved("volume.a", "volume.c") + &moved("volume.b", "volume.c");
    assert_eq!(world.refuses(&text), ["E0901 two moves lead to `tenant.t.volume.c`"]);
}

#[test]
fn s54_the_innermost_move_wins() {
    let mut world = World::with(
        "tenant.t.shop.main.volume.a size=1GiB\ntenant.t.shop.main.volume.b size=1GiB\n",
    );
    let text = "tenant.t.shop.new.volume.c size=1GiB\ntenant.t.shop.new.volume.b size=1GiB\n"
        .to_owned()
        + &moved("shop.main", "shop.new")
        + &moved("shop.main.volume.a", "shop.new.volume.c");
    assert_eq!(lines(&world.up(&text)), ["move b: none", "move c: none"]);
}

#[test]
fn s56_a_block_that_gets_a_for_keeps_its_object() {
    let mut world = World::with(&(NET.to_owned() + &vm("web")));
    let plan = world.up(&(NET.to_owned() + &vm("web[1]") + &vm("web[2]")));
    assert_eq!(lines(&plan), ["move web[1]: none", "create web[2]: none"]);
}

#[test]
fn s57_keys_change_with_moves() {
    let mut world = World::with(&(NET.to_owned() + &vm("web[1]") + &vm("web[2]")));
    let text = NET.to_owned()
        + &vm("web[\"a\"]")
        + &vm("web[\"b\"]")
        + &moved("vm.web[1]", "vm.web[\"a\"]")
        + &moved("vm.web[2]", "vm.web[\"b\"]");
    let plan = world.up(&text);
    assert_eq!(lines(&plan), ["move web[\"a\"]: none", "move web[\"b\"]: none"]);
}

#[test]
fn s58_moved_and_forgotten() {
    let mut world = World::with(&volume("a", ""));
    let plan = world.up(&(moved("volume.a", "volume.b") + "forget tenant.t.volume.b\n"));
    assert_eq!(lines(&plan), ["forget b: none"]);
    assert_eq!(plan.changes[0].previous_address, Some(address("tenant.t.volume.a")));
    assert_eq!(world.objects.values().filter(|object| object.kind == "volume").count(), 1);
}

#[test]
fn s60_forgotten_objects_live_on() {
    let mut world = World::with(&volume("a", ""));
    let plan = world.up("forget tenant.t.volume.a\n");
    assert_eq!(step_names(&plan), ["forget a"]);
    assert_eq!(world.plan("").foreign, 1);
}

#[test]
fn what_is_forgotten_cannot_be_declared() {
    let world = World::with(&volume("a", ""));
    let text = volume("a", "") + "forget tenant.t.volume.a\n";
    assert_eq!(
        world.refuses(&text),
        ["E0906 `tenant.t.volume.a` is forgotten, and still declared"]
    );
}

#[test]
fn what_is_moved_away_cannot_be_declared() {
    let world = World::with(&volume("a", ""));
    let text = volume("a", "") + &volume("b", "") + &moved("volume.a", "volume.b");
    assert_eq!(
        world.refuses(&text),
        ["E0903 `tenant.t.volume.a` is moved away, and still declared"]
    );
}

#[test]
fn a_moved_network_takes_the_references_to_it_along() {
    let mut world = World::with(&(NET.to_owned() + &vm("web")));
    let renamed = "tenant.t.network.m cidr=10.0.0.0/24\n".to_owned()
        + &vm("web").replace("network.n", "network.m");
    let plan = world.up(&(renamed.clone() + &moved("network.n", "network.m")));
    assert_eq!(lines(&plan), ["move m: none"]);
    // The statement may go: stamps and records know the new address.
    world.up(&renamed);
    assert_eq!(lines(&world.plan(&renamed)), Vec::<String>::new());
}

#[test]
fn a_whole_tenant_moves() {
    let text = NET.to_owned() + &vm("web") + &volume("v", "");
    let mut world = World::with(&text);
    let moved_text =
        text.replace("tenant.t.", "tenant.u.") + "tenant.u\nmoved tenant.t -> tenant.u\n";
    let mut site = crate::world::SITE.to_owned();
    site.truncate(site.find("tenant.t").unwrap_or(0));
    world.site = Box::leak(site.into_boxed_str());
    let plan = world.up(&moved_text);
    assert!(plan.changes.iter().all(|change| change.action == Action::Move), "{:?}", lines(&plan));
    assert_eq!(plan.changes.len(), 3);
}

#[test]
fn a_name_that_was_moved_away_can_be_used_again() {
    let mut world = World::with(&volume("a", ""));
    world.up(&(volume("b", "") + &moved("volume.a", "volume.b")));
    let old = world.live("tenant.t.volume.b").uuid;
    world.up(&(volume("a", "") + &volume("b", "")));
    assert_ne!(world.live("tenant.t.volume.a").uuid, old);
}

/// Makes an object of others of one of ours.
fn foreign(world: &mut World, text: &str, name: &str) {
    let object = world.live(text);
    object.stamp = None;
    let mut object = object.clone();
    object.name = Name::new(name);
    world.objects.retain(|_, own| own.uuid != object.uuid);
    let place = (address("site.m.host.h1"), object.kind.clone(), object.name.clone());
    world.objects.insert(place, object);
    world.state.records.clear();
}

#[test]
fn s64_adopted_once() {
    let mut world = World::with(&volume("a", ""));
    foreign(&mut world, "tenant.t.volume.a", "old-archive");
    let text = volume("a", "") + "adopt tenant.t.volume.a from old-archive on site.m.host.h1\n";
    let plan = world.up(&text);
    assert_eq!(lines(&plan), ["adopt a: none"]);
    assert_eq!(world.live("tenant.t.volume.a").name, "old-archive");
    world.up(&volume("a", ""));
}

#[test]
fn an_adoption_that_did_not_happen_is_made_again() {
    let mut world = World::with(&volume("a", ""));
    let text = volume("a", "") + "adopt tenant.t.volume.a from t.volume-a on site.m.host.h1\n";
    world.live("tenant.t.volume.a").stamp = None;
    assert_eq!(world.state.records.keys().filter(|id| id.address.kind() == "volume").count(), 1);
    let problems = world.refuses(&volume("a", ""));
    assert_eq!(
        problems,
        ["E0907 site.m.host.h1 has a volume \"t.volume-a\" that is not ours"],
        "somebody else's is not overwritten"
    );
    assert_eq!(lines(&world.up(&text)), ["adopt a: none"]);
}

#[test]
fn what_cannot_be_looked_at_is_not_forgotten() {
    let mut world = World::with(&volume("a", ""));
    world.silent.insert(address("site.m.host.h1"));
    let plan = world.plan("forget tenant.t.volume.a\n");
    assert!(plan.is_empty(), "{:?}", plan.steps);
    assert!(plan.unchecked[0].contains("changes left out"), "{:?}", plan.unchecked);
    world.silent.clear();
    assert_eq!(step_names(&world.up("forget tenant.t.volume.a\n")), ["forget a"]);
}

#[test]
fn adopted_and_changed_in_one_run() {
    let mut world = World::with(&volume("a", ""));
    foreign(&mut world, "tenant.t.volume.a", "old");
    let text = volume("a", "").replace("10GiB", "20GiB")
        + "adopt tenant.t.volume.a from old on site.m.host.h1\n";
    let plan = world.up(&text);
    assert_eq!(lines(&plan), ["adopt a: live+guest size"]);
    assert_eq!(step_names(&plan), ["adopt a", "update a"]);
}

#[test]
fn s63_adopted_and_made_anew_in_one_run() {
    let mut world = World::with(&volume("a", ""));
    foreign(&mut world, "tenant.t.volume.a", "old");
    let text =
        volume("a", "protect=false") + "adopt tenant.t.volume.a from old on site.m.host.h1\n";
    let replace =
        tcloud_planner::Wishes { replace: vec!["tenant.t.volume.a".to_owned()], ..wishes() };
    let plan = world.plan_with(&text, &replace);
    assert_eq!(step_names(&plan), ["adopt a", "delete a", "create a"]);
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.changes[0].reason, Reason::Requested);
    world.apply(&plan);
    assert_eq!(lines(&world.plan(&volume("a", "protect=false"))), Vec::<String>::new());
}

/// Makes everything somebody else's: without stamps, and known to guests by their names.
fn all_foreign(world: &mut World) {
    let names: Vec<(tcloud_model::Address, Name)> = world
        .objects
        .values()
        .filter_map(|own| Some((own.stamp.as_ref()?.address.clone(), own.name.clone())))
        .collect();
    let rename = |value: &Value| match value.as_ref_address() {
        Some(to) => match names.iter().find(|(own, _)| own == to) {
            Some((_, name)) => Value::text(name),
            None => value.clone(),
        },
        None => value.clone(),
    };
    for object in world.objects.values_mut() {
        object.stamp = None;
        let mut fields = (*object.attributes).clone();
        for (name, value) in object.attributes.iter() {
            let new = match value {
                Value::Map(labels) if *name == "nic" || *name == "disk" => {
                    let inside = |inner: &Value| match inner {
                        Value::Map(inner) => Value::map(
                            inner.iter().map(|(name, v)| (name.clone(), rename(v))).collect(),
                        ),
                        other => other.clone(),
                    };
                    Value::map(labels.iter().map(|(l, inner)| (l.clone(), inside(inner))).collect())
                }
                value => rename(value),
            };
            fields.insert(name.clone(), new);
        }
        object.attributes = fields.into();
    }
    world.state.records.clear();
}

const ADOPTED: [&str; 4] = [
    "adopt site.m.pool.fast from m.pool-fast on site.m.host.h1\n",
    "adopt tenant.t.network.n from t.network-n on site.m.host.h1\n",
    "adopt tenant.t.volume.a from t.volume-a on site.m.host.h1\n",
    "adopt tenant.t.vm.v from t.v on site.m.host.h1\n",
];

#[test]
fn a_guest_is_adopted_with_what_it_uses() {
    let text = format!(
        "{NET}{}tenant.t.vm.v vcpus=1 memory=200GiB nic.x.network=@tenant.t.network.n \
         disk.root.volume=@tenant.t.volume.a\n",
        // Most of what the pool has: it must not be given out a second time.
        volume("a", "pool=@site.m.pool.fast").replace("10GiB", "900GiB")
    );
    let mut world = World::with(&text);
    all_foreign(&mut world);
    let plan = world.plan_with(&format!("{text}{}", ADOPTED.concat()), &wishes());
    let mut found = lines(&plan);
    found.sort();
    assert_eq!(found, ["adopt a: none", "adopt fast: none", "adopt n: none", "adopt v: none"]);
    let memory = plan.usage.iter().find(|own| own.resource == "memory" && own.limit.is_some());
    assert_eq!(memory.map(|own| (own.before, own.after)), Some((200 << 30, 200 << 30)));
}

#[test]
fn a_guest_is_adopted_and_its_network_stays_somebody_elses() {
    let mut world = World::with(&(NET.to_owned() + &vm("v")));
    all_foreign(&mut world);
    let text = "tenant.t.network.n existing name=\"t.network-n\"\n".replace('"', "")
        + &vm("v")
        + ADOPTED[0]
        + ADOPTED[3];
    let plan = world.plan_with(&text, &wishes());
    assert_eq!(lines(&plan), ["adopt fast: none", "adopt v: none"]);
}

#[test]
fn what_is_not_there_cannot_be_adopted() {
    let mut world = World::with(&volume("a", ""));
    foreign(&mut world, "tenant.t.volume.a", "old-archive");
    let text = volume("a", "") + "adopt tenant.t.volume.a from old-archiv on site.m.host.h1\n";
    let problem = &world.try_plan(&text, &wishes()).expect_err("it is not there")[0];
    assert_eq!(problem.code.0, "E0904");
    assert_eq!(problem.help.as_deref(), Some("did you mean \"old-archive\"?"));
}

#[test]
fn a_name_that_others_have_blocks_a_creation() {
    let mut world = World::with(&volume("a", ""));
    foreign(&mut world, "tenant.t.volume.a", "t.volume-a");
    let problems = world.refuses(&volume("a", ""));
    assert_eq!(problems, ["E0907 site.m.host.h1 has a volume \"t.volume-a\" that is not ours"]);
}

#[test]
fn a_moved_object_may_change_too() {
    let mut world = World::with(&volume("a", ""));
    let text = volume("b", "").replace("10GiB", "20GiB") + &moved("volume.a", "volume.b");
    let plan = world.up(&text);
    assert_eq!(lines(&plan), ["move b: live+guest size"]);
    assert_eq!(plan.changes[0].impact, Impact::LiveGuest);
    assert_eq!(
        world.live("tenant.t.volume.b").attributes.get("size"),
        Some(&Value::Bytes(20 << 30))
    );
}

/// A provider said that it put on the new stamp, and did not.
#[test]
fn what_was_only_said_to_be_moved_is_moved_again_without_its_statement() {
    let mut world = World::with(&volume("a", ""));
    world.up(&(volume("b", "") + &moved("volume.a", "volume.b")));
    let stamp = world.live("tenant.t.volume.b").stamp.as_mut().expect("a stamp");
    (stamp.address, stamp.previous) = (address("tenant.t.volume.a"), None);
    let plan = world.up(&volume("b", ""));
    assert_eq!(lines(&plan), ["move b: none"]);
    assert!(world.plan(&volume("b", "")).is_empty());
}
