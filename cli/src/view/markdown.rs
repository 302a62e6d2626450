//! The Markdown of the book's pages, set for a terminal.

use crate::terminal::{Palette, Tone, WIDTH, escape};
use crate::view::layout::wrap;

/// The page for a terminal: headings strong, code indented and coloured, paragraphs broken.
pub(crate) fn render(page: &str, palette: Palette) -> String {
    let mut text = String::new();
    let mut paragraph = String::new();
    let mut fence = None;
    for line in page.lines() {
        let line = escape(line);
        let mark = line.trim_start().get(..3).filter(|mark| matches!(*mark, "```" | "~~~"));
        if let Some(open) = fence {
            if mark == Some(open) {
                fence = None;
            } else {
                text.push_str(&format!("    {}\n", palette.paint(Tone::Change, &line)));
            }
            continue;
        }
        let is_block = line.is_empty() || line.starts_with(['#', '-', '|', '*']) || mark.is_some();
        if is_block {
            flush(&mut paragraph, &mut text);
        }
        match mark {
            Some("```") => fence = Some("```"),
            Some(_) => fence = Some("~~~"),
            None if line.starts_with('#') => {
                let title = line.trim_start_matches('#').trim();
                text.push_str(&format!("{}\n", palette.paint(Tone::Strong, title)));
            }
            None if is_block && !line.is_empty() => {
                text.push_str(&format!("{}\n", wrap(&line, WIDTH, 2)));
            }
            None if line.is_empty() => {
                if !text.is_empty() && !text.ends_with("\n\n") {
                    text.push('\n');
                }
            }
            None => {
                paragraph.push(' ');
                paragraph.push_str(&line);
            }
        }
    }
    flush(&mut paragraph, &mut text);
    text
}

fn flush(paragraph: &mut String, text: &mut String) {
    if !paragraph.is_empty() {
        text.push_str(&wrap(paragraph, WIDTH, 0));
        text.push('\n');
        paragraph.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_set_for_a_terminal() {
        let page =
            "# E1: A title\n\nOne line\nand another.\n\n~~~tcloud\nvm a {\n}\n~~~\n\n- an item\n";
        assert_eq!(
            render(page, Palette::PLAIN),
            "E1: A title\n\nOne line and another.\n\n    vm a {\n    }\n\n- an item\n"
        );
    }
}
