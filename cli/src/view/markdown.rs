//! The Markdown of the book's pages, set for a terminal.

use crate::escape::escape;
use crate::terminal::{Palette, Tone, WIDTH};
use crate::view::layout::{self, wrap};

/// The page for a terminal: headings strong, code indented and coloured, paragraphs broken, tables
/// aligned or, when they are too wide, row by row.
pub(crate) fn render(page: &str, palette: Palette) -> String {
    let mut setter = Setter { palette, text: String::new(), block: Block::None };
    for line in page.lines() {
        setter.line(&escape(line));
    }
    setter.end();
    setter.text
}

/// What the lines so far belong to.
enum Block {
    None,
    Paragraph(String),
    /// With the mark that ends it.
    Code(String),
    Table(Vec<Vec<String>>),
}

struct Setter {
    palette: Palette,
    text: String,
    block: Block,
}

impl Setter {
    fn line(&mut self, line: &str) {
        let fence = line.get(..3).filter(|mark| matches!(*mark, "```" | "~~~"));
        if let Block::Code(open) = &self.block {
            if fence == Some(open) {
                self.block = Block::None;
            } else {
                let code = self.palette.paint(Tone::Change, line);
                self.text.push_str(format!("    {code}").trim_end());
                self.text.push('\n');
            }
            return;
        }
        if let Some(mark) = fence {
            self.end();
            self.block = Block::Code(mark.to_owned());
        } else if line.starts_with('|') {
            self.row(line);
        } else if line.trim().is_empty() {
            self.end();
            if !self.text.is_empty() && !self.text.ends_with("\n\n") {
                self.text.push('\n');
            }
        } else if line.starts_with('#') {
            self.end();
            let title = line.trim_start_matches('#').trim();
            self.text.push_str(&format!("{}\n", self.palette.paint(Tone::Strong, title)));
        } else if line.starts_with(['-', '*']) {
            self.end();
            self.text.push_str(&format!("{}\n", wrap(line, WIDTH, 2)));
        } else if let Block::Paragraph(text) = &mut self.block {
            text.push(' ');
            text.push_str(line);
        } else {
            self.end();
            self.block = Block::Paragraph(line.to_owned());
        }
    }

    fn row(&mut self, line: &str) {
        let cells = line.replace("\\|", "\u{1}");
        let cells = cells.trim().trim_matches('|').split('|');
        let cells: Vec<String> =
            cells.map(|cell| cell.trim().replace('\u{1}', "|").replace('`', "")).collect();
        if cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':' | ' '))) {
            return;
        }
        match &mut self.block {
            Block::Table(rows) => rows.push(cells),
            _ => {
                self.end();
                self.block = Block::Table(vec![cells]);
            }
        }
    }

    /// Ends what the lines so far belong to.
    fn end(&mut self) {
        match std::mem::replace(&mut self.block, Block::None) {
            Block::None | Block::Code(_) => {}
            Block::Paragraph(text) => {
                self.text.push_str(&wrap(&text, WIDTH, 0));
                self.text.push('\n');
            }
            Block::Table(rows) => self.table(&rows),
        }
    }

    fn table(&mut self, rows: &[Vec<String>]) {
        let Some((head, body)) = rows.split_first() else { return };
        let titles: Vec<&str> = head.iter().map(String::as_str).collect();
        let aligned = layout::table(&titles, body);
        if aligned.lines().all(|line| layout::width(line) <= WIDTH) {
            self.text.push_str(&aligned);
            return;
        }
        for row in body {
            let Some((first, others)) = row.split_first() else { continue };
            self.text.push_str(&format!("{}\n", self.palette.paint(Tone::Good, first)));
            for cell in others.iter().filter(|cell| !cell.is_empty()) {
                self.text.push_str(&format!("    {}\n", wrap(cell, WIDTH - 4, 4)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_set_for_a_terminal() {
        let page = "# E1: A title\n\nOne line\nand another.\n\n~~~tcloud\nvm a {\n}\n~~~\n\n- an \
            item\n\n| a | b |\n| --- | --- |\n| `x \\| y` | 1 |\n";
        assert_eq!(
            render(page, Palette::PLAIN),
            "E1: A title\n\nOne line and another.\n\n    vm a {\n    }\n\n- an item\n\na      \
             b\nx | y  1\n"
        );
    }

    #[test]
    fn every_page_fits_the_terminal() {
        for page in tcloud_model::codes::ALL {
            let text = render(page.page, Palette::PLAIN);
            // Code stays as it is; everything else is broken.
            for line in text.lines().filter(|line| !line.starts_with("    ")) {
                assert!(layout::width(line) <= WIDTH, "{}: {line}", page.code);
            }
        }
    }
}
