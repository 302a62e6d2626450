//! VLAN tags that two networks of one site share.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tcloud_model::{Address, Diagnostic, Value, codes};

use super::facts::{Facts, Network, site_of};

/// Networks with one tag on one bridge, by the site that they may be on.
#[derive(Default)]
struct Tagged<'a> {
    by_site: IndexMap<&'a Address, &'a Network<'a>>,
    /// The first one that may be on any site.
    anywhere: Option<&'a Network<'a>>,
    first: Option<&'a Network<'a>>,
}

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let mut tags: BTreeMap<(u64, Option<&str>), Tagged<'_>> = BTreeMap::new();
    for network in facts.networks.values() {
        let fields = &network.resource.attributes;
        let Some(vlan) = fields.number("vlan") else { continue };
        let tagged = tags.entry((vlan, fields.text("bridge"))).or_default();
        if let Some(other) = tagged.add(facts, network) {
            found.push(twice(facts, vlan, network, other));
        }
    }
}

impl<'a> Tagged<'a> {
    /// Adds a network, and gives one that it shares a site with.
    fn add(&mut self, facts: &Facts<'a>, network: &'a Network<'a>) -> Option<&'a Network<'a>> {
        let sites: Option<Vec<&Address>> = match network.tenant {
            None => site_of(&network.resource.address).map(|site| vec![site]),
            Some(tenant) => facts
                .tenants
                .get(tenant)
                .and_then(|tenant| tenant.sites)
                .map(|sites| sites.iter().filter_map(Value::as_ref_address).collect()),
        };
        let mut other = self.anywhere;
        match sites {
            None => {
                other = other.or(self.first);
                self.anywhere = self.anywhere.or(Some(network));
            }
            Some(sites) => {
                for site in sites {
                    // The address of the site lives as long as the graph, not as long as the list.
                    let Some((site, _)) = facts.graph.resources.get_key_value(site) else {
                        continue;
                    };
                    match self.by_site.get(site) {
                        Some(first) => other = other.or(Some(*first)),
                        None => {
                            self.by_site.insert(site, network);
                        }
                    }
                }
            }
        }
        self.first = self.first.or(Some(network));
        other
    }
}

fn twice(facts: &Facts<'_>, vlan: u64, network: &Network<'_>, other: &Network<'_>) -> Diagnostic {
    let place = |network: &Network<'_>| facts.span(network.resource, "vlan");
    let (mut pair, mut spans) = ([other, network], [place(other), place(network)]);
    if spans[1] < spans[0] {
        pair.reverse();
        spans.reverse();
    }
    let [first, second] = pair.map(Network::name);
    Diagnostic::error(
        codes::E0319,
        spans[1],
        format!("networks `{first}` and `{second}` have the same VLAN {vlan} on one site"),
    )
    .label("again here")
    .also(spans[0], format!("VLAN {vlan} of `{first}`"))
    .help("give one of them another tag: their guests would see each other's packets")
}
