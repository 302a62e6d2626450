//! Compares what a provider answered with what was planned. Providers are not trusted: an answer
//! that contradicts the plan is a failure, whatever it calls itself.

use tcloud_model::{
    Address, AttrPath, Fields, Identity, ObservedObject, Operation, OperationKind, Stamp, Value,
};

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
    if !object.is(&operation.kind, &operation.identity) || object.name != operation.identity.name {
        let (kind, name) = (&object.kind, &object.name);
        return Err(about_else(format!("the answer is about {kind} \"{}\"", name.escape_debug())));
    }
    match &operation.action {
        OperationKind::Create { attributes, stamp }
        | OperationKind::Update { attributes, stamp, .. }
        | OperationKind::Migrate { attributes, stamp, .. } => {
            check_stamp(object, stamp)?;
            check_attributes(operation, attributes, &object.persistent())
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
        Some(stamp) if stamp.deployment == planned.deployment => {
            let message = format!("its stamp says {}, of another content", stamp.address);
            Err(about_object(message))
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
