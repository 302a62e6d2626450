//! `tcloud graph`: what depends on what, for Graphviz and Mermaid.

use tcloud_model::Evaluator;
use tcloud_report::graph;

use crate::arguments::{Graph, GraphFormat};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::session::Project;

pub(super) async fn run(arguments: &Graph, context: &Context) -> Outcome {
    let project = Project::open(context.path(arguments.path.as_ref()), context).await?;
    let text = project.program(&arguments.inputs, context)?;
    let format = match arguments.format {
        GraphFormat::Dot => graph::Format::Dot,
        GraphFormat::Mermaid => graph::Format::Mermaid,
        GraphFormat::Svg => graph::Format::Svg,
    };
    context.terminal.print(&graph::resources(text.program.desired(), format));
    Ok(Exit::Done)
}
