//! The units of the language, and what people write instead of them.

use tcloud_model::Value;
use tcloud_model::value::{DURATIONS, RATES, SIZES};

/// What an amount measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Size,
    Rate,
    Duration,
}

impl Dimension {
    /// An amount in the base unit: bytes, bits per second, milliseconds.
    pub(super) fn value(self, amount: u64) -> Value {
        match self {
            Dimension::Size => Value::Bytes(amount),
            Dimension::Rate => Value::Rate(amount),
            Dimension::Duration => Value::Duration(amount),
        }
    }

    /// The smallest unit.
    pub(super) fn base(self) -> &'static str {
        match self {
            Dimension::Size => "byte",
            Dimension::Rate => "bit per second",
            Dimension::Duration => "millisecond",
        }
    }
}

/// What a unit measures and how many base units it is.
pub(super) fn find(unit: &str) -> Option<(Dimension, u64)> {
    let tables: [(Dimension, &[(&str, u64)]); 3] =
        [(Dimension::Size, &SIZES), (Dimension::Rate, &RATES), (Dimension::Duration, &DURATIONS)];
    tables.iter().find_map(|(dimension, units)| {
        let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
        Some((*dimension, *factor))
    })
}

/// Spellings of other tools and of everyday writing, in lower case.
const ALIASES: [(&str, &str); 36] = [
    ("gib", "GiB"),
    ("gi", "GiB"),
    ("g", "GiB"),
    ("gig", "GiB"),
    ("gb", "GB"),
    ("gbyte", "GB"),
    ("gbytes", "GB"),
    ("mib", "MiB"),
    ("mi", "MiB"),
    ("mb", "MB"),
    ("mbytes", "MB"),
    ("kib", "KiB"),
    ("ki", "KiB"),
    ("k", "KiB"),
    ("kb", "kB"),
    ("tib", "TiB"),
    ("ti", "TiB"),
    ("t", "TiB"),
    ("tb", "TB"),
    ("pib", "PiB"),
    ("pi", "PiB"),
    ("b", "B"),
    ("bytes", "B"),
    ("gbit", "Gbit/s"),
    ("gbps", "Gbit/s"),
    ("mbit", "Mbit/s"),
    ("mbps", "Mbit/s"),
    ("kbit", "kbit/s"),
    ("kbps", "kbit/s"),
    ("bps", "bit/s"),
    ("msec", "ms"),
    ("minute", "min"),
    ("sec", "s"),
    ("second", "s"),
    ("hour", "h"),
    ("day", "d"),
];

/// The unit that was probably meant.
pub(super) fn meant(unit: &str) -> Option<&'static str> {
    let lower = unit.to_ascii_lowercase();
    let every = SIZES.iter().chain(&RATES).chain(&DURATIONS).map(|(name, _)| *name);
    every
        .filter(|name| name.eq_ignore_ascii_case(unit))
        .find(|name| name.len() > 1)
        .or_else(|| alias(&lower))
        .or_else(|| alias(lower.strip_suffix('s')?))
        .or_else(|| alias(lower.strip_suffix("/s")?).filter(|unit| unit.ends_with("bit/s")))
}

fn alias(word: &str) -> Option<&'static str> {
    let (_, unit) = ALIASES.iter().find(|(alias, _)| *alias == word)?;
    Some(unit)
}

/// What kinds of units there are, for help texts.
pub(super) const OVERVIEW: &str = "sizes: MiB, GiB, TiB (powers of 1024), MB, GB, TB (powers of \
    1000); rates: Mbit/s, Gbit/s; durations: ms, s, min, h, d; and %";
