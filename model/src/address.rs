//! Where a resource stands in the text, and where an attribute stands in a resource.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Name;

/// The path of a resource: `tenant.rhoenblick.vm.web[1]`. Segments share their parents, so an
/// address costs one small allocation; cloning is cheap, and so is comparing: by two hashes.
/// The text form is also a valid expression of the language.
#[derive(Clone)]
pub struct Address(Arc<Node>);

struct Node {
    parent: Option<Address>,
    kind: Name,
    name: Name,
    /// Most have none, and there are very many addresses.
    key: Option<Box<Key>>,
    depth: u16,
    hash: u64,
    proof: u64,
}

/// What tells the instances of a repeated block apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `vm.web[2]`
    Int(i64),
    /// `vm.web["a"]`
    Text(Name),
    /// `vm.web[zone.a]`, the address of what the block was repeated over.
    Ref(Address),
}

impl Address {
    /// An address of one segment.
    pub fn root(kind: impl Into<Name>, name: impl Into<Name>, key: Option<Key>) -> Address {
        Address::build(None, kind.into(), name.into(), key)
    }

    /// This address with one more segment.
    pub fn child(&self, kind: impl Into<Name>, name: impl Into<Name>, key: Option<Key>) -> Address {
        Address::build(Some(self.clone()), kind.into(), name.into(), key)
    }

    /// This address with one more segment whose name may carry a key, as the labels of nested
    /// blocks do: `web[1]`. What is not a name with a key is taken as it is.
    pub fn labelled(&self, kind: impl Into<Name>, label: &Name) -> Address {
        let kind = kind.into();
        if label.contains('[') {
            let segment = format!("{kind}.{label}").parse::<Address>();
            if let Some(one) = segment.ok().filter(|segment| segment.depth() == 1) {
                return self.child(kind, one.name().clone(), one.key().cloned());
            }
        }
        self.child(kind, label.clone(), None)
    }

    fn build(parent: Option<Address>, kind: Name, name: Name, key: Option<Key>) -> Address {
        let mut hasher = Fnv(parent.as_ref().map_or(0xcbf2_9ce4_8422_2325, |p| p.0.hash));
        kind.hash(&mut hasher);
        name.hash(&mut hasher);
        key.hash(&mut hasher);
        let hash = hasher.finish();
        let proof = PROOFS.hash_one((parent.as_ref().map(|p| p.0.proof), &kind, &name, &key));
        let depth = parent.as_ref().map_or(1, |p| p.0.depth.saturating_add(1));
        let key = key.map(Box::new);
        Address(Arc::new(Node { parent, kind, name, key, depth, hash, proof }))
    }

    /// The address without its last segment.
    pub fn parent(&self) -> Option<&Address> {
        self.0.parent.as_ref()
    }

    /// The kind of the last segment.
    pub fn kind(&self) -> &Name {
        &self.0.kind
    }

    /// The name of the last segment.
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// The key of the last segment, if its block is repeated.
    pub fn key(&self) -> Option<&Key> {
        self.0.key.as_deref()
    }

    /// How many segments there are, at least one.
    pub fn depth(&self) -> usize {
        usize::from(self.0.depth)
    }

    /// This address and its parents, outermost first.
    pub fn ancestry(&self) -> Vec<&Address> {
        let mut all = Vec::with_capacity(self.depth());
        let mut at = Some(self);
        while let Some(address) = at {
            all.push(address);
            at = address.parent();
        }
        all.reverse();
        all
    }

    /// The outermost of its parents, or itself.
    pub fn top(&self) -> &Address {
        let mut top = self;
        while let Some(parent) = top.parent() {
            top = parent;
        }
        top
    }

    /// The tenant that the resource belongs to, or `None` for what is shared by all.
    pub fn tenant(&self) -> Option<&Address> {
        let mut tenant = None;
        let mut at = Some(self);
        while let Some(address) = at {
            if address.kind() == "tenant" {
                tenant = Some(address);
            }
            at = address.parent();
        }
        tenant
    }

    /// Whether this address is `other` or lies inside it.
    pub fn is_within(&self, other: &Address) -> bool {
        let mut at = Some(self);
        while let Some(address) = at {
            if address == other {
                return true;
            }
            at = address.parent();
        }
        false
    }

