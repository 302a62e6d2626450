//! The provider beside a small loop of the same libvirt calls through the same binding, with one
//! connection and with eight, in turn on one host of the laboratory. Prints JSON lines, each with
//! the medians of several runs:
//!
//! * `observe` – 1,000 guests that are defined; the loops list them and read their XML.
//! * `define` – 100 networks, 100 volumes and 100 guests; the loops make what the provider made,
//!   from the XML that libvirt then shows, with its filters and stamps.
//! * `ansible` – where `ansible-playbook` is on the path: 20 of these networks and guests, defined by
//!   its collection `community.libvirt`, once, and how many times longer it takes for each.
//!
//! `cargo bench -p tcloud-provider-libvirt` runs it; `tests/lab` says what it needs.

#![expect(clippy::print_stdout, reason = "what was measured is what this program says")]

#[path = "../tests/host/lab.rs"]
#[expect(dead_code, reason = "the tests of the host use more of it")]
mod lab;

use std::process::Command;
use std::time::Instant;

use futures_util::future::join_all;
use tcloud_model::{Address, Deployment, Fields};
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

/// How often each is measured.
const RUNS: usize = 5;

/// How many guests are observed.
const GUESTS: usize = 1_000;

/// How many objects of each kind are made.
const EACH: usize = 100;

/// How many networks and guests Ansible defines, which takes it long.
const FEW: usize = 20;

/// How many connections the wide loop has.
const WIDE: usize = 8;

const POOL: &str = "site.lab.pool.bench";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        let lab = Lab::start();
        let loops = Loops { uri: lab.uri("unix") };
        let deployment = Deployment::new("bench");
        let provider = lab.provider(&deployment).await;
        let client = client(&*provider, &deployment);
        let pool = fields(r#"{"type":"dir","path":"/srv/bench"}"#);
        client.create(&address(POOL), &pool).await.expect("a pool");

        let mut define = Times::default();
        for _ in 0..RUNS {
            let begun = Instant::now();
            make(&client).await;
            define.ours.push(begun.elapsed().as_secs_f64());
            let made = loops.made();
            for (connections, times) in [(1, &mut define.one), (WIDE, &mut define.wide)] {
                clear(&client).await;
                times.push(loops.make(&made, connections));
            }
            clear(&client).await;
        }
        define.tell("define", 3 * EACH);
        make(&client).await;
        let made = loops.made();
        clear(&client).await;
        tell_ansible(loops.ansible(&made), median(&define.ours) / (3 * EACH) as f64);
        clear(&client).await;

        loops.fill();
        let mut observe = Times::default();
        for _ in 0..RUNS {
            let begun = Instant::now();
            let seen = provider.observe().await.expect("a sweep");
            observe.ours.push(begun.elapsed().as_secs_f64());
            assert!(seen.objects.len() >= GUESTS, "{}", seen.objects.len());
            observe.one.push(loops.read(1));
            observe.wide.push(loops.read(WIDE));
        }
        observe.tell("observe", GUESTS);
    });
}

/// Seconds of each run.
#[derive(Default)]
struct Times {
    ours: Vec<f64>,
    one: Vec<f64>,
    wide: Vec<f64>,
}

impl Times {
    fn tell(&self, name: &str, objects: usize) {
        let Times { ours, one, wide } = self;
        let (ours, one, wide) = (median(ours), median(one), median(wide));
        let line = serde_json::json!({
            "name": name, "objects": objects, "runs": RUNS, "seconds": ours,
            "one_connection_seconds": one, "eight_connections_seconds": wide,
            "ratio_to_eight": ours / wide,
        });
        println!("{line}");
    }
}

