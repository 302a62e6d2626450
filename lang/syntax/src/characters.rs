//! Bytes that are no text, and characters that may not stand in one: control characters, and the
//! invisible ones that make a text look different from what it says.

use tcloud_model::value::is_unsafe_to_print;
use tcloud_model::{Diagnostic, FileId, Span, codes};

/// How large a file may be unless the settings say otherwise: 16 MiB.
pub const MAX_FILE_SIZE: usize = 16 << 20;

/// How many bytes are looked at in one step.
const CHUNK: usize = 64;

/// How many forbidden characters of one file are reported.
const MAX_REPORTS: usize = 20;

/// The bytes of a file as text. The error stands behind the part that is text, `valid_prefix` long
/// at most; `limit` is the largest allowed size in bytes, usually [`MAX_FILE_SIZE`].
pub fn decode(file: FileId, bytes: &[u8], limit: usize) -> Result<&str, Box<Diagnostic>> {
    let start = Span::new(file, 0, 0);
    if bytes.len() > limit {
        let message = format!("this file has {} bytes, the limit is {limit}", bytes.len());
        return Err(Box::new(
            Diagnostic::error(codes::E0006, start, message)
                .help("split it into several files, or raise the limit in the settings"),
        ));
    }
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(Box::new(
            Diagnostic::error(codes::E0008, start, "this file is encoded in UTF-16")
                .help("save it as UTF-8 without a byte order mark"),
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or(0);
        let offset = u32::try_from(at).unwrap_or(u32::MAX);
        let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
        let message = if bytes[..bytes.len().min(8192)].contains(&0) {
            "this is a binary file, not a text".to_owned()
        } else {
            format!("byte {at} (0x{byte:02x}, line {line}) is not UTF-8")
        };
        Box::new(
            Diagnostic::error(codes::E0008, Span::new(file, offset, offset), message)
                .help("save the file as UTF-8; older editors may have used Latin-1"),
        )
    })
}

/// The first letter of a word that only looks like one of a to z, and the word as it looks; `None`
/// where other letters are in it too: then somebody wrote in another alphabet.
pub(crate) fn look_alike(word: &str) -> Option<(char, String)> {
    let first = word.chars().find(|c| !c.is_ascii())?;
    let plain: Option<String> =
        word.chars().map(|c| if c.is_ascii() { Some(c) } else { ascii(c) }).collect();
    Some((first, plain?))
}

/// The letter or digit that a character of another alphabet cannot be told from.
fn ascii(c: char) -> Option<char> {
    Some(match c {
        // Cyrillic, then Greek.
        'а' | 'α' => 'a',
        'с' => 'c',
        'ԁ' => 'd',
        'е' => 'e',
        'һ' => 'h',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'у' => 'y',
        'ν' => 'v',
        'х' => 'x',
        // Fullwidth forms, as Japanese and Chinese keyboards write them.
        'ａ'..='ｚ' => char::from(b'a' + u8::try_from(u32::from(c) - 0xff41).ok()?),
        '０'..='９' => char::from(b'0' + u8::try_from(u32::from(c) - 0xff10).ok()?),
        _ => return None,
    })
}

/// Reports the characters that may not stand in a text as they are.
pub(crate) fn check(file: FileId, text: &str, diagnostics: &mut Vec<Diagnostic>) {
    let bytes = text.as_bytes();
    let mut reports = 0;
    // The first bytes of everything that could be wrong; the rest is decided below.
    let suspect = |byte: u8| matches!(byte, 0..=8 | 11..=31 | 0x7f | 0xc2 | 0xe2 | 0xef);
    // Nearly every text has none of them, and many bytes are looked at in one step.
    let chunks = bytes.chunks(CHUNK).zip((0..).step_by(CHUNK));
    let suspects = chunks
        .filter(|(chunk, _)| chunk.iter().fold(false, |found, byte| found | suspect(*byte)))
        .flat_map(|(chunk, start)| (start..).zip(chunk))
        .filter(|(_, byte)| suspect(**byte));
    for (at, byte) in suspects {
        if *byte == b'\r' && bytes.get(at + 1) == Some(&b'\n') {
            continue;
        }
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { continue };
        if is_unsafe_to_print(c) {
            if reports == MAX_REPORTS {
                return;
            }
            reports += 1;
            diagnostics.push(report(file, at, c));
        }
    }
}

fn report(file: FileId, at: usize, c: char) -> Diagnostic {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let span = Span::new(file, offset(at), offset(at + c.len_utf8()));
    let escape = format!("\\u{{{:x}}}", u32::from(c));
    let (message, help) = match c {
        '\u{feff}' if at == 0 => (
            "the file begins with a byte order mark".to_owned(),
            "save it as UTF-8 without a byte order mark".to_owned(),
        ),
        '\r' => (
            "a carriage return without a line feed".to_owned(),
            "end lines with a line feed".to_owned(),
        ),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => (
            format!("`{escape}` changes the direction of what is shown after it"),
            format!("remove it; in a text, write `{escape}`"),
        ),
        c if c.is_control() => (
            format!("the control character `{escape}` may not stand here"),
            format!("remove it; in a text, write `{escape}`"),
        ),
        _ => (
            format!("the invisible character `{escape}` may not stand here"),
            format!("remove it; in a text, write `{escape}`"),
        ),
    };
    let diagnostic = Diagnostic::error(codes::E0007, span, message).help(help);
    if c == '\u{feff}' { diagnostic.fix(span, "") } else { diagnostic }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> (String, u32) {
        let error = decode(FileId(0), bytes, 100).expect_err("not a text");
        (error.message, error.primary.span.start)
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        assert_eq!(error(b"a = \"\xe4\""), ("byte 5 (0xe4, line 1) is not UTF-8".to_owned(), 5));
        assert_eq!(error(b"\xff\xfea\0").0, "this file is encoded in UTF-16");
        assert_eq!(error(b"\x7fELF\x02\0\xff").0, "this is a binary file, not a text");
        assert_eq!(error(&[b' '; 101]).0, "this file has 101 bytes, the limit is 100");
        assert_eq!(decode(FileId(0), "ä".as_bytes(), 100).ok(), Some("ä"));
    }

    #[test]
    fn hidden_characters_are_found_wherever_a_step_ends() {
        for at in [0, CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK + 3] {
            for bad in ["\u{7}", "\u{202e}", "\r"] {
                let text = format!("{}{bad}x", "a".repeat(at));
                let mut diagnostics = Vec::new();
                check(FileId(0), &text, &mut diagnostics);
                let found: Vec<u32> = diagnostics.iter().map(|d| d.primary.span.start).collect();
                assert_eq!(found, [u32::try_from(at).expect("small")], "{bad:?} at {at}");
            }
            let mut diagnostics = Vec::new();
            check(FileId(0), &format!("{}\r\nx", "a".repeat(at)), &mut diagnostics);
            assert_eq!(diagnostics, []);
        }
    }

    #[test]
    fn hidden_characters_are_found_everywhere() {
        let text = "\u{feff}a = 1 // \u{202e}\r\nb = \"\u{7}\u{200b}ä–\u{85}\"\rc";
        let mut diagnostics = Vec::new();
        check(FileId(0), text, &mut diagnostics);
        let messages: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "the file begins with a byte order mark",
                "`\\u{202e}` changes the direction of what is shown after it",
                "the control character `\\u{7}` may not stand here",
                "the invisible character `\\u{200b}` may not stand here",
                "the control character `\\u{85}` may not stand here",
                "a carriage return without a line feed",
            ]
        );
    }
}
