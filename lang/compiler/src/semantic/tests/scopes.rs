//! Which tenant and which site something lies in.

use super::{Text, cidr, refs, to};
use tcloud_model::Value;

#[test]
fn tenants_and_sites_of_components_are_tenants_and_sites() {
    let base = |expose_to: &[&str]| {
        let shared = [("cidr", cidr("10.0.0.0/24")), ("expose_to", refs(expose_to))];
        Text::default()
            .with("town.x", &[])
            .with("town.x.tenant.a", &[("quota.vms", Value::Int(0))])
            .with("town.x.tenant.a.network.n", &shared)
            .with("town.x.tenant.a.vm.v", &[])
            .with("town.y.tenant.b", &[("sites", refs(&["town.y.site.s"]))])
            .with("town.y.tenant.b.vm.v", &[("nic.n.network", to("town.x.tenant.a.network.n"))])
            .with("town.y.site.s", &[])
            .with("town.y.site.t", &[])
            .with("town.y.site.t.host.h", &[])
            .with("town.y.tenant.b.vm.w", &[("host", to("town.y.site.t.host.h"))])
            .messages()
    };
    let codes = |found: &[String]| -> Vec<String> {
        found.iter().map(|text| text[..5].to_owned()).collect()
    };
    assert_eq!(codes(&base(&[])), ["E0501", "E0601", "E0603"]);
    assert_eq!(codes(&base(&["town.y.tenant.b"])), ["E0501", "E0603"]);
}
