//! `tcloud console`: expressions of the language, evaluated in the project.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Editor, Helper};
use tcloud_compiler::{Program, Reader, World, WorldError};
use tcloud_model::{Address, Diagnostic, Evaluator, Output, Severity, Sources, Span};

use super::look::{self, Known};
use crate::arguments::{Console, Inputs};
use crate::context::Context;
use crate::disk_world::DiskWorld;
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::session::{self, Project, Text};
use crate::view::diagnostics;

/// The file that an expression is compiled in, beside those of the project.
const FILE: &str = "console.tcloud";

/// The output that it becomes.
const OUTPUT: &str = "console-answer";

/// What stands before it in the file.
const WRAPPER: &str = "output console-answer = ";

const HELP: &str = "\
An expression of the language is evaluated in this project:

  tenant.rhoenblick.network.office.cidr.host(10)
  tenant.rhoenblick.vm.web[1].memory * 2
  [for n in 1..=3 : \"web-${n}\"]

  :list [TEXT]   the addresses that hold this text
  :help          this
  :quit          or Ctrl-D
";

pub(super) async fn run(arguments: &Console, context: &Context) -> Outcome {
    let root = context.path(arguments.path.as_ref());
    let known = look::look(root.clone(), &arguments.inputs, context).await?;
    let project = Project::open(root, context).await?;
    let names: Vec<String> = names(&known.text.program, &project);
    let console = Answering { project, known, inputs: &arguments.inputs, context, names };
    if std::io::stdin().is_terminal() { console.talk() } else { console.read() }
}

/// What can be typed: kinds, addresses, attributes of addresses.
fn names(program: &Program, project: &Project) -> Vec<String> {
    let mut names: BTreeSet<String> =
        project.catalog.iter().map(|schema| schema.kind.to_string()).collect();
    for (address, resource) in &program.desired().resources {
        let text = address.to_string();
        names.extend(resource.attributes.iter().map(|(name, _)| format!("{text}.{name}")));
        names.insert(text);
    }
    names.into_iter().collect()
}

struct Answering<'a> {
    project: Project,
    /// What was remembered and what ran when the console was opened.
    known: Known,
    inputs: &'a Inputs,
    context: &'a Context,
    names: Vec<String>,
}

/// Words that begin statements, and no expression.
const STATEMENTS: [&str; 6] = ["let", "param", "output", "fn", "type", "use"];

/// Whether somebody wants to leave.
fn is_quit(line: &str) -> bool {
    matches!(line.trim(), ":quit" | ":q" | "quit" | "exit")
}

