//! The laboratory itself: hosts that are apart, that can be reached, and that get into trouble when
//! told to; guests that answer.

use std::time::Duration;

use tcloud_tests::hosts::{BOOT, Hosts, Transport, wait};

const GUEST: &str = r#"
<domain type='qemu'>
  <name>NAME</name>
  <memory unit='MiB'>192</memory>
  <vcpu current='1'>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/srv/guest/kernel</kernel>
    <initrd>/srv/guest/initrd</initrd>
    <cmdline>console=ttyS0 quiet cryptomgr.notests</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <interface type='network'>
      <source network='NAME'/><mac address='52:54:00:00:00:0a'/><model type='virtio'/>
    </interface>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <serial type='pty'><log file='/var/log/libvirt/qemu/NAME.console'/></serial>
  </devices>
</domain>
"#;

const NETWORK: &str = r#"
<network>
  <name>NAME</name>
  <bridge name='br-NAME'/>
  <ip address='10.98.0.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.98.0.100' end='10.98.0.110'/>
      <host mac='52:54:00:00:00:0a' ip='10.98.0.10'/>
    </dhcp>
  </ip>
</network>
"#;

/// A guest `name` on a host of its own, with the address 10.98.0.10.
fn guest(hosts: &Hosts, host: usize, name: &str) {
    let fill = |text: &str| text.replace("NAME", name);
    hosts.define(host, "net-define", &fill(NETWORK)).expect("a network");
    hosts.virsh(host, &["net-start", name]).expect("a running network");
    hosts.define(host, "define", &fill(GUEST)).expect("a guest");
    hosts.virsh(host, &["start", name]).expect("a running guest");
}

#[test]
fn hosts_are_reached_by_every_transport_and_are_apart() {
    let hosts = Hosts::shared();
    for host in 1..=3 {
        let mut names = Vec::new();
        for transport in [Transport::Unix, Transport::Tls, Transport::Ssh] {
            let uri = hosts.uri(host, transport);
            let output = std::process::Command::new("virsh")
                .args(["-q", "-c", &uri, "hostname"])
                .env("PATH", hosts.path())
                .output()
                .expect("virsh runs");
            let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            assert!(output.status.success(), "{uri}: {}", String::from_utf8_lossy(&output.stderr));
            names.push(name);
        }
        assert_eq!(names, vec![format!("h{host}"); 3]);
    }
    let pool = "<pool type='dir'><name>mine</name><target><path>/srv/mine</path></target></pool>";
    hosts.define(1, "pool-define", pool).expect("a pool");
    assert!(hosts.virsh(1, &["pool-list", "--all"]).expect("pools").contains("mine"));
    assert!(!hosts.virsh(2, &["pool-list", "--all"]).expect("pools").contains("mine"));
    hosts.virsh(1, &["pool-undefine", "mine"]).expect("no pool");
}

#[test]
fn tcloud_works_through_every_transport() {
    let hosts = Hosts::shared();
    let project = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: String| {
        std::fs::write(project.path().join(name), text).expect(name);
    };
    let transports = [(1, Transport::Unix), (2, Transport::Tls), (3, Transport::Ssh)];
    let all: Vec<String> = transports
        .iter()
        .map(|(host, transport)| {
            let uri = hosts.uri(*host, *transport);
            format!(
                "  host kvm{host} {{ provider = \"libvirt\", uri = \"{uri}\", accel = \"tcg\", capacity {{ \
                 vcpus = 4, memory = 4GiB }} }}\n"
            )
        })
        .collect();
    let pool = "  pool everywhere { type = \"dir\", path = \"/srv/everywhere\" }";
    write("tcloud.toml", "[deployment]\nname = \"roads\"\n[providers.libvirt]\n".to_owned());
    write("main.tcloud", format!("site m {{\n{}{pool}\n}}\n", all.concat()));
    let pools = || (1..=3).map(|host| hosts.virsh(host, &["pool-list"]).expect("pools"));
    hosts.tcloud(project.path(), &["apply", "--yes"], 0);
    assert!(pools().all(|pools| pools.contains("everywhere")), "{:?}", pools().collect::<Vec<_>>());
    hosts.tcloud(project.path(), &["destroy", "--yes"], 0);
    assert!(
        pools().all(|pools| !pools.contains("everywhere")),
        "{:?}",
        pools().collect::<Vec<_>>()
    );
}

