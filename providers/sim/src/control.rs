//! What a person does to a simulated host behind tcloud's back: drift, deletions, power cycles,
//! hand-made objects, faults. For `tcloud sim …` and for tests.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tcloud_model::{Address, AttrPath, Catalog, Fields, ObservedObject, Stamp, Value};
use tcloud_provider::Discretion;

use crate::database;
use crate::failure::Failure;
use crate::guest;
use crate::host::{Host, Site};
use crate::object::{ALL, Object};
use crate::script::Script;

/// A simulated host, opened by a person.
pub struct Control {
    file: Connection,
    site: Site,
    catalog: Catalog,
}

/// Why a person could not do something to a simulated host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ControlError(String);

impl From<Failure> for ControlError {
    fn from(failure: Failure) -> ControlError {
        ControlError(failure.told().message)
    }
}

impl From<rusqlite::Error> for ControlError {
    fn from(cause: rusqlite::Error) -> ControlError {
        Failure::from(cause).into()
    }
}

/// An object, with what only the host itself knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// The object as a provider shows it.
    #[serde(flatten)]
    pub object: ObservedObject,
    /// How often the guest was started.
    pub boots: u64,
    /// The number of the last start, counted over all guests of the host. As long as it stays, the
    /// guest was not interrupted. `None` while it does not run.
    pub started: Option<u64>,
}

/// What a dump holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Everything that the host knows about its objects.
    Everything,
    /// Without what differs from run to run or grows by itself: starts, and bytes written.
    Stable,
}

/// One call that a provider made, from the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// Its number, from 1.
    pub serial: u64,
    /// `create`, `update`, `delete`, `adopt`, `move`, `forget`, `migrate`.
    pub operation: String,
    /// The kind of the object.
    pub kind: String,
    /// Its name on the host.
    pub name: String,
    /// Its address in the text.
    pub address: String,
    /// `ok`, or what the error said.
    pub outcome: String,
}

