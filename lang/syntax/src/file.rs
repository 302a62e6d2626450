//! Reads a whole file: splits it into items and puts their trees together.

use tcloud_model::{Diagnostic, FileId, Span, codes};

use crate::ast::{Bad, Expr, File, Statement};
use crate::build::{Builder, Known};
use crate::characters;
use crate::items::{Item, MAX_NESTING, split};
use crate::parse as grammar;
use crate::place::Place;
use crate::repair::repair;

/// What a text says, as far as it could be read, and everything that is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The tree. What could not be read is a node too.
    pub file: File,
    /// Errors, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// How many mistakes of one file are reported.
pub(crate) const MAX_REPORTS: usize = 500;

/// Reads a file. It never fails: mistakes become diagnostics and `Bad` nodes. The text is one that
/// [`decode`](crate::decode) gave; spans count in 32 bits, so it is shorter than 4 GiB.
pub fn parse(file: FileId, text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    characters::check(file, text, &mut parsed.diagnostics);
    let hidden = parsed.diagnostics.len();
    for item in split(text) {
        read_item(&mut parsed, hidden, text, &item, file);
        limit(&mut parsed.diagnostics);
    }
    parsed.diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span);
    parsed
}

/// Leaves out what nobody would read, and says so.
fn limit(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() <= MAX_REPORTS {
        return;
    }
    diagnostics.truncate(MAX_REPORTS);
    if let Some(last) = diagnostics.last_mut() {
        let message = "there are more mistakes in this file than are shown";
        *last = Diagnostic::error(codes::E0006, last.primary.span, message)
            .help("repair the first ones; most of the others may follow from them");
    }
}

fn read_item(parsed: &mut Parsed, hidden: usize, text: &str, item: &Item, file: FileId) {
    let source = text.get(item.range.clone()).unwrap_or("");
    let place = Place { file, base: item.range.start, inserted: &[] };
    if let Some(at) = item.too_deep {
        let at = at - item.range.start;
        let whole = place.span(0, source.len());
        let statement = too_deep(place.span(at, at + 1), whole, &mut parsed.diagnostics);
        parsed.file.statements.push(statement);
        return;
    }
    let known = Known { hidden, before: parsed.diagnostics.len() };
    if !item.sound {
        read_repaired(parsed, known, text, item, file);
        return;
    }
    let statements = parsed.file.statements.len();
    build(parsed, source, place, known);
    let mistakes = parsed.diagnostics.len() - known.before;
    if item.askew && mistakes > 0 {
        // Perhaps two lost braces hide each other: the reading with fewer mistakes counts.
        let plain = parsed.file.statements.split_off(statements);
        let reported = parsed.diagnostics.split_off(known.before);
        read_repaired(parsed, known, text, item, file);
        if parsed.diagnostics.len() - known.before > mistakes {
            parsed.file.statements.truncate(statements);
            parsed.file.statements.extend(plain);
            parsed.diagnostics.truncate(known.before);
            parsed.diagnostics.extend(reported);
        }
    }
}

fn read_repaired(parsed: &mut Parsed, known: Known, text: &str, item: &Item, file: FileId) {
    let room = MAX_REPORTS.saturating_sub(parsed.diagnostics.len());
    let repaired = repair(file, text, item, room);
    parsed.diagnostics.extend(repaired.diagnostics);
    let place = Place { file, base: item.range.start, inserted: &repaired.inserted };
    build(parsed, &repaired.text, place, known);
}

/// Parses balanced text and adds its statements to the tree.
fn build(parsed: &mut Parsed, source: &str, place: Place<'_>, known: Known) {
    let Parsed { file: tree, diagnostics } = parsed;
    match grammar::item(source) {
        Ok(nodes) => {
            let first = tree.statements.is_empty() && tree.scope.is_none();
            let mut builder = Builder::new(source, place, diagnostics, known);
            tree.statements.extend(builder.item(nodes));
            builder.keep_scope(&mut tree.scope, first);
        }
        Err(grammar::TooDeep) => {
            let whole = place.span(0, source.len());
            tree.statements.push(too_deep(place.span(0, 0), whole, diagnostics));
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
        Ok(nodes) => Some(
            Builder::new(text, place, &mut diagnostics, Known { hidden: 0, before: 0 }).lone(nodes),
        ),
        Err(grammar::TooDeep) => {
            too_deep(place.span(0, 0), place.span(0, text.len()), &mut diagnostics);
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
