//! JSON that is YAML too. Both write texts in double quotes; YAML allows fewer characters in them as
//! they are, and what it does not allow is written as a code.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// A value as JSON in one line.
pub(super) fn write(value: &Json) -> String {
    let plain = value.to_string();
    let mut text = String::with_capacity(plain.len());
    for c in plain.chars() {
        if is_printable(c) {
            text.push(c);
        } else {
            // Such characters occur in texts only, since JSON itself is ASCII; all of them have
            // four digits at most.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        }
    }
    text
}

/// What may stand in YAML as it is, without line breaks of its own.
fn is_printable(c: char) -> bool {
    match c {
        '\u{20}'..='\u{7e}' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => true,
        c => u32::from(c) >= 0x1_0000,
    }
}
