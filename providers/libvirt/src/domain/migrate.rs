//! Moving a guest to another host.

use tcloud_model::{Fields, HostTarget, Identity, ObjectId, Operation, Stamp};

use crate::failure::{Failure, quoted};
use crate::site::Call;

impl Call<'_> {
    /// Moves a guest with its volumes.
    pub(super) fn migrate_guest(
        &self,
        operation: &Operation,
        to: &HostTarget,
        volumes: &[(ObjectId, Identity)],
        (attributes, stamp): (&Fields, &Stamp),
    ) -> Result<(), Failure> {
        let _ = (volumes, attributes, stamp);
        Failure::refused(format!(
            "guest {} cannot be moved to {}: moving guests between libvirt hosts is not possible \
             yet. Stop it, copy its volumes, and let tcloud make it there",
            quoted(&operation.identity.name),
            to.host
        ))
    }
}
