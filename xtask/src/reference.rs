//! The book's reference pages, made from the kinds, the methods and the diagnostic codes.

use std::fs;
use std::path::Path;

use tcloud_compiler::reference;
use tcloud_model::Catalog;

/// Between these lines the book's table of contents belongs to this task.
const BEGIN: &str = "<!-- reference: made by `cargo xtask reference` -->\n";
const END: &str = "<!-- end of the reference -->\n";

/// Writes the pages, or fails when one is out of date.
pub(crate) fn run(root: &Path, check: bool) -> Result<(), String> {
    let book = root.join("book/src");
    let catalog = Catalog::core();
    let mut stale = Vec::new();
    for page in reference::pages(&catalog) {
        put(&book.join(&page.path), &page.text, check, &mut stale)?;
    }
    let contents = book.join("SUMMARY.md");
    let text = fs::read_to_string(&contents).map_err(|e| format!("{}: {e}", contents.display()))?;
    let updated = with_contents(&text, &reference::contents(&catalog))
        .ok_or_else(|| format!("{}: the lines of the reference are missing", contents.display()))?;
    put(&contents, &updated, check, &mut stale)?;
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("out of date, run `cargo xtask reference`:\n  {}", stale.join("\n  ")))
}

/// Writes a file that differs; when only checking, names it instead.
fn put(path: &Path, text: &str, check: bool, stale: &mut Vec<String>) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if check {
        stale.push(path.display().to_string());
        return Ok(());
    }
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

/// The table of contents with the lines of the reference replaced.
fn with_contents(text: &str, lines: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{lines}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_the_reference_are_replaced() {
        let text = format!("# Summary\n\n{BEGIN}- old\n{END}\n- [mine](mine.md)\n");
        let updated = with_contents(&text, "- new\n");
        let expected = format!("# Summary\n\n{BEGIN}- new\n{END}\n- [mine](mine.md)\n");
        assert_eq!(updated.as_deref(), Some(expected.as_str()));
        assert_eq!(with_contents("# Summary\n", "- new\n"), None);
    }
}
