//! Who an object is on a hypervisor. Identity is derived from the text's addresses, never drawn at
//! random: an object can be found without any state, and creating it twice is creating it once.

use std::fmt::{self, Write as _};
use std::io::{BufWriter, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Address, Fields, Name};

/// One object that tcloud manages: an address, on a host, in an incarnation. A replacement raises
/// the incarnation, so that old and new may exist side by side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// Where it stands in the text.
    pub address: Address,
    /// The address of the host that it runs on.
    pub host: Address,
    /// 0 for the first, one more for every replacement.
    pub incarnation: u32,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.incarnation > 0 {
            write!(f, "#{}", self.incarnation)?;
        }
        write!(f, " on {}", self.host)
    }
}

/// What a deployment is called and known by. Two deployments may share hosts; neither touches the
/// other's objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The name from `tcloud.toml`, or the directory's.
    pub name: Name,
    /// Derived from the name.
    pub id: Uuid,
}

/// Namespace of all identifiers that tcloud derives (a random UUID, fixed for ever).
const NAMESPACE: Uuid = Uuid::from_u128(0x9c1f_52a4_3f0e_4c57_8d25_0b7e_61aa_d9c3);

impl Deployment {
    /// The deployment of this name.
    pub fn new(name: &str) -> Deployment {
        Deployment { name: Name::new(name), id: Uuid::new_v5(&NAMESPACE, name.as_bytes()) }
    }
}

/// How a hypervisor knows an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its UUID, where the hypervisor gives objects one.
    pub uuid: Uuid,
    /// Its readable name on the hypervisor: `rhoenblick.files`.
    pub name: Name,
}

impl Identity {
    /// The identity of an object that is created. `per_host` objects (networks, images, pools) get
    /// a UUID per host; a VM or volume keeps its own when it moves to another host.
    pub fn derive(deployment: &Deployment, object: &ObjectId, per_host: bool) -> Identity {
        let uuid = Identity::uuid(deployment, object, per_host);
        Identity { uuid, name: hypervisor_name(object) }
    }

    /// The UUID of an object that is created, see [`Identity::derive`].
    pub fn uuid(deployment: &Deployment, object: &ObjectId, per_host: bool) -> Uuid {
        let mut text = object.address.to_text();
        let _ = write!(text, "#{}", object.incarnation);
        if per_host {
            text.push('@');
            object.host.push_to(&mut text);
        }
        Uuid::new_v5(&deployment.id, text.as_bytes())
    }

    /// The MAC address of a NIC: QEMU's prefix 52:54:00 and three bytes of the same hash. `attempt`
    /// is 0, and is raised when two NICs of one network would get the same.
    pub fn mac(deployment: &Deployment, nic: &Address, attempt: u32) -> [u8; 6] {
        let mut text = String::with_capacity(80);
        text.push_str("mac:");
        nic.push_to(&mut text);
        let _ = write!(text, "#{attempt}");
        let hash = Uuid::new_v5(&deployment.id, text.as_bytes());
        let [a, b, c, ..] = *hash.as_bytes();
        [0x52, 0x54, 0x00, a, b, c]
    }
}

/// The longest name that is surely accepted for a domain, a network and a file.
const LONGEST_NAME: usize = 120;

/// The readable name: the names of the path without the kinds of scopes, joined by dots. What is
/// not unique or too long that way is made so with a part of the address's hash by the kind prefix.
fn hypervisor_name(object: &ObjectId) -> Name {
    let mut text = String::with_capacity(LONGEST_NAME);
    push_path(&mut text, &object.address);
    if text.len() > LONGEST_NAME {
        let hash = blake3::hash(object.address.to_string().as_bytes());
        let mut end = LONGEST_NAME - 17;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('~');
        text.push_str(&hash.to_hex()[..16]);
    }
    if object.incarnation > 0 {
        text.push_str(&format!("~{}", object.incarnation));
    }
    Name::from(text)
}

