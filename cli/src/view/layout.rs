//! Fitting texts into columns: widths, shortening, lists that end in "and more".

use std::fmt::Write as _;

use tcloud_model::Position;
use unicode_width::UnicodeWidthStr;

use crate::escape::escape;

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text with blanks up to a width; unchanged when it is wider.
pub(crate) fn pad(text: &str, to: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(std::iter::repeat_n(' ', to.saturating_sub(width(text))));
    padded
}

/// The text with its middle taken out, so that it takes at most `most` columns.
pub(crate) fn shorten_middle(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let keep = most.saturating_sub(1);
    let head = take(text.chars(), keep / 3);
    let tail: String = take(text.chars().rev(), keep - width(&head)).chars().rev().collect();
    format!("{head}…{tail}")
}

/// The text with its end taken off, so that it takes at most `most` columns.
pub(crate) fn shorten_end(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    format!("{}…", take(text.chars(), most.saturating_sub(1)))
}

/// As many characters as fit.
fn take(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut taken = String::new();
    let mut used = 0;
    for c in chars {
        used += width(c.encode_utf8(&mut [0; 4]));
        if used > columns {
            break;
        }
        taken.push(c);
    }
    taken
}

/// A place in the text, longest form first; the shorter forms lack directories from the middle,
/// since the file and the line are what a reader needs.
pub(crate) fn places(position: &Position) -> Vec<String> {
    let full = escape(&position.to_string()).into_owned();
    let mut forms = vec![full.clone()];
    if let Some((directories, file)) = full.rsplit_once('/') {
        if let Some((top, _)) = directories.split_once('/') {
            forms.push(format!("{top}/…/{file}"));
        }
        forms.push(format!("…/{file}"));
    }
    forms
}

/// As many items as fit, joined by commas; the rest is counted: `a, b, +3 more`.
pub(crate) fn list(items: &[String], most: usize) -> String {
    let full = items.join(", ");
    if width(&full) <= most {
        return full;
    }
    for shown in (1..items.len()).rev() {
        let text = format!("{}, +{} more", items[..shown].join(", "), items.len() - shown);
        if width(&text) <= most {
            return text;
        }
    }
    // That there is more matters more than the end of the first, as long as something of it is left.
    let more = format!(", +{} more", items.len().saturating_sub(1));
    match items {
        [first, _, ..] if most >= 2 * width(&more) => {
            shorten_end(first, most - width(&more)) + &more
        }
        _ => shorten_end(&full, most),
    }
}

/// The text broken between words into lines of at most `most` columns; the lines after the first
/// begin with `indent` blanks. A word that is wider than a line has a line to itself. What stands
/// between two backticks is one word: it is copied.
pub(crate) fn wrap(text: &str, most: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut used = 0;
    let quoted = text.matches('`').count().is_multiple_of(2);
    let mut inside = false;
    let words = text.split(|c: char| {
        inside ^= quoted && c == '`';
        c.is_whitespace() && !inside
    });
    for word in words.filter(|word| !word.is_empty()) {
        let wide = width(word);
        if used > 0 && used + 1 + wide > most {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if used > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += wide;
    }
    wrapped
}

/// A word as a shell reads it back.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", escape(word).replace('\'', "'\\''"))
}

/// A number with its noun: `1 change`, `3 changes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = match noun {
        "is" => "are".to_owned(),
        noun if noun.ends_with('s') || noun.ends_with('x') => format!("{noun}es"),
        noun => format!("{noun}s"),
    };
    format!("{number} {}", if number == 1 { noun.to_owned() } else { plural })
}

/// A table with one line for each row, columns as wide as they need to be, no frame.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| width(cell)).collect();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            match widths.get_mut(at) {
                Some(widest) => *widest = width(cell).max(*widest),
                None => widths.push(width(cell)),
            }
        }
    }
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{}  ", pad(cell, *width));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Position {
        Position { path: path.into(), line: 71, column: 3 }
    }

    #[test]
    fn places_lose_their_directories_first() {
        assert_eq!(
            places(&at("tenants/rhoenblick/vms.tcloud")),
            [
                "tenants/rhoenblick/vms.tcloud:71:3",
                "tenants/…/vms.tcloud:71:3",
                "…/vms.tcloud:71:3"
            ]
        );
        assert_eq!(places(&at("a/b.tcloud")), ["a/b.tcloud:71:3", "…/b.tcloud:71:3"]);
        assert_eq!(places(&at("main.tcloud")), ["main.tcloud:71:3"]);
    }

    #[test]
    fn lists_count_what_they_leave_out() {
        let items = ["alpha", "beta", "gamma"].map(str::to_owned);
        assert_eq!(list(&items, 40), "alpha, beta, gamma");
        assert_eq!(list(&items, 16), "alpha, +2 more");
        assert_eq!(list(&items, 9), "alpha, b…");
        assert_eq!(list(&items[..1], 4), "alp…");
    }

    #[test]
    fn texts_are_broken_between_words() {
        assert_eq!(wrap("one two  three four", 9, 2), "one two\n  three\n  four");
        assert_eq!(wrap("incomprehensible", 4, 0), "incomprehensible");
        assert_eq!(wrap("write `a b c`, or not", 9, 1), "write\n `a b c`,\n or not");
        assert_eq!(wrap("it`s one two", 8, 0), "it`s one\ntwo");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(width("häuser"), 6);
        assert_eq!(width("東京"), 4);
        assert!(width(&shorten_middle("東京東京東京", 7)) <= 7);
        assert_eq!(pad("東", 4), "東  ");
    }

    #[test]
    fn tables_have_no_blanks_at_the_end() {
        let rows = [vec!["a".to_owned(), String::new()], vec!["long".to_owned(), "b".to_owned()]];
        assert_eq!(table(&["x", "y"], &rows), "x     y\na\nlong  b\n");
    }
}
