//! Tenants on two real hosts, as `.tcloud` text, and their guests, whom packets are sent between.

use std::collections::BTreeMap;
use std::time::Duration;

use tcloud_tests::hosts::{Hosts, Transport, tcloud, wait};
use tempfile::TempDir;

/// How long a guest may need to answer, on a machine without KVM that has much to do; long enough
/// for one that gets stuck to be started anew.
const BOOT: Duration = Duration::from_secs(300);

/// Three tenants on one host, one on another. What a test opens takes the place of the comments.
const TEXT: &str = r#"
tenant town {
  network office {
    cidr = 10.21.0.0/24
    cidr6 = fd00:21::/64
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
    cidr6 = fd00:22::/64
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
  network office { cidr = 10.99.0.0/24, cidr6 = fd00:99::/64, mode = "nat" }
  vm h {
    GUEST
    host = site.m.host.kvm1
    nic lan { network = network.office, address = 10.99.0.10 }
  }
}

tenant remote {
  network office { cidr = 10.23.0.0/24, cidr6 = fd00:23::/64, mode = "routed" }
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
                     \"console=ttyS0 quiet cryptomgr.notests\" }";

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
    /// By name: its IPv6 address, and the one that only its link knows.
    sixes: BTreeMap<&'static str, [String; 2]>,
}

impl Town {
    /// Applies the text with nothing open, and waits until all guests answer.
    pub(crate) fn new() -> Town {
        let hosts = Hosts::start(2).expect("two hosts");
        let project = tempfile::tempdir().expect("a directory");
        let mut town = Town { project, hosts, sixes: BTreeMap::new() };
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
            let (name, hosts) = ((guest.host, guest.name), &town.hosts);
            let facts = || hosts.facts(guest.host, guest.address, Duration::ZERO);
            hosts.started(name, 0, BOOT, facts).unwrap_or_else(|error| panic!("{error}"));
            let sixes = wait(BOOT, || town.look_up(guest)).expect("it has IPv6 addresses");
            town.sixes.insert(guest.name, sixes);
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
        for (host, own) in [(1, "fd00:77::1/64"), (2, "fd00:77::2/64")] {
            let add = ["ip", "address", "add", own, "dev", "br0", "nodad"];
            self.hosts.exec(host, &add).expect("an address");
        }
        for (host, to, via) in [
            (1, "fd00:23::/64", "fd00:77::2"),
            (2, "fd00:21::/64", "fd00:77::1"),
            (2, "fd00:22::/64", "fd00:77::1"),
        ] {
            self.hosts.exec(host, &["ip", "route", "add", to, "via", via]).expect("a route");
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

    /// The IPv6 addresses that a guest has made itself: for everybody, and for its link.
    fn look_up(&self, guest: &Guest) -> Result<[String; 2], String> {
        let said = self.hosts.ask(guest.host, guest.address, "run ip -6 address show dev eth0")?;
        let of = |scope: &str| {
            let line =
                said.lines().find(|line| line.contains(scope) && !line.contains("tentative"));
            let address = line.and_then(|line| line.split_whitespace().nth(1));
            let address = address.and_then(|address| address.split('/').next()).map(str::to_owned);
            address.ok_or_else(|| format!("no address of {scope}: {said}"))
        };
        Ok([of("scope global")?, of("scope link")?])
    }

    /// All addresses of a guest: of IPv4, of IPv6, and of its link.
    pub(crate) fn addresses(&self, guest: &Guest) -> [&str; 3] {
        let [global, local] = &self.sixes[guest.name];
        [guest.address, global, local]
    }

    /// What comes of trying to reach an address of another guest: by TCP, UDP and ICMP.
    pub(crate) fn reaches(&self, from: &Guest, to: &str) -> [String; 3] {
        let questions = ["tcp ADDRESS 7 1500", "udp ADDRESS 7 1500", "ping ADDRESS 1500"];
        self.ask_at_once(from, questions.map(|question| question.replace("ADDRESS", to)))
    }

    /// What comes of trying one port, `9000` or `9001`: by TCP and by UDP.
    pub(crate) fn tries(&self, from: &Guest, to: &str, port: u16) -> [String; 2] {
        self.ask_at_once(from, ["tcp", "udp"].map(|word| format!("{word} {to} {port} 1500")))
    }

    /// What does not arrive takes until nobody waits for it any more.
    fn ask_at_once<const N: usize>(&self, from: &Guest, questions: [String; N]) -> [String; N] {
        std::thread::scope(|scope| {
            let asked = questions.map(|question| scope.spawn(move || self.ask(from, &question)));
            asked.map(|answer| answer.join().expect("an answer"))
        })
    }

    /// Whether single datagrams arrive, that nobody answers.
    pub(crate) fn arrives(&self, from: &Guest, sent: &str, to: &Guest, token: &str) -> bool {
        let [v4, v6, _] = self.addresses(to);
        let at = if sent.contains("::") { v6 } else { v4 };
        assert_eq!(self.ask(from, &format!("{sent} {at} {token}")), "sent");
        std::thread::sleep(Duration::from_millis(500));
        self.ask(to, &format!("seen {token}")) != "0"
    }
}
