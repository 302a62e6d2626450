//! Who may read what. References that survive in a value are checked when the graph is finished
//! (`semantic::tenancy`); of an attribute that was read only its value is left then, so that it is
//! looked at here.

use tcloud_model::{Address, Span, Value};

use super::state::InstanceId;
use super::{Eval, Evaluated};
use crate::semantic::{hidden, tenant_of};

impl Eval<'_> {
    /// Refuses to read what another tenant than that of the reading scope has not exposed. What
    /// stands outside of all tenants belongs to the data centre, which may read all of them.
    pub(super) fn may_read(
        &mut self,
        reader: InstanceId,
        id: InstanceId,
        at: Span,
    ) -> Evaluated<()> {
        let (Some(own), Some(target)) = (self.nearest_address(reader), self.nearest_address(id))
        else {
            return Ok(());
        };
        // The most frequent case: a tenant that reads what is its own.
        if own.top() == target.top() && own.top().kind() == "tenant" {
            return Ok(());
        }
        let (Some(tenant), Some(owner)) = (tenant_of(own), tenant_of(target)) else {
            return Ok(());
        };
        // The tenant itself may be named, with its title and its sites.
        if owner == tenant || owner == target {
            return Ok(());
        }
        let (tenant, target) = (tenant.clone(), target.clone());
        self.asking = at;
        if self.is_exposed_to(id, &tenant)? {
            return Ok(());
        }
        let owner = tenant_of(&target).map_or("", |owner| owner.name().as_str());
        let diagnostic = hidden(at, &target, &tenant);
        Err(self.report(match target.kind().as_str() {
            "network" => diagnostic.help(format!(
                "{owner} can offer it: `network {} {{ expose_to = [{tenant}] }}`",
                target.last_name()
            )),
            kind => diagnostic.help(format!(
                "only networks can be exposed to another tenant, a {kind} never; {owner} can give \
                 this value as an `output`"
            )),
        }))
    }

    /// The address of an instance, or of the nearest one around it that has one.
    fn nearest_address(&self, id: InstanceId) -> Option<&Address> {
        let mut at = Some(id);
        while let Some(id) = at {
            let instance = self.state.get(id);
            if instance.address.is_some() {
                return instance.address.as_ref();
            }
            at = instance.parent;
        }
        None
    }

    /// Whether an instance is, or stands in, a network whose owner lists a tenant.
    fn is_exposed_to(&mut self, id: InstanceId, tenant: &Address) -> Evaluated<bool> {
        let mut at = Some(id);
        while let Some(id) = at {
            if self.info(id).is_some_and(|info| info.is_kind("network")) {
                let listed = self.attribute(id, "expose_to")?;
                let Some(Value::List(listed)) = listed else { return Ok(false) };
                return Ok(listed.iter().any(|value| value.as_ref_address() == Some(tenant)));
            }
            at = self.state.get(id).parent;
        }
        Ok(false)
    }
}
