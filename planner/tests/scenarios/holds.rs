//! What a host holds: a saved guest, a disk on a snapshot.

use std::collections::BTreeSet;

use tcloud_model::{AttrPath, Hold, Room, Value};
use tcloud_planner::{Goal, Wishes};

use crate::text::address;
use crate::world::{World, lines, wishes};

const GUEST: &str = "tenant.t.vm.g";
const TEXT: &str = "tenant.t.volume.v size=10GiB protect=false
tenant.t.volume.w size=10GiB protect=false
tenant.t.vm.g vcpus=1 memory=1GiB title=a disk.d.volume=@tenant.t.volume.v
";

fn held(path: Option<&str>) -> World {
    let mut world = World::with(TEXT);
    world.live(GUEST).holds.push(Hold {
        path: path.map(AttrPath::parse),
        stays: true,
        because: "it is held".to_owned(),
        help: "let it go".to_owned(),
    });
    world
}

fn loses(names: &[&str], replace: &[&str]) -> Wishes {
    let all: BTreeSet<_> = names.iter().map(|name| address(name)).collect();
    let replace = replace.iter().map(|name| (*name).to_owned()).collect();
    Wishes { allow_data_loss: all.clone(), allow_destroy: all, replace, ..wishes() }
}

fn refused(world: &World, text: &str, wishes: &Wishes) -> Vec<String> {
    let problems = world.try_plan(text, wishes).expect_err("it is held");
    assert!(problems.iter().all(|p| p.help.as_deref() == Some("let it go")), "{problems:?}");
    problems.iter().map(|p| format!("{} {}", p.code, p.message)).collect()
}

#[test]
fn a_saved_guest_only_starts() {
    let mut world = held(None);
    assert_eq!(lines(&world.plan(TEXT)), Vec::<String>::new());
    let other = TEXT.replace("title=a", "title=b");
    assert_eq!(
        refused(&world, &other, &wishes()),
        ["E0914 `title` of tenant.t.vm.g cannot change now: it is held"]
    );
    let anew = loses(&["tenant.t.volume.v"], &["tenant.t.volume.v"]);
    assert_eq!(refused(&world, TEXT, &anew).len(), 2, "the volume and its guest");
    let grown = TEXT.replace("volume.v size=10GiB", "volume.v size=11GiB");
    assert_eq!(
        refused(&world, &grown, &wishes()),
        ["E0914 tenant.t.volume.v cannot change now: tenant.t.vm.g: it is held"]
    );
    let destroy = Wishes { goal: Goal::Destroy, ..loses(&[GUEST, "tenant.t.volume.v"], &[]) };
    assert!(!refused(&world, TEXT, &destroy).is_empty());
    // Other volumes do not matter to it, and neither does what only the stamp says.
    let free = TEXT.replace("volume.w size=10GiB protect=false", "volume.w size=11GiB");
    assert_eq!(lines(&world.plan(&free)).len(), 1);
    let object = world.live(GUEST);
    object.running = Some(false);
    world.tamper(GUEST, "running", Value::Bool(false));
    assert_eq!(lines(&world.plan(TEXT)).len(), 1, "it is started");
}

#[test]
fn a_disk_on_a_snapshot_stays_and_all_else_changes() {
    let world = held(Some("disk.d.volume"));
    let other = TEXT.replace("title=a", "title=b");
    assert_eq!(lines(&world.plan(&other)).len(), 1);
    let moved =
        TEXT.replace("disk.d.volume=@tenant.t.volume.v", "disk.d.volume=@tenant.t.volume.w");
    assert_eq!(
        refused(&world, &moved, &wishes()),
        ["E0914 `disk.d.volume` of tenant.t.vm.g cannot change now: it is held"]
    );
    let without = TEXT.replace(" disk.d.volume=@tenant.t.volume.v", "");
    assert_eq!(
        refused(&world, &without, &wishes()),
        ["E0914 `disk.d` of tenant.t.vm.g cannot change now: it is held"]
    );
    let gone = "tenant.t.volume.w size=10GiB protect=false\n";
    let gone = refused(&world, gone, &loses(&[GUEST, "tenant.t.volume.v"], &[]));
    assert_eq!(gone.len(), 2, "{gone:?}");
}

