//! Writes XML. Everything is escaped here and nowhere else; what XML cannot hold is an error.

use std::fmt;

use super::{Element, Node, XmlError};

impl Element {
    /// The document as a text.
    ///
    /// # Errors
    /// When a name is not one, or a text has a character that XML cannot hold.
    pub fn write(&self) -> Result<String, XmlError> {
        let mut text = String::new();
        write(self, &mut text, &mut Strict)?;
        Ok(text)
    }
}

/// For messages: what XML cannot hold is shown as U+FFFD. Use [`Element::write`] for what a
/// hypervisor shall read.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match write(self, &mut text, &mut Lenient) {
            Ok(()) => f.write_str(&text),
            Err(error) => write!(f, "<!-- {} -->", error.to_string().replace('-', "_")),
        }
    }
}

/// What happens to a character that XML cannot hold.
trait Unfit {
    fn replace(&mut self, character: char, place: &str) -> Result<char, XmlError>;
}

struct Strict;

impl Unfit for Strict {
    fn replace(&mut self, character: char, place: &str) -> Result<char, XmlError> {
        Err(XmlError::Character { character, place: place.to_owned() })
    }
}

struct Lenient;

impl Unfit for Lenient {
    fn replace(&mut self, _: char, _: &str) -> Result<char, XmlError> {
        Ok('\u{fffd}')
    }
}

fn write(element: &Element, to: &mut String, unfit: &mut dyn Unfit) -> Result<(), XmlError> {
    let Element { name, attributes, children } = element;
    check_name(name)?;
    to.push('<');
    to.push_str(name);
    for (attribute, value) in attributes {
        check_name(attribute)?;
        to.push(' ');
        to.push_str(attribute);
        to.push_str("=\"");
        for character in value.chars() {
            match character {
                // A reader makes blanks of them in attributes.
                '\t' => to.push_str("&#9;"),
                '\n' => to.push_str("&#10;"),
                other => escape(other, to, attribute, unfit)?,
            }
        }
        to.push('"');
    }
    if children.is_empty() {
        to.push_str("/>");
        return Ok(());
    }
    to.push('>');
    for child in children {
        match child {
            Node::Element(child) => write(child, to, unfit)?,
            Node::Text(text) => {
                text.chars().try_for_each(|character| escape(character, to, name, unfit))?;
            }
            Node::Comment(text) => comment(text, to, name, unfit)?,
        }
    }
    to.push_str("</");
    to.push_str(name);
    to.push('>');
    Ok(())
}

/// Escapes what would end or change a text or an attribute.
fn escape(
    character: char,
    to: &mut String,
    place: &str,
    unfit: &mut dyn Unfit,
) -> Result<(), XmlError> {
    match character {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        '"' => to.push_str("&quot;"),
        // A reader makes a line feed of it.
        '\r' => to.push_str("&#13;"),
        fit if is_allowed(fit) => to.push(fit),
        other => to.push(unfit.replace(other, place)?),
    }
    Ok(())
}

fn comment(
    text: &str,
    to: &mut String,
    place: &str,
    unfit: &mut dyn Unfit,
) -> Result<(), XmlError> {
    if text.contains("--") || text.ends_with('-') {
        return Err(XmlError::Comment(place.to_owned()));
    }
    to.push_str("<!--");
    for character in text.chars() {
        // Nothing can be escaped in a comment, and a reader changes a carriage return.
        let fit = is_allowed(character) && character != '\r';
        to.push(if fit { character } else { unfit.replace(character, place)? });
    }
    to.push_str("-->");
    Ok(())
}

/// The characters of XML 1.0, production 2.
pub(super) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Names are ours or libvirt's: letters, digits, and `_ - . :` are all that occur.
fn check_name(name: &str) -> Result<(), XmlError> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if starts && name.chars().all(fits) {
        return Ok(());
    }
    Err(XmlError::Name(name.to_owned()))
}
