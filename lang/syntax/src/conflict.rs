//! Merges that nobody has finished: `<<<<<<<`, `=======` and `>>>>>>>` at the beginning of lines. Such
//! a text is read as its first side has it, so that it gives one message and not one per line.

use std::borrow::Cow;
use std::ops::Range;

use tcloud_model::{Diagnostic, FileId, Span, codes};

/// What a merge writes before the two sides, before what they both come from, between and behind.
const BEGIN: &str = "<<<<<<<";
const BASE: &str = "|||||||";
const BETWEEN: &str = "=======";
const END: &str = ">>>>>>>";

/// The text with blanks in place of marks and second sides: what is left stands where it stood.
pub(crate) fn first_side<'t>(
    file: FileId,
    text: &'t str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Cow<'t, str> {
    if !text.starts_with(BEGIN) && !text.contains("\n<<<<<<<") {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut open: Option<Conflict> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.trim_end().len();
        at += line.len();
        if open.is_none() && is_mark(line, BEGIN) {
            open = Some(Conflict { begin: range, second: false });
            blank(line, &mut kept);
            continue;
        }
        let Some(conflict) = &mut open else {
            kept.push_str(line);
            continue;
        };
        let ends = is_mark(line, END);
        let mark = ends || [BEGIN, BASE, BETWEEN].iter().any(|mark| is_mark(line, mark));
        conflict.second |= mark;
        if conflict.second {
            blank(line, &mut kept);
        } else {
            kept.push_str(line);
        }
        if ends && let Some(conflict) = open.take() {
            diagnostics.push(conflict.report(file, Some(range)));
        }
    }
    diagnostics.extend(open.map(|conflict| conflict.report(file, None)));
    Cow::Owned(kept)
}

/// A merge that is open.
struct Conflict {
    begin: Range<usize>,
    /// Whether the first side is over.
    second: bool,
}

impl Conflict {
    fn report(self, file: FileId, end: Option<Range<usize>>) -> Diagnostic {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let span = |range: Range<usize>| Span::new(file, offset(range.start), offset(range.end));
        let found =
            Diagnostic::error(codes::E0016, span(self.begin), "a merge conflict is not resolved")
                .label("from here")
                .help(
                    "keep one side, or what is right of both, and remove the lines `<<<<<<<`, \
                     `=======` and `>>>>>>>`",
                );
        match end {
            Some(end) => found.also(span(end), "to here"),
            None => found,
        }
    }
}

/// Whether a line is such a mark: the seven signs alone, or followed by a blank and a name.
fn is_mark(line: &str, mark: &str) -> bool {
    let rest = line.strip_prefix(mark);
    rest.is_some_and(|rest| rest.trim_end().is_empty() || rest.starts_with(' '))
}

/// As many bytes that say nothing, and the end of the line.
fn blank(line: &str, kept: &mut String) {
    kept.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_side_stays_where_it_is() {
        let text = "a = 1\n<<<<<<< HEAD\nb = 2\n||||||| 1a2b\nb = 1\n=======\nb = 3 // ü\n>>>>>>> x\nc = 4\n";
        let mut found = Vec::new();
        let kept = first_side(FileId(0), text, &mut found);
        assert_eq!(kept.len(), text.len());
        assert_eq!(kept.split_whitespace().collect::<String>(), "a=1b=2c=4");
        assert_eq!(kept.find("c = 4"), text.find("c = 4"));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn what_only_looks_like_a_mark_is_none() {
        for text in ["a = 1\n  <<<<<<< HEAD\n", "<<<<<<<<\n=======\n", "=======\n>>>>>>> x\n"] {
            let mut found = Vec::new();
            assert_eq!(first_side(FileId(0), text, &mut found), text);
            assert_eq!(found, []);
        }
    }

    #[test]
    fn a_conflict_without_an_end_is_one_too() {
        let mut found = Vec::new();
        first_side(FileId(0), "<<<<<<< HEAD\r\na = 1\r\n", &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].primary.span.length(), 12);
    }
}
