//! `tcloud diff`: what following one revision of the text would do where another was applied.

use std::path::Path;

use tcloud_compiler::{Compiled, Reader, World, WorldError};
use tcloud_planner::compare::{self, Unplannable, compare};
use tcloud_planner::plan::Plan;

use crate::arguments::{self, Inputs};
use crate::context::Context;
use crate::disk_world::DiskWorld;
use crate::failure::{Exit, Failure, Outcome};
use crate::reports::Told;
use crate::revisions::{Range, Repository};
use crate::session::{self, Project, Text};
use crate::view::layout::count;
use crate::view::plan::{Next, PlanView};

pub(super) async fn run(arguments: arguments::Diff, context: &Context) -> Outcome {
    arguments.reports.check(arguments.json, context)?;
    let project = Project::open(context.path(arguments.path.as_ref()), context).await?;
    let repository = Repository::of(&project.root)?;
    let range = repository.range(&arguments.revisions)?;
    let files = repository.check_out(&range.before)?;
    let before = read(&project, files.path(), &range.before.called, &arguments.inputs, context)?;
    // Programs read files of theirs also while they are planned.
    let later = range.after.as_ref().map(|revision| repository.check_out(revision)).transpose()?;
    let (root, called) = match (&later, &range.after) {
        (Some(files), Some(revision)) => (files.path(), &*revision.called),
        _ => (&*project.root, WORK_TREE),
    };
    let after = read(&project, root, called, &arguments.inputs, context)?;
    let now = jiff::Timestamp::now();
    let plan = compare(&project.deployment, &project.catalog, now, text(&before), text(&after));
    let plan = plan.map_err(|wrong| unplannable(wrong, &range, [&before, &after], context))?;
    if arguments.json {
        context.terminal.json_text(session::json(&plan, false).trim_end());
    } else if !arguments.reports.take_output() {
        context.terminal.print(&shown(&plan, &range, context));
    }
    let commit = range.after.as_ref().map(|after| &*after.commit);
    arguments.reports.write_of(Told::from(&plan), &project.root, commit, context)?;
    Ok(match arguments.exit_code {
        true if plan.needs_decision() => Exit::Decision,
        true if plan.changes_what_runs() => Exit::Changes,
        _ => Exit::Done,
    })
}

/// What the files as they are are called.
const WORK_TREE: &str = "the files as they are";

fn text(text: &Text) -> compare::Text<'_> {
    compare::Text { evaluator: &text.program, sources: &text.sources }
}

/// Compiles the text of one side.
fn read(
    project: &Project,
    root: &Path,
    called: &str,
    inputs: &Inputs,
    context: &Context,
) -> Result<Text, Failure> {
    let world = Offline(DiskWorld::new(root, project.config.limits));
    let Compiled { program, sources, diagnostics } = project.compile_any(&world, inputs)?;
    match program {
        Some(program) => Ok(Text { program, sources }),
        None => {
            session::refuse(&diagnostics, &sources, context);
            Err(Failure::new(format!("{called} cannot be compared: the text is wrong")))
        }
    }
}

/// A project whose secrets are not asked for: each counts as being there.
struct Offline(DiskWorld);

impl World for Offline {
    fn files(&self) -> Result<Vec<String>, WorldError> {
        self.0.files()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, WorldError> {
        self.0.read(path)
    }

    fn reader(&self) -> Reader {
        self.0.reader()
    }

    fn environment(&self, _: &str) -> Option<String> {
        Some(String::new())
    }
}

fn unplannable(
    wrong: Unplannable,
    range: &Range,
    [before, after]: [&Text; 2],
    context: &Context,
) -> Failure {
    let (diagnostics, text, called) = match &wrong {
        Unplannable::Before(diagnostics) => (diagnostics, before, &*range.before.called),
        Unplannable::After(diagnostics) => {
            (diagnostics, after, range.after.as_ref().map_or(WORK_TREE, |own| &own.called))
        }
    };
    session::refuse(diagnostics, &text.sources, context);
    Failure::new(format!("{called} cannot be compared: it cannot be planned"))
}

fn shown(plan: &Plan, range: &Range, context: &Context) -> String {
    if !plan.changes_what_runs() {
        let after = range.after.as_ref().map_or(WORK_TREE, |after| &after.called);
        let moved = match plan.changes.len() {
            0 => String::new(),
            moved => format!(" {} another address, and nothing else.", gets(moved)),
        };
        return format!(
            "No change: {} and {after} ask for the same.{moved}\n",
            range.before.called
        );
    }
    let view = PlanView {
        palette: context.terminal.palette,
        everything: context.terminal.verbose > 0,
        observed: None,
        next: Next::Nothing,
    };
    view.render(plan)
}

fn gets(objects: usize) -> String {
    let verb = if objects == 1 { "gets" } else { "get" };
    format!("{} {verb}", count(objects, "object"))
}
