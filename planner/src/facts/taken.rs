//! Which identities objects of ours have already: nothing new is given one of them.

use indexmap::IndexSet;
use tcloud_model::{Address, Identity, Name};
use uuid::Uuid;

use super::gather::is_made_anew;
use crate::input::Input;

/// What recorded and observed objects of ours have, and what was given since.
#[derive(Debug)]
pub(super) struct Taken {
    uuids: IndexSet<Uuid>,
    /// Names on their hosts.
    names: IndexSet<(Address, Name)>,
}

impl Taken {
    /// What is taken before anything is created.
    pub(super) fn of(input: &Input<'_>) -> Taken {
        let room = input.state.records.len().max(input.evaluator.desired().resources.len());
        let (uuids, names) = (IndexSet::with_capacity(room), IndexSet::with_capacity(room));
        let mut taken = Taken { uuids, names };
        for (id, record) in &input.state.records {
            taken.uuids.insert(record.identity.uuid);
            taken.names.insert((id.host.clone(), record.identity.name.clone()));
        }
        for host in &input.observed.hosts {
            for live in &host.objects {
                let stamp = live.stamp.as_ref().filter(|s| s.deployment == input.deployment.id);
                if stamp.is_some_and(|stamp| !is_made_anew(input, live, stamp)) {
                    taken.uuids.extend(live.uuid);
                    taken.names.insert((host.host.clone(), live.name.clone()));
                }
            }
        }
        taken
    }

    /// Takes an identity on a host, if its UUID and its name are free.
    pub(super) fn take(&mut self, host: &Address, identity: &Identity) -> bool {
        !self.uuids.contains(&identity.uuid)
            && self.names.insert((host.clone(), identity.name.clone()))
            && self.uuids.insert(identity.uuid)
    }
}
