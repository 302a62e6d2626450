//! What somebody has written into, so that it cannot be read: it is not gone, it is nobody else's, and
//! nothing moves because of it.

use tcloud_model::{Deployment, HostObservation, Name, ObservedObject, Value};
use tcloud_provider::ConfiguredProvider;

use crate::lab::{Host, Lab, address, client, fields};

const POOL: &str = "site.lab.pool.unread";
const NETWORK: &str = "tenant.unread.network.lan";
const DISK: &str = "tenant.unread.vm.web.disk.root";
const GUEST: &str = "tenant.unread.vm.web";

/// What a sweep finds, which tells of just one thing that it could not read.
async fn sweep(provider: &dyn ConfiguredProvider, told: &[&str]) -> HostObservation {
    let seen = provider.observe().await.expect("a sweep");
    let [problem] = seen.problems.as_slice() else { panic!("{:?}", seen.problems) };
    assert!(told.iter().all(|word| problem.contains(word)), "{problem}");
    seen
}

fn of<'s>(seen: &'s HostObservation, name: &str) -> Option<&'s ObservedObject> {
    seen.objects.iter().find(|own| own.name == name)
}

fn disk(guest: &ObservedObject, word: &str) -> Option<Value> {
    let path: [Name; 3] = ["disk".into(), "root".into(), word.into()];
    guest.attributes.at(&path).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_stamp_makes_nothing_somebody_elses() {
    // Whoever looks at all of its host is told of it.
    let lab = Lab::start();
    let deployment = Deployment::new("unread");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab: &lab, client: client(&*provider, &deployment) };
    for (place, attributes) in [
        (POOL, r#"{"type":"dir","path":"/srv/unread"}"#),
        (NETWORK, r#"{"cidr":{"$cidr":"10.215.9.0/24"},"mode":"isolated"}"#),
        (
            DISK,
            r#"{"size":{"$bytes":67108864},"pool":{"$ref":"site.lab.pool.unread"},
            "format":"qcow2","encrypted":false}"#,
        ),
        (
            GUEST,
            r#"{"vcpus":1,"memory":{"$bytes":67108864},"firmware":"bios","machine":"q35",
            "running":false,"disk":{"root":{"volume":{"$ref":"tenant.unread.vm.web.disk.root"},
            "bus":"virtio"}}}"#,
        ),
    ] {
        host.client.create(&address(place), &fields(attributes)).await.expect(place);
    }
    let (web, root, lan) = (host.name(GUEST), host.name(DISK), host.name(NETWORK));
    stamp_of_a_volume(&host, &*provider, &web, &root).await;
    stamp_of_a_pool(&host, &*provider, &root).await;
    stamp_of_a_guest(&host, &*provider, &web).await;
    stamp_of_a_network(&host, &*provider, &lan).await;
    assert_eq!(provider.observe().await.expect("a sweep").problems, [""; 0]);
    for place in [GUEST, DISK, NETWORK, POOL] {
        host.client.delete(&address(place)).await.expect(place);
    }
}

/// Damages the stamp of a pool or volume, whose usage ends like this. It is kept in `/srv/seal.xml`.
fn damage(host: &Host<'_>, usage: &str) {
    host.shell(&format!(
        "uuid=$(virsh secret-list | grep '[/:]{usage} *$' | awk '{{print $1}}') && \
         virsh secret-dumpxml $uuid > /srv/seal.xml && \
         sed 's|<description>.*</description>|<description>lost</description>|' /srv/seal.xml \
         > /srv/lost.xml && virsh secret-define /srv/lost.xml"
    ));
}

/// The volume is there and nobody knows whose it is: the disk of the guest lies where it lay.
async fn stamp_of_a_volume(
    host: &Host<'_>,
    provider: &dyn ConfiguredProvider,
    web: &str,
    root: &str,
) {
    damage(host, root);
    let told = format!("the stamp of volume \"{root}\" in pool");
    let seen = sweep(provider, &[&told, "is damaged"]).await;
    let guest = of(&seen, web).expect("a guest");
    assert_eq!(disk(guest, "volume"), None, "what was applied is believed");
    assert_eq!(disk(guest, "bus"), Some(Value::text("virtio")));
    assert!(of(&seen, root).is_none(), "it is not somebody else's");
    host.shell("virsh secret-define /srv/seal.xml");
    let guest = host.client.observe(&address(GUEST)).await.expect("a sweep").expect("a guest");
    assert_eq!(disk(&guest, "volume"), Some(Value::Ref(address(DISK))));
}

/// Volumes do not lie in another pool because nobody knows whose it is.
async fn stamp_of_a_pool(host: &Host<'_>, provider: &dyn ConfiguredProvider, root: &str) {
    let pool = host.name(POOL);
    damage(host, &format!("pool/{pool}"));
    let told = format!("the stamp of pool \"{pool}\" is damaged");
    let seen = sweep(provider, &[&told[..]]).await;
    let volume = of(&seen, root).expect("a volume");
    assert_eq!(volume.attributes.get("pool"), None, "what was applied is believed");
    assert!(volume.attributes.get("size").is_some());
    assert!(of(&seen, &pool).is_none(), "it is not somebody else's");
    host.shell("virsh secret-define /srv/seal.xml");
    let volume = host.client.observe(&address(DISK)).await.expect("a sweep").expect("a volume");
    assert_eq!(volume.attributes.get("pool"), Some(&Value::Ref(address(POOL))));
}

async fn stamp_of_a_guest(host: &Host<'_>, provider: &dyn ConfiguredProvider, web: &str) {
    host.shell(&format!(
        "virsh dumpxml {web} --inactive > /srv/web.xml && virsh metadata {web} --config --key tcloud \
         --uri https://tcloud.example/stamp/1 --set '<stamp>lost</stamp>'"
    ));
    let told = [&format!("guest \"{web}\" could not be read: its stamp is damaged")[..]];
    let seen = sweep(provider, &told).await;
    assert!(of(&seen, web).is_none(), "it is not somebody else's");
    host.shell("virsh define /srv/web.xml");
}

async fn stamp_of_a_network(host: &Host<'_>, provider: &dyn ConfiguredProvider, lan: &str) {
    host.shell(&format!(
        "virsh net-dumpxml {lan} --inactive > /srv/lan.xml && \
         sed 's|{{\"deployment\"|lost|; s|{{&quot;deployment|lost|' /srv/lan.xml > /srv/lost.xml && \
         ! cmp -s /srv/lan.xml /srv/lost.xml && virsh net-define /srv/lost.xml"
    ));
    let told = [&format!("network \"{lan}\" could not be read: its stamp is damaged")[..]];
    let seen = sweep(provider, &told).await;
    assert!(of(&seen, lan).is_none(), "it is not somebody else's");
    host.shell("virsh net-define /srv/lan.xml");
}
