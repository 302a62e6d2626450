//! Texts from outside in Markdown: they can neither be structure nor mention or link anything.

use crate::markup::escaped;
use crate::text::clean;

/// A text as code, in one line, also within a table.
pub(super) fn code(text: &str) -> String {
    let text = clean(text);
    // A fence longer than any in the text; blanks keep a backtick at its end apart from it.
    let longest = longest_run(&text);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    // Tables are cut before code is read.
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

/// A sentence of ours that quotes others. What stands between backticks is code.
pub(super) fn prose(text: &str) -> String {
    let text = clean(text);
    let mut parts = text.split('`');
    let mut prose = plain(parts.next().unwrap_or_default());
    while let Some(quoted) = parts.next() {
        prose.push_str(&if quoted.is_empty() { String::new() } else { code(quoted) });
        prose.push_str(&plain(parts.next().unwrap_or_default()));
    }
    prose
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            // Forges look for mentions and references in what Markdown has become.
            '@' | '#' | '!' => {
                plain.push('\\');
                plain.push(c);
                plain.push_str("<!-- -->");
            }
            '\\' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                plain.push('\\');
                plain.push(c);
            }
            c => plain.push(c),
        }
    }
    // Addresses of the web are not made links.
    plain.replace("://", "\\://").replace("www.", "www\\.")
}

/// A text as code within HTML, such as a summary.
pub(super) fn html_code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A block of code in this language; none of its lines can end it.
pub(super) fn block(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let mut block = format!("{fence}{language}\n");
    for line in lines {
        block.push_str(line);
        block.push('\n');
    }
    block + &fence + "\n"
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
