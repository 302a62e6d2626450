//! A source text as `miette` reads it: found by our own line index, which takes microseconds where
//! the built-in one reads the file from its start, and safe to print.

use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use tcloud_model::value::is_unsafe_to_print;
use tcloud_model::{SourceFile, Span};

/// A line longer than this is shown only around what is marked in it.
const LONG_LINE: usize = 400;

/// How many bytes are shown before and after a mark in a long line.
const WINDOW: usize = 60;

/// A file with some marked ranges, as it is shown.
pub(crate) struct Snippet<'a> {
    path: &'a str,
    shown: Shown<'a>,
    /// Where each range is shown, and where it really begins: line and column from zero.
    marks: Vec<Mark>,
}

struct Mark {
    offset: usize,
    length: usize,
    line: usize,
    column: usize,
}

enum Shown<'a> {
    /// The text itself.
    AsIs(&'a SourceFile),
    /// A copy in which unsafe characters are escapes and long lines are cut. It has the same
    /// lines.
    Cleaned(Arc<SourceFile>),
}

impl<'a> Snippet<'a> {
    /// The file, with these ranges marked.
    pub(crate) fn new(file: &'a SourceFile, spans: &[Span]) -> Snippet<'a> {
        let ranges: Vec<(usize, usize)> = spans.iter().map(|span| printable(file, *span)).collect();
        let (shown, moved) = if ranges.iter().any(|range| needs_cleaning(file, *range)) {
            let (cleaned, moved) = clean(file, &ranges);
            (Shown::Cleaned(Arc::new(cleaned)), moved)
        } else {
            (Shown::AsIs(file), ranges)
        };
        let marks = moved.iter().zip(spans).map(|(&(start, end), span)| {
            let real = file.position(span.start);
            Mark {
                offset: start,
                length: end - start,
                line: real.line.saturating_sub(1) as usize,
                column: real.column.saturating_sub(1) as usize,
            }
        });
        Snippet { path: &file.path, marks: marks.collect(), shown }
    }

    /// Where a range is shown, by its number.
    pub(crate) fn mark(&self, number: usize) -> SourceSpan {
        self.marks.get(number).map_or((0, 0).into(), |mark| (mark.offset, mark.length).into())
    }

    fn file(&self) -> &SourceFile {
        match &self.shown {
            Shown::AsIs(file) => file,
            Shown::Cleaned(file) => file,
        }
    }
}

/// The range within the text, at character boundaries. An empty range after the last newline, where
/// nothing is shown, moves to the end of the line before.
fn printable(file: &SourceFile, span: Span) -> (usize, usize) {
    let text = &*file.text;
    let boundary = |offset: u32| {
        let mut at = (offset as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (mut start, end) = (boundary(span.start), boundary(span.end.max(span.start)));
    if start == text.len() {
        start = text.trim_end_matches(['\n', '\r']).len();
    }
    (start, end.max(start))
}

/// The lines that are shown around a range: it and its neighbours.
fn lines_around(
    file: &SourceFile,
    (start, end): (usize, usize),
) -> std::ops::RangeInclusive<usize> {
    let line = |offset: usize| file.line_of(u32::try_from(offset).unwrap_or(u32::MAX));
    let last = line(end) + 1;
    line(start).saturating_sub(1)..=last.min(file.line_count().saturating_sub(1))
}

fn needs_cleaning(file: &SourceFile, range: (usize, usize)) -> bool {
    lines_around(file, range).any(|line| {
        let line = file.line_range(line);
        line.len() > LONG_LINE
            || file.text[line].contains(|c: char| c != '\t' && is_unsafe_to_print(c))
    })
}

/// A copy of the file for printing, and where the ranges are in it.
fn clean(file: &SourceFile, ranges: &[(usize, usize)]) -> (SourceFile, Vec<(usize, usize)>) {
    let mut text = String::new();
    let mut moved = vec![(usize::MAX, 0); ranges.len()];
    let near: Vec<_> = ranges.iter().map(|range| lines_around(file, *range)).collect();
    for line in 0..file.line_count() {
        // Lines that are not shown only have to be there, so that the others keep their numbers.
        if near.iter().any(|lines| lines.contains(&line)) {
            clean_line(file, line, ranges, &mut text, &mut moved);
        }
        text.push('\n');
    }
    for (start, end) in &mut moved {
        *start = (*start).min(text.len());
        *end = (*end).max(*start);
    }
    (SourceFile::new(&file.path, &text), moved)
}

fn clean_line(
    file: &SourceFile,
    line: usize,
    ranges: &[(usize, usize)],
    text: &mut String,
    moved: &mut [(usize, usize)],
) {
    let bytes = file.line_range(line);
    let long = bytes.len() > LONG_LINE;
    let marked: Vec<usize> = ranges
        .iter()
        .flat_map(|&(start, end)| [start, end])
        .filter(|at| bytes.contains(at) || *at == bytes.end)
        .collect();
    let is_shown = |at: usize| {
        !long || at < bytes.start + WINDOW || marked.iter().any(|mark| mark.abs_diff(at) <= WINDOW)
    };
    let mut hidden = false;
    for (at, c) in file.text[bytes.clone()].char_indices() {
        let at = bytes.start + at;
        note(ranges, at, text.len(), moved);
        // Half of a line end, as Windows writes it.
        if c == '\r' && file.text[at..].starts_with("\r\n") {
            continue;
        }
        if !is_shown(at) {
            if !hidden {
                text.push('…');
            }
            hidden = true;
            continue;
        }
        hidden = false;
        if c != '\t' && is_unsafe_to_print(c) {
            text.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    note(ranges, bytes.end, text.len(), moved);
}

/// Writes down where the ends of ranges went.
fn note(ranges: &[(usize, usize)], from: usize, to: usize, moved: &mut [(usize, usize)]) {
    for (range, moved) in ranges.iter().zip(moved) {
        if range.0 == from {
            moved.0 = moved.0.min(to);
        }
        if range.1 == from {
            moved.1 = to;
        }
    }
}

impl SourceCode for Snippet<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let file = self.file();
        let end = span.offset().saturating_add(span.len());
        if end > file.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let line_of = |offset: usize| file.line_of(u32::try_from(offset).unwrap_or(u32::MAX));
        // A range that ends with its newline does not reach into the next line.
        let last_byte = end.saturating_sub(1).max(span.offset());
        let first = line_of(span.offset()).saturating_sub(before);
        let last = (line_of(last_byte) + after).min(file.line_count() - 1);
        let start = file.line_range(first).start;
        let end = (file.line_range(last).end + 1).min(file.text.len()).max(end);
        let mark = self.marks.iter().find(|mark| mark.offset == span.offset());
        let (line, column) = match mark {
            // Only the head of a snippet asks without context: it shows where the text really is.
            Some(mark) if before == 0 && after == 0 => (mark.line, mark.column),
            _ => (first, 0),
        };
        Ok(Box::new(MietteSpanContents::new_named(
            crate::escape::escape(self.path).into_owned(),
            &file.text.as_bytes()[start..end],
            (start, end - start).into(),
            line,
            column,
            last - first + 1,
        )))
    }
}
