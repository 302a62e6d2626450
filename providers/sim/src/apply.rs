//! What the operations do to a host.

use tcloud_model::{
    AttrPath, Fields, Name, ObservedObject, Operation, OperationKind, Schema, Stamp, Value,
};
use tcloud_provider::request;

use crate::attributes::{accept, accept_change, without_none};
use crate::change::{in_force, leaves, refuse_replacements};
use crate::class::Class;
use crate::failure::{Failure, quoted};
use crate::host::Host;
use crate::object::Object;
use crate::{guest, link, storage};

/// How much of an operation is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// It dies in the middle.
    Half,
}

impl Host<'_> {
    /// Carries out one operation. A migration is carried out by `migrate.rs`, since it needs two
    /// files.
    pub(crate) fn apply(
        &self,
        operation: &Operation,
        extent: Extent,
    ) -> Result<Option<ObservedObject>, Failure> {
        let schema = self.accept(operation)?;
        let object = match &operation.action {
            OperationKind::Create { attributes, stamp } => {
                Some(self.create(operation, schema, attributes, stamp, extent)?)
            }
            OperationKind::Update { attributes, changed, power_cycle, stamp } => {
                let change = Change { attributes, changed, power_cycle: *power_cycle };
                let change = if extent == Extent::Half { change.half() } else { change };
                let object = self.present(operation)?;
                Some(self.update(operation, schema, object, &change, stamp)?)
            }
            OperationKind::Delete => {
                if let Some(object) = self.ours(operation)? {
                    storage::check_unused(self.file, &object)?;
                    object.delete(self.file)?;
                }
                None
            }
            OperationKind::Stamp { stamp, adopt } => Some(self.stamp(operation, stamp, *adopt)?),
            OperationKind::Unstamp => self.unstamp(operation)?,
            OperationKind::Migrate { .. } => {
                return Failure::refused("a migration cannot be part of another operation");
            }
        };
        object.map(|object| self.answer(object)).transpose()
    }

    /// Checks what every operation has to hold, and finds its kind.
    pub(crate) fn accept(&self, operation: &Operation) -> Result<&Schema, Failure> {
        let schema = request::accept_operation(
            operation,
            self.catalog,
            &self.site.host,
            self.site.deployment,
        )
        .map_err(Failure::Refused)?;
        match Class::of(&schema.kind) {
            Some(_) => Ok(schema),
            None => Failure::refused(request::no_such_kind(&schema.kind)),
        }
    }

    fn present(&self, operation: &Operation) -> Result<Object, Failure> {
        match self.ours(operation)? {
            Some(object) => Ok(object),
            None => Failure::refused(format!(
                "there is no {} {} on {}",
                operation.kind,
                quoted(&operation.identity.name),
                self.site.host
            )),
        }
    }

    fn create(
        &self,
        operation: &Operation,
        schema: &Schema,
        attributes: &Fields,
        stamp: &Stamp,
        extent: Extent,
    ) -> Result<Object, Failure> {
        let accepted = accept(schema, attributes)?;
        if let Some(object) = self.ours(operation)? {
            let changed: Vec<AttrPath> =
                attributes.iter().map(|(name, _)| AttrPath::attribute(name.clone())).collect();
            let change = Change { attributes, changed: &changed, power_cycle: false };
            return self.update(operation, schema, object, &change, stamp);
        }
        self.check_name(operation)?;
        let mut live = Fields::new();
        for (name, value) in accepted.iter() {
            live.insert(name.clone(), self.keep(operation, name, value)?);
        }
        let mut object = self.fresh(operation, live, stamp)?;
        match object.class {
            Class::Vm => {
                link::check(self.file, &object)?;
                let wanted = object.live.flag("running").unwrap_or(true);
                if wanted && extent == Extent::Whole {
                    guest::start(self.file, self.script, &mut object)?;
                } else if wanted {
                    guest::stop(&mut object);
                }
            }
            Class::Volume => storage::check_room(self.file, self.script, &object)?,
            Class::Pool => storage::check_pool(self.file, self.script, &object)?,
            Class::Network | Class::Image => {}
        }
        object.write(self.file)?;
        Ok(object)
    }

    fn fresh(&self, operation: &Operation, live: Fields, stamp: &Stamp) -> Result<Object, Failure> {
        let Some(class) = Class::of(&operation.kind) else {
            return Failure::refused("a host has no such objects");
        };
        let mut object = Object {
            id: 0,
            class,
            kind: operation.kind.clone(),
            name: operation.identity.name.clone(),
            uuid: operation.identity.uuid,
            stamp: Some(stamp.clone()),
            live,
            pending: Fields::new(),
            written: None,
            running: (class == Class::Vm).then_some(false),
            boots: 0,
            started: None,
            leaving: None,
        };
        if class == Class::Volume {
            let filled = object.live.get("image").is_some();
            let written = if filled { guest::filled(self.script.seed, &object, 10) } else { 0 };
            object.written = Some(written);
        }
        Ok(object)
    }

    /// Refuses a name that another object has, whoever made it.
    pub(crate) fn check_name(&self, operation: &Operation) -> Result<(), Failure> {
        let Some(class) = Class::of(&operation.kind) else { return Ok(()) };
        let Some(other) = Object::named(self.file, class, &operation.identity.name)? else {
            return Ok(());
        };
        let name = quoted(&other.name);
        let host = &self.site.host;
        match &other.stamp {
            Some(stamp) if Some(stamp.deployment) == self.site.deployment => {
                Failure::refused(format!(
                    "{class} {name} on {host} is {} already",
                    stamp.address,
                    class = other.kind
                ))
            }
            Some(_) => Failure::refused(format!(
                "{} {name} exists on {host} and belongs to another deployment: choose another name",
                other.kind
            )),
            None => Failure::refused(format!(
                "{} {name} exists on {host} and is not ours: adopt it, or choose another name",
                other.kind
            )),
        }
    }

    fn update(
        &self,
        operation: &Operation,
        schema: &Schema,
        mut object: Object,
        change: &Change<'_>,
        stamp: &Stamp,
    ) -> Result<Object, Failure> {
        let wanted = self.wanted(operation, schema, &object, change)?;
        let found = leaves(schema, &object.live, &wanted);
        refuse_replacements(&found)?;
        let attached = link::links(&object.persistent());
        let start = change.names("running") && wanted.flag("running") == Some(true);
        object.leaving = None;
        object.stamp = Some(stamp.clone());
        object.kind = operation.kind.clone();
        if object.runs() {
            object.live = in_force(&object.live, &found);
            object.pending = object.live.difference(&wanted);
            guest::check_memory(self.file, self.script, &object)?;
            if change.power_cycle && !object.pending.is_empty() {
                guest::stop(&mut object);
                if wanted.flag("running").unwrap_or(true) {
                    object.live = wanted;
                    guest::start(self.file, self.script, &mut object)?;
                }
            }
        } else {
            object.live = wanted;
            if object.class == Class::Vm && start {
                guest::start(self.file, self.script, &mut object)?;
            }
        }
        self.check_changed(&object, &attached)?;
        object.write(self.file)?;
        Ok(object)
    }

    /// The persistent definition after a change.
    fn wanted(
        &self,
        operation: &Operation,
        schema: &Schema,
        object: &Object,
        change: &Change<'_>,
    ) -> Result<Fields, Failure> {
        let given = without_none(change.attributes);
        let mut wanted = object.persistent();
        for path in change.changed {
            let path = path.names();
            let Some(top) = path.first() else { continue };
            let value = given.at(&path);
            accept_change(schema, &path, value)?;
            let kept = value.map(|value| self.keep(operation, top, value)).transpose()?;
            wanted.put(&path, kept);
            if given.get(top).is_none() && wanted.map(top).is_some_and(|map| map.is_empty()) {
                wanted.remove(top);
            }
        }
        Ok(wanted)
    }

    /// Checks what a change may not break.
    fn check_changed(&self, object: &Object, attached: &[link::Link]) -> Result<(), Failure> {
        match object.class {
            Class::Volume => storage::check_room(self.file, self.script, object),
            Class::Pool => storage::check_pool(self.file, self.script, object),
            Class::Vm if link::links(&object.persistent()) != attached => {
                link::check(self.file, object)?;
                if object.runs() {
                    guest::write_volumes(self.file, self.script, object)?;
                }
                Ok(())
            }
            Class::Vm | Class::Network | Class::Image => Ok(()),
        }
    }

    fn stamp(&self, operation: &Operation, stamp: &Stamp, adopt: bool) -> Result<Object, Failure> {
        if !adopt {
            let mut object = self.present(operation)?;
            object.stamp = Some(stamp.clone());
            object.write(self.file)?;
            return Ok(object);
        }
        let Some(mut object) = self.find(&operation.identity)? else {
            return Failure::refused(format!(
                "there is no {} {} on {} to adopt",
                operation.kind,
                quoted(&operation.identity.name),
                self.site.host
            ));
        };
        if object.stamp.is_some() && !object.belongs_to(stamp.deployment) {
            return Failure::refused(format!(
                "{} {} belongs to another deployment: it has to be forgotten there first",
                object.kind,
                quoted(&object.name)
            ));
        }
        if Class::of(&operation.kind) != Some(object.class) {
            return Failure::refused(format!(
                "{} {} cannot be adopted as a {}",
                object.kind,
                quoted(&object.name),
                operation.kind
            ));
        }
        object.kind = operation.kind.clone();
        object.stamp = Some(stamp.clone());
        object.write(self.file)?;
        Ok(object)
    }

    fn unstamp(&self, operation: &Operation) -> Result<Option<Object>, Failure> {
        match self.find(&operation.identity)? {
            Some(object) if object.stamp.is_none() => return Ok(Some(object)),
            None => return Ok(None),
            Some(_) => {}
        }
        let mut object = self.present(operation)?;
        object.stamp = None;
        object.kind = Name::new(object.class.word());
        object.write(self.file)?;
        Ok(Some(object))
    }
}

/// A change of attributes.
pub(crate) struct Change<'a> {
    /// All attributes as they shall be.
    pub(crate) attributes: &'a Fields,
    /// Those that differ.
    pub(crate) changed: &'a [AttrPath],
    /// Whether the guest may be stopped and started for it.
    pub(crate) power_cycle: bool,
}

impl Change<'_> {
    /// The first half of it, for an operation that dies in the middle.
    fn half(mut self) -> Self {
        self.changed = &self.changed[..self.changed.len() / 2];
        self
    }

    /// Whether it changes this attribute.
    fn names(&self, attribute: &str) -> bool {
        self.changed.iter().any(|path| path.first().is_some_and(|first| *first == attribute))
            && self.attributes.get(attribute) != Some(&Value::None)
    }
}
