//! What references lead to on the host: volumes and networks, by the names that definitions use and
//! by the values that attributes use.

use std::collections::{HashMap, HashSet};

use tcloud_model::{Address, Value};

use crate::xml::Element;

/// How the data of a volume is laid out; always said, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With its size and clusters.
    Qcow2,
    /// As the guest sees it.
    Raw,
}

impl Format {
    /// libvirt's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Format::Qcow2 => "qcow2",
            Format::Raw => "raw",
        }
    }
}

/// Where the data of a volume is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Backing {
    /// A file.
    File(String),
    /// A block device.
    Block(String),
    /// Something that only libvirt's pool knows how to reach.
    Volume {
        /// The pool's name.
        pool: String,
        /// The volume's name.
        volume: String,
    },
}

/// A volume, as a guest is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub backing: Backing,
    /// Its format.
    pub format: Format,
}

/// The volumes and networks of a host that one or more guests refer to.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    volumes: HashMap<Address, Source>,
    networks: HashMap<Address, String>,
    by_backing: HashMap<Backing, Address>,
    /// Names of volumes that are not ours.
    foreign: HashMap<Backing, String>,
    /// Where volumes of ours were that somebody has deleted.
    gone: HashMap<Backing, Address>,
    /// What volumes are made on top of: paths.
    layers: HashMap<String, String>,
    by_name: HashMap<String, Address>,
    filters: HashMap<String, Element>,
    /// Networks and filters that are there and could not be read: nobody knows whose they are, or
    /// what they say.
    unread_networks: HashSet<String>,
    unread_filters: HashSet<String>,
    /// Volumes of which nobody could read whose they are.
    hidden_at: HashSet<Backing>,
    hidden: Hidden,
}

/// What may be known of volumes to nobody, because something could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Hidden {
    /// Nothing.
    #[default]
    Nothing,
    /// Which volumes there are.
    Volumes,
    /// Whose volumes are, too.
    Owners,
}

impl Backing {
    /// The backing that a disk's definition names.
    pub fn of(disk: &Element) -> Option<Backing> {
        let source = disk.find("source")?;
        if let Some(path) = source.get("file") {
            return Some(Backing::File(path.to_owned()));
        }
        if let Some(path) = source.get("dev") {
            return Some(Backing::Block(path.to_owned()));
        }
        let (pool, volume) = (source.get("pool")?.to_owned(), source.get("volume")?.to_owned());
        Some(Backing::Volume { pool, volume })
    }

    /// All that a disk's definition names: what it writes to first, and what that lies on.
    pub(super) fn all_of(disk: &Element) -> Vec<Backing> {
        let mut all = Vec::new();
        let mut layer = Some(disk);
        while let Some(own) = layer {
            all.extend(Backing::of(own));
            layer = own.find("backingStore");
        }
        all
    }

    /// Its path, or the volume's name in its pool.
    pub fn text(&self) -> &str {
        match self {
            Backing::File(path) | Backing::Block(path) => path,
            Backing::Volume { pool: _, volume } => volume,
        }
    }
}

impl Directory {
    /// Adds the filter of a NIC under its name on the host.
    pub fn add_filter(&mut self, name: String, filter: Element) {
        self.filters.insert(name, filter);
    }

    /// The filter of a name.
    pub(super) fn filter(&self, name: &str) -> Option<&Element> {
        self.filters.get(name)
    }

    /// Adds a volume.
    pub fn add_volume(&mut self, address: Address, source: Source) {
        self.by_backing.insert(source.backing.clone(), address.clone());
        self.volumes.insert(address, source);
    }

    /// Adds where a volume lies, for reading only.
    pub(crate) fn add_backing(&mut self, backing: Backing, address: Address) {
        self.by_backing.insert(backing, address);
    }

    /// Adds where a volume of others lies, for reading only.
    pub(crate) fn add_foreign(&mut self, backing: Backing, name: &str) {
        self.foreign.insert(backing, name.to_owned());
    }

    /// Adds where a volume of ours was that somebody has deleted, for reading only.
    pub(crate) fn add_gone(&mut self, backing: Backing, address: Address) {
        self.gone.insert(backing, address);
    }

    /// The volume of ours that a disk wrote to, where somebody has deleted it.
    pub(super) fn gone_under(&self, disk: &Element) -> Option<&Address> {
        self.gone.get(&Backing::of(disk)?)
    }

    /// Adds that a volume is made on top of another: their paths.
    pub(crate) fn add_layer(&mut self, path: String, base: String) {
        self.layers.insert(path, base);
    }

