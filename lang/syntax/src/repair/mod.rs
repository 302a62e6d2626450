//! Balances the brackets and quotes of an item that lost some, so that the rest of it can be read.
//! What is missing, and where, is told by the indentation.

mod report;

use tcloud_model::{Diagnostic, FileId};

use crate::build::word_length;
use crate::items::Item;
use crate::place::Place;
use crate::scan::{Event, Scan, closer, code_end};

/// Stands where something was reported and taken out; nothing in the grammar takes it.
const BLANK: u8 = 1;

/// An item whose brackets fit.
pub(crate) struct Repaired {
    pub(crate) text: String,
    /// See [`Place::inserted`].
    pub(crate) inserted: Vec<usize>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Balances an item of `file`, whose whole text is `text`. At most `room` mistakes are described.
pub(crate) fn repair(file: FileId, text: &str, item: &Item, room: usize) -> Repaired {
    let source = text.get(item.range.clone()).unwrap_or("");
    let place = Place { file, base: item.range.start, inserted: &[] };
    let events: Vec<Event> = Scan::new(source).collect();
    let mut repair = Repair {
        all: text,
        source,
        place,
        lines: lines(source, &events),
        line: 0,
        open: Vec::new(),
        edits: Vec::new(),
        diagnostics: Vec::new(),
        room,
    };
    for event in events {
        repair.take(event);
    }
    while let Some(open) = repair.open.pop() {
        repair.unclosed(open, source.len());
    }
    repair.finish()
}

struct Line {
    start: usize,
    /// Without the newline; a block text counts to the line that it begins in.
    end: usize,
    indent: usize,
    /// Nothing but blanks or a comment.
    blank: bool,
    /// One past the last line before it that is not blank; 0 if there is none.
    before: usize,
}

#[derive(Clone, Copy)]
struct Open {
    byte: u8,
    at: usize,
    line: usize,
}

enum Edit {
    Insert(String),
    /// Put this byte in place of so many.
    Blank(usize, u8),
}

struct Repair<'t> {
    all: &'t str,
    source: &'t str,
    place: Place<'t>,
    lines: Vec<Line>,
    line: usize,
    open: Vec<Open>,
    edits: Vec<(usize, Edit)>,
    diagnostics: Vec<Diagnostic>,
    room: usize,
}

fn lines(source: &str, events: &[Event]) -> Vec<Line> {
    let starts: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            Event::Line(at) => Some(*at),
            _ => None,
        })
        .collect();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([source.len()]);
    let mut filled = 0;
    let line = |(number, (start, end)): (usize, (&usize, usize))| {
        let text = source.get(*start..end).unwrap_or("");
        let rest = text.trim_start_matches([' ', '\t']);
        let code = rest.trim_end();
        let blank = code.is_empty() || code.starts_with("//") || code.starts_with('#');
        let before = filled;
        if !blank {
            filled = number + 1;
        }
        Line { start: *start, end, indent: text.len() - rest.len(), blank, before }
    };
    starts.iter().zip(ends).enumerate().map(line).collect()
}

