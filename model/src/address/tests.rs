//! Addresses as texts, and which are equal.

use super::*;

fn address(text: &str) -> Address {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn text_form_is_read_back() {
    for text in [
        "site.meiningen",
        "tenant.rhoenblick.vm.web[1].nic.office",
        "tenant.a.vm.web[\"a.b]\\\"\"].disk.root",
        "vm.x[site.m.zone.a].nic.n[-3]",
    ] {
        assert_eq!(address(text).to_string(), text);
    }
}

#[test]
fn a_label_with_a_key_becomes_a_segment() {
    let vm = address("tenant.a.vm.web");
    for label in ["office", "office[1]", "data[\"a.b\"]", "n[site.m.zone.a]"] {
        let text = format!("tenant.a.vm.web.nic.{label}");
        let built = vm.labelled("nic", &Name::new(label));
        assert_eq!(built, address(&text));
        assert_eq!(built.last_name(), label);
    }
}

#[test]
fn each_part_of_an_address_tells_it_from_others() {
    let texts = [
        "tenant.a.vm.b",
        "tenant.b.vm.a",
        "tenant.a.vm.bb",
        "tenant.a.vmb.b",
        "tenant.a.network.b",
        "tenant.a.vm.b[1]",
        "tenant.a.vm.b[\"1\"]",
        "tenant.a.vm.b[vm.b]",
        "tenant.a[1].vm.b",
        "vm.b",
    ];
    for (at, one) in texts.iter().enumerate() {
        for (other_at, other) in texts.iter().enumerate() {
            let (left, right) = (address(one), address(other));
            assert_eq!(left == right, at == other_at, "{one} and {other}");
            // Each hash alone does it, so that the other one is there for bad luck only.
            assert_eq!(left.0.hash == right.0.hash, at == other_at, "{one} and {other}");
            assert_eq!(left.0.proof == right.0.proof, at == other_at, "{one} and {other}");
        }
    }
}

#[test]
fn nonsense_is_refused_with_a_place() {
    for (text, offset) in [("", 0), ("vm", 2), ("vm.web[", 7), ("vm.web[1", 8), ("vm.a b", 4)] {
        let error = text.parse::<Address>().expect_err(text);
        assert_eq!(error.offset, offset, "{text}");
    }
}

#[test]
fn numbers_sort_as_numbers_and_parents_before_children() {
    let mut all: Vec<Address> =
        ["vm.web[10]", "vm.web[2].nic.a", "vm.web[2]", "vm.a", "tenant.z.vm.a"].map(address).into();
    all.sort();
    let texts: Vec<String> = all.iter().map(Address::to_string).collect();
    assert_eq!(texts, ["tenant.z.vm.a", "vm.a", "vm.web[2]", "vm.web[2].nic.a", "vm.web[10]"]);
}

#[test]
fn tenant_and_containment() {
    let nic = address("tenant.t.vm.web[1].nic.office");
    assert_eq!(nic.tenant(), Some(&address("tenant.t")));
    assert!(nic.is_within(&address("tenant.t.vm.web[1]")));
    assert!(!nic.is_within(&address("tenant.t.vm.web[2]")));
}
