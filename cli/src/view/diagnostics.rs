//! Diagnostics as people read them: the text with the ranges marked, the reason beside it, one
//! repair, and a last line that counts.

use std::fmt;

use miette::{
    Diagnostic as Report, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity as Level,
    SourceCode,
};
use serde_json::json;
use tcloud_model::{Diagnostic, FileId, Label, Severity, Sources, Span, codes};

use super::layout::count;
use super::snippet::Snippet;
use crate::escape::{escape, escape_lines};
use crate::terminal::{Palette, WIDTH};

/// After this many diagnostics the rest is only counted; nobody repairs more in one go.
const MOST: usize = 50;

/// All diagnostics in the order of the text, and the line that counts them. `fine` is the number of
/// objects that could be evaluated all the same.
pub(crate) fn render(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    fine: Option<usize>,
    palette: Palette,
) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| {
        let span = diagnostic.primary.span;
        (sources.file(span.file).path.clone(), span.start, span.end)
    });
    let mut text = String::new();
    for diagnostic in sorted.iter().take(MOST) {
        text.push_str(&one(diagnostic, sources, palette));
        text.push('\n');
    }
    if sorted.len() > MOST {
        text.push_str(&format!("… and {} more\n\n", sorted.len() - MOST));
    }
    text.push_str(&closing(&sorted, fine));
    text
}

/// The same for programs; `objects` is the number of objects, where all could be evaluated.
pub(crate) fn json(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    objects: Option<usize>,
) -> serde_json::Value {
    let list = diagnostics.iter().map(|diagnostic| object(diagnostic, sources));
    json!({
        "format": "tcloud-check/1",
        "ok": diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error),
        "objects": objects,
        "diagnostics": list.collect::<Vec<_>>(),
    })
}

fn object(diagnostic: &Diagnostic, sources: &Sources) -> serde_json::Value {
    let label = |label: &tcloud_model::Label| {
        let file = sources.file(label.span.file);
        let end = file.position(label.span.end);
        json!({
            "start": sources.position(label.span),
            "end": { "line": end.line, "column": end.column },
            "text": label.text,
        })
    };
    json!({
        "code": diagnostic.code.0,
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": diagnostic.message,
        "primary": label(&diagnostic.primary),
        "secondary": diagnostic.secondary.iter().map(label).collect::<Vec<_>>(),
        "help": diagnostic.help,
        "fix": diagnostic.fix.as_ref().map(|fix| json!({
            "start": sources.position(fix.span),
            "length": fix.span.length(),
            "replacement": fix.replacement,
        })),
    })
}

/// `7 errors and 1 warning in 3 files; 212 objects are fine`
fn closing(diagnostics: &[&Diagnostic], fine: Option<usize>) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let placed = diagnostics.iter().filter(|diagnostic| !is_nowhere(diagnostic));
    let mut files: Vec<FileId> = placed.map(|d| d.primary.span.file).collect();
    files.sort_unstable();
    files.dedup();
    let kinds = match (errors, warnings) {
        (0, warnings) => count(warnings, "warning"),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => {
            format!("{} and {}", count(errors, "error"), count(warnings, "warning"))
        }
    };
    let fine = match fine {
        Some(1) => "; 1 object is fine".to_owned(),
        Some(fine) => format!("; {fine} objects are fine"),
        None => String::new(),
    };
    let place = match files.len() {
        0 => String::new(),
        files => format!(" in {}", count(files, "file")),
    };
    format!("{kinds}{place}{fine}\n")
}

/// One diagnostic.
pub(crate) fn one(diagnostic: &Diagnostic, sources: &Sources, palette: Palette) -> String {
    let home = diagnostic.primary.span.file;
    let near = diagnostic.secondary.iter().filter(|label| label.span.file == home);
    let labels: Vec<&Label> = std::iter::once(&diagnostic.primary).chain(near).collect();
    let far = diagnostic.secondary.iter().filter(|label| label.span.file != home);
    let shown = Shown {
        message: escape_lines(&diagnostic.message),
        code: Some(diagnostic.code.0),
        severity: match diagnostic.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        },
        help: help(diagnostic, sources),
        source: snippet(sources, home, &labels),
        labels: if is_nowhere(diagnostic) { Vec::new() } else { texts(&labels) },
        related: far
            .map(|label| Shown {
                message: escape(&label.text).into_owned(),
                code: None,
                severity: Level::Advice,
                help: None,
                source: snippet(sources, label.span.file, &[label]),
                labels: vec![String::new()],
                related: Vec::new(),
            })
            .collect(),
    };
    draw(&shown, palette)
}

