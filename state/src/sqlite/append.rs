//! Appends to the file: the conditions, the entries and what follows from them, in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tcloud_model::{ObjectId, Record};
use uuid::Uuid;

use super::{Database, Failure};
use crate::fold::{self, FoldError, Projection};
use crate::record;
use crate::{Append, Entry, Intent, IntentId, OpenIntent, RecordChange, Scope, StoreError};

pub(super) fn append(database: &mut Database, run: Uuid, batch: &[Append]) -> Result<(), Failure> {
    let behavior = TransactionBehavior::Immediate;
    let transaction = database.connection.transaction_with_behavior(behavior)?;
    let mut tables = Tables {
        connection: &transaction,
        scopes: &mut database.scopes,
        announced: &mut database.announced,
        json: String::new(),
    };
    for part in batch {
        tables.advance(run, part)?;
    }
    for Append { scope, generation, after: _, entries } in batch {
        let id = tables.scope(scope)?;
        for sealed in entries {
            let sql = "INSERT INTO entries (scope, serial, generation, run, summary, hash, body) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let summary = sealed.entry.body.is_summary();
            let (serial, hash) = (sealed.head.serial, sealed.head.hash.0);
            tables.connection.prepare_cached(sql)?.execute(params![
                id,
                serial,
                generation,
                sealed.entry.run,
                summary,
                hash,
                sealed.json
            ])?;
            tables.json.clone_from(&sealed.json);
            fold::add(&mut tables, &sealed.entry).map_err(|error| match error {
                FoldError::Projection(failure) => failure,
                FoldError::NoIntent(id) => Failure::damaged(FoldError::<String>::NoIntent(id)),
            })?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The tables, as the fold writes to them.
struct Tables<'a> {
    connection: &'a Connection,
    scopes: &'a mut HashMap<Scope, i64>,
    announced: &'a mut HashMap<IntentId, Vec<RecordChange>>,
    /// The JSON form of the entry that is being folded.
    json: String,
}

impl Tables<'_> {
    /// Moves the head of a chain on, if it is where the writer believes it to be.
    fn advance(&mut self, run: Uuid, part: &Append) -> Result<(), Failure> {
        let Append { scope, generation, after, entries } = part;
        let head = entries.last().map_or(*after, |last| last.head);
        let sql = "UPDATE scopes SET serial = ?1, head = ?2 WHERE name = ?3 AND run = ?4 \
                   AND generation = ?5 AND serial = ?6 AND head = ?7";
        let changed = self.connection.prepare_cached(sql)?.execute(params![
            head.serial,
            head.hash.0,
            scope.to_string(),
            run,
            generation,
            after.serial,
            after.hash.0
        ])?;
        if changed == 1 {
            return Ok(());
        }
        Err(StoreError::Fenced { scope: scope.clone() }.into())
    }

    fn scope(&mut self, scope: &Scope) -> Result<i64, Failure> {
        if let Some(id) = self.scopes.get(scope) {
            return Ok(*id);
        }
        let sql = "SELECT id FROM scopes WHERE name = ?1";
        let id = self.connection.query_row(sql, [scope.to_string()], |row| row.get(0))?;
        self.scopes.insert(scope.clone(), id);
        Ok(id)
    }
}

impl Projection for Tables<'_> {
    type Error = Failure;

    fn open(&mut self, entry: &Entry, intent: &Intent) -> Result<(), Failure> {
        let scope = self.scope(&Scope::of(&intent.operation.object.address))?;
        let sql = "INSERT INTO intents (scope, run, step, body) VALUES (?1, ?2, ?3, ?4)";
        let values = params![scope, entry.run, intent.step, self.json];
        self.connection.prepare_cached(sql)?.execute(values)?;
        let id = IntentId { run: entry.run, step: intent.step };
        self.announced.insert(id, intent.records.clone());
        Ok(())
    }

    fn close(
        &mut self,
        id: IntentId,
        announced: bool,
    ) -> Result<Option<Vec<RecordChange>>, Failure> {
        let IntentId { run, step } = id;
        let known = self.announced.remove(&id).or_else(|| (!announced).then(Vec::new));
        if let Some(known) = known {
            let sql = "DELETE FROM intents WHERE run = ?1 AND step = ?2";
            let removed = self.connection.prepare_cached(sql)?.execute(params![run, step])?;
            return Ok((removed == 1).then_some(known));
        }
        let sql = "DELETE FROM intents WHERE run = ?1 AND step = ?2 RETURNING body";
        let mut delete = self.connection.prepare_cached(sql)?;
        let body: Option<String> =
            delete.query_row(params![run, step], |row| row.get(0)).optional()?;
        let Some(body) = body else { return Ok(None) };
        let open = OpenIntent::from_json(&body).map_err(Failure::damaged)?;
        Ok(Some(open.intent.records))
    }

    fn change(&mut self, object: &ObjectId, record: Option<&Arc<Record>>) -> Result<(), Failure> {
        let scope = self.scope(&Scope::of(&object.address))?;
        let ObjectId { address, host, incarnation } = object;
        let (address, host) = (address.to_string(), host.to_string());
        let Some(record) = record else {
            let sql = "DELETE FROM records WHERE scope = ?1 AND address = ?2 AND host = ?3 \
                       AND incarnation = ?4";
            let values = params![scope, address, host, incarnation];
            self.connection.prepare_cached(sql)?.execute(values)?;
            return Ok(());
        };
        let body = record::to_json(object, record).map_err(Failure::damaged)?;
        let sql = "INSERT OR REPLACE INTO records (scope, address, host, incarnation, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![scope, address, host, incarnation, body];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
