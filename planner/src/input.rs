//! What a plan is made from.

use std::collections::BTreeSet;

use tcloud_model::{
    Address, Catalog, Deployment, Evaluator, ObservedState, Sources, State, Timestamp,
};

use crate::plan::{Decision, DecisionKind};

/// The facts and wishes that a plan is a function of.
pub struct Input<'a> {
    /// Which deployment.
    pub deployment: &'a Deployment,
    /// What the text asks for.
    pub evaluator: &'a dyn Evaluator,
    /// The text, to say where causes are.
    pub sources: &'a Sources,
    /// What the kinds are and what changes cost.
    pub catalog: &'a Catalog,
    /// What was last applied.
    pub state: &'a State,
    /// What runs.
    pub observed: &'a ObservedState,
    /// What time it is: guests may have windows in which they are restarted.
    pub now: Timestamp,
    /// What the user wants of this run.
    pub wishes: &'a Wishes,
}

/// What the user wants of a run.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// Make it as the text says, take everything down, or only bring the record up to date.
    pub goal: Goal,
    /// Only these addresses, what lies in them and what they need; globs. Empty means everything.
    pub target: Vec<String>,
    /// Not these addresses, nor what needs them; globs.
    pub exclude: Vec<String>,
    /// Make these anew; globs.
    pub replace: Vec<String>,
    /// Data whose loss is agreed to, each named.
    pub allow_data_loss: BTreeSet<Address>,
    /// Protected objects whose destruction is agreed to, each named.
    pub allow_destroy: BTreeSet<Address>,
    /// Networks that more may reach than before, each named.
    pub allow_exposure: BTreeSet<Address>,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// What the text says.
    Apply,
    /// Nothing of ours is left.
    Destroy,
    /// The record matches what runs; nothing is changed on any host.
    Refresh,
}

impl Wishes {
    /// Whether the user has named what a decision is about. Who gives up the data of something
    /// gives it up as a whole.
    pub fn allows(&self, decision: &Decision) -> bool {
        let address = &decision.address;
        match decision.kind {
            DecisionKind::DataLoss => self.allow_data_loss.contains(address),
            DecisionKind::Protected => {
                self.allow_destroy.contains(address) || self.allow_data_loss.contains(address)
            }
            DecisionKind::Exposure => self.allow_exposure.contains(address),
        }
    }
}
