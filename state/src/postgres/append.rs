//! Appends to the database: the conditions, the entries and what follows from them, in one
//! transaction of few round trips, however many entries there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tcloud_model::{ObjectId, Record};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::error::Failure;
use super::lease::{Place, locked};
use super::read::signed;
use super::session::Work;
use crate::fold::{self, FoldError, Projection};
use crate::{
    Append, Body, Entry, Intent, IntentId, OpenIntent, Outcome, RecordChange, Remembered, Scope,
    Sealed, StepResult, StoreError, record,
};

/// Values of a statement with their types.
type Values<'a, const N: usize> = [(&'a (dyn ToSql + Sync), Type); N];

/// Appends a batch.
pub(super) struct AppendAll<'a> {
    pub(super) run: Uuid,
    pub(super) batch: &'a [Append],
}

impl Work for AppendAll<'_> {
    type Output = ();
    const ACTION: &'static str = "write the journal";
    const WRITES: bool = true;

    async fn run(&self, client: &Client, again: bool) -> Result<(), Failure> {
        let names: Vec<String> = self.batch.iter().map(|part| part.scope.to_string()).collect();
        // A commit that was lost sight of holds its locks until it is over: once these are had,
        // what became of it is certain.
        let places = locked(client, &names).await?;
        if again && self.is_written(client, &places).await? {
            return Ok(());
        }
        let mut ids = HashMap::new();
        for (part, name) in self.batch.iter().zip(&names) {
            ids.insert(part.scope.clone(), self.check(part, places.get(name))?);
        }
        let mut tables = Tables::default();
        close(client, self.batch, &mut tables.announced).await?;
        for sealed in self.batch.iter().flat_map(|part| &part.entries) {
            tables.json.clone_from(&sealed.json);
            fold::add(&mut tables, &sealed.entry).map_err(|error| match error {
                FoldError::Projection(failure) => failure,
                FoldError::NoIntent(id) => Failure::damaged(FoldError::<String>::NoIntent(id)),
            })?;
        }
        find_missing(client, &mut ids, &tables).await?;
        let Tables { opened, records, .. } = &tables;
        // All of them are under way at the same time; the server takes them one by one.
        tokio::try_join!(
            advance(client, self.batch, &ids),
            write_entries(client, self.batch, &ids),
            write_intents(client, opened, &ids),
            remove_records(client, records, &ids),
            write_records(client, records, &ids),
        )?;
        Ok(())
    }
}

impl AppendAll<'_> {
    /// Whether an earlier attempt has written the batch; all of it is there then.
    async fn is_written(
        &self,
        client: &Client,
        places: &HashMap<String, Place>,
    ) -> Result<bool, Failure> {
        let last = self.batch.iter().find_map(|part| Some((&part.scope, part.entries.last()?)));
        let Some((scope, sealed)) = last else { return Ok(false) };
        let Some(place) = places.get(&scope.to_string()) else { return Ok(false) };
        let sql = "SELECT count(*) FROM entries WHERE scope = $1 AND serial = $2 AND hash = $3";
        let (serial, hash) = (signed(sealed.head.serial)?, &sealed.head.hash.0[..]);
        let values: Values<'_, 3> =
            [(&place.id, Type::INT8), (&serial, Type::INT8), (&hash, Type::BYTEA)];
        let count: i64 = client.query_typed_one(sql, &values).await?.try_get(0)?;
        Ok(count == 1)
    }

    /// The row number of a scope, if it is as the writer believes it to be.
    fn check(&self, part: &Append, place: Option<&Place>) -> Result<i64, Failure> {
        let Append { scope, generation, after, entries: _ } = part;
        match place {
            Some(place)
                if place.run == Some(self.run)
                    && place.generation == *generation
                    && place.head == *after =>
            {
                Ok(place.id)
            }
            _ => Err(StoreError::Fenced { scope: scope.clone() }.into()),
        }
    }
}

/// Takes away the intents of earlier batches that this one settles.
async fn close(
    client: &Client,
    batch: &[Append],
    announced: &mut HashMap<IntentId, Option<String>>,
) -> Result<(), Failure> {
    let mut opened = HashSet::new();
    let (mut runs, mut steps, mut needed) = (Vec::new(), Vec::new(), Vec::new());
    for Sealed { entry, .. } in batch.iter().flat_map(|part| &part.entries) {
        match &entry.body {
            Body::Intent(intent) => {
                opened.insert(IntentId { run: entry.run, step: intent.step });
            }
            Body::Outcome(Outcome { result: StepResult::Unknown { .. }, .. }) => {}
            Body::Outcome(Outcome { intent, remembered, .. }) if !opened.contains(intent) => {
                runs.push(intent.run);
                steps.push(i64::from(intent.step));
                needed.push(matches!(remembered, Remembered::Planned));
            }
            _ => {}
        }
    }
    if runs.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM intents \
               USING unnest($1::uuid[], $2::int8[], $3::bool[]) AS settled (run, step, needed) \
               WHERE intents.run = settled.run AND intents.step = settled.step \
               RETURNING intents.run, intents.step, CASE WHEN settled.needed THEN body END";
    let values: Values<'_, 3> =
        [(&runs, Type::UUID_ARRAY), (&steps, Type::INT8_ARRAY), (&needed, Type::BOOL_ARRAY)];
    for row in client.query_typed(sql, &values).await? {
        let step: i64 = row.try_get(1)?;
        let step = u32::try_from(step).map_err(Failure::damaged)?;
        announced.insert(IntentId { run: row.try_get(0)?, step }, row.try_get(2)?);
    }
    Ok(())
}

