//! The example of three districts on six real hosts: applied, all guests answer at their addresses,
//! also after the daemons were started anew; then destroyed, and nothing is left but what others had
//! made there. The program of the user is run, with the plugin; virsh and the guests are the judges.
//!
//! `cargo test --workspace` builds both programs; after a change, `cargo test -p tcloud-tests` alone
//! runs those that were built before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;
use tcloud_tests::hosts::{Facts, Hosts, tcloud, wait};
use tempfile::TempDir;

/// The example's hosts, in the order of `lab variables`.
const HOSTS: [&str; 6] = [
    "site.greiz.host.kvm1",
    "site.greiz.host.kvm2",
    "site.meiningen.host.kvm1",
    "site.meiningen.host.kvm2",
    "site.soemmerda.host.kvm1",
    "site.soemmerda.host.kvm2",
];

/// What the text says, by the guests' names for libvirt. The other guests have the addresses that
/// were chosen for them.
const WRITTEN: [(&str, &str); 13] = [
    ("landkreis-sm.dns-1", "10.16.0.11"),
    ("landkreis-sm.dns-2", "10.16.0.12"),
    ("landkreis-sm.mail", "10.16.0.25"),
    ("rhoenblick.files", "10.21.0.10"),
    ("rhoenblick.citizen-portal-main.db", "10.21.1.2"),
    ("wasungen.files", "10.22.0.10"),
    ("wasungen.citizen-portal-main.db", "10.22.1.2"),
    ("zella-mehlis.files", "10.23.0.10"),
    ("zella-mehlis.citizen-portal-main.db", "10.23.1.2"),
    ("steinbach-hallenberg.files", "10.24.0.10"),
    ("steinbach-hallenberg.citizen-portal-main.db", "10.24.1.2"),
    ("breitungen.files", "10.25.0.10"),
    ("breitungen.citizen-portal-main.db", "10.25.1.2"),
];

/// One service at each portal instead of three: ten guests less to start without KVM.
const FEWER: &str = "services = [\"passport\"]\n";

/// How long the guests of all hosts may take together, on a machine without KVM: each of them needs
/// 15 s of a processor and more when all start at once.
const ALL: Duration = Duration::from_secs(900);

/// What every host has before, of everything that we make too. The guest does not run.
const FOREIGN: [(&str, &str, &str); 4] = [
    (
        "net-define",
        "net-dumpxml",
        "<network><name>old</name><forward mode='nat'/><bridge name='virbr77'/><ip address='192.168.77.1' \
         netmask='255.255.255.0'><dhcp><range start='192.168.77.10' end='192.168.77.99'/></dhcp></ip></network>",
    ),
    (
        "nwfilter-define",
        "nwfilter-dumpxml",
        "<filter name='old' chain='root'><rule action='drop' direction='in' priority='500'>\
         <tcp dstportstart='23'/></rule></filter>",
    ),
    (
        "pool-define",
        "pool-dumpxml",
        "<pool type='dir'><name>old</name><target><path>/srv/old</path></target></pool>",
    ),
    (
        "define",
        "dumpxml",
        "<domain type='qemu'><name>old</name><metadata><app:owner xmlns:app='https://old.example/'>\
         somebody</app:owner></metadata><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices>\
         <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/old/disk'/>\
         <target dev='vda' bus='virtio'/></disk><interface type='network'><source network='old'/>\
         <model type='virtio'/><filterref filter='old'/></interface></devices></domain>",
    ),
];

/// A copy of the example, whose hosts are those of a laboratory.
struct Example {
    hosts: Hosts,
    project: TempDir,
}

/// A guest as it was last applied.
#[derive(Debug)]
struct Guest {
    name: String,
    host: usize,
    /// MAC and address of each card.
    cards: Vec<(String, String)>,
}

impl Example {
    fn new() -> Example {
        let hosts = Hosts::start(HOSTS.len()).expect("six hosts");
        let project = tempfile::tempdir().expect("a directory");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/thueringen");
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(example.join(".")).arg(project.path());
        assert!(copy.status().expect("cp runs").success(), "the example is copied");
        let variables = hosts.must(&["variables"]) + FEWER;
        std::fs::write(project.path().join("lab.vars"), variables).expect("a file");
        Example { hosts, project }
    }

