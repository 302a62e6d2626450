//! What changes do to running guests: power cycles, disks and networks made anew, migrations.

use tcloud_model::{Impact, Lack, OperationKind, Value};
use tcloud_planner::Wishes;
use tcloud_planner::plan::{Action, Plan, Reason};

use crate::text::address;
use crate::world::{SITE, World, assert_order, lines, step_names, wishes};

const NET: &str = "tenant.t.network.n cidr=10.0.0.0/24\n";

fn vm(rest: &str) -> String {
    format!("tenant.t.vm.a memory=1GiB nic.x.network=@tenant.t.network.n {rest}\n")
}

fn power_cycles(plan: &Plan) -> usize {
    let operations = plan.steps.iter().filter_map(|step| step.operation.as_ref());
    operations
        .filter(|o| matches!(o.action, OperationKind::Update { power_cycle: true, .. }))
        .count()
}

#[test]
fn a_change_that_needs_a_power_cycle_waits() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    let text = NET.to_owned() + &vm("vcpus=2");
    let plan = world.plan(&text);
    assert_eq!(lines(&plan), ["update a: power-cycle waits vcpus"]);
    assert_eq!((power_cycles(&plan), plan.changes[0].guests.len()), (0, 1));
    world.up(&text);
    assert_eq!(world.live("tenant.t.vm.a").attributes.get("vcpus"), Some(&Value::Int(1)));
    let later = world.plan(&text);
    assert!(later.is_empty());
    assert_eq!(later.pending[0].attributes[0].path.to_string(), "vcpus");
    // The text changes its mind: the waiting definition goes back, the guest notices nothing.
    let back = world.up(&(NET.to_owned() + &vm("vcpus=1")));
    assert_eq!(lines(&back), ["update a: live vcpus"]);
    assert!(world.live("tenant.t.vm.a").pending.is_empty());
}

#[test]
fn what_was_never_in_force_waits_also_when_it_cannot_be_read() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    let text = NET.to_owned() + &vm("vcpus=1 max_memory=8GiB");
    world.up(&text);
    assert_eq!(world.live("tenant.t.vm.a").attributes.get("max_memory"), None);
    let later = world.plan(&text);
    assert!(later.is_empty());
    let [waits] = &later.pending[..] else { panic!("{:?}", later.pending) };
    let own = &waits.attributes[0];
    assert_eq!((own.path.to_string(), &own.before), ("max_memory".to_owned(), &None));
    assert_eq!(own.after, Some(Value::Bytes(8 << 30)));
}

/// A guest that runs has what it has until its next start, whatever its definition says.
#[test]
fn what_shrinks_at_the_next_start_is_not_free_before() {
    let guest = |name: &str, rest: &str| format!("tenant.t.vm.{name} {rest}\n");
    for (large, small, other) in [
        ("vcpus=1 memory=200GiB", "vcpus=1 memory=50GiB", "vcpus=1 memory=100GiB"),
        ("vcpus=200 memory=1GiB", "vcpus=10 memory=1GiB", "vcpus=100 memory=1GiB"),
    ] {
        let other = guest("b", other);
        let mut world = World::with(&guest("a", large));
        let waits = guest("a", small);
        assert!(world.refuses(&format!("{waits}{other}"))[0].starts_with("E0502"));
        let plan = world.up(&waits);
        let host = address("site.m.host.h1");
        let used = plan.usage.iter().filter(|line| line.owner == host);
        assert!(used.clone().count() == 2 && used.clone().all(|line| line.before == line.after));
        // It waits already.
        assert!(world.refuses(&format!("{waits}{other}"))[0].starts_with("E0502"));
        let now = guest("a", &format!("{small} restart=now"));
        let plan = world.up(&format!("{now}{other}"));
        assert_order(&plan, "update a < create b");
    }
}

/// It is in the definition, and not in the guest yet.
fn waits(world: &mut World, label: &str) {
    let guest = world.live("tenant.t.vm.a");
    let mut nics = (**guest.attributes.map("nic").expect("it has NICs")).clone();
    let own = nics.remove(label).expect("it has this one");
    let later = Value::map([(label.into(), own)].into_iter().collect());
    guest.pending = std::sync::Arc::new([("nic".into(), later)].into_iter().collect());
    let mut attributes = (*guest.attributes).clone();
    attributes.insert("nic", Value::map(nics));
    guest.attributes = std::sync::Arc::new(attributes);
}

