//! Ranges of source texts, and the texts themselves.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which file of [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A range of bytes in one file; the end is not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A range of bytes.
    pub fn new(file: FileId, start: u32, end: u32) -> Span {
        Span { file, start, end }
    }

    /// From the start of this range to the end of `other`, in the same file.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start, end: other.end.max(self.start) }
    }

    /// The empty range at the end of this one.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// The length in bytes.
    pub fn length(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// A file that was read.
#[derive(Debug)]
pub struct SourceFile {
    /// Path below the project's root, with `/` on every system.
    pub path: Arc<str>,
    /// The text, valid UTF-8.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
}

/// The files of a run; a [`FileId`] is an index into it.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

/// A place for people: counted from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Path below the project's root.
    pub path: Arc<str>,
    /// Line, from one.
    pub line: u32,
    /// Column in characters, from one.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

impl SourceFile {
    /// Indexes the lines of a text. Texts are below 4 GiB, since spans count in 32 bits.
    pub fn new(path: &str, text: &str) -> SourceFile {
        let newlines = text.match_indices('\n');
        let line_starts = std::iter::once(0)
            .chain(newlines.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX)))
            .collect();
        SourceFile { path: Arc::from(path), text: Arc::from(text), line_starts }
    }

    /// The line (from zero) that a byte stands in.
    pub fn line_of(&self, offset: u32) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) - 1
    }

    /// The byte range of a line (from zero) without its newline; empty past the end.
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let Some(start) = self.line_starts.get(line).map(|start| *start as usize) else {
            return self.text.len()..self.text.len();
        };
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| *next as usize - 1);
        start..end
    }

    /// How many lines there are, at least one.
    pub fn line_count(&self) -> usize {
        self.line_starts.len()
    }

    /// The place of a byte for people.
    pub fn position(&self, offset: u32) -> Position {
        let line = self.line_of(offset);
        let start = self.line_range(line).start;
        let end = (offset as usize).clamp(start, self.text.len());
        let column = self.text.as_bytes()[start..end].iter().filter(|b| **b & 0xc0 != 0x80).count();
        Position {
            path: self.path.clone(),
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }
}

impl Sources {
    /// No files.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Which file the next one to be added will be.
    pub fn next_id(&self) -> FileId {
        FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX))
    }

    /// Adds a file and says which it is.
    pub fn add(&mut self, path: &str, text: &str) -> FileId {
        let id = self.next_id();
        self.files.push(SourceFile::new(path, text));
        id
    }

    /// A file. Ids come from [`Sources::add`] of the same set.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// All files in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0_u32..).map(FileId).zip(&self.files)
    }

    /// The text of a range.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Where a range starts, for people.
    pub fn position(&self, span: Span) -> Position {
        self.file(span.file).position(span.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let file = SourceFile::new("a.tcloud", "ä = 1\nöü x");
        let position = file.position(file.text.find('x').map_or(0, |at| at as u32));
        assert_eq!((position.line, position.column), (2, 4));
        assert_eq!(file.position(999).line, 2);
        assert_eq!(&file.text[file.line_range(0)], "ä = 1");
    }
}