/// What the tables will hold beside the entries, as the fold says it.
#[derive(Default)]
struct Tables {
    /// The JSON form of the entry that is being folded.
    json: String,
    /// Intents that were taken from the database, with what was asked for of them.
    announced: HashMap<IntentId, Option<String>>,
    /// Intents of this batch that are still open.
    opened: BTreeMap<IntentId, (Scope, String)>,
    /// Records with their JSON form; `None` for those that go.
    records: BTreeMap<ObjectId, Option<String>>,
}

impl Projection for Tables {
    type Error = Failure;

    fn open(&mut self, entry: &Entry, intent: &Intent) -> Result<(), Failure> {
        let scope = Scope::of(&intent.operation.object.address);
        let id = IntentId { run: entry.run, step: intent.step };
        self.opened.insert(id, (scope, self.json.clone()));
        Ok(())
    }

    fn close(
        &mut self,
        id: IntentId,
        announced: bool,
    ) -> Result<Option<Vec<RecordChange>>, Failure> {
        let body = match self.opened.remove(&id) {
            Some((_, body)) => Some(body),
            None => match self.announced.remove(&id) {
                Some(body) => body,
                None => return Ok(None),
            },
        };
        let Some(body) = body.filter(|_| announced) else { return Ok(Some(Vec::new())) };
        let open = OpenIntent::from_json(&body).map_err(Failure::damaged)?;
        Ok(Some(open.intent.records))
    }

    fn change(&mut self, object: &ObjectId, record: Option<&Arc<Record>>) -> Result<(), Failure> {
        let json = record.map(|record| record::to_json(object, record));
        let json = json.transpose().map_err(Failure::damaged)?;
        self.records.insert(object.clone(), json);
        Ok(())
    }
}

/// Finds the rows of scopes that something is written to beside the journal.
async fn find_missing(
    client: &Client,
    ids: &mut HashMap<Scope, i64>,
    tables: &Tables,
) -> Result<(), Failure> {
    let records = tables.records.keys().map(|object| Scope::of(&object.address));
    let opened = tables.opened.values().map(|(scope, _)| scope.clone());
    let missing: HashSet<Scope> =
        records.chain(opened).filter(|scope| !ids.contains_key(scope)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(Scope::to_string).collect();
    let sql = "SELECT name, id FROM scopes WHERE name = ANY($1)";
    for row in client.query_typed(sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        let scope = row.try_get::<_, &str>(0)?.parse().map_err(Failure::damaged)?;
        ids.insert(scope, row.try_get(1)?);
    }
    Ok(())
}

fn id_of(ids: &HashMap<Scope, i64>, scope: &Scope) -> Result<i64, Failure> {
    ids.get(scope).copied().ok_or_else(|| StoreError::Fenced { scope: scope.clone() }.into())
}

/// Moves the heads of the chains on.
async fn advance(
    client: &Client,
    batch: &[Append],
    ids: &HashMap<Scope, i64>,
) -> Result<(), Failure> {
    let (mut scopes, mut serials, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for part in batch {
        let Some(last) = part.entries.last() else { continue };
        scopes.push(id_of(ids, &part.scope)?);
        serials.push(signed(last.head.serial)?);
        heads.push(&last.head.hash.0[..]);
    }
    let sql = "UPDATE scopes SET serial = new.serial, head = new.head \
               FROM unnest($1::int8[], $2::int8[], $3::bytea[]) AS new (id, serial, head) \
               WHERE scopes.id = new.id";
    let values: Values<'_, 3> =
        [(&scopes, Type::INT8_ARRAY), (&serials, Type::INT8_ARRAY), (&heads, Type::BYTEA_ARRAY)];
    client.execute_typed(sql, &values).await?;
    Ok(())
}

/// The columns of the entries of a batch.
#[derive(Default)]
struct Columns<'a> {
    scopes: Vec<i64>,
    serials: Vec<i64>,
    generations: Vec<i64>,
    runs: Vec<Uuid>,
    summaries: Vec<bool>,
    hashes: Vec<&'a [u8]>,
    bodies: Vec<&'a str>,
}

async fn write_entries(
    client: &Client,
    batch: &[Append],
    ids: &HashMap<Scope, i64>,
) -> Result<(), Failure> {
    let mut columns = Columns::default();
    for Append { scope, generation, after: _, entries } in batch {
        for sealed in entries {
            columns.scopes.push(id_of(ids, scope)?);
            columns.serials.push(signed(sealed.head.serial)?);
            columns.generations.push(signed(*generation)?);
            columns.runs.push(sealed.entry.run);
            columns.summaries.push(sealed.entry.body.is_summary());
            columns.hashes.push(&sealed.head.hash.0[..]);
            columns.bodies.push(&sealed.json);
        }
    }
    let sql = "INSERT INTO entries (scope, serial, generation, run, summary, hash, body) \
               SELECT scope, serial, generation, run, summary, hash, body \
               FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::uuid[], $5::bool[], \
                           $6::bytea[], $7::text[]) WITH ORDINALITY \
               AS new (scope, serial, generation, run, summary, hash, body, place) ORDER BY place";
    let values: Values<'_, 7> = [
        (&columns.scopes, Type::INT8_ARRAY),
        (&columns.serials, Type::INT8_ARRAY),
        (&columns.generations, Type::INT8_ARRAY),
        (&columns.runs, Type::UUID_ARRAY),
        (&columns.summaries, Type::BOOL_ARRAY),
        (&columns.hashes, Type::BYTEA_ARRAY),
        (&columns.bodies, Type::TEXT_ARRAY),
    ];
    client.execute_typed(sql, &values).await?;
    Ok(())
}

