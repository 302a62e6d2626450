//! Tables whose rows are counted, so that a long one can be cut between two of them.

use crate::lang::Lang;

/// A table with at most so many rows; says how many it leaves out.
pub(super) fn table(lang: Lang, head: &[&str], rows: &[Vec<String>], most: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut table = line(&head);
    table.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for row in rows.iter().take(most) {
        table.push_str(&line(row));
    }
    if rows.len() > most {
        let left = rows.len() - most;
        table.push_str(&match lang {
            Lang::English => format!("\n{left} more rows left out.\n"),
            Lang::German => format!("\n{left} weitere Zeilen ausgelassen.\n"),
        });
    }
    table
}
