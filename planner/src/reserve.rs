//! Whether what a site runs still fits when one of its hosts fails.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tcloud_model::{Address, DesiredGraph, Name, ObservedState};

use crate::plan::Usage;

/// What is left on the other hosts of a site when the host fails that would be missed most, and
/// everything on it is started elsewhere. An amount, not a placement: guests that need more than any
/// host has left, rules of placement, and disks that went with the host are not looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// The site, or what else its hosts stand in.
    pub site: Address,
    /// `memory` or `vcpus`.
    pub resource: Name,
    /// The host that would be missed most afterwards.
    pub host: Address,
    /// What is left now; below zero when it does not fit.
    pub before: i64,
    /// What is left afterwards.
    pub after: i64,
    /// Whether the amounts are bytes.
    pub bytes: bool,
}

/// The reserves of all sites that have two hosts or more, sorted by site and resource. What is
/// drained takes nothing. Of a site with a host that did not answer nothing is told: nobody knows whether it
/// failed, and what is on it.
pub(crate) fn reserves(
    usage: &[Usage],
    desired: &DesiredGraph,
    observed: &ObservedState,
) -> Vec<Reserve> {
    let takes = |host: &Address| {
        let declared = desired.resources.get(host);
        declared.is_none_or(|own| own.attributes.flag("drain") != Some(true))
    };
    let mut sites: BTreeMap<(&Address, &Name), Vec<&Usage>> = BTreeMap::new();
    for line in usage {
        let counts = matches!(line.resource.as_str(), "memory" | "vcpus");
        if let Some(site) = line.owner.parent()
            && counts
            && line.owner.kind() == "host"
            && line.limit.is_some()
        {
            sites.entry((site, &line.resource)).or_default().push(line);
        }
    }
    let answers = |line: &&Usage| observed.host(&line.owner).is_some_and(|own| own.facts.is_some());
    let sites = sites.into_iter().filter(|(_, hosts)| hosts.len() > 1 && hosts.iter().all(answers));
    sites
        .filter_map(|((site, resource), hosts)| {
            let (before, _) = worst(&hosts, &takes, |line| line.before)?;
            let (after, host) = worst(&hosts, &takes, |line| line.after)?;
            Some(Reserve {
                site: site.clone(),
                resource: resource.clone(),
                host: host.clone(),
                before,
                after,
                bytes: hosts.first().is_some_and(|line| line.bytes),
            })
        })
        .collect()
}

/// What is left without the host that would be missed most: among equals, the fullest.
fn worst<'u>(
    hosts: &[&'u Usage],
    takes: &dyn Fn(&Address) -> bool,
    amount: fn(&Usage) -> u64,
) -> Option<(i64, &'u Address)> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let room = |line: &Usage| match takes(&line.owner) {
        true => signed(line.limit.unwrap_or(0)).saturating_sub(signed(amount(line))),
        false => 0,
    };
    let all = hosts.iter().fold(0_i64, |all, line| all.saturating_add(room(line)));
    let without =
        |line: &Usage| all.saturating_sub(room(line)).saturating_sub(signed(amount(line)));
    let worst = hosts.iter().min_by_key(|line| (without(line), std::cmp::Reverse(amount(line))))?;
    Some((without(worst), &worst.owner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::{address, desired, observed};

    fn line(host: &str, before: u64, after: u64, limit: u64) -> Usage {
        Usage {
            owner: address(&format!("site.m.host.{host}")),
            host: None,
            resource: Name::new("memory"),
            before,
            after,
            limit: Some(limit),
            bytes: true,
        }
    }

    fn told(text: &str, silent: &[&str], usage: &[Usage]) -> Vec<String> {
        let graph = desired(text);
        let all = reserves(usage, &graph, &observed(&graph, silent));
        all.iter()
            .map(|own| format!("{} {} -> {}", own.host.name(), own.before, own.after))
            .collect()
    }

    #[test]
    fn the_host_that_would_be_missed_most_counts() {
        let hosts = "site.m.host.a\nsite.m.host.b\nsite.m.host.c\n";
        let usage = [line("a", 10, 40, 100), line("b", 60, 60, 100), line("c", 20, 20, 50)];
        // Without `b`, 90 + 30 are left for its 60; afterwards 60 + 30.
        assert_eq!(told(hosts, &[], &usage), ["b 60 -> 30"]);
        // What is drained is no help, and still has to go somewhere.
        let drained = hosts.replace("host.c", "host.c drain=true");
        assert_eq!(told(&drained, &[], &usage), ["b 30 -> 0"]);
        assert_eq!(told(hosts, &["a"], &usage), [""; 0], "nobody knows");
    }

    #[test]
    fn one_host_has_no_reserve() {
        assert_eq!(told("site.m.host.a\n", &[], &[line("a", 1, 1, 9)]), [""; 0]);
    }
}