#[test]
fn a_nic_that_waits_for_the_next_start_keeps_its_address() {
    let with = |rest: &str| format!("{NET}{}", vm(&format!("vcpus=1 {rest}")));
    let other = "tenant.t.vm.b vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n";
    let mut world = World::with(&(with("") + other));
    let more = with("nic.y.network=@tenant.t.network.n nic.y.model=rtl8139");
    world.up(&(more.clone() + other));
    waits(&mut world, "y");
    assert!(world.plan(&(more.clone() + other)).is_empty());
    // A lower address becomes free.
    world.up(&more);
}

#[test]
fn the_address_of_a_nic_that_goes_is_not_given_to_the_next_one_at_once() {
    let with = |rest: &str| format!("{NET}{}", vm(&format!("vcpus=1 {rest}")));
    let mut world = World::with(&with("nic.y.network=@tenant.t.network.n"));
    let given = |world: &mut World, guest: &str, nic: &str| {
        let nics = world.live(guest).attributes.map("nic").expect("NICs").clone();
        nics.map(nic).expect("a NIC").get("address").cloned()
    };
    let old = given(&mut world, "tenant.t.vm.a", "y");
    world.up(&(with("") + "tenant.t.vm.b vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n"));
    assert_ne!(given(&mut world, "tenant.t.vm.b", "x"), old);
}

/// Nor is it free for a plan that was made before others took what was left.
#[test]
fn what_shrinks_at_the_next_start_leaves_no_room_for_what_was_saved() {
    let guest = |name: &str, rest: &str| format!("tenant.t.vm.{name} vcpus=1 memory={rest}\n");
    let large = guest("a", "200GiB");
    for (small, crowded) in [("50GiB", true), ("50GiB restart=now", false)] {
        let mut world = World::with(&large);
        let saved = guest("a", small) + &guest("b", "40GiB");
        let plan = world.plan(&saved);
        assert_eq!(world.crowded(&saved, &plan), [""; 0]);
        world.up(&(large.clone() + &guest("c", "30GiB")));
        let expected = "270 GiB memory of 256 GiB would be in use: 30 GiB more than when the plan \
                        was made; it is held by tenant.t.vm.c";
        assert_eq!(world.crowded(&saved, &plan), vec![expected; usize::from(crowded)]);
    }
}

#[test]
fn restart_now_stops_and_starts() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1 restart=now")));
    let plan = world.up(&(NET.to_owned() + &vm("vcpus=2 restart=now")));
    assert_eq!(lines(&plan), ["update a: power-cycle vcpus"]);
    assert_eq!(power_cycles(&plan), 1);
}

#[test]
fn what_waits_happens_when_restart_becomes_now() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    world.up(&(NET.to_owned() + &vm("vcpus=2")));
    let plan = world.up(&(NET.to_owned() + &vm("vcpus=2 restart=now")));
    assert_eq!(lines(&plan), ["update a: power-cycle vcpus"]);
    assert!(plan.pending.is_empty());
    assert_eq!(plan.changes[0].reason, Reason::Text);
}

#[test]
fn growth_within_the_ceiling_is_live() {
    let world = World::with(&(NET.to_owned() + &vm("vcpus=1 max_vcpus=4")));
    let plan = world.plan(&(NET.to_owned() + &vm("vcpus=4 max_vcpus=4")));
    assert_eq!(lines(&plan), ["update a: live vcpus"]);
}

/// The running guest has the old ceiling until its next start.
#[test]
fn a_ceiling_that_waits_lets_nothing_grow_live() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1 max_vcpus=2")));
    world.up(&(NET.to_owned() + &vm("vcpus=1 max_vcpus=8")));
    let plan = world.up(&(NET.to_owned() + &vm("vcpus=6 max_vcpus=8")));
    assert_eq!(lines(&plan), ["update a: power-cycle waits vcpus"]);
    let plan = world.up(&(NET.to_owned() + &vm("vcpus=2 max_vcpus=8")));
    assert_eq!(lines(&plan), ["update a: live vcpus"]);
}

