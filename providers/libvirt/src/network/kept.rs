//! What a network's definition holds that attributes cannot say.

use super::write::is_v6;
use crate::kept::Kept;
use crate::xml::Element;

/// Elements of a network that attributes speak of, or that are looked into below. libvirt gives
/// every bridge of its own a MAC address.
const SAID: [&str; 14] = [
    "name",
    "uuid",
    "metadata",
    "forward",
    "bridge",
    "mac",
    "mtu",
    "vlan",
    "domain",
    "dns",
    "ip",
    "route",
    "bandwidth",
    "connections",
];

/// What attributes cannot say, one thing each. Of `foreign` networks the bridge and the addresses
/// that guests have for themselves are told too: networks of ours have them from us.
pub(super) fn kept(definition: &Element, foreign: bool) -> Vec<String> {
    let mut kept = Kept::default();
    kept.words("", definition, &["connections"]);
    kept.rest("", definition, &SAID);
    let is_bridged = matches!(super::read(definition).text("mode"), Some("bridge"));
    for own in definition.all() {
        match own.name.as_str() {
            "forward" => {
                kept.words("forward ", own, &["mode"]);
                kept.rest("forward ", own, &["nat"]);
                kept.nat(own, definition.elements("ip").any(is_v6));
            }
            "bridge" if foreign && !is_bridged => kept.add("", own),
            "bridge" => kept.words("bridge ", own, &["name", "stp", "delay"]),
            "mtu" => kept.words("mtu ", own, &["size"]),
            "vlan" => kept.vlan(own),
            "domain" if own.get("localOnly") == Some("yes") => {
                kept.words("domain ", own, &["name", "localOnly"]);
            }
            "domain" => kept.words("domain ", own, &["name"]),
            "dns" => kept.dns(own),
            "route" => {
                kept.words("route ", own, &["family", "address", "prefix", "netmask", "gateway"]);
            }
            "bandwidth" => kept.bandwidth(own),
            _ => {}
        }
    }
    for v6 in [false, true] {
        for (at, ip) in definition.elements("ip").filter(|ip| is_v6(ip) == v6).enumerate() {
            // One of each family has a word.
            match at {
                0 => kept.address(ip, v6, foreign),
                _ => kept.add("", ip),
            }
        }
    }
    kept.0
}

impl Kept {
    /// A network of ours hides its guests by IPv6 as well; that of others may let everybody in.
    fn nat(&mut self, forward: &Element, has_v6: bool) {
        let nat = forward.find("nat");
        let hides = nat.and_then(|nat| nat.get("ipv6")) == Some("yes");
        match nat {
            _ if has_v6 && !hides && forward.get("mode").is_none_or(|mode| mode == "nat") => {
                self.0.push("forward nat ipv6=no".to_owned());
            }
            Some(nat) if hides && !has_v6 => self.words("forward nat ", nat, &[]),
            _ => {}
        }
        if let Some(nat) = nat {
            self.words("forward nat ", nat, &["ipv6"]);
            self.rest("forward nat ", nat, &[]);
        }
    }

    fn vlan(&mut self, vlan: &Element) {
        self.words("vlan ", vlan, &[]);
        for (at, tag) in vlan.elements("tag").enumerate() {
            match at {
                0 => self.words("vlan tag ", tag, &["id"]),
                _ => self.add("vlan ", tag),
            }
        }
    }

    fn dns(&mut self, dns: &Element) {
        self.words("dns ", dns, &[]);
        for own in dns.all() {
            let said = own.name == "forwarder" && own.get("domain").is_none();
            if !said {
                self.add("dns ", own);
            }
        }
    }

    fn bandwidth(&mut self, bandwidth: &Element) {
        let ways: Vec<_> = bandwidth.all().map(|own| &own.attributes).collect();
        let said = match ways[..] {
            [one, other] => one == other && one.iter().all(|(name, _)| name == "average"),
            _ => false,
        };
        if !said {
            self.add("", bandwidth);
        }
    }

