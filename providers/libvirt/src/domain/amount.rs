//! Sizes and rates in libvirt's units.

use crate::xml::Element;

/// The bytes that an element with a `unit` stands for. Without a unit, memory is in KiB.
pub(super) fn bytes(element: &Element) -> Option<u64> {
    let number: u64 = element.content().parse().ok()?;
    let unit = match element.get("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1_000,
        "k" | "K" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Bytes in KiB, rounded up: what libvirt itself writes.
pub(super) fn kib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 10)
}

/// A rate in bits a second as kilobytes a second, rounded up.
pub(super) fn kilobytes(rate: u64) -> u64 {
    rate.div_ceil(8_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood() {
        for (xml, expected) in [
            ("<memory>1024</memory>", Some(1 << 20)),
            ("<memory unit='GiB'>2</memory>", Some(2 << 30)),
            ("<memory unit='MB'>2</memory>", Some(2_000_000)),
            ("<memory unit='furlong'>2</memory>", None),
            ("<memory unit='TiB'>18446744073709551615</memory>", None),
            ("<memory>much</memory>", None),
        ] {
            assert_eq!(bytes(&Element::parse(xml).expect(xml)), expected, "{xml}");
        }
        assert_eq!((kib(1), kib(1024), kilobytes(1), kilobytes(1_000_000)), (1, 1, 1, 125));
    }
}
