//! Who newly reaches whom, told from two sketches.

use std::fmt::Write as _;

use tcloud_model::DesiredGraph;

use super::*;
use crate::sketch::{address, desired};

struct Nowhere;

impl Places for Nowhere {
    fn of_rule(&self, _: &Address, _: Cidr) -> Vec<Position> {
        Vec::new()
    }
    fn of_attribute(&self, _: &Address, _: &[&str]) -> Vec<Position> {
        Vec::new()
    }
    fn of_block(&self, _: &Address) -> Vec<Position> {
        Vec::new()
    }
}

/// What the planner makes of rules is written as it is told to networks and NICs: `admits`.
fn graph(text: &str) -> DesiredGraph {
    let mut graph = desired(text);
    for resource in graph.resources.values_mut() {
        let fields = std::sync::Arc::make_mut(&mut resource.attributes);
        open(fields);
        let Some(mut nics) = fields.map("nic").map(|nics| (**nics).clone()) else { continue };
        let labels: Vec<Name> = nics.iter().map(|(label, _)| label.clone()).collect();
        for label in labels {
            let Some(mut nic) = nics.map(&label).map(|nic| (**nic).clone()) else { continue };
            open(&mut nic);
            nics.insert(label, Value::map(nic));
        }
        fields.insert("nic", Value::map(nics));
    }
    graph
}

/// `admits=10.1.0.0/24:22/tcp+80/tcp;10.2.0.0/24`
fn open(fields: &mut Fields) {
    let Some(text) =
        fields.text("admits").map(str::to_owned).or_else(|| match fields.get("admits") {
            Some(Value::Cidr(cidr)) => Some(cidr.to_string()),
            _ => None,
        })
    else {
        return;
    };
    let items = text.split(';').map(|item| {
        let (space, ports) = item.split_once(':').unwrap_or((item, ""));
        let mut own = Fields::new();
        own.insert("from", Value::Cidr(space.parse().expect("a space")));
        let ports = ports.split('+').filter(|port| !port.is_empty());
        let ports: Vec<Value> =
            ports.map(|port| Value::Port(port.parse().expect("a port"))).collect();
        if !ports.is_empty() {
            own.insert("ports", Value::list(ports));
        }
        Value::map(own)
    });
    fields.insert("admits", Value::list(items.collect()));
}

fn compared(before: &str, after: &str) -> Vec<Exposure> {
    let (before, after, host) = (graph(before), graph(after), address("site.m.host.h"));
    let holdings = |graph: &DesiredGraph| -> Vec<(Address, std::sync::Arc<Fields>)> {
        graph.resources.values().map(|own| (own.address.clone(), own.attributes.clone())).collect()
    };
    let (before, after) = (holdings(&before), holdings(&after));
    fn held<'a>(
        all: &'a [(Address, std::sync::Arc<Fields>)],
        host: &'a Address,
    ) -> impl Iterator<Item = Holding<'a>> {
        all.iter().map(move |(address, attributes)| Holding { address, host, attributes })
    }
    exposure(held(&before, &host), held(&after, &host), &Nowhere)
}

#[track_caller]
fn told(before: &str, after: &str, expected: &[&str]) {
    let lines: Vec<String> = compared(before, after)
        .iter()
        .map(|own| {
            let mut line = own.sentence();
            match own.border {
                Border::None => {}
                Border::Tenant => line.push_str(", across tenants"),
                Border::World => line.push_str(", with the world"),
            }
            if own.created {
                line.push_str(", new");
            }
            if !own.kept.is_empty() {
                let kept: Vec<String> = own.kept.iter().map(Place::to_string).collect();
                let _ = write!(line, "; as before {}", kept.join(" "));
            }
            line
        })
        .collect();
    assert_eq!(lines, expected);
}

/// A town and a district with a routed network each; `OPEN` stands where the town lets in.
const TWO: &str = "tenant.d.network.app mode=routed cidr=10.1.0.0/24
tenant.d.vm.a nic.n.network=@tenant.d.network.app nic.n.address=10.1.0.7
tenant.d.vm.b nic.n.network=@tenant.d.network.app nic.n.address=10.1.0.8
tenant.t.network.fach mode=routed cidr=10.2.0.0/24OPEN
tenant.t.vm.db nic.n.network=@tenant.t.network.fach nic.n.address=10.2.0.7
tenant.t.vm.dms nic.n.network=@tenant.t.network.fach nic.n.address=10.2.0.8
";

fn two(open: &str) -> String {
    let open = if open.is_empty() { String::new() } else { format!(" admits={open}") };
    TWO.replace("OPEN", &open)
}

