//! `tcloud drift`: what somebody changed by hand.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;
use tcloud_planner::Plan;
use tcloud_planner::plan::Drift as Drifted;
use tcloud_report::About;

use super::look;
use crate::arguments::Drift;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::gaps;
use crate::reports::Told;
use crate::terminal::{Palette, Tone};
use crate::view::layout::count;

/// What programs read.
const FORMAT: &str = "tcloud-drift/1";

/// What is read of an earlier report.
#[derive(Deserialize)]
struct Earlier {
    format: String,
    drift: Vec<Drifted>,
}

/// Why an earlier report is of no use.
#[derive(Debug, thiserror::Error)]
enum EarlierError {
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not what `tcloud drift --json` writes", path.display())]
    Malformed {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{} has the format `{}`, and `{FORMAT}` is read", path.display(), format.escape_debug())]
    Format { path: PathBuf, format: String },
}

pub(super) async fn run(arguments: &Drift, context: &Context) -> Outcome {
    arguments.reports.check(arguments.json, context)?;
    let root = context.path(arguments.path.as_ref());
    let earlier = arguments.since.as_ref().map(|file| earlier(&context.path(Some(file))));
    let earlier = earlier.transpose()?;
    let known = look::look_for_drift(root.clone(), &arguments.inputs, context).await?;
    let all = &known.plan.drift;
    let known_before = |own: &&Drifted| earlier.iter().flatten().any(|earlier| earlier == *own);
    let drift: Vec<Drifted> = all.iter().filter(|own| !known_before(own)).cloned().collect();
    if arguments.json {
        context.terminal.json(&json!({
            "format": FORMAT,
            "deployment": known.plan.deployment.name,
            "drift": drift,
            "foreign": known.plan.foreign,
            "unchecked": known.plan.unchecked,
        }));
    } else if !arguments.reports.take_output() {
        let checked = known.plan.unchecked.is_empty();
        let before = all.len() - drift.len();
        context.terminal.print(&text(&drift, before, checked, context.terminal.palette));
        for gap in &known.plan.unchecked {
            context.terminal.note(&format!("not checked: {}", crate::escape::escape(gap)));
        }
    }
    let found = Plan {
        drift: drift.clone(),
        unchanged: known.plan.unchanged,
        left_out: known.plan.left_out,
        foreign: known.plan.foreign,
        unchecked: known.plan.unchecked.clone(),
        ..Plan::empty(known.plan.deployment.clone())
    };
    let gaps = gaps::of(&known.state, &known.observed);
    let silent = !gaps.is_empty();
    let told = Told { plan: &found, about: About::Drift, silent };
    arguments.reports.write(told, &root, context)?;
    if arguments.exit_code {
        gaps::refuse(&gaps)?;
    }
    Ok(if arguments.exit_code && !drift.is_empty() { Exit::Changes } else { Exit::Done })
}

/// What an earlier `tcloud drift --json` told of.
fn earlier(path: &Path) -> Result<Vec<Drifted>, EarlierError> {
    let read = std::fs::read(path);
    let text = read.map_err(|source| EarlierError::Read { path: path.to_owned(), source })?;
    let told: Result<Earlier, _> = serde_json::from_slice(&text);
    match told {
        Ok(told) if told.format == FORMAT => Ok(told.drift),
        Ok(told) => Err(EarlierError::Format { path: path.to_owned(), format: told.format }),
        Err(source) => Err(EarlierError::Malformed { path: path.to_owned(), source }),
    }
}

fn text(drift: &[Drifted], known_before: usize, checked: bool, palette: Palette) -> String {
    let before = match known_before {
        0 => String::new(),
        n => format!(" {} known before.", count(n, "object")),
    };
    if drift.is_empty() {
        let new = if known_before > 0 { " more" } else { "" };
        let far = if checked { "" } else { ", as far as could be checked" };
        return format!("Nothing{new} was changed by hand{far}.{before}\n");
    }
    let mut text = String::new();
    for own in drift {
        text.push_str(&lines(own, palette));
    }
    let _ = write!(
        text,
        "\n{} changed by hand.{before}\n\n  tcloud plan   what apply would set right\n",
        count(drift.len(), "object")
    );
    text
}

/// One object, and what is different about it.
pub(super) fn lines(drift: &Drifted, palette: Palette) -> String {
    let Drifted { object, kind: _, attributes, vanished } = drift;
    let word = if *vanished { "removed" } else { "changed" };
    let word = palette.paint(Tone::Warning, &format!("{word:<8}"));
    let mut text = format!("  {word} {object}\n");
    for attribute in attributes {
        let _ = writeln!(text, "             {}", tcloud_report::text::attribute(attribute));
    }
    text
}