async fn write_intents(
    client: &Client,
    opened: &BTreeMap<IntentId, (Scope, String)>,
    ids: &HashMap<Scope, i64>,
) -> Result<(), Failure> {
    if opened.is_empty() {
        return Ok(());
    }
    let scopes = opened.values().map(|(scope, _)| id_of(ids, scope));
    let scopes = scopes.collect::<Result<Vec<i64>, Failure>>()?;
    let runs: Vec<Uuid> = opened.keys().map(|id| id.run).collect();
    let steps: Vec<i64> = opened.keys().map(|id| i64::from(id.step)).collect();
    let bodies: Vec<&str> = opened.values().map(|(_, body)| body.as_str()).collect();
    let sql = "INSERT INTO intents (scope, run, step, body) \
               SELECT * FROM unnest($1::int8[], $2::uuid[], $3::int8[], $4::text[])";
    let values: Values<'_, 4> = [
        (&scopes, Type::INT8_ARRAY),
        (&runs, Type::UUID_ARRAY),
        (&steps, Type::INT8_ARRAY),
        (&bodies, Type::TEXT_ARRAY),
    ];
    client.execute_typed(sql, &values).await?;
    Ok(())
}

/// The keys of records.
#[derive(Default)]
struct Keys {
    scopes: Vec<i64>,
    addresses: Vec<String>,
    hosts: Vec<String>,
    incarnations: Vec<i64>,
}

impl Keys {
    fn add(&mut self, ids: &HashMap<Scope, i64>, object: &ObjectId) -> Result<(), Failure> {
        let ObjectId { address, host, incarnation } = object;
        self.scopes.push(id_of(ids, &Scope::of(address))?);
        self.addresses.push(address.to_string());
        self.hosts.push(host.to_string());
        self.incarnations.push(i64::from(*incarnation));
        Ok(())
    }

    fn values(&self) -> Values<'_, 4> {
        [
            (&self.scopes, Type::INT8_ARRAY),
            (&self.addresses, Type::TEXT_ARRAY),
            (&self.hosts, Type::TEXT_ARRAY),
            (&self.incarnations, Type::INT8_ARRAY),
        ]
    }
}

async fn remove_records(
    client: &Client,
    records: &BTreeMap<ObjectId, Option<String>>,
    ids: &HashMap<Scope, i64>,
) -> Result<(), Failure> {
    let mut keys = Keys::default();
    for (object, _) in records.iter().filter(|(_, json)| json.is_none()) {
        // Where no scope is, there is no record either.
        if ids.contains_key(&Scope::of(&object.address)) {
            keys.add(ids, object)?;
        }
    }
    if keys.scopes.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM records \
               USING unnest($1::int8[], $2::text[], $3::text[], $4::int8[]) \
               AS gone (scope, address, host, incarnation) \
               WHERE records.scope = gone.scope AND records.address = gone.address \
               AND records.host = gone.host AND records.incarnation = gone.incarnation";
    client.execute_typed(sql, &keys.values()).await?;
    Ok(())
}

async fn write_records(
    client: &Client,
    records: &BTreeMap<ObjectId, Option<String>>,
    ids: &HashMap<Scope, i64>,
) -> Result<(), Failure> {
    let (mut keys, mut bodies) = (Keys::default(), Vec::new());
    for (object, json) in records {
        if let Some(json) = json {
            keys.add(ids, object)?;
            bodies.push(json.as_str());
        }
    }
    if bodies.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO records (scope, address, host, incarnation, body) \
               SELECT * FROM unnest($1::int8[], $2::text[], $3::text[], $4::int8[], $5::text[]) \
               ON CONFLICT (scope, address, host, incarnation) DO UPDATE SET body = excluded.body";
    let [scopes, addresses, hosts, incarnations] = keys.values();
    let values: Values<'_, 5> =
        [scopes, addresses, hosts, incarnations, (&bodies, Type::TEXT_ARRAY)];
    client.execute_typed(sql, &values).await?;
    Ok(())
}