#[test]
fn a_network_that_another_tenant_newly_reaches_is_one_line() {
    let reach = "2 guests in d/app newly reach 2 guests in t/fach on 5432/tcp, across tenants";
    told(&two(""), &two("10.1.0.0/24:5432/tcp"), &[reach]);
    let closes = "2 guests in d/app no longer reach 2 guests in t/fach on 5432/tcp, across tenants";
    told(&two("10.1.0.0/24:5432/tcp"), &two(""), &[closes]);
    told(&two("10.1.0.0/24:5432/tcp"), &two("10.1.0.0/24:5432/tcp"), &[]);
    let kept = format!("{reach}; as before 10.9.0.0/16");
    let admin = "10.9.0.0/16:22/tcp";
    told(&two(admin), &two(&format!("10.1.0.0/24:5432/tcp;{admin}")), &[&kept]);
}

#[test]
fn only_what_was_closed_opens() {
    let more = &["2 guests in d/app newly reach 2 guests in t/fach on 80/tcp, across tenants; as \
                  before d/app"];
    told(&two("10.1.0.0/24:22/tcp"), &two("10.1.0.0/24:22/tcp+80/tcp"), more);
    // A rule about addresses that was there covers a network in it.
    told(&two("10.0.0.0/8"), &two("10.0.0.0/8;10.1.0.0/24:22/tcp"), &[]);
    told(&two("0.0.0.0/0:22/tcp"), &two("0.0.0.0/0:22/tcp;10.1.0.0/24:22/tcp"), &[]);
    // Two halves are the whole.
    told(&two("10.8.0.0/17;10.8.128.0/17"), &two("10.8.0.0/16"), &[]);
    told(
        &two("10.8.0.0/17:22/tcp;10.8.128.0/17"),
        &two("10.8.0.0/16"),
        &["10.8.0.0/16 newly reaches 2 guests in t/fach"],
    );
}

#[test]
fn the_world_is_a_border_and_a_private_space_of_nobody_is_none() {
    let world = "anybody newly reaches 2 guests in t/fach on 443/tcp, with the world";
    told(&two(""), &two("0.0.0.0/0:443/tcp"), &[world]);
    told(
        &two(""),
        &two("203.0.113.7/32"),
        &["203.0.113.7/32 newly reaches 2 guests in t/fach, with the world"],
    );
    told(&two(""), &two("10.9.0.0/16"), &["10.9.0.0/16 newly reaches 2 guests in t/fach"]);
    told(
        &two(""),
        &two("10.0.0.0/8"),
        &["10.0.0.0/8 (4 guests) newly reaches 2 guests in t/fach, across tenants"],
    );
    told(&two(""), &two("10.1.0.8/32"), &["d/b newly reaches 2 guests in t/fach, across tenants"]);
    told(
        &two(""),
        &two("10.1.0.0/25"),
        &["10.1.0.0/25 newly reaches 2 guests in t/fach, across tenants"],
    );
}

#[test]
fn who_gets_another_address_is_still_itself_and_who_takes_it_is_not() {
    let rule = "10.1.0.0/24:22/tcp";
    let moved = two("10.5.0.0/24:22/tcp").replace("10.1.0.", "10.5.0.");
    told(&two(rule), &moved, &[]);
    let taken = format!(
        "{}tenant.u.network.x mode=routed cidr=10.1.0.0/24\n",
        two(rule).replace("10.1.0.", "10.5.0.").replace("admits=10.5", "admits=10.1")
    );
    told(
        &two(rule),
        &taken,
        &[
            "network u/x newly reaches 2 guests in t/fach on 22/tcp, across tenants",
            "2 guests in d/app no longer reach 2 guests in t/fach on 22/tcp, across tenants",
        ],
    );
}

#[test]
fn a_network_that_comes_into_an_open_space_is_told() {
    let more = "tenant.u.network.x mode=routed cidr=10.3.0.0/24\n";
    told(
        &two("10.0.0.0/8:22/tcp"),
        &(two("10.0.0.0/8:22/tcp") + more),
        &["network u/x newly reaches 2 guests in t/fach on 22/tcp, across tenants"],
    );
    told(&two("0.0.0.0/0:22/tcp"), &(two("0.0.0.0/0:22/tcp") + more), &[]);
}

#[test]
fn a_network_that_no_longer_hides_its_guests_opens() {
    let rule = "10.1.0.0/24:22/tcp";
    let hidden = two(rule).replace("fach mode=routed", "fach mode=nat");
    let reach = "2 guests in d/app newly reach 2 guests in t/fach on 22/tcp, across tenants";
    told(&hidden, &two(rule), &[reach]);
    let isolated = two("").replace("fach mode=routed", "fach mode=isolated");
    told(&isolated, &two(""), &["2 guests in t/fach newly reach anybody, with the world"]);
}

