//! Filters from attributes and back.

use tcloud_model::{Fields, Name, Value};
use uuid::Uuid;

use super::*;

fn fields(json: &str) -> Fields {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn filter(json: &str) -> Element {
    network_filter("t-office", Uuid::nil(), &fields(json))
}

/// Every rule on a line: `510 accept in tcp srcipaddr=10.1.0.0 srcipmask=24 dstportstart=22`.
fn lines(filter: &Element) -> Vec<String> {
    let rules = filter.elements("rule").map(|rule| {
        let of = |name| rule.get(name).unwrap_or_default();
        let mut line = format!("{} {} {}", of("priority"), of("action"), of("direction"));
        for packets in rule.all() {
            line += &format!(" {}", packets.name);
            for (name, value) in &packets.attributes {
                line += &format!(" {name}={value}");
            }
        }
        line
    });
    rules.collect()
}

const OPEN: &str = r#"{"cidr":{"$cidr":"10.2.0.0/24"},"mode":"routed",
    "admits":[{"from":{"$cidr":"10.1.0.0/24"},"ports":[{"$port":"22/tcp"},{"$port":"53/udp"}]},
    {"from":{"$cidr":"10.9.0.7/32"}}],
    "reaches":[{"to":{"$cidr":"10.1.0.0/24"},"ports":[{"$port":"514/udp"}]}],
    "guarded":[{"$cidr":"10.0.0.0/9"}]}"#;

#[test]
fn a_network_of_ipv4() {
    let expected = "100 drop out mac match=no srcmacaddr=$MAC
110 accept out arp arpsrcmacaddr=$MAC arpsrcipaddr=$IP
110 accept out arp arpsrcmacaddr=$MAC arpsrcipaddr=0.0.0.0
110 accept in arp
120 drop out ip protocol=udp srcportstart=67
120 accept in ip srcipaddr=10.2.0.1 protocol=udp srcportstart=67
121 drop in ip protocol=udp srcportstart=67
130 accept out ip srcipaddr=$IP
130 accept out ip srcipaddr=0.0.0.0 dstipaddr=255.255.255.255 protocol=udp srcportstart=68 dstportstart=67
130 accept in ip
190 drop inout mac
500 accept out all dstipaddr=10.2.0.0 dstipmask=24
500 accept out all dstipaddr=255.255.255.255 dstipmask=32
500 accept out all dstipaddr=224.0.0.0 dstipmask=4
500 accept in all srcipaddr=10.2.0.0 srcipmask=24
505 accept in icmp state=RELATED
510 accept in tcp srcipaddr=10.1.0.0 srcipmask=24 dstportstart=22
510 accept in udp srcipaddr=10.1.0.0 srcipmask=24 dstportstart=53
510 accept in all srcipaddr=10.9.0.7 srcipmask=32
515 accept out tcp
520 accept out udp dstipaddr=10.1.0.0 dstipmask=24 dstportstart=514
530 drop out all dstipaddr=10.0.0.0 dstipmask=9
540 accept out all
550 drop inout all";
    assert_eq!(lines(&filter(OPEN)), expected.lines().collect::<Vec<_>>());
}