fn push_path(text: &mut String, address: &Address) {
    if let Some(parent) = address.parent() {
        push_path(text, parent);
        text.push('.');
    }
    if !matches!(address.kind().as_str(), "tenant" | "site" | "vm") {
        text.push_str(address.kind());
        text.push('-');
    }
    push_plain(text, address);
}

/// Keys become readable and safe in a file name: `web[1]` is `web-1`. Other characters than
/// letters, digits, `-`, `_` and `.` are written as their code, so that no two keys become equal.
fn push_plain(text: &mut String, segment: &Address) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if segment.key().is_none() && segment.name().bytes().all(|byte| is_plain(byte.into())) {
        text.push_str(segment.name());
        return;
    }
    for c in segment.last_name().chars() {
        match c {
            '[' => text.push('-'),
            ']' | '"' => {}
            c if is_plain(c) => text.push(c),
            c => text.push_str(&format!("_{:x}_", u32::from(c))),
        }
    }
}

/// By what a deployment tells what it wrote itself from what others wrote. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey(pub [u8; 32]);

impl SealKey {
    /// The digest of bytes that nobody can make without the key.
    pub fn seal(&self, bytes: &[u8]) -> Digest {
        Digest::cut(blake3::keyed_hash(&self.0, bytes))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

/// A digest of attributes, to see whether something changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The digest of bytes.
    pub fn of_bytes(bytes: &[u8]) -> Digest {
        Digest::cut(blake3::hash(bytes))
    }

    fn cut(hash: blake3::Hash) -> Digest {
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.as_bytes()[..16]);
        Digest(digest)
    }

    /// The digest of attributes.
    pub fn of_fields(fields: &Fields) -> Digest {
        Digest::of_json(fields)
    }

    /// The digest of the JSON form of something.
    pub fn of_json(what: &(impl Serialize + ?Sized)) -> Digest {
        // Hashing the whole text at once is four times as fast as hashing word by word.
        let mut text = Vec::with_capacity(1 << 10);
        let written = serde_json::to_writer(&mut text, what);
        assert!(written.is_ok(), "BUG: what is digested has a JSON form");
        Digest::of_bytes(&text)
    }

    /// The same for what is so long that its JSON form had better never be whole.
    pub fn of_long_json(what: &(impl Serialize + ?Sized)) -> Digest {
        let mut text = BufWriter::with_capacity(1 << 16, blake3::Hasher::new());
        let written = serde_json::to_writer(&mut text, what).is_ok() && text.flush().is_ok();
        assert!(written, "BUG: what is digested has a JSON form");
        Digest::cut(text.get_ref().finalize())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
        self.0.iter().try_for_each(|byte| {
            f.write_char(digit(byte >> 4))?;
            f.write_char(digit(byte & 15))
        })
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        struct DigestVisitor;
        impl serde::de::Visitor<'_> for DigestVisitor {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 hexadecimal digits")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
                let wrong = || E::custom("a digest has 32 hexadecimal digits");
                let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(wrong);
                let (pairs, rest) = text.as_bytes().as_chunks::<2>();
                let mut digest = [0; 16];
                if pairs.len() != digest.len() || !rest.is_empty() {
                    return Err(wrong());
                }
                for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
                    *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
                }
                Ok(Digest(digest))
            }
        }
        deserializer.deserialize_str(DigestVisitor)
    }
}

/// The digest of attributes, which is worked out each time that somebody asks for it: a plan that is
/// only looked at needs none of them.
#[derive(Clone)]
pub enum FieldsDigest {
    /// It was read; the attributes may not be at hand.
    Known(Digest),
    /// That of these.
    Of(Arc<Fields>),
}

impl FieldsDigest {
    /// The digest itself.
    pub fn get(&self) -> Digest {
        match self {
            FieldsDigest::Known(digest) => *digest,
            FieldsDigest::Of(fields) => Digest::of_fields(fields),
        }
    }
}

impl PartialEq for FieldsDigest {
    fn eq(&self, other: &FieldsDigest) -> bool {
        match (self, other) {
            (FieldsDigest::Of(own), FieldsDigest::Of(other)) if Arc::ptr_eq(own, other) => true,
            _ => self.get() == other.get(),
        }
    }
}

