//! NICs of guests that run: what their networks keep for them, and what they are held to, while they
//! change.

use tcloud_model::{Deployment, Fields, ObservedObject, Value};
use tcloud_provider::conformance::{Applied, with};

use crate::lab::{Host, Lab, address, client, fields};

const LAN: &str = "tenant.cards.network.lan";
const LAB: &str = "tenant.cards.network.lab";
const GUEST: &str = "tenant.cards.vm.web";
const OLD: &str = "52:54:00:c0:00:01";
const NEW: &str = "52:54:00:c0:00:02";
const ADDRESS: &str = "10.214.0.10";

fn network(third: u8) -> Fields {
    fields(&format!(
        r#"{{"cidr":{{"$cidr":"10.214.{third}.0/24"}},"mode":"isolated",
        "dhcp":{{"range":{{"$ip_range":["10.214.{third}.100","10.214.{third}.150"]}}}}}}"#
    ))
}

fn guest(network: &str, mac: &str, ip: &str, rules: &str) -> Fields {
    fields(&format!(
        r#"{{"vcpus":1,"memory":{{"$bytes":67108864}},"firmware":"bios","machine":"q35",
        "wait_for":"nothing","stop_within":{{"$duration":0}},"nic":{{"a":{{"model":"virtio",
        "network":{{"$ref":"{network}"}},"mac":{{"$mac":"{mac}"}},"address":{{"$ip":"{ip}"}},
        "filter":true{rules}}}}}}}"#
    ))
}

/// Rules for the NIC alone.
const RULES: &str = r#","admits":[{"from":{"$cidr":"10.9.0.7/32"},"ports":[{"$port":"22/tcp"}]}]"#;

impl Host<'_> {
    async fn change(&self, to: &Fields, path: &str, power_cycle: bool) -> Applied {
        self.client.update(&address(GUEST), to, &[path], power_cycle).await
    }

    /// The MACs that a network gives the address to: now, and later.
    fn reserved(&self) -> [String; 2] {
        let lan = self.name(LAN);
        ["", " --inactive"].map(|which| {
            let xml = self.virsh(&format!("net-dumpxml {lan}{which}"));
            let hosts =
                xml.lines().filter(|line| line.contains("<host ") && line.contains(ADDRESS));
            hosts.map(|line| line.split('\'').nth(1).unwrap_or_default()).collect()
        })
    }

    /// What its card is held to, in the running guest.
    fn filter(&self) -> String {
        let xml = self.virsh(&format!("dumpxml {}", self.name(GUEST)));
        let line = xml.lines().find(|line| line.contains("<filterref")).expect("a filter");
        line.split('\'').nth(1).expect("its name").to_owned()
    }

    async fn is_held(&self) -> (Option<bool>, Option<bool>) {
        let guest = self.client.observe(&address(GUEST)).await.expect("a sweep").expect("a guest");
        let ObservedObject { attributes, pending, .. } = guest;
        let path = ["nic".into(), "a".into(), "filter".into()];
        let flag = |fields: &Fields| match fields.at(&path) {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        };
        (flag(&attributes), flag(&pending))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_keeps_what_it_needs_until_it_changes() {
    let lab = Lab::get();
    let deployment = Deployment::new("cards");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab, client: client(&*provider, &deployment) };
    for (place, third) in [(LAN, 0), (LAB, 1)] {
        host.client.create(&address(place), &network(third)).await.expect(place);
    }
    let base = guest(LAN, OLD, ADDRESS, "");
    host.client.create(&address(GUEST), &base).await.expect("a guest");
    assert_eq!(host.reserved(), [OLD, OLD]);
    another_mac(&host).await;
    another_network(&host).await;
    by_hand(&host).await;
    for place in [GUEST, LAB, LAN] {
        host.client.delete(&address(place)).await.expect(place);
    }
    let filters = host.virsh("nwfilter-list");
    assert!(!filters.contains("tcloud-nic-a.cards") && !filters.contains("cards."), "{filters}");
}

