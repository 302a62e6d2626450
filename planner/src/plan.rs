//! The plan: what is to be done, what it does to running guests, and why. Every fact that a view
//! shows is computed here, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tcloud_model::{
    Address, AttrPath, Deployment, Digest, Fields, Impact, Moment, Name, ObjectId, Operation,
    OperationKind, Position, Record, Value,
};

pub use crate::guest::{AddressChange, AddressKind, Condition, GuestImpact, Interruption};
pub use crate::reach::{Border, Exposure, Party, Place, Way};
pub use crate::reserve::Reserve;

/// What a run would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which deployment.
    pub deployment: Deployment,
    /// Digest of the configuration that it was made from.
    pub configuration: Option<Digest>,
    /// Everything that changes, sorted by address and host. Unchanged objects are only counted.
    pub changes: Vec<Change>,
    /// Attributes that somebody changed by hand, whether or not the plan changes them back.
    pub drift: Vec<Drift>,
    /// What has to be agreed to before it may be applied.
    pub decisions: Vec<Decision>,
    /// What each running guest notices, the worst first; the same facts as in the changes, put together
    /// by guest. See [`crate::guest::estimate`] for how long it is down.
    pub guests: Vec<GuestImpact>,
    /// Who newly reaches whom and who no longer does, worst first; what only concerns new guests
    /// and networks stands at the end, with [`Exposure::created`] set. Empty when networks, rules and
    /// NICs stay as they are.
    pub exposure: Vec<Exposure>,
    /// What to do, in which order.
    pub steps: Vec<Step>,
    /// Quotas and capacities, before and after.
    pub usage: Vec<Usage>,
    /// What is left in each site when the host fails that would be missed most, before and after.
    pub reserves: Vec<Reserve>,
    /// Guests whose persistent definition waits for a power cycle, and this plan leaves it so.
    pub pending: Vec<Pending>,
    /// Outputs of the configuration as they will be, sorted by name.
    pub outputs: Vec<tcloud_model::Output>,
    /// Objects of ours that stay as they are.
    pub unchanged: usize,
    /// How many objects the run is not about (`--target`, `--exclude`): whether they would change is
    /// not said.
    pub left_out: usize,
    /// Objects on the hosts that are not ours; never touched.
    pub foreign: usize,
    /// What could not be checked, in words: hosts that did not answer, and the like.
    pub unchecked: Vec<String>,
}

/// What happens to one resource, on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The object as it will be, or as it was for deletions.
    pub object: ObjectId,
    /// Its kind.
    pub kind: Name,
    /// What happens.
    pub action: Action,
    /// What it does to running guests: the worst over its attributes and what it drags along.
    pub impact: Impact,
    /// For [`Impact::PowerCycle`]: the guest is left alone and the change waits for its next stop
    /// and start.
    pub waits: bool,
    /// When the guest's window opens, for what waits: a plan that is made from then on takes it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Moment>,
    /// When the window closes in which the guest is stopped and started: from then on that is not
    /// begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Why, in one sentence.
    pub reason: Reason,
    /// The attributes that differ.
    pub attributes: Vec<AttributeChange>,
    /// Where in the text it comes from, worst first; empty for deletions and drift.
    pub causes: Vec<Position>,
    /// The address that it had before, for moves.
    pub previous_address: Option<Address>,
    /// The host that it comes from, for migrations.
    pub previous_host: Option<Address>,
    /// Running guests that notice: the guest itself, or those on a network or volume.
    pub guests: Vec<Address>,
    /// For what holds data and loses it: bytes written, if known.
    pub written: Option<u64>,
}

/// What happens to an object. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Create,
    /// It changes in place.
    Update,
    /// It is removed.
    Delete,
    /// It is removed and made again, in this order.
    ReplaceDeleteFirst,
    /// It is made again before the old one is removed.
    ReplaceCreateFirst,
    /// A live object becomes ours. What changes on it besides is among the attributes.
    Adopt,
    /// Its address changed. What changes on it besides is among the attributes.
    Move,
    /// The same VM or volume, on another host.
    Migrate,
    /// We stop managing it; it stays.
    Forget,
}

