//! Rules about single files: their names, sizes, first lines and what may stand in them.

use std::path::Path;
use std::process::Command;

/// A file longer than this is split by noun.
const LONGEST_FILE: usize = 600;

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helpers", "common", "misc", "manager"];

/// Libraries that live in one room each: the word in the source, and the files that may use it.
const ROOMS: [(&str, &[&str]); 9] = [
    (
        "pest::",
        &["lang/syntax/src/parse.rs", "lang/syntax/src/parse/", "lang/syntax/tests/growth.rs"],
    ),
    ("petgraph::", &["planner/src/graph.rs", "lang/compiler/src/check/recursion.rs"]),
    ("miette::", &["cli/"]),
    ("clap::", &["cli/", "xtask/"]),
    ("indicatif::", &["cli/"]),
    ("rusqlite::", &["state/", "providers/sim/"]),
    ("tokio_postgres::", &["state/src/postgres/"]),
    ("virt::", &["providers/libvirt/"]),
    ("tokio::", &["engine/", "state/", "providers/", "cli/", "tests/"]),
];

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
    for path in tracked(root)? {
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else { continue };
        name_rule(&path, &mut broken);
        if path.ends_with(".rs") {
            source_rules(&path, &text, &mut broken);
        }
        if !path.ends_with(".snap") && !path.ends_with(".md") && path != "LICENSE" {
            layout_rules(&path, &text, &mut broken);
        }
    }
    code_pages(root, &mut broken);
    Ok(broken)
}

/// Every file that git knows or would add.
fn tracked(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn name_rule(path: &str, broken: &mut Vec<String>) {
    let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    if let Some(name) = parts.into_iter().find(|part| EMPTY_NAMES.contains(part)) {
        broken.push(format!("{path}: a file called `{name}` says nothing about what is in it"));
    }
}

fn source_rules(path: &str, text: &str, broken: &mut Vec<String>) {
    if !text.starts_with("//!") {
        broken.push(format!("{path}:1: a file opens with `//!` and what it is for"));
    }
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        broken.push(format!("{path}: {lines} lines, at most {LONGEST_FILE}: split it by noun"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("#[allow(") && !line.contains("reason") {
            broken.push(format!("{path}:{number}: `#[expect(…, reason = …)]` instead of `allow`"));
        }
        if path.starts_with("xtask/") {
            continue;
        }
        for (library, rooms) in ROOMS {
            let used = line.split("//").next().is_some_and(|code| uses(code, library));
            if used && !rooms.iter().any(|room| path.starts_with(room)) {
                let library = library.trim_end_matches(':');
                broken.push(format!("{path}:{number}: `{library}` is used in {rooms:?} only"));
            }
        }
    }
}

/// Whether a line of code names the library as a path, and not as the end of another word.
fn uses(code: &str, library: &str) -> bool {
    code.find(library).is_some_and(|at| {
        !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"')
    })
}

fn layout_rules(path: &str, text: &str, broken: &mut Vec<String>) {
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with(' ') || line.ends_with('\t') {
            broken.push(format!("{path}:{number}: white space at the end of the line"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        broken.push(format!("{path}: the last line has no newline"));
    }
}

/// Every diagnostic code has a page that is listed in the book.
fn code_pages(root: &Path, broken: &mut Vec<String>) {
    let summary = std::fs::read_to_string(root.join("book/src/SUMMARY.md")).unwrap_or_default();
    for page in tcloud_model::codes::ALL {
        if !page.page.starts_with(&format!("# {}: ", page.code)) {
            broken.push(format!("book/src/codes/{0}.md:1: begins with `# {0}: …`", page.code));
        }
        if !summary.contains(&format!("codes/{}.md", page.code)) {
            broken.push(format!("book/src/SUMMARY.md: lacks codes/{}.md", page.code));
        }
    }
}
