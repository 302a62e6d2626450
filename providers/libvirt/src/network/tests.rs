//! What is written is read back, and what a person wrote stays.

use super::write::write;
use super::*;

fn fields(json: &str) -> Fields {
    serde_json::from_str(json).expect(json)
}

fn written(json: &str) -> Element {
    let mut definition = Element::new("network");
    write(&mut definition, Uuid::from_u128(0x1234_5678_9abc), &fields(json)).expect(json);
    Element::parse(&definition.write().expect(json)).expect(json)
}

const OFFICE: &str = r#"{"cidr":{"$cidr":"10.213.0.0/24"},"mode":"nat",
    "gateway":{"$ip":"10.213.0.1"},"mtu":1400,"max_rate":{"$rate":80000000},
    "dhcp":{"range":{"$ip_range":["10.213.0.100","10.213.0.150"]},"lease":{"$duration":3600000}},
    "dns":{"domain":"office.example","forward":[{"$ip":"9.9.9.9"}]},
    "route":{"route-1":{"to":{"$cidr":"10.214.0.0/24"},"via":{"$ip":"10.213.0.2"}}}}"#;

#[test]
fn what_is_written_is_read_back() {
    for json in [
        OFFICE,
        r#"{"cidr":{"$cidr":"10.1.0.0/16"},"mode":"routed","gateway":{"$ip":"10.1.0.1"},
        "cidr6":{"$cidr":"fd00::/64"}}"#,
        r#"{"cidr":{"$cidr":"10.1.0.0/30"},"mode":"isolated","gateway":{"$ip":"10.1.0.2"}}"#,
        r#"{"mode":"isolated"}"#,
    ] {
        assert_eq!(read(&written(json)), fields(json));
    }
    let bridged = r#"{"cidr":{"$cidr":"10.1.0.0/16"},"mode":"bridge","bridge":"br0","vlan":42}"#;
    assert_eq!(read(&written(bridged)), fields(r#"{"mode":"bridge","bridge":"br0","vlan":42}"#));
}

#[test]
fn the_host_has_the_first_address_that_a_host_can_have() {
    let first = |cidrs: &str| {
        let definition = written(cidrs);
        definition.elements("ip").filter_map(|ip| ip.get("address")).collect::<Vec<_>>().join(" ")
    };
    let both = r#"{"cidr":{"$cidr":"10.1.0.0/24"},"cidr6":{"$cidr":"fd00::/64"}}"#;
    assert_eq!(first(both), "10.1.0.1 fd00::1");
    let full = r#"{"cidr":{"$cidr":"10.1.0.0/31"},"cidr6":{"$cidr":"fd00::7/128"}}"#;
    assert_eq!(first(full), "10.1.0.0 fd00::7");
}

/// libvirt alone would let everybody in by IPv6.
#[test]
fn nat_hides_guests_by_ipv6_too() {
    let nat = |json: &str| {
        let definition = written(json);
        let nat = definition.find("forward/nat").cloned();
        (nat.and_then(|nat| nat.get("ipv6").map(str::to_owned)), kept::kept(&definition, false))
    };
    let hidden = r#"{"cidr":{"$cidr":"10.1.0.0/24"},"cidr6":{"$cidr":"fd00::/64"},"mode":"nat"}"#;
    let alone = r#"{"cidr":{"$cidr":"fd00::/64"},"mode":"nat"}"#;
    for hidden in [hidden, alone] {
        assert_eq!(nat(hidden), (Some("yes".to_owned()), Vec::new()));
    }
    for other in [
        hidden.replace("nat", "routed"),
        hidden.replace("cidr6", "dhcp").replace("{\"$cidr\":\"fd00::/64\"}", "{}"),
    ] {
        assert_eq!(nat(&other), (None, Vec::new()), "{other}");
    }
}

#[test]
fn what_a_person_added_stays() {
    let mut definition = Element::parse(
        "<network><forward mode='nat' dev='eth1'><nat><port start='1' end='9'/></nat></forward>\
         <bridge name='virbr7' stp='off'/><dns><host ip='10.1.0.9'><hostname>x</hostname></host>\
         <forwarder domain='a.example' addr='1.1.1.1'/></dns>\
         <ip address='10.1.0.1' netmask='255.255.255.0'><dhcp><host mac='52:54:00:00:00:01' \
         ip='10.1.0.5'/></dhcp></ip></network>",
    )
    .expect("XML");
    let asked = fields(
        r#"{"cidr":{"$cidr":"10.1.0.0/24"},"mode":"nat",
        "dhcp":{"range":{"$ip_range":["10.1.0.100","10.1.0.150"]}}}"#,
    );
    write(&mut definition, Uuid::nil(), &asked).expect("a network");
    assert_eq!(definition.find("forward").and_then(|own| own.get("dev")), Some("eth1"));
    assert!(definition.find("forward/nat/port").is_some());
    assert_eq!(definition.find("bridge").and_then(|own| own.get("name")), Some("virbr7"));
    assert!(definition.find("dns/host").is_some() && definition.find("dns/forwarder").is_some());
    assert!(
        definition.find("ip/dhcp/host").is_some() && definition.find("ip/dhcp/range").is_some()
    );
}

