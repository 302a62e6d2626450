//! Present addresses in what was written under old ones: references and dependencies.

use std::sync::Arc;

use indexmap::IndexMap;
use tcloud_model::{Address, Fields, Value};

use super::Facts;

impl Facts<'_> {
    /// Puts present addresses into the references of attributes.
    pub(super) fn translate(&mut self) {
        for known in &self.known {
            if let Some(previous) = &known.previous {
                self.renamed.insert(previous.clone(), known.object.address.clone());
            }
        }
        for known in &mut self.known {
            let Some(stamp) = known.stamp() else { continue };
            if self.renamed.is_empty() && stamp.dependencies.is_sorted() {
                known.dependencies = Arc::clone(&stamp.dependencies);
                continue;
            }
            let now = |address: &Address| self.renamed.get(address).unwrap_or(address).clone();
            let mut dependencies: Vec<Address> = stamp.dependencies.iter().map(now).collect();
            dependencies.sort();
            known.dependencies = dependencies.into();
        }
        if self.renamed.is_empty() {
            return;
        }
        for (index, known) in self.known.iter_mut().enumerate() {
            let stamp = known.stamp().into_iter().flat_map(|stamp| &*stamp.dependencies);
            let mut target = stamp.filter_map(|address| self.renamed.get(address)).next().cloned();
            for fields in [&known.applied, &known.found, &known.pending].into_iter().flatten() {
                target = target.or_else(|| first_renamed(fields, &self.renamed));
            }
            let all = [&mut known.applied, &mut known.found, &mut known.pending];
            for fields in all.into_iter().flatten() {
                if let Some(translated) = renamed_fields(fields, &self.renamed) {
                    *fields = Arc::new(translated);
                }
            }
            if let Some(target) = target.filter(|_| known.live.is_some()) {
                self.touched.insert(index, target);
            }
        }
    }
}

/// The fields with references under their new addresses; `None` when there is nothing to change.
fn renamed_fields(fields: &Fields, renamed: &IndexMap<Address, Address>) -> Option<Fields> {
    let mut affected = false;
    for (_, value) in fields.iter() {
        value.each_reference(&mut |address| affected |= renamed.contains_key(address));
    }
    affected.then(|| {
        fields.iter().map(|(name, value)| (name.clone(), renamed_value(value, renamed))).collect()
    })
}

fn first_renamed(fields: &Fields, renamed: &IndexMap<Address, Address>) -> Option<Address> {
    let mut first = None;
    for (_, value) in fields.iter() {
        value.each_reference(&mut |address| {
            if first.is_none() {
                first = renamed.get(address).cloned();
            }
        });
    }
    first
}

fn renamed_value(value: &Value, renamed: &IndexMap<Address, Address>) -> Value {
    match value {
        Value::Ref(address) => Value::Ref(renamed.get(address).unwrap_or(address).clone()),
        Value::List(items) => {
            Value::list(items.iter().map(|item| renamed_value(item, renamed)).collect())
        }
        Value::Map(fields) => renamed_fields(fields, renamed)
            .map_or_else(|| Value::Map(Arc::clone(fields)), Value::map),
        other => other.clone(),
    }
}
