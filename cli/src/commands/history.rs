//! `tcloud history`: who applied what, when, from which revision.

use jiff::tz::TimeZone;
use serde_json::json;
use tcloud_state::Filter;

use crate::arguments::History;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::session::{Access, Project};
use crate::view::history;

pub(super) async fn run(arguments: &History, context: &Context) -> Outcome {
    let project = Project::open(context.path(None), context).await?;
    let store = project.store(&arguments.inputs, Access::Read, context).await?;
    let entries = store.history(&Filter::default()).await?;
    store.close().await;
    let runs = history::runs(&entries, arguments.number.get());
    if arguments.json {
        let runs = history::json(&runs);
        context.terminal.json(&json!({ "format": "tcloud-history/1", "runs": runs }));
    } else {
        let zone = TimeZone::system();
        context.terminal.print(&history::text(&runs, &zone, context.terminal.palette));
    }
    Ok(Exit::Done)
}
