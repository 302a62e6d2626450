//! `tcloud completions`: a script that completes commands, options and addresses in a shell.

use crate::arguments::Completions;
use crate::completion;
use crate::context::Context;
use crate::failure::{Exit, Outcome};

pub(super) fn run(arguments: &Completions, context: &Context) -> Outcome {
    let script = completion::script(&arguments.shell.to_string())?;
    context.terminal.print(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
