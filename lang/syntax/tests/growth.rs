//! However its parts are nested, a text is read in steps that grow as it does.

use std::num::NonZero;

use tcloud_model::FileId;
use tcloud_syntax::{parse, parse_expression};

/// Steps of the parser that each text below may take. To read something twice on each level would
/// take 2^20 of them and more.
const STEPS: usize = 100_000;

/// How deep the parts stand in each other.
const DEPTH: usize = 20;

/// The beginning and the end of what may stand in a value, around another one.
const PARTS: [(&str, &str); 34] = [
    ("[", "]"),
    ("(", ")"),
    ("{ a = ", " }"),
    ("f(", ")"),
    ("f(a, b = ", ")"),
    ("f(a => ", ")"),
    ("a.f(b)[", "]"),
    ("a[", "]"),
    ("[a[", "\n]]"),
    ("if(", ")"),
    ("if ", " then a else b"),
    ("if a then ", " else b"),
    ("if a then b else ", ""),
    ("(if a then ", ")"),
    ("[for a in ", " : a]"),
    ("[for a in b if ", " : a]"),
    ("[for a in b : ", "]"),
    ("[for a in b : a if ", "]"),
    ("[for a in ", "]"),
    ("[for a in b if ", ", a]"),
    ("{for a, b in ", " : a => b}"),
    ("{for a, b in c : ", " => b}"),
    ("{for a, b in c : a => ", "}"),
    ("{for a, b in c : ", "}"),
    ("a + ", ""),
    ("f(a -(", " b))"),
    ("[a in(", " b)]"),
    ("f(a => (", " b))"),
    ("(-", " , b)"),
    ("{ a: ", " }"),
    ("{ \"${", "}\" }"),
    ("\"${", "}\""),
    ("f(", " @ // ]\n)"),
    ("{\n  // }\n  a = ", " b // }\n}"),
];

/// What stands in the innermost part.
const CORES: [&str; 4] = ["1", "a b", "@", "- // ]\n"];

/// Statements that may hold others, or look as if they did.
const STATEMENTS: [(&str, &str); 10] = [
    ("vm a {", "}"),
    ("vm a if f({ ", " })"),
    ("vm a for b in f({ ", " }) c {}"),
    ("if a {", "} else if f({})"),
    ("if f({ ", " }) a {}"),
    ("let a: { b: { ", " } }"),
    ("fn f(a: { ", " }, b) = { }"),
    ("moved f({ ", " })"),
    ("a b, c {", "}"),
    ("a: {", "}"),
];

/// Whether a text is read within the steps.
fn is_read(text: &str) -> bool {
    let (_, diagnostics) = parse_expression(FileId(0), text);
    let parsed = parse(FileId(0), &format!("a {{\n  b = {text}\n}}\n{text}\n"));
    let all = [diagnostics, parsed.diagnostics].concat();
    !all.iter().any(|diagnostic| diagnostic.message == "brackets are nested too deeply")
}

/// Two parts in each other, again and again, with a core.
fn nested(outer: (&str, &str), inner: (&str, &str), core: &str) -> [String; 2] {
    let open = [outer.0, inner.0].concat().repeat(DEPTH / 2);
    let close = [inner.1, outer.1].concat().repeat(DEPTH / 2);
    [[&open, core, &close].concat(), [&open, core].concat()]
}

#[test]
fn nested_parts_are_read_once() {
    pest::set_call_limit(NonZero::new(STEPS));
    for parts in [&PARTS[..], &STATEMENTS] {
        for (outer, inner) in parts.iter().flat_map(|outer| parts.iter().map(move |i| (outer, i))) {
            for core in CORES {
                let [closed, open] = nested(*outer, *inner, core);
                assert!(is_read(&closed), "{closed}");
                assert!(core != "1" || is_read(&open), "{open}");
            }
        }
    }
}