/// The card has its old MAC until the next start, and its address as well.
async fn another_mac(host: &Host<'_>) {
    let next = guest(LAN, NEW, ADDRESS, "");
    host.change(&next, "nic.a.mac", false).await.expect("it waits");
    assert_eq!(host.reserved(), [OLD, NEW]);
    let titled = with(&next, "title", Value::text("a title"));
    host.change(&titled, "title", false).await.expect("a title");
    assert_eq!(host.reserved(), [OLD, NEW], "also while something else changes");
    host.change(&next, "title", true).await.expect("stopped and started");
    assert_eq!(host.reserved(), [NEW, NEW]);
    // Back, and taken back before it came into force.
    let back = guest(LAN, OLD, ADDRESS, "");
    host.change(&back, "nic.a.mac", false).await.expect("it waits");
    assert_eq!(host.reserved(), [NEW, OLD]);
    host.change(&next, "nic.a.mac", false).await.expect("as it was");
    assert_eq!(host.reserved(), [NEW, NEW]);
    host.change(&back, "nic.a.mac", true).await.expect("stopped and started");
    assert_eq!(host.reserved(), [OLD, OLD]);
}

/// A card takes the rules of another network when it gets there: they have another name.
async fn another_network(host: &Host<'_>) {
    let ruled = guest(LAN, OLD, ADDRESS, RULES);
    host.change(&ruled, "nic.a.admits", false).await.expect("rules of its own");
    let before = host.filter();
    assert!(before.starts_with("tcloud-nic-a."), "{before}");
    let moved = guest(LAB, OLD, "10.214.1.10", RULES);
    host.change(&moved, "nic.a", false).await.expect("another network");
    let after = host.filter();
    assert_ne!(before, after);
    let filters = host.virsh("nwfilter-list");
    assert!(filters.contains(&after) && !filters.contains(&before), "{filters}");
    assert_eq!(host.is_held().await, (Some(true), None));
    host.change(&ruled, "nic.a", false).await.expect("back");
}

/// Rules that somebody changed are seen, and put right.
async fn by_hand(host: &Host<'_>) {
    let ruled = guest(LAN, OLD, ADDRESS, RULES);
    let own = host.filter();
    let wider =
        "<rule action=\"accept\" direction=\"inout\" priority=\"200\"><all/></rule></filter>";
    let edit = |how: &str| {
        host.shell(&format!(
            "virsh nwfilter-dumpxml {own} | sed '{how}' > /srv/filter.xml && virsh nwfilter-define \
             /srv/filter.xml"
        ));
    };
    edit(&format!("s|</filter>|{wider}|"));
    assert_eq!(host.is_held().await, (Some(false), None));
    host.change(&ruled, "nic.a.filter", false).await.expect("held again");
    assert_eq!(host.is_held().await, (Some(true), None));
    let filter = host.virsh(&format!("nwfilter-dumpxml {own}"));
    assert!(!filter.contains("priority='200'"), "{filter}");
    // It may use an address that is not its own, from its next start on.
    let name = host.name(GUEST);
    host.shell(&format!(
        "virsh dumpxml {name} --inactive | sed '/parameter/s/{ADDRESS}/10.214.0.99/' > \
         /srv/guest.xml && virsh define /srv/guest.xml"
    ));
    assert_eq!(host.is_held().await, (Some(true), Some(false)));
    host.change(&ruled, "nic.a.filter", false).await.expect("held again");
    assert_eq!(host.is_held().await, (Some(true), None));
}

/// The filter that was made for our guests in a network of others goes with the last of them.
#[tokio::test(flavor = "multi_thread")]
async fn networks_of_others_are_left_without_filters() {
    let lab = Lab::get();
    let deployment = Deployment::new("visitors");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab, client: client(&*provider, &deployment) };
    // It is found as ours would be, and has no stamp.
    let theirs_at = "tenant.visitors.network.theirs";
    let theirs = host.name(theirs_at);
    let uuid = host.client.identity(&address(theirs_at)).uuid;
    host.shell(&format!(
        "echo '<network><name>{theirs}</name><uuid>{uuid}</uuid><ip address=\"10.215.0.1\" prefix=\"24\"/></network>' \
         > /srv/theirs.xml && virsh net-define /srv/theirs.xml"
    ));
    let both = ["tenant.visitors.vm.one", "tenant.visitors.vm.two"];
    for (place, last) in both.into_iter().zip(1..) {
        let ip = format!("10.215.0.1{last}");
        let mut own = guest(theirs_at, &format!("52:54:00:c0:01:0{last}"), &ip, "");
        own.insert("running", Value::Bool(false));
        host.client.create(&address(place), &own).await.expect(place);
    }
    let filter = format!("tcloud-net-{theirs}");
    assert!(host.virsh("nwfilter-list").contains(&filter));
    host.client.delete(&address(both[0])).await.expect("deleted");
    assert!(host.virsh("nwfilter-list").contains(&filter), "the other one needs it");
    host.client.delete(&address(both[1])).await.expect("deleted");
    assert!(!host.virsh("nwfilter-list").contains(&filter));
    host.virsh(&format!("net-undefine {theirs}"));
}

