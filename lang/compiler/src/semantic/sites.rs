//! What stands in one site and refers to another, and tenants outside their sites.

use tcloud_model::{Address, DesiredResource, Diagnostic, Fields, Value, codes};

use super::facts::{Facts, Tenant, path_to, site_of};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for (resource, tenant) in &facts.owned {
        let Some((address, tenant)) = facts.tenant(*tenant) else { continue };
        if tenant.sites.is_some() && resource.address != *address {
            permitted(facts, resource, tenant, found);
        }
    }
    for host in &facts.hosts {
        same_site(facts, host, "zone", found);
        reserve(facts, host, found);
    }
    for pool in &facts.pools {
        same_site(facts, pool, "hosts", found);
    }
    for network in facts.networks.values() {
        same_site(facts, network.resource, "zone", found);
    }
    for vm in &facts.vms {
        machine(facts, vm.resource, found);
    }
    for storage in &facts.storage {
        beside(facts, storage.resource, found);
    }
}

/// Everything of a tenant that names a site, or something in one, keeps to the tenant's sites.
fn permitted(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    tenant: &Tenant<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let outside = |target: &Address| site_of(target).is_some_and(|site| !tenant.may_use(site));
    for (name, value) in resource.attributes.iter() {
        // Packets may come from anywhere; nothing of the tenant runs there.
        if name == "allow" {
            continue;
        }
        let mut first: Option<&Address> = None;
        value.each_reference(&mut |target| {
            if outside(target) {
                first = first.or(Some(target));
            }
        });
        let Some(site) = first.and_then(site_of) else { continue };
        let path = match value {
            Value::Map(inner) => {
                path_to(inner, &outside).map_or(name.to_string(), |rest| format!("{name}.{rest}"))
            }
            _ => name.to_string(),
        };
        let who = tenant.resource.address.name();
        let allowed = tenant.sites.unwrap_or_default();
        let names: Vec<String> = allowed.iter().map(Value::to_string).collect();
        let help = if names.is_empty() {
            format!("add it to the tenant: `sites = [{site}]`")
        } else {
            format!("its sites are {}; add this one there, or use one of them", names.join(", "))
        };
        found.push(
            Diagnostic::error(
                codes::E0603,
                facts.span(resource, &path),
                format!("tenant {who} may not use site `{}`", site.last_name()),
            )
            .label(format!("lies in {site}"))
            .also(facts.span(tenant.resource, "sites"), "the sites of the tenant")
            .help(help),
        );
    }
}

/// A host's zone and a pool's hosts stand in their own site.
fn same_site(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    attribute: &str,
    found: &mut Vec<Diagnostic>,
) {
    let Some(own) = site_of(&resource.address) else { return };
    let Some(value) = resource.attributes.get(attribute) else { return };
    let mut first: Option<&Address> = None;
    value.each_reference(&mut |target| {
        if site_of(target).is_some_and(|site| site != own) {
            first = first.or(Some(target));
        }
    });
    if let Some((target, site)) = first.and_then(|target| Some((target, site_of(target)?))) {
        found.push(elsewhere(facts, resource, attribute, target, site, own));
    }
}

/// The host of a VM stands in the site of the VM.
fn machine(facts: &Facts<'_>, vm: &DesiredResource, found: &mut Vec<Diagnostic>) {
    let (Some(host), Some(site)) =
        (vm.attributes.reference("host"), vm.attributes.reference("site"))
    else {
        return;
    };
    if let Some(other) = site_of(host).filter(|other| *other != site) {
        found.push(
            elsewhere(facts, vm, "host", host, other, site)
                .also(facts.span(vm, "site"), "the VM has to run here"),
        );
    }
}

/// The pool of a VM's own disk stands in the site of the VM.
fn beside(facts: &Facts<'_>, storage: &DesiredResource, found: &mut Vec<Diagnostic>) {
    let own = |fields: &Fields| -> Option<(Address, &'static str)> {
        let host = fields.reference("host").and_then(site_of).map(|site| (site.clone(), "host"));
        host.or_else(|| fields.reference("site").map(|site| (site.clone(), "site")))
    };
    let Some(pool) = storage.attributes.reference("pool") else { return };
    let Some(vm) = storage.address.parent().and_then(|vm| facts.graph.resources.get(vm)) else {
        return;
    };
    let (Some(site), Some((own, reason))) = (site_of(pool), own(&vm.attributes)) else { return };
    if *site != own {
        found.push(
            elsewhere(facts, storage, "pool", pool, site, &own)
                .also(facts.span(vm, reason), format!("the VM runs in {own}")),
        );
    }
}

fn elsewhere(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    attribute: &str,
    target: &Address,
    site: &Address,
    own: &Address,
) -> Diagnostic {
    let (kind, name) = (target.kind(), target.last_name());
    Diagnostic::error(
        codes::E0515,
        facts.span(resource, attribute),
        format!(
            "{} `{}` belongs to site `{}`, {kind} `{name}` to site `{}`",
            resource.address.kind(),
            resource.address.last_name(),
            own.last_name(),
            site.last_name()
        ),
    )
    .label(format!("stands in {site}"))
    .help(format!("name a {kind} of {own}"))
}

/// A host cannot keep more for itself than it has.
fn reserve(facts: &Facts<'_>, host: &DesiredResource, found: &mut Vec<Diagnostic>) {
    let part = |block: &str| host.attributes.map(block)?.number("memory");
    let (Some(capacity), Some(reserve)) = (part("capacity"), part("reserve")) else { return };
    if reserve <= capacity {
        return;
    }
    found.push(
        Diagnostic::error(
            codes::E0513,
            facts.span(host, "reserve.memory"),
            format!(
                "host `{}` reserves {} of memory, but has only {}",
                host.address.last_name(),
                Value::Bytes(reserve),
                Value::Bytes(capacity)
            ),
        )
        .label("more than there is")
        .also(facts.span(host, "capacity.memory"), "what it has")
        .help("reserve what the host itself needs, for example `memory = 4GiB`"),
    );
}
