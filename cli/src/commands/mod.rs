//! The commands, one file each: resolve, call, report.

mod adopt;
mod age;
mod agree;
mod apply;
mod check;
mod ci;
mod completions;
mod consent;
mod console;
mod diff;
mod drift;
mod estimate;
mod explain;
mod find;
mod fmt;
mod follow;
mod graph;
mod ground;
mod history;
mod init;
mod look;
mod origin;
mod output;
mod plan;
mod prepare;
mod provider;
mod show;
mod sim;
mod state;
mod version;
mod watch;
mod why;

use crate::arguments::Command;
use crate::context::Context;
use crate::failure::Outcome;

/// Runs a command.
pub(crate) async fn run(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Check(arguments) => check::run(&arguments, context).await,
        Command::Fmt(arguments) => fmt::run(&arguments, context),
        Command::Plan(arguments) => plan::run(arguments, context).await,
        Command::Diff(arguments) => diff::run(arguments, context).await,
        Command::Agree(arguments) => agree::run(&arguments, context),
        Command::Apply(arguments) => apply::apply(arguments, context).await,
        Command::Destroy(arguments) => apply::destroy(arguments, context).await,
        Command::Adopt(arguments) => adopt::run(&arguments, context).await,
        Command::Show(arguments) => show::run(&arguments, context).await,
        Command::Why(arguments) => why::run(&arguments, context).await,
        Command::Drift(arguments) => drift::run(&arguments, context).await,
        Command::Watch(arguments) => watch::run(&arguments, context).await,
        Command::State(arguments) => state::run(arguments, context).await,
        Command::History(arguments) => history::run(&arguments, context).await,
        Command::Output(arguments) => output::run(&arguments, context).await,
        Command::Graph(arguments) => graph::run(&arguments, context).await,
        Command::Console(arguments) => console::run(&arguments, context).await,
        Command::Explain(arguments) => explain::run(&arguments, context).await,
        Command::Completions(arguments) => completions::run(&arguments, context),
        Command::Version(arguments) => version::run(&arguments, context),
        Command::Provider(arguments) => provider::run(arguments, context).await,
        Command::Ci(arguments) => ci::run(arguments, context).await,
        Command::Sim(arguments) => sim::run(arguments, context),
    }
}
