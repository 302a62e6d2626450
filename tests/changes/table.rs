//! The table: a base, and rows that differ from it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tcloud_model::Impact;
use tcloud_tests::hosts::Hosts;

/// Uses each part once, where it is in nobody's way.
const TRAFFIC_CONTROL: &str = "unshare -n sh -c 'tc qdisc add dev lo root handle 1: htb && \
    tc qdisc add dev lo ingress && tc qdisc add dev lo parent 1:1 sfq && tc filter add dev lo \
    parent ffff: protocol all u32 match u32 0 0 police rate 1mbit burst 64k drop'";

/// Everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// What every row begins and ends with.
    pub(crate) base: Base,
    /// The changes.
    #[serde(rename = "row")]
    pub(crate) rows: Vec<Row>,
}

/// What every row begins and ends with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Base {
    /// Lines of the tenant, beside the guest.
    pub(crate) tenant: Vec<String>,
    /// Lines of the guest.
    pub(crate) guest: Vec<String>,
}

/// One change, made and taken back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// What is done, in words.
    pub(crate) name: String,
    /// Lines of the tenant that are there before and afterwards, in place of those of the base.
    #[serde(default)]
    pub(crate) from: Vec<String>,
    /// Lines of the guest; each takes the place of the one that begins the same.
    #[serde(default)]
    pub(crate) with: Vec<String>,
    /// What the guest's lines that go away begin with.
    #[serde(default)]
    pub(crate) without: Vec<String>,
    /// The same, of the tenant.
    #[serde(default)]
    pub(crate) tenant: Vec<String>,
    /// What has to be said by the plan, and has to come true.
    pub(crate) impact: Impact,
    /// The same for taking it back; without it, the change stays for the rows that follow.
    #[serde(default)]
    pub(crate) back: Option<Impact>,
    /// Whether the guest may be stopped and started, both times.
    #[serde(default)]
    pub(crate) now: bool,
    /// Whether it may be when the change is taken back.
    #[serde(default)]
    pub(crate) back_now: bool,
    /// Whether it may be in a window, which is closed when the change is made, opens after that, and
    /// is open when it is taken back.
    #[serde(default)]
    pub(crate) window: bool,
    /// What not every host has, when it takes that.
    #[serde(default)]
    pub(crate) needs: Option<Need>,
    /// Whether it stops the guest, and taking it back starts it again.
    #[serde(default)]
    pub(crate) stops: bool,
    /// What holds for the running guest at once, also when the rest waits.
    #[serde(default)]
    pub(crate) at_once: Vec<String>,
    /// What holds for the running guest once it is in force: see `check`.
    #[serde(default)]
    pub(crate) live: Vec<String>,
    /// What holds for the persistent definition at once.
    #[serde(default)]
    pub(crate) config: Vec<String>,
    /// What the guest itself sees once it is in force.
    #[serde(default)]
    pub(crate) sees: Vec<String>,
    /// What holds at once for both definitions of the network that this NIC of the guest is in.
    #[serde(default)]
    pub(crate) network: BTreeMap<String, Vec<String>>,
    /// What `virsh dominfo` says at once.
    #[serde(default)]
    pub(crate) info: Vec<String>,
    /// Which object changes, when it is not the guest.
    #[serde(default)]
    pub(crate) object: Option<String>,
}

/// What not every host has. Without it, the change has to be refused, and nothing may come of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Need {
    /// The parts of the kernel that limit what a NIC sends.
    TrafficControl,
    /// A libvirt that knows VLANs on bridges of Linux.
    Vlan,
}

impl Table {
    /// Reads `table.toml`.
    ///
    /// # Errors
    /// When it is not as it should be.
    pub(crate) fn read() -> Result<Table, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("changes/table.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Base {
    /// What a row begins with.
    pub(crate) fn before(&self, row: &Row) -> Base {
        Base { tenant: replaced(&self.tenant, &row.from, &[]), guest: self.guest.clone() }
    }

    /// The same with the change of a row.
    pub(crate) fn changed(&self, row: &Row) -> Base {
        Base {
            tenant: replaced(&self.tenant, &row.tenant, &[]),
            guest: replaced(&self.guest, &row.with, &row.without),
        }
    }
}

impl Need {
    /// Why it is refused on a host that has not what it takes; nothing on one that has it.
    ///
    /// # Errors
    /// What the host said instead of its version.
    pub(crate) fn lacking(self, hosts: &Hosts) -> Result<Option<&'static str>, String> {
        let (has, refusal) = match self {
            Need::TrafficControl => {
                (hosts.exec(1, &["sh", "-c", TRAFFIC_CONTROL]).is_ok(), "kernel cannot limit")
            }
            Need::Vlan => {
                let version = hosts.virsh(1, &["version", "--daemon"])?;
                let daemon =
                    version.lines().find_map(|line| line.strip_prefix("Running against daemon: "));
                let major = daemon.and_then(|own| own.split('.').next()?.parse::<u32>().ok());
                let major = major.ok_or_else(|| format!("which version is this? {version}"))?;
                (major >= 11, "a VLAN tag on a bridge needs libvirt 11.0.0")
            }
        };
        Ok((!has).then_some(refusal))
    }
}

fn replaced(base: &[String], with: &[String], without: &[String]) -> Vec<String> {
    let goes = |line: &String| {
        with.iter().any(|own| beginning(own) == beginning(line))
            || without.iter().any(|own| beginning(line) == own)
    };
    base.iter().filter(|line| !goes(line)).chain(with).cloned().collect()
}

/// What a line is about: `vcpus`, `disk data`.
fn beginning(line: &str) -> &str {
    line.split(['=', '{']).next().unwrap_or(line).trim()
}
