//! Reads the file: the state, the open intents, the journal.

use std::collections::BTreeMap;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use tcloud_model::{ObjectId, Record, SealKey, sharing};
use uuid::Uuid;

use super::{Database, Failure};
use crate::Selection;
use crate::record;
use crate::store::{Standing, Stored};
use crate::{Entry, Filter, Hash, Head, Loaded, Logged, OpenIntent, Scope};

pub(super) fn load(database: &mut Database, selection: &Selection) -> Result<Loaded, Failure> {
    sharing::remembering(|| load_shared(database, selection))
}

fn load_shared(database: &mut Database, selection: &Selection) -> Result<Loaded, Failure> {
    // One transaction, so that everything is of the same moment.
    let transaction = database.connection.transaction()?;
    let scopes = scopes(&transaction, selection)?;
    let only = match selection {
        Selection::All => None,
        Selection::Only(_) => Some(scopes.keys().copied().collect::<Vec<i64>>()),
    };
    let mut loaded = Loaded::default();
    loaded.state.records = records(&transaction, only.as_deref())?;
    loaded.intents = intents(&transaction, &scopes)?;
    loaded.key =
        Some(transaction.query_row("SELECT key FROM about", [], |row| row.get(0).map(SealKey))?);
    scopes.into_values().for_each(|(scope, standing)| loaded.stands(scope, standing));
    Ok(loaded)
}

pub(super) fn open_intents(
    database: &mut Database,
    selection: &Selection,
) -> Result<Vec<(Scope, OpenIntent)>, Failure> {
    let transaction = database.connection.transaction()?;
    let scopes = scopes(&transaction, selection)?;
    intents(&transaction, &scopes)
}

/// The chosen scopes by their row numbers.
type Scopes = BTreeMap<i64, (Scope, Standing)>;

fn scopes(connection: &Connection, selection: &Selection) -> Result<Scopes, Failure> {
    let mut all = BTreeMap::new();
    let mut add = |row: &Row<'_>| -> Result<(), Failure> {
        let name: String = row.get(1)?;
        let scope: Scope = name.parse().map_err(Failure::damaged)?;
        let head = Head { serial: row.get(2)?, hash: Hash(row.get(3)?) };
        all.insert(row.get(0)?, (scope, Standing { head, generation: row.get(4)? }));
        Ok(())
    };
    match selection {
        Selection::All => {
            let mut select =
                connection.prepare("SELECT id, name, serial, head, generation FROM scopes")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                add(row)?;
            }
        }
        Selection::Only(scopes) => {
            let sql = "SELECT id, name, serial, head, generation FROM scopes WHERE name = ?1";
            let mut select = connection.prepare(sql)?;
            for scope in scopes {
                let mut rows = select.query([scope.to_string()])?;
                if let Some(row) = rows.next()? {
                    add(row)?;
                }
            }
        }
    }
    Ok(all)
}

fn records(
    connection: &Connection,
    only: Option<&[i64]>,
) -> Result<BTreeMap<ObjectId, Record>, Failure> {
    const COLUMNS: &str = "SELECT address, host, incarnation, body FROM records";
    let mut reader = Reader { records: Vec::with_capacity(ROOM) };
    match only {
        None => reader.read(connection, COLUMNS, &[])?,
        Some(scopes) => {
            let sql = format!("{COLUMNS} WHERE scope = ?1");
            for scope in scopes {
                reader.read(connection, &sql, &[Sql::Integer(*scope)])?;
            }
        }
    }
    Ok(BTreeMap::from_iter(reader.records))
}

/// Whose objects are remembered: all are of one deployment. `None` where there are none, and where they
/// cannot be read, which whoever loads them is told.
pub(super) fn deployment(database: &Database) -> Option<Uuid> {
    let mut reader = Reader::default();
    let one = "SELECT address, host, incarnation, body FROM records LIMIT 1";
    reader.read(&database.connection, one, &[]).ok()?;
    reader.records.pop().map(|(_, record)| record.stamp.deployment)
}

/// Records for which there is room from the start. What is not written to costs nothing, and growing
/// means to move all that is there.
const ROOM: usize = 8_192;

