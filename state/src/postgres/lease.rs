//! Leases in the database. Only the server's own clock is asked.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::error::Failure;
use super::read::{hash, stored, unsigned};
use super::session::Work;
use crate::store::Stored;
use crate::verify::check_end;
use crate::{Acquired, Head, Holder, Lease, LeaseRequest, Scope};

/// A moment in milliseconds.
const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// Takes leases.
pub(super) struct Acquire<'a>(pub(super) &'a LeaseRequest);

impl Work for Acquire<'_> {
    type Output = Acquired;
    const ACTION: &'static str = "take a lease";
    const WRITES: bool = true;
    // A second attempt would not know any more from whom the first one took it.
    const REPEATABLE: bool = false;

    async fn run(&self, client: &Client, _: bool) -> Result<Acquired, Failure> {
        let LeaseRequest { scopes, holder, ttl, ended: _ } = self.0;
        let places = lock(client, scopes).await?;
        let now: i64 = client.query_typed_one(CLOCK, &[]).await?.try_get(0)?;
        for (scope, place) in scopes.iter().zip(&places) {
            if let Some((other, expires)) = &place.held
                && *expires > now
                && self.0.waits_for(other)
            {
                let remaining = Duration::from_millis((expires - now).unsigned_abs());
                let (scope, holder) = (scope.clone(), other.clone());
                return Ok(Acquired::Held { scope, holder, remaining });
            }
        }
        let ids: Vec<i64> = places.iter().map(|place| place.id).collect();
        let mut ends = ends(client, &ids).await?;
        for (scope, place) in scopes.iter().zip(&places) {
            check_end(scope, place.head, &ends.remove(&place.id).unwrap_or_default())?;
        }
        let json = serde_json::to_string(holder).map_err(Failure::damaged)?;
        let sql = "UPDATE scopes SET generation = generation + 1, run = $2, holder = $3, \
                   expires = clock_timestamp() + $4 * interval '1 millisecond' WHERE id = ANY($1)";
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
            (&ids, Type::INT8_ARRAY),
            (&holder.run, Type::UUID),
            (&json, Type::TEXT),
            (&millis(*ttl), Type::FLOAT8),
        ];
        client.execute_typed(sql, &values).await?;
        let grant = |(scope, place): (&Scope, Place)| Lease {
            scope: scope.clone(),
            generation: place.generation + 1,
            head: place.head,
            taken_from: place.held.map(|(other, _)| other).filter(|other| other.run != holder.run),
        };
        Ok(Acquired::Granted(scopes.iter().zip(places).map(grant).collect()))
    }
}

/// A scope's row, locked to the end of the transaction.
pub(super) struct Place {
    pub(super) id: i64,
    pub(super) generation: u64,
    pub(super) head: Head,
    pub(super) run: Option<Uuid>,
    /// Who holds it, and until when by the server's clock.
    held: Option<(Holder, i64)>,
}

/// Makes the rows that are missing, and locks all of them, always in the order of their names: so
/// no two transactions wait for each other. The answer is in the order of the scopes.
async fn lock(client: &Client, scopes: &[Scope]) -> Result<Vec<Place>, Failure> {
    let names: Vec<String> = scopes.iter().map(Scope::to_string).collect();
    let heads: Vec<Vec<u8>> = scopes.iter().map(|s| Head::empty(s).hash.0.to_vec()).collect();
    let sql = "INSERT INTO scopes (name, generation, serial, head) \
               SELECT name, 0, 0, head FROM unnest($1::text[], $2::bytea[]) AS new (name, head) \
               WHERE NOT EXISTS (SELECT FROM scopes WHERE scopes.name = new.name) \
               ORDER BY name COLLATE \"C\" ON CONFLICT (name) DO NOTHING";
    let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&names, Type::TEXT_ARRAY), (&heads, Type::BYTEA_ARRAY)];
    client.execute_typed(sql, &values).await?;
    let mut found = locked(client, &names).await?;
    let take = |name| found.remove(name).ok_or_else(|| Failure::damaged("a scope is gone"));
    names.iter().map(take).collect()
}