/// Whether it is about no text, but about what was said to the program: `--target`. What is wrong with
/// a file as a whole stands at its beginning too.
fn is_nowhere(diagnostic: &Diagnostic) -> bool {
    let of_file = diagnostic.code.0.starts_with("E00") || diagnostic.code == codes::E0309;
    let nowhere = diagnostic.primary.span == Span::new(FileId(0), 0, 0);
    nowhere && !of_file && diagnostic.secondary.is_empty()
}

fn snippet<'a>(sources: &'a Sources, file: FileId, labels: &[&Label]) -> Snippet<'a> {
    let spans: Vec<Span> = labels.iter().map(|label| label.span).collect();
    Snippet::new(sources.file(file), &spans)
}

fn texts(labels: &[&Label]) -> Vec<String> {
    labels.iter().map(|label| escape(&label.text).into_owned()).collect()
}

/// The repair in words, and as an edit where one is certain and small enough to be read.
fn help(diagnostic: &Diagnostic, sources: &Sources) -> Option<String> {
    let fix = diagnostic.fix.as_ref().and_then(|fix| {
        let old = sources.text(fix.span);
        let readable = |text: &str| text.len() <= 60 && !text.contains('\n');
        if !readable(old) || !readable(&fix.replacement) {
            return None;
        }
        let (old, new) = (escape(old), escape(&fix.replacement));
        Some(match (old.trim(), new.trim()) {
            ("", new) => format!("fix: insert `{new}`"),
            (old, "") => format!("fix: remove `{old}`"),
            (old, new) => format!("fix: replace `{old}` by `{new}`"),
        })
    });
    let help = diagnostic.help.as_deref().map(escape_lines);
    match (help, fix) {
        (Some(help), Some(fix)) => Some(format!("{help}\n{fix}")),
        (help, fix) => help.or(fix),
    }
}

fn draw(shown: &Shown<'_>, palette: Palette) -> String {
    let theme =
        if palette.is_on() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false)
        .with_context_lines(1)
        .tab_width(4)
        .with_wrap_lines(true)
        .with_break_words(false);
    let mut text = String::new();
    let drawn = handler.render_report(&mut text, shown);
    assert!(drawn.is_ok(), "BUG: a diagnostic could not be drawn");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

/// A diagnostic in the form that `miette` draws. It has one source text; marks in other files are
/// related diagnostics of their own.
struct Shown<'a> {
    message: String,
    code: Option<&'static str>,
    severity: Level,
    help: Option<String>,
    source: Snippet<'a>,
    labels: Vec<String>,
    related: Vec<Shown<'a>>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Report for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<Level> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() {
            return None;
        }
        Some(Box::new(self.labels.iter().enumerate().map(|(number, text)| {
            let text = (!text.is_empty()).then(|| text.clone());
            let span = self.source.mark(number);
            if number == 0 {
                LabeledSpan::new_primary_with_span(text, span)
            } else {
                LabeledSpan::new_with_span(text, span)
            }
        })))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Report> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        Some(Box::new(self.related.iter().map(|related| related as &dyn Report)))
    }
}

#[cfg(test)]
mod tests {
    use tcloud_model::Code;

    use super::*;

    fn span(sources: &Sources, file: FileId, of: &str) -> Span {
        let start = sources.file(file).text.find(of).unwrap_or_else(|| panic!("{of}"));
        let start = u32::try_from(start).expect("small");
        Span::new(file, start, start + u32::try_from(of.len()).expect("small"))
    }

    fn check_widths(text: &str) {
        for line in text.lines() {
            assert!(super::super::layout::width(line) <= WIDTH, "{line}");
            assert!(!line.contains(tcloud_model::value::is_unsafe_to_print), "{line:?}");
        }
    }

