//! Texts from outside, so that a terminal shows them and does not obey them.

use std::borrow::Cow;

use tcloud_model::value::is_unsafe_to_print;

/// A text from outside in one line that a terminal shows as it is: what could move the cursor,
/// change colours or hide something is written as an escape.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe_to_print) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe_to_print(c) {
            safe.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

/// Like [`escape`], for texts of several lines.
pub(crate) fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// JSON that means the same and that a terminal shows as it is.
pub(crate) fn escape_json(json: &str) -> Cow<'_, str> {
    // Outside of its texts, JSON has no such characters but line feeds.
    let is_unsafe = |c: char| c != '\n' && is_unsafe_to_print(c);
    if !json.contains(is_unsafe) {
        return json.into();
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unsafe(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        let nasty = "a\u{1b}[2K\u{9b}1m\r\u{7}\u{202e}b\nü";
        assert!(!escape(nasty).contains(is_unsafe_to_print));
        assert_eq!(escape_lines("a\u{1b}\nb"), "a\\u{1b}\nb");
        assert_eq!(escape("häuser"), "häuser");
        let value = serde_json::json!({ "a": nasty });
        let json = escape_json(&format!("{value:#}")).into_owned();
        assert!(!json.replace('\n', "").contains(is_unsafe_to_print), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).ok(), Some(value));
    }
}
