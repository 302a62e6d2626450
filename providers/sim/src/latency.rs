//! How long calls take, as a script says.

use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::script::{Call, draw};

/// How long calls take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Which operation; `None` for all that have no entry of their own.
    pub operation: Option<String>,
    /// Which kind; `None` for all that have no entry of their own.
    pub kind: Option<String>,
    /// How long, in milliseconds.
    pub milliseconds: u32,
    /// By how many percent it differs from object to object, at most 100; decided by the seed.
    pub jitter: u8,
}

impl Latency {
    /// What a small, quick host takes.
    pub fn realistic() -> Vec<Latency> {
        [
            ("create", "image", 4_000),
            ("create", "volume", 300),
            ("create", "disk", 300),
            ("create", "network", 250),
            ("create", "pool", 200),
            ("create", "vm", 1_500),
            ("update", "", 150),
            ("delete", "", 200),
            ("migrate", "", 5_000),
            ("observe", "", 120),
            ("configure", "", 40),
        ]
        .map(|(operation, kind, milliseconds)| Latency {
            operation: Some(operation.to_owned()),
            kind: Some(kind.to_owned()).filter(|kind| !kind.is_empty()),
            milliseconds,
            jitter: 20,
        })
        .into()
    }
}

/// How long a call takes.
pub(crate) fn of(latencies: &[Latency], seed: u64, call: &Call<'_>) -> Duration {
    let fits = |own: &Option<String>, word: &str| own.as_deref().is_none_or(|own| own == word);
    let found = latencies
        .iter()
        .filter(|own| fits(&own.operation, call.operation) && fits(&own.kind, call.kind))
        .max_by_key(|own| (own.kind.is_some(), own.operation.is_some()));
    let Some(latency) = found else { return Duration::ZERO };
    let whole = u64::from(latency.milliseconds);
    let span = whole * u64::from(latency.jitter.min(100)) / 100;
    let drawn = draw(seed, &[call.operation, call.kind, call.name]) % (2 * span + 1);
    Duration::from_millis(whole - span + drawn)
}

/// What a script says.
pub(crate) fn read(file: &Connection) -> Result<Vec<Latency>, Failure> {
    let sql = "SELECT operation, kind, milliseconds, jitter FROM latency ORDER BY 1, 2";
    let mut statement = file.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut latencies = Vec::new();
    while let Some(row) = rows.next()? {
        let word = |at| row.get::<_, String>(at).map(|word| Some(word).filter(|w| !w.is_empty()));
        latencies.push(Latency {
            operation: word(0)?,
            kind: word(1)?,
            milliseconds: row.get(2)?,
            jitter: row.get(3)?,
        });
    }
    Ok(latencies)
}
