//! A word of the language: the name of a kind, a resource or an attribute.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use arcstr::ArcStr;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A shared, immutable word. Cloning is cheap; the text is not checked here, since attribute names,
/// kinds and map keys follow different rules; see [`Name::is_word`].
/// One word of memory, its length stands with its text: a plan has more names than anything else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(ArcStr);

/// The longest name of a resource, in bytes: what a DNS label and libvirt both accept.
pub const MAX_LENGTH: usize = 63;

impl Name {
    /// Wraps a text as it is.
    pub fn new(text: &str) -> Name {
        Name(ArcStr::from(text))
    }

    /// Wraps a text; within [`crate::sharing::sharing`], equal texts are kept once.
    pub fn shared(text: &str) -> Name {
        crate::sharing::name(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text may name a resource: a lower-case letter, then letters, digits and single
    /// minus signs, at most [`MAX_LENGTH`] bytes, no minus at the end.
    pub fn is_word(text: &str) -> bool {
        let bytes = text.as_bytes();
        bytes.first().is_some_and(u8::is_ascii_lowercase)
            && bytes.len() <= MAX_LENGTH
            && !text.ends_with('-')
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
                Ok(crate::sharing::name(text))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name::new(text)
    }
}

impl From<String> for Name {
    fn from(text: String) -> Name {
        Name(ArcStr::from(text))
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
