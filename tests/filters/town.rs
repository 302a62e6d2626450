//! Tenants on two real hosts, as `.tcloud` text, and their guests, whom packets are sent between.

use std::collections::BTreeMap;
use std::time::Duration;

use tcloud_tests::hosts::{Hosts, Transport, tcloud, wait};
use tempfile::TempDir;

/// How long a guest may need to answer, on a machine without KVM that has much to do.
const BOOT: Duration = Duration::from_secs(180);

/// Three tenants on one host, one on another. What a test opens takes the place of the comments.
const TEXT: &str = r#"
tenant town {
  network office {
    cidr = 10.21.0.0/24
    mode = "routed"
    // at the town
  }
  vm a {
    GUEST
    host = site.m.host.kvm1
    nic lan { network = network.office, address = 10.21.0.10 }
    // at a
  }
  vm neighbour {
    GUEST
    host = site.m.host.kvm1
    nic lan { network = network.office, address = 10.21.0.11 }
  }
}

tenant other {
  network office {
    cidr = 10.22.0.0/24
    mode = "routed"
    // at the other
  }
  vm b {
    GUEST
    host = site.m.host.kvm1
    nic lan { network = network.office, address = 10.22.0.10 }
  }
}

tenant hidden {
  network office { cidr = 10.99.0.0/24, mode = "nat" }
  vm h {
    GUEST
    host = site.m.host.kvm1
    nic lan { network = network.office, address = 10.99.0.10 }
  }
}

tenant remote {
  network office { cidr = 10.23.0.0/24, mode = "routed" }
  vm r {
    GUEST
    host = site.m.host.kvm2
    nic lan { network = network.office, address = 10.23.0.10 }
  }
}
"#;

/// What all guests have in common.
const GUEST: &str = "vcpus = 1\n    memory = 128MiB\n    firmware = \"bios\"\n    stop_within = 0s\n    boot { kernel = \
                     \"/srv/guest/kernel\", initrd = \"/srv/guest/initrd\", cmdline = \
                     \"console=ttyS0 quiet\" }";

/// A guest with one card.
#[derive(Debug)]
pub(crate) struct Guest {
    /// Its name for libvirt.
    pub(crate) name: &'static str,
    host: usize,
    pub(crate) address: &'static str,
}

pub(crate) const A: Guest = Guest { name: "town.a", host: 1, address: "10.21.0.10" };
pub(crate) const NEIGHBOUR: Guest =
    Guest { name: "town.neighbour", host: 1, address: "10.21.0.11" };
pub(crate) const B: Guest = Guest { name: "other.b", host: 1, address: "10.22.0.10" };
pub(crate) const H: Guest = Guest { name: "hidden.h", host: 1, address: "10.99.0.10" };
pub(crate) const R: Guest = Guest { name: "remote.r", host: 2, address: "10.23.0.10" };
const ALL: [&Guest; 5] = [&A, &NEIGHBOUR, &B, &H, &R];

/// QEMU's process and the boot of each guest: others when it was stopped and started.
pub(crate) type Runs = BTreeMap<&'static str, (String, String)>;

/// The hosts, and the directory of the text.
pub(crate) struct Town {
    hosts: Hosts,
    project: TempDir,
}

impl Town {
    /// Applies the text with nothing open, and waits until all guests answer.
    pub(crate) fn new() -> Town {
        let hosts = Hosts::start(2).expect("two hosts");
        let town = Town { project: tempfile::tempdir().expect("a directory"), hosts };
        let host = |number| {
            let uri = town.hosts.uri(number, Transport::Unix);
            format!(
                "  host kvm{number} {{ provider = \"libvirt\", uri = \"{uri}\", accel = \"tcg\", \
                 capacity {{ vcpus = 16, memory = 16GiB }} }}\n"
            )
        };
        let site = format!("site m {{\n{}{}}}\n", host(1), host(2));
        town.write("tcloud.toml", "[deployment]\nname = \"town\"\n[providers.libvirt]\n");
        town.write("site.tcloud", &site);
        town.apply(&[]);
        town.route();
        for guest in ALL {
            town.hosts.facts(guest.host, guest.address, BOOT).expect("it answers");
        }
        town
    }

    /// What a network of mode `routed` needs around it: hosts that know where it is.
    fn route(&self) {
        let number = std::fs::read_to_string(self.hosts.directory().join("number"));
        let number = number.expect("the number of the laboratory");
        for (host, to, via) in
            [(1, "10.23.0.0/24", 2), (2, "10.21.0.0/24", 1), (2, "10.22.0.0/24", 1)]
        {
            let via = format!("10.77.{}.{via}", number.trim());
            self.hosts.exec(host, &["ip", "route", "add", to, "via", &via]).expect("a route");
        }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.project.path().join(file), text).expect("written");
    }

    /// Applies the text with these lines in the place of comments; then there is nothing more to do.
    pub(crate) fn apply(&self, lines: &[(&str, &str)]) {
        let mut text = TEXT.replace("GUEST", GUEST);
        for (comment, line) in lines {
            let comment = format!("// {comment}\n");
            assert!(text.contains(&comment), "{comment}");
            text = text.replace(&comment, &format!("{line}\n    {comment}"));
        }
        self.write("main.tcloud", &text);
        // Opening to another tenant what runs takes consent, which names the network.
        let consents = ["town", "other"].map(|own| format!("exposure=tenant.{own}.network.office"));
        let [town, other] = &consents;
        let apply = ["apply", "--yes", "--allow", town, "--allow", other];
        tcloud(self.project.path(), &apply, 0);
        tcloud(self.project.path(), &["plan", "--exit-code"], 0);
    }

    /// What runs now.
    pub(crate) fn runs(&self) -> Runs {
        let run = |guest: &Guest| {
            let pid = format!("/run/libvirt/qemu/{}.pid", guest.name);
            let process = self.hosts.exec(guest.host, &["cat", &pid]).expect("it runs");
            let facts = self.hosts.facts(guest.host, guest.address, BOOT).expect("it answers");
            (process, facts.boot)
        };
        ALL.into_iter().map(|guest| (guest.name, run(guest))).collect()
    }

    pub(crate) fn ask(&self, guest: &Guest, question: &str) -> String {
        let Guest { name, host, address } = guest;
        let answer = wait(Duration::from_secs(20), || self.hosts.ask(*host, address, question));
        answer.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What comes of trying to reach another guest: by TCP, UDP and ICMP.
    pub(crate) fn reaches(&self, from: &Guest, to: &Guest) -> [String; 3] {
        ["tcp ADDRESS 7 1500", "udp ADDRESS 7 1500", "ping ADDRESS 1500"]
            .map(|question| self.ask(from, &question.replace("ADDRESS", to.address)))
    }

    /// What comes of trying one port, `9000` or `9001`: by TCP and by UDP.
    pub(crate) fn tries(&self, from: &Guest, to: &Guest, port: u16) -> [String; 2] {
        ["tcp", "udp"].map(|word| self.ask(from, &format!("{word} {} {port} 1500", to.address)))
    }

    /// Whether single datagrams arrive, that nobody answers.
    pub(crate) fn arrives(&self, from: &Guest, sent: &str, to: &Guest, token: &str) -> bool {
        assert_eq!(self.ask(from, &format!("{sent} {} {token}", to.address)), "sent");
        std::thread::sleep(Duration::from_millis(500));
        self.ask(to, &format!("seen {token}")) != "0"
    }
}
