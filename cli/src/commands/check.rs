//! `tcloud check`: everything that is wrong with the text, without asking any host.

use tcloud_model::{Evaluator, Severity};

use crate::arguments::Check;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::session::{self, Project};
use crate::view::diagnostics;
use crate::view::layout::count;

pub(super) async fn run(arguments: &Check, context: &Context) -> Outcome {
    let project = Project::open(context.path(arguments.path.as_ref()), context).await?;
    let compiled = project.compile(&arguments.inputs)?;
    let found = &compiled.diagnostics;
    let objects = compiled.program.as_ref().map(|program| program.desired().resources.len());
    let failed = found.iter().any(|d| d.severity == Severity::Error);
    if arguments.json {
        let answer = diagnostics::json(found, &compiled.sources, objects);
        context.terminal.json(&answer);
    } else {
        session::show(found, &compiled.sources, objects, context);
    }
    if failed {
        return Err(Failure::said(Exit::Failed));
    }
    if !arguments.json {
        let files = compiled.sources.iter().count();
        let objects = objects.unwrap_or(0);
        context.terminal.line(&format!(
            "{} in {} {} fine.",
            count(objects, "object"),
            count(files, "file"),
            if objects == 1 { "is" } else { "are" }
        ));
    }
    Ok(Exit::Done)
}
