//! What a person means who names an object, and what a value means that a person sets.

use rusqlite::params;
use tcloud_model::{Fields, Name, Value};
use uuid::Uuid;

use crate::class::Class;
use crate::failure::{Failure, quoted};
use crate::host::Host;
use crate::object::Object;
use crate::reference::{hold, map_value};

impl Host<'_> {
    /// The object that a person means.
    pub(crate) fn target(&self, target: &str) -> Result<Object, Failure> {
        let (kind, name) = match target.split_once('/') {
            Some((kind, name)) => (Some(kind), name),
            None => (None, target),
        };
        let sql = "SELECT uuid FROM object
            WHERE (name = ?1 OR address = ?1) AND (?2 IS NULL OR kind = ?2) LIMIT 2";
        let mut statement = self.file.prepare(sql)?;
        let uuids: Vec<[u8; 16]> = statement
            .query_map(params![name, kind], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        match uuids[..] {
            [uuid] => match Object::find(self.file, Uuid::from_bytes(uuid))? {
                Some(object) => Ok(object),
                None => Failure::refused("BUG: an object went away inside a transaction"),
            },
            [] => Failure::refused(format!("there is no {} on {}", quoted(target), self.site.host)),
            _ => Failure::refused(format!(
                "there are several {} on {}: write kind/name",
                quoted(target),
                self.site.host
            )),
        }
    }

    pub(crate) fn guest(&self, target: &str) -> Result<Object, Failure> {
        let object = self.target(target)?;
        if object.class == Class::Vm {
            return Ok(object);
        }
        Failure::refused(format!("{} is a {}, not a vm", quoted(target), object.kind))
    }

    /// What stands for something that a person took away: nothing for a block with a label,
    /// [`Value::None`] for an attribute, so that a provider says that it is not set.
    pub(crate) fn absent(&self, object: &Object, path: &[Name]) -> Option<Value> {
        let schema = self.catalog.get(&object.kind);
        let block = path.first().and_then(|first| schema.and_then(|schema| schema.block(first)));
        match (block, path) {
            (Some(block), [_]) if block.labelled => Some(Value::map(Fields::new())),
            (Some(block), [_, _]) if block.labelled => None,
            _ => Some(Value::None),
        }
    }

    /// A value that a person sets: references lead to what is on this host.
    pub(crate) fn by_hand(&self, value: &Value) -> Result<Value, Failure> {
        map_value(value, &mut |address| {
            let Some(class) = Class::of(address.kind()) else {
                return Ok(Value::Ref(address.clone()));
            };
            let sql = "SELECT name FROM object WHERE address = ?1 AND class = ?2";
            let mut statement = self.file.prepare_cached(sql)?;
            let mut names = statement.query(params![address.to_string(), class.word()])?;
            Ok(match names.next()? {
                Some(row) => {
                    let name: String = row.get(0)?;
                    Value::Ref(hold(Some(address), class, &Name::from(name)))
                }
                None => Value::Ref(address.clone()),
            })
        })
    }
}
