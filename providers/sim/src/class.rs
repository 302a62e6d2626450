//! The sorts of object that a hypervisor tells apart. It knows fewer than the language: a disk of a
//! VM and a volume are both storage volumes, and share their names.

use tcloud_model::kinds::HOLDS_DATA;

/// A sort of object; names are unique within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// A storage volume: kinds `volume` and `disk`.
    Volume,
    /// A guest.
    Vm,
    /// A network.
    Network,
    /// An image.
    Image,
    /// A storage pool.
    Pool,
}

impl Class {
    /// The class of a kind's objects; `None` when the kind has no objects on hosts.
    pub(crate) fn of(kind: &str) -> Option<Class> {
        match kind {
            kind if HOLDS_DATA.contains(&kind) => Some(Class::Volume),
            "vm" => Some(Class::Vm),
            "network" => Some(Class::Network),
            "image" => Some(Class::Image),
            "pool" => Some(Class::Pool),
            _ => None,
        }
    }

    /// The word for it, which is also the kind of its foreign objects.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Class::Volume => "volume",
            Class::Vm => "vm",
            Class::Network => "network",
            Class::Image => "image",
            Class::Pool => "pool",
        }
    }
}
