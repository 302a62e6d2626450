//! Processes that hold leases, where `/proc` hides those of others.

use std::path::Path;
use std::process::Command;

use tcloud_state::{LocalProcesses, Process, Processes as _};

/// The process that is asked about, for the test that runs where it is hidden.
const HIDDEN: &str = "TCLOUD_TEST_HIDDEN";

/// In a `/proc` of its own, as a user who sees nobody else's processes there.
const HIDE: &str = "mount -t proc -o hidepid=2 proc /proc &&
    mount -t tmpfs -o mode=755 none /mnt && cp \"$0\" /mnt/test &&
    exec setpriv --reuid 65534 --regid 65534 --clear-groups /mnt/test";

#[test]
fn one_that_is_hidden_is_not_taken_for_dead() {
    let Ok(hidden) = std::env::var(HIDDEN) else {
        let (test, own) = (std::env::current_exe().expect("a path"), std::process::id());
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", HIDE]).arg(test).env(HIDDEN, own.to_string());
        assert!(command.status().expect("unshare runs").success());
        return;
    };
    assert!(!Path::new("/proc").join(&hidden).exists(), "it is hidden");
    let own = LocalProcesses.own().expect("there is a /proc");
    let hidden = Process { pid: hidden.parse().expect("a number"), ..own };
    assert!(!LocalProcesses.is_dead(&hidden));
}
