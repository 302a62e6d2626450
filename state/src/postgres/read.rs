//! Reads the database: the state, the open intents, the journal.

use std::collections::BTreeMap;

use tcloud_model::{ObjectId, Record, SealKey, sharing};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::error::Failure;
use super::session::Work;
use crate::store::{Standing, Stored};
use crate::{Entry, Filter, Hash, Head, Loaded, Logged, OpenIntent, Scope, Selection, record};

/// Reads the state.
pub(super) struct Load<'a>(pub(super) &'a Selection);

impl Work for Load<'_> {
    type Output = Loaded;
    const ACTION: &'static str = "read the state";
    const WRITES: bool = false;

    async fn run(&self, client: &Client, _: bool) -> Result<Loaded, Failure> {
        let scopes = scopes(client, self.0).await?;
        let ids: Vec<i64> = scopes.keys().copied().collect();
        let sql = "SELECT address, host, incarnation, body FROM records WHERE scope = ANY($1)";
        let rows = client.query_typed(sql, &[(&ids, Type::INT8_ARRAY)]).await?;
        let intents = intents(client, &scopes).await?;
        let mut loaded = Loaded { intents, ..Loaded::default() };
        loaded.state.records = sharing::remembering(|| {
            let records: Result<Vec<_>, Failure> = rows.into_iter().map(read_record).collect();
            records.map(BTreeMap::from_iter)
        })?;
        let row = client.query_typed_one("SELECT key FROM about", &[]).await?;
        let key: &[u8] = row.try_get(0)?;
        loaded.key = Some(SealKey(key.try_into().map_err(Failure::damaged)?));
        scopes.into_values().for_each(|(scope, standing)| loaded.stands(scope, standing));
        Ok(loaded)
    }
}

/// Reads the open intents.
pub(super) struct Intents<'a>(pub(super) &'a Selection);

impl Work for Intents<'_> {
    type Output = Vec<(Scope, OpenIntent)>;
    const ACTION: &'static str = "read the state";
    const WRITES: bool = false;

    async fn run(&self, client: &Client, _: bool) -> Result<Self::Output, Failure> {
        let scopes = scopes(client, self.0).await?;
        intents(client, &scopes).await
    }
}

/// The chosen scopes that anybody ever held, by their row numbers.
type Scopes = BTreeMap<i64, (Scope, Standing)>;

async fn scopes(client: &Client, selection: &Selection) -> Result<Scopes, Failure> {
    let names: Option<Vec<String>> = match selection {
        Selection::All => None,
        Selection::Only(scopes) => Some(scopes.iter().map(Scope::to_string).collect()),
    };
    let sql = "SELECT id, name, serial, head, generation FROM scopes \
               WHERE generation > 0 AND ($1::text[] IS NULL OR name = ANY($1))";
    let rows = client.query_typed(sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    let read = |row: &Row| {
        let scope = row.try_get::<_, &str>(1)?.parse().map_err(Failure::damaged)?;
        let head = Head { serial: unsigned(row, 2)?, hash: hash(row, 3)? };
        Ok((row.try_get(0)?, (scope, Standing { head, generation: unsigned(row, 4)? })))
    };
    rows.iter().map(read).collect()
}

fn read_record(row: Row) -> Result<(ObjectId, Record), Failure> {
    let address = sharing::address(row.try_get(0)?).map_err(Failure::damaged)?;
    let host = sharing::address(row.try_get(1)?).map_err(Failure::damaged)?;
    let incarnation: i64 = row.try_get(2)?;
    let incarnation = u32::try_from(incarnation).map_err(Failure::damaged)?;
    let object = ObjectId { address, host, incarnation };
    let record = record::from_json(&object, row.try_get(3)?)
        .map_err(|error| Failure::damaged(format!("the record of {object}: {error}")))?;
    Ok((object, record))
}

async fn intents(client: &Client, scopes: &Scopes) -> Result<Vec<(Scope, OpenIntent)>, Failure> {
    let ids: Vec<i64> = scopes.keys().copied().collect();
    let sql = "SELECT scope, body FROM intents WHERE scope = ANY($1)";
    let rows = client.query_typed(sql, &[(&ids, Type::INT8_ARRAY)]).await?;
    let mut intents = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some((scope, _)) = scopes.get(&row.try_get(0)?) else { continue };
        let open = OpenIntent::from_json(row.try_get(1)?)
            .map_err(|error| Failure::damaged(format!("an open intent in {scope}: {error}")))?;
        intents.push((scope.clone(), open));
    }
    intents.sort_by(|(a, left), (b, right)| (a, left.id).cmp(&(b, right.id)));
    Ok(intents)
}