/// Why a change happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The text declares it and it does not exist.
    New,
    /// It existed and somebody removed it.
    Vanished,
    /// The text differs from what was last applied.
    Text,
    /// What runs differs from what was last applied.
    Drift,
    /// The text no longer declares it.
    Removed,
    /// The run is to destroy it.
    Destroy,
    /// `--replace` names it.
    Requested,
    /// A value of `replace_when` changed.
    ReplaceWhen,
    /// Something that it cannot live without is replaced.
    Follows(Address),
    /// A step failed before; an old incarnation is still there.
    Leftover,
    /// A creation was interrupted or failed half-way.
    Unfinished,
    /// `adopt`, `moved`, `forget`.
    Statement,
    /// Its host is drained, gone or no longer allowed, or the text names another.
    Placement,
}

/// One attribute that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeChange {
    /// Which.
    pub path: AttrPath,
    /// What it is now.
    pub before: Option<Value>,
    /// What it will be.
    pub after: Option<Value>,
    /// What changing it costs.
    pub impact: Impact,
    /// Whether the difference was made by hand and not by the text.
    pub drift: bool,
    /// Whether it would be made at once, if the running guest had a free slot for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_room: bool,
    /// Where in the text.
    pub causes: Vec<Position>,
}

/// Something that was changed outside of tcloud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// What.
    pub object: ObjectId,
    /// Its kind.
    pub kind: Name,
    /// The attributes, with what was applied as `before` and what is live as `after`. Empty when
    /// the whole object vanished.
    pub attributes: Vec<AttributeChange>,
    /// Whether the object is gone.
    pub vanished: bool,
}

/// A guest with changes that wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The guest.
    pub object: ObjectId,
    /// The attributes that wait, with their live and their waiting value.
    pub attributes: Vec<AttributeChange>,
    /// When its window opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Moment>,
}

/// Something that a person has to agree to, by naming it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// `D1`, `D2` … in the order of the plan.
    pub id: String,
    /// What is at stake.
    pub kind: DecisionKind,
    /// What it is about.
    pub address: Address,
    /// In one sentence.
    pub message: String,
    /// What to write or pass instead, or to agree.
    pub help: String,
    /// The tenants that have to agree, sorted: whose data it is, or both ends of what opens. Empty
    /// for what belongs to no tenant.
    pub owners: Vec<Address>,
    /// Whose signature counts, where an owner asks for one (`approvers`): no flag stands in for it, and
    /// every owner that asks has to have one. Sorted; empty where a flag is enough.
    pub approvers: Vec<String>,
    /// Whether consent was given for this run.
    pub agreed: bool,
}

/// What is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionKind {
    /// Data is destroyed: `--allow data-loss=ADDRESS`.
    DataLoss,
    /// Something protected is destroyed: `--allow destroy=ADDRESS`.
    Protected,
    /// Guests of another tenant, or the world, newly reach guests that are there already:
    /// `--allow exposure=ADDRESS`, with the address of their network.
    Exposure,
}

/// One line of the table of quotas and capacities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// A tenant, a host or a pool.
    pub owner: Address,
    /// The host, for pools.
    pub host: Option<Address>,
    /// `vcpus`, `memory`, `storage`, `vms`, `addresses`.
    pub resource: Name,
    /// In use now.
    pub before: u64,
    /// In use afterwards.
    pub after: u64,
    /// The most that is allowed, with overcommit and reserve; `None` when there is no limit.
    pub limit: Option<u64>,
    /// Whether the amounts are bytes.
    pub bytes: bool,
}

/// Index into [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its own index.
    pub id: StepId,
    /// Index into [`Plan::changes`], for views.
    pub change: u32,
    /// What to ask of a provider; `None` when only the record changes (an object that is already
    /// gone, a record that drift made wrong).
    pub operation: Option<Operation>,
    /// What the object has to be when the step begins.
    pub expects: Expectation,
    /// What is remembered afterwards: records to write (`Some`) and to remove (`None`).
    pub records: Vec<(ObjectId, Option<Arc<Record>>)>,
    /// Steps that have to be finished first, sorted.
    pub after: Vec<StepId>,
}

/// What was observed of an object when the plan was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// It was not there.
    Absent,
    /// It was there, with this digest over its stamp and attributes.
    Present(Digest),
    /// An earlier step of the plan makes it what it has to be.
    Earlier,
}

/// How many changes there are of each action and impact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// By what is done, see [`Change::deed`].
    pub actions: BTreeMap<Action, usize>,
    /// By impact, only changes to what exists.
    pub impacts: BTreeMap<Impact, usize>,
}