/// Locks the rows of scopes that are there; the answer is by their names.
pub(super) async fn locked(
    client: &Client,
    names: &[String],
) -> Result<HashMap<String, Place>, Failure> {
    let sql = "SELECT name, id, generation, serial, head, run, holder, \
               (extract(epoch FROM expires) * 1000)::int8 FROM scopes WHERE name = ANY($1) \
               ORDER BY name FOR NO KEY UPDATE";
    let rows = client.query_typed(sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, place(row)?))).collect()
}

fn place(row: &Row) -> Result<Place, Failure> {
    let held = match (row.try_get::<_, Option<&str>>(6)?, row.try_get(7)?) {
        (Some(json), Some(expires)) => {
            Some((serde_json::from_str(json).map_err(Failure::damaged)?, expires))
        }
        _ => None,
    };
    Ok(Place {
        id: row.try_get(1)?,
        generation: unsigned(row, 2)?,
        head: Head { serial: unsigned(row, 3)?, hash: hash(row, 4)? },
        run: row.try_get(5)?,
        held,
    })
}

/// The last two entries of chains and what stands behind their ends, oldest first.
async fn ends(client: &Client, ids: &[i64]) -> Result<HashMap<i64, Vec<Stored>>, Failure> {
    // Looked up for each scope, however long the journal is.
    let sql = "SELECT last.serial, last.generation, last.hash, last.body, scopes.id FROM scopes \
               CROSS JOIN LATERAL (SELECT * FROM entries WHERE entries.scope = scopes.id \
                                   AND entries.serial >= scopes.serial - 1 \
                                   ORDER BY entries.serial LIMIT 3) AS last \
               WHERE scopes.id = ANY($1) ORDER BY scopes.id, last.serial";
    let mut ends: HashMap<i64, Vec<Stored>> = HashMap::new();
    for row in client.query_typed(sql, &[(&ids, Type::INT8_ARRAY)]).await? {
        ends.entry(row.try_get(4)?).or_default().push(stored(&row)?);
    }
    Ok(ends)
}

/// Renews the leases of a run.
pub(super) struct Renew {
    pub(super) run: Uuid,
    pub(super) ttl: Duration,
}

impl Work for Renew {
    type Output = u64;
    const ACTION: &'static str = "renew a lease";
    const WRITES: bool = true;

    async fn run(&self, client: &Client, _: bool) -> Result<u64, Failure> {
        let sql = "WITH held AS (SELECT id FROM scopes WHERE run = $1 ORDER BY name \
                                 FOR NO KEY UPDATE) \
                   UPDATE scopes SET expires = clock_timestamp() + $2 * interval '1 millisecond' \
                   FROM held WHERE scopes.id = held.id";
        let ttl = millis(self.ttl);
        Ok(client.execute_typed(sql, &[(&self.run, Type::UUID), (&ttl, Type::FLOAT8)]).await?)
    }
}

/// Gives the leases of a run back.
pub(super) struct Release(pub(super) Uuid);

impl Work for Release {
    type Output = ();
    const ACTION: &'static str = "give a lease back";
    const WRITES: bool = true;

    async fn run(&self, client: &Client, _: bool) -> Result<(), Failure> {
        let sql = "WITH held AS (SELECT id FROM scopes WHERE run = $1 ORDER BY name \
                                 FOR NO KEY UPDATE) \
                   UPDATE scopes SET run = NULL, holder = NULL, expires = NULL \
                   FROM held WHERE scopes.id = held.id";
        client.execute_typed(sql, &[(&self.0, Type::UUID)]).await?;
        Ok(())
    }
}

/// As the server multiplies intervals with.
#[expect(clippy::cast_precision_loss, reason = "no lease lasts 285,000 years")]
fn millis(duration: Duration) -> f64 {
    duration.as_millis() as f64
}
