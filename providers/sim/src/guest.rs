//! Guests: starting, stopping, and the memory that they need.

use rusqlite::{Connection, OptionalExtension};
use tcloud_model::value::human_size;
use tcloud_model::{Fields, Value};

use crate::class::Class;
use crate::failure::{Failure, quoted};
use crate::link;
use crate::object::Object;
use crate::script::{Script, draw, next};

/// Starts a guest: what waited for it takes effect.
pub(crate) fn start(file: &Connection, script: &Script, guest: &mut Object) -> Result<(), Failure> {
    guest.live = guest.persistent();
    guest.pending = Fields::new();
    check_memory(file, script, guest)?;
    check_attached(file, guest)?;
    guest.running = Some(true);
    if guest.live.get("running").is_some() {
        guest.live.insert("running", Value::Bool(true));
    }
    link::check(file, guest)?;
    guest.boots += 1;
    guest.started = Some(next(file, "start")?);
    write_volumes(file, script, guest)
}

/// Stops a guest. A guest that does not run has only its persistent definition.
pub(crate) fn stop(guest: &mut Object) {
    guest.live = guest.persistent();
    guest.pending = Fields::new();
    guest.live.insert("running", Value::Bool(false));
    guest.running = Some(false);
    guest.started = None;
}

/// Refuses what a host has no memory for. The guest's own share counts as free.
pub(crate) fn check_memory(
    file: &Connection,
    script: &Script,
    guest: &Object,
) -> Result<(), Failure> {
    let needed = guest.live.number("memory").unwrap_or(0);
    let own: Option<i64> = file
        .prepare_cached("SELECT memory FROM object WHERE id = ?1")?
        .query_row([guest.id], |row| row.get(0))
        .optional()?;
    let used = used(file, "memory", "")?.saturating_sub(own.unwrap_or(0).unsigned_abs());
    let free = script.guest_memory().saturating_sub(used);
    if needed > free {
        return Failure::refused(format!(
            "guest {} needs {} of memory, the host has {} left for guests",
            quoted(&guest.name),
            human_size(needed),
            human_size(free)
        ));
    }
    Ok(())
}

/// How much of something is in use: `memory` of the host, or a `pool`, in bytes.
pub(crate) fn used(file: &Connection, what: &str, name: &str) -> Result<u64, Failure> {
    let used: Option<i64> = file
        .prepare_cached("SELECT used FROM usage WHERE what = ?1 AND name = ?2")?
        .query_row([what, name], |row| row.get(0))
        .optional()?;
    Ok(used.and_then(|used| u64::try_from(used).ok()).unwrap_or(0))
}

pub(crate) fn check_attached(file: &Connection, guest: &Object) -> Result<(), Failure> {
    let sql = "SELECT 1 FROM object WHERE class = ?1 AND name = ?2";
    for link in link::links(&guest.live) {
        let mut statement = file.prepare_cached(sql)?;
        if !statement.exists([link.class.word(), link.target.as_str()])? {
            return Failure::refused(format!(
                "guest {} cannot start: there is no {} {} on the host",
                quoted(&guest.name),
                link.class.word(),
                quoted(&link.target)
            ));
        }
    }
    Ok(())
}

/// A guest that runs writes to its volumes.
pub(crate) fn write_volumes(
    file: &Connection,
    script: &Script,
    guest: &Object,
) -> Result<(), Failure> {
    let attached = link::links(&guest.live).into_iter().filter(|link| link.class == Class::Volume);
    for link in attached {
        if let Some(mut volume) = Object::named(file, Class::Volume, &link.target)?
            && volume.written.unwrap_or(0) == 0
        {
            volume.written = Some(filled(script.seed, &volume, 2));
            volume.write(file)?;
        }
    }
    Ok(())
}

/// How many bytes of a volume are written: 1 to 2 percent for each of `weight`.
pub(crate) fn filled(seed: u64, volume: &Object, weight: u64) -> u64 {
    let size = volume.live.number("size").unwrap_or(0);
    let share = 100 + draw(seed, &[&volume.uuid.to_string(), "written"]) % 100;
    let bytes = u128::from(size) * u128::from(share * weight) / 10_000;
    u64::try_from(bytes).unwrap_or(size).clamp(1, size.max(1))
}