    /// Whether it knows what a volume is made on top of.
    pub(super) fn has_layer(&self, path: &str) -> bool {
        self.layers.contains_key(path)
    }

    /// Adds a network under its name on the host.
    pub fn add_network(&mut self, address: Address, name: String) {
        self.by_name.insert(name.clone(), address.clone());
        self.networks.insert(address, name);
    }

    /// Adds the name of a network that could not be read.
    pub(crate) fn add_unread_network(&mut self, name: String) {
        self.unread_networks.insert(name);
    }

    /// Whether there is a network of that name, and it could not be read.
    pub(super) fn is_unread_network(&self, name: &str) -> bool {
        self.unread_networks.contains(name)
    }

    /// Adds the name of a filter that could not be read.
    pub(crate) fn add_unread_filter(&mut self, name: String) {
        self.unread_filters.insert(name);
    }

    /// Whether there is a filter of that name, and it could not be read.
    pub(super) fn is_unread_filter(&self, name: &str) -> bool {
        self.unread_filters.contains(name)
    }

    /// Adds where a volume lies of which nobody could read whose it is.
    pub(crate) fn add_hidden(&mut self, backing: Backing) {
        self.hidden_at.insert(backing);
    }

    /// There are volumes that could not be read.
    pub(crate) fn hide_volumes(&mut self) {
        self.hidden = self.hidden.max(Hidden::Volumes);
    }

    /// There are volumes of which nobody could read whose they are.
    pub(crate) fn hide_owners(&mut self) {
        self.hidden = Hidden::Owners;
    }

    /// Whether a disk may lie on a volume of ours although none is known there.
    pub(super) fn hides_volume_of(&self, disk: &Element) -> bool {
        if self.hidden == Hidden::Nothing && self.hidden_at.is_empty() {
            return false;
        }
        if self.volume_of(disk).is_some() || self.gone_under(disk).is_some() {
            return false;
        }
        let is_foreign = || Backing::of(disk).is_none_or(|own| self.foreign.contains_key(&own));
        self.layers_of(disk).iter().any(|own| self.hidden_at.contains(own))
            || match self.hidden {
                Hidden::Nothing => false,
                Hidden::Volumes => !is_foreign(),
                Hidden::Owners => true,
            }
    }

    /// Whether it knows what lies there.
    pub(super) fn knows_volume(&self, backing: &Backing) -> bool {
        self.by_backing.contains_key(backing)
    }

    /// Whether it knows the network of a name.
    pub(super) fn knows_network(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The volume that attributes refer to.
    pub(super) fn volume(&self, value: &Value) -> Option<&Source> {
        self.volumes.get(value.as_ref_address()?)
    }

    /// The name of the network that attributes refer to.
    pub(super) fn network<'a>(&'a self, value: &'a Value) -> Option<&'a str> {
        match value {
            Value::Text(name) => Some(name),
            value => self.networks.get(value.as_ref_address()?).map(String::as_str),
        }
    }

    /// The volume of ours whose data a disk shows, and how many layers above it the disk writes to: a
    /// snapshot, for instance, is one. It is still the disk of that volume.
    pub(super) fn volume_of(&self, disk: &Element) -> Option<(usize, &Address)> {
        let known = |(depth, own)| Some((depth, self.by_backing.get(own)?));
        self.layers_of(disk).iter().enumerate().find_map(known)
    }

    /// What a disk writes to, and all that this lies on.
    fn layers_of(&self, disk: &Element) -> Vec<Backing> {
        let mut layers = Backing::all_of(disk);
        // Of a guest that does not run, a definition names the first one only.
        while let Some(base) = layers.last().and_then(|last| self.layers.get(last.text())) {
            let base = Backing::File(base.clone());
            if layers.contains(&base) {
                break;
            }
            layers.push(base);
        }
        layers
    }

    /// What attributes say for the volume behind a disk: its address, the name of a volume of
    /// others, or a path that no pool knows.
    pub(super) fn volume_value(&self, disk: &Element) -> Option<Value> {
        let own = self.volume_of(disk).map(|(_, address)| address);
        if let Some(address) = own.or_else(|| self.gone_under(disk)) {
            return Some(Value::Ref(address.clone()));
        }
        let backing = Backing::of(disk)?;
        let name = self.foreign.get(&backing);
        Some(Value::text(name.map_or(backing.text(), String::as_str)))
    }

    /// What attributes say for a network: its address, or its name.
    pub(super) fn network_value(&self, name: &str) -> Value {
        match self.by_name.get(name) {
            Some(address) => Value::Ref(address.clone()),
            None => Value::text(name),
        }
    }
}
