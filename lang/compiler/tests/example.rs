//! The example of the language's description, end to end.

use std::sync::Arc;

use tcloud_compiler::{Compiled, MemoryWorld, Settings, compile};
use tcloud_model::{Address, Deployment, DesiredGraph, Evaluator as _, Fields, Value};

const SITES: &str = r#"
/// Colocation room in Meiningen, run remotely.
site meiningen {
  title = "Rechenzentrum Meiningen"
  zone a {}
  zone b {}

  host kvm1 { provider = "libvirt", uri = "qemu+ssh://tcloud@kvm1.example/system", zone = zone.a }
  host kvm2 { provider = "libvirt", uri = "qemu+ssh://tcloud@kvm2.example/system", zone = zone.b }

  pool fast { type = "dir", path = "/srv/tcloud/fast", class = "nvme", capacity = 4TiB }
}

image debian-12 {
  source = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2"
  digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

tenant landkreis { title = "Landkreis" }
"#;

const MAIN: &str = r#"
param env: "prod" | "test" = "prod"
let domain = "${env}.rhoenblick.example"

tenant rhoenblick {
  title = "Gemeinde Rhönblick"
  contact = "it@rhoenblick.example"
  sites = [site.meiningen]
  quota { vcpus = 16, memory = 64GiB, storage = 2TiB }

  defaults vm { image = image.debian-12, ssh_keys = [file("keys/it.pub")] }

  network office {
    cidr = 10.20.0.0/24
    mode = "routed"
    dhcp { range = 10.20.0.100..=10.20.0.199 }
    allow ssh { from = 10.16.0.0/24, ports = [22/tcp] }
  }

  volume archive { size = 500GiB, class = "nvme" }

  vm files {
    vcpus = 2
    memory = 8GiB
    max_memory = 16GiB
    disk root { size = 20GiB }
    disk archive { volume = volume.archive }
    nic office { network = network.office, address = network.office.cidr.host(10) }
  }

  vm web for n in 1..=2 {
    flavor = "SCS-2V-4"
    disk root { size = 20GiB }
    nic office { network = network.office }
    spread = "web"                                   // never two on one host
    cloud_init = { packages = ["nginx"], fqdn = "web-${n}.${domain}" }
  }

  citizen-portal main { domain = domain, replicas = 3 }
}

moved tenant.rhoenblick.vm.fileserver -> tenant.rhoenblick.vm.files

check spread {
  assert tenant.rhoenblick.vm.web[1].host != tenant.rhoenblick.vm.web[2].host, "web servers share a host"
}
"#;

const PORTAL: &str = r#"
/// Applications for a passport, a dog, a building permit: one portal per municipality.
component citizen-portal {
  param domain: String
  param replicas: Int(1..=6) = 2

  network dmz { cidr = 10.30.0.0/28, expose_to = [tenant.landkreis] }
  vm app for n in 1..=replicas {
    flavor = "SCS-1V-2"
    disk root { size = 20GiB }
    nic dmz { network = network.dmz }
    cloud_init = { fqdn = "app-${n}.${domain}" }
  }
  output address: Ip = vm.app[1].nic.dmz.address
}
"#;

fn compiled() -> Compiled {
    let world = MemoryWorld::default()
        .with("sites.tcloud", SITES)
        .with("tenants/rhoenblick/main.tcloud", MAIN)
        .with("components/citizen-portal.tcloud", PORTAL)
        .with("keys/it.pub", "ssh-ed25519 AAAA it\n");
    compile(&world, &Settings::new(Deployment::new("test")))
}

fn fields<'g>(graph: &'g DesiredGraph, address: &str) -> &'g Arc<Fields> {
    let address: Address = address.parse().expect("an address");
    &graph.resources.get(&address).unwrap_or_else(|| panic!("no {address}")).attributes
}

#[test]
fn the_example_compiles() {
    let compiled = compiled();
    let messages: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(|d| format!("{} {} {}", compiled.sources.position(d.primary.span), d.code, d.message))
        .collect();
    assert!(messages.is_empty(), "{messages:#?}");
    let program = compiled.program.expect("a program");
    let graph = program.desired();
    let addresses: Vec<String> = graph.resources.keys().map(ToString::to_string).collect();
    assert_eq!(addresses.len(), 24, "{addresses:#?}");

    let files = fields(graph, "tenant.rhoenblick.vm.files");
    assert_eq!(files.text("hostname"), Some("files"));
    assert_eq!(
        files.reference("image").map(ToString::to_string).as_deref(),
        Some("image.debian-12")
    );
    let nic = files.map("nic").and_then(|nics| nics.map("office")).expect("a NIC");
    assert_eq!(nic.get("address"), Some(&Value::Ip([10, 20, 0, 10].into())));
    let web = fields(graph, "tenant.rhoenblick.vm.web[2]");
    assert_eq!(web.number("vcpus"), Some(2));
    assert_eq!(web.text("hostname"), Some("web-2"));
    let cloud_init = web.map("cloud_init").expect("cloud-init");
    assert_eq!(cloud_init.text("fqdn"), Some("web-2.prod.rhoenblick.example"));
    let app = fields(graph, "tenant.rhoenblick.citizen-portal.main.vm.app[3]");
    assert_eq!(app.reference("image").map(ToString::to_string).as_deref(), Some("image.debian-12"));
    let disk = fields(graph, "tenant.rhoenblick.citizen-portal.main.vm.app[3].disk.root");
    assert_eq!(disk.number("size"), Some(20 << 30));
    assert_eq!(graph.moved.len(), 1);
}
