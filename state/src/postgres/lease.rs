//! Leases in the database. Only the server's own clock is asked.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::error::Failure;
use super::read::{hash, signed, stored, unsigned};
use super::session::Work;
use crate::follow::{Part, refusal};
use crate::store::Stored;
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
        check(client, scopes, &places).await?;
        let ids: Vec<i64> = places.iter().map(|place| place.id).collect();
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

/// Follows the chains as far as that is done before anybody writes behind them.
async fn check(client: &Client, scopes: &[Scope], places: &[Place]) -> Result<(), Failure> {
    let of = |place: &Place| Part::of(place.head, places.len());
    let parts: Vec<(usize, Part)> = (0..places.len())
        .flat_map(|at| of(&places[at]).into_iter().map(move |part| (at, part)))
        .collect();
    let rows = entries(client, places, &parts).await?;
    for ((at, part), stored) in parts.into_iter().zip(rows) {
        let (scope, head) = (&scopes[at], places[at].head);
        if let Err(damage) = part.follow(scope, head, stored.into_iter()) {
            // What was met need not be the first that is wrong.
            let all = entries(client, places, &[(at, Part::all(head))]).await?;
            let first = Part::all(head).follow(scope, head, all.into_iter().flatten()).err();
            return Err(refusal(&first.unwrap_or(damage)).into());
        }
    }
    Ok(())
}

/// The entries of each of these parts, oldest first; the number says to which place one belongs.
async fn entries(
    client: &Client,
    places: &[Place],
    parts: &[(usize, Part)],
) -> Result<Vec<Vec<Stored>>, Failure> {
    let sql = "SELECT own.serial, own.generation, own.hash, own.body, part.number FROM \
               unnest($1::int8[], $2::int8[], $3::int8[]) WITH ORDINALITY \
               AS part (scope, first, last, number) CROSS JOIN LATERAL \
               (SELECT * FROM entries WHERE entries.scope = part.scope \
                AND entries.serial BETWEEN part.first AND part.last) AS own \
               ORDER BY part.number, own.serial";
    let ids: Vec<i64> = parts.iter().map(|(at, _)| places[*at].id).collect();
    let first = parts.iter().map(|(_, part)| signed(part.first()));
    let first = first.collect::<Result<Vec<i64>, _>>()?;
    let last = parts.iter().map(|(_, part)| signed(part.to)).collect::<Result<Vec<i64>, _>>()?;
    let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
        [(&ids, Type::INT8_ARRAY), (&first, Type::INT8_ARRAY), (&last, Type::INT8_ARRAY)];
    let mut found = vec![Vec::new(); parts.len()];
    for row in client.query_typed(sql, &values).await? {
        let number = unsigned(&row, 4)?;
        let own = usize::try_from(number).ok().and_then(|number| found.get_mut(number - 1));
        own.ok_or_else(|| Failure::damaged("the database counts otherwise"))?.push(stored(&row)?);
    }
    Ok(found)
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
