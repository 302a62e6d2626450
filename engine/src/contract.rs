//! Compares what a provider answered with what was planned. Providers are not trusted: an answer
//! that contradicts the plan is a failure, whatever it calls itself.

use tcloud_model::kinds::{STOPPED, TRANSIENT};
use tcloud_model::{
    Address, AttrPath, Fields, Identity, ObservedObject, Operation, OperationKind, Stamp, Value,
};

use crate::settle::carries;

/// How an answer contradicts the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// What is different, in words.
    pub(crate) message: String,
    /// Whether the answer is about the planned object at all.
    pub(crate) about: About,
}

/// What a contradicting answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The planned object, which is otherwise than planned.
    Object,
    /// Another object, or none where there has to be one: the object has to be looked at.
    SomethingElse,
}

/// Whether the answer is what was planned.
pub(crate) fn check(
    operation: &Operation,
    answer: Option<&ObservedObject>,
) -> Result<(), Mismatch> {
    let object = match (&operation.action, answer) {
        (OperationKind::Delete, None) | (OperationKind::Unstamp, None) => return Ok(()),
        (OperationKind::Delete, Some(_)) => return Err(about_object("it is still there".into())),
        (_, None) => return Err(about_else("there is no object".into())),
        (_, Some(object)) => object,
    };
    // Without a stamp nothing says what a volume is for, nor its UUID.
    let is_meant = operation.action == OperationKind::Unstamp
        || object.is(&operation.kind, &operation.identity);
    if !is_meant || object.name != operation.identity.name {
        let (kind, name) = (&object.kind, &object.name);
        return Err(about_else(format!("the answer is about {kind} \"{}\"", name.escape_debug())));
    }
    match &operation.action {
        OperationKind::Create { attributes, stamp }
        | OperationKind::Update { attributes, stamp, .. }
        | OperationKind::Migrate { attributes, stamp, .. } => {
            check_stamp(object, stamp)?;
            check_attributes(operation, attributes, &object.persistent())?;
            check_force(&operation.action, object)
        }
        OperationKind::Stamp { stamp, .. } => check_stamp(object, stamp),
        OperationKind::Unstamp if object.stamp.is_none() => Ok(()),
        OperationKind::Unstamp => Err(about_object("it still carries our stamp".into())),
        OperationKind::Delete => unreachable!("BUG: deletions are answered above"),
    }
}

fn about_object(message: String) -> Mismatch {
    Mismatch { message, about: About::Object }
}

fn about_else(message: String) -> Mismatch {
    Mismatch { message, about: About::SomethingElse }
}

fn check_stamp(object: &ObservedObject, planned: &Stamp) -> Result<(), Mismatch> {
    match &object.stamp {
        Some(stamp) if stamp == planned => Ok(()),
        Some(stamp) if carries(object, planned) => {
            let message = format!("its stamp says {}, of another content", stamp.address);
            Err(about_object(message))
        }
        Some(stamp) if stamp.deployment == planned.deployment => {
            Err(about_else(format!("its stamp says {}", stamp.address)))
        }
        Some(_) => Err(about_else("it carries the stamp of another deployment".into())),
        None => Err(about_else("it does not carry our stamp".into())),
    }
}

fn check_attributes(
    operation: &Operation,
    planned: &Fields,
    answered: &Fields,
) -> Result<(), Mismatch> {
    match first_difference(&operation.references, planned, answered) {
        None => Ok(()),
        Some(Difference { path, planned, answered }) => {
            Err(about_object(format!("{path} is {answered} instead of {planned}")))
        }
    }
}

/// Whether what stands in the definition is in force, where that was planned.
fn check_force(action: &OperationKind, object: &ObservedObject) -> Result<(), Mismatch> {
    if object.is_unfinished() {
        return Err(about_object("it is not complete".into()));
    }
    let (creates, changed, cycled) = match action {
        OperationKind::Create { .. } => (true, &[][..], &[][..]),
        OperationKind::Update { changed, power_cycle, .. } => {
            (false, &changed[..], if *power_cycle { &changed[..] } else { &[] })
        }
        _ => (false, &[][..], &[][..]),
    };
    for (what, told) in [(STOPPED, "it is not started"), (TRANSIENT, "it is not defined")] {
        let named = || changed.iter().any(|path| path.first().is_some_and(|own| *own == what));
        if object.attributes.flag(what) == Some(true) && (creates || named()) {
            return Err(about_object(told.into()));
        }
    }
    let waits = |path: &&AttrPath| path.first().is_some_and(|n| object.pending.get(n).is_some());
    match cycled.iter().find(waits) {
        None => Ok(()),
        Some(path) => Err(about_object(format!("{path} still waits for a stop and start"))),
    }
}

/// A planned value that is otherwise in fact.
pub(crate) struct Difference<'a> {
    pub(crate) path: AttrPath,
    pub(crate) planned: &'a Value,
    pub(crate) answered: &'a Value,
}

