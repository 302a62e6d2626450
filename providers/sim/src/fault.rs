//! Calls that go wrong, as a script says.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use tcloud_model::{Fields, Value};

use crate::failure::Failure;
use crate::script::{Call, draw, next};

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
    /// Success is told truly, but something else was done: an attribute has another value than
    /// asked for.
    Wrong,
    /// No answer ever comes; nothing was done.
    Hang,
    /// A migration stops in the middle, after the target has the objects; any other operation is
    /// done without its stamp or its start.
    Halfway,
}

impl How {
    /// Every way, in the order of the documentation.
    pub const ALL: [How; 8] = [
        How::Permanent,
        How::Transient,
        How::Unknown,
        How::Lost,
        How::Lie,
        How::Wrong,
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
            How::Wrong => "wrong",
            How::Hang => "hang",
            How::Halfway => "halfway",
        }
    }

    /// The way of this word.
    pub fn of(word: &str) -> Option<How> {
        How::ALL.into_iter().find(|how| how.word() == word)
    }
}

impl Fault {
    /// Whether it is about this call.
    pub(crate) fn matches(&self, call: &Call<'_>) -> bool {
        let Fault { operation, kind, object, how: _, message: _, times: _, chance: _ } = self;
        operation.as_deref().is_none_or(|word| word == call.operation)
            && kind.as_deref().is_none_or(|kind| kind == call.kind)
            && object
                .as_deref()
                .is_none_or(|like| is_like(call.name, like) || is_like(&call.address, like))
    }

    /// Whether this matching call is one of those that it is about.
    pub(crate) fn strikes(&self, file: &Connection, id: i64, seed: u64) -> Result<bool, Failure> {
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

    /// The error that it makes.
    pub(crate) fn failure(&self) -> Failure {
        let message = self.message.clone();
        match self.how {
            How::Permanent => Failure::Refused(message),
            How::Transient => Failure::Away(message),
            How::Unknown | How::Lost | How::Lie | How::Wrong | How::Hang | How::Halfway => {
                Failure::Unknown(message)
            }
        }
    }
}

/// Gives the first attribute that has a simple value another one.
pub(crate) fn spoil(fields: &mut Fields) {
    let other = |value: &Value| match value {
        Value::Bool(flag) => Some(Value::Bool(!flag)),
        Value::Int(number) => Some(Value::Int(number.saturating_add(1))),
        Value::Bytes(bytes) => Some(Value::Bytes(bytes.saturating_add(1))),
        Value::Text(text) => Some(Value::text(&format!("not-{text}"))),
        _ => None,
    };
    let spoiled = fields
        .iter()
        .filter(|(name, _)| **name != "running")
        .find_map(|(name, value)| Some((name.clone(), other(value)?)));
    if let Some((name, value)) = spoiled {
        fields.insert(name, value);
    }
}

/// The faults that are not used up, oldest first.
pub(crate) fn read(file: &Connection) -> Result<Vec<(i64, Fault)>, Failure> {
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

/// Whether a text is like a pattern in which `*` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
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
}
