//! The firewall on real hosts, from the text to packets between guests: tenants reach their own and
//! never the other's; `expose_to` and `allow` open exactly one port, in guests that run on; what is
//! forged dies where it is sent.

mod town;

use town::{A, B, H, NEIGHBOUR, R, Town};

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
    one_port_opens(&town);
    one_guest_alone(&town);
    everything_closes(&town);
    assert_eq!(town.runs(), runs, "nobody was started again");
}

/// Their own, and nobody else's: on the same host, on another one, from behind NAT.
fn own_guests_only(town: &Town, when: &str) {
    assert_eq!(town.reaches(&A, &NEIGHBOUR), OPEN, "{when}");
    let apart = [(&A, &B), (&B, &A), (&H, &A), (&A, &H), (&A, &R), (&R, &B), (&H, &R)];
    std::thread::scope(|scope| {
        for (from, to) in apart {
            scope.spawn(move || {
                assert_eq!(town.reaches(from, to), SHUT, "{when}: {} to {}", from.name, to.name);
                let token = format!("{}-{}-{}", when.replace(' ', "-"), from.name, to.name);
                let arrives = town.arrives(from, &format!("spoof-ip {}", from.address), to, &token);
                assert!(!arrives, "a datagram of {token}");
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
    assert_eq!(town.tries(&A, &B, 9000), ["open", "timeout"]);
    assert_eq!(town.tries(&A, &B, 9001), ["timeout", "open"]);
    assert_eq!(town.reaches(&A, &B), SHUT);
    assert_eq!(town.reaches(&B, &A), SHUT);
    for stranger in [&H, &R] {
        for port in [9000, 9001] {
            assert_eq!(town.tries(stranger, &B, port), ["timeout"; 2], "{}", stranger.name);
        }
    }
    own_guests_only(town, "open");
    forged_addresses_die(town);
}

/// For one guest alone: its card gets a filter of its own, while it runs.
fn one_guest_alone(town: &Town) {
    town.apply(&[("at a", "allow echo { from = 10.23.0.10/32, ports = [7/tcp] }")]);
    assert_eq!(town.reaches(&R, &A), ["open", "timeout", "timeout"]);
    assert_eq!(town.reaches(&R, &NEIGHBOUR), SHUT);
}

/// Closed again as the text is what it was, at once.
fn everything_closes(town: &Town) {
    town.apply(&[]);
    for port in [9000, 9001] {
        assert_eq!(town.tries(&A, &B, port), ["timeout"; 2], "{port}");
    }
    own_guests_only(town, "closed again");
}