/// Reads the history.
pub(super) struct History<'a>(pub(super) &'a Filter);

/// How many rows of the history are read at a time: somebody who wants a few must not wait for all.
const PAGE: i64 = 2000;

impl Work for History<'_> {
    type Output = Vec<Logged>;
    const ACTION: &'static str = "read the journal";
    const WRITES: bool = false;

    async fn run(&self, client: &Client, _: bool) -> Result<Vec<Logged>, Failure> {
        let Filter { scope, run, address, details, limit } = self.0;
        let scope = scope.as_ref().map(Scope::to_string);
        let summary = !*details && address.is_none();
        let sql = "SELECT scopes.name, entries.serial, entries.generation, body, seq FROM entries \
                   JOIN scopes ON scopes.id = entries.scope \
                   WHERE seq < $1 AND ($2::text IS NULL OR scopes.name = $2) \
                   AND ($3::uuid IS NULL OR entries.run = $3) AND (summary OR NOT $4) \
                   ORDER BY seq DESC LIMIT $5";
        let (mut before, mut found) = (i64::MAX, Vec::new());
        loop {
            let values: [(&(dyn ToSql + Sync), Type); 5] = [
                (&before, Type::INT8),
                (&scope, Type::TEXT),
                (run, Type::UUID),
                (&summary, Type::BOOL),
                (&PAGE, Type::INT8),
            ];
            let rows = client.query_typed(sql, &values).await?;
            for row in &rows {
                if limit.is_some_and(|limit| found.len() >= limit) {
                    return Ok(found);
                }
                // What is filtered above only saves work: `accepts` has the last word.
                let logged = logged(row)?;
                if self.0.accepts(&logged.scope, &logged.entry) {
                    found.push(logged);
                }
                before = row.try_get(4)?;
            }
            if rows.is_empty() {
                return Ok(found);
            }
        }
    }
}

fn logged(row: &Row) -> Result<Logged, Failure> {
    let scope: Scope = row.try_get::<_, &str>(0)?.parse().map_err(Failure::damaged)?;
    let serial = unsigned(row, 1)?;
    let entry = Entry::from_json(row.try_get(3)?)
        .map_err(|error| Failure::damaged(format!("entry {serial} of {scope}: {error}")))?;
    Ok(Logged { scope, serial, generation: unsigned(row, 2)?, entry })
}

/// Reads entries as they are stored.
pub(super) struct Entries<'a> {
    pub(super) scope: &'a Scope,
    pub(super) from: u64,
    pub(super) limit: u32,
}

impl Work for Entries<'_> {
    type Output = Vec<Stored>;
    const ACTION: &'static str = "read the journal";
    const WRITES: bool = false;

    async fn run(&self, client: &Client, _: bool) -> Result<Vec<Stored>, Failure> {
        let sql = "SELECT entries.serial, entries.generation, hash, body FROM entries \
                   JOIN scopes ON scopes.id = entries.scope \
                   WHERE scopes.name = $1 AND entries.serial >= $2 ORDER BY 1 LIMIT $3";
        let values: [(&(dyn ToSql + Sync), Type); 3] = [
            (&self.scope.to_string(), Type::TEXT),
            (&signed(self.from)?, Type::INT8),
            (&i64::from(self.limit), Type::INT8),
        ];
        let rows = client.query_typed(sql, &values).await?;
        rows.iter().map(stored).collect()
    }
}

/// An entry from its serial, generation, hash and body.
pub(super) fn stored(row: &Row) -> Result<Stored, Failure> {
    let (serial, generation) = (unsigned(row, 0)?, unsigned(row, 1)?);
    Ok(Stored { serial, generation, hash: hash(row, 2)?, json: row.try_get(3)? })
}

/// A number that is never negative; the database has no type for it.
pub(super) fn unsigned(row: &Row, column: usize) -> Result<u64, Failure> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(Failure::damaged)
}

/// The other way round.
pub(super) fn signed(number: u64) -> Result<i64, Failure> {
    i64::try_from(number).map_err(Failure::damaged)
}

pub(super) fn hash(row: &Row, column: usize) -> Result<Hash, Failure> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map(Hash).map_err(|_| Failure::damaged("a hash is of another length"))
}