#[test]
fn a_guest_that_does_not_run_changes_without_waiting() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1 running=false")));
    let plan = world.up(&(NET.to_owned() + &vm("vcpus=2 running=false")));
    assert_eq!(lines(&plan), ["update a: live vcpus"]);
    assert!(plan.changes[0].guests.is_empty());
}

#[test]
fn a_guest_is_stopped_when_the_text_says_so() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    let plan = world.up(&(NET.to_owned() + &vm("vcpus=1 running=false")));
    assert_eq!(lines(&plan), ["update a: power-cycle running"]);
    assert_eq!(world.live("tenant.t.vm.a").running, Some(false));
}

#[test]
fn nics_and_rules_come_and_go_live() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    let more = vm("vcpus=1 nic.y.network=@tenant.t.network.n nic.x.max_rate=100");
    let plan = world.up(&(NET.to_owned() + &more));
    assert_eq!(lines(&plan), ["update a: live nic.x.max_rate,nic.y"]);
    let plan = world.up(&(NET.to_owned() + &vm("vcpus=1")));
    assert_eq!(lines(&plan), ["update a: live nic.x.max_rate,nic.y"]);
    assert_eq!(plan.changes[0].attributes[1].after, None);
}

#[test]
fn a_network_made_anew_is_plugged_in_again() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    let text = NET.replace("/24", "/24 mtu=1400") + &vm("vcpus=1");
    let plan = world.up(&text);
    let expected = ["replace- n: recreate-keep mtu", "update a: live+guest nic.x.network"];
    assert_eq!(lines(&plan), expected);
    assert_eq!(plan.changes[1].reason, Reason::Follows(address("tenant.t.network.n")));
    assert_eq!(plan.changes[0].guests, [address("tenant.t.vm.a")]);
    let names = ["update a", "delete n", "create n", "update a"];
    assert_eq!(step_names(&plan), names);
    assert_eq!(power_cycles(&plan), 0);
}

/// Some cards cannot be taken out of a guest that runs, and no network goes from under them.
#[test]
fn a_guest_is_stopped_where_its_nic_cannot_be_unplugged() {
    let guest = vm("vcpus=1 nic.x.model=rtl8139");
    let mut world = World::with(&(NET.to_owned() + &guest));
    let plan = world.up(&(NET.replace("/24", "/24 mtu=1400") + &guest));
    let expected = ["replace- n: recreate-keep mtu", "update a: power-cycle nic.x.network"];
    assert_eq!(lines(&plan), expected);
    assert_eq!(step_names(&plan), ["update a", "delete n", "create n", "update a"]);
    assert_eq!((power_cycles(&plan), plan.changes[1].waits), (1, false));
    assert_eq!(world.live("tenant.t.vm.a").running, Some(true));
}

#[test]
fn a_network_made_first_is_plugged_over() {
    let mut world = World::with(&(NET.replace("/24", "/24 create_first=true") + &vm("vcpus=1")));
    let text = NET.replace("/24", "/24 create_first=true mtu=1400") + &vm("vcpus=1");
    let plan = world.plan(&text);
    assert_eq!(step_names(&plan), ["create n", "update a", "delete n"]);
    // It dies after the creation: who used the old one is plugged over all the same.
    world.apply_some(&plan, 1);
    let plan = world.up(&text);
    assert_eq!(step_names(&plan), ["update a", "delete n"]);
}

fn with_disk(rest: &str) -> String {
    NET.to_owned()
        + &format!("tenant.t.vm.a.disk.root {rest}\n")
        + &vm("vcpus=1 disk.root.volume=@tenant.t.vm.a.disk.root")
}

#[test]
fn a_disk_made_anew_stops_its_guest() {
    let mut world = World::with(&with_disk("size=10GiB"));
    let text = with_disk("size=5GiB");
    world.live("tenant.t.vm.a.disk.root").written = Some(1 << 30);
    let plan = world.plan(&text);
    let expected =
        ["update a: power-cycle disk.root.volume", "replace- a.root: recreate-lose size"];
    assert_eq!(lines(&plan), expected);
    assert!(plan.needs_decision());
    assert_eq!(plan.changes[1].guests, [address("tenant.t.vm.a")]);
    let agreed =
        Wishes { allow_data_loss: [address("tenant.t.vm.a.disk.root")].into(), ..wishes() };
    let plan = world.up_with(&text, &agreed);
    assert_eq!(step_names(&plan), ["update a", "delete a.root", "create a.root", "update a"]);
    assert_eq!(world.live("tenant.t.vm.a").running, Some(true));
}

