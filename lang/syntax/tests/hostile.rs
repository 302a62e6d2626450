//! Whatever the text is, reading it ends soon, without a panic, and with errors that have a place
//! inside the text.

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use support::{Random, Writer};
use tcloud_model::FileId;
use tcloud_syntax::{MAX_NESTING, Parsed, decode, format, parse, parse_expression};

/// Reads, formats, and looks at every range.
fn survive(text: &str) -> Parsed {
    let parsed = parse(FileId(0), text);
    for diagnostic in &parsed.diagnostics {
        let spans = [diagnostic.primary.span]
            .into_iter()
            .chain(diagnostic.secondary.iter().map(|label| label.span))
            .chain(diagnostic.fix.iter().map(|fix| fix.span));
        for span in spans {
            let range = span.start as usize..span.end as usize;
            assert!(text.get(range).is_some(), "{diagnostic:?}");
        }
        assert!(diagnostic.help.is_some(), "{diagnostic:?}");
        let shown = format!("{} {:?}", diagnostic.message, diagnostic.primary.text);
        assert!(!shown.chars().any(tcloud_model::value::is_unsafe_to_print), "{diagnostic:?}");
    }
    let (_, diagnostics) = parse_expression(FileId(0), text);
    assert!(diagnostics.iter().all(|d| d.primary.span.end as usize <= text.len()));
    format(text);
    parsed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn texts_of_the_signs_of_the_language_are_survived(
        text in "(vm|let|if|for|in|then|else|\\{|\\}|\\[|\\]|\\(|\\)|\"|\"\"\"|\\$\\{|r\"|=|,|\n|\n  | |\\.|x|1|10\\.0\\.0\\.0/8|//|#|<<EOF|/\\*|\\*/|:|=>|-|\\?\\?|ä){0,60}"
    ) {
        survive(&text);
    }

    #[test]
    fn any_bytes_are_text_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = decode(FileId(0), &bytes, 1000) {
            survive(text);
        }
    }

    #[test]
    fn cut_and_changed_texts_are_survived(seed in 0_u64..100_000) {
        let mut text = Writer::new(seed, true).file(3);
        let mut random = Random::new(seed);
        for _ in 0..3 {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[random.below(places.len())];
            match random.below(3) {
                0 => text.truncate(at),
                1 => text.insert_str(at, random.pick(&["{", "}", "\"", "[", "(", "\n", "=", "${", "\"\"\""])),
                _ => {
                    text.remove(at);
                }
            }
            if text.is_empty() {
                break;
            }
        }
        survive(&text);
    }
}

/// Each of these has the size given and once took quadratic or exponential time somewhere.
fn traps(size: usize) -> Vec<(&'static str, String)> {
    let repeated = |piece: &str| piece.repeat(size / piece.len());
    vec![
        ("one long line", repeated("a")),
        ("one long text", format!("a = \"{}", repeated("b"))),
        ("open brackets", repeated("[")),
        ("closing brackets", repeated("}\n")),
        ("mixed brackets", repeated("([)\n")),
        ("mixed brackets on one line", repeated("([)")),
        ("open texts of another form on one line", repeated("<<A ")),
        ("open blocks in column 0", repeated("vm a {\n")),
        ("open interpolations", format!("a = {}", repeated("\"${"))),
        ("open texts", repeated("\"\n")),
        ("open block texts", repeated("\"\"\"a\n")),
        ("open comments", repeated("/*\n")),
        ("open texts of another form", repeated("a = <<A\n")),
        ("operators", format!("a = {}1", repeated("1 + "))),
        ("prefixes", format!("a = {}1", repeated("!"))),
        ("path", format!("a = {}a", repeated("a."))),
        ("methods", format!("a = a{}", repeated(".b()"))),
        ("choices", format!("a = {}1", repeated("if a then 1 else "))),
        ("open choices", format!("a = {}", repeated("if (if a "))),
        ("else", format!("if a {{ }}{}", repeated(" else if a { }"))),
        ("list types", format!("type A = Int{}", repeated("[]"))),
        ("bad statements", repeated("@\n")),
        ("bad statements on one line", repeated("@,")),
        ("two words", repeated("a b\n")),
        ("junk behind blocks", format!("{}{}", "a { ".repeat(90), "} x ".repeat(90))),
        ("hidden characters", repeated("\u{202e}\n")),
    ]
}

#[test]
fn traps_end_soon_with_errors() {
    for (name, text) in traps(100_000) {
        let start = Instant::now();
        let parsed = survive(&text);
        let time = start.elapsed();
        assert!(!parsed.diagnostics.is_empty(), "{name} is wrong");
        assert!(parsed.diagnostics.len() <= 501, "{name}: {} errors", parsed.diagnostics.len());
        // A debug build on a machine with twenty guests; quadratic time would take hours there.
        assert!(time < Duration::from_secs(180), "{name} took {time:?}");
    }
}

/// Each of these is one line, on which something was once looked for from each of its places on.
#[test]
fn what_stands_on_one_line_is_not_read_again_for_each_part_of_it() {
    let repeated = |piece: &str| piece.repeat((1 << 20) / piece.len());
    let lines = [
        repeated("\"${\" "),
        repeated("\"${ "),
        repeated("<"),
        repeated("a b, "),
        format!("a = [{}]", repeated("\"${[}\", ")),
        format!("{}{}", " ".repeat(1 << 20), repeated("[]")),
        format!("{}{}", "\n".repeat(1 << 20), repeated("}")),
    ];
    for line in lines {
        let parsed = parse(FileId(0), &line);
        assert!((1..=501).contains(&parsed.diagnostics.len()), "{}", &line[..20]);
    }
}

#[test]
fn brackets_are_allowed_up_to_the_limit() {
    let nested = |depth: usize| format!("a = {}{}\n", "[".repeat(depth), "]".repeat(depth));
    assert!(survive(&nested(MAX_NESTING)).diagnostics.is_empty());
    let deeper = survive(&nested(256));
    let codes: Vec<&str> = deeper.diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["E0006"]);
}

#[test]
fn an_item_that_is_too_deep_costs_only_itself() {
    let text = format!("let a = {}{}\nlet b = 1\n", "(".repeat(300), ")".repeat(300));
    let parsed = survive(&text);
    assert_eq!((parsed.file.statements.len(), parsed.diagnostics.len()), (2, 1));
}

#[test]
fn random_text_gives_a_bounded_number_of_errors() {
    let mut random = Random::new(1);
    let mut text = String::new();
    for _ in 0..50_000 {
        let _ =
            write!(text, "{}", random.pick(&["{", "}", "\"", "a", "=", "\n", " ", "€", "[", "$"]));
    }
    let parsed = survive(&text);
    assert!((1..=501).contains(&parsed.diagnostics.len()));
}
