//! What changes to an object besides its attributes: what its stamp says, and whether its guest is
//! stopped.

use tcloud_model::{Address, AttrPath, Impact, Room, Timestamp, Value, kinds};

use crate::draft::Draft;
use crate::facts::Known;
use crate::layout::Wanted;
use crate::plan::AttributeChange;
use crate::remember::triggers;
use crate::restart::Restart;

/// What the stamp has to say differently: it outlives the block in the text.
pub(crate) fn lifecycle(
    wanted: &Wanted<'_>,
    known: &Known<'_>,
    changes: bool,
) -> Vec<AttributeChange> {
    let Some(stamp) = known.stamp() else { return Vec::new() };
    let mut differs = Vec::new();
    let mut push = |name: &str, before: Option<Value>, after: Option<Value>| {
        differs.push(AttributeChange {
            path: AttrPath::attribute(name),
            before,
            after,
            impact: Impact::None,
            drift: false,
            no_room: false,
            causes: Vec::new(),
        });
    };
    if stamp.protect != wanted.protect {
        push("protect", Some(Value::Bool(stamp.protect)), Some(Value::Bool(wanted.protect)));
    }
    if stamp.create_first != wanted.create_first {
        let (before, after) = (stamp.create_first, wanted.create_first);
        push("create_first", Some(Value::Bool(before)), Some(Value::Bool(after)));
    }
    if stamp.triggers != triggers(wanted) {
        let values = &wanted.resource.lifecycle.replace_when;
        push("replace_when", None, Some(Value::list(values.clone())));
    }
    if !changes && known.previous.is_none() && !known.depends_on(&wanted.dependencies) {
        let refs = |all: &[Address]| Value::list(all.iter().cloned().map(Value::Ref).collect());
        push("after", Some(refs(&known.dependencies)), Some(refs(&wanted.dependencies)));
    }
    differs
}

/// What changes to a guest mean for it: whether it is stopped, and whether that waits.
pub(crate) fn power(wanted: &Wanted<'_>, known: &Known<'_>, now: Timestamp, draft: &mut Draft) {
    let is_guest = wanted.schema.kind == "vm";
    if is_guest && !known.runs() {
        for change in draft.attributes.iter_mut().filter(|c| c.impact == Impact::PowerCycle) {
            change.impact = Impact::Live;
        }
    }
    if let Some(room) = known.live.and_then(|live| live.room).filter(|_| known.runs()) {
        crowd(room, &mut draft.attributes);
    }
    let running = AttrPath::attribute("running");
    let stops = draft
        .attributes
        .iter()
        .any(|change| change.path == running && change.after == Some(Value::Bool(false)));
    draft.impact =
        draft.attributes.iter().map(|change| change.impact).max().unwrap_or(Impact::None);
    if draft.impact != Impact::PowerCycle || !is_guest {
        return;
    }
    match Restart::of(&wanted.resource.attributes, now) {
        _ if stops => draft.power_cycle = true,
        Restart::Now(until) => (draft.power_cycle, draft.until) = (true, until),
        Restart::Waits(opens) => (draft.waits, draft.opens) = (true, opens),
    }
}

/// What there is no room for in a running guest waits for its next start.
fn crowd(mut room: Room, changes: &mut [AttributeChange]) {
    let plugs =
        |change: &&mut AttributeChange| matches!(change.impact, Impact::Live | Impact::LiveGuest);
    for change in changes.iter_mut().filter(plugs) {
        let (before, after) = (&change.before, &change.after);
        let left = match (&change.path.names()[..], before, after) {
            ([block, _], None, Some(Value::Map(own))) if kinds::needs_slot(block, own) => {
                &mut room.devices
            }
            ([name], Some(Value::Bytes(old)), Some(Value::Bytes(new)))
                if *name == "memory" && new > old =>
            {
                &mut room.modules
            }
            _ => continue,
        };
        match left.checked_sub(1) {
            Some(rest) => *left = rest,
            None => {
                change.impact = Impact::PowerCycle;
                change.no_room = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tcloud_model::Fields;

    use super::*;

    fn set(path: &str, before: Option<Value>, after: Value) -> AttributeChange {
        AttributeChange {
            path: AttrPath::parse(path),
            before,
            after: Some(after),
            impact: Impact::Live,
            drift: false,
            no_room: false,
            causes: Vec::new(),
        }
    }

    #[test]
    fn what_finds_no_slot_waits_and_says_why() {
        let nic = || {
            let own: Fields = [("model".into(), Value::text("virtio"))].into_iter().collect();
            Value::map(own)
        };
        let mut changes = [
            set("nic.a", None, nic()),
            set("nic.b", None, nic()),
            set("title", None, Value::text("t")),
            set("memory", Some(Value::Bytes(1)), Value::Bytes(2)),
        ];
        crowd(Room { devices: 1, modules: 0 }, &mut changes);
        let told: Vec<_> = changes.iter().map(|own| (own.impact, own.no_room)).collect();
        let (live, waits) = ((Impact::Live, false), (Impact::PowerCycle, true));
        assert_eq!(told, [live, waits, live, waits]);
    }
}
