//! Guests that stay where they are whatever the text says now: those that are not selected, are
//! forgotten, or belong to others. A host's copy of a network cannot go from under them.

use indexmap::IndexMap;
use tcloud_model::{Address, Fields};

use super::Table;
use crate::facts::Facts;
use crate::follow::each_attachment;

/// Networks on hosts, each with one of the guests that stay in it, in words.
pub(super) type Staying = IndexMap<(Address, Address), String>;

impl<'a> Table<'_, 'a> {
    /// Who stays in a network on a host, although the text wants nobody there.
    pub(super) fn stays_in(
        &mut self,
        facts: &Facts<'a>,
        network: &Address,
        host: &Address,
    ) -> Option<String> {
        let staying = self.staying.take().unwrap_or_else(|| self.staying(facts));
        let holder = staying.get(&(network.clone(), host.clone())).cloned();
        self.staying = Some(staying);
        holder
    }

    fn staying(&self, facts: &Facts<'a>) -> Staying {
        let mut staying = Staying::new();
        let mut add = |fields: &Fields, host: &Address, who: &dyn Fn() -> String| {
            each_attachment(fields, |_, _, _, attached| {
                if attached.kind() == "network" {
                    staying.entry((attached.clone(), host.clone())).or_insert_with(who);
                }
            });
        };
        for known in facts.known.iter().filter(|known| known.kind() == "vm" && known.exists()) {
            let address = &known.object.address;
            let leaves = self.selection.selects(address)
                && self.selection.forgets(address).is_none()
                && known.answered;
            if let Some(fields) = known.attributes().filter(|_| !leaves) {
                add(fields, &known.object.host, &|| address.to_string());
            }
        }
        for ((host, kind, name), live) in &facts.foreign {
            if **kind == "vm" {
                add(&live.attributes, host, &|| format!("the guest {name}, which is not ours,"));
            }
        }
        staying
    }
}