#[test]
fn a_guest_made_anew_keeps_its_disks() {
    let text = with_disk("size=10GiB");
    let mut world = World::with(&text);
    let disk = world.live("tenant.t.vm.a.disk.root").uuid;
    let replace = Wishes { replace: vec!["tenant.t.vm.a".to_owned()], ..wishes() };
    let plan = world.plan_with(&text, &replace);
    assert_eq!(lines(&plan), ["replace- a: recreate-keep"]);
    let text = with_disk("size=10GiB").replace("vcpus=1", "vcpus=1 replace_when=x");
    world.up(&text);
    let plan = world.up(&text.replace("replace_when=x", "replace_when=y"));
    assert_eq!(lines(&plan), ["replace- a: recreate-keep"]);
    assert_eq!(world.live("tenant.t.vm.a.disk.root").uuid, disk);
}

#[test]
fn a_volume_that_a_waiting_guest_still_uses_stays() {
    let volumes = "tenant.t.volume.v size=1GiB protect=false\ntenant.t.volume.w size=1GiB\n";
    let with = |volume: &str| vm(&format!("vcpus=1 disk.d.volume=@tenant.t.volume.{volume}"));
    let mut world = World::with(&(NET.to_owned() + volumes + &with("v")));
    let text = NET.to_owned() + "tenant.t.volume.w size=1GiB\n" + &with("w");
    let plan = world.plan(&text);
    assert_eq!(lines(&plan), ["update a: power-cycle waits disk.d.volume"]);
    assert!(plan.unchecked[0].contains("tenant.t.volume.v stays"), "{:?}", plan.unchecked);
    world.apply(&plan);
}

#[test]
fn a_guest_moves_with_its_disk_when_the_text_names_another_host() {
    let mut world = World::new(crate::world::TWO_HOSTS);
    let at = |host: &str| {
        NET.to_owned()
            + "tenant.t.vm.a.disk.root size=10GiB\n"
            + &vm(&format!(
                "vcpus=1 disk.root.volume=@tenant.t.vm.a.disk.root host=@site.m.host.{host}"
            ))
    };
    world.up(&at("h1"));
    let plan = world.up(&at("h2"));
    let migrated: Vec<&str> = plan
        .changes
        .iter()
        .filter(|c| c.action == Action::Migrate)
        .map(|c| c.kind.as_str())
        .collect();
    assert_eq!(migrated, ["vm", "disk"]);
    assert_order(&plan, "create n < migrate a < delete n");
    assert_eq!(plan.steps.len(), 3, "{:?}", step_names(&plan));
    let guest = plan.changes.iter().find(|change| change.kind == "vm").expect("the guest");
    assert_eq!((guest.impact, &guest.reason), (Impact::RecreateKeep, &Reason::Placement));
    assert_eq!(guest.previous_host, Some(address("site.m.host.h1")));
}

#[test]
fn a_guest_is_not_moved_by_hosts_that_cannot_move_guests() {
    let mut world = World::new(crate::world::TWO_HOSTS);
    let at = |host: &str| NET.to_owned() + &vm(&format!("vcpus=1 host=@site.m.host.{host}"));
    world.up(&at("h1"));
    let refused = "E0912 vm `a` cannot be moved from site.m.host.h1 to site.m.host.h2";
    for fixed in ["site.m.host.h1", "site.m.host.h2"] {
        world.fixed = [address(fixed)].into();
        assert_eq!(world.refuses(&at("h2")), [refused]);
        assert!(world.plan(&at("h1")).is_empty());
    }
    world.fixed.clear();
    world.up(&at("h2"));
}