impl Plan {
    /// A plan with nothing in it.
    pub fn empty(deployment: Deployment) -> Plan {
        Plan {
            deployment,
            configuration: None,
            changes: Vec::new(),
            drift: Vec::new(),
            decisions: Vec::new(),
            guests: Vec::new(),
            exposure: Vec::new(),
            steps: Vec::new(),
            usage: Vec::new(),
            reserves: Vec::new(),
            pending: Vec::new(),
            outputs: Vec::new(),
            unchanged: 0,
            left_out: 0,
            foreign: 0,
            unchecked: Vec::new(),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether it changes more than addresses in the text and what is remembered of objects.
    pub fn changes_what_runs(&self) -> bool {
        self.changes.iter().any(|change| {
            !matches!(change.action, Action::Move | Action::Update)
                || change.impact != Impact::None
                || !change.attributes.is_empty()
        })
    }

    /// Whether decisions are open.
    pub fn needs_decision(&self) -> bool {
        self.decisions.iter().any(|decision| !decision.agreed)
    }

    /// The attributes of what each change makes, if it makes something.
    pub fn made(&self) -> Vec<Option<&Fields>> {
        let mut made = vec![None; self.changes.len()];
        for step in &self.steps {
            let action = step.operation.as_ref().map(|operation| &operation.action);
            if let Some(OperationKind::Create { attributes, .. }) = action
                && let Some(own) = made.get_mut(step.change as usize)
            {
                *own = Some(&**attributes);
            }
        }
        made
    }

    /// When the window closes in which a step stops its guest, if it does that for a window.
    pub fn closes(&self, step: &Step) -> Option<&Moment> {
        let change = self.changes.get(step.change as usize).filter(|_| step.stops());
        change.and_then(|change| change.until.as_ref())
    }

    /// Counts the changes.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for change in &self.changes {
            *summary.actions.entry(change.deed()).or_default() += 1;
            if change.action != Action::Create {
                *summary.impacts.entry(change.impact).or_default() += 1;
            }
        }
        summary
    }
}

impl Step {
    /// Whether it stops a guest, to start it again or not.
    pub fn stops(&self) -> bool {
        let action = self.operation.as_ref().map(|operation| &operation.action);
        matches!(action, Some(OperationKind::Update { power_cycle: true, .. }))
    }
}

impl Change {
    /// What it does to running guests in this run: where the worst of it waits, the worst of the
    /// rest; `None` when all of it waits. A guest that goes to another host does so now.
    pub fn now(&self) -> Option<Impact> {
        if !self.waits || self.action == Action::Migrate {
            return Some(self.impact);
        }
        let attributes = self.attributes.iter().map(|own| own.impact);
        attributes.filter(|own| (Impact::Live..Impact::PowerCycle).contains(own)).max()
    }

    /// Whether guests that notice it are down for it, in this run.
    pub fn interrupts(&self) -> bool {
        self.now().is_some_and(|now| now >= Impact::PowerCycle)
    }

    /// What is done to the object: where another name or another owner is the least of it, it is changed.
    pub fn deed(&self) -> Action {
        match self.action {
            Action::Adopt | Action::Move if self.impact > Impact::None => Action::Update,
            action => action,
        }
    }

    /// Whether a guest is stopped in this run, and started again.
    pub fn power_cycles(&self) -> bool {
        self.deed() == Action::Update
            && self.now() == Some(Impact::PowerCycle)
            && !self.switches_off()
    }

    /// Whether it stops a guest that is not started again: the text says `running = false`.
    pub fn switches_off(&self) -> bool {
        let off = |own: &AttributeChange| {
            own.path == AttrPath::attribute("running") && own.after == Some(Value::Bool(false))
        };
        self.impact == Impact::PowerCycle && self.attributes.iter().any(off)
    }
}

impl DecisionKind {
    /// What `--allow` calls it.
    pub fn word(self) -> &'static str {
        match self {
            DecisionKind::DataLoss => "data-loss",
            DecisionKind::Protected => "destroy",
            DecisionKind::Exposure => "exposure",
        }
    }
}

impl Action {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst => "replace",
            Action::Adopt => "adopt",
            Action::Move => "move",
            Action::Migrate => "migrate",
            Action::Forget => "forget",
        }
    }
}
