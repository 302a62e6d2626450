//! The provider beside a small loop of the same libvirt calls through the same binding, with one
//! connection and with eight, in turn, on hosts of the laboratory. Each run of what makes something has
//! a fresh host, so that none finds what another left. Prints JSON lines, each with the medians of
//! several runs and what processors worked for it on average, in this process and in libvirtd, which
//! a machine with other work changes least; and a table for people on its error output:
//!
//! * `define` – networks, volumes and guests, a hundred of each. The loops make what the provider made,
//!   from the XML that libvirt then shows, with its filters and stamps. The networks are bridged: to
//!   start one costs libvirt nothing.
//! * `start` – the same with isolated networks that give addresses, for which libvirt starts programs,
//!   twenty of each.
//! * `ansible` – where `ansible-playbook` is on the path: twenty bridged networks and guests without
//!   disks, by its collection `community.libvirt`, and by the provider.
//! * `observe` – 1,000 guests that are defined; the loops list them and read their XML.
//!
//! `cargo bench -p tcloud-provider-libvirt` runs it; behind `--` may stand names of what is to be
//! measured, and `runs=5`, `each=100`, `guests=1000`. `tests/lab` says what it needs.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was measured is what this program says"
)]

#[path = "../tests/host/lab.rs"]
#[expect(dead_code, reason = "the tests of the host use more of it")]
mod lab;

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use tcloud_libvirt_calls::Connection;
use tcloud_model::{Address, Deployment, Fields};
use tcloud_provider::ConfiguredProvider;
use tcloud_provider::conformance::Client;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::network::Network;
use virt::nwfilter::NWFilter;
use virt::secret::Secret;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt_sys::{VIR_DOMAIN_DEFINE_VALIDATE, VIR_DOMAIN_XML_INACTIVE, VIR_NETWORK_XML_INACTIVE};

use lab::{Lab, address, client, fields};

/// How many networks and guests Ansible makes, which takes it long, and how many are started.
const FEW: usize = 20;

/// How many connections the wide loop has.
const WIDE: usize = 8;

const POOL: &str = "site.lab.pool.bench";

/// What is measured.
struct Wanted {
    names: Vec<String>,
    /// How often.
    runs: usize,
    /// How many objects of each kind are made.
    each: usize,
    /// How many guests are observed.
    guests: usize,
}

impl Wanted {
    fn read() -> Wanted {
        let mut wanted = Wanted { names: Vec::new(), runs: 5, each: 100, guests: 1_000 };
        // Cargo itself says `--bench`.
        for word in std::env::args().skip(1).filter(|word| word != "--bench") {
            let Some((name, number)) = word.split_once('=') else {
                wanted.names.push(word);
                continue;
            };
            let number = number.parse().expect("a number");
            match name {
                "runs" => wanted.runs = number,
                "each" => wanted.each = number,
                "guests" => wanted.guests = number,
                _ => panic!("runs, each or guests, not {name}"),
            }
        }
        wanted
    }

    fn has(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|own| own == name)
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let wanted = Wanted::read();
    runtime.block_on(async {
        let mut all = Vec::new();
        if wanted.has("define") {
            let load = Load { each: wanted.each, bridged: true, disks: true };
            all.push(define("define", load, wanted.runs).await);
        }
        if wanted.has("start") {
            let load = Load { each: FEW, bridged: false, disks: true };
            all.push(define("start", load, wanted.runs).await);
        }
        if wanted.has("ansible") {
            ansible(wanted.runs).await;
        }
        if wanted.has("observe") {
            all.push(observe(wanted.guests, wanted.runs).await);
        }
        eprintln!(
            "{:9}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
            "",
            "objects",
            "ours s",
            "1 conn.",
            "8 conn.",
            "ours/1",
            "ours/8",
            "ours cpu",
            "8 cpu",
            "ours/8"
        );
        for Line { name, objects, ours, one, wide } in all {
            eprintln!(
                "{name:9}{objects:8}{:9.3}{:9.3}{:9.3}{:9.2}{:9.2}{:9.3}{:9.3}{:9.2}",
                ours.seconds,
                one.seconds,
                wide.seconds,
                ours.seconds / one.seconds,
                ours.seconds / wide.seconds,
                ours.cpu,
                wide.cpu,
                ours.cpu / wide.cpu,
            );
        }
    });
}

