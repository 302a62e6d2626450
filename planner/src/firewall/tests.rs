//! What rules open, told by the network or NIC that is told of it.

use super::*;
use crate::sketch::{address, desired};

/// Every fact, one a line: `network.office admits [10.0.0.0/24:22/tcp]`.
fn facts(text: &str) -> Vec<String> {
    let graph = desired(text);
    let mut allocation = Allocation::default();
    for (vm, resource) in &graph.resources {
        for (label, nic) in resource.attributes.map("nic").into_iter().flat_map(|nics| nics.iter())
        {
            if let Value::Map(nic) = nic
                && let Some(Value::Ip(ip)) = nic.get("address")
            {
                allocation.nics.insert(vm.labelled("nic", label), (Some(*ip), [0; 6]));
            }
        }
    }
    let firewall = firewall(&FirewallInput {
        desired: &graph,
        attributes: &|address| graph.resources.get(address).map(|own| &*own.attributes),
        allocation: &allocation,
    });
    let mut told = Vec::new();
    for (address, resource) in &graph.resources {
        if address.kind() == "network" {
            tell(&mut told, address, &firewall.of_network(address, &resource.attributes));
        }
        for (label, _) in resource.attributes.map("nic").into_iter().flat_map(|nics| nics.iter()) {
            let nic = address.labelled("nic", label);
            tell(&mut told, &nic, firewall.of_nic(&nic).unwrap_or(&Values::default()));
        }
    }
    told
}

fn tell(told: &mut Vec<String>, address: &Address, values: &Values) {
    let Values { admits, reaches, guarded } = values;
    for (name, value) in [("admits", admits), ("reaches", reaches), ("guarded", guarded)] {
        let Some(Value::List(items)) = value else { continue };
        let items: Vec<String> = items.iter().map(shown).collect();
        told.push(format!("{address} {name} {}", items.join(" ")));
    }
}

fn shown(item: &Value) -> String {
    let Value::Map(item) = item else { return item.to_string() };
    let space = item.get("from").or(item.get("to")).expect("an opening has a space");
    let ports: Vec<String> = item.list("ports").iter().map(Value::to_string).collect();
    if ports.is_empty() { format!("{space}:*") } else { format!("{space}:{}", ports.join("+")) }
}

/// A town and a district with a routed network each, and a guest in each.
const TWO: &str = "tenant.d.network.n mode=routed cidr=10.1.0.0/24
tenant.d.vm.a nic.n.network=@tenant.d.network.n nic.n.address=10.1.0.7
tenant.t.network.n mode=routed cidr=10.2.0.0/24 expose_to=[@tenant.d]
tenant.t.vm.a nic.n.network=@tenant.t.network.n nic.n.address=10.2.0.7
tenant.t.vm.b nic.n.network=@tenant.t.network.n nic.n.address=10.2.0.8
";

const GUARDED: [&str; 2] = [
    "tenant.d.network.n guarded 10.1.0.0/24 10.2.0.0/24",
    "tenant.t.network.n guarded 10.1.0.0/24 10.2.0.0/24",
];

#[track_caller]
fn opens(rules: &str, expected: &[&str]) {
    let mut told = facts(&with_rules(rules));
    told.retain(|line| !GUARDED.contains(&line.as_str()));
    assert_eq!(told, expected);
}

/// [`TWO`] with more attributes on some of its lines.
fn with_rules(rules: &str) -> String {
    let mut text = String::new();
    for line in TWO.lines() {
        let own = line.split(' ').next().unwrap_or_default();
        let more = rules.lines().filter_map(|rule| rule.strip_prefix(own)?.strip_prefix(' '));
        text.push_str(&more.fold(line.to_owned(), |line, more| format!("{line} {more}")));
        text.push('\n');
    }
    text
}

#[test]
fn without_rules_nothing_is_open_and_what_is_routed_is_guarded() {
    opens("", &[]);
    assert_eq!(facts(TWO), GUARDED);
    assert_eq!(facts(&TWO.replace("routed", "nat")), [""; 0]);
}

#[test]
fn a_rule_for_tcp_is_told_to_its_receivers_only() {
    opens(
        "tenant.t.network.n allow.ssh.from=@tenant.d.network.n allow.ssh.ports=[22/tcp]",
        &["tenant.t.network.n admits 10.1.0.0/24:22/tcp"],
    );
}

#[test]
fn what_needs_no_answer_is_told_to_its_senders_too() {
    opens(
        "tenant.t.network.n allow.x.from=@tenant.d.network.n allow.x.ports=[22/tcp,53/udp]",
        &[
            "tenant.d.network.n reaches 10.2.0.0/24:53/udp",
            "tenant.t.network.n admits 10.1.0.0/24:22/tcp+53/udp",
        ],
    );
    opens(
        "tenant.t.vm.b allow.x.from=@tenant.d.vm.a",
        &["tenant.d.vm.a.nic.n reaches 10.2.0.8/32:*", "tenant.t.vm.b.nic.n admits 10.1.0.7/32:*"],
    );
}