    fn address(&mut self, ip: &Element, v6: bool, foreign: bool) {
        let said = ["family", "address", "prefix", "netmask"];
        self.words("ip ", ip, &said);
        self.rest("ip ", ip, &["dhcp"]);
        let Some(dhcp) = ip.find("dhcp") else { return };
        let is_said = |own: &Element| match own.name.as_str() {
            "range" => !v6 && dhcp.elements("range").count() == 1,
            "host" => !foreign,
            _ => false,
        };
        for own in dhcp.all().filter(|own| !is_said(own)) {
            self.add("dhcp ", own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(xml: &str, foreign: bool) -> Vec<String> {
        kept(&Element::parse(xml).expect(xml), foreign)
    }

    #[test]
    fn nothing_is_lost_silently() {
        let all = "<network ipv6='yes'><name>n</name><uuid>u</uuid>
            <forward mode='nat' dev='eth0'><nat><port start='1024' end='2048'/></nat></forward>
            <bridge name='virbr7' stp='on' delay='0' zone='public'/><mac address='52:54:00:00:00:01'/>
            <mtu size='1450'/><domain name='a.example' localOnly='no'/>
            <dns enable='yes'><forwarder addr='10.0.0.1'/><forwarder domain='b.example' addr='10.0.0.2'/>
            <host ip='10.0.0.9'><hostname>nas</hostname></host></dns>
            <ip address='10.0.0.1' netmask='255.255.255.0' localPtr='yes'><tftp root='/srv'/>
            <dhcp><range start='10.0.0.10' end='10.0.0.20'/><range start='10.0.0.30' end='10.0.0.40'/>
            <host mac='52:54:00:00:00:02' ip='10.0.0.50'/><bootp file='pxe'/></dhcp></ip>
            <ip address='10.1.0.1' prefix='24'/>
            <ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::2' end='fd00::9'/></dhcp></ip>
            <route address='10.2.0.0' prefix='16' gateway='10.0.0.3' metric='2'/>
            <bandwidth><inbound average='100' peak='200'/></bandwidth>
            <portgroup name='p' default='yes'/></network>";
        assert_eq!(
            told(all, true),
            [
                "ipv6=yes",
                "portgroup name=p default=yes",
                "forward dev=eth0",
                "forward nat ipv6=no",
                "forward nat port start=1024 end=2048",
                "bridge name=virbr7 stp=on delay=0 zone=public",
                "domain localOnly=no",
                "dns enable=yes",
                "dns forwarder domain=b.example addr=10.0.0.2",
                "dns host ip=10.0.0.9 (hostname nas)",
                "route metric=2",
                "bandwidth (inbound average=100 peak=200)",
                "ip localPtr=yes",
                "ip tftp root=/srv",
                "dhcp range start=10.0.0.10 end=10.0.0.20",
                "dhcp range start=10.0.0.30 end=10.0.0.40",
                "dhcp host mac=52:54:00:00:00:02 ip=10.0.0.50",
                "dhcp bootp file=pxe",
                "ip address=10.1.0.1 prefix=24",
                "dhcp range start=fd00::2 end=fd00::9",
            ]
        );
    }

    #[test]
    fn what_attributes_say_is_not_told() {
        let plain = "<network connections='3'><name>n</name><uuid>u</uuid><forward mode='route'/>
            <bridge name='tc1' stp='on' delay='0'/><mac address='52:54:00:00:00:01'/>
            <ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.10' end='10.0.0.20'/>
            <host mac='52:54:00:00:00:02' ip='10.0.0.50'/></dhcp></ip>
            <route address='10.2.0.0' prefix='16' gateway='10.0.0.3'/>
            <bandwidth><inbound average='100'/><outbound average='100'/></bandwidth></network>";
        assert!(told(plain, false).is_empty(), "{:?}", told(plain, false));
    }
}
