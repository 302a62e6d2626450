//! What guests hold although nobody remembers it: records were lost, or somebody plugged it in.

use tcloud_model::State;
use tcloud_planner::plan::Reason;

use crate::text::address;
use crate::world::{World, lines, step_names, wishes};

const N: &str = "tenant.t.network.n cidr=10.0.0.0/24\n";
const M: &str = "tenant.t.network.m cidr=10.0.1.0/24\n";
const V: &str = "tenant.t.volume.v pool=@site.m.pool.fast size=1GiB protect=false\n";

fn vm(rest: &str) -> String {
    format!("tenant.t.vm.a vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n {rest}\n")
}

/// The same world with older records, and with none.
fn after_losses(world: &World, older: &State) -> [World; 2] {
    [older.clone(), State::default()].map(|state| {
        let mut world = world.clone();
        world.state = state;
        world
    })
}

#[test]
fn what_a_lost_record_knew_is_let_go_of_before_it_goes() {
    let mut world = World::with(&format!("{N}{}", vm("")));
    let older = world.state.clone();
    world.up(&format!(
        "{N}{M}{V}{}",
        vm("nic.y.network=@tenant.t.network.m disk.d.volume=@tenant.t.volume.v")
    ));
    for mut world in after_losses(&world, &older) {
        let mut wishes = wishes();
        wishes.allow_data_loss.insert(address("tenant.t.volume.v"));
        let plan = world.up_with(&format!("{N}{}", vm("")), &wishes);
        let expected =
            ["delete m: recreate-keep", "update a: live disk.d,nic.y", "delete v: recreate-lose"];
        assert_eq!(lines(&plan), expected);
        assert_eq!(step_names(&plan), ["update a", "delete m", "delete v"]);
    }
}

#[test]
fn what_a_lost_record_knew_is_let_go_of_where_it_stays() {
    let mut world = World::with(&format!("{N}{M}{}", vm("")));
    let older = world.state.clone();
    world.up(&format!("{N}{M}{}", vm("nic.y.network=@tenant.t.network.m")));
    for mut world in after_losses(&world, &older) {
        let plan = world.up(&format!("{N}{M}{}", vm("")));
        assert_eq!(lines(&plan), ["update a: live nic.y"]);
    }
}

#[test]
fn what_somebody_plugged_in_stays_until_its_network_goes() {
    let text = format!("{N}{M}{}", vm(""));
    let mut other = World::with(&format!("{N}{M}{}", vm("nic.y.network=@tenant.t.network.m")));
    let both = other.live("tenant.t.vm.a").attributes.get("nic").expect("two").clone();
    let mut world = World::with(&text);
    world.tamper("tenant.t.vm.a", "nic", both);
    let plan = world.plan(&text);
    assert!(plan.is_empty());
    assert_eq!(plan.drift[0].attributes[0].path.to_string(), "nic.y");
    let plan = world.up(&format!("{N}{}", vm("")));
    assert_eq!(lines(&plan), ["delete m: recreate-keep", "update a: live nic.y"]);
    assert_eq!(step_names(&plan), ["update a", "delete m"]);
    assert_eq!(plan.changes[1].object.address, address("tenant.t.vm.a"));
    assert_eq!(plan.changes[1].reason, Reason::Drift);
}
