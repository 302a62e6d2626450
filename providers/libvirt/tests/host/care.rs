//! What backup tools, administrators and the host itself do to volumes and guests, and what must not
//! be done to them then: data would be lost.

use tcloud_model::{Deployment, Fields, ObservedObject, Value};
use tcloud_provider::conformance::{Applied, with};

use crate::lab::{Host, Lab, address, client, fields};

const POOL: &str = "site.lab.pool.care";
const NETWORK: &str = "tenant.care.network.lan";
const DISK: &str = "tenant.care.vm.web.disk.root";
const OTHER: &str = "tenant.care.volume.other";
const GUEST: &str = "tenant.care.vm.web";
const MIB: u64 = 1 << 20;

fn world() -> [(&'static str, Fields); 5] {
    let volume = r#"{"size":{"$bytes":67108864},"pool":{"$ref":"site.lab.pool.care"},
        "format":"qcow2","encrypted":false}"#;
    let guest = r#"{"vcpus":1,"memory":{"$bytes":67108864},"firmware":"bios","machine":"q35",
        "running":false,"disk":{"root":{"volume":{"$ref":"tenant.care.vm.web.disk.root"},
        "bus":"virtio"}}}"#;
    [
        (POOL, fields(r#"{"type":"dir","path":"/srv/care"}"#)),
        (NETWORK, fields(r#"{"cidr":{"$cidr":"10.213.9.0/24"},"mode":"isolated"}"#)),
        (DISK, fields(volume)),
        (OTHER, fields(volume)),
        (GUEST, fields(guest)),
    ]
}

fn base(place: &str) -> Fields {
    world().into_iter().find(|(own, _)| *own == place).expect(place).1
}

fn on(volume: &str) -> Fields {
    let disk = fields(&format!(r#"{{"root":{{"volume":{{"$ref":"{volume}"}},"bus":"virtio"}}}}"#));
    with(&base(GUEST), "disk", Value::map(disk))
}

/// What is asked is refused in these words.
fn refused(applied: Applied, words: &[&str]) {
    let error = applied.expect_err("it must not be done").message;
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

impl Host<'_> {
    async fn guest(&self) -> ObservedObject {
        self.client.observe(&address(GUEST)).await.expect("a sweep").expect("a guest")
    }

    /// Whether the sweep shows the disk of the text, and what holds it.
    async fn held(&self) -> (bool, Vec<String>) {
        let guest = self.guest().await;
        let shown = guest.attributes.at(&["disk".into(), "root".into(), "volume".into()]);
        let ours = shown == Some(&Value::Ref(address(DISK)));
        (ours, guest.holds.into_iter().map(|hold| hold.because).collect())
    }

    async fn attempt(&self, attributes: &Fields, path: &str) -> Applied {
        self.client.update(&address(GUEST), attributes, &[path], false).await
    }

    async fn grow(&self) -> Applied {
        let grown = with(&base(DISK), "size", Value::Bytes(128 * MIB));
        self.client.update(&address(DISK), &grown, &["size"], false).await
    }

    fn source(&self) -> String {
        let list = self.virsh(&format!("domblklist {} --inactive", self.name(GUEST)));
        let line = list.lines().find(|line| line.contains("vda")).expect("a disk");
        line.split_whitespace().last().expect("a source").to_owned()
    }

    fn define(&self, name: &str, devices: &str) {
        let xml = format!(
            "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><os><type>hvm\
             </type></os><features><acpi/></features><devices>{devices}</devices></domain>"
        );
        self.shell(&format!(
            "cat > /srv/{name}.xml <<'E'\n{xml}\nE\nchmod 644 /srv/{name}.xml && virsh define \
             /srv/{name}.xml"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_does_not_change_and_nothing_is_lost() {
    let lab = Lab::get();
    let deployment = Deployment::new("care");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab, client: client(&*provider, &deployment) };
    for (place, attributes) in world() {
        host.client.create(&address(place), &attributes).await.expect(place);
    }
    assert_eq!(host.held().await, (true, vec![]));
    snapshot_while_off(&host).await;
    snapshot_while_running(&host).await;
    copy(&host).await;
    saved(&host).await;
    deleted(&host).await;
    guests_of_others(&host).await;
    pool_that_rests(&host).await;
    for (place, _) in world().iter().rev() {
        host.client.delete(&address(place)).await.expect(place);
    }
}

/// Somebody holds a guest to the filter of a network in which it has no NIC.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_there_as_long_as_its_filter() {
    let (gone, other) = ("tenant.held.network.gone", "tenant.held.network.other");
    let lab = Lab::get();
    let deployment = Deployment::new("held");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab, client: client(&*provider, &deployment) };
    for (place, cidr) in [(gone, "10.213.10.0/24"), (other, "10.213.11.0/24")] {
        let network = format!(r#"{{"cidr":{{"$cidr":"{cidr}"}},"mode":"isolated"}}"#);
        host.client.create(&address(place), &fields(&network)).await.expect(place);
    }
    let filter = format!("tcloud-net-{}", host.name(gone));
    host.define(
        "holds",
        &format!(
            "<interface type='network'><source network='{}'/><model type='virtio'/>\
             <filterref filter='{filter}'/></interface>",
            host.name(other)
        ),
    );
    host.virsh("start holds");
    refused(host.client.delete(&address(gone)).await, &["in use"]);
    assert!(host.virsh("net-list --name").contains(&host.name(gone)), "it still runs");
    assert!(host.virsh("nwfilter-list").contains(&filter));
    host.virsh("destroy holds");
    host.virsh("undefine holds");
    for place in [gone, other] {
        host.client.delete(&address(place)).await.expect(place);
    }
    assert!(!host.virsh("nwfilter-list").contains(&filter));
}

/// A backup tool makes a snapshot of a guest that does not run: its definition names no more than
/// the new file.
async fn snapshot_while_off(host: &Host<'_>) {
    let (guest, pool, root) = (host.name(GUEST), host.name(POOL), host.source());
    host.virsh(&format!("snapshot-create-as {guest} s1 --disk-only"));
    let top = host.source();
    assert_ne!(top, root);
    // No pool knows the file, and nobody knows what it lies on.
    refused(
        host.attempt(&on(OTHER), "disk.root.volume").await,
        &["no volume of ours", "blockcopy"],
    );
    host.virsh(&format!("pool-refresh {pool}"));
    let (ours, holds) = host.held().await;
    assert!(ours && holds[0].contains("is on a snapshot"), "{holds:?}");
    let disk = host.client.observe(&address(DISK)).await.expect("a sweep").expect("a disk");
    assert!(disk.holds[0].because.contains("made on top of it"), "{:?}", disk.holds);
    refused(host.attempt(&on(OTHER), "disk.root.volume").await, &["snapshot", "blockcommit"]);
    let mut none = base(GUEST);
    none.remove("disk");
    refused(host.attempt(&none, "disk.root").await, &["snapshot"]);
    refused(host.grow().await, &["does not grow"]);
    refused(host.client.delete(&address(DISK)).await, &["not deleted under it"]);
    // All else changes, and the snapshot stays where it is.
    let titled = with(&base(GUEST), "title", Value::text("a title"));
    host.attempt(&titled, "title").await.expect("another title");
    host.attempt(&base(GUEST), "title").await.expect("no title");
    assert_eq!(host.source(), top);
    // Without its guest, the volume is still what the snapshot lies on.
    host.virsh(&format!("snapshot-delete {guest} s1 --metadata"));
    host.virsh(&format!("detach-disk {guest} vda --config"));
    refused(host.client.delete(&address(DISK)).await, &["made on top of it"]);
    host.virsh(&format!("vol-delete {} --pool {pool}", top.rsplit('/').next().expect("a name")));
    let back = host.attempt(&base(GUEST), "disk.root").await.expect("its disk again");
    assert!(back.expect("a guest").holds.is_empty());
    assert_eq!(host.source(), root);
}

/// The same while it runs: no pool knows of the file, and both definitions name what it lies on.
async fn snapshot_while_running(host: &Host<'_>) {
    let (guest, root) = (host.name(GUEST), host.source());
    host.virsh(&format!("start {guest} --paused"));
    host.virsh(&format!("snapshot-create-as {guest} s2 --disk-only --no-metadata"));
    let top = host.source();
    let (ours, holds) = host.held().await;
    assert!(ours && holds[0].contains("is on a snapshot"), "{holds:?}");
    refused(host.attempt(&on(OTHER), "disk.root.volume").await, &["snapshot", "blockcommit"]);
    refused(host.grow().await, &["does not grow", "blockcommit"]);
    refused(host.client.delete(&address(DISK)).await, &["not deleted under it"]);
    // What is advised helps.
    host.virsh(&format!("blockcommit {guest} vda --active --pivot"));
    assert_eq!((host.source(), host.held().await), (root, (true, vec![])));
    host.lab.run(&["exec", "1", "rm", &top]).expect("what is left of it");
    host.grow().await.expect("it grows");
    let info = host.virsh(&format!("domblkinfo {guest} vda"));
    assert!(info.contains("134217728"), "{info}");
}

/// A disk is copied elsewhere, and the guest goes on with the copy.
async fn copy(host: &Host<'_>) {
    let guest = host.name(GUEST);
    let copy = format!("blockcopy {guest} vda /srv/care/copy --transient-job --wait");
    host.virsh(&copy);
    let (ours, holds) = host.held().await;
    assert!(ours && holds[0].contains("is copying its disk"), "{holds:?}");
    refused(host.attempt(&on(OTHER), "disk.root.volume").await, &["copying", "blockjob"]);
    host.virsh(&format!("blockjob {guest} vda --pivot"));
    assert_eq!(host.source(), "/srv/care/copy");
    assert!(!host.held().await.0);
    refused(host.attempt(&base(GUEST), "disk.root.volume").await, &["no volume of ours"]);
    assert_eq!(host.source(), "/srv/care/copy");
    host.virsh(&format!("destroy {guest}"));
    host.virsh(&format!("detach-disk {guest} vda --config"));
    host.attempt(&base(GUEST), "disk.root").await.expect("its disk again");
}

/// The host was shut down, and `libvirt-guests` saved the guest's memory.
async fn saved(host: &Host<'_>) {
    let guest = host.name(GUEST);
    host.virsh(&format!("start {guest} --paused"));
    host.virsh(&format!("managedsave {guest}"));
    let (_, holds) = host.held().await;
    assert!(holds[0].contains("its memory is saved"), "{holds:?}");
    let words = ["its memory is saved", "managedsave-remove"];
    let more = with(&base(GUEST), "memory", Value::Bytes(128 * MIB));
    refused(host.attempt(&more, "memory").await, &words);
    refused(host.attempt(&on(OTHER), "disk.root.volume").await, &words);
    let grown = with(&base(DISK), "size", Value::Bytes(256 * MIB));
    let grown = host.client.update(&address(DISK), &grown, &["size"], false).await;
    refused(grown, &["does not grow", "managedsave-remove"]);
    let info = host.virsh(&format!("dominfo {guest}"));
    assert!(info.contains("Managed save:   yes") && info.contains("65536 KiB"), "{info}");
    host.virsh(&format!("managedsave-remove {guest}"));
    assert_eq!(host.held().await, (true, vec![]));
    host.attempt(&more, "memory").await.expect("more memory");
    host.attempt(&base(GUEST), "memory").await.expect("less memory");
}

/// Somebody deletes a volume under its guest. While that runs, the data are still there.
async fn deleted(host: &Host<'_>) {
    let (guest, pool, root) = (host.name(GUEST), host.name(POOL), host.source());
    let lost = || host.virsh(&format!("vol-delete {} --pool {pool}", host.name(DISK)));
    host.virsh(&format!("start {guest} --paused"));
    lost();
    let (ours, holds) = host.held().await;
    assert!(ours && holds[0].contains("somebody has deleted"), "{holds:?}");
    host.virsh(&format!("blockcopy {guest} vda /srv/care/saved --transient-job --wait --pivot"));
    assert!(!host.held().await.0);
    host.virsh(&format!("destroy {guest}"));
    host.lab.run(&["exec", "1", "mv", "/srv/care/saved", &root]).expect("put back");
    host.virsh(&format!("pool-refresh {pool}"));
    host.virsh(&format!("detach-disk {guest} vda --config"));
    host.attempt(&base(GUEST), "disk.root").await.expect("its disk again");
    lost();
    assert_eq!(host.held().await, (true, vec![]));
    assert!(host.client.observe(&address(DISK)).await.expect("a sweep").is_none());
    host.client.create(&address(DISK), &base(DISK)).await.expect("another disk");
    host.attempt(&base(GUEST), "disk.root.volume").await.expect("a guest with it");
    assert_eq!((host.source(), host.held().await), (root, (true, vec![])));
}

/// Guests of others use what is ours.
async fn guests_of_others(host: &Host<'_>) {
    let path = host.virsh(&format!("vol-path {} --pool {}", host.name(OTHER), host.name(POOL)));
    let path = path.trim();
    let disk = |name: &str| {
        host.define(
            name,
            &format!(
                "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
                 <source file='{path}'/><target dev='vda' bus='virtio'/></disk>"
            ),
        );
    };
    disk("stranger");
    host.virsh("start stranger --paused");
    let grown = with(&base(OTHER), "size", Value::Bytes(128 * MIB));
    let grow = host.client.update(&address(OTHER), &grown, &["size"], false).await;
    refused(grow, &["stranger", "is not ours"]);
    let info = host.virsh("domblkinfo stranger vda");
    assert!(info.contains("67108864"), "{info}");
    host.virsh("destroy stranger");
    host.virsh("undefine stranger");
    host.define(
        "sleeper",
        &format!(
            "<interface type='network'><source network='{}'/></interface>",
            host.name(NETWORK)
        ),
    );
    // Who uses what is remembered for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    refused(host.client.delete(&address(NETWORK)).await, &["sleeper", "detach-interface"]);
    assert!(host.virsh("net-list --name").contains(&host.name(NETWORK)));
    host.virsh("undefine sleeper");
}

async fn pool_that_rests(host: &Host<'_>) {
    let pool = host.name(POOL);
    host.virsh(&format!("pool-destroy {pool}"));
    refused(host.client.delete(&address(POOL)).await, &["does not run", "pool-start"]);
    host.virsh(&format!("pool-start {pool}"));
}
