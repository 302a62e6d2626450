//! A simulated host during one batch of calls: its file, its script, and whose calls they are.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};
use tcloud_model::{Address, Catalog, Identity, ObservedObject, Operation, Value};
use uuid::Uuid;

use crate::class::Class;
use crate::database;
use crate::failure::{Failure, quoted};
use crate::object::{self, Object};
use crate::reference::{held, hold, map_fields, map_value};
use crate::script::Script;

/// Where a host is and who uses it.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The host's address in the text.
    pub(crate) host: Address,
    /// Whose calls these are; `None` for the person behind tcloud's back.
    pub(crate) deployment: Option<Uuid>,
    /// Where the files of all simulated hosts are.
    pub(crate) directory: PathBuf,
}

/// A host, open for calls.
pub(crate) struct Host<'a> {
    /// Its file, inside a transaction.
    pub(crate) file: &'a Connection,
    /// What it is told to be and do.
    pub(crate) script: &'a Script,
    /// Which host.
    pub(crate) site: &'a Site,
    /// What the kinds are.
    pub(crate) catalog: &'a Catalog,
}

impl Host<'_> {
    /// The object of an identity, if it is here and not gone to another host.
    pub(crate) fn find(&self, identity: &Identity) -> Result<Option<Object>, Failure> {
        match Object::find(self.file, identity.uuid)? {
            Some(object) if self.has_left(&object)? => {
                object.delete(self.file)?;
                Ok(None)
            }
            found => Ok(found),
        }
    }

    /// The newest truth about an object, without changing anything.
    pub(crate) fn look(&self, identity: &Identity) -> Result<Option<ObservedObject>, Failure> {
        match Object::find(self.file, identity.uuid)? {
            Some(object) if !self.has_left(&object)? => self.answer(object).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether a migration moved an object away and died before it could say so here. The target
    /// decides: what it has is there, and no longer here.
    pub(crate) fn has_left(&self, object: &Object) -> Result<bool, Failure> {
        let Some(to) = &object.leaving else { return Ok(false) };
        let target = database::file_of(&self.site.directory, to);
        if !target.exists() {
            return Ok(false);
        }
        Ok(Object::find(&database::open(&target)?, object.uuid)?.is_some())
    }

    /// An object as the caller sees it.
    pub(crate) fn answer(&self, object: Object) -> Result<ObservedObject, Failure> {
        let deployment = object.stamp.as_ref().map(|stamp| stamp.deployment);
        let deployment = deployment.or(self.site.deployment);
        let mut show = |address: &Address| self.show(address, deployment);
        let mut live = map_fields(&object.live, &mut show)?;
        Ok(ObservedObject {
            kept: object::kept(&mut live),
            attributes: live.into(),
            pending: map_fields(&object.pending, &mut show)?.into(),
            kind: object.kind,
            name: object.name,
            uuid: Some(object.uuid),
            stamp: object.stamp,
            written: object.written,
            running: object.running,
            holds: Vec::new(),
            room: None,
        })
    }

    /// A kept reference as the caller sees it: the address of a target that is stamped, the name
    /// of one that is not, and what was asked for when the target is gone.
    fn show(&self, address: &Address, deployment: Option<Uuid>) -> Result<Value, Failure> {
        let Some(held) = held(address) else { return Ok(Value::Ref(address.clone())) };
        let sql = "SELECT deployment, address FROM object WHERE class = ?1 AND name = ?2";
        let mut statement = self.file.prepare_cached(sql)?;
        let target: Option<(Option<[u8; 16]>, Option<String>)> = statement
            .query_row(params![held.class.word(), held.name.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let name = || Value::text(held.name);
        Ok(match (target, held.asked) {
            (None, Some(asked)) => Value::Ref(asked.clone()),
            (Some((Some(owner), Some(address))), _)
                if deployment.is_none_or(|own| *own.as_bytes() == owner) =>
            {
                address.parse().map_or_else(|_| name(), Value::Ref)
            }
            _ => name(),
        })
    }

    /// The value of an attribute as the host keeps it: references by the target's name here.
    pub(crate) fn keep(
        &self,
        operation: &Operation,
        attribute: &str,
        value: &Value,
    ) -> Result<Value, Failure> {
        let needed = matches!(
            (operation.kind.as_str(), attribute),
            ("vm", "nic" | "disk") | ("volume" | "disk", "pool" | "image")
        );
        map_value(value, &mut |address| {
            let Some(class) = Class::of(address.kind()) else {
                return Ok(Value::Ref(address.clone()));
            };
            match self.name_of(operation, class, address)? {
                Some(name) => Ok(Value::Ref(hold(Some(address), class, &name.into()))),
                None if needed => Failure::refused(format!(
                    "{address} is needed by {} and is not on {}",
                    operation.object.address, self.site.host
                )),
                None => Ok(Value::Ref(address.clone())),
            }
        })
    }

    /// The name on the host of what an address refers to, if it is here.
    fn name_of(
        &self,
        operation: &Operation,
        class: Class,
        address: &Address,
    ) -> Result<Option<String>, Failure> {
        let mut given = operation.references.iter();
        let (sql, key) = match given.find(|(own, _)| own == address) {
            Some((_, identity)) => {
                ("SELECT name FROM object WHERE uuid = ?1 AND class = ?2", identity.uuid)
            }
            None => match self.site.deployment {
                Some(deployment) => (
                    "SELECT name FROM object
                     WHERE deployment = ?1 AND class = ?2 AND address = ?3 ORDER BY id DESC LIMIT 1",
                    deployment,
                ),
                None => return Ok(None),
            },
        };
        let mut statement = self.file.prepare_cached(sql)?;
        let key = key.as_bytes().as_slice();
        let row = |row: &rusqlite::Row<'_>| row.get(0);
        let found = if statement.parameter_count() == 2 {
            statement.query_row(params![key, class.word()], row)
        } else {
            statement.query_row(params![key, class.word(), address.to_string()], row)
        };
        Ok(found.optional()?)
    }

    /// The object of an operation, which has to carry this deployment's stamp.
    pub(crate) fn ours(&self, operation: &Operation) -> Result<Option<Object>, Failure> {
        let Some(object) = self.find(&operation.identity)? else { return Ok(None) };
        if self.site.deployment.is_some_and(|own| object.belongs_to(own)) {
            return Ok(Some(object));
        }
        let whose =
            if object.stamp.is_some() { "belongs to another deployment" } else { "is not ours" };
        Failure::refused(format!(
            "{} {} on {} {whose}: it is left alone",
            object.kind,
            quoted(&object.name),
            self.site.host
        ))
    }
}
