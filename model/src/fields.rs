//! The named values of a resource: fields, also as trees, laid over one another and at paths.

use std::sync::Arc;

use crate::{Address, Name, Value};

/// Named values, sorted by name: the attributes of a resource, an object or a map. A sorted list
/// and not a tree, because there are half a million of them and most hold fewer than ten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(Name, Value)>);

impl Fields {
    /// No fields, as a constant.
    pub const EMPTY: Fields = Fields(Vec::new());

    /// No fields.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        // Asked for most often of all. In a short list, comparing lengths first beats a search.
        if self.0.len() <= 24 {
            return self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        }
        self.position(name).ok().map(|at| &self.0[at].1)
    }

    /// Sets a field and returns what it held before.
    pub fn insert(&mut self, name: impl Into<Name>, value: Value) -> Option<Value> {
        let name = name.into();
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            self.0.push((name, value));
            return None;
        }
        match self.position(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Gives back the room that is not used: fields live as long as a plan, and there are many. They
    /// move, since mimalloc leaves what shrinks by less than half where it is (`mi_realloc`).
    #[must_use]
    pub fn compact(self) -> Fields {
        if self.0.len() == self.0.capacity() {
            return self;
        }
        let mut exact = Vec::with_capacity(self.0.len());
        exact.extend(self.0);
        Fields(exact)
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.position(name).ok().map(|at| self.0.remove(at).1)
    }

    /// All fields in the order of their names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Name, &Value)> + ExactSizeIterator {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.as_str().cmp(name))
    }

    /// A field as a whole number, a size, a rate or a duration in its base unit.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.number()
    }

    /// A text field.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A field that is `true` or `false`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A field that refers to an object.
    pub fn reference(&self, name: &str) -> Option<&Address> {
        match self.get(name)? {
            Value::Ref(address) => Some(address),
            _ => None,
        }
    }

    /// The fields of a nested block or object.
    pub fn map(&self, name: &str) -> Option<&Arc<Fields>> {
        match self.get(name)? {
            Value::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// The elements of a list; nothing when there is no such list.
    pub fn list(&self, name: &str) -> &[Value] {
        match self.get(name) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }
}

impl FromIterator<(Name, Value)> for Fields {
    /// Later fields win over earlier ones of the same name.
    fn from_iter<I: IntoIterator<Item = (Name, Value)>>(fields: I) -> Fields {
        let fields = fields.into_iter();
        let (least, most) = fields.size_hint();
        let mut all = Vec::with_capacity(most.unwrap_or(least));
        all.extend(fields);
        Fields::from(all).compact()
    }
}

impl From<Vec<(Name, Value)>> for Fields {
    /// Later fields win over earlier ones of the same name.
    fn from(mut fields: Vec<(Name, Value)>) -> Fields {
        if !fields.is_sorted_by(|(a, _), (b, _)| a < b) {
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            fields.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Fields(fields)
    }
}

impl Fields {
    /// These fields with others laid over them: nested fields are merged, and [`Value::None`]
    /// takes a field away.
    pub fn overlaid(&self, over: &Fields) -> Fields {
        let mut all = self.clone();
        for (name, value) in over.iter() {
            match (value, all.get(name)) {
                (Value::None, _) => {
                    all.remove(name);
                }
                (Value::Map(over), Some(Value::Map(under))) => {
                    let merged = Value::map(under.overlaid(over));
                    all.insert(name.clone(), merged);
                }
                _ => {
                    all.insert(name.clone(), value.clone());
                }
            }
        }
        all
    }

    /// What has to be laid over these fields to make them `wanted`: the inverse of
    /// [`Fields::overlaid`] for fields without [`Value::None`].
    pub fn difference(&self, wanted: &Fields) -> Fields {
        let mut differs = Fields::new();
        for (name, value) in wanted.iter() {
            match (value, self.get(name)) {
                (value, Some(own)) if value == own => {}
                (Value::Map(wanted), Some(Value::Map(own))) => {
                    differs.insert(name.clone(), Value::map(own.difference(wanted)));
                }
                _ => {
                    differs.insert(name.clone(), value.clone());
                }
            }
        }
        for (name, _) in self.iter().filter(|(name, _)| wanted.get(name).is_none()) {
            differs.insert(name.clone(), Value::None);
        }
        differs
    }

    /// The value at a path of names, if there is one.
    pub fn at(&self, path: &[Name]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        match (rest, self.get(first)?) {
            ([], value) => Some(value),
            (rest, Value::Map(inner)) => inner.at(rest),
            _ => None,
        }
    }

    /// Sets or removes the value at a path of names; fields on the way are made.
    pub fn put(&mut self, path: &[Name], value: Option<Value>) {
        let Some((first, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            match value {
                Some(value) => self.insert(first.clone(), value),
                None => self.remove(first),
            };
            return;
        }
        let mut inner = match self.get(first) {
            Some(Value::Map(inner)) => Fields::clone(inner),
            _ if value.is_none() => return,
            _ => Fields::new(),
        };
        inner.put(rest, value);
        self.insert(first.clone(), Value::map(inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn laying_the_difference_over_gives_what_was_wanted() {
        let own = fields(r#"{"a":1,"b":{"x":1,"y":2},"c":{"z":1}}"#);
        let wanted = fields(r#"{"a":2,"b":{"x":1,"w":{"v":1}},"d":3}"#);
        let differs = own.difference(&wanted);
        assert_eq!(differs, fields(r#"{"a":2,"b":{"w":{"v":1},"y":null},"c":null,"d":3}"#));
        assert_eq!(own.overlaid(&differs), wanted);
        assert!(own.difference(&own).is_empty());
    }
}
