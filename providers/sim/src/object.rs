//! One object as the host's file keeps it, read and written whole.

use std::borrow::Cow;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use tcloud_model::{Address, Fields, Name, Stamp, Value};
use uuid::Uuid;

use crate::class::Class;
use crate::failure::{Failure, quoted};
use crate::link;
use crate::reference::held;

/// The pool of volumes that name none. Every host has it, as every libvirt has one.
pub(crate) const DEFAULT_POOL: &str = "default";

/// One object. References in its fields are kept as `reference.rs` describes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    /// Its row; 0 while it has none.
    pub(crate) id: i64,
    /// Its sort.
    pub(crate) class: Class,
    /// Its kind: that of its stamp, or its class.
    pub(crate) kind: Name,
    /// Its name on the host.
    pub(crate) name: Name,
    /// Its UUID.
    pub(crate) uuid: Uuid,
    /// Whose it is.
    pub(crate) stamp: Option<Stamp>,
    /// What is in force.
    pub(crate) live: Fields,
    /// What the next stop and start changes.
    pub(crate) pending: Fields,
    /// Bytes really written, for volumes.
    pub(crate) written: Option<u64>,
    /// Whether it runs, for guests.
    pub(crate) running: Option<bool>,
    /// How often the guest was started.
    pub(crate) boots: u64,
    /// The number of the last start, counted over all guests of the host: like the id of a
    /// process, it stays while the guest keeps running.
    pub(crate) started: Option<u64>,
    /// The host that it is moving to. Once it is there, it is no longer here.
    pub(crate) leaving: Option<Address>,
}

/// What a hand-made object has that no word of the language says: texts under this name.
const KEPT: &str = "kept";

/// Takes out of the attributes what they cannot say.
pub(crate) fn kept(live: &mut Fields) -> Vec<String> {
    let texts = match live.remove(KEPT) {
        Some(Value::List(texts)) => texts,
        Some(single) => [single].into(),
        None => return Vec::new(),
    };
    let word = |text: &Value| text.as_text().map_or_else(|| text.to_string(), str::to_owned);
    texts.iter().map(word).collect()
}

/// All objects, in the columns that [`Object::read`] expects.
pub(crate) const ALL: &str = "SELECT id, class, kind, name, uuid, stamp, attributes, pending, \
     written, running, boots, started, leaving FROM object";

const BY_UUID: &str = "SELECT id, class, kind, name, uuid, stamp, attributes, pending, \
     written, running, boots, started, leaving FROM object WHERE uuid = ?1";

const BY_NAME: &str = "SELECT id, class, kind, name, uuid, stamp, attributes, pending, \
     written, running, boots, started, leaving FROM object WHERE class = ?1 AND name = ?2";

impl Object {
    /// The object of this UUID.
    pub(crate) fn find(file: &Connection, uuid: Uuid) -> Result<Option<Object>, Failure> {
        Object::one(file.prepare_cached(BY_UUID)?, params![uuid.as_bytes().as_slice()])
    }

    /// The object of this name.
    pub(crate) fn named(
        file: &Connection,
        class: Class,
        name: &str,
    ) -> Result<Option<Object>, Failure> {
        Object::one(file.prepare_cached(BY_NAME)?, params![class.word(), name])
    }

    fn one(
        mut statement: CachedStatement<'_>,
        what: impl rusqlite::Params,
    ) -> Result<Option<Object>, Failure> {
        statement.query_row(what, |row| Ok(Object::read(row))).optional()?.transpose()
    }

    /// Reads a row of [`ALL`].
    pub(crate) fn read(row: &Row<'_>) -> Result<Object, Failure> {
        Stored::read(row)?.parse()
    }

    /// Writes the object: a new row when it has none yet.
    pub(crate) fn write(&mut self, file: &Connection) -> Result<(), Failure> {
        let size = if self.class == Class::Volume { self.live.number("size") } else { None };
        let size = count(size.unwrap_or(0), "size")?;
        let memory = if self.running == Some(true) { self.live.number("memory") } else { None };
        let memory = count(memory.unwrap_or(0), "memory")?;
        let stamp = self.stamp.as_ref();
        let pending = if self.pending.is_empty() {
            None
        } else {
            Some(serde_json::to_string(&self.pending)?)
        };
        let id = if self.id == 0 { None } else { Some(self.id) };
        let sql = if id.is_none() { INSERT } else { UPDATE };
        file.prepare_cached(sql)?.execute(params![
            id,
            self.class.word(),
            self.kind.as_str(),
            self.name.as_str(),
            self.uuid.as_bytes().as_slice(),
            stamp.map(|stamp| stamp.deployment.as_bytes().as_slice()),
            stamp.map(|stamp| stamp.address.to_string()),
            stamp.map(serde_json::to_string).transpose()?,
            serde_json::to_string(&self.live)?,
            pending,
            self.written.map(|bytes| count(bytes, "written")).transpose()?,
            self.running,
            count(self.boots, "boots")?,
            self.started.map(|serial| count(serial, "started")).transpose()?,
            self.pool(),
            size,
            memory,
            self.leaving.as_ref().map(Address::to_string),
        ])?;
        let fresh = id.is_none();
        if fresh {
            self.id = file.last_insert_rowid();
        }
        if self.class == Class::Vm { link::write(file, self, fresh) } else { Ok(()) }
    }

