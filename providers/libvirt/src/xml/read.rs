//! Reads XML: no DTD, so no entities but the five of XML itself; bounded in length and depth.

use roxmltree::{Document, ParsingOptions};
use smol_str::format_smolstr;

use super::{Element, Node, XmlError};

/// The longest text that is read, in bytes: the longest that libvirt itself can send.
pub const LONGEST: usize = 16 << 20;

/// The deepest nesting that is read. libvirt's own definitions need less than ten.
pub const DEEPEST: usize = 64;

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is too long, too deep, not well-formed, or has a DTD.
    pub fn parse(text: &str) -> Result<Element, XmlError> {
        if text.len() > LONGEST {
            return Err(XmlError::TooLong(text.len()));
        }
        let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
        let document =
            Document::parse_with_options(text, options).map_err(|error| match error {
                roxmltree::Error::DtdDetected => XmlError::Dtd,
                error => XmlError::Malformed(error.to_string().escape_debug().to_string()),
            })?;
        element(document.root_element(), text, 0)
    }
}

fn element(node: roxmltree::Node<'_, '_>, text: &str, depth: usize) -> Result<Element, XmlError> {
    if depth >= DEEPEST {
        return Err(XmlError::TooDeep);
    }
    let mut own = Element::new(name_in(&text[node.range()]));
    let outer = node.parent_element();
    for namespace in node.namespaces() {
        let (prefix, uri) = (namespace.name(), namespace.uri());
        let known = outer.and_then(|outer| outer.lookup_namespace_uri(prefix));
        if prefix != Some("xml") && known != Some(uri) {
            let name = prefix.map_or("xmlns".into(), |prefix| format_smolstr!("xmlns:{prefix}"));
            own.attributes.push((name, uri.into()));
        }
    }
    own.attributes.reserve_exact(node.attributes().len());
    for attribute in node.attributes() {
        let name = text[attribute.range_qname()].into();
        own.attributes.push((name, attribute.value().into()));
    }
    own.children.reserve_exact(node.children().count());
    for child in node.children() {
        if child.is_element() {
            own.children.push(Node::Element(element(child, text, depth + 1)?));
        } else if let Some(inner) = child.text() {
            let inner = inner.into();
            own.children.push(if child.is_comment() {
                Node::Comment(inner)
            } else {
                Node::Text(inner)
            });
        }
    }
    Ok(own)
}

/// The name in a start tag, with its prefix, as it was written.
fn name_in(tag: &str) -> &str {
    let tag = tag.strip_prefix('<').unwrap_or(tag);
    let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>');
    &tag[..end.unwrap_or(tag.len())]
}
