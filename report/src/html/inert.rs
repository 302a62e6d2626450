//! Texts from outside in HTML, and the pieces that every part of the page is made of.

use std::fmt::Write as _;

use crate::markup::escaped;

/// A text as code.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A sentence of ours that quotes others; what stands between backticks is code.
pub(super) fn prose(text: &str) -> String {
    let mut html = String::new();
    for (number, part) in text.split('`').enumerate() {
        html.push_str(&if number % 2 == 0 { escaped(part) } else { code(part) });
    }
    html
}

/// A text as the id of an element: no blanks.
pub(super) fn id(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_whitespace() { '_' } else { c });
    escaped(&plain.collect::<String>())
}

/// A table. Cells are HTML already; those of columns that are named `>…` stand at the right.
pub(super) fn table(caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let right: Vec<bool> = head.iter().map(|title| title.starts_with('>')).collect();
    let class = |at: usize| if right.get(at) == Some(&true) { " class=\"number\"" } else { "" };
    let mut html = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\
         <caption>{0}</caption>\n<thead><tr>",
        escaped(caption)
    );
    for (at, title) in head.iter().enumerate() {
        let title = escaped(title.trim_start_matches('>'));
        let _ = write!(html, "<th scope=\"col\"{}>{title}</th>", class(at));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let _ = match at {
                0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                _ => write!(html, "<td{}>{cell}</td>", class(at)),
            };
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n"
}

/// A picture, with what it shows in words.
pub(super) fn picture(
    id: &str,
    class: &str,
    size: [usize; 2],
    words: [&str; 2],
    inner: &str,
) -> String {
    let [width, height] = size;
    format!(
        "<svg class=\"{class}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" \
         viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\
         <title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>\n{inner}</svg>\n",
        escaped(words[0]),
        escaped(words[1])
    )
}

/// A text in a picture, cut to what has room; the whole of it is shown on pointing at it.
pub(super) fn label(at: [usize; 2], class: &str, text: &str, room: usize) -> String {
    let short: String = match text.char_indices().nth(room) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    let [x, y] = at;
    format!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>", escaped(&short))
}
