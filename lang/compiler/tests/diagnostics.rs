//! Snippets with marks: `// ^^^ E0101` marks the range of a diagnostic on the line above, and
//! `//@0-6 E0101` does where the comment would cover it. A case begins with `//# title`; `//- path`
//! begins another file of it. Exactly the marked diagnostics have to come.

use std::fmt::Write as _;

use tcloud_compiler::{MemoryWorld, Settings, compile};
use tcloud_model::Deployment;

/// One diagnostic: file, line from zero, columns from zero, code.
type Found = (String, usize, usize, usize, String);

#[test]
fn attributes_and_kinds() {
    check_file(include_str!("diagnostics/attributes.tcloud"));
}

#[test]
fn types_and_units() {
    check_file(include_str!("diagnostics/types.tcloud"));
}

#[test]
fn names_and_references() {
    check_file(include_str!("diagnostics/names.tcloud"));
}

#[test]
fn cycles_and_limits() {
    check_file(include_str!("diagnostics/cycles.tcloud"));
}

#[test]
fn late_values_and_secrets() {
    check_file(include_str!("diagnostics/late.tcloud"));
}

#[test]
fn what_is_never_evaluated() {
    check_file(include_str!("diagnostics/unused.tcloud"));
}

#[test]
fn words_of_other_tools() {
    check_file(include_str!("diagnostics/habits.tcloud"));
}

fn check_file(text: &str) {
    let mut failures = String::new();
    let cases: Vec<&str> = text.split("//# ").skip(1).collect();
    assert!(!cases.is_empty(), "no case begins with `//# `");
    for case in cases {
        let (title, body) = case.split_once('\n').unwrap_or((case, ""));
        if let Some(difference) = check(body) {
            let _ = write!(failures, "\n## {title}\n{difference}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Compiles one case; says how the diagnostics differ from the marks.
fn check(body: &str) -> Option<String> {
    let mut world = MemoryWorld::default();
    let mut expected = Vec::new();
    for file in split_files(body) {
        expected.extend(marks(&file));
        world = world.with(&file.0, &file.1);
    }
    let mut settings = Settings::new(Deployment::new("test"));
    settings.limits.resources = 10_000;
    let compiled = compile(&world, &settings);
    let mut found = Vec::new();
    let mut texts = String::new();
    for diagnostic in &compiled.diagnostics {
        let span = diagnostic.primary.span;
        let file = compiled.sources.file(span.file);
        let line = file.line_of(span.start);
        let range = file.line_range(line);
        let column = |at: usize| {
            let at = at.clamp(range.start, range.end);
            file.text[range.start..at].chars().count()
        };
        let (start, end) = (column(span.start as usize), column(span.end as usize));
        let code = diagnostic.code.to_string();
        let _ = writeln!(texts, "  {}:{} {code} {}", file.path, line + 1, diagnostic.message);
        if diagnostic.help.is_none() {
            let _ = writeln!(texts, "  and has no help");
            found.push((String::new(), 0, 0, 0, "no help".to_owned()));
        }
        found.push((file.path.to_string(), line, start, end, code));
    }
    found.sort();
    expected.sort();
    if found == expected {
        return None;
    }
    let missing: Vec<&Found> = expected.iter().filter(|mark| !found.contains(mark)).collect();
    let extra: Vec<&Found> = found.iter().filter(|mark| !expected.contains(mark)).collect();
    Some(format!("expected, not found: {missing:?}\nfound, not expected: {extra:?}\n{texts}"))
}

fn split_files(body: &str) -> Vec<(String, String)> {
    let mut files = vec![("main.tcloud".to_owned(), String::new())];
    for line in body.lines() {
        if let Some(path) = line.strip_prefix("//- ") {
            files.push((path.trim().to_owned(), String::new()));
        } else if let Some((_, text)) = files.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    files.retain(|(_, text)| !text.trim().is_empty());
    files
}

/// The marks of a file: each refers to the last line above it that is no mark.
fn marks(file: &(String, String)) -> Vec<Found> {
    let mut marks = Vec::new();
    let mut subject = 0;
    for (number, line) in file.1.lines().enumerate() {
        if let Some((range, code)) = line.strip_prefix("//@").and_then(|m| m.split_once(' ')) {
            let (from, to) = range.split_once('-').expect("a mark is //@FROM-TO CODE");
            let [from, to] = [from, to].map(|column| column.parse().expect("a column"));
            marks.push((file.0.clone(), subject, from, to, code.to_owned()));
            continue;
        }
        let comment = line.trim_start();
        let is_mark = comment.strip_prefix("//").is_some_and(|c| c.trim_start().starts_with('^'));
        if !is_mark {
            subject = number;
            continue;
        }
        let code = line.rsplit(' ').next().unwrap_or("").to_owned();
        let mut start = None;
        for (column, c) in line.chars().chain([' ']).enumerate() {
            match (c, start) {
                ('^', None) => start = Some(column),
                ('^', Some(_)) | (_, None) => {}
                (_, Some(from)) => {
                    marks.push((file.0.clone(), subject, from, column, code.clone()));
                    start = None;
                }
            }
        }
    }
    marks
}