impl Repair<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Line(at) => self.line = self.lines.partition_point(|l| l.start <= at) - 1,
            Event::Open(at) => {
                let byte = self.source.as_bytes().get(at).copied().unwrap_or(b'{');
                self.open.push(Open { byte, at, line: self.line });
            }
            Event::Close(at) => self.close(at),
            Event::OpenText { at, end, block } => self.open_text(at, end, block),
            Event::OpenInterpolation { at, end } => {
                self.report_open_interpolation(at, end);
                self.edits.push((end, Edit::Insert("}".to_owned())));
            }
            // Such an item is not repaired.
            Event::DeepText(_) => {}
            Event::FlatText(at) => self.report_flat_text(at),
            Event::Foreign { at, end } => self.foreign(at, end),
        }
    }

    fn foreign(&mut self, at: usize, end: usize) {
        let comment = self.source.get(at..at + 2) == Some("/*");
        self.report_foreign(at, comment);
        if comment {
            // The comment goes, its newlines stay.
            let pieces = self.source.get(at..end).unwrap_or("").split('\n');
            let mut from = at;
            for piece in pieces {
                self.edits.push((from, Edit::Blank(piece.len(), b' ')));
                from += piece.len() + 1;
            }
        } else {
            self.edits.push((at, Edit::Blank(end - at, BLANK)));
        }
    }

    fn open_text(&mut self, at: usize, end: usize, block: bool) {
        self.report_open_text(at, end, block);
        let quotes = if block { "\n\"\"\"" } else { "\"" };
        self.edits.push((end, Edit::Insert(quotes.to_owned())));
    }

    fn close(&mut self, at: usize) {
        let byte = self.source.as_bytes().get(at).copied().unwrap_or(b'}');
        let fits = |open: &Open| closer(open.byte) == byte;
        let Some(line) = self.lines.get(self.line) else { return };
        let column = at - line.start;
        let leading = column == line.indent;
        let top = self.open.last().copied();
        let top_indent = top.and_then(|top| self.lines.get(top.line)).map(|line| line.indent);
        if let Some(top) = top
            && fits(&top)
        {
            let own_line = leading && byte == b'}' && top.line != self.line;
            if !own_line || top_indent == Some(column) {
                self.open.pop();
                return;
            }
            let outer =
                self.open.iter().rposition(|open| fits(open) && self.indent(open) == column);
            if let Some(depth) = outer {
                self.close_above(depth, at);
            } else if let Some(head) = self.head_without_brace(top.line, column) {
                self.missing_open(head, at);
            } else {
                self.open.pop();
            }
            return;
        }
        if let Some(depth) = self.open.iter().rposition(fits) {
            self.close_above(depth, at);
        } else if let Some(head) = self.head_without_brace(0, column).filter(|_| byte == b'}') {
            self.missing_open(head, at);
        } else {
            self.report_stray(at, byte);
            self.edits.push((at, Edit::Blank(1, b' ')));
        }
    }

    fn indent(&self, open: &Open) -> usize {
        self.lines.get(open.line).map_or(0, |line| line.indent)
    }

    /// Closes what is open above `depth`, then `depth` itself.
    fn close_above(&mut self, depth: usize, at: usize) {
        while self.open.len() > depth + 1 {
            if let Some(open) = self.open.pop() {
                self.unclosed(open, at);
            }
        }
        self.open.pop();
    }

    /// The line that the brace in `column` of the current line probably closes: the nearest one
    /// that is not indented deeper, when it looks like the head of a block and opens nothing.
    fn head_without_brace(&self, after: usize, column: usize) -> Option<usize> {
        let above = |number: &usize| self.lines.get(*number)?.before.checked_sub(1);
        let candidates = std::iter::successors(above(&self.line), above);
        let number = candidates
            .take_while(|number| *number >= after)
            .find(|number| self.lines.get(*number).is_some_and(|line| line.indent <= column))?;
        let line = self.lines.get(number)?;
        let end = code_end(self.source.as_bytes(), line.start, line.end);
        let code = self.source.get(line.start..end)?.trim_start();
        let rest = code.get(word_length(code)..)?.trim_start();
        let head = word_length(code) > 0
            && !rest.starts_with(['=', ':', '(', '.'])
            && !code.ends_with(['{', '}', ',', '[', '(', '=', ')', ']']);
        (head && line.indent == column && number + 1 < self.line).then_some(number)
    }

    fn missing_open(&mut self, number: usize, at: usize) {
        let Some(line) = self.lines.get(number) else { return };
        let end = code_end(self.source.as_bytes(), line.start, line.end);
        let start = line.start + line.indent;
        let head = self.source.get(start..end).unwrap_or("");
        self.report_missing(start, head, at);
        self.edits.push((end, Edit::Insert(" {".to_owned())));
    }

    /// Reports an opening bracket without partner and puts the partner where it probably belongs.
    fn unclosed(&mut self, open: Open, limit: usize) {
        let Some(line) = self.lines.get(open.line) else { return };
        let sign = char::from(closer(open.byte));
        let inside = limit > line.start && limit <= line.end && limit < self.source.len();
        if inside {
            let before = self.source.get(..limit).unwrap_or("").trim_end().len();
            let at = before.max(open.at + 1);
            self.report_unclosed(&open, at, None, sign.to_string());
            self.edits.push((at, Edit::Insert(sign.to_string())));
            return;
        }
        let code = code_end(self.source.as_bytes(), line.start, line.end);
        let rest = self.source.get(open.at + 1..code).unwrap_or("");
        if rest.is_empty() || rest.ends_with(',') {
            let written = format!("\n{}{sign}", " ".repeat(line.indent));
            let (at, next) = self.end_by_indent(&open, limit);
            self.report_unclosed(&open, at, next, written);
            self.edits.push((at, Edit::Insert(format!("\n{sign}"))));
        } else {
            self.report_unclosed(&open, code, None, sign.to_string());
            self.edits.push((code, Edit::Insert(sign.to_string())));
        }
    }

    /// The end of the last line that is indented deeper than the one with the bracket, and the
    /// line that follows.
    fn end_by_indent(&self, open: &Open, limit: usize) -> (usize, Option<usize>) {
        let indent = self.indent(open);
        let mut last = open.line;
        for (number, line) in self.lines.iter().enumerate().skip(open.line + 1) {
            let past = line.start + line.indent >= limit;
            if !line.blank && (past || line.indent <= indent) {
                return (self.line_end(last), Some(line.start + line.indent));
            }
            if !line.blank {
                last = number;
            }
        }
        (self.line_end(last), None)
    }

    fn line_end(&self, number: usize) -> usize {
        let Some(line) = self.lines.get(number) else { return self.source.len() };
        let text = self.source.get(line.start..line.end).unwrap_or("");
        line.start + text.trim_end().len()
    }

    fn finish(self) -> Repaired {
        let Repair { source, mut edits, diagnostics, .. } = self;
        edits.sort_by_key(|(at, _)| *at);
        let mut text = String::with_capacity(source.len() + edits.len());
        let mut inserted = Vec::new();
        let mut from = 0;
        for (at, edit) in edits {
            if at < from {
                continue;
            }
            text.push_str(source.get(from..at).unwrap_or(""));
            from = at;
            match edit {
                Edit::Insert(piece) => {
                    inserted.extend(text.len()..text.len() + piece.len());
                    text.push_str(&piece);
                }
                Edit::Blank(length, byte) => {
                    text.extend(std::iter::repeat_n(char::from(byte), length));
                    from += length;
                }
            }
        }
        text.push_str(source.get(from..).unwrap_or(""));
        Repaired { text, inserted, diagnostics }
    }
}
