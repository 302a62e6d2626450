//! What a host is told to be and to do: its sizes, how long things take, what goes wrong. All of it
//! is kept in the host's file, and everything random in it comes from the seed.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use tcloud_model::Operation;

use crate::failure::Failure;

/// How large a host is that nobody described.
const VCPUS: u64 = 64;
const MEMORY: u64 = 256 << 30;
const POOL: u64 = 16 << 40;

/// A call that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Only these operations: `create`, `update`, `delete`, `adopt`, `move`, `forget`, `migrate`,
    /// `observe`, `look`, `configure`. `None` for all of them.
    pub operation: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only objects whose name on the host or whose address is like this; `*` stands for anything.
    pub object: Option<String>,
    /// What happens instead.
    pub how: How,
    /// What the error says.
    pub message: String,
    /// How often; `None` for ever.
    pub times: Option<u32>,
    /// In how many of a hundred matching calls, decided by the seed.
    pub chance: u8,
}

/// What happens to a call that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// An error for good; nothing was done.
    Permanent,
    /// An error that passes; nothing was done.
    Transient,
    /// An error after which nobody knows; nothing was done.
    Unknown,
    /// The answer is lost: an error after which nobody knows; all was done.
    Lost,
    /// Success is claimed; nothing was done.
    Lie,
    /// No answer ever comes; nothing was done.
    Hang,
    /// A migration stops in the middle, after the target has the objects; any other operation is
    /// done without its stamp or its start.
    Halfway,
}

impl How {
    /// Every way, in the order of the documentation.
    pub const ALL: [How; 7] = [
        How::Permanent,
        How::Transient,
        How::Unknown,
        How::Lost,
        How::Lie,
        How::Hang,
        How::Halfway,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            How::Permanent => "permanent",
            How::Transient => "transient",
            How::Unknown => "unknown",
            How::Lost => "lost",
            How::Lie => "lie",
            How::Hang => "hang",
            How::Halfway => "halfway",
        }
    }

    /// The way of this word.
    pub fn of(word: &str) -> Option<How> {
        How::ALL.into_iter().find(|how| how.word() == word)
    }
}

/// How long calls take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Which operation; `None` for all that have no entry of their own.
    pub operation: Option<String>,
    /// Which kind; `None` for all that have no entry of their own.
    pub kind: Option<String>,
    /// How long, in milliseconds.
    pub milliseconds: u32,
    /// By how many percent it differs from call to call, at most 100; decided by the seed.
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

/// A call as scripts see it.
pub(crate) struct Call<'a> {
    /// The word of the operation.
    pub(crate) operation: &'a str,
    /// The object's kind; empty when the call is about the whole host.
    pub(crate) kind: &'a str,
    /// The object's name.
    pub(crate) name: &'a str,
    /// The object's address in the text.
    pub(crate) address: String,
}

impl<'a> Call<'a> {
    /// The call that asks for an operation.
    pub(crate) fn of(operation: &'a Operation) -> Call<'a> {
        Call {
            operation: operation.action.word(),
            kind: &operation.kind,
            name: &operation.identity.name,
            address: operation.object.address.to_string(),
        }
    }

    /// A call about the whole host.
    pub(crate) fn host(operation: &'a str) -> Call<'a> {
        Call { operation, kind: "", name: "", address: String::new() }
    }
}

/// The script as it is at the moment.
pub(crate) struct Script {
    /// Where everything random comes from.
    pub(crate) seed: u64,
    /// Logical CPUs.
    pub(crate) vcpus: u64,
    /// Memory in bytes.
    pub(crate) memory: u64,
    /// How many times over memory may be given to guests, in thousandths.
    pub(crate) overcommit: u64,
    /// The size of pools that do not say it, in bytes.
    pub(crate) pool: u64,
    /// Why the host cannot be reached, when it cannot.
    pub(crate) unreachable: Option<String>,
    faults: Vec<(i64, Fault)>,
    latencies: Vec<Latency>,
}

impl Script {
    /// Reads it.
    pub(crate) fn read(file: &Connection) -> Result<Script, Failure> {
        let mut script = Script {
            seed: 0,
            vcpus: VCPUS,
            memory: MEMORY,
            overcommit: 1_000,
            pool: POOL,
            unreachable: None,
            faults: read_faults(file)?,
            latencies: read_latencies(file)?,
        };
        // In the order of their names, so that what a person sets wins over what the text declares.
        let mut statement = file.prepare_cached("SELECT name, value FROM setting ORDER BY name")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
            let number = || value.parse::<u64>().ok();
            match name.as_str() {
                "seed" => script.seed = number().unwrap_or(script.seed),
                "declared.vcpus" | "vcpus" => script.vcpus = number().unwrap_or(script.vcpus),
                "declared.memory" | "memory" => script.memory = number().unwrap_or(script.memory),
                "declared.overcommit" => script.overcommit = number().unwrap_or(script.overcommit),
                "pool" => script.pool = number().unwrap_or(script.pool),
                "unreachable" => script.unreachable = Some(value),
                _ => {}
            }
        }
        Ok(script)
    }

    /// An error when the host is said to be unreachable.
    pub(crate) fn reach(&self) -> Result<(), Failure> {
        match &self.unreachable {
            Some(why) => Err(Failure::Away(format!("the host cannot be reached: {why}"))),
            None => Ok(()),
        }
    }

    /// The most memory that running guests may have together.
    pub(crate) fn guest_memory(&self) -> u64 {
        let most = u128::from(self.memory) * u128::from(self.overcommit) / 1_000;
        u64::try_from(most).unwrap_or(u64::MAX)
    }

    /// How long a call takes.
    pub(crate) fn latency(&self, call: &Call<'_>) -> Duration {
        let fits = |own: &Option<String>, word: &str| own.as_deref().is_none_or(|own| own == word);
        let found = self
            .latencies
            .iter()
            .filter(|own| fits(&own.operation, call.operation) && fits(&own.kind, call.kind))
            .max_by_key(|own| (own.kind.is_some(), own.operation.is_some()));
        let Some(latency) = found else { return Duration::ZERO };
        let whole = u64::from(latency.milliseconds);
        let span = whole * u64::from(latency.jitter.min(100)) / 100;
        let drawn = draw(self.seed, &[call.operation, call.kind, call.name]) % (2 * span + 1);
        Duration::from_millis(whole - span + drawn)
    }

    /// What goes wrong with a call, if something does. Counts it.
    pub(crate) fn fault(
        &self,
        file: &Connection,
        call: &Call<'_>,
    ) -> Result<Option<&Fault>, Failure> {
        for (id, fault) in &self.faults {
            if !fault.matches(call) || !fault.strikes(file, *id, self.seed)? {
                continue;
            }
            if fault.times.is_none() {
                return Ok(Some(fault));
            }
            let sql = "UPDATE fault SET remaining = remaining - 1 WHERE id = ?1 AND remaining > 0";
            if file.prepare_cached(sql)?.execute([id])? > 0 {
                return Ok(Some(fault));
            }
        }
        Ok(None)
    }
}

impl Fault {
    /// Whether it is about this call.
    fn matches(&self, call: &Call<'_>) -> bool {
        let Fault { operation, kind, object, how: _, message: _, times: _, chance: _ } = self;
        operation.as_deref().is_none_or(|word| word == call.operation)
            && kind.as_deref().is_none_or(|kind| kind == call.kind)
            && object
                .as_deref()
                .is_none_or(|like| is_like(call.name, like) || is_like(&call.address, like))
    }