/// What is made, and of what sort.
#[derive(Clone, Copy)]
struct Load {
    each: usize,
    bridged: bool,
    disks: bool,
}

/// A fresh host with a pool.
struct Fresh {
    provider: Arc<dyn ConfiguredProvider>,
    deployment: Deployment,
    loops: Loops,
    lab: Lab,
}

impl Fresh {
    async fn start() -> Fresh {
        let lab = Lab::start();
        let deployment = Deployment::new("bench");
        let provider = lab.provider(&deployment).await;
        let fresh = Fresh { provider, deployment, loops: Loops { uri: lab.uri("unix") }, lab };
        let pool = fields(r#"{"type":"dir","path":"/srv/bench"}"#);
        let client = fresh.client();
        client.create(&address(POOL), &pool).await.expect("a pool");
        // A daemon that has just started asks QEMU what it can do, which takes it seconds. It is asked
        // once, so nobody's time is that.
        let first = fields(
            r#"{"vcpus":1,"memory":{"$bytes":268435456},"firmware":"bios","machine":"q35",
            "running":false,"autostart":false}"#,
        );
        let own = address("tenant.bench.vm.first");
        client.create(&own, &first).await.expect("a guest");
        assert_eq!(client.delete(&own).await.expect("it is removed"), None);
        drop(client);
        fresh
    }

