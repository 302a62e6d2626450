//! Words with letters that names do not have: `größe`, or `vсpus` with a Cyrillic `с`. The grammar
//! ends a word before such a letter; here it is put together again, so that all of it is told.

use std::ops::Range;

use crate::characters::look_alike;
use crate::habits;
use crate::scan;

/// The first such word with a letter in `part`; it may begin before. Texts and comments are left
/// out.
pub(crate) fn find(text: &str, part: Range<usize>) -> Option<Range<usize>> {
    if text.get(part.clone())?.is_ascii() {
        return None;
    }
    let mut at = part.start;
    while at < part.end {
        if let Some(end) = scan::skipped(text, at, part.end) {
            at = end;
            continue;
        }
        let c = text.get(at..)?.chars().next()?;
        if is_quote(c) {
            // What follows is meant as a text.
            return None;
        }
        if !is_foreign(c) {
            at += c.len_utf8();
            continue;
        }
        let word = around(text, at);
        // `5µs` is a number, and told as one.
        if !text.get(word.clone())?.starts_with(char::is_numeric) {
            return Some(word);
        }
        at = word.end;
    }
    None
}

/// Whether a word is cut before this byte.
pub(crate) fn is_cut(text: &str, at: usize) -> bool {
    let is_plain = text.as_bytes().get(at).is_none_or(u8::is_ascii);
    !is_plain && text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(is_foreign)
}

/// The whole word that a letter stands in.
pub(crate) fn around(text: &str, letter: usize) -> Range<usize> {
    let of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-') || is_mark(c);
    let (before, after) = text.split_at_checked(letter).unwrap_or((text, ""));
    let head = before.trim_end_matches(of_word);
    let head = before.len() - before[head.len()..].trim_start_matches('-').len();
    let tail = after.len() - after.trim_start_matches(of_word).len();
    let tail = after[..tail].trim_end_matches('-').len();
    head..letter + tail
}

/// How the word is written with the letters of names.
pub(crate) fn plain(word: &str) -> Option<String> {
    match look_alike(word) {
        Some((_, plain)) => Some(plain),
        None => habits::as_word(word),
    }
}

fn is_foreign(c: char) -> bool {
    !c.is_ascii() && (c.is_alphanumeric() || is_mark(c))
}

/// Marks that stand above or below the letter before them: a decomposed `ü` is `u` and two dots.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Quotes of other languages and of word processors.
fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '`' | '“' | '”' | '„' | '«' | '»' | '‟' | '＂' | '‘' | '’' | '‚')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_found_outside_of_texts() {
        let found = |text: &str, from: usize| {
            find(text, from..text.len()).map(|range| text[range].to_owned())
        };
        assert_eq!(found("a = größe", 0).as_deref(), Some("größe"));
        assert_eq!(found("a = größe", 6).as_deref(), Some("größe"));
        assert_eq!(found("vm.x-ä->b", 0).as_deref(), Some("x-ä"));
        assert_eq!(found("5µs + -ü", 0).as_deref(), Some("ü"));
        assert_eq!(found("\"ä ${f(\"ö\")}\" // ü", 0), None);
        assert_eq!(found("\"\"\"\n ä \"ö\"\n\"\"\" + ü", 0).as_deref(), Some("ü"));
        assert_eq!(found("„Größe“", 0), None);
    }
}
