//! `tcloud drift`: what somebody changed by hand.

use serde_json::json;
use std::fmt::Write as _;
use tcloud_planner::Plan;
use tcloud_planner::plan::Drift as Drifted;

use super::{Context, look};
use crate::arguments::Drift;
use crate::failure::{Exit, Outcome};
use crate::session;
use crate::terminal::{Palette, Tone};
use crate::view::layout::count;

pub(super) async fn run(arguments: &Drift, context: &Context) -> Outcome {
    arguments.reports.check(arguments.json)?;
    let root = context.path(arguments.path.as_ref());
    let known = look::look(root.clone(), &arguments.inputs, context).await?;
    let drift = &known.plan.drift;
    if arguments.json {
        context.terminal.json(&json!({
            "format": "tcloud-drift/1",
            "deployment": known.plan.deployment.name,
            "drift": drift,
            "foreign": known.plan.foreign,
            "unchecked": known.plan.unchecked,
        }));
    } else if !arguments.reports.take_output() {
        context.terminal.print(&text(drift, context.terminal.palette));
        for gap in &known.plan.unchecked {
            context.terminal.note(&format!("not checked: {}", crate::terminal::escape(gap)));
        }
    }
    let found = Plan {
        drift: drift.clone(),
        unchanged: known.plan.unchanged,
        foreign: known.plan.foreign,
        unchecked: known.plan.unchecked.clone(),
        ..Plan::empty(known.plan.deployment.clone())
    };
    arguments.reports.write(&found, &root, context)?;
    if arguments.exit_code {
        session::complete(&known.observed)?;
    }
    Ok(if arguments.exit_code && !drift.is_empty() { Exit::Changes } else { Exit::Done })
}

fn text(drift: &[Drifted], palette: Palette) -> String {
    if drift.is_empty() {
        return "Nothing was changed by hand.\n".to_owned();
    }
    let mut text = String::new();
    for Drifted { object, kind: _, attributes, vanished } in drift {
        let word = if *vanished { "removed" } else { "changed" };
        let word = palette.paint(Tone::Warning, &format!("{word:<8}"));
        let _ = writeln!(text, "  {word} {object}");
        for attribute in attributes {
            let _ = writeln!(text, "             {}", tcloud_report::text::attribute(attribute));
        }
    }
    let _ = write!(
        text,
        "\n{} changed by hand.\n\n  tcloud plan   what apply would set right\n",
        count(drift.len(), "object")
    );
    text
}
