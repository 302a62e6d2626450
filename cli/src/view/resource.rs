//! One resource: as the text wants it, as it was last applied, as it runs, and what a plan would do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use tcloud_model::{Address, Fields, ObjectId, ObservedObject, Position, Record, Value};
use tcloud_planner::plan::Change;
use tcloud_report::text::host_name;

use crate::escape::escape;
use crate::terminal::{Palette, Tone};
use crate::view::plan::row;

/// What is known of a resource.
pub(crate) struct Resource<'a> {
    /// Its address.
    pub(crate) address: &'a Address,
    /// Where it stands in the text, if it does.
    pub(crate) place: Option<Position>,
    /// Its attributes by the text, with defaults.
    pub(crate) desired: Option<&'a Fields>,
    /// What it needs first.
    pub(crate) needs: &'a [Address],
    /// What needs it.
    pub(crate) needed_by: Vec<Address>,
    /// Its objects on the hosts.
    pub(crate) objects: Vec<Object<'a>>,
    /// What the plan would do.
    pub(crate) changes: Vec<&'a Change>,
}

/// An object of it on a host.
pub(crate) struct Object<'a> {
    /// Which.
    pub(crate) id: ObjectId,
    /// As it was last applied.
    pub(crate) record: Option<&'a Record>,
    /// As it runs.
    pub(crate) observed: Option<&'a ObservedObject>,
}

impl Resource<'_> {
    /// As text.
    pub(crate) fn text(&self, palette: Palette) -> String {
        let place = self.place.as_ref().map(|place| format!("   {}", escape(&place.to_string())));
        let mut text = format!(
            "{}{}\n",
            palette.paint(Tone::Strong, &self.address.to_string()),
            palette.paint(Tone::Faint, &place.unwrap_or_default())
        );
        if let Some(desired) = self.desired {
            text.push_str("\nas written\n");
            fields(&mut text, desired);
        } else {
            text.push_str("\nThe text does not declare it.\n");
        }
        for object in &self.objects {
            object.text(&mut text, self.desired, palette);
        }
        let list = |text: &mut String, head: &str, all: &[Address]| {
            if !all.is_empty() {
                let _ = write!(text, "\n{head}\n");
                for address in all {
                    let _ = writeln!(text, "  {address}");
                }
            }
        };
        list(&mut text, "needs", self.needs);
        list(&mut text, "is needed by", &self.needed_by);
        for change in &self.changes {
            self.change(&mut text, change, palette);
        }
        if self.changes.is_empty() {
            text.push_str("\nA plan would change nothing here.\n");
        }
        text
    }

    fn change(&self, text: &mut String, change: &Change, palette: Palette) {
        let head = format!(
            "the next apply would {} it on {}: {}",
            change.action.word(),
            host_name(&change.object.host),
            tcloud_report::text::reason(&change.reason)
        );
        let _ = write!(text, "\n{}\n", palette.paint(Tone::Strong, &head));
        let _ = writeln!(text, "  impact {}", change.impact);
        if change.waits {
            let what = if change.now().is_some() { "what needs a power-cycle " } else { "" };
            let _ = writeln!(text, "  {what}waits until the guest is next stopped and started");
        }
        if let Some(window) = tcloud_report::text::window(change) {
            let _ = writeln!(text, "  {window}");
        }
        for attribute in &change.attributes {
            let cause = attribute.causes.first().or(change.causes.first());
            let cause = cause.map(|place| format!("   {}", escape(&place.to_string())));
            let _ = writeln!(
                text,
                "  {}: {}{}",
                row::attribute(attribute),
                attribute.impact,
                palette.paint(Tone::Faint, &cause.unwrap_or_default())
            );
        }
        for guest in change.guests.iter().filter(|guest| *guest != self.address) {
            let _ = writeln!(text, "  is noticed by {guest}");
        }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let objects: Vec<serde_json::Value> = self.objects.iter().map(Object::json).collect();
        json!({
            "address": self.address,
            "place": self.place,
            "desired": self.desired,
            "needs": self.needs,
            "needed_by": self.needed_by,
            "objects": objects,
            "changes": self.changes,
        })
    }
}

