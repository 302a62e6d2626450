//! Storage: room in pools, volumes that are in use, and what cannot shrink.

use rusqlite::{Connection, OptionalExtension};
use tcloud_model::Name;
use tcloud_model::PoolFacts;
use tcloud_model::value::human_size;

use crate::class::Class;
use crate::failure::{Failure, quoted};
use crate::guest::used;
use crate::link;
use crate::object::{DEFAULT_POOL, Object};
use crate::script::Script;

/// The size of a pool in bytes; `None` when there is no such pool.
fn capacity(file: &Connection, script: &Script, pool: &str) -> Result<Option<u64>, Failure> {
    match Object::named(file, Class::Pool, pool)? {
        Some(pool) => Ok(Some(pool.live.number("capacity").unwrap_or(script.pool))),
        None if pool == DEFAULT_POOL => Ok(Some(script.pool)),
        None => Ok(None),
    }
}

/// Refuses a volume that its pool has no room for. What it has already counts as free.
pub(crate) fn check_room(
    file: &Connection,
    script: &Script,
    volume: &Object,
) -> Result<(), Failure> {
    let Some(pool) = volume.pool() else { return Ok(()) };
    let Some(capacity) = capacity(file, script, pool)? else {
        return Failure::refused(format!("there is no pool {} on the host", quoted(pool)));
    };
    let own: Option<i64> = file
        .prepare_cached("SELECT size FROM object WHERE id = ?1 AND pool = ?2")?
        .query_row(rusqlite::params![volume.id, pool], |row| row.get(0))
        .optional()?;
    let used = used(file, "pool", pool)?.saturating_sub(own.unwrap_or(0).unsigned_abs());
    let free = capacity.saturating_sub(used);
    let size = volume.live.number("size").unwrap_or(0);
    if size > free {
        return Failure::refused(format!(
            "volume {} needs {}, pool {} has {} left",
            quoted(&volume.name),
            human_size(size),
            quoted(pool),
            human_size(free)
        ));
    }
    Ok(())
}

/// Refuses a pool that is smaller than what is in it.
pub(crate) fn check_pool(file: &Connection, script: &Script, pool: &Object) -> Result<(), Failure> {
    let used = used(file, "pool", &pool.name)?;
    let capacity = pool.live.number("capacity").unwrap_or(script.pool);
    if capacity < used {
        return Failure::refused(format!(
            "pool {} holds {}, it cannot shrink to {}",
            quoted(&pool.name),
            human_size(used),
            human_size(capacity)
        ));
    }
    Ok(())
}

/// Refuses to delete what something else on the host still needs.
pub(crate) fn check_unused(file: &Connection, object: &Object) -> Result<(), Failure> {
    let name = quoted(&object.name);
    match object.class {
        Class::Volume => match link::user(file, Class::Volume, &object.name, false)? {
            Some(guest) => {
                Failure::refused(format!("volume {name} is in use by guest {}", quoted(&guest)))
            }
            None => Ok(()),
        },
        Class::Network => match link::user(file, Class::Network, &object.name, true)? {
            Some(guest) => Failure::refused(format!(
                "network {name} is in use by running guest {}",
                quoted(&guest)
            )),
            None => Ok(()),
        },
        Class::Pool if used(file, "pool", &object.name)? > 0 => {
            Failure::refused(format!("pool {name} holds volumes"))
        }
        Class::Pool | Class::Vm | Class::Image => Ok(()),
    }
}

/// The pools of a host, sorted by name.
pub(crate) fn pools(file: &Connection, script: &Script) -> Result<Vec<PoolFacts>, Failure> {
    let sql = "SELECT name FROM object WHERE class = 'pool' UNION SELECT ?1 ORDER BY 1";
    let mut statement = file.prepare_cached(sql)?;
    let mut rows = statement.query([DEFAULT_POOL])?;
    let mut pools = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let capacity = capacity(file, script, &name)?.unwrap_or(0);
        let free = capacity.saturating_sub(used(file, "pool", &name)?);
        pools.push(PoolFacts { name: Name::from(name), capacity, free });
    }
    Ok(pools)
}
