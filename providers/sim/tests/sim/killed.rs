//! A process that is killed in the middle of its work leaves a host that the next one understands.

use std::process::{Command, Stdio};
use std::time::Duration;

use tcloud_model::Value;
use tcloud_provider::conformance::with;

use crate::rig::{Rig, VM, VOLUME, address, attributes, of};

/// Says to the process that is started that it is the victim, and where the world is.
const VICTIM: &str = "TCLOUD_SIM_TEST_VICTIM";

/// Not a test on its own: the process that is killed runs it.
#[tokio::test]
async fn victim() {
    let Ok(directory) = std::env::var(VICTIM) else { return };
    let mut rig = Rig::new();
    rig.elsewhere = Some(directory.into());
    let host = rig.host().await;
    let client = rig.client(&*host);
    for number in 0_u64.. {
        let place = address(&format!("tenant.t.volume.v-{}", number % 7));
        let size = attributes(r#"{"size":{"$bytes":1073741824}}"#);
        client.create(&place, &size).await.expect("a volume");
        let memory = with(&of(VM), "memory", Value::Bytes((4 + number % 4) << 30));
        client.update(&address(VM), &memory, &["memory"], true).await.expect("a change");
        client.delete(&place).await.expect("a deletion");
    }
}

#[tokio::test]
async fn a_killed_process_leaves_every_object_whole() {
    let rig = Rig::new();
    let host = rig.host().await;
    let client = rig.client(&*host);
    rig.build(&client).await;
    for round in 0..4 {
        let mut victim = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "killed::victim"])
            .env(VICTIM, rig.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("a second process");
        let made = |calls: usize| rig.control().calls().expect("a log").len() > calls;
        let calls = rig.control().calls().expect("a log").len();
        while !made(calls + 20) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        victim.kill().expect("SIGKILL");
        victim.wait().expect("it is dead");

        let observed = host.observe().await.expect("a sweep");
        let size = |name: &str| -> u64 {
            let of = observed.objects.iter().filter(|own| own.kind == *name);
            of.filter_map(|own| own.attributes.number("size")).sum()
        };
        let pools = observed.facts.as_ref().expect("facts").pools.iter();
        let used: u64 = pools.map(|pool| pool.capacity - pool.free).sum();
        assert_eq!(used, size("volume") + size("disk"));
        let grown = with(&of(VOLUME), "size", Value::Bytes((20 + round) << 30));
        client.update(&address(VOLUME), &grown, &["size"], false).await.expect("it works on");
    }
}