/// The first planned value that the answer contradicts. What the answer leaves out could not be
/// read, and what it adds was not planned: neither contradicts.
pub(crate) fn first_difference<'a>(
    references: &[(Address, Identity)],
    planned: &'a Fields,
    answered: &'a Fields,
) -> Option<Difference<'a>> {
    fn compare<'a>(
        references: &[(Address, Identity)],
        path: &mut Vec<&'a tcloud_model::Name>,
        planned: &'a Fields,
        answered: &'a Fields,
    ) -> Option<Difference<'a>> {
        for (name, planned) in planned.iter() {
            let Some(answered) = answered.get(name) else { continue };
            path.push(name);
            let found = match (planned, answered) {
                (Value::Map(planned), Value::Map(answered)) => {
                    compare(references, path, planned, answered)
                }
                (planned, answered) if agrees(references, planned, answered) => None,
                (planned, answered) => {
                    let steps =
                        path.iter().map(|name| tcloud_model::PathStep::Field((*name).clone()));
                    Some(Difference { path: AttrPath(steps.collect()), planned, answered })
                }
            };
            if found.is_some() {
                return found;
            }
            path.pop();
        }
        None
    }
    compare(references, &mut Vec::new(), planned, answered)
}

fn agrees(references: &[(Address, Identity)], planned: &Value, answered: &Value) -> bool {
    match (planned, answered) {
        // What a secret is stands in no plan, so that nothing can contradict it.
        (Value::Secret(_), _) => true,
        (Value::Ref(address), Value::Text(name)) => {
            let known = references.binary_search_by(|(own, _)| own.cmp(address)).ok();
            known.is_some_and(|at| *references[at].1.name == **name)
        }
        (Value::List(planned), Value::List(answered)) => {
            planned.len() == answered.len()
                && planned.iter().zip(answered.iter()).all(|(p, a)| agrees(references, p, a))
        }
        (Value::Map(planned), Value::Map(answered)) => {
            first_difference(references, planned, answered).is_none()
        }
        (planned, answered) => planned == answered,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tcloud_model::kinds::UNFINISHED;
    use tcloud_model::{Deployment, FieldsDigest, Name, ObjectId};

    use super::*;

    /// A guest after an update of its CPUs: what holds now, and what waits.
    fn judged(power_cycle: bool, now: &[(&str, Value)], waits: &[(&str, Value)]) -> Option<String> {
        let fields = |all: &[(&str, Value)]| {
            let all = all.iter().map(|(name, value)| (Name::new(name), value.clone()));
            Arc::new(all.collect::<Fields>())
        };
        let deployment = Deployment::new("test");
        let object = ObjectId {
            address: "tenant.t.vm.web".parse().expect("an address"),
            host: "site.m.host.kvm1".parse().expect("an address"),
            incarnation: 0,
        };
        let identity = Identity::derive(&deployment, &object, true);
        let attributes = fields(&[("vcpus", Value::Int(4))]);
        let stamp = Stamp {
            deployment: deployment.id,
            address: object.address.clone(),
            incarnation: 0,
            digest: FieldsDigest::Of(Arc::clone(&attributes)),
            protect: false,
            create_first: false,
            dependencies: Arc::default(),
            triggers: None,
            previous: None,
            generation: 0,
        };
        let found = ObservedObject {
            kind: Name::new("vm"),
            name: identity.name.clone(),
            uuid: Some(identity.uuid),
            stamp: Some(stamp.clone()),
            attributes: fields(now),
            pending: fields(waits),
            written: None,
            running: Some(true),
            kept: Vec::new(),
            holds: Vec::new(),
            room: None,
        };
        let changed = [STOPPED, "vcpus"].map(|name| AttrPath::attribute(Name::new(name))).to_vec();
        let operation = Operation {
            object,
            kind: Name::new("vm"),
            identity,
            action: OperationKind::Update { attributes, changed, power_cycle, stamp },
            references: Vec::new(),
        };
        check(&operation, Some(&found)).err().map(|mismatch| mismatch.message)
    }

    #[test]
    fn what_is_defined_has_to_be_in_force_where_that_was_planned() {
        let (two, four) = ([("vcpus", Value::Int(2))], [("vcpus", Value::Int(4))]);
        let yes = |name| (name, Value::Bool(true));
        assert_eq!(judged(true, &four, &[]), None);
        assert_eq!(judged(false, &two, &four), None, "it may wait");
        let told = judged(true, &two, &four);
        assert_eq!(told.as_deref(), Some("vcpus still waits for a stop and start"));
        let told = judged(false, &[four[0].clone(), yes(STOPPED)], &[]);
        assert_eq!(told.as_deref(), Some("it is not started"));
        assert_eq!(judged(false, &[four[0].clone(), yes(TRANSIENT)], &[]), None, "not asked for");
        let told = judged(false, &[four[0].clone(), yes(UNFINISHED)], &[]);
        assert_eq!(told.as_deref(), Some("it is not complete"));
    }
}
