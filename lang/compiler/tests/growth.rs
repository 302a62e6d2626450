//! However definitions build on one another, a program is checked in steps that grow with its text.
//! What is done anew for each use would take 2^60 steps here.

use std::collections::BTreeSet;

use tcloud_compiler::{MemoryWorld, Settings, compile};
use tcloud_model::Deployment;

/// The codes of what is said about a text.
fn said(text: &str) -> BTreeSet<&'static str> {
    let compiled = compile(&MemoryWorld::of(text), &Settings::new(Deployment::new("test")));
    compiled.diagnostics.iter().map(|diagnostic| diagnostic.code.0).collect()
}

/// So many lines, each with its number and the next one in place of `#` and `+`.
fn lines(count: usize, line: &str) -> String {
    let numbered =
        |at: usize| line.replace('#', &at.to_string()).replace('+', &(at + 1).to_string());
    (0..count).map(numbered).collect()
}

#[test]
fn what_doubles_with_each_definition_is_bounded() {
    let types = lines(30, "type A+ = { x: A#, y: A# }\n");
    assert_eq!(said(&format!("type A0 = Int\n{types}")), BTreeSet::from(["E0209"]));
    let values = lines(60, "let a+ = { x = a#, y = a# }\n");
    assert_eq!(said(&format!("let a0 = 1\n{values}")), BTreeSet::from(["E0406"]));
    let functions = lines(60, "fn f+(x: Int) = f#(x) - f#(x)\n");
    assert_eq!(said(&format!("fn f0(x: Int) = x\n{functions}")), BTreeSet::new());
    let results = lines(60, "fn f+(x: Int) = { x = f#(x), y = f#(x) }\n");
    assert_eq!(said(&format!("fn f0(x: Int) = x\n{results}")), BTreeSet::new());
}

#[test]
fn what_stands_in_each_other_is_looked_at_once() {
    let open = lines(60, "q.map(a# => ");
    let text = format!(
        "param c: Bool = true\nlet q = if c then [1] else if c then [\"a\"] else [true]\n\
         let z = {open}1{}\n",
        ")".repeat(60)
    );
    assert_eq!(said(&text), BTreeSet::new());
    let component = "component c {\n  param p: { f: Int }[]\n  vm a for x in p {\n";
    let nested = lines(40, "disk d for x in x.f {\n");
    assert!(!said(&format!("{component}{nested}{}", "}".repeat(42))).contains("E0006"));
}

#[test]
fn after_many_mistakes_nothing_is_looked_for_that_was_meant() {
    let names = lines(1_000, "let some-name-# = some-nam-#\n");
    let compiled = compile(&MemoryWorld::of(&names), &Settings::new(Deployment::new("test")));
    let meant = compiled.diagnostics.iter().filter(|diagnostic| diagnostic.fix.is_some()).count();
    assert_eq!((compiled.diagnostics.len(), meant), (1_000, 100));
}

#[test]
fn objects_with_fields_of_their_own_are_not_each_joined_to_all_before() {
    let objects = lines(10_000, "{ f# = 1 }, ");
    assert_eq!(said(&format!("let l = [{objects}]\n")), BTreeSet::new());
}

#[test]
fn long_chains_of_types_are_refused() {
    let types = lines(2_000, "type A+ = A# where this > 0\n");
    assert_eq!(
        said(&format!("type A0 = Int\n{types}let z: A2000 = 1\n")),
        BTreeSet::from(["E0209"])
    );
}

#[test]
fn of_machines_that_all_need_each_other_some_circles_are_told() {
    let text = "tenant t {\n  vm web for n in 1..=400 {\n    vcpus = 1\n    memory = 1GiB\n    after = vm.web.*\n  }\n}\n";
    assert!(said(text).contains("E0405"));
}

/// A look from each function along all that it reaches would take 2 * 10^8 steps.
#[test]
fn what_uses_what_is_followed_once() {
    let chain = lines(20_000, "fn f+(x: Int): Int = f#(x)\n");
    assert_eq!(said(&format!("fn f0(x: Int): Int = x\n{chain}")), BTreeSet::new());
}

#[test]
fn of_functions_that_all_reach_each_other_some_circles_are_told() {
    let (all, each) = (lines(5_000, "h#(x), "), lines(5_000, "fn h#(x: Int): Int = g(x)[0]\n"));
    let text = format!("fn g(x: Int): Int[] = [{all}]\n{each}");
    let compiled = compile(&MemoryWorld::of(&text), &Settings::new(Deployment::new("test")));
    let told: Vec<&str> = compiled.diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(told, ["E0403"; 10]);
}

#[test]
fn fields_of_an_object_are_looked_up_and_not_gone_through() {
    let fields = lines(900, "f#: Int, ");
    let functions = lines(1_000, "fn g#(x: Base): Base = x\n");
    assert_eq!(said(&format!("type Base = {{ {fields} }}\n{functions}")), BTreeSet::new());
}
