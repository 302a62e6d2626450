//! Moving a guest with its volumes from one host's file to another's.
//!
//! Two files cannot change in one transaction that survives a crash, so the move has one point at
//! which it happens: the commit of the target. Before it the objects are marked as leaving, which
//! says where to look; after it they are gone from the source, whether or not their rows are still
//! there. A repeat finishes what a crash left.

use rusqlite::{Connection, TransactionBehavior};
use tcloud_model::{
    Address, Catalog, Fields, Identity, ObservedObject, Operation, OperationKind, Stamp,
};

use crate::apply::Extent;
use crate::attributes::{accept_change, without_none};
use crate::change::{in_force, leaves, refuse_replacements};
use crate::class::Class;
use crate::database;
use crate::failure::{Failure, quoted};
use crate::host::{Host, Site};
use crate::object::Object;
use crate::script::Script;
use crate::{guest, link, storage};

/// Carries out a migration; `source` is the file of the host that is asked.
pub(crate) fn migrate(
    source: &mut Connection,
    site: &Site,
    catalog: &Catalog,
    operation: &Operation,
    extent: Extent,
) -> Result<Option<ObservedObject>, Failure> {
    let OperationKind::Migrate { to, volumes, attributes, stamp } = &operation.action else {
        return Failure::refused("this is no migration");
    };
    let there = Site { host: to.host.clone(), ..site.clone() };
    let mut target = database::open(&database::file_of(&there.directory, &there.host))?;
    let identities: Vec<&Identity> =
        volumes.iter().map(|(_, identity)| identity).chain([&operation.identity]).collect();

    let leaving = mark(source, site, catalog, operation, &identities, &there.host)?;
    let arrival = Arrival { operation, attributes, stamp };
    let script = Script::read(&target)?;
    script.reach()?;
    let transaction = target.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let host = Host { file: &transaction, script: &script, site: &there, catalog };
    let arrived = arrival.receive(&host, leaving);
    let arrived = match arrived {
        Ok(arrived) => arrived,
        Err(failure) => {
            drop(transaction);
            unmark(source, &identities)?;
            return Err(failure);
        }
    };
    transaction.commit()?;
    if extent == Extent::Half {
        return Err(Failure::Unknown("the migration was interrupted".to_owned()));
    }
    forget(source, &identities)?;
    Ok(Some(arrived))
}

/// Marks what leaves. What is no longer here has left before.
fn mark(
    source: &mut Connection,
    site: &Site,
    catalog: &Catalog,
    operation: &Operation,
    identities: &[&Identity],
    to: &Address,
) -> Result<Vec<Object>, Failure> {
    let transaction = source.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let script = Script::read(&transaction)?;
    let host = Host { file: &transaction, script: &script, site, catalog };
    host.accept(operation)?;
    if *to == site.host {
        return Failure::refused(format!("{} is on {to} already", operation.object.address));
    }
    let mut leaving = Vec::new();
    for identity in identities {
        let Some(mut object) = host.find(identity)? else { continue };
        if !site.deployment.is_some_and(|own| object.belongs_to(own)) {
            return Failure::refused(format!(
                "{} {} is not ours: it is left alone",
                object.kind,
                quoted(&object.name)
            ));
        }
        object.leaving = Some(to.clone());
        object.write(&transaction)?;
        leaving.push(object);
    }
    check_left_behind(&transaction, &leaving)?;
    transaction.commit()?;
    Ok(leaving)
}

/// Refuses to take a volume away from a guest that stays.
fn check_left_behind(file: &Connection, leaving: &[Object]) -> Result<(), Failure> {
    for volume in leaving.iter().filter(|object| object.class == Class::Volume) {
        if let Some(user) = link::user(file, Class::Volume, &volume.name, false)?
            && !leaving.iter().any(|object| object.class == Class::Vm && object.name == user)
        {
            return Failure::refused(format!(
                "volume {} cannot move: it is in use by guest {}",
                quoted(&volume.name),
                quoted(&user)
            ));
        }
    }
    Ok(())
}

fn unmark(source: &Connection, identities: &[&Identity]) -> Result<(), Failure> {
    let mut statement =
        source.prepare_cached("UPDATE object SET leaving = NULL WHERE uuid = ?1")?;
    for identity in identities {
        statement.execute([identity.uuid.as_bytes().as_slice()])?;
    }
    Ok(())
}

fn forget(source: &mut Connection, identities: &[&Identity]) -> Result<(), Failure> {
    let transaction = source.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for identity in identities {
        if let Some(object) = Object::find(&transaction, identity.uuid)? {
            object.delete(&transaction)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// What arrives at the target.
struct Arrival<'a> {
    operation: &'a Operation,
    attributes: &'a Fields,
    stamp: &'a Stamp,
}

impl Arrival<'_> {
    fn receive(&self, host: &Host<'_>, leaving: Vec<Object>) -> Result<ObservedObject, Failure> {
        let (guests, volumes): (Vec<Object>, Vec<Object>) =
            leaving.into_iter().partition(|object| object.uuid == self.operation.identity.uuid);
        for volume in volumes {
            self.land(host, volume)?;
        }
        for mut object in guests {
            self.change(host, &mut object)?;
            self.land(host, object)?;
        }
        match Object::find(host.file, self.operation.identity.uuid)? {
            Some(object) => host.answer(object),
            None => Failure::refused(format!(
                "there is no {} {} to move",
                self.operation.kind,
                quoted(&self.operation.identity.name)
            )),
        }
    }

    /// Makes the main object what it shall be on the new host.
    fn change(&self, host: &Host<'_>, object: &mut Object) -> Result<(), Failure> {
        let schema = host.catalog.get(&self.operation.kind).ok_or_else(|| {
            Failure::Refused(format!("a host has no {}", quoted(&self.operation.kind)))
        })?;
        let mut wanted = object.persistent();
        let shown = host.answer(object.clone())?.attributes;
        for (name, value) in without_none(self.attributes).iter() {
            if shown.get(name) != Some(value) {
                accept_change(schema, std::slice::from_ref(name), Some(value))?;
                wanted.insert(name.clone(), host.keep(self.operation, name, value)?);
            }
        }
        let found = leaves(schema, &object.live, &wanted);
        refuse_replacements(&found)?;
        if object.runs() {
            object.live = in_force(&object.live, &found);
            object.pending = object.live.difference(&wanted);
        } else {
            object.live = wanted;
        }
        object.stamp = Some(self.stamp.clone());
        Ok(())
    }

    /// Puts an object down on the new host, as it was.
    fn land(&self, host: &Host<'_>, mut object: Object) -> Result<(), Failure> {
        if Object::find(host.file, object.uuid)?.is_some() {
            return Ok(());
        }
        if Object::named(host.file, object.class, &object.name)?.is_some() {
            return Failure::refused(format!(
                "{} {} exists on {} already",
                object.kind,
                quoted(&object.name),
                host.site.host
            ));
        }
        object.id = 0;
        object.leaving = None;
        match object.class {
            Class::Volume => storage::check_room(host.file, host.script, &object)?,
            Class::Vm => {
                if object.runs() {
                    guest::check_memory(host.file, host.script, &object)?;
                    guest::check_attached(host.file, &object)?;
                }
                link::check(host.file, &object)?;
            }
            Class::Network | Class::Image | Class::Pool => {
                return Failure::refused(format!("a {} cannot move", object.kind));
            }
        }
        object.write(host.file)
    }
}
