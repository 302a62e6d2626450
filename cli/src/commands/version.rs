//! `tcloud version`.

use serde_json::json;

use crate::arguments::Version;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use tcloud_project::config::EDITION;

pub(super) fn run(arguments: &Version, context: &Context) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    if arguments.json {
        context.terminal.json(&json!({ "version": version, "edition": EDITION }));
    } else {
        context.terminal.line(&format!("tcloud {version} (edition {EDITION})"));
    }
    Ok(Exit::Done)
}
