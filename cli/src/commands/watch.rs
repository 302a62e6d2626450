//! `tcloud watch`: tells of what is changed by hand, as it happens, and of what is set right.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use tcloud_planner::plan::Drift;

use super::{Context, drift, look};
use crate::arguments::Watch;
use crate::escape::escape;
use crate::failure::{Exit, Outcome};
use crate::interrupt::Signals;
use crate::terminal::Tone;

pub(super) async fn run(arguments: &Watch, context: &Context) -> Outcome {
    let mut signals = Signals::listen();
    let every = Duration::from_secs(arguments.every.get());
    let mut before: Vec<Drift> = Vec::new();
    let mut silent: Vec<String> = Vec::new();
    let mut looked = false;
    loop {
        let root = context.path(arguments.path.as_ref());
        let known = match look::look_for_drift(root, &arguments.inputs, context).await {
            Ok(known) => known,
            // Where nothing could ever be seen there is nothing to wait for.
            Err(failure) if !looked => return Err(failure),
            Err(failure) => {
                let text = failure.render(context.terminal.error_palette);
                if !text.is_empty() {
                    context.terminal.complain(&text);
                }
                match pause(every, &mut signals).await {
                    true => continue,
                    false => return Ok(Exit::Done),
                }
            }
        };
        looked = true;
        let now = known.plan.drift;
        for own in now.iter().filter(|own| !before.contains(own)) {
            tell("drift", own, arguments.json, context);
        }
        let is_right = |own: &&Drift| !now.iter().any(|other| other.object == own.object);
        for own in before.iter().filter(is_right) {
            tell("right", own, arguments.json, context);
        }
        for gap in known.plan.unchecked.iter().filter(|gap| !silent.contains(gap)) {
            context.terminal.note(&format!("not checked: {}", escape(gap)));
        }
        (before, silent) = (now, known.plan.unchecked);
        if context.terminal.is_gone() {
            return Ok(Exit::Done);
        }
        if !pause(every, &mut signals).await {
            return Ok(Exit::Done);
        }
    }
}

/// Waits until the next look. False when somebody ends it.
async fn pause(every: Duration, signals: &mut Signals) -> bool {
    tokio::select! {
        () = tokio::time::sleep(every) => true,
        true = signals.next() => false,
    }
}

fn tell(event: &str, own: &Drift, json: bool, context: &Context) {
    let now = Timestamp::now();
    if json {
        let line = json!({ "v": 1, "event": event, "time": now.to_string(), "drift": own });
        context.terminal.json_text(&line.to_string());
        return;
    }
    let palette = context.terminal.palette;
    let time = TimeZone::system().to_datetime(now).strftime("%H:%M:%S");
    let text = match event {
        "drift" => drift::lines(own, palette),
        _ => format!("  {} {}\n", palette.paint(Tone::Good, "right   "), own.object),
    };
    context.terminal.print(&format!("{time}{text}"));
}
