//! A small simulated world for the tests of this crate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tcloud_model::{Address, Deployment, Fields, Identity, ObjectId};
use tcloud_provider::conformance::Client;
use tcloud_provider::{ConfiguredProvider, HostConfig, Provider};
use tcloud_provider_sim::{Contents, Control, Listing, SimProvider};

pub(crate) const POOL: &str = "site.m.pool.fast";
pub(crate) const IMAGE: &str = "image.debian";
pub(crate) const NETWORK: &str = "tenant.t.network.office";
pub(crate) const VOLUME: &str = "tenant.t.volume.data";
pub(crate) const DISK: &str = "tenant.t.vm.web.disk.root";
pub(crate) const VM: &str = "tenant.t.vm.web";

/// A guest with a disk, a volume and a NIC, in the order in which it can be created.
pub(crate) const WORLD: [(&str, &str); 6] = [
    (POOL, r#"{"type":"dir","path":"/srv/fast","capacity":{"$bytes":1099511627776}}"#),
    (IMAGE, r#"{"source":"https://images.example/d.qcow2","digest":"sha256:00","format":"qcow2"}"#),
    (
        NETWORK,
        r#"{"cidr":{"$cidr":"10.20.0.0/24"},"mode":"nat","gateway":{"$ip":"10.20.0.1"},
        "dhcp":{"range":{"$ip_range":["10.20.0.100","10.20.0.199"]},"lease":{"$duration":3600000}},
        "admits":[{"from":{"$cidr":"10.16.0.7/32"},"ports":[{"$port":"22/tcp"}]}]}"#,
    ),
    (
        VOLUME,
        r#"{"size":{"$bytes":10737418240},"format":"raw","encrypted":false,
        "pool":{"$ref":"site.m.pool.fast"}}"#,
    ),
    (
        DISK,
        r#"{"size":{"$bytes":21474836480},"image":{"$ref":"image.debian"},"format":"qcow2",
        "pool":{"$ref":"site.m.pool.fast"},"encrypted":false}"#,
    ),
    (
        VM,
        r#"{"vcpus":2,"memory":{"$bytes":4294967296},"max_memory":{"$bytes":8589934592},
        "max_vcpus":4,"firmware":"uefi","machine":"q35","running":true,"autostart":true,
        "hostname":"web","disk":{"root":{"volume":{"$ref":"tenant.t.vm.web.disk.root"},
        "bus":"virtio"},"data":{"volume":{"$ref":"tenant.t.volume.data"},"bus":"virtio"}},
        "nic":{"office":{"network":{"$ref":"tenant.t.network.office"},"model":"virtio",
        "address":{"$ip":"10.20.0.10"},"mac":{"$mac":"52:54:00:00:00:01"}}}}"#,
    ),
];

/// A directory with simulated hosts.
pub(crate) struct Rig {
    pub(crate) directory: tempfile::TempDir,
    /// Use the world of another rig instead.
    pub(crate) elsewhere: Option<PathBuf>,
    pub(crate) host: Address,
    pub(crate) deployment: Deployment,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig {
            directory: tempfile::tempdir().expect("a directory"),
            elsewhere: None,
            host: address("site.m.host.kvm1"),
            deployment: Deployment::new("test"),
        }
    }

    pub(crate) async fn host(&self) -> Arc<dyn ConfiguredProvider> {
        self.host_at(&self.host).await
    }

    pub(crate) async fn host_at(&self, host: &Address) -> Arc<dyn ConfiguredProvider> {
        self.configure(host, &self.deployment).await
    }

    /// The same host, as another deployment sees it.
    pub(crate) async fn host_of(&self, deployment: &Deployment) -> Arc<dyn ConfiguredProvider> {
        self.configure(&self.host, deployment).await
    }

    async fn configure(
        &self,
        host: &Address,
        deployment: &Deployment,
    ) -> Arc<dyn ConfiguredProvider> {
        SimProvider::new().configure(&self.config(host, deployment)).await.expect("a host")
    }

    pub(crate) fn config(&self, host: &Address, deployment: &Deployment) -> HostConfig {
        HostConfig {
            host: host.clone(),
            deployment: deployment.id,
            attributes: Arc::new(Fields::new()),
            directory: self.path().to_owned(),
        }
    }

    pub(crate) fn client<'a>(&self, host: &'a dyn ConfiguredProvider) -> Client<'a> {
        Client::new(host, &self.host, self.deployment.clone())
    }

    pub(crate) async fn build(&self, client: &Client<'_>) {
        for (place, json) in WORLD {
            client.create(&address(place), &attributes(json)).await.expect(place);
        }
    }

    pub(crate) fn control(&self) -> Control {
        self.control_at(&self.host)
    }

    pub(crate) fn control_at(&self, host: &Address) -> Control {
        Control::open(self.path(), host).expect("a file")
    }

    /// What the host knows about one object of the world.
    pub(crate) fn listing(&self, place: &str) -> Listing {
        let name = self.identity(place).name;
        let mut all = self.control().list().expect("a list").into_iter();
        all.find(|listing| listing.object.name == name).expect(place)
    }

    /// What stays as long as a guest keeps running.
    pub(crate) fn started(&self, place: &str) -> u64 {
        self.listing(place).started.expect("a guest that runs")
    }

    pub(crate) fn identity(&self, place: &str) -> Identity {
        let place = address(place);
        let object = ObjectId { address: place.clone(), host: self.host.clone(), incarnation: 0 };
        let per_host = ["network", "image", "pool"].contains(&place.kind().as_str());
        Identity::derive(&self.deployment, &object, per_host)
    }

    pub(crate) fn dump(&self) -> String {
        self.control().dump(Contents::Everything).expect("a dump")
    }

    pub(crate) fn path(&self) -> &Path {
        self.elsewhere.as_deref().unwrap_or(self.directory.path())
    }
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().expect(text)
}

pub(crate) fn attributes(json: &str) -> Fields {
    serde_json::from_str(json).expect(json)
}

/// The attributes of one object of the world.
pub(crate) fn of(place: &str) -> Fields {
    let (_, json) = WORLD.iter().find(|(own, _)| *own == place).expect(place);
    attributes(json)
}
