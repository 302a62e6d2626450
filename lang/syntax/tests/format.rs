//! Formatting keeps the meaning and the comments, and a formatted text stays as it is.

mod support;

use proptest::prelude::*;
use support::{Writer, comments, shape};
use tcloud_model::FileId;
use tcloud_syntax::{format, parse};

fn check(text: &str) -> Result<(), TestCaseError> {
    let before = parse(FileId(0), text);
    prop_assert!(before.diagnostics.is_empty(), "{:?}\n{text}", before.diagnostics);
    let once = format(text);
    let after = parse(FileId(0), &once);
    prop_assert!(after.diagnostics.is_empty(), "{:?}\n{text}\n---\n{once}", after.diagnostics);
    prop_assert_eq!(shape(&before.file), shape(&after.file), "{}\n---\n{}", text, once);
    prop_assert_eq!(comments(text), comments(&once), "{}\n---\n{}", text, once);
    let twice = format(&once);
    prop_assert_eq!(&twice, &once, "{}\n---\n{}", text, twice);
    Ok(())
}

/// What texts are made of, and what only looks like white space.
const ANY: &str = "[a-z{}\\[\\]()\"$=,.#/ \n\t\r\u{b}\u{a0}0-9:?-]{0,200}";

/// Found by a fuzzer: without a space this was a block, and with the formatter's a statement.
#[test]
fn a_statement_needs_no_space_before_its_braces() {
    for text in ["forget{\n}", "moved{ a = 1 } -> { a = 2 }", "adopt{} from \"a\" on {}"] {
        let shape = |text: &str| shape(&parse(FileId(0), text).file);
        assert_eq!(shape(&format(text)), shape(text), "{text}");
    }
}

/// `check` looks for comments by their number.
#[test]
fn a_repetition_with_comments_keeps_them_and_its_meaning() {
    for text in [
        "let a = [\n  // comment 1\n  for x in names : x.upper()\n]\n",
        "let a = [for x in names : x.upper() // comment 1\n]\n",
        "let a = [for x in names : // comment 1\n  x.upper()]\n",
        "let a = [for x in names # comment 1\n  : x.upper()]\n",
        "let a = {\n  # comment 1\n  for k, v in m : k => v + 1\n}\n",
        "let a = {for k, v in m : k // comment 1\n  => v + 1}\n",
        "let a = {for k, v in m : k => // comment 1\n  v + 1}\n",
        "let a = {for k, v in m : k => v + 1 // comment 1\n}\n",
        "let a = f([ 1, # comment 1\n  [\n // comment 2\n for x in xs : x ] ])\n",
        "vm a {\n vcpus=1\n   tags = { // comment 1\n for k in ks : k => k }\n memory=1GiB }\n",
    ] {
        check(text).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Found by a fuzzer: the second time the comma went, as nothing wrong was left beside it.
#[test]
fn a_mistake_that_looks_empty_stays() {
    for text in [",\u{b}", ",\r", "\r", "a\r\r\n", "a = 1\u{2028}\nb=2", ",\u{a0}\n", "\u{3000}\n"]
    {
        assert_eq!(format(text), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn untidy_texts_keep_their_meaning_and_comments(seed in 0_u64..1_000_000) {
        check(&Writer::new(seed, true).file(6))?;
    }

    #[test]
    fn windows_line_ends_become_plain_ones(seed in 0_u64..1_000_000) {
        let text = Writer::new(seed, true).file(3);
        let written = format(&text.replace('\n', "\r\n"));
        prop_assert!(!written.contains('\r'));
        prop_assert_eq!(written, format(&text));
    }

    #[test]
    fn any_text_can_be_formatted_twice(text in ANY) {
        let once = format(&text);
        prop_assert_eq!(format(&once), once);
    }
}