#[test]
fn ipv6_has_rules_of_its_own_and_is_dropped_where_there_is_none() {
    let six = lines(&filter(r#"{"cidr":{"$cidr":"fd00:1::/64"},"mode":"routed"}"#));
    for line in [
        "120 drop out ipv6 protocol=icmpv6 type=134",
        "130 accept out ipv6 srcipaddr=$IPV6",
        "130 accept out ipv6 srcipaddr=fe80:: srcipmask=10",
        "500 accept in all-ipv6 srcipaddr=fd00:1:: srcipmask=64",
        "550 drop inout all-ipv6",
    ] {
        assert!(six.iter().any(|own| own == line), "{line} is not in {six:#?}");
    }
    assert!(!six.iter().any(|line| line.contains(" arp") || line.ends_with(" all")));
    let both = r#"{"cidr":{"$cidr":"10.2.0.0/24"},"cidr6":{"$cidr":"fd00:1::/64"},"mode":"nat"}"#;
    let both = lines(&filter(both));
    assert!(both.iter().any(|own| own == "130 accept out ipv6 srcipaddr=fd00:1:: srcipmask=64"));
    assert!(both.iter().any(|own| own == "130 accept out ip srcipaddr=$IP"));
    let four = lines(&filter(r#"{"cidr":{"$cidr":"10.2.0.0/24"},"mode":"nat"}"#));
    assert!(!four.iter().any(|line| line.contains("v6")), "{four:#?}");
}

#[test]
fn an_isolated_network_has_no_way_out_and_a_bridge_its_own_dhcp() {
    let isolated = lines(&filter(r#"{"cidr":{"$cidr":"10.2.0.0/24"},"mode":"isolated"}"#));
    assert!(!isolated.iter().any(|line| line.starts_with("515") || line.starts_with("540")));
    let apart = lines(&filter(r#"{"cidr":{"$cidr":"10.2.0.0/24"},"mode":"nat"}"#));
    assert_eq!(apart.last().map(String::as_str), Some("190 drop inout mac"));
    let bridge = lines(&filter(r#"{"cidr":{"$cidr":"10.2.0.0/24"},"mode":"bridge"}"#));
    assert!(!bridge.iter().any(|line| line.starts_with("121")));
    let unknown = lines(&filter(r#"{"mode":"bridge"}"#));
    assert_eq!(unknown, ["100 drop out mac match=no srcmacaddr=$MAC"]);
}

#[test]
fn what_is_read_is_what_was_written() {
    for json in [
        OPEN,
        r#"{"cidr":{"$cidr":"10.2.0.0/24"},"mode":"nat"}"#,
        r#"{"cidr":{"$cidr":"fd00:1::/64"},"mode":"routed","guarded":[{"$cidr":"10.0.0.0/8"},
        {"$cidr":"fd00::/16"}],"admits":[{"from":{"$cidr":"0.0.0.0/0"},
        "ports":[{"$port":"1/tcp"},{"$port":"1/udp"}]},{"from":{"$cidr":"::/0"}}]}"#,
    ] {
        let network = fields(json);
        let written = filter(json).write().expect("it can be written");
        let read = read_network(Some(&Element::parse(&written).expect("XML")), &network);
        for name in ["admits", "reaches", "guarded"] {
            let found = read.get(name).filter(|value| **value != Value::None);
            assert_eq!(found, network.get(name), "{name} of {json}");
            assert!(read.get(name).is_some(), "{name} was read");
        }
    }
}

#[test]
fn a_filter_that_somebody_weakened_admits_everybody() {
    let network = fields(OPEN);
    let open = fields(r#"{"admits":[{"from":{"$cidr":"0.0.0.0/0"}},{"from":{"$cidr":"::/0"}}]}"#);
    let mut without_drop = filter(OPEN);
    without_drop.retain(|rule| rule.get("priority") != Some("550"));
    let read = read_network(Some(&without_drop), &network);
    assert_eq!(read.get("admits"), open.get("admits"));
    let mut with_more = filter(OPEN);
    with_more
        .push(Element::parse("<rule action='accept' direction='in' priority='1'/>").expect("XML"));
    assert_eq!(read_network(Some(&with_more), &network).get("admits"), open.get("admits"));
}

/// What others wrote in their own order and words, for a filter of guests of ours in it.
#[test]
fn a_network_of_others_is_filtered_by_what_its_definition_says() {
    let network = "<network><forward mode='nat'/><ip family='ipv6' address='fd00:1::1' prefix='64'/>\
                   <ip address='10.2.0.1' netmask='255.255.255.0'/></network>";
    let fields = crate::network::read(&Element::parse(network).expect("XML"));
    let theirs = lines(&network_filter("theirs", Uuid::nil(), &fields));
    let ours = r#"{"cidr":{"$cidr":"10.2.0.0/24"},"cidr6":{"$cidr":"fd00:1::/64"},"mode":"nat",
        "gateway":{"$ip":"10.2.0.1"}}"#;
    assert_eq!(theirs, lines(&filter(ours)));
}

#[test]
fn a_nic_has_a_filter_of_its_own_when_rules_hold_for_it_alone() {
    let plain = fields(r#"{"address":{"$ip":"10.2.0.7"}}"#);
    let label = Name::new("office");
    let of = |nic: &Fields| reference("t-files", &label, nic, "t-office");
    let parameters = vec![("IP".to_owned(), "10.2.0.7".to_owned())];
    let name = "tcloud-net-t-office".to_owned();
    assert_eq!(of(&plain), Some(Reference { name, parameters: parameters.clone() }));
    let own = r#"{"address":{"$ip":"10.2.0.7"},
        "admits":[{"from":{"$cidr":"10.1.0.7/32"},"ports":[{"$port":"22/tcp"}]}]}"#;
    let own = fields(own);
    let name = nic_name("t-files", &label, "t-office");
    assert!(name.starts_with("tcloud-nic-office.t-files_"), "{name}");
    assert_ne!(name, nic_name("t-files", &label, "t-lab"), "it moves with its NIC");
    assert_eq!(of(&own), Some(Reference { name, parameters }));
    let filter = nic_filter("t-files", &label, Uuid::nil(), &own, "t-office");
    let included = filter.find("filterref").and_then(|inner| inner.get("filter"));
    assert_eq!(included, Some("tcloud-net-t-office"));
    let rules = ["510 accept in tcp srcipaddr=10.1.0.7 srcipmask=32 dstportstart=22"];
    assert_eq!(lines(&filter), rules);
    assert_eq!(read_nic(Some(&filter)).get("admits"), own.get("admits"));
    assert!(holds_nic(&filter, "t-office") && !holds_nic(&filter, "t-lab"));
    let rule = |xml: &str| filter.clone().child(Element::parse(xml).expect(xml));
    for wider in [
        rule("<rule action='accept' direction='inout' priority='1'><all/></rule>"),
        rule("<rule action='accept' direction='in' priority='510'><tcp match='no'/></rule>"),
        rule("<filterref filter='allow-arp'/>"),
    ] {
        assert!(!holds_nic(&wider, "t-office"), "{wider}");
    }
    let free = fields(r#"{"filter":false,"address":{"$ip":"10.2.0.7"}}"#);
    assert_eq!(of(&free), None);
    let learnt = of(&Fields::new()).expect("it is held to what it says first");
    assert_eq!(learnt.parameters, [("CTRL_IP_LEARNING".to_owned(), "any".to_owned())]);
}