/// Reads records.
#[derive(Default)]
struct Reader {
    records: Vec<(ObjectId, Record)>,
}

impl Reader {
    fn read(&mut self, connection: &Connection, sql: &str, values: &[Sql]) -> Result<(), Failure> {
        let mut select = connection.prepare_cached(sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            self.add(row)?;
        }
        Ok(())
    }

    fn add(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        let text = |column: usize| row.get_ref(column)?.as_str().map_err(Failure::damaged);
        let (address, host) = (text(0)?, text(1)?);
        let address = sharing::address(address).map_err(Failure::damaged)?;
        let host = sharing::address(host).map_err(Failure::damaged)?;
        let object = ObjectId { address, host, incarnation: row.get(2)? };
        let record = record::from_json(&object, text(3)?)
            .map_err(|error| Failure::damaged(format!("the record of {object}: {error}")))?;
        self.records.push((object, record));
        Ok(())
    }
}

fn intents(connection: &Connection, scopes: &Scopes) -> Result<Vec<(Scope, OpenIntent)>, Failure> {
    let mut select = connection.prepare_cached("SELECT scope, body FROM intents")?;
    let mut rows = select.query([])?;
    let mut intents = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let Some((scope, _)) = scopes.get(&id) else { continue };
        let open = OpenIntent::from_json(row.get_ref(1)?.as_str().map_err(Failure::damaged)?)
            .map_err(|error| Failure::damaged(format!("an open intent in {scope}: {error}")))?;
        intents.push((scope.clone(), open));
    }
    intents.sort_by(|(a, left), (b, right)| (a, left.id).cmp(&(b, right.id)));
    Ok(intents)
}

pub(super) fn history(database: &mut Database, filter: &Filter) -> Result<Vec<Logged>, Failure> {
    let mut sql = "SELECT scopes.name, entries.serial, entries.generation, body FROM entries \
                   JOIN scopes ON scopes.id = entries.scope WHERE 1"
        .to_owned();
    let mut values = Vec::new();
    let Filter { scope, run, address, details, limit } = filter;
    // What is filtered here only saves work: `accepts` has the last word.
    if let Some(scope) = scope {
        sql.push_str(" AND scopes.name = ?");
        values.push(Sql::Text(scope.to_string()));
    }
    if let Some(run) = run {
        sql.push_str(" AND entries.run = ?");
        values.push(Sql::Blob(run.as_bytes().to_vec()));
    }
    if !*details && address.is_none() {
        sql.push_str(" AND summary = 1");
    }
    sql.push_str(" ORDER BY seq DESC");
    let mut select = database.connection.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(&values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if limit.is_some_and(|limit| found.len() >= limit) {
            break;
        }
        let name: String = row.get(0)?;
        let scope: Scope = name.parse().map_err(Failure::damaged)?;
        let serial = row.get(1)?;
        let entry = Entry::from_json(row.get_ref(3)?.as_str().map_err(Failure::damaged)?)
            .map_err(|error| Failure::damaged(format!("entry {serial} of {scope}: {error}")))?;
        if filter.accepts(&scope, &entry) {
            found.push(Logged { scope, serial, generation: row.get(2)?, entry });
        }
    }
    Ok(found)
}

pub(super) fn entries(
    database: &mut Database,
    scope: &Scope,
    from: u64,
    limit: u32,
) -> Result<Vec<Stored>, Failure> {
    let sql = "SELECT id FROM scopes WHERE name = ?1";
    let id: Option<i64> =
        database.connection.query_row(sql, [scope.to_string()], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(Vec::new()) };
    let sql = "SELECT serial, generation, hash, body FROM entries \
               WHERE scope = ?1 AND serial >= ?2 ORDER BY serial LIMIT ?3";
    let mut select = database.connection.prepare_cached(sql)?;
    let rows = select.query_map((id, from, limit), |row| {
        let (serial, generation, hash) = (row.get(0)?, row.get(1)?, Hash(row.get(2)?));
        Ok(Stored { serial, generation, hash, json: row.get(3)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