    /// Runs a command, which has to end with this code, and gives what it wrote.
    fn tcloud(&self, arguments: &[&str], code: i32) -> String {
        tcloud(self.project.path(), arguments, code)
    }

    /// What virsh shows of others.
    fn foreign(&self) -> BTreeMap<(usize, &str), String> {
        let mut all = BTreeMap::new();
        for host in 1..=HOSTS.len() {
            for (_, dump, _) in FOREIGN {
                let inactive: &[&str] = match dump {
                    "nwfilter-dumpxml" => &[],
                    _ => &["--inactive"],
                };
                let xml = self.hosts.virsh(host, &[&[dump, "old"], inactive].concat());
                let mut xml = xml.expect("it is there");
                if dump == "pool-dumpxml" {
                    // How full the file system is that all hosts of the laboratory share.
                    let measures = ["<capacity", "<allocation", "<available"];
                    let is_measure = |line: &&str| measures.iter().any(|own| line.contains(own));
                    xml = xml.lines().filter(|line| !is_measure(line)).collect();
                }
                all.insert((host, dump), xml);
            }
            let volume = self.hosts.virsh(host, &["vol-dumpxml", "disk", "--pool", "old"]);
            all.insert((host, "vol-dumpxml"), volume.expect("it is there"));
        }
        all
    }

    fn make_foreign(&self) {
        for host in 1..=HOSTS.len() {
            self.hosts.exec(host, &["mkdir", "/srv/old"]).expect("a directory");
            for (define, _, xml) in FOREIGN {
                self.hosts.define(host, define, xml).expect("it is defined");
            }
            self.hosts.virsh(host, &["net-start", "old"]).expect("it starts");
            self.hosts.virsh(host, &["pool-start", "old"]).expect("it starts");
            let volume = ["vol-create-as", "old", "disk", "10M", "--format", "qcow2"];
            self.hosts.virsh(host, &volume).expect("a volume");
            // What a daemon made itself it describes otherwise than what it finds when it starts.
            self.hosts.must(&["restart", &host.to_string()]);
        }
    }

    /// Everything that virsh lists on all hosts, and the files that lie where ours would.
    fn listed(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for host in 1..=HOSTS.len() {
            for list in [
                &["list", "--all", "--name"][..],
                &["net-list", "--all", "--name"],
                &["pool-list", "--all", "--name"],
                &["nwfilter-list"],
                &["nwfilter-binding-list"],
                &["secret-list"],
            ] {
                let names = self.hosts.virsh(host, list).expect("a list");
                let names = names.lines().map(str::trim).filter(|name| !name.is_empty());
                all.extend(names.map(|name| format!("h{host} {}: {name}", list[0])));
            }
            let find = "find /srv/tcloud /var/lib/libvirt/images /var/lib/libvirt/qemu/nvram \
                        /var/lib/libvirt/swtpm -type f 2>/dev/null || true";
            let files = self.hosts.exec(host, &["sh", "-c", find]).expect("a list");
            all.extend(files.lines().map(|file| format!("h{host} {file}")));
        }
        all
    }

    /// The guests that were applied. virsh has to list exactly these beside that of others.
    fn guests(&self) -> Vec<Guest> {
        let export = self.tcloud(&["state", "export"], 0);
        let export: Json = serde_json::from_str(&export).expect("JSON");
        let records = export["records"].as_array().expect("a list").iter();
        let guests: Vec<Guest> =
            records.filter(|record| record["kind"] == "vm").map(guest).collect();
        for host in 1..=HOSTS.len() {
            let running = self.hosts.virsh(host, &["list", "--name"]).expect("a list");
            let running: BTreeSet<&str> = running.split_whitespace().collect();
            let ours = guests.iter().filter(|guest| guest.host == host);
            assert_eq!(running, ours.map(|guest| guest.name.as_str()).collect(), "h{host}");
        }
        guests
    }

    /// Each guest answers at an address and says that its cards have all of theirs; gives the boots.
    /// An isolated network is seen from inside alone: its host has no address there.
    fn all_answer(&self, guests: &[Guest]) -> BTreeMap<String, String> {
        let mut boots = BTreeMap::new();
        for guest in guests {
            let name = (guest.host, guest.name.as_str());
            let facts = self.hosts.started(name, 0, ALL, || self.answer(guest));
            let facts = facts.unwrap_or_else(|error| panic!("{error}"));
            boots.insert(guest.name.clone(), facts.boot);
        }
        boots
    }

