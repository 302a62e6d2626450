//! The table of bad input: each row names tests, and each of these exists.

use std::collections::BTreeMap;
use std::path::Path;

/// The rows that have to be there.
const ROWS: std::ops::RangeInclusive<u32> = 1..=37;

/// What unpacks archives or speaks to Git. None of it is compiled in.
const UNPACKING: [&str; 10] =
    ["async-tar", "bzip2", "cpio", "flate2", "git2", "gix", "tar", "xz2", "zip", "zstd"];

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
    for row in ROWS {
        let tests = table.get(&row).unwrap_or_else(|| panic!("row {row} is missing"));
        assert!(!tests.is_empty(), "row {row} has no test");
    }
    for (row, tests) in table {
        for (file, name) in tests {
            assert!(is_test(&read(&file), &name), "row {row}: {file} has no test {name}");
        }
    }
}

/// Archives with links that lead out, bombs, and modules whose address is an option of Git (rows 13,
/// 14 and 16) need something that opens them.
#[test]
fn nothing_is_compiled_in_that_opens_archives_or_fetches_modules() {
    let lock = read("Cargo.lock");
    assert!(lock.contains("\nname = \"serde\"\n"), "it is a list of packages");
    for name in UNPACKING {
        assert!(
            !lock.contains(&format!("\nname = \"{name}\"\n")),
            "{name}: rows 13, 14 and 16 need tests of their own"
        );
    }
}

#[test]
fn what_is_no_test_is_told_from_one() {
    let source = "#[test]\nfn a() {}\nfn b() {}\n#[test]\n#[ignore]\nfn c() {}\n";
    assert_eq!(["a", "b", "c", "d"].map(|name| is_test(source, name)), [true, false, false, false]);
}
