//! Leases in the file. Only the database's own clock is asked.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::{Database, Failure};
use crate::follow::{Damage, Part, refusal};
use crate::store::Stored;
use crate::{Acquired, Hash, Head, Holder, Lease, LeaseRequest, Scope};

/// Milliseconds since 1970, by the database.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

pub(super) fn acquire(
    database: &mut Database,
    request: &LeaseRequest,
) -> Result<Acquired, Failure> {
    let LeaseRequest { scopes, holder, ttl, ended: _ } = request;
    let behavior = TransactionBehavior::Immediate;
    let transaction = database.connection.transaction_with_behavior(behavior)?;
    let now: i64 = transaction.query_row(&format!("SELECT {NOW}"), [], |row| row.get(0))?;
    let mut rows = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let row = find(&transaction, scope)?;
        if let Some((other, expires)) = &row.held
            && *expires > now
            && request.waits_for(other)
        {
            let remaining = Duration::from_millis((expires - now).unsigned_abs());
            let (scope, holder) = (scope.clone(), other.clone());
            return Ok(Acquired::Held { scope, holder, remaining });
        }
        check(&transaction, scope, &row, scopes.len())?;
        rows.push(row);
    }
    let json = serde_json::to_string(holder).map_err(Failure::damaged)?;
    let expires = now.saturating_add(millis(*ttl));
    let mut leases = Vec::with_capacity(scopes.len());
    for (scope, row) in scopes.iter().zip(rows) {
        let sql = "UPDATE scopes SET generation = generation + 1, run = ?2, holder = ?3, \
                   expires = ?4 WHERE id = ?1";
        transaction.prepare_cached(sql)?.execute(params![row.id, holder.run, json, expires])?;
        database.scopes.insert(scope.clone(), row.id);
        leases.push(Lease {
            scope: scope.clone(),
            generation: row.generation + 1,
            head: row.head,
            taken_from: row.held.map(|(other, _)| other).filter(|other| other.run != holder.run),
        });
    }
    transaction.commit()?;
    Ok(Acquired::Granted(leases))
}

struct Row {
    id: i64,
    generation: u64,
    head: Head,
    held: Option<(Holder, i64)>,
}

/// Reads a scope's row, and makes it when there is none.
fn find(transaction: &Transaction<'_>, scope: &Scope) -> Result<Row, Failure> {
    let name = scope.to_string();
    let sql = "SELECT id, generation, serial, head, holder, expires FROM scopes WHERE name = ?1";
    let mut select = transaction.prepare_cached(sql)?;
    let found = select
        .query_row([&name], |row| {
            let held: (Option<String>, Option<i64>) = (row.get(4)?, row.get(5)?);
            let head = Head { serial: row.get(2)?, hash: Hash(row.get(3)?) };
            Ok((row.get(0)?, row.get(1)?, head, held))
        })
        .optional()?;
    let Some((id, generation, head, held)) = found else {
        let head = Head::empty(scope);
        let sql = "INSERT INTO scopes (name, generation, serial, head) VALUES (?1, 0, 0, ?2)";
        transaction.prepare_cached(sql)?.execute(params![name, head.hash.0])?;
        return Ok(Row { id: transaction.last_insert_rowid(), generation: 0, head, held: None });
    };
    let held = match held {
        (Some(json), Some(expires)) => {
            Some((serde_json::from_str(&json).map_err(Failure::damaged)?, expires))
        }
        _ => None,
    };
    Ok(Row { id, generation, head, held })
}

/// Follows the chain as far as that is done before anybody writes behind it.
fn check(
    transaction: &Transaction<'_>,
    scope: &Scope,
    row: &Row,
    scopes: usize,
) -> Result<(), Failure> {
    for part in Part::of(row.head, scopes) {
        if let Err(damage) = follow(transaction, scope, row, part)? {
            // What was met need not be the first that is wrong.
            let first = follow(transaction, scope, row, Part::all(row.head))?.err();
            return Err(refusal(&first.unwrap_or(damage)).into());
        }
    }
    Ok(())
}

fn follow(
    transaction: &Transaction<'_>,
    scope: &Scope,
    row: &Row,
    part: Part,
) -> Result<Result<(), Damage>, Failure> {
    let sql = "SELECT serial, generation, hash, body FROM entries \
               WHERE scope = ?1 AND serial BETWEEN ?2 AND ?3 ORDER BY serial";
    let mut select = transaction.prepare_cached(sql)?;
    let rows = select.query_map((row.id, part.first(), part.to), |row| {
        let (serial, generation, hash) = (row.get(0)?, row.get(1)?, Hash(row.get(2)?));
        Ok(Stored { serial, generation, hash, json: row.get(3)? })
    })?;
    let mut failed = None;
    let entries = rows.map_while(|stored| stored.map_err(|error| failed = Some(error)).ok());
    let followed = part.follow(scope, row.head, entries);
    failed.map_or(Ok(followed), |error| Err(error.into()))
}

pub(super) fn renew(database: &mut Database, run: Uuid, ttl: Duration) -> Result<u64, Failure> {
    let sql = format!("UPDATE scopes SET expires = {NOW} + ?2 WHERE run = ?1");
    let renewed = database.connection.execute(&sql, params![run, millis(ttl)])?;
    Ok(renewed as u64)
}

pub(super) fn release(database: &mut Database, run: Uuid) -> Result<(), Failure> {
    let sql = "UPDATE scopes SET run = NULL, holder = NULL, expires = NULL WHERE run = ?1";
    database.connection.execute(sql, [run])?;
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