impl Answering<'_> {
    /// Answers a person, with history and completion.
    fn talk(&self) -> Outcome {
        let config = Config::builder().auto_add_history(true).build();
        let mut editor: Editor<Completion, FileHistory> = Editor::with_config(config)?;
        editor.set_helper(Some(Completion { names: self.names.clone(), methods: methods() }));
        let own = session::own_directory(&self.project.root);
        let history = own.join("console_history");
        // Without a history there is still a console.
        let _ = std::fs::create_dir_all(&own).map(|()| editor.load_history(&history));
        self.context.terminal.note("An expression, or :help. Ctrl-D ends.");
        loop {
            match editor.readline("> ") {
                Ok(line) if is_quit(&line) => break,
                Ok(line) => {
                    self.answer(&line);
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let _ = editor.save_history(&history);
        Ok(Exit::Done)
    }

    /// Answers every line of standard input; fails when one has no answer.
    fn read(&self) -> Outcome {
        let mut failed = false;
        for line in std::io::stdin().lock().split(b'\n') {
            match String::from_utf8(line?) {
                Ok(line) if is_quit(&line) => break,
                Ok(line) => failed |= !self.answer(&line),
                Err(error) => {
                    let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
                    let text = format!("not UTF-8, and left out: {}", escape(&shown));
                    self.context.terminal.complain(&text);
                    failed = true;
                }
            }
        }
        if failed { Err(Failure::said(Exit::Failed)) } else { Ok(Exit::Done) }
    }

    /// Answers a line. False when it has no answer.
    fn answer(&self, line: &str) -> bool {
        let terminal = &self.context.terminal;
        match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
            ("", _) => true,
            (":help" | "help" | "?", "") => {
                terminal.print(HELP);
                true
            }
            (":list", text) => {
                let is_address = |name: &&String| name.parse::<Address>().is_ok();
                let found = self.names.iter().filter(|name| name.contains(text.trim()));
                found.filter(is_address).for_each(|name| terminal.line(name));
                true
            }
            (command, _) if command.starts_with(':') => {
                terminal.complain(&format!("there is no {command}; :help lists what there is"));
                false
            }
            _ => match line.split_whitespace().next().filter(|word| STATEMENTS.contains(word)) {
                Some(word) => {
                    let text = format!("`{word}` is for files; here an expression is evaluated");
                    terminal.complain(&text);
                    false
                }
                None => self.evaluate(line),
            },
        }
    }

    fn evaluate(&self, line: &str) -> bool {
        let terminal = &self.context.terminal;
        let world = DiskWorld::new(&self.project.root, self.project.config.limits);
        let world = WithLine { world, text: format!("{WRAPPER}{}\n", line.trim()) };
        let compiled = match self.project.compile_in(&world, self.inputs) {
            Ok(compiled) => compiled,
            Err(failure) => {
                terminal.complain(&failure.render(terminal.error_palette));
                return false;
            }
        };
        let Some(program) = compiled.program else {
            self.show(&compiled.diagnostics, &compiled.sources);
            return false;
        };
        match self.outputs(program, compiled.sources) {
            Some(outputs) => match outputs.iter().find(|output| output.name == OUTPUT) {
                Some(output) => {
                    terminal.line(&output.value.to_string());
                    true
                }
                None => {
                    terminal.complain("that is not one expression");
                    false
                }
            },
            None => false,
        }
    }

    /// The outputs with the addresses and hosts that a plan gives out; without them where there can be no
    /// plan.
    fn outputs(&self, program: Program, sources: Sources) -> Option<Vec<Output>> {
        let text = Text { program, sources };
        let Known { state, observed, .. } = &self.known;
        let plan = text.plan(&self.project, state, observed, &look::no_wishes(), self.context);
        let alone = || text.program.outputs(&()).ok();
        plan.ok().map(|plan| plan.outputs).or_else(alone)
    }

    /// Shows what is wrong with the line; what is wrong elsewhere was shown at the start.
    fn show(&self, all: &[Diagnostic], sources: &Sources) {
        let is_here = |d: &&Diagnostic| {
            &*sources.file(d.primary.span.file).path == FILE && d.severity == Severity::Error
        };
        let palette = self.context.terminal.error_palette;
        let typed = typed(sources);
        for diagnostic in all.iter().filter(is_here) {
            let diagnostic = within_line(diagnostic.clone(), sources);
            let text = diagnostics::one(&diagnostic, &typed, palette);
            self.context.terminal.complain(text.trim_end());
        }
    }
}

/// The sources with the line as it was typed.
fn typed(sources: &Sources) -> Sources {
    let mut typed = Sources::new();
    for (_, file) in sources.iter() {
        let text = match &*file.path {
            FILE => file.text.strip_prefix(WRAPPER).unwrap_or(&file.text),
            _ => &file.text,
        };
        typed.add(&file.path, text);
    }
    typed
}

/// The diagnostic with its places in the line as it was typed.
fn within_line(mut diagnostic: Diagnostic, sources: &Sources) -> Diagnostic {
    let wrapper = u32::try_from(WRAPPER.len()).unwrap_or(0);
    let shift = |span: &mut Span| {
        if &*sources.file(span.file).path == FILE {
            span.start = span.start.saturating_sub(wrapper);
            span.end = span.end.saturating_sub(wrapper);
        }
    };
    shift(&mut diagnostic.primary.span);
    diagnostic.secondary.iter_mut().for_each(|label| shift(&mut label.span));
    diagnostic.fix.iter_mut().for_each(|fix| shift(&mut fix.span));
    diagnostic
}

/// The project with one more file.
struct WithLine {
    world: DiskWorld,
    text: String,
}

impl World for WithLine {
    fn files(&self) -> Result<Vec<String>, WorldError> {
        let mut files = self.world.files()?;
        files.retain(|file| file != FILE);
        files.push(FILE.to_owned());
        Ok(files)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, WorldError> {
        if path == FILE { Ok(self.text.clone().into_bytes()) } else { self.world.read(path) }
    }

    fn reader(&self) -> Reader {
        self.world.reader()
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.world.environment(name)
    }
}

/// Completes names.
struct Completion {
    names: Vec<String>,
    methods: Vec<String>,
}

impl Helper for Completion {}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(&self.names, &self.methods, line, position))
    }
}

/// Where the word before the cursor starts, and what it may become: up to the next dot, so that a
/// long address is completed step by step.
fn complete(
    names: &[String],
    methods: &[String],
    line: &str,
    position: usize,
) -> (usize, Vec<String>) {
    let before = line.get(..position).unwrap_or(line);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-[]\"".contains(c);
    let start = before.rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
    let word = &before[start..];
    let first = names.partition_point(|name| name.as_str() < word);
    let mut found = BTreeSet::new();
    for name in names[first..].iter().take_while(|name| name.starts_with(word)) {
        let rest = &name[word.len()..];
        let next = rest.find('.').map_or(rest.len(), |dot| if dot == 0 { 1 } else { dot });
        found.insert(name[..word.len() + next].to_owned());
    }
    // What is no address is a value, and values have methods.
    if let Some((value, begun)) = word.rsplit_once('.').filter(|_| found.is_empty()) {
        let fitting = methods.iter().filter(|method| method.starts_with(begun));
        found.extend(fitting.map(|method| format!("{value}.{method}")));
    }
    (start, found.into_iter().collect())
}

/// The methods and properties of values, from the page that documents them: each row begins with a
/// signature, such as `host(n)`.
fn methods() -> Vec<String> {
    let page = tcloud_compiler::reference::methods_page();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let names: BTreeSet<String> = rows
        .map(|signature| match signature.split_once('(') {
            Some((name, _)) => format!("{name}("),
            None => signature.split([' ', ':']).next().unwrap_or_default().to_owned(),
        })
        .collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_step_by_step() {
        let names: Vec<String> =
            ["tenant", "tenant.a.vm.web", "tenant.a.vm.web.memory", "tenant.b", "vm"]
                .map(str::to_owned)
                .into();
        let methods = methods();
        let at_end = |line: &str| complete(&names, &methods, line, line.len());
        assert_eq!(at_end("2 * tenant.").1, ["tenant.a", "tenant.b"]);
        assert_eq!(at_end("x.cidr.hos").1, ["x.cidr.host("]);
        assert_eq!(at_end("2 * tenant.").0, 4);
        assert!(at_end("tenant.a.vm.web.m").1.contains(&"tenant.a.vm.web.memory".to_owned()));
        assert!(at_end("nothing").1.is_empty());
        assert!(at_end("tenant.a.vm.web.memory.").1.len() > 20);
    }
}
