//! How disks and NICs of a guest keep their names: libvirt keeps an alias that begins with `ua-` for
//! whoever made the device, in both definitions. A device without one has a name made from what it
//! cannot lose: its target or its MAC.

use std::fmt::Write as _;

use tcloud_model::Name;

use crate::xml::Element;

/// What an alias of ours begins with, for disks.
pub const DISK: &str = "ua-disk-";
/// What an alias of ours begins with, for NICs.
pub const NIC: &str = "ua-nic-";
/// The alias of the medium that the guest reads its first settings from.
pub const SEED: &str = "ua-seed";

/// The alias for a name. Aliases hold letters, digits, `-` and `_`; every other character, and `_`
/// itself, is written as `_` and its code.
pub fn alias(prefix: &str, label: &str) -> String {
    let mut alias = prefix.to_owned();
    for c in label.chars() {
        if c.is_ascii_alphanumeric() || c == '-' {
            alias.push(c);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(alias, "_{:x}_", u32::from(c));
        }
    }
    alias
}

/// The name that an alias was made from; `None` when it is not one of ours.
pub fn label(prefix: &str, alias: &str) -> Option<Name> {
    let mut rest = alias.strip_prefix(prefix)?;
    let mut label = String::new();
    while let Some(at) = rest.find('_') {
        let (plain, coded) = rest.split_at(at);
        let (code, after) = coded.get(1..)?.split_once('_')?;
        label.push_str(plain);
        label.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = after;
    }
    label.push_str(rest);
    (!label.is_empty()).then(|| Name::from(label))
}

/// The name of a disk.
pub fn of_disk(disk: &Element) -> Option<Name> {
    let alias = disk.find("alias").and_then(|alias| alias.get("name"));
    let target = || disk.find("target").and_then(|target| target.get("dev")).map(Name::new);
    alias.and_then(|alias| label(DISK, alias)).or_else(target)
}

/// The name of a NIC.
pub fn of_nic(nic: &Element) -> Option<Name> {
    let alias = nic.find("alias").and_then(|alias| alias.get("name"));
    let mac = || {
        let mac = nic.find("mac")?.get("address")?;
        let digits: String = mac.chars().filter(char::is_ascii_hexdigit).collect();
        Some(Name::from(format!("nic-{}", digits.get(6..)?.to_ascii_lowercase())))
    };
    alias.and_then(|alias| label(NIC, alias)).or_else(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_from_its_alias() {
        for name in ["root", "web-1", "data[1]", "data[\"a.b\"]", "_", "ä", "a_5f_b", "-"] {
            let alias = alias(DISK, name);
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(alias.chars().all(allowed), "{alias}");
            assert_eq!(label(DISK, &alias).as_deref(), Some(name), "{alias}");
        }
        assert_eq!(label(DISK, "ua-nic-a"), None);
        assert_eq!(label(DISK, "ua-disk-a_zz_"), None);
        assert_eq!(label(DISK, "ua-disk-a_61"), None);
        assert_eq!(label(DISK, "virtio-disk0"), None);
    }

    #[test]
    fn a_device_of_others_is_named_after_what_it_cannot_lose() {
        let disk = Element::parse("<disk><target dev='vda'/><alias name='virtio-disk0'/></disk>");
        assert_eq!(of_disk(&disk.expect("XML")).as_deref(), Some("vda"));
        let nic = Element::parse("<interface><mac address='52:54:00:AB:cd:01'/></interface>");
        assert_eq!(of_nic(&nic.expect("XML")).as_deref(), Some("nic-abcd01"));
    }
}
