//! The plan as a file: the same to the byte, and nobody changes it unnoticed.

use std::collections::BTreeMap;

use tcloud_model::{Address, ObjectId, SealKey};
use tcloud_planner::planfile::{self, End, Gaps, PlanFileError};
use tcloud_planner::{Goal, PlanFile, Wishes};

use crate::world::{World, wishes};

const TEXT: &str = "tenant.t.network.n cidr=10.0.0.0/24
tenant.t.volume.v size=10GiB
tenant.t.vm.a.disk.root size=10GiB
tenant.t.vm.a vcpus=1 memory=1GiB nic.x.network=@tenant.t.network.n disk.r.volume=@tenant.t.vm.a.disk.root
";

fn file(world: &World, text: &str, wishes: &Wishes) -> PlanFile {
    PlanFile {
        tool: "0.1.0".to_owned(),
        heads: BTreeMap::from([(None, End { serial: 7, hash: "abc".to_owned() })]),
        gaps: Gaps::default(),
        seal: Some(SealKey([1; 32]).seal(b"")),
        plan: world.plan_with(text, wishes),
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut world = World::new(crate::world::SITE);
    let created = file(&world, TEXT, &wishes());
    world.up(TEXT);
    let changed =
        file(&world, &TEXT.replace("vcpus=1", "vcpus=2").replace("/24", "/25"), &wishes());
    let destroyed = file(&world, TEXT, &Wishes { goal: Goal::Destroy, ..wishes() });
    let address = "tenant.t.vm.a".parse().expect("an address");
    let host: Address = "site.m.host.kvm1".parse().expect("an address");
    let unseen = vec![ObjectId { address, host: host.clone(), incarnation: 0 }];
    let partial = PlanFile { gaps: Gaps { silent: vec![host], unseen }, ..created.clone() };
    assert_ne!(planfile::digest(&partial), planfile::digest(&created));
    for original in [created, changed, destroyed, partial] {
        let text = planfile::write(&original);
        let read = planfile::read(&text).expect("it is a plan");
        assert_eq!(read, original);
        assert_eq!(planfile::digest(&read), planfile::digest(&original));
    }
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let world = World::new(crate::world::SITE);
    let write = || planfile::write(&file(&world.clone(), TEXT, &wishes()));
    assert_eq!(write(), write());
}

#[test]
fn a_change_is_noticed() {
    let world = World::new(crate::world::SITE);
    let text = planfile::write(&file(&world, TEXT, &wishes()));
    let edits = [
        text.replace("\"foreign\":0", "\"foreign\":1"),
        text.replace("\"vcpus\":1", "\"vcpus\":64"),
        text.replace("\"vcpus\":1", "\"vcpus\":1,\"x\":1"),
        text.replacen("\"do\":\"create\"", "\"do\":\"create\",\"hidden\":1", 1),
        format!(" {text}"),
    ];
    for edit in edits {
        assert!(matches!(planfile::read(&edit), Err(PlanFileError::Changed)), "{edit}");
    }
    let unknown = text.replacen("\"foreign\":0", "\"foreign\":0,\"more\":1", 1);
    assert!(matches!(planfile::read(&unknown), Err(PlanFileError::Malformed(_))));
    let newer = text.replacen("tcloud-plan/2", "tcloud-plan/3", 1);
    let error = planfile::read(&newer).expect_err("it is from the future");
    assert_eq!(
        error.to_string(),
        "the plan has the format `tcloud-plan/3`, and this tcloud reads `tcloud-plan/2`"
    );
}