/// What somebody does to a guest while it is changed is not lost: the guest does not let go of its
/// card, and there is time for it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_change_is_overwritten() {
    let lab = Lab::get();
    let deployment = Deployment::new("busy");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab, client: client(&*provider, &deployment) };
    let place = address("tenant.busy.vm.web");
    let network_of = address("tenant.busy.network.lan");
    host.client.create(&network_of, &network(2)).await.expect("a network");
    let base = guest("tenant.busy.network.lan", "52:54:00:c0:02:01", "10.214.2.10", "");
    host.client.create(&place, &base).await.expect("a guest");
    let mut without = with(&base, "title", Value::text("ours"));
    without.insert("nic", Value::map(Fields::new()));
    let name = host.client.identity(&place).name.to_string();
    let theirs = async {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        host.virsh(&format!("desc {name} --config theirs"));
    };
    let change = host.client.update(&place, &without, &["title", "nic.a"], false);
    let (changed, ()) = tokio::join!(change, theirs);
    let error = changed.expect_err("it was changed by somebody else").message;
    assert!(error.contains("somebody else changed guest"), "{error}");
    let xml = host.virsh(&format!("dumpxml {name} --inactive"));
    assert!(xml.contains("<description>theirs</description>"), "{xml}");
    for own in [&place, &network_of] {
        host.client.delete(own).await.expect("deleted");
    }
}

/// Nobody knows whose a network is that cannot be read: NICs in it are not somewhere else because of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_cannot_be_read_moves_no_card() {
    // Whoever looks at all networks of its host is told of it.
    let lab = Lab::start();
    let deployment = Deployment::new("blind");
    let provider = lab.provider(&deployment).await;
    let host = Host { lab: &lab, client: client(&*provider, &deployment) };
    let (lan, web) = ("tenant.blind.network.lan", "tenant.blind.vm.web");
    host.client.create(&address(lan), &network(3)).await.expect("a network");
    let mut base = guest(lan, "52:54:00:c0:03:01", "10.214.3.10", "");
    base.insert("running", Value::Bool(false));
    let made = host.client.create(&address(web), &base).await.expect("made").expect("a guest");
    let name = host.name(lan);
    let deep =
        format!("<d:deep xmlns:d=\"urn:deep\">{}{}</d:deep>", "<a>".repeat(80), "</a>".repeat(80));
    host.shell(&format!(
        "virsh net-dumpxml {name} --inactive > /srv/blind.xml && sed 's|</metadata>|{deep}&|' \
         /srv/blind.xml > /srv/deep.xml && virsh net-define /srv/deep.xml"
    ));
    let seen = provider.observe().await.expect("a sweep");
    let told = |own: &&String| own.contains(&format!("network \"{name}\" could not be read"));
    assert_eq!(seen.problems.iter().filter(told).count(), 1, "{:?}", seen.problems);
    let card = |object: &ObservedObject, word: &str| {
        object.attributes.at(&["nic".into(), "a".into(), word.into()]).cloned()
    };
    let own = seen.objects.iter().find(|own| own.uuid == made.uuid).expect("its guest");
    assert_eq!(card(own, "network"), None, "what was applied is believed");
    assert_eq!(card(own, "filter"), Some(Value::Bool(true)), "it is held to the same rules");
    host.shell("virsh net-define /srv/blind.xml");
    let own = host.client.observe(&address(web)).await.expect("a sweep").expect("a guest");
    assert_eq!(card(&own, "network"), Some(Value::Ref(address(lan))));
    for place in [web, lan] {
        host.client.delete(&address(place)).await.expect(place);
    }
}
