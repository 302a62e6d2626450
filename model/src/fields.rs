//! Fields as trees: one laid over another, and values at paths.

use crate::{Fields, Name, Value};

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
