//! Every page of a diagnostic code is a test: its wrong text gives exactly that code at exactly the
//! marked ranges, its right text gives nothing at all. `PAGE=E0212 cargo test` tests one page.

#![expect(clippy::disallowed_methods, reason = "this test looks into the book's folder")]

use std::path::Path;

use tcloud_compiler::{Compiled, MemoryWorld, Settings, compile};
use tcloud_model::{Deployment, Evaluator as _, SourceFile, codes};

/// A fenced example of a page.
struct Example {
    text: String,
    /// The word after `tcloud` in the fence: `plan` when the error needs a plan, `outside` when a
    /// text cannot show it.
    info: String,
}

/// A place in a text: line, first column, column after the last; counted from one, in characters.
type Mark = (u32, u32, u32);

/// Compiles a text and asks its checks.
fn compiled(text: &str) -> Compiled {
    let world = MemoryWorld::of(text)
        .with("keys/it.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample it@example")
        .with_environment("DB_PASSWORD", "not shown");
    let mut compiled = compile(&world, &Settings::new(Deployment::new("pages")));
    if let Some(program) = &compiled.program {
        let checks = program.checks(&());
        compiled.diagnostics.extend(checks.into_iter().flat_map(|check| check.failures));
    }
    compiled
}

/// The first example below a heading.
fn example(page: &str, heading: &str) -> Option<Example> {
    let (_, section) = page.split_once(&format!("\n## {heading}\n"))?;
    let section = section.split("\n## ").next()?;
    let (_, fenced) = section.split_once("~~~tcloud")?;
    let (info, rest) = fenced.split_once('\n')?;
    let (text, _) = rest.split_once("\n~~~")?;
    Some(Example { text: format!("{text}\n"), info: info.trim().to_owned() })
}

/// A comment line that consists of carets. What stands in the first two columns, where the comment
/// itself begins, is marked by columns: `//@1-6`.
fn carets(line: &str) -> Option<Vec<(u32, u32)>> {
    if let Some(columns) = line.strip_prefix("//@") {
        let (from, to) = columns.split_once('-')?;
        return Some(vec![(from.parse().ok()?, to.parse().ok()?)]);
    }
    let rest = line.trim_start().strip_prefix("//")?;
    if !rest.contains('^') || !rest.chars().all(|c| c == '^' || c == ' ') {
        return None;
    }
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for (column, c) in (1..).zip(line.chars()) {
        match runs.last_mut() {
            _ if c != '^' => {}
            Some((_, end)) if *end == column => *end = column + 1,
            _ => runs.push((column, column + 1)),
        }
    }
    Some(runs)
}

/// What the carets mark: each mark belongs to the nearest line above it that is not carets.
fn marks(text: &str) -> Vec<Mark> {
    let mut found = Vec::new();
    let mut above = 0;
    for (number, line) in (1..).zip(text.lines()) {
        match carets(line) {
            Some(runs) => found.extend(runs.into_iter().map(|(from, to)| (above, from, to))),
            None => above = number,
        }
    }
    found.sort_unstable();
    found
}

/// The primary ranges of all diagnostics; of a range over several lines, the first line's part.
fn ranges(compiled: &Compiled) -> Vec<(Mark, &'static str, String)> {
    let mut found: Vec<_> = compiled
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let span = diagnostic.primary.span;
            let file = compiled.sources.file(span.file);
            let end = end_on_first_line(file, span.start, span.end);
            let (from, to) = (file.position(span.start), file.position(end));
            let mark = (from.line, from.column, to.column);
            (mark, diagnostic.code.0, diagnostic.message.clone())
        })
        .collect();
    found.sort();
    found
}

fn end_on_first_line(file: &SourceFile, start: u32, end: u32) -> u32 {
    let line = file.line_range(file.line_of(start));
    end.min(u32::try_from(line.end).unwrap_or(end))
}

/// What is wrong with a page; nothing, if all is well.
fn problems(code: &'static str, page: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let title = page.lines().next().unwrap_or_default();
    if !title.starts_with(&format!("# {code}: ")) {
        problems.push(format!("begins with `{title}`"));
    }
    let (Some(wrong), Some(right)) = (example(page, "Wrong"), example(page, "Right")) else {
        problems.push("needs `## Wrong` and `## Right`, each with a `~~~tcloud` block".to_owned());
        return problems;
    };
    if wrong.info.is_empty() {
        problems.extend(wrong_problems(code, &wrong.text));
    }
    let found = compiled(&right.text);
    for (mark, code, message) in ranges(&found) {
        problems.push(format!("right: {code} at {mark:?}: {message}"));
    }
    problems
}

fn wrong_problems(code: &'static str, text: &str) -> Vec<String> {
    let expected = marks(text);
    let found = compiled(text);
    let actual = ranges(&found);
    let mut problems = Vec::new();
    if expected.is_empty() {
        problems.push("wrong: no carets mark the range".to_owned());
    }
    let places: Vec<Mark> = actual.iter().map(|(mark, ..)| *mark).collect();
    if places != expected || actual.iter().any(|(_, own, _)| *own != code) {
        problems.push(format!("wrong: marked {expected:?}, but found {actual:#?}"));
    }
    for diagnostic in &found.diagnostics {
        if diagnostic.help.is_none() {
            problems.push(format!("{} has no help", diagnostic.code));
        }
        if diagnostic.message.ends_with('.') {
            problems.push(format!("{} ends with a full stop", diagnostic.message));
        }
    }
    problems
}

#[test]
fn every_page_is_true() {
    let only = std::env::var("PAGE").ok();
    let mut failures = Vec::new();
    for page in codes::ALL {
        if only.as_ref().is_some_and(|only| only != page.code) {
            continue;
        }
        for problem in problems(page.code, page.page) {
            failures.push(format!("{}: {problem}", page.code));
        }
    }
    assert!(failures.is_empty(), "{} problems:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_page_file_is_a_code_and_is_indexed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/codes");
    let index = std::fs::read_to_string(folder.join("README.md")).expect("the index");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .expect("the pages")
        .filter_map(|entry| entry.expect("a page").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    files.sort();
    let known: Vec<&str> = codes::ALL.iter().map(|page| page.code).collect();
    assert_eq!(files, known, "the pages in the folder are the codes of `codes::ALL`");
    assert_eq!(index, tcloud_compiler::reference::codes_index(), "run `cargo xtask reference`");
}

#[test]
fn carets_are_columns_of_characters() {
    let text = "ä = 1 2\n//  ^ ^\nb\n";
    assert_eq!(marks(text), [(1, 5, 6), (1, 7, 8)]);
    assert_eq!(carets("// a ^ comment"), None);
}
