//! What commands that only look have in common: the text, what is remembered, what runs, and the
//! plan that follows.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use tcloud_model::{ObservedState, State};
use tcloud_planner::{Goal, Plan, Wishes};

use crate::arguments::Inputs;
use crate::context::Context;
use crate::failure::Failure;
use crate::session::{Access, Project, Text};

/// How many hosts are asked at the same time.
pub(super) const PARALLELISM: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// Everything that is known.
pub(super) struct Known {
    /// The text.
    pub(super) text: Text,
    /// What is remembered.
    pub(super) state: State,
    /// What runs.
    pub(super) observed: ObservedState,
    /// What apply would do.
    pub(super) plan: Plan,
}

/// Looks at everything and changes nothing.
pub(super) async fn look(
    root: PathBuf,
    inputs: &Inputs,
    context: &Context,
) -> Result<Known, Failure> {
    let project = Project::open(root, context).await?;
    let text = project.program(inputs, context)?;
    let store = project.store(inputs, Access::Read, context).await?;
    let engine = project.engine(&text.program, store, PARALLELISM.get());
    let state = engine.load().await?.state;
    let observed = engine.observe().await;
    engine.shutdown().await;
    let plan = text.plan(&project, &state, &observed, &no_wishes(), context)?;
    Ok(Known { text, state, observed, plan })
}

/// What the text says, and nothing else.
pub(super) fn no_wishes() -> Wishes {
    Wishes {
        goal: Goal::Apply,
        target: Vec::new(),
        exclude: Vec::new(),
        replace: Vec::new(),
        allow_data_loss: std::collections::BTreeSet::new(),
        allow_destroy: std::collections::BTreeSet::new(),
        allow_exposure: std::collections::BTreeSet::new(),
    }
}
