//! Reads a whole file: splits it into items and puts their trees together.

use tcloud_model::{Diagnostic, FileId, Span, codes};

use crate::ast::{Bad, Expr, File, Statement};
use crate::build::Builder;
use crate::items::{Item, MAX_NESTING, split};
use crate::parse as grammar;
use crate::repair::Place;

/// What a text says, as far as it could be read, and everything that is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The tree. What could not be read is a node too.
    pub file: File,
    /// Errors, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file. It never fails: mistakes become diagnostics and `Bad` nodes.
pub fn parse(file: FileId, text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for item in split(text) {
        read_item(&mut parsed, file, text, &item);
    }
    parsed
}

fn read_item(parsed: &mut Parsed, file: FileId, text: &str, item: &Item) {
    let Parsed { file: tree, diagnostics } = parsed;
    let source = text.get(item.range.clone()).unwrap_or("");
    let place = Place { file, base: item.range.start, inserted: &[] };
    if let Some(at) = item.too_deep {
        let at = at - item.range.start;
        let whole = place.span(0, source.len());
        tree.statements.push(too_deep(place.span(at, at + 1), whole, diagnostics));
        return;
    }
    if !item.sound {
        diagnostics.push(
            Diagnostic::error(codes::E0002, place.span(0, 1), "a bracket or a text is not closed")
                .help("each `{`, `[`, `(` and `\"` of this item needs its partner"),
        );
    }
    match grammar::item(source) {
        Ok(nodes) => {
            let before = diagnostics.len();
            let first = tree.statements.is_empty() && tree.scope.is_none();
            let mut builder = Builder::new(source, place, diagnostics, before);
            tree.statements.extend(builder.item(nodes));
            builder.keep_scope(&mut tree.scope, first);
        }
        Err(grammar::TooDeep) => {
            let whole = place.span(0, source.len());
            tree.statements.push(too_deep(place.span(0, 1), whole, diagnostics));
        }
    }
}

fn too_deep(at: Span, whole: Span, diagnostics: &mut Vec<Diagnostic>) -> Statement {
    diagnostics
        .push(Diagnostic::error(codes::E0006, at, "brackets are nested too deeply").help(format!(
            "at most {MAX_NESTING} levels are allowed; give parts names with `let`"
        )));
    Statement::Bad(Bad { name: None, span: whole })
}

/// Reads a text that is one expression, for the console and for values given on the command line.
/// `None` when there is nothing to evaluate.
pub fn parse_expression(file: FileId, text: &str) -> (Option<Expr>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let place = Place { file, base: 0, inserted: &[] };
    let expr = match grammar::expression(text) {
        Ok(nodes) => Some(Builder::new(text, place, &mut diagnostics, 0).lone(nodes)),
        Err(grammar::TooDeep) => {
            too_deep(place.span(0, 1), place.span(0, text.len()), &mut diagnostics);
            None
        }
    };
    (expr, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_language_are_read_without_complaint() {
        let text = include_str!("../tests/language.tcloud");
        let parsed = parse(FileId(0), text);
        assert_eq!(parsed.diagnostics, []);
    }
}
