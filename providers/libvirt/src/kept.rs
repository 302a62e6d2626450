//! Things that a definition holds and attributes cannot say, in few words each: they stay as they
//! are, whatever is planned, and whoever adopts an object is told.

use std::fmt::Write as _;

use crate::xml::Element;

/// The longest text for one thing, in characters.
const LONGEST: usize = 160;

/// What is kept, one thing each.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Vec<String>);

impl Kept {
    /// An element that nobody speaks of.
    pub(crate) fn add(&mut self, before: &str, element: &Element) {
        let mut text = before.to_owned();
        brief(element, true, &mut text);
        if text.chars().count() > LONGEST {
            text = text.chars().take(LONGEST).chain(std::iter::once('…')).collect();
        }
        self.0.push(text);
    }

    /// The children of an element that nobody speaks of.
    pub(crate) fn rest(&mut self, before: &str, element: &Element, said: &[&str]) {
        for own in element.all().filter(|own| !said.contains(&own.name.as_str())) {
            self.add(before, own);
        }
    }

    /// The attributes of an element that nobody speaks of.
    pub(crate) fn words(&mut self, before: &str, element: &Element, said: &[&str]) {
        for (name, value) in &element.attributes {
            if !said.contains(&name.as_str()) && !name.starts_with("xmlns") {
                self.0.push(format!("{before}{name}={value}"));
            }
        }
    }
}

/// An element in few words: its name, its attributes, and what stands in it.
fn brief(element: &Element, outermost: bool, into: &mut String) {
    // Writing to a text cannot fail.
    let _ = write!(into, "{}", element.name);
    for (name, value) in element.attributes.iter().filter(|(name, _)| !name.starts_with("xmlns")) {
        let _ = write!(into, " {name}={value}");
    }
    let content = element.content();
    if element.all().next().is_none() && !content.trim().is_empty() {
        let _ = write!(into, " {}", content.trim());
    }
    // Where a device sits in the guest is libvirt's; which device of the host it is, is not.
    let plain = |own: &&Element| !outermost || !matches!(own.name.as_str(), "address" | "alias");
    let inside: Vec<&Element> = element.all().filter(plain).collect();
    for (at, own) in inside.iter().enumerate() {
        into.push_str(if at == 0 { " (" } else { ", " });
        if into.len() > 2 * LONGEST {
            into.push('…');
            break;
        }
        brief(own, false, into);
    }
    if !inside.is_empty() {
        into.push(')');
    }
}
