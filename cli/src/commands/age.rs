//! Says so when what is remembered is older than what runs, as after an older backup was put back.

use tcloud_engine::{Engine, age};
use tcloud_model::ObservedState;
use tcloud_state::Loaded;

use crate::context::Context;
use crate::failure::Failure;
use crate::session::Project;
use crate::terminal::Tone;
use crate::view::layout::count;

/// Whether what is remembered seems older than what runs.
pub(super) fn is_old(project: &Project, loaded: &Loaded, observed: &ObservedState) -> bool {
    !age::unknown(loaded, observed, &project.deployment).is_empty()
}

/// Warns, where it seems so and still does at a second look.
pub(super) async fn warn(
    project: &Project,
    engine: &Engine,
    is_old: bool,
    observed: &ObservedState,
    context: &Context,
) -> Result<(), Failure> {
    if !is_old {
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
