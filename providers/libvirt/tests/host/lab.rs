//! One host of the laboratory, for all tests of this process.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use tcloud_model::{Address, Deployment, Fields, Value};
use tcloud_provider::conformance::Client;
use tcloud_provider::{ConfiguredProvider, HostConfig, Provider, ProviderError};
use tcloud_provider_libvirt::LibvirtProvider;
use tempfile::TempDir;

/// A host that runs until this is dropped, or the process ends.
pub(crate) struct Lab {
    directory: TempDir,
    /// The script takes the laboratory down when its standard input ends.
    keeper: Child,
}

impl Drop for Lab {
    /// The script needs the directory to find what it has to end.
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab/lab")
}

impl Lab {
    /// The host that all share.
    pub(crate) fn get() -> &'static Lab {
        static LAB: OnceLock<Lab> = OnceLock::new();
        LAB.get_or_init(Lab::start)
    }

    /// A host for one test alone.
    pub(crate) fn start() -> Lab {
        let directory =
            tempfile::Builder::new().prefix("tcloud-lab.").tempdir().expect("a directory");
        let mut keeper = Command::new(script())
            .args(["with", "1"])
            .arg(directory.path().join("lab"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the script of the laboratory");
        let mut said = String::new();
        let output = keeper.stdout.as_mut().expect("its output");
        BufReader::new(output).read_line(&mut said).expect("its output");
        if said.trim() != "ready" {
            let mut why = String::new();
            let errors = keeper.stderr.as_mut().expect("its errors");
            errors.read_to_string(&mut why).expect("its errors");
            panic!("the laboratory did not start: {said}{why}");
        }
        Lab { directory, keeper }
    }

    /// Its directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("lab")
    }

    /// Where deployments keep their own files.
    pub(crate) fn own(&self) -> PathBuf {
        self.directory.path().join("deployment")
    }

    /// Runs the laboratory's script.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(script())
            .args(arguments)
            .env("TCLOUD_LAB", self.path())
            .output()
            .expect("the script of the laboratory");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// What virsh says.
    pub(crate) fn virsh(&self, arguments: &[&str]) -> String {
        let all: Vec<&str> = ["virsh", "1"].iter().chain(arguments).copied().collect();
        self.run(&all).unwrap_or_else(|error| panic!("virsh {arguments:?}: {error}"))
    }

    /// The URI of the host.
    pub(crate) fn uri(&self, transport: &str) -> String {
        self.run(&["uri", "1", transport]).expect("a URI").trim().to_owned()
    }

    /// The attributes of an image that guests of the laboratory start from.
    pub(crate) fn image(&self) -> Fields {
        let guest = std::fs::read_to_string(self.path().join("guest")).expect("a guest");
        let guest = Path::new(guest.trim());
        let digest = std::fs::read_to_string(guest.join("image.sha256")).expect("a digest");
        let digest = digest.split_whitespace().next().expect("a digest");
        let mut fields = Fields::new();
        let source = format!("file:{}", guest.join("image.qcow2").display());
        fields.insert("source", Value::text(&source));
        fields.insert("digest", Value::text(&format!("sha256:{digest}")));
        fields.insert("format", Value::text("qcow2"));
        fields
    }

    /// Reaches the host behind a URI, as a deployment. Guests run the same on every machine: a
    /// processor that runs guests here and fails them there would be tested by chance.
    pub(crate) async fn reach(
        &self,
        uri: &str,
        deployment: &Deployment,
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        self.reach_with(uri, deployment, &[("accel", "tcg")]).await
    }

    /// The same, with other attributes of the host.
    pub(crate) async fn reach_with(
        &self,
        uri: &str,
        deployment: &Deployment,
        more: &[(&str, &str)],
    ) -> Result<Arc<dyn ConfiguredProvider>, ProviderError> {
        let mut attributes = Fields::new();
        for (name, value) in more.iter().chain(&[("uri", uri)]) {
            attributes.insert(*name, Value::text(value));
        }
        let config = HostConfig {
            host: host(),
            deployment: deployment.id,
            attributes: Arc::new(attributes),
            directory: self.own(),
        };
        LibvirtProvider::new().configure(&config).await
    }

    /// The host, through its socket.
    pub(crate) async fn provider(&self, deployment: &Deployment) -> Arc<dyn ConfiguredProvider> {
        self.reach(&self.uri("unix"), deployment).await.expect("a host")
    }
}

/// The host as a deployment works with it, and what virsh says of the same.
pub(crate) struct Host<'h> {
    pub(crate) lab: &'h Lab,
    pub(crate) client: Client<'h>,
}

impl Host<'_> {
    /// What the host calls an object.
    pub(crate) fn name(&self, place: &str) -> String {
        self.client.identity(&address(place)).name.to_string()
    }

    /// What virsh says to a line of words.
    pub(crate) fn virsh(&self, line: &str) -> String {
        self.lab.virsh(&line.split(' ').collect::<Vec<_>>())
    }

    /// Runs a script on the host.
    pub(crate) fn shell(&self, script: &str) {
        self.lab.run(&["exec", "1", "sh", "-c", script]).expect(script);
    }
}

pub(crate) fn host() -> Address {
    address("site.lab.host.one")
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().expect(text)
}

pub(crate) fn fields(json: &str) -> Fields {
    serde_json::from_str(json).expect(json)
}

/// Asks the host as a run of a deployment does.
pub(crate) fn client<'a>(
    provider: &'a dyn ConfiguredProvider,
    deployment: &Deployment,
) -> Client<'a> {
    Client::new(provider, &host(), deployment.clone())
}