    fn client(&self) -> Client<'_> {
        client(&*self.provider, &self.deployment)
    }

    /// What this process and the host's daemon had of processors so far, in seconds.
    fn cpu(&self) -> f64 {
        let own = std::fs::read_to_string("/proc/self/stat").expect("it is read");
        let daemon =
            self.lab.run(&["exec", "1", "sh", "-c", "cat /proc/$(cat /run/libvirtd.pid)/stat"]);
        processors(&own) + processors(&daemon.expect("it is read"))
    }

    /// Times something that says itself how long it took.
    fn timed(&self, work: impl FnOnce(&Loops) -> f64) -> Spent {
        let before = self.cpu();
        let seconds = work(&self.loops);
        Spent { seconds, cpu: self.cpu() - before }
    }

    /// Makes everything through the provider, as many at once as it takes.
    async fn make(&self, load: Load) -> Spent {
        let (before, client) = (self.cpu(), self.client());
        let begun = Instant::now();
        for kind in objects(load) {
            let made = kind.iter().map(|(own, attributes)| client.create(own, attributes));
            for made in join_all(made).await {
                made.expect("it is made");
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        Spent { seconds, cpu: self.cpu() - before }
    }

    async fn observe(&self, guests: usize) -> Spent {
        let (before, begun) = (self.cpu(), Instant::now());
        let seen = self.provider.observe().await.expect("a sweep");
        let seconds = begun.elapsed().as_secs_f64();
        assert!(seen.objects.len() >= guests, "{}", seen.objects.len());
        Spent { seconds, cpu: self.cpu() - before }
    }
}

/// User and system time of a process, out of its `stat`, which counts hundredths of a second.
fn processors(stat: &str) -> f64 {
    let (_, after_name) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks = |at: usize| -> f64 {
        after_name.split_whitespace().nth(at).and_then(|own| own.parse().ok()).expect("a number")
    };
    (ticks(11) + ticks(12)) / 100.0
}

async fn define(name: &'static str, load: Load, runs: usize) -> Line {
    let mut times = Times::default();
    for _ in 0..runs {
        let fresh = Fresh::start().await;
        times.ours.push(fresh.make(load).await);
        let made = fresh.loops.made(load);
        drop(fresh);
        times.one.push(Fresh::start().await.timed(|loops| loops.make(&made, 1)));
        times.wide.push(Fresh::start().await.timed(|loops| loops.make(&made, WIDE)));
    }
    times.tell(name, 3 * load.each)
}

/// What Ansible takes, if there is one, beside what we take for the same.
async fn ansible(runs: usize) {
    if Command::new("ansible-playbook").arg("--version").output().is_err() {
        eprintln!("ansible-playbook is not on the path: it is not measured");
        return;
    }
    let load = Load { each: FEW, bridged: true, disks: false };
    let mut ours = Vec::new();
    let mut made = None;
    for _ in 0..runs {
        let fresh = Fresh::start().await;
        ours.push(fresh.make(load).await.seconds);
        made = Some(fresh.loops.made(load));
    }
    let ours = median(&ours);
    let fresh = Fresh::start().await;
    let seconds = fresh.loops.ansible(&made.expect("at least one run"));
    let line = serde_json::json!({
        "name": "ansible", "objects": 2 * FEW, "seconds": seconds, "ours_seconds": ours,
        "runs": 1, "ours_runs": runs, "times_ours": seconds / ours,
    });
    println!("{line}");
}

async fn observe(guests: usize, runs: usize) -> Line {
    let fresh = Fresh::start().await;
    fresh.loops.fill(guests);
    let mut times = Times::default();
    for _ in 0..runs {
        times.ours.push(fresh.observe(guests).await);
        times.one.push(fresh.timed(|loops| loops.read(guests, 1)));
        times.wide.push(fresh.timed(|loops| loops.read(guests, WIDE)));
    }
    times.tell("observe", guests)
}

/// What one run took.
#[derive(Clone, Copy)]
struct Spent {
    seconds: f64,
    /// Of processors.
    cpu: f64,
}

#[derive(Default)]
struct Times {
    ours: Vec<Spent>,
    one: Vec<Spent>,
    wide: Vec<Spent>,
}

/// What runs usually took.
struct Line {
    name: &'static str,
    objects: usize,
    ours: Spent,
    one: Spent,
    wide: Spent,
}

impl Times {
    fn tell(&self, name: &'static str, objects: usize) -> Line {
        let runs = self.ours.len();
        let [ours, one, wide] = [&self.ours, &self.one, &self.wide].map(|own| usual(own));
        let line = serde_json::json!({
            "name": name, "objects": objects, "runs": runs, "seconds": ours.seconds,
            "one_connection_seconds": one.seconds, "eight_connections_seconds": wide.seconds,
            "ratio_to_eight": ours.seconds / wide.seconds, "cpu_seconds": ours.cpu,
            "one_connection_cpu_seconds": one.cpu, "eight_connections_cpu_seconds": wide.cpu,
        });
        println!("{line}");
        Line { name, objects, ours, one, wide }
    }
}

/// The median of the times, and the mean of the processors' work, of which each run has few ticks.
fn usual(runs: &[Spent]) -> Spent {
    let seconds: Vec<f64> = runs.iter().map(|own| own.seconds).collect();
    let cpu: f64 = runs.iter().map(|own| own.cpu).sum();
    let count = u32::try_from(runs.len()).expect("few runs");
    Spent { seconds: median(&seconds), cpu: cpu / f64::from(count) }
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The objects of each kind, in the order in which they are made.
fn objects(Load { each, bridged, disks }: Load) -> Vec<Vec<(Address, Fields)>> {
    let all = |make: &dyn Fn(usize) -> (String, String)| {
        let one = |number| {
            let (place, json) = make(number);
            (address(&place), fields(&json))
        };
        (0..each).map(one).collect::<Vec<_>>()
    };
    let networks = all(&|n| {
        let rest = match bridged {
            true => r#""mode":"bridge","bridge":"br0""#.to_owned(),
            false => format!(
                r#""mode":"isolated","dhcp":{{"range":{{"$ip_range":["10.88.{n}.100","10.88.{n}.150"]}}}}"#
            ),
        };
        let json = format!(r#"{{"cidr":{{"$cidr":"10.88.{n}.0/24"}},{rest}}}"#);
        (format!("tenant.bench.network.n{n}"), json)
    });
    let volumes = all(&|n| {
        let json = r#"{"size":{"$bytes":1073741824},"pool":{"$ref":"site.lab.pool.bench"},
            "format":"qcow2","encrypted":false}"#;
        (format!("tenant.bench.volume.v{n}"), json.to_owned())
    });
    let guests = all(&|n| {
        let disk = match disks {
            true => {
                format!(r#""disk":{{"root":{{"volume":{{"$ref":"tenant.bench.volume.v{n}"}}}}}},"#)
            }
            false => String::new(),
        };
        let json = format!(
            r#"{{"vcpus":1,"memory":{{"$bytes":268435456}},"firmware":"bios","machine":"q35",
            "running":false,"autostart":false,{disk}
            "nic":{{"a":{{"network":{{"$ref":"tenant.bench.network.n{n}"}},"filter":true,
            "address":{{"$ip":"10.88.{n}.10"}},"mac":{{"$mac":"52:54:00:77:00:{n:02x}"}}}}}}}}"#
        );
        (format!("tenant.bench.vm.g{n}"), json)
    });
    match disks {
        true => vec![networks, volumes, guests],
        false => vec![networks, guests],
    }
}

/// What the provider made, as libvirt shows it.
struct Made {
    filters: Vec<String>,
    networks: Vec<String>,
    pool: String,
    volumes: Vec<String>,
    secrets: Vec<String>,
    guests: Vec<String>,
}

/// Loops of plain calls.
struct Loops {
    uri: String,
}

impl Loops {
    fn connect(&self) -> Connection {
        Connection::open(&self.uri).expect("a connection")
    }

    fn made(&self, load: Load) -> Made {
        let connect = self.connect();
        let filters = connect.list_all_nw_filters(0).expect("filters");
        let ours = |filter: &NWFilter| filter.get_name().is_ok_and(|name| name.contains("bench"));
        let networks = connect.list_all_networks(0).expect("networks");
        let ours_too = |own: &Network| own.get_name().is_ok_and(|name| name.contains("bench"));
        let pools = connect.list_all_storage_pools(0).expect("pools");
        let is_pool = |own: &StoragePool| own.get_name().is_ok_and(|name| name.contains("bench"));
        let pool = pools.into_iter().find(is_pool).expect("the pool");
        let volumes = pool.list_all_volumes(0).expect("volumes");
        let secrets = connect.list_all_secrets(0).expect("secrets");
        let guests = connect.list_all_domains(0).expect("guests");
        let of_volume = |xml: &String| xml.contains("tcloud:volume/");
        let made = Made {
            filters: filters
                .iter()
                .filter(|own| ours(own))
                .map(|own| own.get_xml_desc(0).expect("XML"))
                .collect(),
            networks: networks
                .iter()
                .filter(|own| ours_too(own))
                .map(|own| own.get_xml_desc(VIR_NETWORK_XML_INACTIVE).expect("XML"))
                .collect(),
            pool: pool.get_name().expect("a name"),
            volumes: volumes.iter().map(|own| own.get_xml_desc(0).expect("XML")).collect(),
            secrets: secrets
                .iter()
                .map(|own| own.get_xml_desc(0).expect("XML"))
                .filter(of_volume)
                .collect(),
            guests: guests
                .iter()
                .map(|own| own.get_xml_desc(VIR_DOMAIN_XML_INACTIVE).expect("XML"))
                .collect(),
        };
        let counts = (made.networks.len(), made.volumes.len(), made.guests.len());
        let volumes = if load.disks { load.each } else { 0 };
        assert_eq!(counts, (load.each, volumes, load.each));
        made
    }

    /// Makes the same again, and how long that takes.
    fn make(&self, made: &Made, connections: usize) -> f64 {
        let Made { filters, networks, pool, volumes, secrets, guests } = made;
        let connects: Vec<Connection> = (0..connections).map(|_| self.connect()).collect();
        let begun = Instant::now();
        each(&connects, filters, |connect, xml| {
            NWFilter::define_xml(connect, xml).expect("a filter");
        });
        each(&connects, networks, |connect, xml| {
            let network = Network::define_xml(connect, xml).expect("a network");
            network.create().expect("it starts");
            network.set_autostart(true).expect("it starts with its host");
        });
        each(&connects, volumes, |connect, xml| {
            let pool = StoragePool::lookup_by_name(connect, pool).expect("the pool");
            StorageVol::create_xml(&pool, xml, 0).expect("a volume");
        });
        each(&connects, secrets, |connect, xml| {
            Secret::define_xml(connect, xml, 0).expect("a stamp");
        });
        each(&connects, guests, |connect, xml| {
            let flags = VIR_DOMAIN_DEFINE_VALIDATE;
            let guest = Domain::define_xml_flags(connect, xml, flags).expect("a guest");
            guest.set_autostart(false).expect("it does not start with its host");
        });
        begun.elapsed().as_secs_f64()
    }

    /// Has Ansible define and start the networks, and define the guests, and how long that takes.
    fn ansible(&self, made: &Made) -> f64 {
        let connect = self.connect();
        for xml in &made.filters {
            NWFilter::define_xml(&connect, xml).expect("a filter");
        }
        let items = |all: &[String]| {
            let item = |xml: &String| {
                let name = xml.split_once("<name>").and_then(|(_, rest)| rest.split_once('<'));
                serde_json::json!({"name": name.expect("a name").0, "xml": xml})
            };
            all.iter().map(item).collect::<Vec<_>>()
        };
        let (name, xml) = ("{{ item.name }}", "{{ item.xml }}");
        let uri = &self.uri;
        let playbook = serde_json::json!([{
            "hosts": "localhost", "connection": "local", "gather_facts": false,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": [
                {"community.libvirt.virt_net": {"command": "define", "name": name, "xml": xml, "uri": uri},
                 "loop": items(&made.networks)},
                {"community.libvirt.virt_net": {"state": "active", "name": name, "uri": uri},
                 "loop": items(&made.networks)},
                {"community.libvirt.virt_net": {"autostart": true, "name": name, "uri": uri},
                 "loop": items(&made.networks)},
                {"community.libvirt.virt": {"command": "define", "xml": xml, "uri": uri},
                 "loop": items(&made.guests)},
            ],
        }]);
        let file = tempfile::NamedTempFile::with_suffix(".yml").expect("a file");
        std::fs::write(file.path(), playbook.to_string()).expect("written");
        let begun = Instant::now();
        let output = Command::new("ansible-playbook").arg(file.path()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        begun.elapsed().as_secs_f64()
    }

    /// Defines guests that nobody needs.
    fn fill(&self, guests: usize) {
        let connect = self.connect();
        for n in 0..guests {
            let xml = format!(
                "<domain type='qemu'><name>filler-{n}</name><memory unit='MiB'>64</memory>
                <vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>
                <features><acpi/></features><devices>
                <interface type='network'><source network='default'/><model type='virtio'/>
                </interface><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
                <source file='/srv/bench/filler-{n}.qcow2'/><target dev='vda' bus='virtio'/></disk>
                <serial type='pty'/></devices></domain>"
            );
            Domain::define_xml(&connect, &xml).expect("a guest");
        }
    }

    /// Lists the guests and reads each one's XML, and how long that takes.
    fn read(&self, most: usize, connections: usize) -> f64 {
        let connects: Vec<Connection> = (0..connections).map(|_| self.connect()).collect();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for (first, connect) in connects.iter().enumerate() {
                scope.spawn(move || {
                    let guests = connect.list_all_domains(0).expect("guests");
                    assert!(guests.len() >= most, "{}", guests.len());
                    for guest in guests.iter().skip(first).step_by(connections) {
                        let xml = guest.get_xml_desc(VIR_DOMAIN_XML_INACTIVE).expect("XML");
                        assert!(!xml.is_empty(), "a guest without a definition");
                    }
                });
            }
        });
        begun.elapsed().as_secs_f64()
    }
}

/// Does something with each, on a thread for each connection.
fn each(connects: &[Connection], all: &[String], work: impl Fn(&Connect, &str) + Sync) {
    std::thread::scope(|scope| {
        for (first, connect) in connects.iter().enumerate() {
            let work = &work;
            scope.spawn(move || {
                for own in all.iter().skip(first).step_by(connects.len()) {
                    work(connect, own);
                }
            });
        }
    });
}
