//! Addresses of IPv4 and IPv6 in networks of one of them or of both.

use super::*;

#[test]
fn addresses_of_the_other_family_are_outside_of_a_network() {
    let ip = |text: &str| text.parse().map(Value::Ip).expect("an address");
    let [gateway, via] = [ip("fd00::1"), ip("fd00::5")];
    let range = Value::IpRange(Arc::new((
        "fd00::10".parse().expect("an address"),
        "fd00::20".parse().expect("an address"),
    )));
    let lan = |more: &[(&'static str, Value)]| {
        let mut attributes = vec![
            ("gateway", gateway.clone()),
            ("dhcp.range", range.clone()),
            ("route.x.to", cidr("10.9.0.0/16")),
            ("route.x.via", via.clone()),
        ];
        attributes.extend_from_slice(more);
        Text::default().with("tenant.a", &[]).with("tenant.a.network.lan", &attributes)
    };
    let v4 = ("cidr", cidr("10.1.0.0/24"));
    lan(std::slice::from_ref(&v4)).says(&[
        "E0313 tenant.a.network.lan.gateway: the gateway fd00::1 is not in network `lan` | \
         tenant.a.network.lan.cidr",
        "E0313 tenant.a.network.lan.route.x.via: the router fd00::5 is not in network `lan` | \
         tenant.a.network.lan.cidr",
        "E0318 tenant.a.network.lan.dhcp.range: the DHCP range fd00::10..=fd00::20 is not in \
         network `lan` | tenant.a.network.lan.cidr",
    ]);
    lan(&[v4, ("cidr6", cidr("fd00::/64"))]).says(&[]);
    lan(&[("cidr", cidr("fd00::/64"))]).says(&[]);
}

#[test]
fn an_address_of_ipv4_is_outside_of_a_network_of_ipv6() {
    Text::default()
        .with("tenant.a", &[])
        .with(
            "tenant.a.network.lan",
            &[("cidr", cidr("fd00::/64")), ("gateway", Value::Ip([10, 0, 0, 1].into()))],
        )
        .says(&[
            "E0313 tenant.a.network.lan.gateway: the gateway 10.0.0.1 is not in network `lan` | \
             tenant.a.network.lan.cidr",
        ]);
}
