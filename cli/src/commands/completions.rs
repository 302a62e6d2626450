//! `tcloud completions`: a script that completes commands and options in a shell.

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::context::Context;
use crate::failure::{Exit, Outcome};

pub(super) fn run(arguments: &Completions, context: &Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tcloud", &mut script);
    context.terminal.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