#[test]
fn a_rule_for_one_guest_is_told_to_its_nic() {
    opens(
        "tenant.t.network.n allow.x.from=10.9.0.0/16 allow.x.ports=[1/udp] allow.x.to=@tenant.t.vm.b",
        &["tenant.t.vm.b.nic.n admits 10.9.0.0/16:1/udp"],
    );
}

#[test]
fn what_is_open_to_all_is_told_to_all_networks_once() {
    opens(
        "tenant.t.network.n allow.x.from=any allow.x.ports=[53/udp]",
        &[
            "tenant.d.network.n reaches 10.2.0.0/24:53/udp",
            "tenant.t.network.n admits 0.0.0.0/0:53/udp",
            "tenant.t.network.n reaches 10.2.0.0/24:53/udp",
        ],
    );
}

#[test]
fn a_space_finds_the_networks_in_it_and_the_nics_of_wider_ones() {
    let rule = |from: &str| format!("tenant.t.network.n allow.x.from={from} allow.x.ports=[1/udp]");
    let admits = |from: &str| format!("tenant.t.network.n admits {from}:1/udp");
    let reaches = "tenant.d.network.n reaches 10.2.0.0/24:1/udp";
    opens(&rule("10.0.0.0/8"), &[reaches, &admits("10.0.0.0/8")]);
    opens(&rule("10.1.0.0/24"), &[reaches, &admits("10.1.0.0/24")]);
    let nic = "tenant.d.vm.a.nic.n reaches 10.2.0.0/24:1/udp";
    opens(&rule("10.1.0.4/30"), &[nic, &admits("10.1.0.4/30")]);
    opens(&rule("10.1.0.8/30"), &[&admits("10.1.0.8/30")]);
}

#[test]
fn what_comes_from_the_network_itself_needs_no_rule() {
    opens("tenant.t.network.n allow.x.from=@tenant.t.network.n", &[]);
    opens("tenant.t.vm.a allow.x.from=@tenant.t.vm.b", &[]);
    opens("tenant.t.vm.a allow.x.from=10.2.0.0/28", &[]);
}

#[test]
fn neither_order_nor_overlap_of_rules_shows() {
    let rules = [
        "allow.a.from=10.9.0.0/16 allow.a.ports=[80/tcp,22/tcp]",
        "allow.b.from=10.9.0.0/16 allow.b.ports=[22/tcp,443/tcp]",
        "allow.c.from=10.8.0.0/16 allow.c.ports=[22/tcp]",
        "allow.d.from=10.8.0.0/16",
    ];
    let admits = "tenant.t.network.n admits 10.8.0.0/16:* 10.9.0.0/16:22/tcp+80/tcp+443/tcp";
    let told = |order: [usize; 4]| {
        let labels = ["p", "q", "r", "s"];
        let rules = order.iter().zip(labels).map(|(rule, label)| {
            let old = ["a", "b", "c", "d"][*rule];
            format!(
                "tenant.t.network.n {}",
                rules[*rule].replace(&format!(".{old}."), &format!(".{label}."))
            )
        });
        facts(&with_rules(&rules.collect::<Vec<_>>().join("\n")))
    };
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        assert!(told(order).contains(&admits.to_owned()), "{:?}", told(order));
    }
}

#[test]
fn a_guest_in_two_networks_is_open_only_where_its_tenant_exposes_it() {
    let text = "tenant.d.network.n mode=routed cidr=10.1.0.0/24
tenant.t.network.hidden mode=routed cidr=10.3.0.0/24
tenant.t.network.nat mode=nat cidr=10.4.0.0/24
tenant.t.network.n mode=routed cidr=10.2.0.0/24 expose_to=[@tenant.d]
tenant.t.vm.a allow.x.from=@tenant.d.network.n allow.x.ports=[22/tcp] \
        nic.a.network=@tenant.t.network.n nic.a.address=10.2.0.7 \
        nic.b.network=@tenant.t.network.hidden nic.b.address=10.3.0.7 \
        nic.c.network=@tenant.t.network.nat nic.c.address=10.4.0.7
";
    let told = facts(text);
    let admits: Vec<&String> = told.iter().filter(|line| line.contains("admits")).collect();
    assert_eq!(admits, ["tenant.t.vm.a.nic.a admits 10.1.0.0/24:22/tcp"]);
}

