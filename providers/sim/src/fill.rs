//! Objects that somebody made by hand: a host is hardly ever empty when tcloud comes to it.

use serde::{Deserialize, Serialize};
use tcloud_model::{Fields, Name, Stamp, Value};
use uuid::Uuid;

use crate::class::Class;
use crate::control::{Control, ControlError};
use crate::failure::{Failure, quoted};
use crate::host::Host;
use crate::object::{DEFAULT_POOL, Object};
use crate::reference::hold;
use crate::script::next;
use crate::{guest, link, storage};

/// Guests that somebody made by hand, on one network, each with a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filling {
    /// How many guests.
    pub guests: u32,
    /// Virtual CPUs of each.
    pub vcpus: u32,
    /// Memory of each, in bytes.
    pub memory: u64,
    /// The volume of each, in bytes.
    pub volume: u64,
}

/// What hand-made objects are called.
const NAME: &str = "hand-made";

impl Control {
    /// Adds hand-made guests, with a network and volumes in the default pool. Answers with the
    /// names of the guests.
    ///
    /// # Errors
    /// When the host has no room for them; then nothing is added.
    pub fn fill(&mut self, filling: &Filling) -> Result<Vec<Name>, ControlError> {
        self.change(|host| {
            (0..filling.guests)
                .map(|_| host.make_guest(filling.vcpus, filling.memory, filling.volume))
                .collect()
        })
    }

    /// Adds one hand-made guest and one volume in each pool, so large that this share of the
    /// memory for guests and of each pool is in use. What is fuller already stays.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn fill_to(&mut self, percent: u8) -> Result<(), ControlError> {
        self.change(|host| {
            let missing = |whole: u64, used: u64| {
                let wanted = u128::from(whole) * u128::from(percent.min(100)) / 100;
                u64::try_from(wanted).unwrap_or(whole).saturating_sub(used)
            };
            for pool in storage::pools(host.file, host.script)? {
                let size = missing(pool.capacity, pool.capacity.saturating_sub(pool.free));
                if size > 0 {
                    let name = format!("{NAME}-{}", next(host.file, NAME)?);
                    host.make_volume(&name, &pool.name, size)?;
                }
            }
            let used = guest::used(host.file, "memory", "")?;
            let memory = missing(host.script.guest_memory(), used);
            if memory > 0 {
                host.make_guest(1, memory, 0)?;
            }
            Ok(())
        })
    }
}

impl Host<'_> {
    /// Makes an object by hand, and starts it when it is a guest that shall run. Texts in place of
    /// references are names on this host.
    pub(crate) fn make(
        &self,
        kind: &str,
        name: &str,
        attributes: &Fields,
        stamp: Option<Stamp>,
    ) -> Result<(), Failure> {
        let Some(class) = Class::of(kind) else {
            return Failure::refused(format!("a host has no objects of kind {}", quoted(kind)));
        };
        if Object::named(self.file, class, name)?.is_some() {
            return Failure::refused(format!("there is a {kind} {} already", quoted(name)));
        }
        let words = format!("{}/{}/{kind}/{name}", self.script.seed, self.site.host);
        let mut object = Object {
            id: 0,
            class,
            kind: Name::new(kind),
            name: Name::new(name),
            uuid: Uuid::new_v5(&Uuid::NAMESPACE_OID, words.as_bytes()),
            stamp,
            live: hold_names(class, attributes),
            pending: Fields::new(),
            written: None,
            running: (class == Class::Vm).then_some(false),
            boots: 0,
            started: None,
            leaving: None,
        };
        match class {
            Class::Volume => {
                storage::check_room(self.file, self.script, &object)?;
                object.written = Some(guest::filled(self.script.seed, &object, 30));
            }
            Class::Vm => {
                link::check(self.file, &object)?;
                if object.live.flag("running").unwrap_or(true) {
                    guest::start(self.file, self.script, &mut object)?;
                }
            }
            Class::Network | Class::Image | Class::Pool => {}
        }
        object.write(self.file)
    }

    fn make_volume(&self, name: &str, pool: &str, size: u64) -> Result<(), Failure> {
        let fields = [("size", Value::Bytes(size)), ("pool", Value::text(pool))];
        self.make("volume", name, &named(fields), None)
    }

    fn make_guest(&self, vcpus: u32, memory: u64, volume: u64) -> Result<Name, Failure> {
        if Object::named(self.file, Class::Network, NAME)?.is_none() {
            self.make("network", NAME, &named([("mode", Value::text("bridge"))]), None)?;
        }
        let name = format!("{NAME}-{}", next(self.file, NAME)?);
        let mut fields = named([
            ("vcpus", Value::Int(i64::from(vcpus))),
            ("memory", Value::Bytes(memory)),
            ("nic", block("eth0", [("network", Value::text(NAME))])),
        ]);
        if volume > 0 {
            let disk = format!("{name}-root");
            self.make_volume(&disk, DEFAULT_POOL, volume)?;
            fields.insert("disk", block("root", [("volume", Value::text(&disk))]));
        }
        self.make("vm", &name, &fields, None)?;
        Ok(Name::from(name))
    }
}

fn named<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (Name::new(name), value)).collect()
}

fn block<const N: usize>(label: &str, fields: [(&str, Value); N]) -> Value {
    Value::map(named([(label, Value::map(named(fields)))]))
}

/// Where a person writes a name, the host keeps a reference by name.
fn hold_names(class: Class, fields: &Fields) -> Fields {
    let held = |to: Class, name: &str| Value::Ref(hold(None, to, &Name::new(name)));
    let attached = |blocks: &Fields, attribute: &str, to: Class| {
        let item = |(label, item): (&Name, &Value)| {
            let item = match item {
                Value::Map(item) => match item.text(attribute) {
                    Some(name) => {
                        let over = named([(attribute, held(to, name))]);
                        Value::map(item.overlaid(&over))
                    }
                    None => Value::Map(item.clone()),
                },
                other => other.clone(),
            };
            (label.clone(), item)
        };
        Value::map(blocks.iter().map(item).collect())
    };
    let hold = |(name, value): (&Name, &Value)| {
        let kept = match (class, name.as_str(), value) {
            (Class::Volume, "pool", Value::Text(pool)) => held(Class::Pool, pool),
            (Class::Volume, "image", Value::Text(image)) => held(Class::Image, image),
            (Class::Vm, "nic", Value::Map(nics)) => attached(nics, "network", Class::Network),
            (Class::Vm, "disk", Value::Map(disks)) => attached(disks, "volume", Class::Volume),
            (_, _, value) => value.clone(),
        };
        (name.clone(), kept)
    };
    fields.iter().map(hold).collect()
}
