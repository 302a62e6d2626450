//! Addresses, networks and ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tcloud_model::{Cidr, Port, Protocol, Value, codes};

use super::Fault;

/// Reads `10.20.0.7` and `10.20.0.0/24`.
pub(super) fn version_4(text: &str) -> Result<Value, Box<Fault>> {
    let (address, prefix) = split_prefix(text);
    let parts: Vec<&str> = address.split('.').collect();
    let mut at = 0;
    let mut octets = [0_u8; 4];
    for (position, part) in parts.iter().enumerate() {
        let range = at..at + part.len();
        at = range.end + 1;
        let octet = octet(text, part, range)?;
        if let Some(slot) = octets.get_mut(position) {
            *slot = octet;
        }
    }
    if parts.len() != 4 {
        let message = format!("an IPv4 address has four parts, this has {}", parts.len());
        let fault = Fault::at(codes::E0022, 0..address.len(), message);
        return Err(fault.help("write it like `10.20.0.7`; versions go in quotes: \"1.2.3\""));
    }
    finish(text, IpAddr::V4(Ipv4Addr::from(octets)), prefix)
}

/// Reads `fd00:1::7` and `fd00:1::/64`.
pub(super) fn version_6(text: &str) -> Result<Value, Box<Fault>> {
    let (address, prefix) = split_prefix(text);
    if let Some((plain, zone)) = address.split_once('%') {
        let range = plain.len()..plain.len() + 1 + zone.len();
        let fault = Fault::at(codes::E0022, range, "an address has no zone here".to_owned());
        let rest = text.get(address.len()..).unwrap_or("");
        return Err(fault
            .help("zones such as `%eth0` mean something on one machine only; leave it out")
            .instead(format!("{plain}{rest}")));
    }
    if address.matches(':').count() < 2 && !address.contains("::") {
        let fault = Fault::at(codes::E0022, 0..text.len(), format!("`{text}` is not an address"));
        return Err(fault.help(
            "ports are written `443/tcp`; a `:` between two expressions has spaces around it",
        ));
    }
    match address.parse::<Ipv6Addr>() {
        Ok(address) => finish(text, IpAddr::V6(address), prefix),
        Err(_) => Err(wrong_version_6(address)),
    }
}

fn wrong_version_6(address: &str) -> Box<Fault> {
    let mut at = 0;
    for group in address.split(':') {
        let hex = group.bytes().all(|b| b.is_ascii_hexdigit());
        if group.len() > 4 && hex || !hex && !group.contains('.') {
            let message = format!("`{group}` is not a group of an IPv6 address");
            let fault = Fault::at(codes::E0022, at..at + group.len(), message);
            return fault.help("a group has one to four of the digits 0 to 9 and a to f");
        }
        at += group.len() + 1;
    }
    let help = "an IPv6 address has eight groups; `::` stands once for groups of zeros";
    let message = format!("`{address}` is not an IPv6 address");
    Fault::at(codes::E0022, 0..address.len(), message).help(help)
}

/// An address and what follows the slash.
fn split_prefix(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    }
}

fn octet(text: &str, part: &str, range: std::ops::Range<usize>) -> Result<u8, Box<Fault>> {
    let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        let message = format!("`{part}` is not a part of an IPv4 address");
        let fault = Fault::at(codes::E0022, range, message);
        return Err(fault.help("an IPv4 address is four numbers from 0 to 255: `10.20.0.7`"));
    }
    if part.len() > 1 && part.starts_with('0') {
        let clean = part.trim_start_matches('0');
        let clean = if clean.is_empty() { "0" } else { clean };
        let instead = format!("{}{clean}{}", &text[..range.start], &text[range.end..]);
        let message = "a part of an address does not begin with 0".to_owned();
        let fault = Fault::at(codes::E0022, range, message);
        return Err(fault
            .help(format!("write `{instead}`; some programs read a leading 0 as octal"))
            .instead(instead));
    }
    part.parse().map_err(|_| {
        let message = format!("a part of an IPv4 address is at most 255, not {part}");
        Fault::at(codes::E0022, range, message).help("its four numbers go from 0 to 255")
    })
}

