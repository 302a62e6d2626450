//! Attributes by their paths.

use tcloud_model::{AttrPath, Fields, Name, PathStep, Value};

/// Fields as they shall be: those that there are, with the changed ones as they are given.
pub(super) fn changed(now: &Fields, given: &Fields, paths: &[AttrPath]) -> Fields {
    let given = without_none(given);
    let mut wanted = now.clone();
    for path in paths {
        let path = steps(path);
        let value = at(&given, &path).cloned();
        put(&mut wanted, &path, value);
        let Some(top) = path.first() else { continue };
        if given.get(top).is_none() && wanted.map(top).is_some_and(|map| map.is_empty()) {
            wanted.remove(top);
        }
    }
    wanted
}

/// Fields without those that are not there.
pub(super) fn without_none(fields: &Fields) -> Fields {
    let set = fields.iter().filter(|(_, value)| **value != Value::None);
    set.map(|(name, value)| match value {
        Value::Map(inner) => (name.clone(), Value::map(without_none(inner))),
        other => (name.clone(), other.clone()),
    })
    .collect()
}

/// The fields of a path, down to the first position in a list: lists are changed whole.
fn steps(path: &AttrPath) -> Vec<Name> {
    let names = path.0.iter().map_while(|step| match step {
        PathStep::Field(name) => Some(name.clone()),
        PathStep::Index(_) => None,
    });
    names.collect()
}

fn at<'a>(fields: &'a Fields, path: &[Name]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    match (rest, fields.get(first)?) {
        ([], value) => Some(value),
        (rest, Value::Map(inner)) => at(inner, rest),
        _ => None,
    }
}

fn put(fields: &mut Fields, path: &[Name], value: Option<Value>) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match value {
            Some(value) => fields.insert(first.clone(), value),
            None => fields.remove(first),
        };
        return;
    }
    let mut inner = match fields.get(first) {
        Some(Value::Map(inner)) => Fields::clone(inner),
        _ if value.is_none() => return,
        _ => Fields::new(),
    };
    put(&mut inner, rest, value);
    fields.insert(first.clone(), Value::map(inner));
}
