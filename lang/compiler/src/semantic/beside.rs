//! Attributes that only fit beside certain values of others.

use tcloud_model::kinds::holds_files;
use tcloud_model::{Cidr, DesiredResource, Diagnostic, codes};

use super::facts::{Facts, Network};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let ours = |network: &&Network<'_>| !network.resource.lifecycle.existing;
    for network in facts.networks.values().filter(ours) {
        found.extend(bridged(facts, network));
        found.extend(family(facts, network));
    }
    for storage in facts.storage.iter().filter(|own| !own.resource.lifecycle.existing) {
        found.extend(in_files(facts, storage.resource));
    }
}

/// Only what stands on a bridge of the host's has one, and a tag on it.
fn bridged(facts: &Facts<'_>, network: &Network<'_>) -> Option<Diagnostic> {
    let fields = &network.resource.attributes;
    let mode = fields.text("mode").filter(|mode| *mode != "bridge")?;
    let vlan = fields.number("vlan").map(|_| "vlan");
    let lonely = fields.text("bridge").map(|_| "bridge").or(vlan)?;
    let name = network.name();
    Some(
        Diagnostic::error(
            codes::E0518,
            facts.span(network.resource, lonely),
            format!("network `{name}` has a `{lonely}`, and its mode is `{mode}`"),
        )
        .label("only for mode `bridge`")
        .also(facts.span(network.resource, "mode"), format!("`{mode}` has a bridge of its own"))
        .help(format!("write `mode = \"bridge\"`, or leave `{lonely}` out")),
    )
}

fn family(facts: &Facts<'_>, network: &Network<'_>) -> Option<Diagnostic> {
    let Some(Cidr::V4(cidr)) = network.cidr6 else { return None };
    Some(
        Diagnostic::error(
            codes::E0518,
            facts.span(network.resource, "cidr6"),
            format!("`cidr6` of network `{}` is {cidr}, which is not IPv6", network.name()),
        )
        .label("addresses of IPv4")
        .help("write `cidr6 = fd00:20::/64`; addresses of IPv4 belong into `cidr`"),
    )
}

/// What is no file has no format of files. Where a class chooses the pool, placement sees to it.
fn in_files(facts: &Facts<'_>, storage: &DesiredResource) -> Option<Diagnostic> {
    let pool = facts.referred(&storage.attributes, "pool")?;
    let kind = pool.attributes.text("type").filter(|kind| !holds_files(kind))?;
    let format = storage.attributes.text("format").filter(|format| *format != "raw")?;
    let (own, pool_name) = (storage.address.last_segment(), pool.address.last_name());
    Some(
        Diagnostic::error(
            codes::E0518,
            facts.span(storage, "format"),
            format!("{own} is {format}, and pool `{pool_name}` of type {kind} holds no files"),
        )
        .label(format!("{format} is a format of files, and what nobody says otherwise of"))
        .also(facts.span(pool, "type"), format!("{kind} gives whole devices"))
        .help("write `format = \"raw\"`"),
    )
}