    /// What a guest says at one of its addresses, if its cards have all of them.
    fn answer(&self, guest: &Guest) -> Result<Facts, String> {
        let mut answers = guest
            .cards
            .iter()
            .map(|(_, address)| self.hosts.facts(guest.host, address, Duration::ZERO));
        let facts = answers.find(Result::is_ok).unwrap_or(Err("no answer".to_owned()))?;
        for (mac, address) in &guest.cards {
            let card = facts.nics.iter().find(|card| card.mac.eq_ignore_ascii_case(mac));
            let has = |own: &String| own.split('/').next() == Some(address);
            if !card.is_some_and(|card| card.addresses.iter().any(has)) {
                return Err(format!("{mac} has not {address}: {facts:?}"));
            }
        }
        Ok(facts)
    }

    /// Takes everything down, with consent to each loss that the plan names.
    fn destroy(&self) {
        self.tcloud(&["destroy", "--yes", "--var-file", "lab.vars"], 4);
        let plan = self.tcloud(&["plan", "--destroy", "--json", "--var-file", "lab.vars"], 0);
        let plan: Json = serde_json::from_str(&plan).expect("JSON");
        let decisions = plan["decisions"].as_array().expect("a list").iter();
        let consents: Vec<String> = decisions
            .map(|decision| {
                let word = if decision["kind"] == "protected" { "destroy" } else { "data-loss" };
                format!("--allow={word}={}", decision["address"].as_str().expect("an address"))
            })
            .collect();
        let mut arguments = vec!["destroy", "--yes", "--var-file", "lab.vars"];
        arguments.extend(consents.iter().map(String::as_str));
        self.tcloud(&arguments, 0);
    }
}

fn guest(record: &Json) -> Guest {
    let host = record["host"].as_str().expect("a host");
    let host = HOSTS.iter().position(|own| *own == host).expect("one of the six");
    let cards = record["attributes"]["nic"].as_object().expect("cards").values();
    let cards = cards.map(|card| {
        let [mac, address] = [&card["mac"]["$mac"], &card["address"]["$ip"]]
            .map(|text| text.as_str().unwrap_or_else(|| panic!("{card}")).to_owned());
        (mac, address)
    });
    Guest {
        name: record["identity"]["name"].as_str().expect("a name").to_owned(),
        host: host + 1,
        cards: cards.collect(),
    }
}

#[test]
fn three_districts_are_built_answer_and_are_gone() {
    let example = Example::new();
    example.make_foreign();
    let (foreign, before) = (example.foreign(), example.listed());

    example.tcloud(&["apply", "--yes", "--var-file", "lab.vars"], 0);
    example.tcloud(&["plan", "--exit-code", "--var-file", "lab.vars"], 0);
    let guests = example.guests();
    for (name, address) in WRITTEN {
        let guest = guests.iter().find(|guest| guest.name == name);
        let guest = guest.unwrap_or_else(|| panic!("there is no {name}: {guests:#?}"));
        assert_eq!(guest.cards[0].1, address, "{name}");
    }
    let boots = example.all_answer(&guests);
    assert_eq!(boots.len(), 22, "7 of the district, 3 of each municipality");

    std::thread::scope(|scope| {
        for host in 1..=HOSTS.len() {
            let hosts = &example.hosts;
            scope.spawn(move || {
                hosts.must(&["restart", &host.to_string()]);
                // A daemon looks at all its guests before it answers.
                wait(ALL, || hosts.virsh(host, &["list"])).expect("it answers");
            });
        }
    });
    let after = example.all_answer(&guests);
    if let Some(guest) = guests.iter().find(|guest| after[&guest.name] != boots[&guest.name]) {
        let console = example.hosts.console(guest.host, &guest.name);
        panic!("{} was started anew; its console ends with:\n{console}", guest.name);
    }
    example.tcloud(&["plan", "--exit-code", "--var-file", "lab.vars"], 0);
    assert_eq!(example.foreign(), foreign);

    example.destroy();
    let after = example.listed();
    let changed: Vec<_> = after.symmetric_difference(&before).collect();
    assert!(changed.is_empty(), "there before or after, and not both: {changed:#?}");
    assert_eq!(example.foreign(), foreign);
}
