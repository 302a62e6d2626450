//! `tcloud plan`: what apply would do.

use std::path::Path;

use tcloud_planner::Goal;
use tcloud_planner::plan::Plan as Planned;

use super::Context;
use super::prepare::{Prepared, goal, prepare, wishes};
use crate::arguments;
use crate::failure::{Exit, Failure, Outcome};
use crate::session::{self, Access, Project};
use crate::view::plan::{Next, PlanView};
use tcloud_planner::planfile;

pub(super) async fn run(arguments: arguments::Plan, context: &Context) -> Outcome {
    let project = Project::open(context.path(arguments.path.as_ref()))?;
    let goal = if arguments.destroy { Goal::Destroy } else { goal(&arguments.run.scope) };
    let wishes = wishes(&arguments.run, goal);
    let Prepared { text, engine, .. } = prepare(&project, &arguments.run, Access::Read, context)?;
    let loaded = engine.load().await?;
    let observed = engine.observe().await;
    engine.shutdown().await;
    let plan = text.plan(&project, &loaded.state, &observed, &wishes, context)?;
    if let Some(path) = &arguments.out {
        write(&plan, &context.path(Some(path)))?;
    }
    if arguments.json {
        context.terminal.print(&session::json(&plan));
    } else {
        if !loaded.intents.is_empty() {
            let open = crate::view::layout::count(loaded.intents.len(), "step");
            context.terminal.note(&format!(
                "An earlier run left {open} open; the next apply looks at them first."
            ));
        }
        let view = PlanView {
            palette: context.terminal.palette,
            everything: context.terminal.verbose > 0,
            observed: Some(&observed),
            next: Next::Apply(&words(&arguments)),
        };
        context.terminal.print(&view.render(&plan));
    }
    Ok(exit(&plan, arguments.exit_code))
}

/// The exit code: with `--exit-code`, what there is to do.
fn exit(plan: &Planned, wanted: bool) -> Exit {
    match wanted {
        true if plan.needs_decision() => Exit::Decision,
        true if !plan.is_empty() => Exit::Changes,
        _ => Exit::Done,
    }
}

/// The words after `tcloud apply` that carry out this plan.
fn words(arguments: &arguments::Plan) -> String {
    let path = arguments.out.as_ref().or(arguments.path.as_ref());
    path.map(|path| crate::terminal::escape(&path.display().to_string()).into_owned())
        .unwrap_or_default()
}

#[derive(Debug, thiserror::Error)]
#[error("the plan cannot be written to {}", path.display())]
struct WriteError {
    path: std::path::PathBuf,
    #[source]
    source: std::io::Error,
}

fn write(plan: &Planned, path: &Path) -> Result<(), Failure> {
    let text = planfile::write(plan);
    std::fs::write(path, text).map_err(|source| WriteError { path: path.to_owned(), source }.into())
}
