//! What plan, apply and their kin do before they differ: compile, open the store, make the engine.

use tcloud_engine::Engine;
use tcloud_planner::{Goal, Wishes};
use tcloud_state::{Loaded, Selection};

use crate::arguments::{Consent, Run, Scope};
use crate::context::Context;
use crate::failure::Failure;
use crate::session::{Access, Project, Text};

/// Everything that is needed to look at the world and to plan.
pub(super) struct Prepared {
    /// The text.
    pub(super) text: Text,
    /// The hosts and what is remembered.
    pub(super) engine: Engine,
}

/// Compiles and wires.
pub(super) async fn prepare(
    project: &Project,
    run: &Run,
    access: Access,
    context: &Context,
) -> Result<Prepared, Failure> {
    let text = project.program(&run.inputs, context)?;
    let store = project.store(&run.inputs, access, context).await?;
    let engine = project.engine(&text.program, store, run.parallelism.get());
    Ok(Prepared { text, engine })
}

/// Prepares for only looking, and reads what is remembered while the text is compiled.
pub(super) async fn load(
    project: &Project,
    run: &Run,
    context: &Context,
) -> Result<(Prepared, Loaded), Failure> {
    let store = project.store(&run.inputs, Access::Read, context).await;
    let reading = store.as_ref().ok().cloned();
    let reading = tokio::spawn(async move {
        match reading {
            Some(store) => Some(store.load(&Selection::All).await),
            None => None,
        }
    });
    // What is wrong with the text is said first.
    let text = project.program(&run.inputs, context)?;
    let engine = project.engine(&text.program, store?, run.parallelism.get());
    let loaded = match reading.await {
        Ok(Some(loaded)) => loaded?,
        Ok(None) | Err(_) => engine.load().await?,
    };
    Ok((Prepared { text, engine }, loaded))
}

/// What a run is for, unless it is to destroy.
pub(super) fn goal(scope: &Scope) -> Goal {
    if scope.refresh_only { Goal::Refresh } else { Goal::Apply }
}

/// What the user wants of the run.
pub(super) fn wishes(run: &Run, goal: Goal) -> Wishes {
    let mut wishes = Wishes {
        goal,
        target: run.scope.target.clone(),
        exclude: run.scope.exclude.clone(),
        replace: run.scope.replace.clone(),
        allow_data_loss: Default::default(),
        allow_destroy: Default::default(),
        allow_exposure: Default::default(),
    };
    for consent in &run.consent.allow {
        match consent.clone() {
            Consent::DataLoss(address) => wishes.allow_data_loss.insert(address),
            Consent::Destroy(address) => wishes.allow_destroy.insert(address),
            Consent::Exposure(address) => wishes.allow_exposure.insert(address),
        };
    }
    wishes
}
