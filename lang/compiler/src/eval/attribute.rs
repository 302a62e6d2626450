//! An attribute of a resource: what its block says, what `defaults` say, what is derived, the
//! schema's default, and last what the planner assigns.

use tcloud_model::{Address, Attribute, Diagnostic, Name, Value, codes};

use super::state::InstanceId;
use super::{Eval, Evaluated};
use crate::shapes::ShapeInfo;
use crate::tree::{BodyId, DefId};

impl<'p> Eval<'p> {
    /// An attribute as an expression reads it.
    pub(super) fn attribute(&mut self, id: InstanceId, name: &'p str) -> Evaluated<Option<Value>> {
        if let Some(value) = self.state.get(id).done.as_ref().and_then(|done| done.get(name)) {
            return Ok(Some(value.clone()));
        }
        let Some(info) = self.info(id) else { return Ok(None) };
        if let Some(attribute) = info.attribute(name) {
            let settled = self.settled(id, info, attribute)?;
            if settled.is_some() {
                return Ok(settled);
            }
        }
        self.assigned_value(id, info, name)
    }

    /// An attribute without what the planner assigns.
    pub(super) fn settled(
        &mut self,
        id: InstanceId,
        info: &'p ShapeInfo,
        attribute: &'p Attribute,
    ) -> Evaluated<Option<Value>> {
        if let Some((holder, def)) = self.source(id, &attribute.name)? {
            return self.definition(holder, def, Some(&attribute.ty)).map(Some);
        }
        if let Some(value) = self.derived(id, info, &attribute.name)? {
            return Ok(Some(value));
        }
        Ok(attribute.default.clone())
    }

    /// What the text says about an attribute: the block itself, then `defaults`, inner ones first.
    pub(super) fn source(
        &mut self,
        id: InstanceId,
        name: &'p str,
    ) -> Evaluated<Option<(InstanceId, DefId)>> {
        let body = self.state.get(id).body;
        if let Some(def) = self.active_attribute(body, id, name)? {
            return Ok(Some((id, def)));
        }
        for at in 0..self.state.get(id).layers().len() {
            let layer = self.state.get(id).layers()[at];
            if let Some(def) = self.active_attribute(layer.body, layer.scope, name)? {
                return Ok(Some((layer.scope, def)));
            }
        }
        Ok(None)
    }

    /// The attribute of a body whose conditions hold.
    fn active_attribute(
        &mut self,
        body: BodyId,
        scope: InstanceId,
        name: &'p str,
    ) -> Evaluated<Option<DefId>> {
        let mut found: Option<DefId> = None;
        for id in self.tree.attributes(body, name) {
            let def = self.tree.def(id);
            if def.guard.is_some() && !self.guards_hold(scope, def.guard)? {
                continue;
            }
            let Some(first) = found else {
                found = Some(id);
                continue;
            };
            let first = self.tree.def(first);
            self.sink.push(
                Diagnostic::error(codes::E0105, def.name.span, format!("`{name}` is set twice"))
                    .label("again")
                    .also(first.name.span, "first")
                    .help("conditions around the two have to exclude each other"),
            );
        }
        Ok(found)
    }

    /// What only the planner knows: the address and MAC of a NIC, the host of a VM, the pool of a
    /// volume.
    fn assigned_value(
        &mut self,
        id: InstanceId,
        info: &ShapeInfo,
        name: &str,
    ) -> Evaluated<Option<Value>> {
        let words = &self.shapes.words;
        let waits = match info.word.as_str() {
            "nic" => [&words.address, &words.mac].into_iter().find(|word| **word == *name),
            "vm" => Some(&words.host).filter(|word| **word == *name),
            "volume" | "disk" => {
                [&words.host, &words.pool].into_iter().find(|word| **word == *name)
            }
            _ => None,
        };
        let (Some(word), Some(address)) = (waits, self.state.get(id).address.clone()) else {
            return Ok(None);
        };
        match self.assigned {
            Some(assigned) => Ok(assigned.get(&address, word)),
            None => Err(self.wait_for(&address, word)),
        }
    }

    /// The volume that a `disk` block attaches; `None` for a disk of its own.
    pub(super) fn attached_volume(&mut self, disk: InstanceId) -> Evaluated<Option<Address>> {
        let volume: &'p Name = &self.shapes.words.volume;
        let Some(attribute) = self.info(disk).and_then(|info| info.attribute(volume)) else {
            return Ok(None);
        };
        let Some((holder, def)) = self.source(disk, volume)? else { return Ok(None) };
        match self.definition(holder, def, Some(&attribute.ty))? {
            Value::Ref(address) => Ok(Some(address)),
            _ => Ok(None),
        }
    }

    /// Whether a `disk` block is a disk of its own, as far as the text says without evaluating.
    pub(super) fn is_inline(&mut self, disk: InstanceId) -> Evaluated<bool> {
        let volume: &'p Name = &self.shapes.words.volume;
        Ok(self.source(disk, volume)?.is_none())
    }
}
