//! Pools, images, volumes and networks from their creation to their end.

use tcloud_model::{Deployment, Fields, ObservedObject, OperationKind, Value};
use tcloud_provider::Retry;
use tcloud_provider::conformance::{Client, with};
use tcloud_provider::request::without_none;

use crate::lab::{Lab, address, client, fields};

const POOL: &str = "site.lab.pool.storage";
const IMAGE: &str = "image.storage";
const NETWORK: &str = "tenant.storage.network.office";
const VOLUME: &str = "tenant.storage.volume.data";
const RAW: &str = "tenant.storage.volume.raw";
const DISK: &str = "tenant.storage.vm.web.disk.root";

fn world() -> Vec<(&'static str, Fields)> {
    vec![
        (
            POOL,
            fields(r#"{"type":"dir","path":"/srv/storage","capacity":{"$bytes":1099511627776}}"#),
        ),
        (IMAGE, Lab::get().image()),
        (
            NETWORK,
            fields(
                r#"{"cidr":{"$cidr":"10.213.7.0/24"},"mode":"nat","mtu":1400,
                "dns":{"domain":"office.example"},
                "dhcp":{"range":{"$ip_range":["10.213.7.100","10.213.7.150"]},
                "lease":{"$duration":3600000}},
                "route":{"rooms":{"to":{"$cidr":"10.214.7.0/24"},"via":{"$ip":"10.213.7.2"}}}}"#,
            ),
        ),
        (
            VOLUME,
            fields(
                r#"{"size":{"$bytes":1000000001},"pool":{"$ref":"site.lab.pool.storage"},
                "class":"nvme","format":"qcow2","encrypted":false}"#,
            ),
        ),
        (
            RAW,
            fields(
                r#"{"size":{"$bytes":1073741824},"pool":{"$ref":"site.lab.pool.storage"},
                "format":"raw","encrypted":false}"#,
            ),
        ),
        (
            DISK,
            fields(
                r#"{"size":{"$bytes":4294967296},"pool":{"$ref":"site.lab.pool.storage"},
                "image":{"$ref":"image.storage"},"format":"qcow2","encrypted":false}"#,
            ),
        ),
    ]
}

