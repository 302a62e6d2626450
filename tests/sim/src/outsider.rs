//! Somebody who changes hosts by hand, past all tools.

use std::sync::Arc;

use tcloud_model::{Address, Fields, Name, ObservedObject, Operation, Value};

use crate::hypervisor::Key;
use crate::world::{Inner, World};

/// Changes or deletes the object of an operation.
pub(crate) fn meddle_with(world: &World, operation: &Operation) {
    let mut inner = world.inner();
    let Some(object) = inner.hosts.look(operation) else { return };
    let class = if object.kind == "disk" { Name::new("volume") } else { object.kind.clone() };
    let key = (class, object.name.clone());
    let host = operation.object.host.clone();
    inner.meddle(&host, &key);
}

/// Changes or deletes something of ours, anywhere.
pub(crate) fn meddle(world: &World) {
    let mut inner = world.inner();
    let all: Vec<(Address, Key)> = inner
        .hosts
        .hosts
        .iter()
        .flat_map(|(host, own)| own.iter().map(move |(key, object)| (host, key, object)))
        .filter(|(_, key, object)| object.stamp.is_some() && key.0 != "pool")
        .map(|(host, key, _)| (host.clone(), key.clone()))
        .collect();
    if let Some((host, key)) = inner.chance.pick(&all).cloned() {
        inner.meddle(&host, &key);
    }
}

/// Makes a network that is nobody's; returns its name, host and number.
pub(crate) fn make_network(world: &World, host: &Address) -> Option<(String, u64)> {
    let mut inner = world.inner();
    let number = inner.chance.number(201, 250);
    let name = format!("lan{number}");
    let cidr: Value =
        serde_json::from_str(&format!("{{\"$cidr\":\"10.1.{number}.0/24\"}}")).ok()?;
    let gateway = serde_json::from_str(&format!("{{\"$ip\":\"10.1.{number}.1\"}}")).ok()?;
    let attributes = Fields::from_iter([
        (Name::new("cidr"), cidr),
        (Name::new("gateway"), gateway),
        (Name::new("mode"), Value::text("nat")),
    ]);
    let object = ObservedObject {
        kind: Name::new("network"),
        name: Name::new(&name),
        uuid: Some(inner.chance.uuid()),
        stamp: None,
        attributes: Arc::new(attributes),
        pending: Arc::default(),
        written: None,
        running: None,
        kept: Vec::new(),
        holds: Vec::new(),
        room: None,
    };
    let key = (Name::new("network"), Name::new(&name));
    let own = inner.hosts.hosts.get_mut(host)?;
    if own.contains_key(&key) {
        return None;
    }
    own.insert(key, object);
    inner.trace.say(format!("by hand: network {name} on {host}"));
    Some((name, number))
}

impl Inner {
    fn meddle(&mut self, host: &Address, key: &Key) {
        let used = self.hosts.is_used(host, key);
        if self.chance.one_in(3) && !used {
            self.hosts.remove(host, key);
            self.trace.say(format!("by hand: {} is deleted", key.1));
            return;
        }
        let more = self.chance.number(1, 3);
        let Some(object) = self.hosts.hosts.get_mut(host).and_then(|own| own.get_mut(key)) else {
            return;
        };
        let mut attributes = (*object.attributes).clone();
        match object.kind.as_str() {
            "vm" if more == 1 => {
                attributes.insert("running", Value::Bool(false));
                attributes = attributes.overlaid(&object.pending);
                object.pending = Arc::default();
                object.running = Some(false);
            }
            "vm" => drop(attributes.insert("title", Value::text("by hand"))),
            "volume" | "disk" => {
                let size = attributes.number("size").unwrap_or(1 << 30) + (more << 30);
                attributes.insert("size", Value::Bytes(size));
            }
            _ => return,
        }
        object.attributes = Arc::new(attributes);
        self.trace.say(format!("by hand: {} is changed", key.1));
    }
}