impl Object<'_> {
    fn text(&self, text: &mut String, desired: Option<&Fields>, palette: Palette) {
        let _ = write!(text, "\non {}", self.id.host);
        if self.id.incarnation > 0 {
            let _ = write!(text, ", incarnation {}", self.id.incarnation);
        }
        if let Some(object) = self.observed {
            let _ = write!(text, ", called {}", escape(&object.name));
            if let Some(uuid) = object.uuid {
                let _ = write!(text, " ({uuid})");
            }
            match object.running {
                Some(true) => text.push_str(", running"),
                Some(false) => text.push_str(", stopped"),
                None => {}
            }
            if let Some(written) = object.written {
                let size = tcloud_model::value::human_size(written);
                let _ = write!(text, ", {size} written");
            }
        } else {
            text.push_str(", not there");
        }
        text.push('\n');
        let flat = |fields: Option<&Fields>| fields.map(flatten).unwrap_or_default();
        let wanted = flat(desired);
        let applied = flat(self.record.map(|record| &*record.attributes));
        let live = flat(self.observed.map(|object| &*object.attributes));
        let pending = flat(self.observed.map(|object| &*object.pending));
        for (path, value) in &live {
            let mut notes = Vec::new();
            match applied.get(path) {
                Some(applied) if applied != value => notes.push(format!("applied: {applied}")),
                _ => {}
            }
            match wanted.get(path) {
                Some(wanted) if wanted != value => notes.push(format!("written: {wanted}")),
                _ => {}
            }
            if let Some(next) = pending.get(path) {
                notes.push(format!("at its next start: {next}"));
            }
            let notes = match notes.is_empty() {
                true => String::new(),
                false => palette.paint(Tone::Warning, &format!("   ({})", notes.join(", "))),
            };
            let _ = writeln!(text, "  {} = {value}{notes}", escape(path));
        }
        for (path, next) in pending.iter().filter(|(path, _)| !live.contains_key(*path)) {
            let next = palette.paint(Tone::Warning, &format!("(at its next start: {next})"));
            let _ = writeln!(text, "  {}   {next}", escape(path));
        }
        for kept in self.observed.iter().flat_map(|object| &object.kept) {
            let _ = writeln!(text, "  kept as it is: {}", escape(kept));
        }
        for hold in self.observed.iter().flat_map(|object| &object.holds) {
            let told = format!("held: {}; {}", hold.because, hold.help);
            let _ = writeln!(text, "  {}", palette.paint(Tone::Warning, &escape(&told)));
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "host": self.id.host,
            "incarnation": self.id.incarnation,
            "applied": self.record.map(|record| &record.attributes),
            "live": self.observed,
        })
    }
}

fn fields(text: &mut String, fields: &Fields) {
    for (path, value) in flatten(fields) {
        let _ = writeln!(text, "  {} = {value}", escape(&path));
    }
}

/// What was last applied to an object, as text.
pub(crate) fn record(object: &ObjectId, record: &Record) -> String {
    let mut text = format!("{object}, called {} there", escape(&record.identity.name));
    let _ = writeln!(text, " ({})", record.identity.uuid);
    if record.stamp.protect {
        text.push_str("  is protected\n");
    }
    fields(&mut text, &record.attributes);
    text
}

/// The fields with those of nested blocks, each with its path.
pub(crate) fn flatten(fields: &Fields) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, fields: &Fields, all: &mut BTreeMap<String, Value>) {
        for (name, value) in fields.iter() {
            let path =
                if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
            match value {
                Value::Map(inner) if !inner.is_empty() => walk(&path, inner, all),
                value => {
                    all.insert(path, value.clone());
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    walk("", fields, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use tcloud_model::Name;

    use super::*;

    #[test]
    fn what_differs_stands_beside_what_runs() {
        let address: Address = "tenant.a.vm.b".parse().expect("an address");
        let memory = |gib: u64| -> Fields {
            [(Name::new("memory"), Value::Bytes(gib << 30))].into_iter().collect()
        };
        let observed = ObservedObject {
            kind: Name::new("vm"),
            name: Name::new("a.b"),
            uuid: None,
            stamp: None,
            attributes: memory(6).into(),
            pending: memory(8).into(),
            written: None,
            running: Some(true),
            kept: vec!["floppy drive \u{1b}fda".to_owned()],
            holds: Vec::new(),
            room: None,
        };
        let desired = memory(4);
        let id = ObjectId {
            address: address.clone(),
            host: "site.s.host.kvm1".parse().expect("an address"),
            incarnation: 1,
        };
        let resource = Resource {
            address: &address,
            place: None,
            desired: Some(&desired),
            needs: &[],
            needed_by: vec![],
            objects: vec![Object { id, record: None, observed: Some(&observed) }],
            changes: vec![],
        };
        let text = resource.text(Palette::PLAIN);
        assert!(
            text.contains("memory = 6GiB   (written: 4GiB, at its next start: 8GiB)"),
            "{text}"
        );
        assert!(text.contains("incarnation 1, called a.b, running"), "{text}");
        assert!(text.contains("kept as it is: floppy drive \\u{1b}fda\n"), "{text}");
    }
}
