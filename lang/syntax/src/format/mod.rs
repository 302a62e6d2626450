//! Writes a text in its usual form without losing anything: two spaces, one statement on a line
//! unless the author wrote a short block on one, and at most one blank line. What cannot be read
//! stays as it is.

mod expression;
mod layout;
mod statement;
mod types;

use std::borrow::Cow;

use tcloud_model::FileId;

use crate::build::{Builder, Known};
use crate::characters;
use crate::items::{Item, split};
use crate::parse as grammar;
use crate::place::Place;

/// The longest line that is left on one line, in characters.
const WIDTH: usize = 100;

/// White space of the language once its line ends are plain. Whatever else looks empty is a mistake, and
/// stays where it is.
const BLANK: [char; 3] = [' ', '\t', '\n'];

/// Formats a text. Items with mistakes are left unchanged, so that formatting is always safe; a text with
/// characters that may not stand in one is left unchanged as a whole.
pub fn format(text: &str) -> String {
    let mut hidden = Vec::new();
    characters::check(FileId(0), text, &mut hidden);
    if !hidden.is_empty() {
        return text.to_owned();
    }
    let text = match text.contains("\r\n") {
        true => Cow::Owned(text.replace("\r\n", "\n")),
        false => Cow::Borrowed(text),
    };
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut blank = false;
    for item in split(&text) {
        let source = text.get(item.range.clone()).unwrap_or("");
        let written = match formatted(source, &item) {
            Some(written) => written,
            None => source.trim_start_matches('\n').trim_end_matches(BLANK).to_owned(),
        };
        let end = source.trim_end_matches(BLANK).len();
        if !written.is_empty() {
            if blank && !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&written);
            out.push('\n');
            blank = false;
        }
        blank |= source[end..].matches('\n').count() > 1;
    }
    out
}

/// An item in its usual form, if it has no mistakes.
fn formatted(source: &str, item: &Item) -> Option<String> {
    if !item.sound || item.too_deep.is_some() {
        return None;
    }
    let nodes = grammar::item(source).ok()?;
    let place = Place { file: FileId(0), base: 0, inserted: &[] };
    let mut diagnostics = Vec::new();
    Builder::new(source, place, &mut diagnostics, Known { hidden: 0, before: 0 })
        .item(nodes.clone());
    if !diagnostics.is_empty() {
        return None;
    }
    let nodes: Vec<_> = nodes.with_comments().collect();
    Some(Printer { text: source }.statements(&nodes, 0))
}

/// Prints the nodes of one item.
struct Printer<'t> {
    /// The text that they were read from.
    text: &'t str,
}

/// Where and how something is printed.
#[derive(Clone, Copy)]
struct Style {
    /// Everything on one line, or not at all.
    flat: bool,
    /// How many steps the line is indented.
    indent: usize,
}

impl Style {
    /// The column behind what was printed of a statement so far.
    fn column(self, printed: &str) -> usize {
        match printed.rsplit_once('\n') {
            Some((_, line)) => line.chars().count(),
            None => 2 * self.indent + printed.chars().count(),
        }
    }
}

/// The blanks that a line begins with.
fn pad(indent: usize) -> String {
    "  ".repeat(indent)
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn the_usual_form_is_reached_and_kept() {
        let text = include_str!("../../tests/untidy.tcloud");
        let tidy = include_str!("../../tests/tidy.tcloud");
        let once = format(text);
        assert_eq!(once, tidy, "{once}");
        assert_eq!(format(&once), once);
    }
}