#[test]
fn what_a_host_has_nothing_for_is_refused_before_anything_runs() {
    let lack = |kind: &str, attribute: &str, value: Option<&str>| Lack {
        kind: kind.into(),
        attribute: attribute.into(),
        value: value.map(Value::text),
        because: "it is too old".to_owned(),
        help: "do without".to_owned(),
    };
    let text = |net: &str, disk: &str| {
        format!(
            "tenant.t.network.n cidr=10.0.0.0/24 mode=bridge bridge=br0 {net}\n\
             tenant.t.vm.a.disk.root size=1GiB {disk}\n"
        ) + &vm("vcpus=1 disk.root.volume=@tenant.t.vm.a.disk.root")
    };
    let (plain, both) = (text("", "encrypted=false"), text("vlan=7", "encrypted=true"));
    let tagged = text("vlan=7", "encrypted=false");
    let mut world = World::new(SITE);
    world.lacks = vec![lack("network", "vlan", None), lack("disk", "encrypted", None)];
    let no_tag = "E0915 `vlan` of tenant.t.network.n cannot be had: it is too old";
    let no_key = "E0915 `encrypted` of tenant.t.vm.a.disk.root cannot be had: it is too old";
    assert_eq!(world.refuses(&both), [no_tag, no_key]);
    world.up(&plain);
    assert_eq!(world.refuses(&tagged), [no_tag]);
    let lacks = std::mem::take(&mut world.lacks);
    world.up(&tagged);
    world.lacks = lacks;
    assert!(world.plan(&tagged).is_empty(), "what runs so already is left as it is");
    world.up(&plain);
    world.lacks = vec![lack("vm", "firmware", Some("uefi"))];
    let guests = |names: &[&str], firmware: &str| {
        let guest =
            |name: &&str| format!("tenant.t.vm.{name} vcpus=1 memory=64MiB firmware={firmware}\n");
        plain.clone() + &names.iter().map(guest).collect::<String>()
    };
    let none = |who: &str| {
        [format!("E0915 `firmware` of tenant.t.vm.b{who} cannot be had: it is too old")]
    };
    for (names, who) in
        [(&["b"][..], ""), (&["b", "c"], " and tenant.t.vm.c"), (&["b", "c", "d"], " and 2 others")]
    {
        assert_eq!(world.refuses(&guests(names, "uefi")), none(who));
    }
    world.up(&guests(&["b", "c"], "bios"));
}

#[test]
fn a_guest_may_move_and_change() {
    let mut world = World::new(crate::world::TWO_HOSTS);
    let at =
        |host: &str, more: &str| NET.to_owned() + &vm(&format!("{more} host=@site.m.host.{host}"));
    world.up(&at("h1", "vcpus=1 max_vcpus=4"));
    let plan = world.up(&at("h2", "vcpus=2 max_vcpus=4"));
    assert_order(&plan, "create n < migrate a < update a");
}

#[test]
fn addresses_stay() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    let nic = |world: &mut World| {
        let fields = world.live("tenant.t.vm.a").attributes.clone();
        fields.map("nic").cloned()
    };
    let before = nic(&mut world);
    world.up(&(NET.to_owned()
        + "tenant.t.vm.A vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n\n"
        + &vm("vcpus=1")));
    assert_eq!(nic(&mut world), before);
}

/// On a Saturday at eight in the evening, in winter: 19:00 in UTC.
const WINDOW: &str = "restart=Sat~20:00-24:00~Europe/Berlin";

fn clock(world: &mut World, time: &str) {
    world.now = time.parse().expect("a time");
}

#[test]
fn outside_of_its_window_a_guest_is_left_alone_and_the_plan_says_when_it_opens() {
    let mut world = World::with(&(NET.to_owned() + &vm(&format!("vcpus=1 {WINDOW}"))));
    let text = NET.to_owned() + &vm(&format!("vcpus=2 {WINDOW}"));
    for time in ["2026-11-23T08:00:00Z", "2026-11-28T18:59:59Z"] {
        clock(&mut world, time);
        let plan = world.plan(&text);
        assert_eq!(lines(&plan), ["update a: power-cycle waits vcpus"]);
        assert_eq!((power_cycles(&plan), &plan.changes[0].until), (0, &None));
        let opens = plan.changes[0].opens.as_ref().map(ToString::to_string);
        assert_eq!(opens.as_deref(), Some("Sat 2026-11-28 20:00 Europe/Berlin"));
    }
    world.up(&text);
    clock(&mut world, "2026-11-28T23:00:00Z");
    let later = world.plan(&text);
    assert!(later.is_empty());
    let opens = later.pending[0].opens.as_ref().map(ToString::to_string);
    assert_eq!(opens.as_deref(), Some("Sat 2026-12-05 20:00 Europe/Berlin"));
}

