//! Says so when what is remembered is older than what runs, as after an older backup was put back.

use tcloud_engine::{Engine, age};
use tcloud_model::ObservedState;
use tcloud_state::Loaded;

use crate::context::Context;
use crate::failure::Failure;
use crate::session::Project;
use crate::terminal::Tone;
use crate::view::layout::count;

/// Warns, if there is a reason to.
pub(super) async fn warn(
    project: &Project,
    engine: &Engine,
    loaded: &Loaded,
    observed: &ObservedState,
    context: &Context,
) -> Result<(), Failure> {
    if age::unknown(loaded, observed, &project.deployment).is_empty() {
        return Ok(());
    }
    // Somebody may have applied between the two looks, and then the state knows by now.
    let unknown = age::unknown(&engine.load().await?, observed, &project.deployment);
    let Some(first) = unknown.first() else { return Ok(()) };
    let warning = context.terminal.error_palette.paint(Tone::Warning, "warning");
    let number = count(unknown.len(), "object");
    context.terminal.note(&format!(
        "{warning}: what is remembered is older than what runs: it does not know the stamps of\n\
         {number} ({first} …). If it is an older backup, `tcloud state rebuild` brings it up to date.",
    ));
    Ok(())
}
