//! `tcloud check`: everything that is wrong with the text, without asking any host.

use serde_json::json;
use tcloud_model::{Diagnostic, Evaluator, Severity, Sources};

use crate::arguments::Check;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::session::{self, Project};
use crate::view::layout::count;

pub(super) async fn run(arguments: &Check, context: &Context) -> Outcome {
    let project = Project::open(context.path(arguments.path.as_ref()), context).await?;
    let compiled = project.compile(&arguments.inputs)?;
    let diagnostics = &compiled.diagnostics;
    let objects = compiled.program.as_ref().map(|program| program.desired().resources.len());
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    if arguments.json {
        let list: Vec<serde_json::Value> =
            diagnostics.iter().map(|diagnostic| json(diagnostic, &compiled.sources)).collect();
        context.terminal.json(&json!({
            "format": "tcloud-check/1",
            "ok": !failed,
            "objects": objects,
            "diagnostics": list,
        }));
    } else {
        session::show(diagnostics, &compiled.sources, objects, context);
    }
    if failed {
        return Err(Failure::said(Exit::Failed));
    }
    if !arguments.json {
        let files = compiled.sources.iter().count();
        context.terminal.line(&format!(
            "{} in {} are fine.",
            count(objects.unwrap_or(0), "object"),
            count(files, "file")
        ));
    }
    Ok(Exit::Done)
}

fn json(diagnostic: &Diagnostic, sources: &Sources) -> serde_json::Value {
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
