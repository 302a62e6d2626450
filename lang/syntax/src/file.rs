//! Reads a whole file: splits it into items and puts their trees together.

use std::borrow::Cow;
use std::num::NonZero;

use tcloud_model::{Diagnostic, FileId, Span, codes, parallel};

use crate::ast::{Bad, Expr, File, Statement};
use crate::build::{Builder, Known};
use crate::characters;
use crate::conflict;
use crate::items::{Item, MAX_NESTING, split};
use crate::parse as grammar;
use crate::place::Place;
use crate::repair::repair;
use crate::scan::MAX_TEXT_DEPTH;

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
    parse_all(&[(file, text)], NonZero::<usize>::MIN).pop().unwrap_or_default()
}

/// Reads several files, see [`parse`], on so many threads. Their number changes nothing but the
/// time: a thread reads runs of items, and where these end depends on the text alone.
pub fn parse_all(texts: &[(FileId, &str)], threads: NonZero<usize>) -> Vec<Parsed> {
    let mut all = Vec::with_capacity(texts.len());
    let mut runs = Vec::new();
    let texts: Vec<_> = texts.iter().map(|(file, text)| legible(*file, text)).collect();
    for (at, (file, text, hidden)) in texts.iter().enumerate() {
        let mut reader = Reader::new(*file, text, hidden);
        let mut items = split(text).into_iter().peekable();
        // Only the first item that says something may be `in …`; it is read before the others.
        while !reader.has_begun()
            && let Some(item) = items.next()
        {
            reader.item(&item);
        }
        all.push(reader.parsed);
        while let Some(first) = items.next() {
            let end = first.range.start + RUN;
            let mut run = vec![first];
            run.extend(std::iter::from_fn(|| items.next_if(|item| item.range.end <= end)));
            runs.push((at, Reader { begun: true, ..Reader::new(*file, text, hidden) }, run));
        }
    }
    let read = parallel::map(threads, runs, |(at, mut reader, run)| {
        run.iter().for_each(|item| reader.item(item));
        reader.parsed.diagnostics.drain(..reader.hidden);
        (at, reader.parsed)
    });
    for (at, Parsed { file, diagnostics }) in read {
        all[at].file.statements.extend(file.statements);
        all[at].diagnostics.extend(diagnostics);
        limit(&mut all[at].diagnostics);
    }
    for parsed in &mut all {
        parsed.diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span);
    }
    all
}

/// What of a text is read, and what is wrong with it as a whole.
fn legible(file: FileId, text: &str) -> (FileId, Cow<'_, str>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    characters::check(file, text, &mut found);
    let text = conflict::first_side(file, text, &mut found);
    (file, text, found)
}

/// How many bytes of items a thread reads at once: few, so that all end at nearly the same time.
const RUN: usize = 8 << 10;

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

/// Reads items of one file.
struct Reader<'t> {
    file: FileId,
    text: &'t str,
    parsed: Parsed,
    /// How many diagnostics concern the file as a whole; they are the first ones.
    hidden: usize,
    /// Whether these items stand below others.
    begun: bool,
}

impl<'t> Reader<'t> {
    fn new(file: FileId, text: &'t str, hidden: &[Diagnostic]) -> Reader<'t> {
        let parsed = Parsed { diagnostics: hidden.to_vec(), ..Parsed::default() };
        Reader { file, text, parsed, hidden: hidden.len(), begun: false }
    }

    fn has_begun(&self) -> bool {
        let File { scope, statements } = &self.parsed.file;
        self.begun || scope.is_some() || !statements.is_empty()
    }

    fn item(&mut self, item: &Item) {
        self.read(item);
        limit(&mut self.parsed.diagnostics);
    }

    fn read(&mut self, item: &Item) {
        let source = self.text.get(item.range.clone()).unwrap_or("");
        let place = Place { file: self.file, base: item.range.start, inserted: &[] };
        let Parsed { file: tree, diagnostics } = &mut self.parsed;
        if let Some(at) = item.too_deep {
            let at = at - item.range.start;
            let whole = place.span(0, source.len());
            let span = place.span(at, at + 1);
            let text = source.as_bytes().get(at) == Some(&b'"');
            let report = if text { texts_too_deep } else { too_deep };
            tree.statements.push(report(span, whole, diagnostics));
            return;
        }
        let known = Known { hidden: self.hidden, before: diagnostics.len() };
        if !item.sound {
            self.repaired(known, item);
            return;
        }
        let statements = tree.statements.len();
        self.build(source, place, known);
        let mistakes = self.parsed.diagnostics.len() - known.before;
        if item.askew && mistakes > 0 {
            // Perhaps two lost braces hide each other: the reading with fewer mistakes counts.
            let plain = self.parsed.file.statements.split_off(statements);
            let reported = self.parsed.diagnostics.split_off(known.before);
            self.repaired(known, item);
            let Parsed { file: tree, diagnostics } = &mut self.parsed;
            if diagnostics.len() - known.before > mistakes {
                tree.statements.truncate(statements);
                tree.statements.extend(plain);
                diagnostics.truncate(known.before);
                diagnostics.extend(reported);
            }
        }
    }

    fn repaired(&mut self, known: Known, item: &Item) {
        let room = MAX_REPORTS.saturating_sub(self.parsed.diagnostics.len());
        let repaired = repair(self.file, self.text, item, room);
        self.parsed.diagnostics.extend(repaired.diagnostics);
        let base = item.range.start;
        let place = Place { file: self.file, base, inserted: &repaired.inserted };
        self.build(&repaired.text, place, known);
    }

    /// Parses balanced text and adds its statements to the tree.
    fn build(&mut self, source: &str, place: Place<'_>, known: Known) {
        let first = !self.has_begun();
        let Parsed { file: tree, diagnostics } = &mut self.parsed;
        match grammar::item(source) {
            Ok(nodes) => {
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
}

fn too_deep(at: Span, whole: Span, diagnostics: &mut Vec<Diagnostic>) -> Statement {
    diagnostics
        .push(Diagnostic::error(codes::E0006, at, "brackets are nested too deeply").help(format!(
            "at most {MAX_NESTING} levels are allowed; give parts names with `let`"
        )));
    Statement::Bad(Bad { name: None, span: whole })
}

fn texts_too_deep(at: Span, whole: Span, diagnostics: &mut Vec<Diagnostic>) -> Statement {
    diagnostics.push(Diagnostic::error(codes::E0006, at, "texts stand in texts too deeply").help(
        format!(
            "at most {MAX_TEXT_DEPTH} levels of `${{…}}` with a text are allowed; give the inner \
             ones names with `let`"
        ),
    ));
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
