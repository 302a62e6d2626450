//! The pages of the syntax codes are tests: the wrong text gives this code at the marked ranges and
//! nowhere else, the right one gives nothing.

use std::fmt::Write as _;

use tcloud_model::{FileId, codes};

/// The texts in fences below a heading.
fn examples<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let Some((_, section)) = page.split_once(&format!("\n## {heading}\n")) else {
        return Vec::new();
    };
    let section = section.split("\n## ").next().unwrap_or("");
    section
        .split("~~~")
        .skip(1)
        .step_by(2)
        .filter_map(|fence| fence.split_once('\n'))
        .map(|(_, t)| t)
        .collect()
}

/// Marked places as (line, column, length), counted in characters.
fn marks(text: &str) -> Vec<(usize, usize, usize)> {
    let mut marks: Vec<(usize, usize, usize)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // What stands where the comment would begin is marked by its columns, from one.
        if let Some((from, to)) = line.strip_prefix("//@").and_then(|mark| mark.split_once('-')) {
            let [from, to]: [usize; 2] = [from, to].map(|column| column.parse().expect("a column"));
            marks.push((number - 1, from - 1, to - from));
            continue;
        }
        let carets = line
            .strip_prefix("//")
            .filter(|rest| rest.contains('^') && rest.chars().all(|c| c == ' ' || c == '^'));
        if carets.is_none() {
            continue;
        }
        let mut column = 0;
        for run in line.split_inclusive(|c| c != '^') {
            let length = run.chars().filter(|c| *c == '^').count();
            if length > 0 {
                marks.push((number - 1, column, length));
            }
            column += run.chars().count();
        }
    }
    marks
}

fn check_wrong(code: &str, text: &str, failures: &mut String) {
    let parsed = tcloud_syntax::parse(FileId(0), text);
    let mut found = Vec::new();
    for diagnostic in &parsed.diagnostics {
        let span = diagnostic.primary.span;
        let before = &text[..span.start as usize];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let marked = &text[span.start as usize..span.end as usize];
        let length = marked.lines().next().unwrap_or("").chars().count();
        found.push((before.matches('\n').count(), before[start..].chars().count(), length));
        if diagnostic.code.0 != code || diagnostic.help.is_none() {
            let _ = writeln!(failures, "{code}: unexpected {diagnostic:?}");
        }
    }
    if found != marks(text) {
        let _ = writeln!(failures, "{code}: marked {:?}, found {found:?}", marks(text));
    }
}

#[test]
fn pages_say_what_the_parser_says() {
    let mut failures = String::new();
    for page in codes::ALL.iter().filter(|page| page.code.starts_with("E00")) {
        for text in examples(page.page, "Wrong") {
            check_wrong(page.code, text, &mut failures);
        }
        for text in examples(page.page, "Right") {
            let parsed = tcloud_syntax::parse(FileId(0), text);
            if !parsed.diagnostics.is_empty() {
                let _ = writeln!(failures, "{}: right, but {:?}", page.code, parsed.diagnostics);
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_fix_leads_to_a_text_without_its_mistake() {
    for page in codes::ALL.iter().filter(|page| page.code.starts_with("E00")) {
        for text in examples(page.page, "Wrong") {
            let parsed = tcloud_syntax::parse(FileId(0), text);
            for diagnostic in &parsed.diagnostics {
                let Some(fix) = &diagnostic.fix else { continue };
                let mut fixed = text.to_owned();
                let range = fix.span.start as usize..fix.span.end as usize;
                fixed.replace_range(range, &fix.replacement);
                let left = tcloud_syntax::parse(FileId(0), &fixed).diagnostics.len();
                assert!(left < parsed.diagnostics.len(), "{}: {diagnostic:?}\n{fixed}", page.code);
            }
        }
    }
}
