//! What the text asks for, and the planner's window on the compiler.

use std::sync::Arc;

use crate::{Address, AttrPath, ByAddress, Diagnostic, Digest, Fields, Name, Span, Value};

/// All resources and statements of a configuration, after evaluation.
#[derive(Debug, Default)]
pub struct DesiredGraph {
    /// Everything declared – facts such as hosts and tenants too – sorted by address.
    pub resources: ByAddress<Address, DesiredResource>,
    /// `moved A -> B`
    pub moved: Vec<Moved>,
    /// `adopt A from "name" on host.kvm1`
    pub adopted: Vec<Adoption>,
    /// `forget A`
    pub forgotten: Vec<Forgotten>,
    /// Digest of every source text and parameter, for the plan file.
    pub digest: Option<Digest>,
}

/// A resource that the text declares.
#[derive(Clone, Debug)]
pub struct DesiredResource {
    /// Where it stands.
    pub address: Address,
    /// The attributes that the text sets and the defaults of its kind. Nested blocks are maps:
    /// once-only blocks by their name, labelled blocks as a map from label to fields. A VM's
    /// inline disks are resources of their own (`vm.x.disk.root`), the VM's `disk` map refers to
    /// them in `volume`. Attributes that wait for the planner's assignments are missing.
    pub attributes: Arc<Fields>,
    /// What it needs first: every object that its attributes refer to, `after`, and its owner.
    pub dependencies: Vec<Address>,
    /// How it is to be treated.
    pub lifecycle: Lifecycle,
    /// Whether attributes wait for values that the planner assigns; see [`Evaluator::configure`].
    pub deferred: bool,
    /// The head of its block in the text.
    pub span: Span,
}

/// Lifecycle attributes, allowed in every managed block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifecycle {
    /// `protect = …`; `None` when the text is silent and the kind's default holds.
    pub protect: Option<bool>,
    /// `create_first = true`
    pub create_first: bool,
    /// `ignore = [attr]`: differences in these are left alone.
    pub ignore: Vec<AttrPath>,
    /// The values of `replace_when = [expr]`; a change of one replaces the object.
    pub replace_when: Vec<Value>,
    /// `existing KIND NAME`: somebody else's, never changed.
    pub existing: bool,
}

/// `moved A -> B`: the object that was called A is now called B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The old address; may be a scope, which moves everything inside.
    pub from: Address,
    /// The new address.
    pub to: Address,
    /// The statement.
    pub span: Span,
}

/// `adopt A from "name-or-uuid" on host.kvm1`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// What it is to become.
    pub address: Address,
    /// Name or UUID on the hypervisor.
    pub from: String,
    /// The host that it runs on.
    pub host: Address,
    /// The statement.
    pub span: Span,
}

/// `forget A`: no longer ours, but stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// What to forget; may be a scope.
    pub address: Address,
    /// The statement.
    pub span: Span,
}

/// Values that the planner assigns and that the text may read: the address and MAC of a NIC, the
/// host of a VM, the host and pool of a volume or disk.
pub trait Assigned: Sync {
    /// The value of an attribute of a resource or NIC, if it was assigned.
    fn get(&self, address: &Address, attribute: &str) -> Option<Value>;
}

/// Nothing is assigned.
impl Assigned for () {
    fn get(&self, _: &Address, _: &str) -> Option<Value> {
        None
    }
}

/// An evaluated `output`.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its scope and name: `tenant.a.citizen-portal.main.address`.
    pub name: Name,
    /// Its documentation comment, empty when there is none.
    pub doc: String,
    /// Its value.
    pub value: Value,
}

/// An evaluated `check`: which assertion failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The name of the check, with its scope.
    pub name: Name,
    /// The failures; empty when it holds.
    pub failures: Vec<Diagnostic>,
}

/// What the planner may ask of a configuration; the compiler's `Program` implements it. Everything
/// is pure: the same questions give the same answers, whoever asks at the same time.
pub trait Evaluator: Sync {
    /// What the text asks for.
    fn desired(&self) -> &DesiredGraph;

    /// The attributes of a resource whose [`DesiredResource::deferred`] is set, now that values
    /// were assigned.
    ///
    /// # Errors
    /// What is wrong with the text, now that it can be evaluated.
    fn configure(
        &self,
        address: &Address,
        assigned: &dyn Assigned,
    ) -> Result<Arc<Fields>, Vec<Diagnostic>>;

    /// The ranges of the text that give an attribute its value: the attribute itself first, then
    /// what flows into it (a parameter, a `let`, a `defaults` block). Empty when the kind's default
    /// applies. With `None`, the head of the resource's block.
    fn causes(&self, address: &Address, path: Option<&AttrPath>) -> Vec<Span>;

    /// All outputs, sorted by name.
    ///
    /// # Errors
    /// What is wrong with their expressions.
    fn outputs(&self, assigned: &dyn Assigned) -> Result<Vec<Output>, Vec<Diagnostic>>;

    /// All checks, sorted by name.
    fn checks(&self, assigned: &dyn Assigned) -> Vec<Check>;
}
