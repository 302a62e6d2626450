//! What happens to a host outside of tcloud: somebody stops a network or a pool, or takes away the
//! definition of a guest that runs, which the plan tells and the next apply mends under a guest that
//! runs on; the daemon is restarted, which is no change.

use std::time::Duration;

use serde_json::Value as Json;
use tcloud_tests::hosts::BOOT;

use crate::project::Project;

const TEXT: &str = r#"
tenant t {
  network a { cidr = 10.99.0.0/24, dhcp { range = 10.99.0.100..=10.99.0.150 } }
  network b { cidr = 10.99.1.0/24, mode = "routed" }
  volume data { size = 64MiB }
  vm keeper {
    vcpus = 1
    memory = 192MiB
    firmware = "bios"
    stop_within = 0s
    boot { kernel = "/srv/guest/kernel", initrd = "/srv/guest/initrd", cmdline = "console=ttyS0 quiet cryptomgr.notests" }
    disk root { size = 64MiB }
    disk data { volume = volume.data }
    nic a { network = network.a, address = 10.99.0.10 }
    nic b { network = network.b }
    allow web { from = 10.98.0.0/16, ports = [80/tcp] }
  }
  vm sleeper {
    vcpus = 1
    memory = 128MiB
    running = false
    disk root { size = 64MiB }
    nic b { network = network.b }
  }
}
"#;

const ADDRESS: &str = "10.99.0.10";
const KEEPER: &str = "tenant.t.vm.keeper";

fn applied() -> Project {
    let project = Project::new();
    project.write("main.tcloud", TEXT);
    project.run(&["apply", "--yes"], 0);
    project.run(&["plan", "--exit-code"], 0);
    project
}

/// Each change of the plan, as `action impact address: attribute`.
fn changes(project: &Project) -> Vec<String> {
    let plan: Json = serde_json::from_str(&project.run(&["plan", "--json"], 0).out).expect("JSON");
    let text = |of: &Json, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let changes = plan["changes"].as_array().expect("changes").iter().map(|change| {
        let attributes = change["attributes"].as_array().expect("attributes").iter();
        let paths: Vec<String> = attributes.map(|own| text(own, "path")).collect();
        let [action, impact, address] = ["action", "impact", "address"].map(|n| text(change, n));
        format!("{action} {impact} {address}: {}", paths.join(", "))
    });
    changes.collect()
}

#[test]
fn what_somebody_has_stopped_or_taken_away_is_told_and_mended() {
    let project = applied();
    let running = project.running();
    let boot = project.hosts.facts(1, ADDRESS, BOOT).expect("the guest answers").boot;
    for (undo, info, name, address, told, mended) in [
        ("net-destroy", "net-info", "t.network-a", "tenant.t.network.a", "stopped", "Active: yes"),
        (
            "pool-destroy",
            "pool-info",
            "m.pool-fast",
            "site.m.pool.fast",
            "stopped",
            "State: running",
        ),
        ("undefine", "dominfo", "t.keeper", KEEPER, "autostart, transient", "Persistent: yes"),
    ] {
        let virsh = |command: &str| project.hosts.virsh(1, &[command, name]).expect(command);
        virsh(undo);
        assert_eq!(changes(&project), [format!("update live {address}: {told}")]);
        for command in ["plan", "drift"] {
            let said = project.run(&[command], 0).out;
            let word = told.split(' ').next_back().expect("a word");
            assert!(said.contains(address) && said.contains(word), "{said}");
        }
        project.run(&["apply", "--yes"], 0);
        let said = virsh(info);
        let mut lines =
            said.lines().map(|own| own.split_whitespace().collect::<Vec<_>>().join(" "));
        assert!(lines.any(|own| own == mended), "{said}");
        project.run(&["plan", "--exit-code"], 0);
    }
    assert_eq!(project.running(), running, "nothing was restarted");
    let after =
        project.hosts.facts(1, ADDRESS, Duration::from_secs(20)).expect("it is not cut off");
    assert_eq!(after.boot, boot);
}

#[test]
fn a_daemon_that_has_just_been_restarted_shows_no_change() {
    let project = applied();
    for (number, trouble) in ["restart", "crash", "restart"].into_iter().enumerate() {
        project.hosts.must(&[trouble, "1"]);
        if trouble == "crash" {
            project.hosts.must(&["restart", "1"]);
        }
        for look in 0..4 {
            assert_eq!(changes(&project), Vec::<String>::new(), "{trouble} {number}, look {look}");
        }
        project.run(&["plan", "--exit-code"], 0);
    }
}
