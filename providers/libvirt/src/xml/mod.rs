//! XML as a tree that can be changed. It is only ever made by the typed writer, which escapes
//! everything, and only ever read by a reader that knows no DTD: no text is pasted into XML.

use std::fmt::Display;

use ecow::{EcoString, eco_format};

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{DEEPEST, LONGEST};

/// An element with everything in it. Names with a prefix are kept as `prefix:name`, and the
/// declarations of prefixes as attributes `xmlns:prefix`. A definition has hundreds of texts, nearly
/// all of them short: most need no memory of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: EcoString,
    /// Its attributes, in their order.
    pub attributes: Vec<(EcoString, EcoString)>,
    /// What is in it.
    pub children: Vec<Node>,
}

/// Something in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, as it is meant: nothing in it is escaped.
    Text(EcoString),
    /// A comment.
    Comment(EcoString),
}

/// What is wrong with XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It is longer than [`LONGEST`].
    #[error("it has {0} bytes, and at most {LONGEST} are read")]
    TooLong(usize),
    /// It is nested deeper than [`DEEPEST`].
    #[error("it is nested deeper than {DEEPEST} elements")]
    TooDeep,
    /// It declares a document type, which could define entities.
    #[error("it has a DTD, which is not allowed")]
    Dtd,
    /// It is not well-formed.
    #[error("it is not well-formed: {0}")]
    Malformed(String),
    /// A text has a character that XML cannot hold.
    #[error("the character U+{:04X} in {place} cannot be written in XML", u32::from(*.character))]
    Character {
        /// The character.
        character: char,
        /// The element or attribute.
        place: String,
    },
    /// A name is not one.
    #[error("\"{}\" cannot be a name in XML", .0.escape_debug())]
    Name(String),
    /// A comment has two hyphens in it.
    #[error("a comment in {0} has two hyphens in it, which XML cannot hold")]
    Comment(String),
}

impl Element {
    /// An element with nothing in it.
    pub fn new(name: impl Into<EcoString>) -> Element {
        Element { name: name.into(), attributes: Vec::new(), children: Vec::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attr(mut self, name: impl Into<EcoString>, value: impl Display) -> Element {
        self.set(name, value);
        self
    }

    /// Adds an element.
    #[must_use]
    pub fn child(mut self, child: Element) -> Element {
        self.push(child);
        self
    }

    /// Adds elements.
    #[must_use]
    pub fn with(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Adds text.
    #[must_use]
    pub fn text(mut self, text: impl Display) -> Element {
        self.children.push(Node::Text(eco_format!("{text}")));
        self
    }

    /// The value of an attribute.
    pub fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == attribute).map(|(_, value)| value.as_str())
    }

    /// Sets an attribute, in its place if it is there.
    pub fn set(&mut self, attribute: impl Into<EcoString>, value: impl Display) {
        let (name, value) = (attribute.into(), eco_format!("{value}"));
        match self.attributes.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// Takes an attribute away.
    pub fn unset(&mut self, attribute: &str) {
        self.attributes.retain(|(own, _)| own != attribute);
    }

    /// The first element at a path of names: `devices/disk`.
    pub fn find(&self, path: &str) -> Option<&Element> {
        // Paths are short: to look for several bytes at once takes longer.
        match path.bytes().position(|own| own == b'/') {
            Some(at) => self.elements(&path[..at]).find_map(|inner| inner.find(&path[at + 1..])),
            None => self.elements(path).next(),
        }
    }

    /// The first element at a path of names.
    pub fn find_mut(&mut self, path: &str) -> Option<&mut Element> {
        match path.split_once('/') {
            Some((first, rest)) => self.elements_mut(first).find_map(|inner| inner.find_mut(rest)),
            None => self.elements_mut(path).next(),
        }
    }

    /// The elements of a name directly in it.
    pub fn elements<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a Element> + use<'a, 'n> {
        self.children.iter().filter_map(move |node| match node {
            Node::Element(own) if own.name == name => Some(own),
            _ => None,
        })
    }

    /// The elements of a name directly in it.
    pub fn elements_mut<'a, 'n>(
        &'a mut self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a mut Element> + use<'a, 'n> {
        self.children.iter_mut().filter_map(move |node| match node {
            Node::Element(own) if own.name == name => Some(own),
            _ => None,
        })
    }

    /// All elements directly in it.
    pub fn all(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(own) => Some(own),
            _ => None,
        })
    }

    /// The text directly in it, without white space around it.
    pub fn content(&self) -> String {
        self.exact_content().trim().to_owned()
    }

    /// The same with what stands before and after it, as people's own words have to be read.
    pub fn exact_content(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The text of the first element at a path.
    pub fn content_at(&self, path: &str) -> Option<String> {
        self.find(path).map(Element::content)
    }

    /// Adds an element at the end.
    pub fn push(&mut self, child: Element) {
        self.children.push(Node::Element(child));
    }

    /// The first element of a name directly in it, made if it is not there.
    pub fn ensure(&mut self, name: &str) -> &mut Element {
        let is_it = |node: &Node| matches!(node, Node::Element(own) if own.name == name);
        let at = self.children.iter().position(is_it).unwrap_or_else(|| {
            self.push(Element::new(name));
            self.children.len() - 1
        });
        match &mut self.children[at] {
            Node::Element(own) => own,
            _ => unreachable!("BUG: the node is an element"),
        }
    }

    /// Takes all elements of a name out that are directly in it.
    pub fn remove(&mut self, name: &str) {
        self.retain(|own| own.name != name);
    }

    /// Keeps the elements directly in it that are wanted, and everything else.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Element) -> bool) {
        self.children.retain(|node| match node {
            Node::Element(own) => wanted(own),
            _ => true,
        });
    }

    /// Puts an element in the place of the first one with its name, or at the end.
    pub fn put(&mut self, child: Element) {
        let is_it = |node: &Node| matches!(node, Node::Element(own) if own.name == child.name);
        match self.children.iter().position(is_it) {
            Some(at) => self.children[at] = Node::Element(child),
            None => self.push(child),
        }
    }
}
