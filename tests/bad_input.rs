//! The table of bad input: each row names tests, and each of these exists.

use std::collections::BTreeMap;
use std::path::Path;

/// The rows that have to be there. Those between are of what is not built yet.
const ROWS: [std::ops::RangeInclusive<u32>; 2] = [1..=12, 19..=22];

/// The tests of each row, with their files.
fn table() -> BTreeMap<u32, Vec<(String, String)>> {
    let text = read("tests/bad-input.md");
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [number, _, tests] = cells[..] else { continue };
        let Ok(number) = number.trim_start_matches("| ").parse() else { continue };
        let mut named = Vec::new();
        for group in tests.trim_end_matches(" |").split("; ") {
            let (file, names) = group.split_once(": ").unwrap_or_else(|| panic!("{group}"));
            let bare = |text: &str| text.trim_matches('`').to_owned();
            named.extend(names.split(", ").map(|name| (bare(file), bare(name))));
        }
        assert!(rows.insert(number, named).is_none(), "row {number} is there twice");
    }
    rows
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether a function of a source file is a test that is run.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    let Some(at) = lines.iter().position(|line| line.contains(&head)) else { return false };
    let above = lines[..at].iter().rev();
    let marks: Vec<&&str> = above.take_while(|line| line.starts_with(['#', '/'])).collect();
    let has = |word: &str| marks.iter().any(|line| line.contains(word));
    has("test") && !has("ignore")
}

#[test]
fn each_row_names_tests_that_exist() {
    let table = table();
    for row in ROWS.into_iter().flatten() {
        let tests = table.get(&row).unwrap_or_else(|| panic!("row {row} is missing"));
        assert!(!tests.is_empty(), "row {row} has no test");
    }
    for (row, tests) in table {
        for (file, name) in tests {
            assert!(is_test(&read(&file), &name), "row {row}: {file} has no test {name}");
        }
    }
}

#[test]
fn what_is_no_test_is_told_from_one() {
    let source = "#[test]\nfn a() {}\nfn b() {}\n#[test]\n#[ignore]\nfn c() {}\n";
    assert_eq!(["a", "b", "c", "d"].map(|name| is_test(source, name)), [true, false, false, false]);
}