async fn seen(client: &Client<'_>, place: &str) -> Option<ObservedObject> {
    client.observe(&address(place)).await.expect("a sweep")
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_and_networks_from_beginning_to_end() {
    let lab = Lab::get();
    let deployment = Deployment::new("storage");
    let provider = lab.provider(&deployment).await;
    let client = client(&*provider, &deployment);
    for (place, attributes) in world() {
        let made = client.create(&address(place), &attributes).await.expect(place);
        let made = made.expect(place);
        assert_eq!(without_none(&made.attributes), attributes, "{place}");
        assert!(made.pending.is_empty(), "{place}: {:?}", made.pending);
        let stamp = client.stamp(&address(place), &attributes);
        assert_eq!(made.stamp, Some(stamp), "{place}");
        assert_eq!(seen(&client, place).await.as_ref(), Some(&made), "{place}");
        let again = client.create(&address(place), &attributes).await.expect(place);
        assert_eq!(again, Some(made), "{place} made twice");
    }
    let name = |place: &str| client.identity(&address(place)).name.to_string();
    let info = lab.virsh(&["vol-dumpxml", &name(DISK), "--pool", &name(POOL)]);
    assert!(info.contains("<capacity unit='bytes'>4294967296</capacity>"), "{info}");
    assert!(!info.contains("backingStore"), "{info}");
    assert!(lab.virsh(&["net-info", &name(NETWORK)]).contains("Active:         yes"));

    growth(&client, lab).await;
    bridge_left_behind(&client, lab).await;
    network_changes(&client, lab).await;
    refusals(&client).await;

    for (place, _) in world().iter().rev() {
        assert_eq!(client.delete(&address(place)).await.expect(place), None);
        assert_eq!(client.delete(&address(place)).await.expect(place), None, "{place}, twice");
        assert_eq!(seen(&client, place).await, None, "{place}");
    }
    for list in [&["pool-list", "--all", "--name"][..], &["net-list", "--all", "--name"]] {
        let left = lab.virsh(list);
        assert!(!left.contains("storage"), "{left}");
    }
    let secrets = lab.virsh(&["secret-list"]);
    assert!(!secrets.contains("storage"), "{secrets}");
}

async fn growth(client: &Client<'_>, lab: &Lab) {
    for place in [VOLUME, RAW] {
        let (_, base) = world().into_iter().find(|(own, _)| *own == place).expect(place);
        let grown = with(&base, "size", Value::Bytes(3 << 30));
        let own = address(place);
        let made = client.update(&own, &grown, &["size"], false).await.expect(place);
        assert_eq!(made.expect(place).attributes.number("size"), Some(3 << 30));
        let (name, pool) = (client.identity(&own).name, client.identity(&address(POOL)).name);
        let info = lab.virsh(&["vol-dumpxml", &name, "--pool", &pool]);
        assert!(info.contains("<capacity unit='bytes'>3221225472</capacity>"), "{info}");
        let shrunk = with(&base, "size", Value::Bytes(1 << 30));
        let refused = client.update(&own, &shrunk, &["size"], false).await.expect_err("it shrinks");
        assert!(refused.message.contains("cannot shrink"), "{}", refused.message);
        for (name, value) in [("format", Value::text("x")), ("class", Value::text("hdd"))] {
            let other = with(&grown, name, value);
            assert!(client.update(&own, &other, &[name], false).await.is_err(), "{name}");
        }
    }
}

/// What a daemon leaves that is killed while it starts a network.
async fn bridge_left_behind(client: &Client<'_>, lab: &Lab) {
    let (_, base) = world().into_iter().find(|(own, _)| *own == NETWORK).expect("a network");
    let own = address(NETWORK);
    let name = client.identity(&own).name;
    let bridge = || {
        let info = lab.virsh(&["net-info", &name]);
        let line = info.lines().find_map(|line| line.strip_prefix("Bridge:")).expect("a bridge");
        line.trim().to_owned()
    };
    let first = bridge();
    lab.virsh(&["net-destroy", &name]);
    lab.run(&["exec", "1", "ip", "link", "add", &first, "type", "bridge"]).expect("a bridge");
    client.create(&own, &base).await.expect("a network on another bridge");
    assert!(lab.virsh(&["net-info", &name]).contains("Active:         yes"));
    assert_ne!(bridge(), first);
    lab.run(&["exec", "1", "ip", "link", "delete", &first]).expect("it goes");
    // Where it has its addresses already, no other bridge may have them.
    let second = bridge();
    lab.virsh(&["net-destroy", &name]);
    let script =
        format!("ip link add {second} up type bridge && ip addr add 10.213.7.1/24 dev {second}");
    lab.run(&["exec", "1", "sh", "-c", &script]).expect("a bridge");
    let refused = client.create(&own, &base).await.expect_err("its addresses are in use");
    let advice = refused.message.split('`').nth(1).expect(&refused.message);
    let words: Vec<&str> = ["exec", "1"].into_iter().chain(advice.split(' ')).collect();
    lab.run(&words).expect(advice);
    client.create(&own, &base).await.expect("a network again");
    assert!(lab.virsh(&["net-info", &name]).contains("Active:         yes"));
}

async fn network_changes(client: &Client<'_>, lab: &Lab) {
    let (_, base) = world().into_iter().find(|(own, _)| *own == NETWORK).expect("a network");
    let own = address(NETWORK);
    let name = client.identity(&own).name;
    let range = fields(
        r#"{"range":{"$ip_range":["10.213.7.100","10.213.7.199"]},"lease":{"$duration":3600000}}"#,
    );
    let wider = with(&base, "dhcp", Value::map(range));
    let made = client.update(&own, &wider, &["dhcp.range"], false).await.expect("a wider range");
    let made = made.expect("a network");
    assert_eq!((without_none(&made.attributes), made.pending.is_empty()), (wider, true));
    for flags in [&["net-dumpxml", &name][..], &["net-dumpxml", &name, "--inactive"]] {
        assert!(lab.virsh(flags).contains("end='10.213.7.199'"));
    }
    let mut without = base.clone();
    without.remove("dhcp");
    for (attributes, path) in [(&without, "dhcp"), (&base, "dhcp")] {
        let made = client.update(&own, attributes, &[path], false).await.expect("DHCP or none");
        assert_eq!(without_none(&made.expect("a network").attributes), *attributes);
    }
    let bigger = with(&base, "mtu", Value::Int(1500));
    let refused = client.update(&own, &bigger, &["mtu"], false).await.expect_err("the mtu");
    assert!(refused.message.contains("made anew"), "{}", refused.message);
}

async fn refusals(client: &Client<'_>) {
    let refused = client.delete(&address(POOL)).await.expect_err("a pool in use");
    assert!(refused.message.contains("not taken down"), "{}", refused.message);
    let (_, base) = world().into_iter().find(|(own, _)| *own == VOLUME).expect("a volume");
    let long = "x".repeat(300);
    for name in ["../../etc/x", "a/b", ".hidden", ".", "..", "", "a\0b", "a\nb", &long] {
        let mut operation = client.creation(&address(VOLUME), &base);
        operation.identity.name = name.into();
        operation.identity.uuid = Deployment::new(name).id;
        let refused = client.provider.apply(&operation).await.expect_err(name);
        assert!(refused.message.contains("name"), "{}", refused.message);
    }
    let encrypted = with(&base, "encrypted", Value::Bool(true));
    let other = address("tenant.storage.volume.secret");
    let refused = client.create(&other, &encrypted).await.expect_err("it is encrypted");
    assert!(refused.message.contains("encrypted"), "{}", refused.message);
    let mut image = Lab::get().image();
    image.insert("digest", Value::text(&format!("sha256:{}", "0".repeat(64))));
    let other = address("image.wrong");
    let refused = client.create(&other, &image).await.expect_err("another digest");
    assert!(refused.message.contains("digest"), "{}", refused.message);
    assert_eq!(client.observe(&other).await.expect("a sweep"), None);
    let small = with(&base, "image", Value::Ref(address(IMAGE)));
    let small = with(&small, "size", Value::Bytes(1 << 20));
    let other = address("tenant.storage.volume.small");
    let refused = client.create(&other, &small).await.expect_err("it is too small");
    assert!(refused.message.contains("its image needs"), "{}", refused.message);
    assert_eq!(client.observe(&other).await.expect("a sweep"), None);
    let forget = client.operation(&address(VOLUME), OperationKind::Unstamp);
    client.provider.apply(&forget).await.expect("it is forgotten");
    let refused = client.delete(&address(VOLUME)).await.expect_err("it is not ours");
    assert!(refused.message.contains("not ours"), "{}", refused.message);
    let stamp = client.stamp(&address(VOLUME), &base);
    let adopt = OperationKind::Stamp { stamp, adopt: true };
    let adopted = client.provider.apply(&client.operation(&address(VOLUME), adopt)).await;
    let adopted = adopted.expect("it is adopted").expect("a volume");
    assert_eq!(adopted.attributes.number("size"), Some(3 << 30));
}

/// Pools of others come and go on the host. A volume that is looked for in all of them, since no stamp
/// says where it is, is not in those, and that is no failure. Whether one of theirs lies on ours can be
/// asked again.
#[tokio::test(flavor = "multi_thread")]
async fn pools_that_come_and_go_disturb_nobody() {
    let lab = Lab::get();
    let deployment = Deployment::new("beside");
    let provider = lab.provider(&deployment).await;
    let client = client(&*provider, &deployment);
    let (pool, volume) = (address("site.lab.pool.beside"), address("tenant.beside.volume.data"));
    let attributes = fields(r#"{"type":"dir","path":"/srv/beside"}"#);
    client.create(&pool, &attributes).await.expect("a pool");
    let attributes = fields(
        r#"{"size":{"$bytes":1048576},"pool":{"$ref":"site.lab.pool.beside"},"format":"raw",
        "encrypted":false}"#,
    );
    let shell = |script: &str| lab.run(&["exec", "1", "sh", "-ec", script]);
    shell(
        "mkdir -p /srv/one /srv/two && touch /srv/coming && for name in one two; do \
         virsh pool-create-as $name dir --target /srv/$name && \
         virsh vol-create-as $name data 1M && virsh pool-destroy $name; done; \
         virsh pool-define-as one dir --target /srv/one",
    )
    .expect("pools of others");
    // One of them is there also when it does not run.
    let others = "cd /srv && come() { while [ -e coming ]; do echo $*; done | virsh; }; \
                  come 'pool-start one; pool-destroy one' & \
                  come 'pool-create-as two dir --target /srv/two; pool-destroy two' & wait; \
                  virsh pool-undefine one";
    let came = std::thread::scope(|scope| {
        let coming = scope.spawn(|| shell(others));
        let changes = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..80 {
                    client.create(&volume, &attributes).await?;
                    while let Err(error) = client.delete(&volume).await {
                        match error.retry {
                            Retry::Later => tokio::task::yield_now().await,
                            _ => return Err(error),
                        }
                    }
                }
                Ok(())
            })
        });
        let stopped = shell("rm -rf /srv/coming");
        let came = coming.join().expect("a thread");
        changes.expect("nobody is disturbed");
        stopped.and(came).expect("they came and went")
    });
    assert!(came.matches("Pool two created").count() > 10, "{came}");
    client.delete(&pool).await.expect("a pool");
}