impl Control {
    /// Opens the file of a host below the directory that providers may keep files in, and makes it
    /// when there is none.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(directory: &Path, host: &Address) -> Result<Control, ControlError> {
        let file = database::open(&database::file_of(directory, host))?;
        let site = Site { host: host.clone(), deployment: None, directory: directory.to_owned() };
        Ok(Control { file, site, catalog: Catalog::core() })
    }

    /// All objects, sorted by kind and name.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn list(&mut self) -> Result<Vec<Listing>, ControlError> {
        let discretion = Discretion::new(&Catalog::core());
        self.change(|host| {
            let mut statement = host.file.prepare(ALL)?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let object = Object::read(row)?;
                if !host.has_left(&object)? {
                    let (boots, started) = (object.boots, object.started);
                    let mut object = host.answer(object)?;
                    discretion.apply(&mut object);
                    all.push(Listing { object, boots, started });
                }
            }
            all.sort_by(|a, b| {
                (&a.object.kind, &a.object.name).cmp(&(&b.object.kind, &b.object.name))
            });
            Ok(all)
        })
    }

    /// All objects and sizes as JSON, always the same bytes for the same world.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn dump(&mut self, contents: Contents) -> Result<String, ControlError> {
        let mut objects = self.list()?;
        let script = Script::read(&self.file)?;
        if contents == Contents::Stable {
            for listing in &mut objects {
                (listing.boots, listing.started, listing.object.written) = (0, None, None);
            }
        }
        let dump = json!({
            "host": self.site.host,
            "vcpus": script.vcpus,
            "memory": script.memory,
            "objects": objects,
        });
        let text = serde_json::to_string_pretty(&dump).map_err(Failure::from)?;
        Ok(text + "\n")
    }

    /// Changes an attribute of an object by hand, as with `virsh edit` and a power cycle: what is
    /// in force becomes another, whatever it costs. `None` removes it: an attribute is then seen as
    /// not set, a block is gone. `target` is an address, a name on the host, or `kind/name`.
    ///
    /// # Errors
    /// When there is no such object, or more than one.
    pub fn drift(
        &mut self,
        target: &str,
        attribute: &AttrPath,
        value: Option<Value>,
    ) -> Result<(), ControlError> {
        self.change(|host| {
            let mut object = host.target(target)?;
            let path = attribute.names();
            let value = match &value {
                Some(value) => Some(host.by_hand(value)?),
                None => host.absent(&object, &path),
            };
            let mut wanted = object.persistent();
            wanted.put(&path, value.clone());
            object.live.put(&path, value);
            object.pending = object.live.difference(&wanted);
            object.write(host.file)
        })
    }

    /// Deletes an object by hand, whatever uses it.
    ///
    /// # Errors
    /// When there is no such object, or more than one.
    pub fn delete(&mut self, target: &str) -> Result<(), ControlError> {
        self.change(|host| host.target(target)?.delete(host.file))
    }

    /// Stops a guest.
    ///
    /// # Errors
    /// When there is no such guest.
    pub fn stop(&mut self, target: &str) -> Result<(), ControlError> {
        self.change(|host| {
            let mut object = host.guest(target)?;
            guest::stop(&mut object);
            object.write(host.file)
        })
    }

    /// Starts a guest; one that runs keeps running.
    ///
    /// # Errors
    /// When there is no such guest, or it cannot start.
    pub fn start(&mut self, target: &str) -> Result<(), ControlError> {
        self.change(|host| {
            let mut object = host.guest(target)?;
            if !object.runs() {
                guest::start(host.file, host.script, &mut object)?;
            }
            object.write(host.file)
        })
    }

    /// Stops and starts a guest, so that what waited takes effect.
    ///
    /// # Errors
    /// When there is no such guest, or it cannot start again.
    pub fn power_cycle(&mut self, target: &str) -> Result<(), ControlError> {
        self.change(|host| {
            let mut object = host.guest(target)?;
            guest::stop(&mut object);
            object.write(host.file)?;
            guest::start(host.file, host.script, &mut object)?;
            object.write(host.file)
        })
    }

    /// Makes an object by hand, with or without somebody's stamp. A name in place of a reference
    /// leads to the object of that name on this host.
    ///
    /// # Errors
    /// When the name is taken, or the host has no room.
    pub fn make(
        &mut self,
        kind: &str,
        name: &str,
        attributes: &Fields,
        stamp: Option<Stamp>,
    ) -> Result<(), ControlError> {
        self.change(|host| host.make(kind, name, attributes, stamp))
    }

    /// Removes every object, every setting, the script and the log.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn reset(&mut self) -> Result<(), ControlError> {
        self.change(|host| {
            host.file.execute_batch(
                "DELETE FROM object; DELETE FROM link; DELETE FROM usage; DELETE FROM setting;
                 DELETE FROM counter; DELETE FROM latency; DELETE FROM fault; DELETE FROM call;",
            )?;
            Ok(())
        })
    }

    /// The calls that were made, oldest first; only the newest ten thousand or so are kept.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn calls(&mut self) -> Result<Vec<Logged>, ControlError> {
        self.change(|host| {
            let sql = "SELECT serial, operation, kind, name, address, outcome FROM call ORDER BY 1";
            let mut statement = host.file.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Logged {
                    serial: row.get::<_, i64>(0)?.unsigned_abs(),
                    operation: row.get(1)?,
                    kind: row.get(2)?,
                    name: row.get(3)?,
                    address: row.get(4)?,
                    outcome: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Does something in one transaction.
    pub(crate) fn change<T>(
        &mut self,
        act: impl FnOnce(&Host<'_>) -> Result<T, Failure>,
    ) -> Result<T, ControlError> {
        let transaction = self.file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let script = Script::read(&transaction)?;
        let host =
            Host { file: &transaction, script: &script, site: &self.site, catalog: &self.catalog };
        let done = act(&host)?;
        transaction.commit()?;
        Ok(done)
    }
}