#[test]
fn what_is_made_is_told_as_new_and_its_guests_in_one_line() {
    let reach = "2 guests in d/app newly reach 2 guests in t/fach, across tenants, new";
    told("", &two("10.1.0.0/24"), &[reach]);
    let more = "tenant.t.vm.c nic.n.network=@tenant.t.network.fach nic.n.admits=0.0.0.0/0:443/tcp
tenant.t.vm.e nic.n.network=@tenant.t.network.fach nic.n.admits=0.0.0.0/0:443/tcp
";
    told(
        &two(""),
        &(two("") + more),
        &["anybody newly reaches 2 guests in t/fach on 443/tcp, with the world, new"],
    );
}

#[test]
fn a_guest_that_joins_a_network_is_reached_by_whoever_reaches_it() {
    let dmz = "tenant.t.network.dmz mode=routed cidr=10.4.0.0/24 admits=0.0.0.0/0:443/tcp\n";
    let both = two("").replace(
        "tenant.t.vm.db ",
        "tenant.t.vm.db nic.o.network=@tenant.t.network.dmz nic.o.address=10.4.0.7 ",
    );
    let world = "anybody newly reaches t/db in t/dmz on 443/tcp, with the world";
    told(&(two("") + dmz), &(both.clone() + dmz), &[world]);
    let web = "tenant.t.vm.web nic.n.network=@tenant.t.network.dmz\n";
    told(
        &(two("") + dmz + web),
        &(both.clone() + dmz + web),
        &[world, "t/db newly reaches t/web in t/dmz"],
    );
    // Whoever leaves does not count itself, and where everybody else leaves it meets nobody.
    let left = "t/db no longer reaches t/web in t/dmz";
    told(&(both.clone() + dmz + web), &(two("") + dmz + web), &[left]);
    told(&(two("") + dmz + web), &(both.clone() + dmz), &[world]);
    // In a network of nobody's, its own tenant is one of those that are there.
    let lan =
        "site.m.network.lan cidr=10.5.0.0/24\ntenant.t.vm.w nic.n.network=@site.m.network.lan\n";
    let guest = |nic: &str| format!("{lan}tenant.d.vm.c vcpus=1{nic}\n");
    told(
        &guest(""),
        &guest(" nic.n.network=@site.m.network.lan"),
        &["d/c newly reaches t/w in lan"],
    );
    // Also into a network that is made for it.
    told(&two(""), &(both + dmz), &[world]);
}

#[test]
fn a_guest_of_another_tenant_in_a_network_crosses_a_border_also_when_it_is_new() {
    let guest = "tenant.d.vm.c nic.n.network=@tenant.t.network.fach nic.n.address=10.2.0.9\n";
    told(&two(""), &(two("") + guest), &["d/c newly reaches 2 guests in t/fach, across tenants"]);
    let own = "tenant.t.vm.c nic.n.network=@tenant.t.network.fach nic.n.address=10.2.0.9\n";
    told(&two(""), &(two("") + own), &[]);
}

/// Rules of its network do not hold for it either.
#[test]
fn a_card_without_rules_is_open_to_everybody_where_its_network_hides_nobody() {
    let free = two("")
        .replace("tenant.t.vm.db nic.n.network", "tenant.t.vm.db nic.n.filter=false nic.n.network");
    told(&two(""), &free, &["anybody newly reaches t/db in t/fach, with the world"]);
    told(&free, &two(""), &["anybody no longer reaches t/db in t/fach, with the world"]);
    let hidden = |text: &str| text.replace("mode=routed cidr=10.2", "mode=nat cidr=10.2");
    told(&hidden(&two("")), &hidden(&free), &[]);
}

#[test]
fn a_route_is_a_way_out() {
    let route = " route.r.to=10.30.0.0/16 route.r.via=10.2.0.1";
    told(&two(""), &TWO.replace("OPEN", route), &["2 guests in t/fach newly reach 10.30.0.0/16"]);
}

#[test]
fn ten_thousand_guests_are_few_lines() {
    let guest = |n: usize| {
        format!("tenant.t{}.vm.v{n} nic.n.network=@tenant.t{}.network.n\n", n % 100, n % 100)
    };
    let net = |n: usize, open: &str| {
        format!("tenant.t{n}.network.n mode=routed cidr=10.{n}.0.0/24{open}\n")
    };
    let guests: String = (0..10_000).map(guest).collect();
    let text = |open: &str| (0..100).map(|n| net(n, open)).collect::<String>() + &guests;
    let all = compared(&text(""), &text(" admits=10.0.0.0/8:22/tcp"));
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|own| own.from.guests == 10_000 && own.to.guests == 100));
    assert!(all.iter().all(|own| own.from.named.len() == Party::NAMED));
}
