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
    let (project, text, state, observed) = facts(root, inputs, context).await?;
    let plan = text.plan(&project, &state, &observed, &no_wishes(), context)?;
    Ok(Known { text, state, observed, plan })
}

/// The same for who wants to know nothing but what was changed by hand: where the text asks for what
/// is refused, that is still told, against what was applied.
pub(super) async fn look_for_drift(
    root: PathBuf,
    inputs: &Inputs,
    context: &Context,
) -> Result<Known, Failure> {
    let (project, text, state, observed) = facts(root, inputs, context).await?;
    let plan = match text.try_plan(&project, &state, &observed, &no_wishes()) {
        Ok(plan) => plan,
        Err(_) => {
            let wishes = Wishes { goal: Goal::Refresh, ..no_wishes() };
            let mut plan = text.plan(&project, &state, &observed, &wishes, context)?;
            plan.unchecked.push(
                "what the text asks for, which is refused (tcloud plan says why); this is what differs \
                 from what was applied"
                    .to_owned(),
            );
            plan
        }
    };
    Ok(Known { text, state, observed, plan })
}

async fn facts(
    root: PathBuf,
    inputs: &Inputs,
    context: &Context,
) -> Result<(Project, Text, State, ObservedState), Failure> {
    let project = Project::open(root, context).await?;
    let text = project.program(inputs, context)?;
    let store = project.store(inputs, Access::Read, context).await?;
    let engine = project.engine(&text.program, store, PARALLELISM.get());
    let state = engine.load().await?.state;
    let observed = engine.observe().await;
    engine.shutdown().await;
    Ok((project, text, state, observed))
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