    /// Whether this matching call is one of those that it is about.
    fn strikes(&self, file: &Connection, id: i64, seed: u64) -> Result<bool, Failure> {
        if self.chance >= 100 {
            return Ok(true);
        }
        let serial = next(file, "chance")?;
        let drawn = draw(seed, &[&id.to_string(), &serial.to_string()]) % 100;
        Ok(drawn < u64::from(self.chance))
    }

    /// Adds it to a script.
    pub(crate) fn write(&self, file: &Connection) -> Result<(), Failure> {
        let Fault { operation, kind, object, how, message, times, chance } = self;
        file.execute(
            "INSERT INTO fault (operation, kind, object, how, message, remaining, chance)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![operation, kind, object, how.word(), message, times, chance],
        )?;
        Ok(())
    }
}

fn read_faults(file: &Connection) -> Result<Vec<(i64, Fault)>, Failure> {
    let sql = "SELECT id, operation, kind, object, how, message, remaining, chance FROM fault
        WHERE remaining IS NULL OR remaining > 0 ORDER BY id";
    let mut statement = file.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next()? {
        let how: String = row.get(4)?;
        let Some(how) = How::of(&how) else { continue };
        faults.push((
            row.get(0)?,
            Fault {
                operation: row.get(1)?,
                kind: row.get(2)?,
                object: row.get(3)?,
                how,
                message: row.get(5)?,
                times: row.get(6)?,
                chance: row.get(7)?,
            },
        ));
    }
    Ok(faults)
}

fn read_latencies(file: &Connection) -> Result<Vec<Latency>, Failure> {
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

/// A setting.
pub(crate) fn get(file: &Connection, name: &str) -> Result<Option<String>, Failure> {
    let mut statement = file.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Changes a setting, or removes it.
pub(crate) fn set(file: &Connection, name: &str, value: Option<&str>) -> Result<(), Failure> {
    match value {
        Some(value) => file.execute("REPLACE INTO setting VALUES (?1, ?2)", [name, value])?,
        None => file.execute("DELETE FROM setting WHERE name = ?1", [name])?,
    };
    Ok(())
}

/// The next number of a counter, from 1.
pub(crate) fn next(file: &Connection, counter: &str) -> Result<u64, Failure> {
    let sql = "INSERT INTO counter VALUES (?1, 1)
        ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value";
    let number: i64 = file.prepare_cached(sql)?.query_row([counter], |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

/// A number drawn from the seed: the same for the same words.
pub(crate) fn draw(seed: u64, words: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
    for byte in words.iter().flat_map(|word| word.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // FNV alone leaves the low bits of similar words alike; this is the finish of SplitMix64.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Whether a text is like a pattern in which `*` stands for anything.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (text, pattern) in [("a.web-1", "a.*"), ("abc", "*"), ("abc", "a*b*c"), ("", "*")] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("abc", "ab"), ("ab", "a*bb"), ("abc", "*b"), ("aba", "ab*ba")] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }

    #[test]
    fn drawing_depends_on_the_seed_and_the_words() {
        assert_eq!(draw(1, &["a", "b"]), draw(1, &["a", "b"]));
        assert_ne!(draw(1, &["a", "b"]), draw(2, &["a", "b"]));
        assert_ne!(draw(1, &["a", "b"]), draw(1, &["ab", ""]));
    }
}
