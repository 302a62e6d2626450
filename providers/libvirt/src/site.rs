//! Whose calls these are, and what every call has to hold.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tcloud_model::kinds::HOLDS_DATA;
use tcloud_model::{Address, AttrPath, Catalog, Name, Operation, OperationKind, Stamp};
use tcloud_provider::request;
use uuid::Uuid;
use virt::connect::Connect;

use crate::domain::{Accel, Capability};
use crate::failure::{Failure, quoted};
use crate::guard::Guards;
use crate::image::Sources;
use crate::users::Users;

/// A host and who uses it.
pub(crate) struct Site {
    /// The host's address in the text.
    pub(crate) host: Address,
    /// Whose calls these are.
    pub(crate) deployment: Uuid,
    /// What the kinds are.
    pub(crate) catalog: Catalog,
    /// What runs guests, where the text says it.
    pub(crate) accel: Option<Accel>,
    /// What the host can run guests with, once it was asked.
    pub(crate) capability: Mutex<Option<Capability>>,
    /// The versions of libvirt and QEMU, once they were asked for.
    pub(crate) version: Mutex<Option<String>>,
    /// Who changes what.
    pub(crate) guards: Guards,
    /// What guests use of storage.
    pub(crate) users: Users,
    /// Where files may be kept for a while.
    pub(crate) directory: PathBuf,
    /// Where images may come from.
    pub(crate) sources: Sources,
}

/// One call to a host, on a thread where it may block.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The connection.
    pub(crate) connect: &'a Connect,
    /// Whose call it is.
    pub(crate) site: &'a Site,
}

/// The sorts of object that are made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A storage pool.
    Pool,
    /// A guest.
    Guest,
    /// A network.
    Network,
    /// A volume, or a disk of a guest.
    Volume,
    /// An image.
    Image,
}

impl Class {
    /// The class of a kind's objects; `None` when there are none on a host.
    pub(crate) fn of(kind: &str) -> Option<Class> {
        match kind {
            "pool" => Some(Class::Pool),
            "vm" => Some(Class::Guest),
            "network" => Some(Class::Network),
            "image" => Some(Class::Image),
            kind if HOLDS_DATA.contains(&kind) => Some(Class::Volume),
            _ => None,
        }
    }
}

impl Site {
    /// What the host can run guests with.
    pub(crate) fn capability(&self, connect: &Connect) -> Result<Capability, Failure> {
        // Whoever asks meanwhile waits for the answer.
        let mut known = self.capability.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some(capability) => Ok(capability),
            None => Ok(*known.insert(Capability::ask(connect, self.accel, &self.directory)?)),
        }
    }

    /// Checks what every operation has to hold, and finds its kind.
    pub(crate) fn accept(&self, operation: &Operation) -> Result<Class, Failure> {
        let schema =
            request::accept_operation(operation, &self.catalog, &self.host, Some(self.deployment))
                .map_err(Failure::Refused)?;
        let Some(class) = Class::of(&schema.kind) else {
            return Failure::refused(request::no_such_kind(&schema.kind));
        };
        match &operation.action {
            OperationKind::Create { attributes, .. } => {
                request::accept(schema, attributes).map_err(Failure::Refused)?;
            }
            // What others made may hold what nobody could ask for; it stays.
            OperationKind::Update { attributes, changed, .. } => {
                let given = request::without_none(attributes);
                for path in changed.iter().map(AttrPath::names) {
                    request::accept_change(schema, &path, given.at(&path))
                        .map_err(Failure::Refused)?;
                }
            }
            _ => {}
        }
        Ok(class)
    }

    /// Refuses to touch what does not carry our stamp.
    pub(crate) fn check_ours(
        &self,
        kind: &str,
        name: &str,
        stamp: Option<&Stamp>,
    ) -> Result<(), Failure> {
        let whose = match stamp {
            Some(stamp) if stamp.deployment == self.deployment => return Ok(()),
            Some(_) => "belongs to another deployment",
            None => "is not ours",
        };
        let host = &self.host;
        Failure::refused(format!("{kind} {} on {host} {whose}: it is left alone", quoted(name)))
    }

    /// Refuses to adopt what another deployment owns.
    pub(crate) fn check_adoptable(
        &self,
        kind: &str,
        name: &str,
        stamp: Option<&Stamp>,
    ) -> Result<(), Failure> {
        match stamp {
            Some(stamp) if stamp.deployment != self.deployment => Failure::refused(format!(
                "{kind} {} belongs to another deployment: it has to be forgotten there first",
                quoted(name)
            )),
            _ => Ok(()),
        }
    }

    /// What is said when a name is taken.
    pub(crate) fn taken<T>(
        &self,
        kind: &str,
        name: &str,
        stamp: Option<&Stamp>,
    ) -> Result<T, Failure> {
        let (name, host) = (quoted(name), &self.host);
        Failure::refused(match stamp {
            Some(stamp) if stamp.deployment == self.deployment => {
                format!("{kind} {name} on {host} is {} already", stamp.address)
            }
            Some(_) => format!(
                "{kind} {name} exists on {host} and belongs to another deployment: choose another \
                 name"
            ),
            None => format!(
                "{kind} {name} exists on {host} and is not ours: adopt it, or choose another name"
            ),
        })
    }

    /// What is said when there is no such object.
    pub(crate) fn missing<T>(&self, kind: &str, name: &str) -> Result<T, Failure> {
        Failure::refused(format!("there is no {kind} {} on {}", quoted(name), self.host))
    }
}

/// The kind of an object as it is shown: what its stamp says, if that fits what it is.
pub(crate) fn shown_kind(stamp: Option<&Stamp>, class: &str) -> Name {
    let stamped = stamp.map(|stamp| stamp.address.kind());
    match stamped {
        Some(kind) if *kind == *class => kind.clone(),
        Some(kind)
            if class == "volume" && (HOLDS_DATA.contains(&kind.as_str()) || *kind == "image") =>
        {
            kind.clone()
        }
        _ => Name::new(class),
    }
}
