//! Whether the process that holds a lease still lives. Only a proof counts: a process that cannot
//! be judged from here is taken to live, and its lease expires by time.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process of some machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The machine, so that processes of different machines are never compared.
    pub machine: String,
    /// This start of the machine: after a restart none of its processes lives.
    pub boot: String,
    /// The namespace in which the number counts.
    pub namespace: String,
    /// The process number.
    pub pid: u32,
    /// When it started, in clock ticks since the machine started, since numbers are used again.
    pub started: u64,
}

/// What is known about processes.
pub trait Processes: Send + Sync {
    /// The process that asks; `None` where nothing can be known.
    fn own(&self) -> Option<Process>;

    /// Whether the process surely does not live any more.
    fn is_dead(&self, process: &Process) -> bool;
}

/// The processes of this machine, from `/proc`. Where there is none, nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalProcesses;

impl Processes for LocalProcesses {
    fn own(&self) -> Option<Process> {
        let pid = std::process::id();
        Some(Process {
            machine: machine()?,
            boot: line("/proc/sys/kernel/random/boot_id")?,
            namespace: namespace()?,
            pid,
            started: started(pid)?,
        })
    }

    fn is_dead(&self, process: &Process) -> bool {
        let Some(own) = self.own() else { return false };
        if own.machine != process.machine {
            return false;
        }
        if own.boot != process.boot {
            return true;
        }
        // Another namespace counts its processes anew: nothing can be said about them from here.
        own.namespace == process.namespace && started(process.pid) != Some(process.started)
    }
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn machine() -> Option<String> {
    let name = line("/proc/sys/kernel/hostname")?;
    // Containers often share or lack the identifier, so that the name counts too.
    Some(format!("{name} {}", line("/etc/machine-id").unwrap_or_default()))
}

fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// Field 22 of `/proc/PID/stat`; the second field is a name in brackets that may hold anything.
/// A zombie has ended, even though its parent has not noticed.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_a_reaped_one_does_not() {
        let own = LocalProcesses.own().expect("there is a /proc");
        assert!(!LocalProcesses.is_dead(&own));
        let mut child = std::process::Command::new("true").spawn().expect("true runs");
        let pid = child.id();
        child.wait().expect("true ends");
        assert!(LocalProcesses.is_dead(&Process { pid, ..own.clone() }));
        assert!(LocalProcesses.is_dead(&Process { started: own.started + 1, ..own.clone() }));
        assert!(LocalProcesses.is_dead(&Process { boot: "before".to_owned(), ..own.clone() }));
        assert!(!LocalProcesses.is_dead(&Process { namespace: "other".to_owned(), pid, ..own }));
        let elsewhere = Process { machine: "other".to_owned(), ..LocalProcesses.own().unwrap() };
        assert!(!LocalProcesses.is_dead(&Process { pid, ..elsewhere }));
    }
}