    /// The whole address as text. Where there are very many, this is quicker than `to_string`.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(64);
        self.push_to(&mut text);
        text
    }

    /// Writes the address at the end of a text.
    pub fn push_to(&self, text: &mut String) {
        if let Some(parent) = self.parent() {
            parent.push_to(text);
            text.push('.');
        }
        text.push_str(&self.0.kind);
        text.push('.');
        text.push_str(&self.0.name);
        if let Some(key) = &self.0.key {
            let _ = write!(text, "[{key}]");
        }
    }

    /// The last segment as text: `vm.web[1]`.
    pub fn last_segment(&self) -> String {
        let mut text = format!("{}.{}", self.0.kind, self.0.name);
        if let Some(key) = &self.0.key {
            let _ = write!(text, "[{key}]");
        }
        text
    }

    /// The name and key of the last segment: `web[1]`.
    pub fn last_name(&self) -> String {
        match &self.0.key {
            Some(key) => format!("{}[{key}]", self.0.name),
            None => self.0.name.to_string(),
        }
    }
}

/// What makes the second hash of every address. Its seed is drawn for each process, so that nobody
/// can write two addresses that it takes for one. Together with the first one it has 128 bits, more
/// than the UUIDs by which the hosts know the same objects.
static PROOFS: LazyLock<foldhash::quality::RandomState> =
    LazyLock::new(foldhash::quality::RandomState::default);

/// FNV-1a, 64 bits: stable over processes, which a plan's order may depend on.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        // Going through the words of both and of their parents would be most of the work of a plan.
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.hash == other.0.hash && self.0.proof == other.0.proof)
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Address) -> Ordering {
        if self == other {
            return Ordering::Equal;
        }
        let (mut left, mut right) = (self, other);
        while left.0.depth > right.0.depth {
            match left.parent() {
                Some(parent) => left = parent,
                None => break,
            }
        }
        while right.0.depth > left.0.depth {
            match right.parent() {
                Some(parent) => right = parent,
                None => break,
            }
        }
        compare_same_depth(left, right).then(self.0.depth.cmp(&other.0.depth))
    }
}

fn compare_same_depth(left: &Address, right: &Address) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let parents = match (left.parent(), right.parent()) {
        (Some(left), Some(right)) => compare_same_depth(left, right),
        _ => Ordering::Equal,
    };
    parents
        .then_with(|| left.0.kind.cmp(&right.0.kind))
        .then_with(|| left.0.name.cmp(&right.0.name))
        .then_with(|| left.0.key.cmp(&right.0.key))
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Address) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(number) => write!(f, "{number}"),
            Key::Text(text) => crate::value::write_quoted(f, text),
            Key::Ref(address) => write!(f, "{address}"),
        }
    }
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// What was wrong, in the user's words.
    pub message: String,
    /// Byte offset of the trouble in the text.
    pub offset: usize,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let mut reader = Reader { text, at: 0, nesting: 0 };
        let address = reader.address()?;
        if reader.at < text.len() {
            return Err(reader.error("there is something after the address"));
        }
        Ok(address)
    }
}

/// The key that begins at a byte of a text and ends with it.
pub(crate) fn last_key(text: &str, at: usize) -> Option<Key> {
    let mut reader = Reader { text, at: at + 1, nesting: 0 };
    let key = reader.key().ok()?;
    (reader.at == text.len()).then_some(key)
}

/// More segments than any address has. What works through them one in another needs a bound.
const DEEPEST: usize = 256;

