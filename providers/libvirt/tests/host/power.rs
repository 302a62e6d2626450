//! Guests that stand still: what tcloud starts, stops and leaves alone.

use tcloud_model::{Deployment, Value};
use tcloud_provider::conformance::with;

use crate::lab::{Host, Lab, address, client, fields};

const GUEST: &str = "tenant.power.vm.web";

/// A guest with nothing to start, a device that tells of crashes, and nobody who restarts it then.
const ATTRIBUTES: &str = r#"{"vcpus":1,"memory":{"$bytes":67108864},"firmware":"bios",
    "machine":"q35","wait_for":"nothing","libvirt":{"on_crash":"preserve",
    "raw_xml":"<devices><panic model='isa'/></devices>"}}"#;

impl Host<'_> {
    fn state(&self) -> String {
        self.virsh(&format!("domstate {} --reason", self.name(GUEST))).trim().to_owned()
    }

    /// Its system says that it is lost, as Linux does when it panics.
    fn crash(&self) {
        let name = self.name(GUEST);
        self.lab.virsh(&["qemu-monitor-command", &name, "--hmp", "o /b 0x505 1"]);
        for _ in 0..50 {
            if self.state().starts_with("crashed") {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("it has not crashed: {}", self.state());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_guest_is_stopped_and_started_where_that_is_meant() {
    let lab = Lab::get();
    let deployment = Deployment::new("power");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab, client: client(&*provider, &deployment) };
    let (guest, base) = (address(GUEST), fields(ATTRIBUTES));
    host.client.create(&guest, &base).await.expect("a guest");
    assert_eq!(host.state(), "running (booted)");
    host.crash();
    // Going on is no way to run again, and says so.
    let error = host.client.update(&guest, &base, &["running"], false).await;
    let error = error.expect_err("it has crashed").message;
    assert!(error.contains("crashed") && error.contains("virsh destroy"), "{error}");
    assert!(host.state().starts_with("crashed"), "{}", host.state());
    // A change that stops it finds nothing that would have to shut down.
    let more = with(&base, "memory", Value::Bytes(128 << 20));
    host.client.update(&guest, &more, &["memory"], true).await.expect("stopped and started");
    assert_eq!(host.state(), "running (booted)");
    assert!(host.virsh(&format!("dominfo {}", host.name(GUEST))).contains("131072 KiB"));
    // One that somebody paused goes on.
    host.virsh(&format!("suspend {}", host.name(GUEST)));
    host.client.update(&guest, &more, &["running"], false).await.expect("it goes on");
    assert!(host.state().starts_with("running"), "{}", host.state());
    host.crash();
    host.client.delete(&guest).await.expect("deleted");
}

/// Somebody put metadata into a guest that are nested too deep to be read: it alone is not seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_cannot_be_read_hides_nothing_else() {
    // Whoever looks at all guests of its host is told of it.
    let lab = Lab::start();
    let deployment = Deployment::new("deep");
    let provider = lab.provider(&deployment).await;
    let client = client(&*provider, &deployment);
    let base = with(&fields(ATTRIBUTES), "running", Value::Bool(false));
    let places = ["tenant.deep.vm.one", "tenant.deep.vm.two"].map(address);
    for place in &places {
        client.create(place, &base).await.expect("a guest");
    }
    let [one, two] = [0, 1].map(|n| client.identity(&places[n]).name.to_string());
    let deep = format!("{}{}", "<a>".repeat(80), "</a>".repeat(80));
    let metadata = ["metadata", &one, "--uri", "urn:deep", "--config"];
    lab.virsh(&[&metadata[..], &["--key", "deep", "--set", &deep]].concat());
    let seen = provider.observe().await.expect("a sweep");
    let told: Vec<_> = seen.problems.iter().filter(|own| own.contains("nested deeper")).collect();
    assert!(told.len() == 1 && told[0].contains(&format!("guest \"{one}\"")), "{told:?}");
    let is_seen = |name: &str| seen.objects.iter().any(|own| own.name == *name);
    assert!(!is_seen(&one) && is_seen(&two), "the other one is");
    // What it uses nobody knows, and so what must not go.
    let network = address("tenant.deep.network.lan");
    let attributes = fields(r#"{"cidr":{"$cidr":"10.216.0.0/24"},"mode":"isolated"}"#);
    client.create(&network, &attributes).await.expect("a network");
    let error = client.delete(&network).await.expect_err("somebody may use it").message;
    assert!(error.contains(&format!("guest \"{one}\" cannot be read")), "{error}");
    lab.virsh(&[&metadata[..], &["--remove"]].concat());
    client.delete(&network).await.expect("deleted");
    for place in &places {
        assert!(client.observe(place).await.expect("a sweep").is_some());
        client.delete(place).await.expect("deleted");
    }
}
