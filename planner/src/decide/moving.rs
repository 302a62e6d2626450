//! Moves to another host that cannot be made.

use tcloud_model::{Address, AttrPath, Diagnostic, Value, codes};

use super::Table;
use crate::facts::Known;
use crate::layout::Wanted;

impl<'a> Table<'_, 'a> {
    /// What is carried to another host keeps its stamp on the way, so that its name waits.
    pub(super) fn refuse_to_rename(&mut self, wanted: &Wanted<'a>, known: &Known<'a>) {
        let address = &wanted.resource.address;
        let Some(old) = &known.previous else { return };
        // A disk has the name of its guest, which is told.
        if address.kind() == "disk" && old.parent() != address.parent() {
            return;
        }
        let (kind, name) = (address.kind(), address.last_name());
        let message = format!("{kind} `{name}` gets another name and another host in one plan");
        let from = &known.object.host;
        let problem = Diagnostic::error(codes::E0912, wanted.resource.span, message)
            .label(format!("is {old} on {from}"))
            .help(format!(
                "apply the new name first, with `host = {from}`, and then the other host"
            ));
        self.problems.push(problem);
    }

    /// A guest that is made on another host than it had, where its own disks cannot follow it.
    pub(super) fn refuse_to_carry(&mut self, wanted: &Wanted<'a>, from: &Address, to: &Address) {
        let disks = wanted.attributes.map("disk").into_iter().flat_map(|disks| disks.iter());
        let mut own = disks.filter_map(|(_, disk)| match disk {
            Value::Map(disk) => disk.reference("volume"),
            _ => None,
        });
        if from != to && own.any(|volume| volume.kind() == "disk") {
            self.refuse_to_move(wanted, from, to);
        }
    }

    /// Hosts whose guests cannot be moved. What stands inside a guest goes with it.
    pub(super) fn refuse_to_move(&mut self, wanted: &Wanted<'a>, from: &Address, to: &Address) {
        let moves = |host: &Address| {
            let facts = self.input.observed.host(host).and_then(|host| host.facts.as_ref());
            facts.is_some_and(|facts| facts.migrates)
        };
        let address = &wanted.resource.address;
        if (moves(from) && moves(to)) || address.kind() == "disk" {
            return;
        }
        let path = AttrPath::attribute("host");
        let spans = self.input.evaluator.causes(address, Some(&path));
        let span = spans.first().copied().unwrap_or(wanted.resource.span);
        let (kind, name) = (address.kind(), address.last_name());
        let message = format!("{kind} `{name}` cannot be moved from {from} to {to}");
        let problem = Diagnostic::error(codes::E0912, span, message)
            .label("its hosts cannot move what they run")
            .help(format!(
                "leave it on {from}; or stop it, copy its data, take it out of the text with \
                 `forget`, and declare it anew on {to}"
            ));
        self.problems.push(problem);
    }
}