/// Whether a text can be the kind or the name of a segment.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(in_word)
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Reads the text form of an address; shared with keys, which may hold addresses.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    nesting: u8,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, message: &str) -> AddressError {
        AddressError { message: message.to_owned(), offset: self.at }
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn word(&mut self) -> Result<Name, AddressError> {
        let rest = self.rest().as_bytes();
        let length = rest.iter().position(|byte| !in_word(*byte)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.error("an address is made of kind.name pairs, a word is missing"));
        }
        let word = Name::new(&self.text[self.at..self.at + length]);
        self.at += length;
        Ok(word)
    }

    fn address(&mut self) -> Result<Address, AddressError> {
        let mut address: Option<Address> = None;
        loop {
            let kind = self.word()?;
            if !self.eat('.') {
                return Err(self.error("a kind is followed by a dot and a name"));
            }
            let name = self.word()?;
            let key = if self.eat('[') { Some(self.key()?) } else { None };
            address = Some(match &address {
                Some(parent) if parent.depth() == DEEPEST => {
                    return Err(self.error("an address is nested too deeply"));
                }
                Some(parent) => parent.child(kind, name, key),
                None => Address::root(kind, name, key),
            });
            if !self.eat('.') {
                break;
            }
        }
        address.ok_or_else(|| self.error("an address is missing"))
    }

    fn key(&mut self) -> Result<Key, AddressError> {
        let key = if self.rest().starts_with('"') {
            Key::Text(self.quoted()?)
        } else if self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let length = self.rest().find(']').unwrap_or(self.rest().len());
            let digits = &self.text[self.at..self.at + length];
            let number = digits
                .parse()
                .map_err(|_| self.error("a key is a number, a quoted text or an address"))?;
            self.at += length;
            Key::Int(number)
        } else {
            if self.nesting == 16 {
                return Err(self.error("an address is nested too deeply"));
            }
            self.nesting += 1;
            let address = self.address()?;
            self.nesting -= 1;
            Key::Ref(address)
        };
        if !self.eat(']') {
            return Err(self.error("a key is closed by `]`"));
        }
        Ok(key)
    }

    fn quoted(&mut self) -> Result<Name, AddressError> {
        let (text, length) = crate::value::read_quoted(self.rest())
            .ok_or_else(|| self.error("a quoted key is not closed"))?;
        self.at += length;
        Ok(Name::from(text))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        struct AddressVisitor;
        impl serde::de::Visitor<'_> for AddressVisitor {
            type Value = Address;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Address, E> {
                crate::sharing::address(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(AddressVisitor)
    }
}

/// Where an attribute stands inside a resource: `nic.office.address`, `web["a"].size`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttrPath(pub Vec<PathStep>);

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathStep {
    /// A named field, or the label of a nested block with its key (`web[1]`).
    Field(Name),
    /// A position in a list, counted from zero.
    Index(usize),
}

impl AttrPath {
    /// The path of a top-level attribute.
    pub fn attribute(name: impl Into<Name>) -> AttrPath {
        AttrPath(vec![PathStep::Field(name.into())])
    }

    /// This path with one more field.
    pub fn field(&self, name: impl Into<Name>) -> AttrPath {
        let mut steps = self.0.clone();
        steps.push(PathStep::Field(name.into()));
        AttrPath(steps)
    }

    /// This path with one more list position.
    pub fn index(&self, index: usize) -> AttrPath {
        let mut steps = self.0.clone();
        steps.push(PathStep::Index(index));
        AttrPath(steps)
    }

    /// The names of this path, down to the first position in a list: lists are changed whole.
    pub fn names(&self) -> Vec<Name> {
        let names = self.0.iter().map_while(|step| match step {
            PathStep::Field(name) => Some(name.clone()),
            PathStep::Index(_) => None,
        });
        names.collect()
    }

    /// The name of the top-level attribute.
    pub fn first(&self) -> Option<&Name> {
        match self.0.first() {
            Some(PathStep::Field(name)) => Some(name),
            _ => None,
        }
    }

    /// Reads the text form. Fields are split at dots outside brackets.
    pub fn parse(text: &str) -> AttrPath {
        let mut steps = Vec::new();
        let (mut start, mut depth) = (0, 0_i32);
        for (at, c) in text.char_indices() {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                '.' if depth == 0 => {
                    steps.push(PathStep::Field(Name::new(&text[start..at])));
                    start = at + 1;
                }
                _ => {}
            }
        }
        steps.push(PathStep::Field(Name::new(&text[start..])));
        AttrPath(steps)
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Field(name) if position == 0 => write!(f, "{name}")?,
                PathStep::Field(name) => write!(f, ".{name}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for AttrPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AttrPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AttrPath, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(AttrPath::parse(&text))
    }
}

#[cfg(test)]
mod tests;