#[test]
fn in_its_window_a_guest_is_stopped_and_started_also_for_what_has_waited() {
    let world = World::with(&(NET.to_owned() + &vm(&format!("vcpus=1 {WINDOW}"))));
    let text = NET.to_owned() + &vm(&format!("vcpus=2 {WINDOW}"));
    let mut waited = world.clone();
    waited.up(&text);
    for mut world in [world, waited] {
        clock(&mut world, "2026-11-28T22:59:59Z");
        let plan = world.up(&text);
        assert_eq!(lines(&plan), ["update a: power-cycle vcpus"]);
        assert_eq!((power_cycles(&plan), &plan.changes[0].opens), (1, &None));
        assert!(plan.pending.is_empty());
        let until = plan.steps.iter().find_map(|step| plan.closes(step)).map(ToString::to_string);
        assert_eq!(until.as_deref(), Some("Sun 2026-11-29 00:00 Europe/Berlin"));
        assert!(world.plan(&text).is_empty());
    }
}

#[test]
fn a_window_is_no_change_of_its_own() {
    let mut world = World::with(&(NET.to_owned() + &vm("vcpus=1")));
    let text = NET.to_owned() + &vm(&format!("vcpus=1 {WINDOW}"));
    for time in ["2026-11-28T18:00:00Z", "2026-11-28T20:00:00Z"] {
        clock(&mut world, time);
        let plan = world.plan(&text);
        assert!(plan.is_empty() && plan.pending.is_empty());
    }
}

/// What is written to the definition alone needs no window, and neither does a guest that is off.
#[test]
fn a_window_holds_up_nothing_that_stops_nobody() {
    let mut world = World::with(&(NET.to_owned() + &vm(&format!("vcpus=1 title=a {WINDOW}"))));
    let titled = world.up(&(NET.to_owned() + &vm(&format!("vcpus=1 title=b {WINDOW}"))));
    assert_eq!(lines(&titled), ["update a: live title"]);
    assert_eq!((&titled.changes[0].opens, &titled.changes[0].until), (&None, &None));
    let off = world.up(&(NET.to_owned() + &vm(&format!("vcpus=1 title=b running=false {WINDOW}"))));
    assert_eq!((power_cycles(&off), &off.changes[0].until), (1, &None));
    let stopped =
        world.up(&(NET.to_owned() + &vm(&format!("vcpus=2 title=b running=false {WINDOW}"))));
    assert_eq!(lines(&stopped), ["update a: live vcpus"]);
}

/// Somebody may write anything into a plan file; the text says how long its window is open.
#[test]
fn a_plan_with_another_window_than_the_text_is_doubted() {
    let mut world = World::with(&(NET.to_owned() + &vm(&format!("vcpus=1 {WINDOW}"))));
    clock(&mut world, "2026-11-28T20:00:00Z");
    let text = NET.to_owned() + &vm(&format!("vcpus=2 {WINDOW}"));
    let plan = world.plan(&text);
    assert_eq!(world.doubts(&text, &plan), [""; 0]);
    let said = ["tenant.t.vm.a on site.m.host.h1 would be stopped unasked"];
    let with = |until: Option<&str>| {
        let mut plan = plan.clone();
        let until =
            until.map(|text| serde_json::from_str(&format!("\"{text}\"")).expect("a moment"));
        plan.changes[0].until = until;
        plan
    };
    assert_eq!(world.doubts(&text, &with(None)), said);
    assert_eq!(world.doubts(&text, &with(Some("2026-11-29T00:01:00+01:00[Europe/Berlin]"))), said);
    clock(&mut world, "2026-11-28T23:00:00Z");
    assert_eq!(world.doubts(&text, &plan), said);
}