    /// Removes the object.
    pub(crate) fn delete(&self, file: &Connection) -> Result<(), Failure> {
        file.prepare_cached("DELETE FROM object WHERE id = ?1")?.execute([self.id])?;
        Ok(())
    }

    /// The name of the pool that it takes room in.
    pub(crate) fn pool(&self) -> Option<&str> {
        if self.class != Class::Volume {
            return None;
        }
        match self.live.get("pool") {
            Some(Value::Ref(address)) => held(address).map(|held| held.name.as_str()),
            Some(Value::Text(name)) => Some(name),
            _ => Some(DEFAULT_POOL),
        }
    }

    /// What is in force after the next stop and start.
    pub(crate) fn persistent(&self) -> Fields {
        self.live.overlaid(&self.pending)
    }

    /// Whether it carries the stamp of this deployment.
    pub(crate) fn belongs_to(&self, deployment: Uuid) -> bool {
        self.stamp.as_ref().is_some_and(|stamp| stamp.deployment == deployment)
    }

    /// Whether it is a guest that runs.
    pub(crate) fn runs(&self) -> bool {
        self.running == Some(true)
    }
}

/// An object as its row holds it: reading one is quick, understanding it takes the time.
pub(crate) struct Stored<'r> {
    id: i64,
    class: Cow<'r, str>,
    kind: Cow<'r, str>,
    name: Cow<'r, str>,
    uuid: [u8; 16],
    stamp: Option<Cow<'r, str>>,
    live: Cow<'r, str>,
    pending: Option<Cow<'r, str>>,
    written: Option<u64>,
    running: Option<bool>,
    boots: u64,
    started: Option<u64>,
    leaving: Option<Cow<'r, str>>,
}

impl<'r> Stored<'r> {
    /// Reads a row of [`ALL`].
    pub(crate) fn read(row: &'r Row<'_>) -> Result<Stored<'r>, Failure> {
        let text = |at| row.get_ref(at)?.as_str().map(Cow::Borrowed).map_err(rusqlite::Error::from);
        let perhaps = |at| {
            let text = row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
            text.map(|text| text.map(Cow::Borrowed))
        };
        Ok(Stored {
            id: row.get(0)?,
            class: text(1)?,
            kind: text(2)?,
            name: text(3)?,
            uuid: row.get(4)?,
            stamp: perhaps(5)?,
            live: text(6)?,
            pending: perhaps(7)?,
            written: number(row, 8)?,
            running: row.get(9)?,
            boots: number(row, 10)?.unwrap_or(0),
            started: number(row, 11)?,
            leaving: perhaps(12)?,
        })
    }

    /// The same without its row, for another thread.
    pub(crate) fn into_owned(self) -> Stored<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Stored {
            class: own(self.class),
            kind: own(self.kind),
            name: own(self.name),
            stamp: self.stamp.map(own),
            live: own(self.live),
            pending: self.pending.map(own),
            leaving: self.leaving.map(own),
            ..self
        }
    }

    /// Whether it is on its way to another host.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Understands it.
    pub(crate) fn parse(self) -> Result<Object, Failure> {
        let Some(class) = Class::of(&self.class) else {
            return Failure::refused(format!(
                "the file of the simulated host holds a {}, which is nothing that it can hold",
                quoted(&self.class)
            ));
        };
        let leaving = self.leaving.map(|host| host.parse::<Address>()).transpose();
        let pending = self.pending.as_deref().map(serde_json::from_str).transpose()?;
        Ok(Object {
            id: self.id,
            class,
            kind: Name::shared(&self.kind),
            name: Name::new(&self.name),
            uuid: Uuid::from_bytes(self.uuid),
            stamp: self.stamp.as_deref().map(serde_json::from_str).transpose()?,
            live: serde_json::from_str(&self.live)?,
            pending: pending.unwrap_or_default(),
            written: self.written,
            running: self.running,
            boots: self.boots,
            started: self.started,
            leaving: leaving.map_err(|error| Failure::Refused(error.message))?,
        })
    }
}

const INSERT: &str = "INSERT INTO object (id, class, kind, name, uuid, deployment, address, \
     stamp, attributes, pending, written, running, boots, started, pool, size, memory, leaving) \
     VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)";

const UPDATE: &str = "UPDATE object SET class=?2, kind=?3, name=?4, uuid=?5, deployment=?6, \
     address=?7, stamp=?8, attributes=?9, pending=?10, written=?11, running=?12, boots=?13, \
     started=?14, pool=?15, size=?16, memory=?17, leaving=?18 WHERE id=?1";

/// SQLite counts with a sign.
fn count(number: u64, what: &str) -> Result<i64, Failure> {
    i64::try_from(number).map_err(|_| Failure::Refused(format!("{what} is too large: {number}")))
}

fn number(row: &Row<'_>, at: usize) -> Result<Option<u64>, Failure> {
    let number: Option<i64> = row.get(at)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()))
}
