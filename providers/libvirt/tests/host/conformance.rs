//! The suite that every provider passes, on hosts of its own.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tcloud_model::{Address, Deployment, Fields, Name, Value};
use tcloud_provider::ConfiguredProvider;
use tcloud_provider::conformance::{Outcome, Outsider, Share, Verdict, run_share};

use crate::lab::{Lab, host};

/// The pool of volumes that are made by hand.
const POOL: &str = "by-hand";

/// The pool where a provider keeps images.
const IMAGES: &str = "tcloud-images";

/// A person with virsh.
struct Person {
    lab: Lab,
    /// An image with nothing in it.
    empty: PathBuf,
    /// Its digest.
    digest: String,
}

impl Person {
    fn new() -> Person {
        let lab = Lab::start();
        let empty = lab.path().join("empty.raw");
        std::fs::write(&empty, vec![0; 64 << 10]).expect("an image");
        let output =
            std::process::Command::new("sha256sum").arg(&empty).output().expect("a digest");
        let digest = String::from_utf8(output.stdout).expect("a digest");
        let digest = digest.split_whitespace().next().expect("a digest").to_owned();
        Person { lab, empty, digest }
    }

    fn virsh(&self, line: &str) -> Result<String, String> {
        let words: Vec<&str> = ["virsh", "1"].into_iter().chain(line.split(' ')).collect();
        self.lab.run(&words)
    }

    /// Makes something of a definition.
    fn define(&self, what: &str, xml: &str) -> Result<(), String> {
        let file = self.lab.path().join(format!("{what}.xml"));
        std::fs::write(&file, xml).map_err(|error| error.to_string())?;
        self.virsh(&format!("{what} {}", file.display())).map(drop)
    }

    /// When and why guests stopped, in words of libvirt and QEMU.
    fn stops(&self) -> String {
        let told =
            "grep -hE 'shutting down|terminating|rror' /var/log/libvirt/qemu/*.log | tail -n 30";
        self.lab.run(&["exec", "1", "sh", "-c", told]).unwrap_or_else(|error| error)
    }

    /// A pool for what is made by hand, if there is none yet.
    fn pool(&self, name: &str) -> Result<(), String> {
        if self.virsh(&format!("pool-info {name}")).is_ok() {
            return Ok(());
        }
        self.virsh(&format!("pool-define-as {name} dir --target /srv/{name}"))?;
        self.virsh(&format!("pool-build {name}"))?;
        self.virsh(&format!("pool-start {name}")).map(drop)
    }
}

#[async_trait]
impl Outsider for Person {
    async fn make(&self, kind: &str, name: &Name) -> Result<(), String> {
        match kind {
            "pool" => self.virsh(&format!("pool-define-as {name} dir --target /srv/{name}")).map(drop),
            "network" => self.define("net-define", &format!("<network><name>{name}</name></network>")),
            "vm" => self.define(
                "define",
                &format!(
                    "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><os><type>\
                     hvm</type></os><features><acpi/></features></domain>"
                ),
            ),
            _ => {
                let pool = if kind == "image" { IMAGES } else { POOL };
                self.pool(pool)?;
                self.virsh(&format!("vol-create-as {pool} {name} 1M")).map(drop)
            }
        }
    }

    async fn delete(&self, kind: &str, name: &Name) -> Result<(), String> {
        match kind {
            "pool" => self.virsh(&format!("pool-undefine {name}")).map(drop),
            "network" => self.virsh(&format!("net-undefine {name}")).map(drop),
            "vm" => self.virsh(&format!("undefine {name}")).map(drop),
            _ => {
                let pool = if kind == "image" { IMAGES } else { POOL };
                self.virsh(&format!("vol-delete {name} --pool {pool}"))?;
                self.virsh(&format!("pool-destroy {pool}"))?;
                self.virsh(&format!("pool-undefine {pool}")).map(drop)
            }
        }
    }

    async fn power_cycle(&self, guest: &Name) -> Result<(), String> {
        self.virsh(&format!("destroy {guest}"))?;
        self.virsh(&format!("start {guest}")).map(drop)
    }

    async fn process(&self, guest: &Name) -> Result<Option<String>, String> {
        let file = self.lab.path().join(format!("h1/run/libvirt/qemu/{guest}.pid"));
        match std::fs::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            number => number.map(Some).map_err(|error| error.to_string()),
        }
    }

    async fn stranger(&self) -> Result<(Deployment, Arc<dyn ConfiguredProvider>), String> {
        let deployment = Deployment::new("somebody-else");
        let provider = self.lab.provider(&deployment).await;
        Ok((deployment, provider))
    }

    fn file(&self, attribute: &str) -> String {
        format!("/srv/guest/{attribute}")
    }

    fn fit(&self, address: &Address, mut attributes: Fields) -> Fields {
        match address.to_string().as_str() {
            "image.conformance-a" => {
                for (name, value) in self.lab.image().iter() {
                    attributes.insert(name.clone(), value.clone());
                }
            }
            "image.conformance-b" => {
                let source = format!("file:{}", self.empty.display());
                let digest = format!("sha256:{}", self.digest);
                for (name, value) in [("source", &*source), ("digest", &digest), ("format", "raw")]
                {
                    attributes.insert(name, Value::text(value));
                }
            }
            _ => match address.kind().as_str() {
                "vm" => drop(attributes.insert("stop_within", Value::Duration(0))),
                // A host of the laboratory shares the rest with all others.
                "pool" => {
                    let path = format!("/srv/conformance/{}", address.name());
                    attributes.insert("path", Value::text(&path));
                }
                _ => {}
            },
        }
        attributes
    }
}

/// How many hosts share the suite: most of the time, a guest stops or starts.
const HOSTS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_is_kept() {
    let shares = (0..HOSTS).map(|index| tokio::spawn(share(index))).collect::<Vec<_>>();
    let mut kept = 0;
    for share in shares {
        kept += share.await.expect("a share of the suite");
    }
    assert!(kept > 150, "{kept}");
}

/// Runs what one host does of the suite; says how many checks were kept.
async fn share(index: usize) -> usize {
    let person = Person::new();
    let deployment = Deployment::new("conformance");
    let provider = person.lab.provider(&deployment).await;
    let share = Share { index, of: HOSTS };
    let verdicts = run_share(&*provider, &host(), deployment, &person, share).await;
    // Not every kernel has what libvirt limits traffic with.
    let is_kept = |own: &&Verdict| match &own.outcome {
        Outcome::Kept => true,
        Outcome::NotRun(why) => own.name.contains("max_rate") && why.contains("kernel"),
        Outcome::Broken(_) => false,
    };
    let (kept, others): (Vec<_>, Vec<_>) = verdicts.iter().partition(is_kept);
    assert!(others.is_empty(), "{others:#?}\n{}", person.stops());
    kept.len()
}
