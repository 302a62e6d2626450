//! What is there after a plan, told from its steps and from what is there now. So it holds also when
//! others have changed something since the plan was made.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, Fields, ObjectId, OperationKind};

use crate::facts::{Facts, Known};
use crate::plan::Plan;
use crate::size::until_next_start;
use crate::usage::Holding;

/// What something has when its attributes are written and, if it is a guest that runs, it runs on.
fn running_on(facts: &Facts<'_>, object: &ObjectId, wanted: &Arc<Fields>) -> Arc<Fields> {
    let mut known = facts.of(&object.address).iter();
    let runs = wanted.flag("running") != Some(false);
    let known = known.find(|known| runs && known.object == *object && known.runs());
    let kept = known.and_then(|known| until_next_start(wanted, known.attributes()?));
    kept.map_or_else(|| Arc::clone(wanted), Arc::new)
}

/// The objects of some kinds, before and after the steps of a plan.
pub(crate) struct Outcome<'p> {
    facts: &'p Facts<'p>,
    counts: fn(&Address) -> bool,
    /// What steps remove.
    goes: IndexSet<&'p ObjectId>,
    /// What steps make or change, with its host afterwards.
    comes: IndexMap<&'p ObjectId, (&'p Address, Arc<Fields>)>,
    /// Volumes that a guest takes along, and where to.
    carried: IndexMap<&'p ObjectId, &'p Address>,
}

impl<'p> Outcome<'p> {
    pub(crate) fn of(
        plan: &'p Plan,
        facts: &'p Facts<'p>,
        counts: fn(&Address) -> bool,
    ) -> Outcome<'p> {
        let (goes, comes, carried) = Default::default();
        let mut outcome = Outcome { facts, counts, goes, comes, carried };
        for operation in plan.steps.iter().filter_map(|step| step.operation.as_ref()) {
            let object = &operation.object;
            match &operation.action {
                OperationKind::Create { attributes, .. }
                | OperationKind::Update { attributes, power_cycle: true, .. } => {
                    outcome.comes.insert(object, (&object.host, Arc::clone(attributes)));
                }
                OperationKind::Update { attributes, power_cycle: false, .. } => {
                    let attributes = running_on(facts, object, attributes);
                    outcome.comes.insert(object, (&object.host, attributes));
                }
                OperationKind::Migrate { to, volumes, attributes, .. } => {
                    let attributes = running_on(facts, object, attributes);
                    outcome.comes.insert(object, (&to.host, attributes));
                    outcome.carried.extend(volumes.iter().map(|(own, _)| (own, &to.host)));
                }
                OperationKind::Delete => {
                    outcome.goes.insert(object);
                }
                OperationKind::Stamp { .. } | OperationKind::Unstamp => {}
            }
        }
        outcome.comes.retain(|object, _| counts(&object.address));
        outcome
    }

    /// Whether nothing is made or changed.
    pub(crate) fn is_only_less(&self) -> bool {
        self.comes.is_empty()
    }

    /// What there is now.
    pub(crate) fn before(&self) -> impl Iterator<Item = Holding<'p>> {
        self.facts.known.iter().filter_map(|known| self.held(known))
    }

    /// What there is now and the plan leaves as it is.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Holding<'p>> {
        let is_left = |known: &&Known<'_>| {
            !self.goes.contains(&known.object) && !self.comes.contains_key(&known.object)
        };
        let kept = self.facts.known.iter().filter(is_left);
        kept.filter_map(|known| {
            let held = self.held(known)?;
            Some(Holding { host: self.carried.get(&known.object).unwrap_or(&held.host), ..held })
        })
    }

    /// What the plan makes or changes, as it is afterwards.
    pub(crate) fn made(&self) -> impl Iterator<Item = Holding<'_>> {
        self.comes.iter().map(|(object, (host, attributes))| Holding {
            address: &object.address,
            host,
            attributes,
        })
    }

    /// What there is afterwards.
    pub(crate) fn after(&self) -> impl Iterator<Item = Holding<'_>> {
        self.kept().chain(self.made())
    }

    fn held(&self, known: &'p Known<'_>) -> Option<Holding<'p>> {
        let (address, host) = (&known.object.address, &known.object.host);
        let attributes = known.attributes()?;
        (known.exists() && (self.counts)(address)).then_some(Holding { address, host, attributes })
    }
}
