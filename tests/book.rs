//! Every example of the language in the book and the README is correct: a ```` ```tcloud ```` block
//! compiles without a diagnostic, one marked `fragment` can at least be read.

use std::path::{Path, PathBuf};

use tcloud_compiler::{MemoryWorld, Settings, compile};
use tcloud_model::{Deployment, Diagnostic, FileId};
use tcloud_tests::run::in_words;

/// A fenced example.
#[derive(Debug)]
struct Example {
    text: String,
    /// What stands behind `tcloud` on the fence.
    info: String,
    /// The line of the fence, from one.
    line: usize,
}

fn examples(page: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(page.lines());
    while let Some((line, fence)) = lines.next() {
        let Some(info) = fence.strip_prefix("```tcloud") else { continue };
        let text: Vec<&str> =
            lines.by_ref().map(|(_, text)| text).take_while(|text| *text != "```").collect();
        found.push(Example { text: text.join("\n") + "\n", info: info.trim().to_owned(), line });
    }
    found
}

fn problems(example: &Example) -> Vec<Diagnostic> {
    match example.info.as_str() {
        "fragment" => tcloud_syntax::parse(FileId(0), &example.text).diagnostics,
        _ => {
            let world = MemoryWorld::of(&example.text)
                .with("keys/it.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample it@example");
            compile(&world, &Settings::new(Deployment::new("book"))).diagnostics
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let language = std::fs::read_dir(root.join("book/src/language")).expect("the chapters");
    let mut pages: Vec<PathBuf> = language.map(|entry| entry.expect("an entry").path()).collect();
    pages.extend([root.join("README.md"), root.join("book/src/tutorial.md")]);
    pages.sort();
    pages
}

#[test]
fn every_example_of_the_book_is_correct() {
    let mut found = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        for example in examples(&text) {
            found += 1;
            let problems = problems(&example);
            if !problems.is_empty() {
                let place = format!("{}:{}", page.display(), example.line);
                wrong.push(format!("{place}\n{}", in_words(&problems)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(found >= 10, "only {found} examples were found");
}

#[test]
fn blocks_of_the_language_are_found() {
    let found =
        examples("a\n```tcloud fragment\nx = 1\n```\n```sh\nls\n```\n```tcloud\nlet x = 1\n```\n");
    let texts: Vec<_> = found.iter().map(|e| (e.line, e.info.as_str(), e.text.as_str())).collect();
    assert_eq!(texts, [(2, "fragment", "x = 1\n"), (8, "", "let x = 1\n")]);
}
