//! The reference says what is so: examples of kinds compile, examples of methods hold.

use tcloud_model::{Catalog, Deployment, Diagnostic, Evaluator as _};

use super::{codes_index, contents, kind, methods_page, pages};
use crate::{MemoryWorld, Settings, compile, methods};

fn failures(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|d| format!("{}: {}", d.code, d.message)).collect()
}

#[test]
fn the_examples_of_all_kinds_compile() {
    for schema in Catalog::core().iter() {
        let world = MemoryWorld::of(&schema.example);
        let compiled = compile(&world, &Settings::new(Deployment::new("reference")));
        assert_eq!(
            failures(&compiled.diagnostics),
            [""; 0],
            "{}:\n{}",
            schema.kind,
            schema.example
        );
        let program = compiled.program.expect("a program without errors");
        let declared = program.desired().resources.keys().any(|a| *a.kind() == *schema.kind);
        let part = schema.example.contains(&format!("{} ", schema.kind));
        assert!(declared || part, "the example of {} does not use it", schema.kind);
    }
}

#[test]
fn the_examples_of_all_methods_hold() {
    let mut text = String::from("check methods {\n");
    for (_, docs) in methods::families() {
        for doc in docs {
            text.push_str(&format!("  assert {}, {:?}\n", doc.example, doc.signature));
        }
    }
    text.push_str("}\n");
    let compiled = compile(&MemoryWorld::of(&text), &Settings::new(Deployment::new("reference")));
    let lines: Vec<String> = compiled
        .diagnostics
        .iter()
        .map(|d| format!("{}: {} {:?}", compiled.sources.text(d.primary.span), d.message, d.help))
        .collect();
    assert_eq!(lines, [""; 0]);
    let program = compiled.program.expect("a program without errors");
    let checks = program.checks(&());
    assert_eq!(checks.len(), 1);
    assert_eq!(failures(&checks[0].failures), [""; 0]);
}

#[test]
fn a_page_shows_what_a_change_costs() {
    let catalog = Catalog::core();
    let page = kind(catalog.get("vm").expect("a core kind"));
    let row = page.lines().find(|line| line.starts_with("| `memory`")).expect("the row of memory");
    assert!(
        row.contains(
            "up to `max_memory` in steps of `128MiB` `live`, beyond `power-cycle`, \
             shrinking `power-cycle`"
        ),
        "{row}"
    );
    assert!(page.contains("## `nic NAME { … }`") && page.contains("~~~tcloud\n"), "{page}");
}

#[test]
fn tables_have_as_many_cells_in_every_row() {
    for page in pages(&Catalog::core()) {
        let mut columns = None;
        for line in page.text.lines() {
            if !line.starts_with('|') {
                columns = None;
                continue;
            }
            let cells = line.replace("\\|", "").matches('|').count();
            assert_eq!(*columns.get_or_insert(cells), cells, "{}: {line}", page.path);
        }
    }
}

#[test]
fn every_code_is_listed() {
    let catalog = Catalog::core();
    let listed = contents(&catalog);
    for page in tcloud_model::codes::ALL {
        assert!(listed.contains(&format!("(codes/{}.md)", page.code)), "{}", page.code);
        assert!(codes_index().contains(&format!("[{0}]({0}.md)", page.code)), "{}", page.code);
    }
    assert!(methods_page().contains("`host(n: Int): Ip`"));
}