/// What a playbook took, beside what we take for one object.
fn tell_ansible(seconds: Option<f64>, ours_each: f64) {
    let each = seconds.map(|seconds| seconds / (2 * FEW) as f64);
    let ratio = each.map(|each| each / ours_each);
    let line = serde_json::json!({
        "name": "ansible", "objects": 2 * FEW, "seconds": seconds, "times_ours_each": ratio,
    });
    println!("{line}");
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The objects of each kind, in the order in which they are made.
fn objects() -> [Vec<(Address, Fields)>; 3] {
    let all = |make: fn(usize) -> (String, String)| {
        let one = |number| {
            let (place, json) = make(number);
            (address(&place), fields(&json))
        };
        (0..EACH).map(one).collect()
    };
    [
        all(|n| {
            let json = format!(
                r#"{{"cidr":{{"$cidr":"10.88.{n}.0/24"}},"mode":"isolated","dhcp":
                {{"range":{{"$ip_range":["10.88.{n}.100","10.88.{n}.150"]}}}}}}"#
            );
            (format!("tenant.bench.network.n{n}"), json)
        }),
        all(|n| {
            let json = r#"{"size":{"$bytes":1073741824},"pool":{"$ref":"site.lab.pool.bench"},
                "format":"qcow2","encrypted":false}"#;
            (format!("tenant.bench.volume.v{n}"), json.to_owned())
        }),
        all(|n| {
            let json = format!(
                r#"{{"vcpus":1,"memory":{{"$bytes":268435456}},"firmware":"bios","machine":"q35",
                "running":false,"autostart":false,
                "disk":{{"root":{{"volume":{{"$ref":"tenant.bench.volume.v{n}"}}}}}},
                "nic":{{"a":{{"network":{{"$ref":"tenant.bench.network.n{n}"}},"filter":true,
                "address":{{"$ip":"10.88.{n}.10"}},"mac":{{"$mac":"52:54:00:77:00:{n:02x}"}}}}}}}}"#
            );
            (format!("tenant.bench.vm.g{n}"), json)
        }),
    ]
}

/// Makes everything through the provider, as many at once as it takes.
async fn make(client: &Client<'_>) {
    for kind in objects() {
        let made = kind.iter().map(|(own, attributes)| client.create(own, attributes));
        for made in join_all(made).await {
            made.expect("it is made");
        }
    }
}

async fn clear(client: &Client<'_>) {
    for kind in objects().iter().rev() {
        let gone = kind.iter().map(|(own, _)| client.delete(own));
        for gone in join_all(gone).await {
            assert_eq!(gone.expect("it is removed"), None);
        }
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
    fn connect(&self) -> Connect {
        Connect::open(Some(&self.uri)).expect("a connection")
    }

    fn made(&self) -> Made {
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
        Made {
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
        }
    }

    /// Makes the same again, and how long that takes.
    fn make(&self, made: &Made, connections: usize) -> f64 {
        let Made { filters, networks, pool, volumes, secrets, guests } = made;
        assert_eq!((networks.len(), volumes.len(), guests.len()), (EACH, EACH, EACH));
        let connects: Vec<Connect> = (0..connections).map(|_| self.connect()).collect();
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

    /// Has Ansible define and start some of the networks, and define some of the guests. `None`
    /// where it is not installed.
    fn ansible(&self, made: &Made) -> Option<f64> {
        Command::new("ansible-playbook").arg("--version").output().ok()?;
        let connect = self.connect();
        for xml in &made.filters {
            NWFilter::define_xml(&connect, xml).expect("a filter");
        }
        let items = |all: &[String]| {
            let item = |xml: &String| {
                let name = xml.split_once("<name>").and_then(|(_, rest)| rest.split_once('<'));
                serde_json::json!({"name": name.expect("a name").0, "xml": xml})
            };
            all.iter().take(FEW).map(item).collect::<Vec<_>>()
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
        Some(begun.elapsed().as_secs_f64())
    }

    /// Defines guests that nobody needs.
    fn fill(&self) {
        let connect = self.connect();
        for n in 0..GUESTS {
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
    fn read(&self, connections: usize) -> f64 {
        let connects: Vec<Connect> = (0..connections).map(|_| self.connect()).collect();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for (first, connect) in connects.iter().enumerate() {
                scope.spawn(move || {
                    let guests = connect.list_all_domains(0).expect("guests");
                    assert!(guests.len() >= GUESTS, "{}", guests.len());
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
fn each(connects: &[Connect], all: &[String], work: impl Fn(&Connect, &str) + Sync) {
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
