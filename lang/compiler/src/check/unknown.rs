//! What is said about words that nothing stands for; the checker and the evaluator say the same.

use tcloud_model::diagnostic::nearest;
use tcloud_model::{Diagnostic, Span, codes};
use tcloud_syntax::ast::Ident;

use super::habit;
use super::structure::suggest;

/// After how many mistakes nothing is looked for any more that may have been meant: nobody reads that
/// many, and each time all names would be gone through.
const MANY: usize = 100;

/// Whether what was meant is still looked for after so many mistakes.
pub(crate) fn is_explained(mistakes: usize) -> bool {
    mistakes < MANY
}

/// A first word that is no variable. `words` are the variables, `kinds` the kinds and components, and
/// `called` is what in reach has this name: `network.office`.
pub(crate) fn name(
    name: &str,
    at: Span,
    words: &[&str],
    kinds: &[&str],
    called: Option<String>,
) -> Diagnostic {
    if let Some(help) = habit::path(name, None) {
        return Diagnostic::error(codes::E0010, at, format!("tcloud has no `{name}`")).help(help);
    }
    if let Some((help, meant)) = habit::value(name) {
        let message = format!("tcloud has no `{name}`");
        let diagnostic = Diagnostic::error(codes::E0010, at, message).help(help);
        return match meant {
            Some(meant) => diagnostic.fix(at, meant),
            None => diagnostic,
        };
    }
    if kinds.contains(&name) {
        let message = format!("`{name}` is a kind, a name has to follow");
        return Diagnostic::error(codes::E0301, at, message)
            .help(format!("write `{name}.NAME`, or `{name}.*` for all of them"));
    }
    if let Some(path) = called {
        return Diagnostic::error(codes::E0301, at, format!("there is no `{name}`"))
            .label(format!("did you mean `{path}`?"))
            .help(format!("write `{path}`: the kind stands before the name"))
            .fix(at, path);
    }
    let meant =
        nearest(name, words.iter().copied()).or_else(|| nearest(name, kinds.iter().copied()));
    let diagnostic = Diagnostic::error(codes::E0301, at, format!("there is no `{name}`"));
    match meant {
        Some(meant) => diagnostic
            .label(format!("did you mean `{meant}`?"))
            .help(format!("write `{meant}`"))
            .fix(at, meant),
        None => diagnostic.help(format!("declare it: `let {name} = …`; texts are in quotes")),
    }
}

/// A kind and a name that nothing in reach has. `place` is where it was looked for, if that is one
/// place: `tenant.a`.
pub(crate) fn member(
    kind: &str,
    name: &Ident,
    at: Span,
    place: Option<&str>,
    mut known: Vec<&str>,
) -> Diagnostic {
    let place = place.map_or(String::new(), |place| format!(" in {place}"));
    let message = format!("there is no {kind} `{}`{place}", name.name);
    let diagnostic = Diagnostic::error(codes::E0301, at, message);
    match nearest(&name.name, known.iter().copied()) {
        Some(meant) => diagnostic
            .label(format!("did you mean `{kind}.{meant}`?"))
            .help(format!("write `{meant}`"))
            .fix(name.span, meant),
        None if known.is_empty() => {
            diagnostic.help(format!("declare it: `{kind} {} {{ … }}`", name.name))
        }
        None => {
            known.truncate(12);
            diagnostic.help(format!("what there is: {}", known.join(", ")))
        }
    }
}

/// An attribute, output or kind that an object does not have.
pub(crate) fn field(subject: &str, field: &Ident, mut known: Vec<&str>) -> Diagnostic {
    let message = format!("{subject} has no `{}`", field.name);
    let diagnostic = Diagnostic::error(codes::E0306, field.span, message);
    if field.name == "id" {
        return diagnostic.help("leave it out: a path means the object itself");
    }
    known.sort_unstable();
    known.dedup();
    let list = match known.len() {
        0 => "it has nothing to read".to_owned(),
        1..=12 => format!("it has: {}", known.join(", ")),
        _ => format!("it has: {}, …", known[..12].join(", ")),
    };
    suggest(diagnostic, field, known.iter().copied(), &list)
}

/// A repeated block without a key.
pub(crate) fn key(path: &str, head: Span, at: Span) -> Diagnostic {
    Diagnostic::error(codes::E0305, at, format!("{path} is repeated, which one is meant?"))
        .also(head, "repeated here")
        .help(format!("write `{path}[KEY]` for one, `{path}.*` for all"))
}
