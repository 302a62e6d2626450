//! Reads XML: no DTD, so no entities but the five of XML itself; bounded in length and depth. The
//! library takes the text apart; what it does not look at – characters, names, prefixes, what stands
//! around the root – is checked here.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use ecow::EcoString;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::write::is_allowed;
use super::{Element, Node, XmlError};

/// The longest text that is read, in bytes: the longest that libvirt itself can send.
pub const LONGEST: usize = 16 << 20;

/// The deepest nesting that is read. libvirt's own definitions need less than ten.
pub const DEEPEST: usize = 64;

/// So many attributes are few.
const FEW: usize = 16;

/// Why a reading ends early.
enum Trouble {
    TooDeep,
    Dtd,
    Malformed(Cow<'static, str>),
    Syntax(quick_xml::Error),
}

impl<E: Into<quick_xml::Error>> From<E> for Trouble {
    fn from(error: E) -> Trouble {
        Trouble::Syntax(error.into())
    }
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is too long, too deep, not well-formed, or has a DTD.
    pub fn parse(text: &str) -> Result<Element, XmlError> {
        if text.len() > LONGEST {
            return Err(XmlError::TooLong(text.len()));
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        Tree::default().read(text, &mut reader).map_err(|trouble| {
            let (what, at): (Cow<'_, str>, u64) = match trouble {
                Trouble::TooDeep => return XmlError::TooDeep,
                Trouble::Dtd => return XmlError::Dtd,
                Trouble::Malformed(what) => (what, reader.buffer_position()),
                Trouble::Syntax(error) => (error.to_string().into(), reader.error_position()),
            };
            XmlError::Malformed(format!("{}, {}", what.escape_debug(), place(text, at)))
        })
    }
}

/// A place in a text, for people.
fn place(text: &str, at: u64) -> String {
    let before = usize::try_from(at).ok().and_then(|at| text.get(..at)).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    format!("line {}, column {}", before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// What was read so far.
#[derive(Default)]
struct Tree {
    root: Option<Element>,
    /// Elements that are not closed yet, each with how many nodes there were before it.
    open: Vec<(Element, usize)>,
    /// What is in the open elements: it moves to its element when that is closed, and so takes no
    /// more memory than it needs.
    nodes: Vec<Node>,
    /// The text that is being read: it comes in pieces.
    text: String,
    /// How often each prefix is declared by what is open.
    prefixes: HashMap<EcoString, usize>,
}

impl Tree {
    fn read(mut self, text: &str, reader: &mut Reader<&[u8]>) -> Result<Element, Trouble> {
        check_characters(text)?;
        for number in 0_u64.. {
            match reader.read_event()? {
                Event::Start(tag) => {
                    self.end_text();
                    let element = self.element(&tag)?;
                    self.open.push((element, self.nodes.len()));
                }
                Event::Empty(tag) => {
                    self.end_text();
                    let element = self.element(&tag)?;
                    self.close(element)?;
                }
                Event::End(_) => {
                    self.end_text();
                    let Some((mut element, first)) = self.open.pop() else { continue };
                    element.children = self.nodes.drain(first..).collect();
                    self.close(element)?;
                }
                Event::Text(text) if self.open.is_empty() && is_blank(&text) => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) if self.open.is_empty() => {
                    return malformed("text stands beside the element");
                }
                Event::Text(text) if text.contains('>') && text.contains("]]>") => {
                    return malformed("`]]>` stands in a text");
                }
                Event::Text(text) => self.text.push_str(&text.xml10_content()),
                Event::CData(text) => self.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Comment(text) => {
                    self.end_text();
                    if !self.open.is_empty() {
                        self.nodes.push(Node::Comment(text.xml10_content().into()));
                    }
                }
                Event::DocType(_) => return Err(Trouble::Dtd),
                Event::Decl(_) if number > 0 => return malformed("a declaration stands inside"),
                Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        match (self.root, self.open.pop()) {
            (Some(root), None) => Ok(root),
            (_, Some((open, _))) => malformed(format!("<{}> is not closed", open.name)),
            (None, None) => malformed("there is no element"),
        }
    }

    /// An element with its attributes.
    fn element(&mut self, tag: &BytesStart<'_>) -> Result<Element, Trouble> {
        if self.open.len() >= DEEPEST {
            return Err(Trouble::TooDeep);
        }
        let name = tag.name().into_inner();
        let mut element = Element::new(name);
        let mut plain = is_plain(name);
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute?;
            let name = attribute.key.into_inner();
            plain &= is_plain(name);
            element.attributes.push((name.into(), value(&attribute)?.into()));
        }
        if let Some(name) = repeated(&element.attributes) {
            return malformed(format!("the attribute {name} stands there twice"));
        }
        if plain {
            return Ok(element);
        }
        for prefix in declared(&element) {
            *self.prefixes.entry(prefix.into()).or_default() += 1;
        }
        let names = element.attributes.iter().map(|(name, _)| name);
        for name in names.chain([&element.name]) {
            if !self.is_name(name) {
                return malformed(format!("{name} is no name, or its prefix is not declared"));
            }
        }
        Ok(element)
    }

    /// Whether a name is one, and its prefix, if it has any, is declared around it.
    fn is_name(&self, name: &str) -> bool {
        let Some((prefix, name)) = name.split_once(':') else { return is_word(name) };
        let is_known = || self.prefixes.get(prefix).is_some_and(|count| *count > 0);
        is_word(prefix) && is_word(name) && (matches!(prefix, "xml" | "xmlns") || is_known())
    }

    /// An element that is complete.
    fn close(&mut self, element: Element) -> Result<(), Trouble> {
        for prefix in declared(&element) {
            if let Some(count) = self.prefixes.get_mut(prefix) {
                *count -= 1;
            }
        }
        if !self.open.is_empty() {
            self.nodes.push(Node::Element(element));
        } else if self.root.replace(element).is_some() {
            return malformed("there is a second element beside the first");
        }
        Ok(())
    }

    fn end_text(&mut self) {
        if !self.open.is_empty() && !self.text.is_empty() {
            self.nodes.push(Node::Text(self.text.as_str().into()));
        }
        self.text.clear();
    }

    /// Adds what a reference stands for.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Trouble> {
        match reference.resolve_char_ref()? {
            Some(character) if is_allowed(character) => {
                self.text.push(character);
            }
            Some(_) => return malformed("a reference to a character that XML cannot hold"),
            None => match resolve_predefined_entity(reference) {
                Some(text) => self.text.push_str(text),
                None => return malformed(format!("the entity {} is unknown", &**reference)),
            },
        }
        Ok(())
    }
}

/// Whether a name is one without a look at anything else, as nearly all are.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|own| own.is_ascii_lowercase() || own == b'_')
}

/// What the value of an attribute means. Nearly all are as they are written.
fn value<'a>(attribute: &'a Attribute<'_>) -> Result<Cow<'a, str>, Trouble> {
    let is_special = |own: u8| matches!(own, b'<' | b'&' | b'\t' | b'\n' | b'\r');
    if !attribute.value.bytes().fold(false, |any, own| any | is_special(own)) {
        return Ok(Cow::Borrowed(&attribute.value));
    }
    if attribute.value.contains('<') {
        return malformed("`<` stands in an attribute");
    }
    let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
    match value.chars().all(is_allowed) {
        true => Ok(value),
        false => malformed("an attribute has a character that XML cannot hold"),
    }
}

/// A name that two attributes have. Nearly all elements have few, which are compared without a list.
fn repeated(attributes: &[(EcoString, EcoString)]) -> Option<&str> {
    let mut names = attributes.iter().map(|(name, _)| name.as_str());
    if attributes.len() > FEW {
        let mut seen = HashSet::new();
        return names.find(|name| !seen.insert(*name));
    }
    let before = |at: usize| attributes[..at].iter().map(|(name, _)| name.as_str());
    let (_, name) = names.enumerate().find(|(at, name)| before(*at).any(|own| own == *name))?;
    Some(name)
}

/// The prefixes that an element declares.
fn declared(element: &Element) -> impl Iterator<Item = &str> {
    element.attributes.iter().filter_map(|(name, _)| name.strip_prefix("xmlns:"))
}

fn malformed<T>(what: impl Into<Cow<'static, str>>) -> Result<T, Trouble> {
    Err(Trouble::Malformed(what.into()))
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(is_blank_byte)
}

fn is_blank_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Nearly all texts are ASCII, which takes no decoding. All bytes are looked at, so that many are at
/// once.
fn check_characters(text: &str) -> Result<(), Trouble> {
    let controls = text.bytes().fold(false, |any, own| any | (own < b' ') & !is_blank_byte(own));
    if !controls && (text.is_ascii() || text.chars().all(is_allowed)) {
        Ok(())
    } else {
        malformed("it has a character that XML cannot hold")
    }
}

/// Whether a text is a name without a prefix (XML 1.0, productions 4 and 5).
fn is_word(text: &str) -> bool {
    let starts = |c: char| {
        matches!(c, 'a'..='z' | 'A'..='Z' | '_'
            | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}' | '\u{200d}'
            | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let continues = |c: char| {
        starts(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}'
                | '\u{203f}' | '\u{2040}')
    };
    text.starts_with(starts) && text.chars().all(continues)
}