#[test]
fn one_more_network_in_the_space_of_a_site_changes_nothing_for_the_others() {
    let site = format!("site.m address_space=[10.0.0.0/9]\n{TWO}");
    let more = "tenant.u.network.n mode=routed cidr=10.3.0.0/24\n";
    let before = facts(&site);
    assert_eq!(before[0], "tenant.d.network.n guarded 10.0.0.0/9");
    let after = facts(&(site + more));
    assert_eq!(after[..before.len()], before[..]);
}

#[test]
fn scattered_space_is_covered_by_few() {
    let spaces: Vec<Cidr> = (0..200)
        .map(|n| format!("10.{}.{}.0/24", n % 10, n * 7 % 251).parse().expect("a network"))
        .chain((0..9).map(|n| format!("fd00:{n}::/64").parse().expect("a network")))
        .collect();
    let spaces = Cidr::aggregate(&spaces);
    for most in [1, 2, 5, 32, 1000] {
        let cover = opening::cover(&spaces, most);
        assert!(cover.len() <= most.max(2), "{most}: {cover:?}");
        assert!(spaces.iter().all(|own| cover.iter().any(|around| around.contains(own))));
        assert!(cover.is_sorted(), "{cover:?}");
    }
    assert_eq!(opening::cover(&spaces, 1000), spaces);
}

#[test]
fn hidden_networks_are_guarded_where_others_are_open() {
    let text = TWO.replace("tenant.t.network.n mode=routed", "tenant.t.network.n mode=nat");
    assert_eq!(facts(&text), GUARDED);
    let text = TWO.replace("tenant.t.network.n mode=routed", "tenant.t.network.n mode=isolated");
    assert_eq!(facts(&text), [GUARDED[0]]);
}

#[test]
fn a_bridge_without_addresses_is_told_nothing() {
    let bridge = "\ntenant.d.network.lan mode=bridge bridge=br0";
    assert_eq!(facts(&format!("{TWO}{bridge}")), GUARDED);
    // What hides its guests is guarded as soon as there is such a bridge, too.
    assert_eq!(facts(&format!("{}{bridge}", TWO.replace("routed", "nat"))), GUARDED);
}

#[test]
fn adopting_a_network_that_is_open_changes_nothing() {
    let text = TWO.replace("tenant.t.network.n mode=routed", "tenant.t.network.n mode=nat");
    let mut graph = desired(&text);
    let span = graph.resources[&address("tenant.d.network.n")].span;
    graph.adopted.push(tcloud_model::Adoption {
        address: address("tenant.d.network.n"),
        from: "net".into(),
        host: address("site.s.host.a"),
        span,
    });
    let firewall = firewall(&FirewallInput {
        desired: &graph,
        attributes: &|address| graph.resources.get(address).map(|own| &*own.attributes),
        allocation: &Allocation::default(),
    });
    for network in ["tenant.d.network.n", "tenant.t.network.n"].map(address) {
        let fields = &graph.resources[&network].attributes;
        assert_eq!(firewall.of_network(&network, fields), Values::default(), "{network}");
    }
}

#[test]
fn what_was_closed_before_names_the_rule_that_opens_it() {
    let text = with_rules(
        "tenant.t.network.n allow.old.from=@tenant.d.network.n allow.old.ports=[22/tcp]
tenant.t.network.n allow.new.from=@tenant.d.network.n allow.new.ports=[23/tcp,53/udp]",
    );
    let graph = desired(&text);
    let firewall = firewall(&FirewallInput {
        desired: &graph,
        attributes: &|address| graph.resources.get(address).map(|own| &*own.attributes),
        allocation: &Allocation::default(),
    });
    let causes = |owner: &str, attribute: &str, before: Option<&Value>| -> Vec<String> {
        let path = AttrPath::attribute(attribute);
        let causes = firewall.causes(&address(owner), &path, before);
        causes.into_iter().map(|(owner, path)| format!("{owner} {path}")).collect()
    };
    let old = list(
        "from",
        &[Part {
            space: "10.1.0.0/24".parse().expect("a network"),
            ports: opening::Ports::of(
                &graph.resources[&address("tenant.t.network.n")]
                    .attributes
                    .map("allow")
                    .and_then(|rules| rules.map("old"))
                    .expect("a rule")
                    .clone(),
            ),
            rule: 0,
        }],
    );
    let new = "tenant.t.network.n allow.new";
    assert_eq!(causes("tenant.t.network.n", "admits", old.as_ref()), [new]);
    assert_eq!(causes("tenant.t.network.n", "admits", None), [new, "tenant.t.network.n allow.old"]);
    assert_eq!(causes("tenant.d.network.n", "reaches", None), [new]);
    let guarded = ["tenant.d.network.n cidr", "tenant.t.network.n cidr"];
    assert_eq!(causes("tenant.d.network.n", "guarded", None), guarded);
    assert_eq!(causes("tenant.d.network.n", "cidr", None), [""; 0]);
}
