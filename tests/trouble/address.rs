//! Waiting for an address: the lease of a guest's earlier run still holds when the guest is started
//! again, and says nothing about whether it came up.

use tcloud_tests::hosts::BOOT;

use crate::project::Project;

const ADDRESS: &str = "10.99.0.20";

/// A guest that is waited for; it comes up only with its own `init`.
fn text(init: &str, within: &str) -> String {
    format!(
        r#"
tenant t {{
  network a {{ cidr = 10.99.0.0/24, dhcp {{ range = 10.99.0.100..=10.99.0.150 }} }}
  vm late {{
    vcpus = 1
    memory = 192MiB
    firmware = "bios"
    restart = "now"
    stop_within = 0s
    wait_for = "address"
    wait_within = {within}
    boot {{ kernel = "/srv/guest/kernel", initrd = "/srv/guest/initrd", cmdline = "console=ttyS0 quiet cryptomgr.notests{init}" }}
    disk root {{ size = 64MiB }}
    nic a {{ network = network.a, address = {ADDRESS} }}
  }}
}}
"#
    )
}

#[test]
fn the_lease_of_an_earlier_run_does_not_count() {
    let project = Project::new();
    project.write("main.tcloud", &text("", "240s"));
    project.run(&["apply", "--yes"], 0);
    let leases = project.hosts.virsh(1, &["net-dhcp-leases", "t.network-a"]).expect("leases");
    assert!(leases.contains(ADDRESS), "it was waited for: {leases}");
    let first = project.hosts.facts(1, ADDRESS, BOOT).expect("it answers").boot;

    project.write("main.tcloud", &text(" rdinit=/nowhere", "12s"));
    let ended = project.run(&["apply", "--yes"], 1);
    let said = (ended.out + &ended.err).split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        format!("12 s were not enough for {ADDRESS} of nic a"),
        "network \"t.network-a\" has its lease from before the start only".to_owned(),
        "its agent does not answer".to_owned(),
    ] {
        assert!(said.contains(&words), "{words}: {said}");
    }
    let leases = project.hosts.virsh(1, &["net-dhcp-leases", "t.network-a"]).expect("leases");
    assert!(leases.contains(ADDRESS), "the old lease still holds: {leases}");

    project.write("main.tcloud", &text("", "240s"));
    project.run(&["apply", "--yes"], 0);
    let second = project.hosts.facts(1, ADDRESS, BOOT).expect("it answers").boot;
    assert_ne!(second, first);
    project.run(&["plan", "--exit-code"], 0);
}
