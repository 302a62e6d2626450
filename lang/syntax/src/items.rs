//! Finds where the top-level items of a text begin and end, without parsing them. An item begins
//! in column 0. Where a new one clearly begins although brackets are still open, the old one is
//! cut, so that a lost brace costs one item and not the rest of the file.

use std::ops::Range;

use crate::scan::{Event, Scan, closer, is_head};

/// How deep brackets may stand in each other.
pub const MAX_NESTING: usize = 100;

/// One top-level item. Items follow each other without gaps: comments above an item belong to it,
/// blank lines below it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its bytes in the file.
    pub(crate) range: Range<usize>,
    /// Its brackets fit each other and its texts are closed.
    pub(crate) sound: bool,
    /// A closing brace is not indented as the line with its partner. Perhaps two mistakes hide
    /// each other; when something else is wrong too, they do.
    pub(crate) askew: bool,
    /// The first bracket or text that stands too deep.
    pub(crate) too_deep: Option<usize>,
}

struct Splitter<'t> {
    bytes: &'t [u8],
    items: Vec<Item>,
    current: Item,
    /// Whether the current item has something besides comments.
    has_code: bool,
    /// Where the comment lines right above the current line begin.
    comments: Option<usize>,
    /// Where the current line begins.
    line: usize,
    open: Vec<Open>,
}

/// An opening bracket and where its line begins.
struct Open {
    byte: u8,
    line: usize,
}

/// The items of a file.
pub(crate) fn split(text: &str) -> Vec<Item> {
    let mut splitter = Splitter {
        bytes: text.as_bytes(),
        items: Vec::new(),
        current: Item { range: 0..0, sound: true, askew: false, too_deep: None },
        has_code: false,
        comments: None,
        line: 0,
        open: Vec::new(),
    };
    for event in Scan::new(text) {
        splitter.take(event);
    }
    splitter.end_at(text.len());
    splitter.items
}

impl Splitter<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Line(at) => self.line(at),
            Event::Open(at) => {
                if self.open.len() == MAX_NESTING {
                    self.current.too_deep.get_or_insert(at);
                }
                self.open.push(Open { byte: self.bytes[at], line: self.line });
            }
            Event::Close(at) => self.close(at, self.bytes[at]),
            Event::DeepText(at) => {
                self.current.too_deep.get_or_insert(at);
            }
            Event::OpenText { .. }
            | Event::OpenInterpolation { .. }
            | Event::FlatText(_)
            | Event::Foreign { .. } => {
                self.current.sound = false;
            }
        }
    }

    fn close(&mut self, at: usize, byte: u8) {
        if let Some(open) = self.open.pop_if(|open| closer(open.byte) == byte) {
            // The indentation is only counted where it matters: many brackets may stand on a line.
            let several_lines = open.line != self.line && byte == b'}';
            let column = at - self.line;
            if several_lines && self.indent(self.line) == column && self.indent(open.line) != column
            {
                self.current.askew = true;
            }
            return;
        }
        self.current.sound = false;
        if let Some(depth) = self.open.iter().rposition(|open| closer(open.byte) == byte) {
            self.open.truncate(depth);
        }
    }

    /// How many blanks a line begins with.
    fn indent(&self, line: usize) -> usize {
        let rest = self.bytes.get(line..).unwrap_or(&[]);
        rest.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(rest.len())
    }

    fn line(&mut self, at: usize) {
        self.line = at;
        match self.bytes.get(at).copied().unwrap_or(b'\n') {
            b'\n' | b'\r' => self.comments = None,
            b'#' => {
                self.comments.get_or_insert(at);
            }
            b'/' if matches!(self.bytes.get(at + 1), Some(b'/')) => {
                self.comments.get_or_insert(at);
            }
            b' ' | b'\t' => {
                self.comments = None;
                self.has_code |= self.is_code(at);
            }
            byte if continues(byte) || self.bytes[at..].starts_with(b"else") => {
                self.comments = None;
                self.has_code = true;
            }
            _ => {
                let begin = self.comments.take().unwrap_or(at);
                let cut = !self.open.is_empty();
                if (self.has_code && !cut) || (cut && is_head(&self.bytes[at..])) {
                    self.end_at(begin);
                }
                self.has_code = true;
            }
        }
    }

    /// Whether an indented line has something besides a comment.
    fn is_code(&self, line: usize) -> bool {
        let rest = &self.bytes[line..];
        let first = rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r'));
        match first.and_then(|first| rest.get(first..)) {
            None | Some([b'\n' | b'#', ..] | [b'/', b'/', ..]) => false,
            Some(_) => true,
        }
    }

    fn end_at(&mut self, end: usize) {
        self.current.range.end = end;
        self.current.sound &= self.open.is_empty();
        self.open.clear();
        let next = Item { range: end..end, sound: true, askew: false, too_deep: None };
        self.items.push(std::mem::replace(&mut self.current, next));
    }
}

/// Whether a line that begins with this byte belongs to what stands above it.
fn continues(byte: u8) -> bool {
    matches!(
        byte,
        b'}' | b']' | b')' | b'+' | b'-' | b'*' | b'.' | b'&' | b'|' | b'?' | b'=' | b'<' | b'>'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(&str, bool)> {
        split(text).into_iter().map(|item| (&text[item.range], item.sound)).collect()
    }

    #[test]
    fn items_begin_in_column_0_with_their_comments() {
        let text = "// first\nvm a {\n  x = \"}\"\n}\n\n/// doc\nlet b = [\n  1,\n]\n";
        assert_eq!(
            pieces(text),
            [
                ("// first\nvm a {\n  x = \"}\"\n}\n\n", true),
                ("/// doc\nlet b = [\n  1,\n]\n", true)
            ]
        );
    }

    #[test]
    fn a_new_head_in_column_0_cuts_an_item_that_is_still_open() {
        let text = "vm a {\n  x = 1\n// about b\ncitizen-portal b { y = 2 }\nlet c = 1\n";
        assert_eq!(
            pieces(text),
            [
                ("vm a {\n  x = 1\n", false),
                ("// about b\ncitizen-portal b { y = 2 }\n", true),
                ("let c = 1\n", true)
            ]
        );
        assert_eq!(pieces("vm a {\nmemory = 1GiB\n}\n"), [("vm a {\nmemory = 1GiB\n}\n", true)]);
    }

    #[test]
    fn a_lost_quote_costs_one_line_and_an_open_block_text_one_item() {
        let text = "vm a { x = \"y }\nlet b = \"\"\"\n  text\nlet c = 1\n";
        assert_eq!(
            pieces(text),
            [
                ("vm a { x = \"y }\n", false),
                ("let b = \"\"\"\n  text\n", false),
                ("let c = 1\n", true)
            ]
        );
    }

    #[test]
    fn brackets_in_interpolations_and_raw_texts_do_not_count() {
        let text =
            "let a = \"${f({ a = \"}\" })} {\"\nlet b = r\"{\\\"\nlet c = r\"\"\"\n  {\n\"\"\"\n";
        assert_eq!(split(text).len(), 3);
        assert!(split(text).iter().all(|item| item.sound));
    }
}