#[test]
fn a_guest_answers_and_outlives_the_crash_of_its_daemon() {
    // Its own: a daemon that dies is missing to others.
    let hosts = Hosts::start(1).expect("a host");
    guest(&hosts, 1, "alone");
    let before = hosts.facts(1, "10.98.0.10", BOOT).expect("the guest answers");
    assert_eq!((before.cpus, before.firmware.as_str()), (1, "bios"));
    assert_eq!(before.nics[0].addresses, ["10.98.0.10/24"]);
    assert_eq!(hosts.ask(1, "10.98.0.10", "ping 10.98.0.1").as_deref(), Ok("open"));
    assert_eq!(hosts.ask(1, "10.98.0.10", "tcp 127.0.0.1 7").as_deref(), Ok("open"));
    assert_eq!(hosts.ask(1, "10.98.0.10", "tcp 127.0.0.1 9").as_deref(), Ok("refused"));
    let agent = ["qemu-agent-command", "alone", "{\"execute\":\"guest-ping\"}"];
    wait(BOOT, || hosts.virsh(1, &agent)).expect("the agent answers");

    hosts.must(&["crash", "1"]);
    assert!(hosts.virsh(1, &["list"]).is_err(), "the daemon is dead");
    hosts.must(&["restart", "1"]);
    let after = hosts.facts(1, "10.98.0.10", BOOT).expect("the guest still answers");
    assert_eq!(after.boot, before.boot);
    assert!(after.uptime > before.uptime);

    hosts.virsh(1, &["setvcpus", "alone", "2", "--live"]).expect("a second processor");
    wait(BOOT, || {
        let cpus = hosts.facts(1, "10.98.0.10", BOOT)?.cpus;
        if cpus == 2 { Ok(()) } else { Err(format!("{cpus} processors are used")) }
    })
    .expect("the guest uses it");

    hosts.virsh(1, &["shutdown", "alone", "--mode", "acpi"]).expect("the button is pressed");
    wait(BOOT, || match hosts.virsh(1, &["domstate", "alone"])?.trim() {
        "shut off" => Ok(()),
        state => Err(format!("it is {state}")),
    })
    .expect("the guest ends");
    hosts.virsh(1, &["undefine", "alone"]).expect("no guest");
    hosts.virsh(1, &["net-destroy", "alone"]).expect("no bridge");
    hosts.virsh(1, &["net-undefine", "alone"]).expect("no network");
}

#[test]
fn a_daemon_stands_still_when_told_to() {
    let hosts = Hosts::start(1).expect("a host");
    hosts.must(&["pause", "1"]);
    let uri = hosts.uri(1, Transport::Unix);
    let still = std::process::Command::new("timeout")
        .args(["1", "virsh", "-c", &uri, "list"])
        .output()
        .expect("timeout runs");
    assert_eq!(still.status.code(), Some(124), "it does not answer");
    hosts.must(&["resume", "1"]);
    wait(Duration::from_secs(10), || hosts.virsh(1, &["list"])).expect("it answers again");
}

#[test]
fn nothing_is_left_of_a_laboratory() {
    let hosts = Hosts::start(1).expect("a second laboratory beside the shared one");
    let number = std::fs::read_to_string(hosts.directory().join("number")).expect("its number");
    let (directory, mark) = (hosts.directory().to_owned(), format!("tlab{}-", number.trim()));
    let look = || {
        let output = std::process::Command::new("sh")
            .args(["-c", "ip netns list; ip -o link; cat /proc/mounts; ps ax"])
            .output()
            .expect("sh runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(look().contains(&mark));
    drop(hosts);
    let left: Vec<String> = look()
        .lines()
        .filter(|line| line.contains(&mark) || line.contains(&directory.display().to_string()))
        .map(str::to_owned)
        .collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(!directory.exists());
}
