//! Rules that can let nothing in: the network hides its guests, the source hides behind its host, or
//! the guest is not there.

use tcloud_model::{Address, Cidr, DesiredResource, Diagnostic, Fields, Value, codes};

use super::facts::{Facts, Member, Network, nics_of, tenant_of};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let networks = facts.networks.values().map(|network| network.resource);
    for owner in networks.chain(facts.vms.iter().map(|member| member.resource)) {
        let Some(rules) = owner.attributes.map("allow") else { continue };
        for (label, rule) in rules.iter() {
            if let Value::Map(rule) = rule
                && !owner.lifecycle.existing
            {
                let place = |name: &str| facts.span(owner, &format!("allow.{label}.{name}"));
                found.extend(of_rule(facts, owner, label, rule, &place));
            }
        }
    }
}

fn of_rule(
    facts: &Facts<'_>,
    owner: &DesiredResource,
    label: &str,
    rule: &Fields,
    place: &dyn Fn(&str) -> tcloud_model::Span,
) -> Option<Diagnostic> {
    let from = rule.get("from")?;
    let receivers: Vec<&Network<'_>> = match facts.networks.get(&owner.address) {
        Some(network) => vec![network],
        None => networks_of(facts, owner),
    };
    // A network that may not be seen is reported, and nothing of it is told.
    if !receivers.iter().all(|network| is_visible(network, owner)) {
        return None;
    }
    let problem =
        |name: &str, message: String| Diagnostic::error(codes::E0604, place(name), message);
    if let Some(to) = rule.reference("to")
        && let Some(guest) = facts.graph.resources.get(to)
        && !networks_of(facts, guest).iter().any(|own| own.resource.address == owner.address)
    {
        let (vm, network) = (to.last_name(), owner.address.last_name());
        let message =
            format!("rule `{label}` is for vm `{vm}`, which is not in network `{network}`");
        return Some(
            problem("to", message)
                .label("has no NIC here")
                .also(facts.head(guest), "this vm")
                .help(format!("give it one: `nic {network} {{ network = network.{network} }}`")),
        );
    }
    if receivers.iter().any(|network| is_inside(facts, from, network)) {
        return None;
    }
    let Some(first) = receivers.first() else {
        let message =
            format!("rule `{label}` opens vm `{}`, which has no NIC", owner.address.last_name());
        return Some(
            problem("from", message)
                .label("can reach nothing")
                .help("give the vm a `nic`, or take the rule out"),
        );
    };
    if !receivers.iter().any(|network| is_open(network)) {
        let (name, mode) = (first.name(), mode(first));
        let message = format!("rule `{label}` can let nothing in: network `{name}` is `{mode}`");
        return Some(
            problem("from", message)
                .label("lies outside the network")
                .also(mode_span(facts, first), format!("`{mode}` hides its guests"))
                .help(routed(&name)),
        );
    }
    let source = hidden(facts, from).filter(|source| is_visible(source, owner))?;
    let (name, mode) = (source.name(), mode(source));
    let message = format!("rule `{label}` can let nothing in: its source is `{mode}`");
    Some(
        problem("from", message)
            .label("is not seen under its own addresses")
            .also(mode_span(facts, source), format!("`{mode}` hides its guests"))
            .help(routed(&name)),
    )
}

fn routed(network: &str) -> String {
    format!("write `mode = \"routed\"` or `mode = \"bridge\"` into network `{network}`")
}

fn mode_span(facts: &Facts<'_>, network: &Network<'_>) -> tcloud_model::Span {
    facts.span(network.resource, "mode")
}

fn mode<'a>(network: &Network<'a>) -> &'a str {
    network.resource.attributes.text("mode").unwrap_or("nat")
}

/// Whether others can reach its guests under their own addresses. What somebody else runs may be so.
fn is_open(network: &Network<'_>) -> bool {
    network.resource.lifecycle.existing || matches!(mode(network), "routed" | "bridge")
}

fn is_visible(network: &Network<'_>, to: &DesiredResource) -> bool {
    match (network.tenant, tenant_of(&to.address)) {
        (Some(owner), Some(reader)) => owner == reader || network.is_exposed_to(reader),
        _ => true,
    }
}

fn networks_of<'f, 'a>(facts: &'f Facts<'a>, vm: &'a DesiredResource) -> Vec<&'f Network<'a>> {
    let nics = nics_of(Member { resource: vm, tenant: None });
    nics.filter_map(|nic| facts.networks.get(nic.fields.reference("network")?)).collect()
}

/// Whether what a rule names is in the network itself, where no rule is needed.
fn is_inside(facts: &Facts<'_>, from: &Value, network: &Network<'_>) -> bool {
    let own = &network.resource.address;
    let holds = |space: &Cidr| {
        [network.cidr, network.cidr6].iter().flatten().any(|own| own.contains(space))
    };
    match from {
        Value::Cidr(space) => holds(space),
        Value::Ref(address) if address.kind() == "network" => address == own,
        Value::Ref(vm) => guest(facts, vm).iter().any(|network| network.resource.address == *own),
        _ => false,
    }
}

/// The network that hides what a rule names.
fn hidden<'f, 'a>(facts: &'f Facts<'a>, from: &Value) -> Option<&'f Network<'a>> {
    let Value::Ref(address) = from else { return None };
    let networks = match facts.networks.get(address) {
        Some(network) => vec![network],
        None => guest(facts, address),
    };
    if networks.iter().any(|network| is_open(network)) { None } else { networks.first().copied() }
}

fn guest<'f, 'a>(facts: &'f Facts<'a>, vm: &Address) -> Vec<&'f Network<'a>> {
    let vm: Option<&'a DesiredResource> = facts.graph.resources.get(vm);
    vm.map(|vm| networks_of(facts, vm)).unwrap_or_default()
}
