//! The firewall on real hosts, from the text to packets between guests: tenants reach their own and
//! never the other's; `expose_to` and `allow` open exactly one port, in guests that run on; what is
//! forged dies where it is sent.

mod town;

use town::{A, B, Guest, H, NEIGHBOUR, R, Town};

const OPEN: [&str; 3] = ["open"; 3];
const SHUT: [&str; 3] = ["timeout"; 3];

#[test]
fn tenants_are_apart_and_a_rule_opens_one_port() {
    let town = Town::new();
    for question in ["listen tcp 9000", "listen udp 9000", "listen tcp 9001", "listen udp 9001"] {
        town.ask(&B, question);
    }
    let runs = town.runs();
    own_guests_only(&town, "closed");
    forged_addresses_die(&town);
    forged_addresses_die_by_ipv6(&town);
    one_port_opens(&town);
    one_guest_alone(&town);
    everything_closes(&town);
    assert_eq!(town.runs(), runs, "nobody was started again");
}

/// Their own, and nobody else's: on the same host, on another one, from behind NAT.
fn own_guests_only(town: &Town, when: &str) {
    for address in town.addresses(&NEIGHBOUR) {
        assert_eq!(town.reaches(&A, address), OPEN, "{when}: {address}");
    }
    let apart = [(&A, &B), (&B, &A), (&H, &A), (&A, &H), (&A, &R), (&R, &B), (&H, &R)];
    std::thread::scope(|scope| {
        for (from, to) in apart {
            let pair = format!("{when}: {} to {}", from.name, to.name);
            for (at, address) in town.addresses(to).into_iter().enumerate() {
                let pair = pair.clone();
                scope.spawn(move || {
                    let came = town.reaches(from, address);
                    // Nobody is there at all, where only a link is looked at.
                    let shut =
                        |own: &String| *own == "timeout" || (at == 2 && own == "unreachable");
                    assert!(came.iter().all(shut), "{pair}, {address}: {came:?}");
                });
            }
            scope.spawn(move || {
                for (at, own) in town.addresses(from).into_iter().take(2).enumerate() {
                    let token = format!("{}-{at}", pair.replace([' ', ':'], "-"));
                    let arrives = town.arrives(from, &format!("spoof-ip {own}"), to, &token);
                    assert!(!arrives, "a datagram of {token}");
                }
            });
        }
    });
}

/// Forged addresses die, inside the own network too; what is not forged arrives.
fn forged_addresses_die(town: &Town) {
    let own = A.address;
    assert!(town.arrives(&A, &format!("spoof-ip {own}"), &NEIGHBOUR, "own"));
    assert!(!town.arrives(&A, "spoof-ip 10.21.0.77", &NEIGHBOUR, "forged-ip"));
    assert!(!town.arrives(&A, "spoof-ip 10.21.0.1", &NEIGHBOUR, "forged-gateway"));
    assert!(!town.arrives(&A, "spoof-ip 10.22.0.77", &B, "forged-other"));
    let mac = format!("spoof-mac 52:54:00:00:00:99 {own}");
    assert!(!town.arrives(&A, &mac, &NEIGHBOUR, "forged-mac"));
    town.ask(&A, &format!("spoof-arp 10.21.0.88 {}", NEIGHBOUR.address));
    let cache = town.ask(&NEIGHBOUR, "run cat /proc/net/arp");
    assert!(!cache.contains("10.21.0.88"), "{cache}");
}

/// The same by IPv6, where a guest makes itself addresses in the space of its network; and nobody
/// is the router but the host, whose prefix they all took.
fn forged_addresses_die_by_ipv6(town: &Town) {
    let [_, own, link] = town.addresses(&A);
    assert!(town.arrives(&A, &format!("spoof-ip {own}"), &NEIGHBOUR, "own-six"));
    for (to, forged) in [(&NEIGHBOUR, "fd00:22::77"), (&B, "fd00:22::77"), (&B, "fd00:77::1")] {
        let token = format!("forged-{}-{}", to.name, forged.replace(':', "-"));
        assert!(!town.arrives(&A, &format!("spoof-ip {forged}"), to, &token), "{token}");
    }
    for prefix in ["fd00:66::", "fd00:21::"] {
        assert_eq!(town.ask(&A, &format!("spoof-router {link} {prefix}")), "sent");
    }
    std::thread::sleep(std::time::Duration::from_secs(1));
    let believed = town.ask(&NEIGHBOUR, "run ip -6 address; ip -6 route");
    let fooled = believed.contains("fd00:66") || believed.contains(&format!("via {link}"));
    assert!(!fooled, "{believed}");
}

/// Being exposed opens nothing; a rule then opens one port of TCP and one of UDP, to the networks
/// that it names, and nothing in the other direction.
fn one_port_opens(town: &Town) {
    let exposed = [
        ("at the town", "expose_to = [tenant.other]"),
        ("at the other", "expose_to = [tenant.town]"),
    ];
    town.apply(&exposed);
    own_guests_only(town, "exposed");
    let rule = "allow web { from = tenant.town.network.office, ports = [9000/tcp, 9001/udp] }";
    let [at_town, at_other] = exposed;
    town.apply(&[at_town, at_other, ("at the other", rule)]);
    let [v4, v6, _] = town.addresses(&B);
    std::thread::scope(|scope| {
        for address in [v4, v6] {
            let comes = |from: &'static Guest, port: u16, expected: [&'static str; 2]| {
                scope.spawn(move || {
                    let came = town.tries(from, address, port);
                    assert_eq!(came, expected, "{} to {address} {port}", from.name);
                });
            };
            comes(&A, 9000, ["open", "timeout"]);
            comes(&A, 9001, ["timeout", "open"]);
            for stranger in [&H, &R] {
                comes(stranger, 9000, ["timeout"; 2]);
                comes(stranger, 9001, ["timeout"; 2]);
            }
        }
    });
    own_guests_only(town, "open");
    forged_addresses_die(town);
}

/// For one guest alone: its card gets a filter of its own, while it runs.
fn one_guest_alone(town: &Town) {
    town.apply(&[("at a", "allow echo { from = 10.23.0.10/32, ports = [7/tcp] }")]);
    let [v4, v6, _] = town.addresses(&A);
    assert_eq!(town.reaches(&R, v4), ["open", "timeout", "timeout"]);
    assert_eq!(town.reaches(&R, v6), SHUT);
    assert_eq!(town.reaches(&R, NEIGHBOUR.address), SHUT);
}

/// Closed again as the text is what it was, at once.
fn everything_closes(town: &Town) {
    town.apply(&[]);
    let [v4, v6, _] = town.addresses(&B);
    std::thread::scope(|scope| {
        for address in [v4, v6] {
            for port in [9000, 9001] {
                scope.spawn(move || {
                    assert_eq!(town.tries(&A, address, port), ["timeout"; 2], "{address} {port}");
                });
            }
        }
    });
    own_guests_only(town, "closed again");
}