    #[test]
    fn ranges_are_right_after_umlauts_and_tabs() {
        let mut sources = Sources::new();
        let text = "tenant häuser {\n\tvm wöhnung { /* ü */ memroy = 1GiB }\n}\n";
        let file = sources.add("häuser.tcloud", text);
        let diagnostic = Diagnostic::error(
            Code("E0101"),
            span(&sources, file, "memroy"),
            "vm `wöhnung` has no attribute `memroy`",
        )
        .label("did you mean `memory`?")
        .help("attributes of vm that take a size: memory, max_memory")
        .fix(span(&sources, file, "memroy"), "memory");
        let text = one(&diagnostic, &sources, Palette::PLAIN);
        check_widths(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_other_place_may_be_in_another_file() {
        let mut sources = Sources::new();
        let a = sources
            .add("tenants/ahk/main.tcloud", "network backend {\n  cidr = 10.16.0.128/25\n}\n");
        let b = sources
            .add("consortium.tcloud", "network shared-services {\n  cidr = 10.16.0.0/24\n}\n");
        let diagnostic = Diagnostic::error(
            Code("E0312"),
            span(&sources, a, "10.16.0.128/25"),
            "network `backend` overlaps network `shared-services`",
        )
        .label("10.16.0.128/25 is inside 10.16.0.0/24")
        .also(span(&sources, a, "backend"), "declared here")
        .also(span(&sources, b, "10.16.0.0/24"), "the other network is declared here")
        .help("the next free /24 in site.oslo (10.16.0.0/16) is 10.16.22.0/24");
        let text = render(&[diagnostic], &sources, Some(212), Palette::PLAIN);
        check_widths(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_hidden_in_the_text_becomes_visible_and_long_lines_are_cut() {
        let mut sources = Sources::new();
        let long = "x".repeat(5000);
        let text = format!("let a = \"\u{202e}evil\u{1b}[2K\" bad\nlet b = [{long} oops {long}]\n");
        let file = sources.add("a\u{7}.tcloud", &text);
        for (mark, column) in [("bad", ":1:21"), ("oops", ":2:5011")] {
            let diagnostic =
                Diagnostic::error(Code("E0001"), span(&sources, file, mark), "no \u{1b}]8;;")
                    .label("here");
            let text = one(&diagnostic, &sources, Palette::PLAIN);
            assert!(text.contains(column), "{text}");
            assert!(text.contains(mark), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() < 400, "{line}");
                assert!(!line.contains(tcloud_model::value::is_unsafe_to_print), "{line:?}");
            }
        }
    }

    #[test]
    fn the_end_of_the_file_and_nonsense_ranges_can_be_marked() {
        let mut sources = Sources::new();
        let file = sources.add("a.tcloud", "vm a {\n");
        let empty = sources.add("b.tcloud", "");
        for (file, start, end) in
            [(file, 7, 7), (file, 6, 7), (file, 3, 900), (empty, 0, 0), (file, 9, 3), (empty, 4, 9)]
        {
            let diagnostic =
                Diagnostic::error(Code("E0002"), Span { file, start, end }, "never closed")
                    .label("here");
            assert!(one(&diagnostic, &sources, Palette::PLAIN).contains("never closed"));
        }
    }

    #[test]
    fn the_last_line_counts() {
        let mut sources = Sources::new();
        let file = sources.add("a.tcloud", "x\n".repeat(80).as_str());
        let all: Vec<Diagnostic> = (0..60)
            .map(|n| {
                Diagnostic::error(
                    Code("E0001"),
                    Span::new(file, n * 2, n * 2 + 1),
                    format!("wrong {n}"),
                )
            })
            .chain([Diagnostic::warning(Code("W0001"), Span::new(file, 0, 1), "odd")])
            .collect();
        let text = render(&all, &sources, Some(1), Palette::PLAIN);
        assert!(
            text.ends_with(
                "… and 11 more\n\n60 errors and 1 warning in 1 file; 1 object is fine\n"
            ),
            "{text}"
        );
    }
}
