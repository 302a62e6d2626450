//! What is seen of an object, in the words in which it was asked for. A hypervisor has other words,
//! fills in what was left open, and has no words at all for some things. So what is there is
//! compared with what asking the same again would give: where that agrees, what was asked holds.

use tcloud_model::{Fields, Value};

/// The attributes to show: `kept` is what was asked for, `asked` how the host would show that, and
/// `now` how it shows what there is. What the host shows otherwise is shown as it is there, and
/// [`Value::None`] for what is no longer set.
pub(crate) fn shown(kept: &Fields, asked: &Fields, now: &Fields) -> Fields {
    let mut fields = kept.clone();
    for (name, value) in now.iter().filter(|(name, value)| asked.get(name) != Some(value)) {
        fields.insert(name.clone(), value.clone());
    }
    for (name, _) in asked.iter().filter(|(name, _)| now.get(name).is_none()) {
        fields.insert(name.clone(), Value::None);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_holds_until_the_host_says_otherwise() {
        let fields = |json| serde_json::from_str::<Fields>(json).expect(json);
        let kept = fields(r#"{"rate":9,"free":"x","mtu":1500}"#);
        let asked = fields(r#"{"rate":8,"gateway":"a","mtu":1500}"#);
        assert_eq!(shown(&kept, &asked, &asked), kept);
        let now = fields(r#"{"rate":16,"gateway":"b"}"#);
        let seen = fields(r#"{"rate":16,"free":"x","gateway":"b","mtu":null}"#);
        assert_eq!(shown(&kept, &asked, &now), seen);
    }
}
