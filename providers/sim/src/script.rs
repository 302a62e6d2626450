//! What a host is told to be and to do: its sizes, how long things take, what goes wrong. All of it
//! is kept in the host's file, and everything random in it comes from the seed.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use tcloud_model::Operation;

use crate::failure::Failure;
use crate::fault::{self, Fault};
use crate::latency::{self, Latency};

/// How large a host is that nobody described.
const VCPUS: u64 = 64;
const MEMORY: u64 = 256 << 30;
const POOL: u64 = 16 << 40;

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
            faults: fault::read(file)?,
            latencies: latency::read(file)?,
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
        latency::of(&self.latencies, self.seed, call)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_depends_on_the_seed_and_the_words() {
        assert_eq!(draw(1, &["a", "b"]), draw(1, &["a", "b"]));
        assert_ne!(draw(1, &["a", "b"]), draw(2, &["a", "b"]));
        assert_ne!(draw(1, &["a", "b"]), draw(1, &["ab", ""]));
    }
}
