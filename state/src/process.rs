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
            started: stat(pid)?.started,
        })
    }

    fn is_dead(&self, process: &Process) -> bool {
        let Some(own) = self.own() else { return false };
        if own.machine != process.machine {
            return false;
        }
        if own.boot != process.boot {
            // Machines that were copied share their name: only the identifier tells them apart.
            return line(MACHINE_ID).is_some();
        }
        // Another namespace counts its processes anew: nothing can be said about them from here.
        own.namespace == process.namespace
            && match stat(process.pid) {
                Some(Stat { ended, started }) => ended || started != process.started,
                // One of somebody else may be there and hidden.
                None => is_gone(process.pid),
            }
    }
}

const MACHINE_ID: &str = "/etc/machine-id";

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn machine() -> Option<String> {
    let name = line("/proc/sys/kernel/hostname")?;
    // Containers often share or lack the identifier, so that the name counts too.
    Some(format!("{name} {}", line(MACHINE_ID).unwrap_or_default()))
}

fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// Whether the kernel says that there is no such process, also to those who may not see it.
fn is_gone(pid: u32) -> bool {
    let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    number
        .is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

/// What `/proc/PID/stat` says of a process.
struct Stat {
    /// Field 3: it has ended, although its parent has not noticed.
    ended: bool,
    /// Field 22.
    started: u64,
}

/// `None` where it cannot be read. The second field is a name in brackets that may hold anything.
fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    Some(Stat { ended, started: fields.nth(18)?.parse().ok()? })
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
        let before = Process { boot: "before".to_owned(), ..own.clone() };
        assert_eq!(LocalProcesses.is_dead(&before), line(MACHINE_ID).is_some());
        assert!(!LocalProcesses.is_dead(&Process { namespace: "other".to_owned(), pid, ..own }));
        let elsewhere = Process { machine: "other".to_owned(), ..LocalProcesses.own().unwrap() };
        assert!(!LocalProcesses.is_dead(&Process { pid, ..elsewhere }));
    }
}