#[test]
fn a_disk_that_somebody_else_swapped_is_not_swapped_back() {
    let mut world = World::with(TEXT);
    let mut disk = (*world.live(GUEST).attributes).clone();
    let copied = [("volume".into(), Value::text("/srv/copy"))].into_iter().collect();
    disk.insert("disk", Value::map([("d".into(), Value::map(copied))].into_iter().collect()));
    world.live(GUEST).attributes = disk.into();
    let refused = |text: &str| world.refuses(text).join("; ");
    for text in [
        TEXT.to_owned(),
        TEXT.replace("disk.d.volume=@tenant.t.volume.v", "disk.d.volume=@tenant.t.volume.w"),
    ] {
        let told = refused(&text);
        assert!(told.starts_with("E0914 `disk.d") && told.contains("\"/srv/copy\""), "{told}");
    }
    let left = TEXT.replace("title=a", "title=b ignore=disk.d.volume");
    assert_eq!(lines(&world.plan(&left)).len(), 1, "it is left alone");
}

/// A guest that runs on a full board: what is added waits, and the plan says so.
#[test]
fn what_finds_no_room_waits_for_the_next_start() {
    let mut world = World::with(TEXT);
    world.live(GUEST).room = Some(Room { devices: 1, modules: 0 });
    let more = TEXT.replace(
        "disk.d.volume=@tenant.t.volume.v",
        "disk.d.volume=@tenant.t.volume.v disk.e.volume=@tenant.t.volume.w \
         disk.f.volume=@tenant.t.volume.w disk.f.bus=scsi disk.h.volume=@tenant.t.volume.w",
    );
    let plan = world.plan(&more);
    let guest = plan.changes.iter().find(|change| change.object.address == address(GUEST));
    let costs: Vec<String> = guest
        .expect("the guest changes")
        .attributes
        .iter()
        .map(|own| format!("{} {:?}", own.path, own.impact))
        .collect();
    assert_eq!(costs, ["disk.e Live", "disk.f Live", "disk.h PowerCycle"]);
}

/// A host that could not read everything has not said that what is missing is gone.
#[test]
fn what_could_not_be_read_is_neither_made_again_nor_deleted() {
    let mut world = World::with(TEXT);
    world.objects.retain(|_, object| object.kind != "vm" && object.name != "t.volume-w");
    let gone = lines(&world.plan(TEXT));
    assert_eq!(gone.len(), 2, "they are made again: {gone:?}");
    world.problems = vec!["guest \"t.g\" could not be read".to_owned()];
    let plan = world.plan(TEXT);
    assert_eq!(lines(&plan), Vec::<String>::new());
    let host = "site.m.host.h1";
    let unseen = format!(
        "{host} could not be read completely: 2 objects were not seen, and are taken to be there"
    );
    assert_eq!(plan.unchecked, [unseen.clone(), format!("{host}: {}", world.problems[0])]);
    // What the text drops or changes waits, all else goes on.
    let other = TEXT
        .replace("tenant.t.volume.w size=10GiB protect=false\n", "")
        .replace("title=a", "title=b")
        .replace("volume.v size=10GiB", "volume.v size=11GiB");
    let wishes = loses(&["tenant.t.volume.w"], &[]);
    let plan = world.plan_with(&other, &wishes);
    assert_eq!(lines(&plan).len(), 1, "{:?}", lines(&plan));
    let left_out = format!("{unseen}, changes left out: tenant.t.vm.g, tenant.t.volume.w");
    assert!(plan.unchecked.contains(&left_out), "{:?}", plan.unchecked);
    let refreshed = world.plan_with(TEXT, &Wishes { goal: Goal::Refresh, ..wishes });
    assert!(refreshed.changes.is_empty() && refreshed.unchecked.len() == 2, "{refreshed:?}");
}
