//! The table: a base, and rows that differ from it.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use tcloud_model::Impact;

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
    /// What this machine needs for it: `traffic-control`.
    #[serde(default)]
    pub(crate) needs: Option<String>,
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
    /// What `virsh dominfo` says at once.
    #[serde(default)]
    pub(crate) info: Vec<String>,
    /// Which object changes, when it is not the guest.
    #[serde(default)]
    pub(crate) object: Option<String>,
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
    /// The same with the change of a row.
    pub(crate) fn changed(&self, row: &Row) -> Base {
        Base {
            tenant: replaced(&self.tenant, &row.tenant, &[]),
            guest: replaced(&self.guest, &row.with, &row.without),
        }
    }
}

impl Row {
    /// Whether this machine has what the row needs. Kernels without some parts of traffic control
    /// cannot limit what a NIC uses.
    pub(crate) fn can_be_played(&self) -> bool {
        let Some(needed) = &self.needs else { return true };
        assert_eq!(needed, "traffic-control", "BUG: nobody knows how to look for it");
        let trial = "tc qdisc add dev lo root handle 1: htb && tc qdisc add dev lo ingress && \
                     tc qdisc add dev lo parent 1:1 sfq && tc filter add dev lo parent ffff: protocol all \
                     u32 match u32 0 0 police rate 1mbit burst 64k drop";
        let output = Command::new("unshare").args(["-n", "sh", "-c", trial]).output();
        output.is_ok_and(|output| output.status.success())
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
