//! Reads every secret that a plan needs, once and before anything is changed, and puts them into
//! operations just before a provider is called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tcloud_model::value::SecretPart;
use tcloud_model::{Fields, Operation, Value};
use tcloud_planner::plan::Plan;
use tokio::task::JoinSet;

use crate::outside::{SecretError, SecretText, Secrets};

/// The secrets of a run, by their source.
#[derive(Debug, Default)]
pub(crate) struct Revealed(BTreeMap<String, SecretText>);

/// Reads what the steps of a plan need, some at the same time. If several cannot be had, the first by
/// name is the error.
pub(crate) async fn reveal(
    plan: &Plan,
    from: &Arc<dyn Secrets>,
    at_once: usize,
) -> Result<Revealed, SecretError> {
    let mut sources = BTreeSet::new();
    for step in &plan.steps {
        if let Some(attributes) = step.operation.as_ref().and_then(|own| own.action.attributes()) {
            attributes.iter().for_each(|(_, value)| collect(value, &mut sources));
        }
    }
    let mut waiting = sources.into_iter();
    let mut asked = JoinSet::new();
    let mut answers = BTreeMap::new();
    loop {
        while asked.len() < at_once.max(1)
            && let Some(source) = waiting.next()
        {
            let (source, from) = (source.to_owned(), Arc::clone(from));
            asked.spawn(async move { (from.resolve(&source).await, source) });
        }
        match asked.join_next().await {
            Some(Ok((answer, source))) => drop(answers.insert(source, answer)),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => break,
        }
    }
    let all: Result<_, SecretError> =
        answers.into_iter().map(|(source, answer)| Ok((source, answer?))).collect();
    Ok(Revealed(all?))
}

fn collect<'v>(value: &'v Value, sources: &mut BTreeSet<&'v str>) {
    match value {
        Value::Secret(parts) => sources.extend(parts.iter().filter_map(|part| match part {
            SecretPart::Source(source) => Some(&**source),
            SecretPart::Text(_) => None,
        })),
        Value::List(items) => items.iter().for_each(|item| collect(item, sources)),
        Value::Map(fields) => fields.iter().for_each(|(_, value)| collect(value, sources)),
        _ => {}
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(items) => items.iter().any(holds_secret),
        Value::Map(fields) => fields.iter().any(|(_, value)| holds_secret(value)),
        _ => false,
    }
}

impl Revealed {
    /// The operation with its secrets in place, for the provider only.
    pub(crate) fn put_into(&self, operation: &Operation) -> Operation {
        let mut operation = operation.clone();
        if let Some(attributes) = operation.action.attributes_mut()
            && attributes.iter().any(|(_, value)| holds_secret(value))
        {
            *attributes = Arc::new(self.fields(attributes));
        }
        operation
    }

    fn fields(&self, fields: &Fields) -> Fields {
        fields.iter().map(|(name, value)| (name.clone(), self.value(value))).collect()
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Secret(parts) => {
                let text = parts.iter().map(|part| match part {
                    SecretPart::Text(plain) => &**plain,
                    SecretPart::Source(source) => self.0[&**source].reveal(),
                });
                Value::text(&text.collect::<String>())
            }
            Value::List(items) => Value::list(items.iter().map(|item| self.value(item)).collect()),
            Value::Map(fields) => Value::map(self.fields(fields)),
            other => other.clone(),
        }
    }
}
