//! References into another tenant, and rules that let another tenant in.

use tcloud_model::{Address, DesiredResource, Diagnostic, Span, Value, codes};

use super::facts::{Facts, Member, Network, nics_of, path_to, tenant_of};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    // What stands in no tenant belongs to the data centre, which may name all of them.
    for (resource, tenant) in &facts.owned {
        let Some((reader, _)) = facts.tenant(*tenant) else { continue };
        references(facts, resource, reader, found);
        rules(facts, resource, reader, found);
    }
}

/// Every reference to something of another tenant has to be to a network that is exposed.
fn references(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    reader: &Address,
    found: &mut Vec<Diagnostic>,
) {
    let mut hidden: Vec<&Address> = Vec::new();
    let visit = |target: &'_ Address| !is_open(facts, reader, target);
    for (_, value) in resource.attributes.iter() {
        value.each_reference(&mut |target| {
            if visit(target) && !hidden.contains(&target) {
                hidden.push(target);
            }
        });
    }
    for target in &resource.dependencies {
        if !is_open(facts, reader, target) && !hidden.contains(&target) {
            hidden.push(target);
        }
    }
    for target in hidden {
        let path = path_to(&resource.attributes, &|address| address == target);
        found.push(not_exposed(
            facts,
            resource,
            reader,
            target,
            path.as_deref().unwrap_or("after"),
        ));
    }
}

fn is_open(facts: &Facts<'_>, reader: &Address, target: &Address) -> bool {
    match tenant_of(target) {
        None => true,
        // The tenant itself may be named: `expose_to = [tenant.landkreis]`.
        Some(owner) if owner == reader || owner == target => true,
        Some(_) => facts.networks.get(target).is_some_and(|network| network.is_exposed_to(reader)),
    }
}

/// What is said of a tenant's object where another tenant uses it; the help depends on how.
pub(crate) fn hidden(at: Span, target: &Address, reader: &Address) -> Diagnostic {
    let owner = tenant_of(target).map_or("", |owner| owner.name().as_str());
    let (kind, name, me) = (target.kind(), target.last_name(), reader.name());
    let message = format!("{kind} `{name}` belongs to tenant {owner} and is not exposed to {me}");
    Diagnostic::error(codes::E0601, at, message).label(format!("this is in tenant {me}"))
}

fn not_exposed(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    reader: &Address,
    target: &Address,
    path: &str,
) -> Diagnostic {
    let owner = tenant_of(target).map_or("", |owner| owner.name().as_str());
    let (kind, name) = (target.kind(), target.last_name());
    let me = reader.name();
    let diagnostic = hidden(facts.span(resource, path), target, reader);
    if kind != "network" {
        return diagnostic.help(format!(
            "only networks can be exposed to another tenant, a {kind} never; refer to an exposed \
             network of {owner}, or to a CIDR"
        ));
    }
    // The other place is shown only to those who may see something of that tenant already.
    let visible = facts
        .networks
        .values()
        .any(|network| network.tenant == tenant_of(target) && network.is_exposed_to(reader));
    let help = format!("{owner} can offer it: `network {name} {{ expose_to = [{reader}] }}`");
    match facts.networks.get(target).filter(|_| visible) {
        Some(network) => {
            diagnostic.also(facts.head(network.resource), format!("not exposed to {me}")).help(help)
        }
        None => diagnostic.help(help),
    }
}

/// An `allow` may let in another tenant only where the network is exposed to it.
fn rules(
    facts: &Facts<'_>,
    resource: &DesiredResource,
    own: &Address,
    found: &mut Vec<Diagnostic>,
) {
    let Some(rules) = resource.attributes.map("allow") else { return };
    for (label, rule) in rules.iter() {
        let Value::Map(rule) = rule else { continue };
        let Some(from) = rule.reference("from") else { continue };
        let Some(guest) = tenant_of(from) else { continue };
        // A source that may not be named at all has been reported.
        if guest == own || !is_open(facts, own, from) {
            continue;
        }
        let closed = match facts.networks.get(&resource.address) {
            Some(network) => (!network.is_exposed_to(guest)).then_some(network),
            None => {
                let mut networks = nics_of(Member { resource, tenant: None })
                    .filter_map(|nic| facts.networks.get(nic.fields.reference("network")?));
                let first = networks.next();
                let open = |network: &&Network<'_>| {
                    network.tenant.is_none() || network.is_exposed_to(guest)
                };
                first.filter(|network| !open(network)).filter(|_| !networks.any(|n| open(&n)))
            }
        };
        let Some(network) = closed else { continue };
        let name = guest.name();
        found.push(
            Diagnostic::error(
                codes::E0602,
                facts.span(resource, &format!("allow.{label}.from")),
                format!(
                    "rule `{label}` lets in tenant {name}, but network `{}` is not exposed to it",
                    network.name()
                ),
            )
            .label(format!("belongs to tenant {name}"))
            .also(facts.head(network.resource), "this network")
            .help(format!("write `expose_to = [{guest}]` into network `{}`", network.name())),
        );
    }
}