#[test]
fn only_what_is_live_changes_in_place() {
    let base = read(&written(OFFICE));
    let other = |from: &str, to: &str| read(&written(&OFFICE.replace(from, to)));
    check_in_place(&base, &other("150", "151")).expect("a range can change");
    let mut without = base.clone();
    without.remove("dhcp");
    check_in_place(&base, &without).expect("DHCP can go");
    check_in_place(&without, &base).expect("DHCP can come");
    for (from, to) in [
        ("3600000", "7200000"),
        ("1400", "1500"),
        ("\"nat\"", "\"routed\""),
        ("office.example", "b.example"),
        ("10.213.0.2\"", "10.213.0.3\""),
        ("80000000", "160000000"),
    ] {
        assert!(check_in_place(&base, &other(from, to)).is_err(), "{from} → {to}");
    }
}

#[test]
fn what_was_asked_is_seen_in_the_words_of_the_text() {
    let json = r#"{"cidr":{"$cidr":"10.1.0.0/24"},"mode":"nat","max_rate":{"$rate":1001},
        "route":{"rooms":{"to":{"$cidr":"10.2.0.0/24"},"via":{"$ip":"10.1.0.2"}}},
        "admits":[{"from":{"$cidr":"10.9.0.0/16"},"ports":[{"$port":"22/tcp"}]}]}"#;
    let mut persistent = written(json);
    let stamp = serde_json::from_str(
        r#"{"deployment":"00000000-0000-4000-8000-000000000001","address":"tenant.t.network.a",
        "incarnation":0,"digest":"00000000000000000000000000000000","protect":false,
        "create_first":false,"dependencies":[]}"#,
    )
    .expect("a stamp");
    stamp::put(&mut persistent, Some(&Note::new(&stamp, fields(json))));
    let definitions = Definitions {
        persistent: persistent.clone(),
        live: Some(persistent.clone()),
        autostart: true,
    };
    let uuid = Uuid::from_u128(0x1234_5678_9abc);
    let filter = crate::firewall::network_filter("a", uuid, &fields(json));
    let seen = observed(&definitions, uuid, Some(&filter));
    let mut expected = fields(json);
    expected.insert("reaches", Value::None);
    expected.insert("guarded", Value::None);
    assert_eq!(*seen.attributes, expected);
    assert!(seen.pending.is_empty());
    let mut live = persistent.clone();
    live.put(Element::new("mtu").attr("size", 9000));
    let seen = observed(
        &Definitions { persistent, live: Some(live), autostart: true },
        uuid,
        Some(&filter),
    );
    assert_eq!(seen.attributes.get("mtu"), Some(&Value::Int(9000)));
    assert_eq!(seen.pending.get("mtu"), Some(&Value::None));
}