impl Eq for FieldsDigest {}

impl fmt::Debug for FieldsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

impl Serialize for FieldsDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FieldsDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Digest::deserialize(deserializer).map(FieldsDigest::Known)
    }
}

/// What tcloud writes onto an object, so that it can be found and understood without any state.
/// An object without a stamp of our deployment is never changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Whose it is.
    pub deployment: Uuid,
    /// What it is in the text.
    pub address: Address,
    /// Which incarnation.
    pub incarnation: u32,
    /// Digest of the attributes that were applied.
    pub digest: FieldsDigest,
    /// Whether deleting it needs consent that names it; outlives its block in the text.
    pub protect: bool,
    /// Whether a replacement is created before it is deleted; outlives its block too.
    pub create_first: bool,
    /// What it depends on, so that it is deleted before them.
    pub dependencies: Arc<[Address]>,
    /// Digest of the values of `replace_when` that it was made under; `None` when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggers: Option<Digest>,
    /// The address that it had before its last `moved`, so that a swap is not done twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Address>,
    /// The generation of the lease under which it was written; 0 before it is. A state whose scope
    /// has not come that far yet is older than the object.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Stamp {
    /// Whether both say the same, whoever wrote them: nothing is written only because the
    /// generation is another.
    pub fn says_the_same(&self, other: &Stamp) -> bool {
        let Stamp { deployment: _, generation, .. } = *other;
        Stamp { generation, ..self.clone() } == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(address: &str, incarnation: u32) -> ObjectId {
        ObjectId {
            address: address.parse().expect(address),
            host: Address::root("host", "kvm1", None),
            incarnation,
        }
    }

    #[test]
    fn names_are_readable_and_incarnations_differ() {
        let deployment = Deployment::new("test");
        let identity = |address, n| Identity::derive(&deployment, &object(address, n), false);
        assert_eq!(identity("tenant.rhoenblick.vm.web[1]", 0).name, "rhoenblick.web-1");
        assert_eq!(
            identity("tenant.rhoenblick.vm.web[1].disk.root", 2).name,
            "rhoenblick.web-1.disk-root~2"
        );
        assert_eq!(
            identity("tenant.a.citizen-portal.main.network.dmz", 0).name,
            "a.citizen-portal-main.network-dmz"
        );
        assert_ne!(identity("tenant.t.vm.a", 0).uuid, identity("tenant.t.vm.a", 1).uuid);
    }

    #[test]
    fn a_digest_of_fields_is_the_same_before_and_after_it_is_written() {
        let fields = |size| {
            let fields = [(Name::new("size"), crate::Value::Bytes(size))];
            Arc::new(fields.into_iter().collect::<Fields>())
        };
        let own = FieldsDigest::Of(fields(1));
        let json = serde_json::to_string(&own).expect("a digest is JSON");
        let read: FieldsDigest = serde_json::from_str(&json).expect(&json);
        assert_eq!(read, own);
        assert_eq!(FieldsDigest::Of(fields(1)), own);
        assert_ne!(FieldsDigest::Of(fields(2)), own);
        assert_eq!(format!("{own:?}"), format!("{}", Digest::of_fields(&fields(1))));
    }

    #[test]
    fn what_is_long_has_the_same_digest_as_what_is_not() {
        for length in [1, (1 << 16) - 2, 1 << 16, 200_000] {
            let text = "x".repeat(length);
            assert_eq!(Digest::of_long_json(&text), Digest::of_json(&text), "{length}");
        }
    }

    #[test]
    fn a_digest_is_read_back() {
        let digest = Digest::of_fields(&Fields::new());
        let json = serde_json::to_string(&digest).expect("a digest is JSON");
        assert_eq!(serde_json::from_str::<Digest>(&json).expect(&json), digest);
        let wrong =
            ["ää", "+f".repeat(16).as_str(), "0".repeat(33).as_str(), "ä".repeat(16).as_str()]
                .map(|text| serde_json::from_str::<Digest>(&format!("\"{text}\"")).is_err());
        assert_eq!(wrong, [true; 4]);
    }
}