fn finish(text: &str, address: IpAddr, prefix: Option<&str>) -> Result<Value, Box<Fault>> {
    let Some(prefix) = prefix else {
        return Ok(Value::Ip(address));
    };
    let range = text.len() - prefix.len()..text.len();
    let longest = if address.is_ipv4() { 32_u8 } else { 128 };
    let length = match prefix.parse::<u8>() {
        Ok(length) if length <= longest && !prefix.starts_with('+') => length,
        _ => {
            let message = format!("`/{prefix}` is not the size of a network");
            let fault = Fault::at(codes::E0022, range, message);
            return Err(fault.help(format!("it is a number from /0 to /{longest}")));
        }
    };
    if prefix.len() > 1 && prefix.starts_with('0') {
        let clean = format!("{address}/{length}");
        let message = format!("`/{prefix}` begins with 0");
        let fault = Fault::at(codes::E0022, range, message);
        return Err(fault.help(format!("write `{clean}`")).instead(clean));
    }
    let Ok(network) = Cidr::new(address, length) else {
        let fault = Fault::at(codes::E0022, range, format!("`{text}` is not a network"));
        return Err(fault.help(format!("the size goes from /0 to /{longest}")));
    };
    let canonical = network.trunc();
    if canonical.addr() != address {
        let message = format!("{address} is inside the network, not its beginning");
        let fault = Fault::at(codes::E0023, 0..text.len(), message);
        return Err(fault
            .label(format!("the network of /{length} begins at {}", canonical.addr()))
            .help(format!("write `{canonical}`, or `{address}` for the one address"))
            .instead(canonical.to_string()));
    }
    Ok(Value::Cidr(canonical))
}

/// Reads `443/tcp`.
pub(super) fn port(text: &str, number: &str, protocol: &str) -> Result<Value, Box<Fault>> {
    if protocol.starts_with(|c: char| c.is_ascii_digit()) {
        let spaced = format!("{number} / {protocol}");
        let message = format!("`{text}` is neither a division nor a network");
        return Err(Fault::at(codes::E0014, 0..text.len(), message)
            .help(format!("to divide, write `{spaced}`; a network is written `10.20.0.0/24`"))
            .instead(spaced));
    }
    let range = number.len() + 1..text.len();
    let lower = protocol.to_ascii_lowercase();
    let protocol = match (protocol, lower.as_str()) {
        ("tcp", _) => Protocol::Tcp,
        ("udp", _) => Protocol::Udp,
        (_, "tcp" | "udp") => {
            let fault = Fault::at(codes::E0024, range, format!("`{protocol}` has small letters"));
            let clean = format!("{number}/{lower}");
            return Err(fault.help(format!("write `{clean}`")).instead(clean));
        }
        _ => {
            let message = format!("`{protocol}` is not a protocol with ports");
            let help = "ports are written `443/tcp` or `53/udp`; a division has spaces around `/`";
            return Err(Fault::at(codes::E0024, range, message).help(help));
        }
    };
    let range = 0..number.len();
    match number.replace('_', "").parse::<u16>() {
        Ok(0) => {
            let fault = Fault::at(codes::E0024, range, "there is no port 0".to_owned());
            Err(fault.help("ports go from 1 to 65535; leave `ports` out to allow all of them"))
        }
        Ok(_) if number.starts_with('0') => {
            let fault = Fault::at(codes::E0024, range, "a port does not begin with 0".to_owned());
            Err(fault.help("leave the leading zeros out"))
        }
        Ok(number) => Ok(Value::Port(Port { number, protocol })),
        Err(_) => {
            let fault = Fault::at(codes::E0024, range, format!("there is no port {number}"));
            Err(fault.help("ports go from 1 to 65535"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn addresses_networks_and_ports_are_read() {
        for text in
            ["10.20.0.7", "10.20.0.0/24", "0.0.0.0/0", "fd00:1::/64", "::1", "443/tcp", "53/udp"]
        {
            assert_eq!(read(text).map(|v| v.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (text, message, instead) in [
            ("10.20.300.0/24", "a part of an IPv4 address is at most 255, not 300", None),
            ("10.20.0.0/33", "`/33` is not the size of a network", None),
            ("10.20.0.0/024", "`/024` begins with 0", Some("10.20.0.0/24")),
            ("10.020.0.1", "a part of an address does not begin with 0", Some("10.20.0.1")),
            ("10.20.0", "an IPv4 address has four parts, this has 3", None),
            (
                "10.20.0.5/24",
                "10.20.0.5 is inside the network, not its beginning",
                Some("10.20.0.0/24"),
            ),
            ("fd00::1/64", "fd00::1 is inside the network, not its beginning", Some("fd00::/64")),
            ("fe80::1%eth0", "an address has no zone here", Some("fe80::1")),
            ("fd00::12345", "`12345` is not a group of an IPv6 address", None),
            ("fd00::1::2", "`fd00::1::2` is not an IPv6 address", None),
            ("0/tcp", "there is no port 0", None),
            ("65536/tcp", "there is no port 65536", None),
            ("443/TCP", "`TCP` has small letters", Some("443/tcp")),
            ("443/sctp", "`sctp` is not a protocol with ports", None),
            ("10/2", "`10/2` is neither a division nor a network", Some("10 / 2")),
        ] {
            let fault = read(text).expect_err(text);
            assert_eq!((fault.message.as_str(), fault.instead.as_deref()), (message, instead));
        }
    }
}
